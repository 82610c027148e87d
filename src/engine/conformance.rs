//! The same tests over all engines.

use super::{ENGINES, Engine, FlowIndex, Halves, RxPlan, TxPlan};
use crate::model::group::{GroupSpec, Membership, expand_all};
use crate::net::interface;
use crate::net::timestamp::Stamps;
use crate::sys::clock;
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

const BATCH: usize = 16;

/// Groups with a port of their own, so that tests that run at once do not hear each other.
fn groups(text: &str) -> Vec<Membership> {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(0);
    let own = (std::process::id() % 1000) as u16 * 20;
    let port = 20_000 + own + NEXT_PORT.fetch_add(1, Ordering::Relaxed);
    let spec: GroupSpec = text.parse().unwrap();
    expand_all(&[spec], port).unwrap()
}

fn open(engine: &dyn Engine, tx: &[Membership], rx: &[&[Membership]]) -> Halves {
    let interface = interface::loopback().unwrap().index;
    let tx = TxPlan {
        flows: tx.to_vec(),
        interface,
        ttl: 1,
        loopback: true,
        dscp: 0,
        payload_len: 65_507,
        batch: BATCH,
    };
    let rx: Vec<_> = rx
        .iter()
        .map(|flows| RxPlan {
            flows: flows.to_vec(),
            interface,
            receive_buffer: 4 << 20,
            batch: BATCH,
            stamps: Stamps::Kernel,
        })
        .collect();
    engine.open(&[tx], &rx).unwrap()
}

/// Sends one payload of each length to each flow given, numbered by its first bytes where there is room.
fn send(halves: &mut Halves, lens: &[usize], flows: &[FlowIndex]) {
    for &len in lens {
        for flows in flows.chunks(BATCH) {
            let mut slots = halves.tx[0].reserve(flows.len(), len);
            assert_eq!(slots.iter_mut().len(), flows.len());
            for (number, payload) in (0u8..).zip(slots.iter_mut()) {
                assert_eq!(payload.len(), len);
                payload.fill(number);
            }
            let committed = halves.tx[0].commit(flows);
            assert_eq!((committed.taken, committed.refused), (flows.len(), None));
        }
    }
}

/// What one receiver gets until nothing has come for a while: length, first byte, flow.
fn receive(halves: &mut Halves, receiver: usize, expected: usize) -> Vec<(usize, u8, FlowIndex)> {
    let mut all = Vec::new();
    let now = clock::realtime();
    while all.len() < expected {
        let batch = halves.rx[receiver].poll(Duration::from_secs(5)).unwrap();
        assert!(!batch.is_empty(), "{} of {expected} came", all.len());
        for datagram in batch.datagrams() {
            assert!(datagram.received_at + Nanos::SECOND > now, "{:?}", datagram.received_at);
            assert!(datagram.source.ip().is_loopback());
            let first = datagram.payload.first().copied().unwrap_or(0);
            assert!(datagram.payload.iter().all(|&byte| byte == first));
            all.push((datagram.payload.len(), first, datagram.flow.unwrap()));
        }
    }
    assert!(halves.rx[receiver].poll(Duration::from_millis(20)).unwrap().is_empty());
    all
}

fn each_engine(test: impl Fn(&dyn Engine)) {
    for engine in ENGINES {
        println!("engine {}", engine.name());
        test(*engine);
    }
}

#[test]
fn every_length_arrives_whole() {
    each_engine(|engine| {
        let groups = groups("239.255.77.1");
        let mut halves = open(engine, &groups, &[&groups]);
        let lens = [0, 1, 17, 18, 34, 1316, 1472, 1473, 9000, 65_507];
        send(&mut halves, &lens, &[0]);
        let received = receive(&mut halves, 0, lens.len());
        assert_eq!(received, lens.map(|len| (len, 0, 0)));
    });
}

