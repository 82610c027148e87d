//! The same tests over all engines: each as a sender with each as a receiver, on two hosts joined by a pair of
//! virtual devices, and those without a network with themselves.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // Clippy takes only functions with #[test] for tests.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::UdpSocket;
use std::time::Duration;

use mcast_bench::engine::{
    Departure, ENGINES, Engine, FlowIndex, RxEngine, RxPlan, Support, TxEngine, TxPlan,
};
use mcast_bench::model::group::{GroupSpec, Membership, expand_all};
use mcast_bench::model::spec::Bind;
use mcast_bench::net::interface;
use mcast_bench::net::socket::Launch;
use mcast_bench::net::timestamp::{Stamps, Timestamps};
use mcast_bench::sys::clock;
use mcast_bench::units::Nanos;

use crate::lab::{DEVICE, Lab, with_privileges};

mod af_xdp;
mod io_uring;

const BATCH: usize = 16;

/// Longest payload that an Ethernet frame carries whole: 1,500 bytes less 20 of IP and 8 of UDP header.
const LONGEST_UNFRAGMENTED: usize = 1472;

/// An open sender and open receivers of its groups.
struct Bed<'a> {
    lab: Option<&'a Lab>,
    tx_engine: &'static dyn Engine,
    rx_engine: &'static dyn Engine,
    tx: Box<dyn TxEngine>,
    rx: Vec<Box<dyn RxEngine>>,
    groups: Vec<Membership>,
}

/// To send the longest datagrams there are.
pub(crate) fn tx_plan(flows: &[Membership], interface: u32) -> TxPlan {
    TxPlan {
        flows: flows.to_vec(),
        interface,
        source_port: 0,
        ttl: 1,
        loopback: true,
        dscp: 0,
        payload_len: 65_507,
        batch: BATCH,
        launch: Launch::AtOnce,
    }
}

pub(crate) fn rx_plan(flows: &[Membership], interface: u32) -> RxPlan {
    RxPlan {
        flows: flows.to_vec(),
        interface,
        bind: Bind::Group,
        receive_buffer: 4 << 20,
        batch: BATCH,
        stamps: Stamps::Kernel,
        busy_poll_us: None,
    }
}

/// Index of the network device, asked on its host.
pub(crate) fn device() -> u32 {
    interface::resolve(DEVICE).expect("a host of the lab has a device").index
}

impl<'a> Bed<'a> {
    /// `receivers` says which of the groups each receiver joins.
    fn open(
        lab: Option<&'a Lab>,
        [tx_engine, rx_engine]: [&'static dyn Engine; 2],
        groups: &[Membership],
        receivers: &[&[Membership]],
    ) -> Self {
        let (tx, rx) = match lab {
            Some(lab) => {
                let rx = lab.receiver().run(|| {
                    let plans: Vec<_> =
                        receivers.iter().map(|flows| rx_plan(flows, device())).collect();
                    rx_engine.open(&[], &plans).expect("the engine receives").rx
                });
                let tx = lab.sender().run(|| {
                    let v6 = groups[0].group.is_ipv6();
                    let payload_len = longest(tx_engine) - if v6 { 20 } else { 0 };
                    let plan = TxPlan { payload_len, ..tx_plan(groups, device()) };
                    tx_engine.open(&[plan], &[]).expect("the engine sends").tx
                });
                (tx, rx)
            }
            None => {
                let plans: Vec<_> = receivers.iter().map(|flows| rx_plan(flows, 0)).collect();
                let halves = tx_engine.open(&[tx_plan(groups, 0)], &plans).expect("it opens");
                (halves.tx, halves.rx)
            }
        };
        let tx = tx.into_iter().next().expect("one sender");
        Self { lab, tx_engine, rx_engine, tx, rx, groups: groups.to_vec() }
    }

    /// Longest payload that both ends carry.
    fn longest(&self) -> usize {
        longest(self.tx_engine).min(longest(self.rx_engine))
    }

    /// Sends one payload of each length to each flow given, numbered by its bytes.
    fn send(&mut self, lens: &[usize], flows: &[FlowIndex]) {
        for &len in lens {
            let departures: Vec<_> = flows.iter().copied().map(Departure::to).collect();
            let mut sent = 0;
            while sent < flows.len() {
                let want = (flows.len() - sent).min(BATCH);
                let mut slots = self.tx.reserve(want, len);
                let lent = slots.iter_mut().len();
                assert!((1..=want).contains(&lent), "{lent} slots of {want}");
                for (number, payload) in (sent..).zip(slots.iter_mut()) {
                    assert_eq!(payload.len(), len);
                    payload.fill(number as u8);
                }
                let committed = self.tx.commit(&departures[sent..sent + lent]);
                assert_eq!((committed.taken, committed.refused), (lent, None));
                sent += lent;
            }
        }
    }

    /// What one receiver gets until nothing has come for a while: length, first byte, flow.
    fn receive(&mut self, receiver: usize, expected: usize) -> Vec<(usize, u8, FlowIndex)> {
        let mut all = Vec::new();
        let now = clock::realtime();
        let is_from = |ip: std::net::IpAddr| match self.lab {
            Some(lab) => ip == lab.sender().v4() || ip == lab.sender().v6(),
            None => ip.is_loopback(),
        };
        while all.len() < expected {
            let batch = self.rx[receiver].poll(Duration::from_secs(5)).expect("sockets work");
            assert!(!batch.is_empty(), "{} of {expected} came", all.len());
            for datagram in batch.datagrams() {
                assert!(datagram.received_at + Nanos::SECOND > now, "{:?}", datagram.received_at);
                assert!(datagram.received_at < clock::realtime() + Nanos::SECOND);
                assert!(is_from(datagram.source.ip()), "{}", datagram.source);
                let first = datagram.payload.first().copied().unwrap_or(0);
                assert!(datagram.payload.iter().all(|&byte| byte == first));
                all.push((datagram.payload.len(), first, datagram.flow.unwrap()));
            }
        }
        assert!(self.rx[receiver].poll(Duration::from_millis(20)).unwrap().is_empty());
        all
    }
}

fn longest(engine: &dyn Engine) -> usize {
    if engine.has_fragments() { 65_507 } else { LONGEST_UNFRAGMENTED }
}

fn groups(text: &str) -> Vec<Membership> {
    let specs: Vec<GroupSpec> =
        text.split(',').map(|spec| spec.parse().expect("a group")).collect();
    expand_all(&specs, 5777).expect("few groups")
}

/// Engines that this machine can run; says loudly which it cannot.
fn ready() -> impl Iterator<Item = &'static dyn Engine> {
    ENGINES.iter().copied().filter(|engine| match engine.probe() {
        Support::Ready => true,
        Support::Missing { why, .. } => {
            // Not eprintln!, which the test harness hides while tests pass.
            let _ = writeln!(io::stderr(), "SKIPPED: engine {}: {why}", engine.name());
            false
        }
    })
}

