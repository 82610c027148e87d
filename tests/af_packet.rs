//! What is special about the packet engine: links that go and come back, rings that turn, families, sources, and what
//! it refuses to do.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // Clippy takes only functions with #[test] for tests.

use std::process::Command;
use std::time::Duration;

use mcast_bench::engine::{
    Committed, Departure, Engine, Halves, RxEngine, RxPlan, Support, TxEngine, TxPlan, by_name,
};
use mcast_bench::error::Error;
use mcast_bench::model::group::{GroupSpec, Membership, expand_all};
use mcast_bench::net::interface;
use mcast_bench::net::timestamp::Timestamps;
use mcast_bench::sys::clock;
use mcast_bench::units::Nanos;

use crate::engines::{self, device};
use crate::lab::{self, Child, DEVICE, Host, Lab, with_privileges};

const BATCH: usize = 64;

fn groups(words: &[&str]) -> Vec<Membership> {
    let specs: Vec<GroupSpec> = words.iter().map(|word| word.parse().unwrap()).collect();
    expand_all(&specs, 5777).unwrap()
}

fn named(name: &str) -> &'static dyn Engine {
    by_name(name).expect("an engine of this name")
}

fn tx_plan(flows: &[Membership], interface: u32) -> TxPlan {
    TxPlan { payload_len: 1000, batch: BATCH, ..engines::tx_plan(flows, interface) }
}

fn rx_plan(flows: &[Membership], interface: u32) -> RxPlan {
    RxPlan { batch: BATCH, ..engines::rx_plan(flows, interface) }
}

fn sender(lab: &Lab, engine: &str, flows: &[Membership]) -> Box<dyn TxEngine> {
    let open = || named(engine).open(&[tx_plan(flows, device())], &[]).expect("the engine sends");
    lab.sender().run(open).tx.remove(0)
}

fn receiver(lab: &Lab, engine: &str, flows: &[Membership]) -> Box<dyn RxEngine> {
    let open =
        || named(engine).open(&[], &[rx_plan(flows, device())]).expect("the engine receives");
    lab.receiver().run(open).rx.remove(0)
}

/// Sends `count` datagrams of one byte, the number given.
fn send(tx: &mut dyn TxEngine, count: usize, number: u8, flow: u32) -> Committed {
    let mut slots = tx.reserve(count, 1);
    let lent = slots.iter_mut().map(|payload| payload.fill(number)).count();
    tx.commit(&vec![Departure::to(flow); lent])
}

/// The first bytes and flows of what comes until `count` have come or nothing does.
fn receive(rx: &mut dyn RxEngine, count: usize) -> Vec<(u8, Option<u32>)> {
    let mut all = Vec::new();
    while all.len() < count {
        let batch = rx.poll(Duration::from_secs(2)).expect("the socket works");
        if batch.is_empty() {
            break;
        }
        all.extend(batch.datagrams().map(|datagram| (datagram.payload[0], datagram.flow)));
    }
    all
}

fn ip(host: &Host, words: &str) {
    let status = host.command("ip").args(words.split(' ')).status().expect("ip runs");
    assert!(status.success(), "ip {words}");
}

#[test]
fn a_link_that_goes_down_refuses_and_comes_back() {
    with_privileges(|| {
        let lab = Lab::direct();
        let flows = groups(&["239.255.78.1"]);
        let mut rx = receiver(&lab, "af_packet", &flows);
        let mut tx = sender(&lab, "af_packet", &flows);
        assert_eq!(send(&mut *tx, 3, 1, 0), Committed { taken: 3, refused: None });
        assert_eq!(receive(&mut *rx, 3), [(1, Some(0)); 3]);

        ip(lab.sender(), &format!("link set {DEVICE} down"));
        let before = clock::monotonic();
        for _ in 0..100 {
            let refused = Committed { taken: 0, refused: Some(libc::ENETDOWN) };
            assert_eq!(send(&mut *tx, 5, 2, 0), refused);
        }
        ip(lab.receiver(), &format!("link set {DEVICE} down"));
        for _ in 0..3 {
            assert!(rx.poll(Duration::from_millis(10)).expect("it is passing").is_empty());
        }
        assert!(clock::monotonic() - before < Nanos(2 * Nanos::SECOND.0), "it never hangs");

        for host in [lab.receiver(), lab.sender()] {
            ip(host, &format!("link set {DEVICE} up"));
        }
        // A device is up before its queue is: what is sent in between is lost.
        let deadline = clock::monotonic() + Nanos(10 * Nanos::SECOND.0);
        while rx.poll(Duration::from_millis(10)).expect("it has passed").is_empty() {
            assert!(clock::monotonic() < deadline, "nothing comes any more");
            send(&mut *tx, 1, 3, 0);
        }
        while !rx.poll(Duration::from_millis(20)).expect("it works").is_empty() {}
        assert_eq!(send(&mut *tx, 4, 4, 0), Committed { taken: 4, refused: None });
        assert_eq!(receive(&mut *rx, 4), [(4, Some(0)); 4], "nothing refused is sent late");
    });
}