#[test]
fn a_batch_keeps_its_order() {
    each_engine(|engine| {
        let groups = groups("239.255.77.2");
        let mut halves = open(engine, &groups, &[&groups]);
        send(&mut halves, &[100], &[0; BATCH]);
        let received = receive(&mut halves, 0, BATCH);
        let numbers: Vec<_> = received.iter().map(|(_, number, _)| *number as usize).collect();
        assert_eq!(numbers, (0..BATCH).collect::<Vec<_>>());
        assert!(halves.tx[0].counters().calls > 0);
        assert!(halves.rx[0].counters().calls > 0);
        assert_eq!(halves.rx[0].counters().unstamped, 0);
    });
}

/// More groups than one socket may join; each receiver hears its own groups only.
#[test]
fn each_receiver_hears_its_groups() {
    each_engine(|engine| {
        let groups = groups("239.255.77.10+44");
        let (first, second) = groups.split_at(25);
        let mut halves = open(engine, &groups, &[first, second]);
        let flows: Vec<_> = (0..45).collect();
        send(&mut halves, &[200], &flows);
        for (receiver, count) in [(0, 25), (1, 20)] {
            let mut per_flow = BTreeMap::new();
            for (_, _, flow) in receive(&mut halves, receiver, count) {
                *per_flow.entry(flow).or_insert(0) += 1;
            }
            let expected: BTreeMap<_, _> = (0..count as FlowIndex).map(|flow| (flow, 1)).collect();
            assert_eq!(per_flow, expected);
        }
    });
}

#[test]
fn every_receiver_of_a_group_gets_a_copy() {
    each_engine(|engine| {
        let groups = groups("239.255.77.3");
        let mut halves = open(engine, &groups, &[&groups, &groups]);
        send(&mut halves, &[64], &[0; 5]);
        assert_eq!(receive(&mut halves, 0, 5).len(), 5);
        assert_eq!(receive(&mut halves, 1, 5).len(), 5);
    });
}

#[test]
fn silence_ends_after_the_wait() {
    each_engine(|engine| {
        let groups = groups("239.255.77.4");
        let mut halves = open(engine, &groups, &[&groups]);
        let before = clock::monotonic();
        assert!(halves.rx[0].poll(Duration::from_millis(30)).unwrap().is_empty());
        assert!(clock::monotonic() - before >= Nanos(29_000_000));
        assert!(halves.rx[0].poll(Duration::ZERO).unwrap().is_empty());
    });
}

/// A full receive buffer drops, and the drops are counted: sent = received + dropped.
#[test]
fn drops_of_the_own_socket_are_counted() {
    for engine in ENGINES.iter().filter(|engine| engine.has_network()) {
        let groups = groups("239.255.77.5");
        let mut halves = open(*engine, &groups, &[&groups]);
        let sent = 1000 * BATCH;
        for _ in 0..1000 {
            send(&mut halves, &[8000], &[0; BATCH]);
        }
        let mut received = 0;
        loop {
            match halves.rx[0].poll(Duration::from_millis(100)).unwrap().datagrams().count() {
                0 => break,
                count => received += count,
            }
        }
        let dropped = halves.rx[0].counters().dropped as usize;
        assert!(dropped > 0 && received > 0, "{received} received, {dropped} dropped");
        assert_eq!(received + dropped, sent, "{}", engine.name());
    }
}

/// A stranger's datagram to the same port but not to a group of ours is no member's.
#[test]
fn what_is_sent_elsewhere_is_nobodys() {
    for engine in ENGINES.iter().filter(|engine| engine.has_network()) {
        let groups = groups("239.255.77.6+1");
        let mut halves = open(*engine, &groups, &[&groups]);
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.send_to(b"hello", ("127.0.0.1", groups[0].port)).unwrap();
        let batch = halves.rx[0].poll(Duration::from_secs(5)).unwrap();
        let flows: Vec<_> = batch.datagrams().map(|datagram| datagram.flow).collect();
        assert_eq!(flows, [None]);
    }
}
