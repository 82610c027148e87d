//! What is special about `af_xdp`: what it takes from the host and gives back, interfaces that come and go, and bad
//! input.

use std::time::Instant;

use mcast_bench::engine::{Committed, Halves};
use mcast_bench::error::Error;
use mcast_bench::model::event::Happening;

use super::*;
use crate::lab::Host;

const NAME: &str = "af_xdp";

/// The engine, if this machine can run it.
fn engine() -> Option<&'static dyn Engine> {
    ready().find(|engine| engine.name() == NAME)
}

fn ip(host: &Host, words: &str) -> String {
    let output = host.command("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn receive_on(host: &Host, groups: &[Membership]) -> Result<Halves, Error> {
    host.run(|| engine().unwrap().open(&[], &[rx_plan(groups, device())]))
}

fn send_on(host: &Host, groups: &[Membership], payload_len: usize) -> Result<Halves, Error> {
    host.run(|| {
        let plan = TxPlan { payload_len, ..tx_plan(groups, device()) };
        engine().unwrap().open(&[plan], &[])
    })
}

/// Waits until something that was closed is gone. Other tests start programs at the same time, and until such a child
/// has become its program it has a copy of every descriptor of this process.
#[track_caller]
fn until(is_gone: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_gone() {
        assert!(Instant::now() < deadline, "it is still there");
    }
}

#[track_caller]
fn refusal(result: Result<Halves, Error>) -> String {
    result.err().expect("it is refused").to_string()
}

/// Offers a batch of datagrams, the first of them numbered `first`. `taken` and `refused` of those are said.
fn offer(tx: &mut dyn TxEngine, first: u8, count: usize) -> Committed {
    let mut slots = tx.reserve(count, 100);
    assert_eq!(slots.iter_mut().len(), count);
    for (number, slot) in (first..).zip(slots.iter_mut()) {
        slot.fill(number);
    }
    tx.commit(&vec![Departure::to(0); count])
}

/// The numbers that come until nothing has come for a while.
fn numbers(rx: &mut dyn RxEngine) -> Vec<u8> {
    let mut numbers = Vec::new();
    loop {
        let batch = rx.poll(Duration::from_millis(200)).unwrap();
        if batch.is_empty() {
            return numbers;
        }
        numbers.extend(batch.datagrams().map(|datagram| datagram.payload[0]));
    }
}

#[test]
fn bad_input_is_told_in_a_line() {
    with_privileges(|| {
        if engine().is_none() {
            return;
        }
        let groups = groups("239.255.78.1");
        let lab = Lab::direct();
        let (sender, receiver) = (lab.sender(), lab.receiver());

        let error = refusal(send_on(sender, &groups, 1473));
        assert!(
            error.starts_with("1473 bytes of payload + 8 of UDP header + 20 of IPv4"),
            "{error}"
        );

        let on_loopback = sender.run(|| {
            let index = interface::loopback().unwrap().index;
            engine().unwrap().open(&[], &[rx_plan(&groups, index)])
        });
        let error = refusal(on_loopback);
        assert!(
            error.starts_with("engine af_xdp cannot run on the loopback interface lo"),
            "{error}"
        );

        let two = receiver.run(|| {
            let plan = rx_plan(&groups, device());
            engine().unwrap().open(&[], &[plan.clone(), plan])
        });
        assert!(refusal(two).contains("--threads 1"));

        let both = receiver.run(|| {
            let tx = TxPlan { payload_len: 100, ..tx_plan(&groups, device()) };
            engine().unwrap().open(&[tx], &[rx_plan(&groups, device())])
        });
        assert!(refusal(both).starts_with("engine af_xdp cannot send to itself"));

        // A virtual device has one queue unless asked for more.
        let two = sender.run(|| {
            let plan = TxPlan { payload_len: 100, ..tx_plan(&groups, device()) };
            engine().unwrap().open(&[plan.clone(), plan], &[])
        });
        let error = refusal(two);
        assert!(error.contains("socket on queue 1 of eth0: Invalid argument"), "{error}");
        assert!(error.contains("ethtool -l eth0"), "{error}");

        let first = receive_on(receiver, &groups).unwrap();
        let error = refusal(receive_on(receiver, &groups));
        assert!(error.starts_with("cannot attach a program to eth0: "), "{error}");
        assert!(error.contains("it has one already"), "{error}");
        assert!(error.contains("ip link show eth0"), "{error}");
        drop(first);
        until(|| !ip(receiver, "link show eth0").contains("prog/xdp"));

        let too_large = receiver.run(|| {
            let plan = RxPlan { receive_buffer: 1 << 40, ..rx_plan(&groups, device()) };
            engine().unwrap().open(&[], &[plan])
        });
        let error = refusal(too_large);
        assert!(error.starts_with("a queue of 1024 GiB is too large: "), "{error}");

        ip(receiver, "link set eth0 mtu 9000");
        let error = refusal(receive_on(receiver, &groups));
        assert!(
            error.starts_with("frames of eth0 do not fit into those of engine af_xdp"),
            "{error}"
        );
    });
}

#[test]
fn without_capabilities_it_says_which_it_needs() {
    with_privileges(|| {
        if engine().is_none() {
            return;
        }
        let lab = Lab::direct();
        for verb in ["recv", "send"] {
            let mut command = lab.receiver().command("setpriv");
            let output = command
                .args(["--bounding-set=-all", "--inh-caps=-all"])
                .args([env!("CARGO_BIN_EXE_mcast-bench"), verb, "-e", NAME, "-I", DEVICE])
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            let told = "error: engine `af_xdp` cannot be used here: cannot load the program that picks our \
                        frames: Operation not permitted (os error 1)\nhint: run it as root";
            assert!(stderr.starts_with(told), "{stderr}");
            assert_eq!(output.status.code(), Some(1));
        }
    });
}

/// A member for as long as it receives, and nothing left on the interface afterwards.
#[test]
fn it_joins_and_leaves_no_trace() {
    with_privileges(|| {
        if engine().is_none() {
            return;
        }
        let groups = groups("239.255.78.2");
        let lab = Lab::direct();
        let is_member = || ip(lab.receiver(), "maddress show dev eth0").contains("239.255.78.2");
        let has_program = || ip(lab.receiver(), "link show eth0").contains("prog/xdp");
        let halves = receive_on(lab.receiver(), &groups).unwrap();
        assert!(is_member() && has_program());
        drop(halves);
        until(|| !is_member() && !has_program());
    });
}

/// A virtual device runs no program in its driver if its frames may be longer than a page has room for.
#[test]
fn behind_the_driver_it_is_as_good() {
    with_privileges(|| {
        let Some(engine) = engine() else { return };
        let groups = groups("239.255.78.3");
        let lab = Lab::direct();
        for host in [lab.sender(), lab.receiver()] {
            ip(host, "link set eth0 mtu 3700");
        }
        let mut rx = receive_on(lab.receiver(), &groups).unwrap();
        let is_told = |event: &Happening| matches!(event, Happening::Degraded { instead, .. } if instead.starts_with("behind it"));
        assert!(rx.degraded.iter().any(is_told), "{:?}", rx.degraded);
        let tx = send_on(lab.sender(), &groups, 3672).unwrap();
        let mut bed = Bed {
            lab: Some(&lab),
            tx_engine: engine,
            rx_engine: engine,
            tx: tx.tx.into_iter().next().unwrap(),
            rx: vec![rx.rx.remove(0)],
            groups,
        };
        bed.send(&[0, 18, 1316, 3672], &[0]);
        let expected = [(0, 0, 0), (18, 0, 0), (1316, 0, 0), (3672, 0, 0)];
        assert_eq!(bed.receive(0, 4), expected);
        assert_eq!(bed.rx[0].counters().unstamped, 0);
        for _ in 0..500 {
            bed.send(&[1472], &[0; BATCH]);
        }
        let mut received = 0;
        while let count @ 1.. =
            bed.rx[0].poll(Duration::from_millis(100)).unwrap().datagrams().count()
        {
            received += count;
        }
        let dropped = bed.rx[0].counters().dropped as usize;
        assert!(dropped > 0, "{received} received");
        assert_eq!(received + dropped, 500 * BATCH);
    });
}

/// Either end of the link goes down and comes up again: what is refused is said, what is said to have left arrives,
/// and nothing arrives twice or late.
#[test]
fn what_a_link_that_is_down_refuses_never_leaves() {
    with_privileges(|| {
        if engine().is_none() {
            return;
        }
        let groups = groups("239.255.78.4");
        let lab = Lab::direct();
        let mut rx = receive_on(lab.receiver(), &groups).unwrap().rx.remove(0);
        let mut tx = send_on(lab.sender(), &groups, 100).unwrap().tx.remove(0);
        for (host, errno) in [(lab.sender(), libc::ENETDOWN), (lab.receiver(), libc::EBUSY)] {
            assert_eq!(offer(&mut *tx, 0, 8), Committed { taken: 8, refused: None });
            assert_eq!(numbers(&mut *rx), (0..8).collect::<Vec<_>>());
            ip(host, "link set eth0 down");
            for _ in 0..3 {
                let before = Instant::now();
                let refused = Committed { taken: 0, refused: Some(errno) };
                assert_eq!(offer(&mut *tx, 100, 8), refused);
                assert!(before.elapsed() < Duration::from_secs(1));
            }
            assert!(numbers(&mut *rx).is_empty());
            ip(host, "link set eth0 up");
            // Up is said before the link is there.
            let mut expected: Vec<u8> = Vec::new();
            let deadline = Instant::now() + Duration::from_secs(10);
            while expected.len() < 8 {
                let first = 10 + expected.len() as u8;
                let committed = offer(&mut *tx, first, 8 - expected.len());
                expected.extend(first..first + committed.taken as u8);
                assert!(Instant::now() < deadline, "{committed:?}");
            }
            assert_eq!(numbers(&mut *rx), expected);
        }
    });
}

#[test]
fn an_interface_that_vanishes_is_no_hang() {
    with_privileges(|| {
        if engine().is_none() {
            return;
        }
        let groups = groups("239.255.78.5");
        let lab = Lab::direct();
        let mut rx = receive_on(lab.receiver(), &groups).unwrap().rx.remove(0);
        let mut tx = send_on(lab.sender(), &groups, 100).unwrap().tx.remove(0);
        assert_eq!(offer(&mut *tx, 0, 8), Committed { taken: 8, refused: None });
        assert_eq!(numbers(&mut *rx).len(), 8);
        ip(lab.sender(), "link delete eth0");
        let before = Instant::now();
        let gone = Committed { taken: 0, refused: Some(libc::ENXIO) };
        assert_eq!(offer(&mut *tx, 0, 8), gone);
        assert_eq!(offer(&mut *tx, 0, 8), gone);
        let error = rx.poll(Duration::from_millis(50)).err().expect("it says that all is over");
        assert_eq!(error.raw_os_error(), Some(libc::ENETDOWN));
        assert_eq!(rx.counters().dropped, 0);
        assert!(before.elapsed() < Duration::from_secs(1));
    });
}
