//! What is special about `io_uring`: chains that are cut, links that stand still or go away.

use super::*;
use crate::lab::{Child, Host};
use mcast_bench::engine::by_name;

const LEN: usize = 1316;

/// A sender and a receiver of one group over a direct link; nothing if the machine cannot.
fn bed<'a>(lab: &'a Lab, groups: &[Membership]) -> Option<Bed<'a>> {
    let engine = by_name("io_uring").expect("it is registered");
    ready().any(|one| one.name() == engine.name()).then(|| {
        let receivers: &[&[Membership]] = &[groups];
        Bed::open(Some(lab), [engine, engine], groups, receivers)
    })
}

fn on(host: &Host, program: &str, words: &str) {
    let mut command = host.command(program);
    let done = Child::spawn(command.args(words.split(' '))).finish(Duration::from_secs(60));
    assert!(done.status.success(), "{words}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Commits so many batches. Says how many datagrams left, and the errors of those that did not.
fn commit(bed: &mut Bed<'_>, batches: usize) -> (usize, Vec<i32>) {
    let mut taken = 0;
    let mut refused = Vec::new();
    for _ in 0..batches {
        for (number, payload) in (taken..).zip(bed.tx.reserve(BATCH, LEN).iter_mut()) {
            payload.fill(number as u8);
        }
        let committed = bed.tx.commit(&[Departure::to(0); BATCH]);
        assert_eq!(committed.refused.is_none(), committed.taken == BATCH, "{committed:?}");
        taken += committed.taken;
        refused.extend(committed.refused);
    }
    (taken, refused)
}

/// Several groups on one socket, told apart by what comes beside a datagram.
#[test]
fn ipv6_is_carried_as_well() {
    with_privileges(|| {
        let lab = Lab::direct();
        let groups = groups("[ff15::4d]+2");
        let Some(mut bed) = bed(&lab, &groups) else { return };
        bed.send(&[LEN, 0], &[0, 2, 1, 2]);
        let mut received = Vec::new();
        while received.len() < 8 {
            let batch = bed.rx[0].poll(Duration::from_secs(5)).expect("sockets work");
            assert!(!batch.is_empty(), "{received:?}");
            for datagram in batch.datagrams() {
                assert_eq!(datagram.source.ip(), lab.sender().v6());
                received.push((datagram.payload.len(), datagram.flow.unwrap()));
            }
        }
        let expected = [LEN, 0].map(|len| [0, 2, 1, 2].map(|flow| (len, flow)));
        assert_eq!(received, expected.concat());
        assert_eq!(bed.rx[0].counters().unstamped, 0);
    });
}

/// The send buffer fills again and again, and each time the sender waits until there is room.
#[test]
fn a_slow_link_is_waited_for() {
    with_privileges(|| {
        let lab = Lab::direct();
        let groups = groups("239.255.77.40");
        let Some(mut bed) = bed(&lab, &groups) else { return };
        on(
            lab.sender(),
            "tc",
            &format!("qdisc add dev {DEVICE} root tbf rate 20mbit burst 4kb limit 4mb"),
        );
        let before = clock::monotonic();
        assert_eq!(commit(&mut bed, 25), (400, vec![]));
        // 400 frames are 210 ms of such a link; the buffer holds less than half of them.
        assert!(clock::monotonic() - before > Nanos(50_000_000));
        let received = bed.receive(0, 400);
        let expected: Vec<_> = (0..400).map(|number| (LEN, number as u8, 0)).collect();
        assert_eq!(received, expected);
    });
}

/// A link that takes nothing refuses after a bounded time, and what was refused does not leave later.
#[test]
fn a_link_that_stands_still_refuses() {
    with_privileges(|| {
        let lab = Lab::direct();
        let groups = groups("239.255.77.41");
        let Some(mut bed) = bed(&lab, &groups) else { return };
        on(
            lab.sender(),
            "tc",
            &format!("qdisc add dev {DEVICE} root tbf rate 8bit burst 2kb limit 4mb"),
        );
        let before = clock::monotonic();
        let (taken, refused) = commit(&mut bed, 10);
        assert!(taken > BATCH, "{taken}");
        assert!(
            !refused.is_empty() && refused.iter().all(|&errno| errno == libc::EAGAIN),
            "{refused:?}"
        );
        assert!(clock::monotonic() - before > Nanos(100_000_000));
        on(
            lab.sender(),
            "tc",
            &format!("qdisc change dev {DEVICE} root tbf rate 1gbit burst 100kb limit 4mb"),
        );
        // The queue looks at its new rate when something is put into it.
        let other = lab.sender().run(|| UdpSocket::bind((lab.sender().v4(), 0))).unwrap();
        other.send_to(b"go", (lab.receiver().v4(), 9)).unwrap();
        assert_eq!(commit(&mut bed, 1), (BATCH, vec![]));
        let mut received = 0;
        while received < taken + BATCH {
            let batch = bed.rx[0].poll(Duration::from_secs(5)).expect("sockets work");
            assert!(!batch.is_empty(), "{received} of {taken} and {BATCH} came");
            received += batch.datagrams().count();
        }
        assert!(bed.rx[0].poll(Duration::from_millis(20)).unwrap().is_empty());
    });
}

#[test]
fn a_receiver_outlives_its_link() {
    with_privileges(|| {
        let lab = Lab::direct();
        let groups = groups("239.255.77.42");
        let Some(mut bed) = bed(&lab, &groups) else { return };
        bed.send(&[LEN], &[0; 3]);
        bed.receive(0, 3);
        on(lab.receiver(), "ip", &format!("link set {DEVICE} down"));
        assert!(bed.rx[0].poll(Duration::from_millis(20)).unwrap().is_empty());
        on(lab.receiver(), "ip", &format!("link set {DEVICE} up"));
        // The devices are ready some time after they are up.
        let deadline = clock::monotonic() + Nanos(60_000_000_000);
        loop {
            commit(&mut bed, 1);
            if !bed.rx[0].poll(Duration::from_millis(20)).unwrap().is_empty() {
                break;
            }
            assert!(clock::monotonic() < deadline, "nothing comes any more");
        }
    });
}

#[test]
fn a_sender_whose_link_vanishes_is_refused() {
    with_privileges(|| {
        let lab = Lab::direct();
        let groups = groups("239.255.77.43");
        let Some(mut bed) = bed(&lab, &groups) else { return };
        assert_eq!(commit(&mut bed, 1), (BATCH, vec![]));
        on(lab.sender(), "ip", &format!("link del {DEVICE}"));
        let (taken, refused) = commit(&mut bed, 3);
        assert_eq!((taken, refused.len()), (0, 3), "{refused:?}");
        assert!(bed.rx[0].poll(Duration::ZERO).is_ok());
        assert!(bed.rx[0].poll(Duration::from_millis(20)).is_ok());
    });
}