/// Tests each sender with each receiver that can hear it. A bed is closed before the next one opens.
fn each_pair(groups: &[Membership], receivers: &[&[Membership]], test: impl Fn(&mut Bed<'_>)) {
    let lab = Lab::direct();
    let _warm = Timestamps::warm_up().expect("receive timestamps");
    for tx in ready() {
        for rx in ready().filter(|rx| rx.has_network() == tx.has_network()) {
            if rx.is_exclusive() && receivers.len() > 1 {
                continue;
            }
            // The harness shows it when the test fails.
            eprintln!("{} to {}", tx.name(), rx.name());
            let lab = tx.has_network().then_some(&lab);
            test(&mut Bed::open(lab, [tx, rx], groups, receivers));
        }
    }
}

#[test]
fn every_length_arrives_whole() {
    with_privileges(|| {
        let groups = groups("239.255.77.1");
        each_pair(&groups, &[&groups], |bed| {
            let mut lens = vec![0, 1, 17, 18, 34, 1316, 1472, 1473, 9000, 65_507];
            lens.retain(|&len| len <= bed.longest());
            bed.send(&lens, &[0]);
            let expected: Vec<_> = lens.iter().map(|&len| (len, 0, 0)).collect();
            assert_eq!(bed.receive(0, lens.len()), expected);
        });
    });
}

#[test]
fn ipv6_is_as_good() {
    with_privileges(|| {
        let groups = groups("[ff15::77:21]+1");
        each_pair(&groups, &[&groups], |bed| {
            // Its header is 20 bytes longer.
            let lens = [0, 1, 18, 1316, LONGEST_UNFRAGMENTED - 20];
            bed.send(&lens, &[0, 1]);
            let mut received = bed.receive(0, 2 * lens.len());
            received.sort_by_key(|(len, ..)| *len);
            let expected: Vec<_> = lens
                .into_iter()
                .flat_map(|len| [(len, 0, 0), (len, u8::from(len > 0), 1)])
                .collect();
            assert_eq!(received, expected);
        });
    });
}

/// Only what a source sends that was asked for.
#[test]
fn sources_are_told_apart() {
    with_privileges(|| {
        let both = groups("10.99.1.1@232.5.77.1,10.99.1.9@232.5.77.2");
        let any: Vec<_> = both.iter().map(|flow| Membership { source: None, ..*flow }).collect();
        each_pair(&any, &[&both], |bed| {
            if bed.lab.is_none() {
                return;
            }
            bed.send(&[100], &[1, 0, 1]);
            assert_eq!(bed.receive(0, 1), [(100, 1, 0)]);
        });
    });
}

#[test]
fn a_batch_keeps_its_order() {
    with_privileges(|| {
        let groups = groups("239.255.77.2");
        each_pair(&groups, &[&groups], |bed| {
            bed.send(&[100], &[0; BATCH]);
            let received = bed.receive(0, BATCH);
            let numbers: Vec<_> = received.iter().map(|(_, number, _)| *number as usize).collect();
            assert_eq!(numbers, (0..BATCH).collect::<Vec<_>>());
            assert!(bed.tx.counters().calls > 0);
            assert!(bed.rx[0].counters().calls > 0);
            assert_eq!(bed.rx[0].counters().unstamped, 0);
        });
    });
}

/// Runs of datagrams to one flow and to several, of lengths that change between commits.
#[test]
fn what_is_mixed_arrives_unmixed() {
    with_privileges(|| {
        let groups = groups("239.255.77.20+2");
        each_pair(&groups, &[&groups], |bed| {
            let flows = [0, 0, 0, 1, 2, 2, 0, 1, 1, 1, 1, 0, 2];
            bed.send(&[1316, 18, 700], &flows);
            let received = bed.receive(0, 3 * flows.len());
            for flow in 0..3 {
                let of_flow = |len: usize| {
                    let mine = flows.iter().enumerate().filter(move |(_, f)| **f == flow);
                    mine.map(move |(number, _)| (len, number as u8, flow))
                };
                let expected: Vec<_> = [1316, 18, 700].into_iter().flat_map(of_flow).collect();
                let got: Vec<_> = received.iter().copied().filter(|one| one.2 == flow).collect();
                assert_eq!(got, expected);
            }
        });
    });
}

/// More groups than one socket may join; each receiver hears its own groups only.
#[test]
fn each_receiver_hears_its_groups() {
    with_privileges(|| {
        let groups = groups("239.255.77.10+44");
        let (first, second) = groups.split_at(25);
        each_pair(&groups, &[first, second], |bed| {
            let flows: Vec<_> = (0..45).collect();
            bed.send(&[200], &flows);
            for (receiver, count) in [(0, 25), (1, 20)] {
                let mut per_flow = BTreeMap::new();
                for (_, _, flow) in bed.receive(receiver, count) {
                    *per_flow.entry(flow).or_insert(0) += 1;
                }
                let expected: BTreeMap<_, _> =
                    (0..count as FlowIndex).map(|flow| (flow, 1)).collect();
                assert_eq!(per_flow, expected);
            }
        });
    });
}

#[test]
fn every_receiver_of_a_group_gets_a_copy() {
    with_privileges(|| {
        let groups = groups("239.255.77.3");
        each_pair(&groups, &[&groups, &groups], |bed| {
            bed.send(&[64], &[0; 5]);
            assert_eq!(bed.receive(0, 5).len(), 5);
            assert_eq!(bed.receive(1, 5).len(), 5);
        });
    });
}

#[test]
fn silence_ends_after_the_wait() {
    with_privileges(|| {
        let groups = groups("239.255.77.4");
        each_pair(&groups, &[&groups], |bed| {
            let before = clock::monotonic();
            assert!(bed.rx[0].poll(Duration::from_millis(30)).unwrap().is_empty());
            assert!(clock::monotonic() - before >= Nanos(29_000_000));
            assert!(bed.rx[0].poll(Duration::ZERO).unwrap().is_empty());
        });
    });
}

/// A full receive buffer drops, and the drops are counted: sent = received + dropped.
#[test]
fn drops_of_the_own_socket_are_counted() {
    with_privileges(|| {
        let groups = groups("239.255.77.5");
        each_pair(&groups, &[&groups], |bed| {
            if bed.lab.is_none() {
                return;
            }
            let commits = 1000;
            for _ in 0..commits {
                bed.send(&[LONGEST_UNFRAGMENTED], &[0; BATCH]);
            }
            let mut received = 0;
            loop {
                match bed.rx[0].poll(Duration::from_millis(100)).unwrap().datagrams().count() {
                    0 => break,
                    count => received += count,
                }
            }
            let dropped = bed.rx[0].counters().dropped as usize;
            assert!(dropped > 0 && received > 0, "{received} received, {dropped} dropped");
            assert_eq!(received + dropped, commits * BATCH);
        });
    });
}

/// A stranger's datagram to the same port but not to a group of ours is no member's.
#[test]
fn what_is_sent_elsewhere_is_nobodys() {
    with_privileges(|| {
        let groups = groups("239.255.77.6+1");
        each_pair(&groups, &[&groups], |bed| {
            let Some(lab) = bed.lab else { return };
            let stranger = lab.sender().run(|| UdpSocket::bind((lab.sender().v4(), 0))).unwrap();
            stranger.send_to(b"hello", (lab.receiver().v4(), bed.groups[0].port)).unwrap();
            let batch = bed.rx[0].poll(Duration::from_secs(5)).expect("sockets work");
            let flows: Vec<_> = batch.datagrams().map(|datagram| datagram.flow).collect();
            assert_eq!(flows, [None]);
        });
    });
}