#[test]
fn an_interface_that_vanishes_refuses_and_is_silent() {
    with_privileges(|| {
        let lab = Lab::direct();
        let flows = groups(&["239.255.78.2"]);
        let mut rx = receiver(&lab, "af_packet", &flows);
        let mut tx = sender(&lab, "af_packet", &flows);
        ip(lab.sender(), &format!("link delete {DEVICE}"));
        for _ in 0..10 {
            let refused = Committed { taken: 0, refused: Some(libc::ENXIO) };
            assert_eq!(send(&mut *tx, 5, 1, 0), refused);
            assert!(rx.poll(Duration::from_millis(5)).expect("it is only silent").is_empty());
        }
    });
}

/// More than the ring has slots, with commits that leave a part of what was reserved.
#[test]
fn the_ring_turns_without_a_loss() {
    with_privileges(|| {
        let lab = Lab::direct();
        let flows = groups(&["239.255.78.3"]);
        let mut rx = receiver(&lab, "mmsg", &flows);
        let mut tx = sender(&lab, "af_packet", &flows);
        for round in 0..200u8 {
            let want = 1 + usize::from(round) % BATCH;
            let committed = send(&mut *tx, want, round, 0);
            assert_eq!(committed.refused, None);
            // Fewer are lent only at the end of the ring.
            assert!((1..=want).contains(&committed.taken));
            let expected = vec![(round, Some(0)); committed.taken];
            assert_eq!(receive(&mut *rx, committed.taken), expected);
        }
    });
}

#[test]
fn both_families_cross_to_and_from_sockets() {
    with_privileges(|| {
        let lab = Lab::direct();
        let _warm = Timestamps::warm_up().expect("receive timestamps");
        for [from, to] in [["af_packet", "mmsg"], ["mmsg", "af_packet"], ["af_packet"; 2]] {
            let flows = groups(&["[ff15::78:1]", "[ff12::78:2]", "[ff15::78:3]:5778"]);
            let mut rx = receiver(&lab, to, &flows);
            let mut tx = sender(&lab, from, &flows);
            for flow in 0..3 {
                assert_eq!(send(&mut *tx, 2, 9, flow), Committed { taken: 2, refused: None });
                let batch = rx.poll(Duration::from_secs(5)).expect("the socket works");
                for datagram in batch.datagrams() {
                    assert_eq!(datagram.flow, Some(flow), "{from} to {to}");
                    let own = std::net::IpAddr::from(lab.sender().v6());
                    let link_local: std::net::IpAddr = "fe80::1".parse().unwrap();
                    let source = datagram.source.ip();
                    assert!(source == own || source == link_local, "{source}");
                    assert_eq!(datagram.payload, [9]);
                }
                assert!(!batch.is_empty());
                while !rx.poll(Duration::from_millis(20)).unwrap().is_empty() {}
            }
        }
    });
}

#[test]
fn only_wanted_sources_are_heard() {
    with_privileges(|| {
        let lab = Lab::direct();
        let wanted = groups(&["10.99.1.1@232.78.1.1"]);
        let others = groups(&["10.99.1.77@232.78.1.1"]);
        let mut hears = receiver(&lab, "af_packet", &wanted);
        let mut deaf = receiver(&lab, "af_packet", &others);
        for engine in ["mmsg", "af_packet"] {
            let mut tx = sender(&lab, engine, &wanted);
            send(&mut *tx, 2, 5, 0);
            assert_eq!(receive(&mut *hears, 2), [(5, Some(0)); 2]);
            assert!(deaf.poll(Duration::from_millis(20)).unwrap().is_empty());
        }
    });
}

