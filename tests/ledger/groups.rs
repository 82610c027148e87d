//! Which group, from whom, with what marks: and nothing of other groups.

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{Kind, every, with_privileges};

const OTHER_GROUP: Ipv4Addr = Ipv4Addr::new(239, 9, 9, 9);

#[test]
fn ipv6_groups_are_counted_alike() {
    with_privileges(|| {
        let plan = Plan::clean().on(every(10), Drop);
        let group = "-g [ff15::1:2]:5000";
        let to_group = |flags| format!("{group} {flags}");
        let received = exchange(plan, &to_group(LOAD), &to_group(PROMPT)).received;
        assert_eq!(received.totals(), Counts::of(COUNT, COUNT - COUNT / 10));
        let stream = received.only_stream();
        assert_eq!((stream.group.as_str(), stream.port), ("ff15::1:2", 5000));
        assert!(stream.source.starts_with("[fd00:99::1]:"), "{}", stream.source);
    });
}

/// From the host that was asked for, and from nobody else.
#[test]
fn a_channel_has_one_source() {
    with_privileges(|| {
        let channel = "-g 10.99.1.1@232.1.2.3";
        let mut trial = Trial::over(Plan::clean().on(every(10), Drop));
        let mut ip = trial.sender().command("ip");
        ip.args("address add 10.99.1.77/24 dev eth0".split(' '));
        assert!(Child::spawn(&mut ip).finish(PATIENCE).status.success());

        let receiver = trial.recv(&format!("{channel} {PROMPT}"));
        let sender = trial.send(&format!("{channel} {LOAD}"));
        trial.wait_for(500);
        let other = trial.sender().run(|| UdpSocket::bind("10.99.1.77:0").unwrap());
        for _ in 0..10 {
            other.send_to(b"not of this channel", "232.1.2.3:5777").unwrap();
        }
        let (sent, received) = (Report::of(sender), Report::of(receiver));
        assert_eq!(sent.number("/sender/offered"), COUNT);
        assert_eq!(received.totals(), Counts::of(COUNT, COUNT - COUNT / 10));
        assert!(received.only_stream().source.starts_with("10.99.1.1:"));
    });
}

/// More groups than a socket may join by default take two sockets on one port.
#[test]
fn many_groups_are_heard_once_each() {
    with_privileges(|| {
        for more in [20, 30] {
            let mut trial = Trial::over(Plan::seeded(9).per_stream().on(every(10), Drop));
            let groups = format!("-g 239.1.2.1+{more}");
            let receiver = trial.recv(&format!("{groups} {PROMPT}"));
            Report::of(trial.send(&format!("{groups} --burst 50 {LOAD}")));
            let received = Report::of(receiver);
            let relay = trial.settled();
            assert!(relay.dropped > 0, "{relay:?}");
            assert_eq!(received.totals(), Counts::of(COUNT, relay.forwarded));
            assert_eq!(received.number("/receiver/sockets"), 2);
            assert_eq!(received.streams().len(), 1 + more);
        }
    });
}

/// Fragments on the wire are one datagram.
#[test]
fn datagrams_longer_than_a_frame_are_counted_as_one() {
    with_privileges(|| {
        let trial = Trial::new(Lab::direct());
        let receiver = trial.recv(PROMPT);
        Report::of(trial.send("-r 200 -s 65507 -c 50 --checksum"));
        let received = Report::of(receiver);
        assert_eq!(received.totals(), Counts::of(50, 50));
        assert_eq!(received.number("/totals/payload_bytes"), 50 * 65_507);
    });
}

#[test]
fn datagrams_are_marked_as_asked() {
    with_privileges(|| {
        for group in ["-g 239.1.2.3", "-g [ff15::1:2]"] {
            let trial = Trial::over(Plan::clean());
            let tap = trial.receiver().tap();
            let receiver = trial.recv(&format!("{group} {PROMPT}"));
            Report::of(trial.send(&format!("{group} -r 5k -c 100 --ttl 7 --dscp 46")));
            assert_eq!(Report::of(receiver).totals(), Counts::of(100, 100));
            let passed = tap.finish();
            assert_eq!(passed.iter().filter(|passed| passed.kind == Kind::Data).count(), 100);
            let marks = |passed: &Passed| (passed.ttl, passed.traffic_class);
            assert!(passed.iter().all(|passed| marks(passed) == (7, 46 << 2)), "{passed:?}");
        }
    });
}

/// A host is a member of what any of its programs has joined; a socket must not be.
#[test]
fn groups_of_other_programs_are_not_ours() {
    with_privileges(|| {
        // One group is bound to, several are joined by a socket that is bound to none.
        for groups in ["-g 239.1.2.3", "-g 239.1.2.3+1"] {
            let mut trial = Trial::over(Plan::clean());
            let member = member(trial.receiver(), OTHER_GROUP);
            let receiver = trial.recv(&format!("{groups} {PROMPT}"));
            let sender = trial.send(&format!("{groups} {LOAD}"));
            trial.wait_for(500);
            let other = trial.sender().run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
            for number in 0..10 {
                other.send_to(&[number], (OTHER_GROUP, PORT)).unwrap();
            }
            Report::of(sender);
            let received = Report::of(receiver);
            assert_eq!(received.totals(), Counts::of(COUNT, COUNT), "{groups}");
            for number in 0..10 {
                let mut buffer = [0; 2];
                assert_eq!((member.recv(&mut buffer).unwrap(), buffer[0]), (1, number));
            }
        }
    });
}