/// The whole program: what is refused while the link is down is counted, and the report is written.
#[test]
fn a_trial_outlives_its_link() {
    with_privileges(|| {
        let lab = Lab::direct();
        let flows = groups(&["239.255.77.77"]);
        let mut rx = receiver(&lab, "af_packet", &flows);
        let mut command = lab.sender().command(lab::tool());
        command.args("send -q -e af_packet -I eth0 -r 5k -s 200 -c 5000 -J".split(' '));
        let sending = Child::spawn(&mut command);
        assert!(!receive(&mut *rx, 10).is_empty(), "it has begun");
        ip(lab.sender(), &format!("link set {DEVICE} down"));
        let report = lab::json(&sending.finish(Duration::from_secs(20)));
        let sender = &report["sender"];
        let refused = sender["refused"]["ENETDOWN"].as_u64().expect("refusals by errno");
        let offered = sender["offered"].as_u64().unwrap();
        assert!(offered > 0 && refused > 0);
        assert_eq!(offered + refused, 5000);
        assert_eq!(sender["intended"], 5000);
    });
}

fn refusal(opened: Result<Halves, Error>) -> String {
    opened.err().expect("it is refused").to_string()
}

#[test]
fn what_it_cannot_do_is_said_in_a_line() {
    with_privileges(|| {
        let lab = Lab::direct();
        let flows = groups(&["239.255.78.4"]);
        let engine = named("af_packet");
        assert_eq!(engine.probe(), Support::Ready);
        lab.sender().run(|| {
            let device = device();
            let long = TxPlan { payload_len: 1473, ..tx_plan(&flows, device) };
            let error = refusal(engine.open(&[long], &[]));
            let expected = "1473 bytes of payload + 8 of UDP header + 20 of IPv4 header = 1501 bytes, more than \
                            the MTU of eth0, 1500";
            assert!(error.starts_with(expected), "{error}");

            let loopback = interface::loopback().unwrap().index;
            let error = refusal(engine.open(&[tx_plan(&flows, loopback)], &[]));
            assert!(error.contains("cannot run on the loopback interface lo"), "{error}");
            let error = refusal(engine.open(&[], &[rx_plan(&flows, loopback)]));
            assert!(error.contains("cannot run on the loopback interface lo"), "{error}");

            let both = engine.open(&[tx_plan(&flows, device)], &[rx_plan(&flows, device)]);
            let error = refusal(both);
            assert!(error.contains("cannot receive what this host sends"), "{error}");

            let huge = RxPlan { receive_buffer: 1 << 50, ..rx_plan(&flows, device) };
            let error = refusal(engine.open(&[], &[huge]));
            assert!(error.contains("are too large") && error.contains("--rcvbuf"), "{error}");

            let foreign = groups(&["10.99.1.200@232.78.1.2"]);
            let error = refusal(engine.open(&[tx_plan(&foreign, device)], &[]));
            assert!(error.starts_with("cannot send from 10.99.1.200"), "{error}");
        });
    });
}

/// Loopback apart, the privilege is what most will miss.
#[test]
fn nobody_is_told_what_is_missing() {
    with_privileges(|| {
        let lab = Lab::direct();
        let unprivileged = |mut command: Command| {
            let program = env!("CARGO_BIN_EXE_mcast-bench");
            let args = ["recv", "-q", "-t", "1", "-e", "af_packet", "-I", DEVICE];
            command.args(["--bounding-set", "-net_raw", program]).args(args).output()
        };
        let output = unprivileged(lab.receiver().command("setpriv")).expect("setpriv runs");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "error: engine `af_packet` cannot be used here: packet sockets need CAP_NET_RAW\n\
             hint: run as root, or once: setcap cap_net_raw+ep on this program\n"
        );
        assert_eq!(output.status.code(), Some(1));
    });
}
