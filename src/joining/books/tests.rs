use super::*;
use crate::model::delay::Distribution;
use crate::wire::probe::Kind;

const QUIET: Nanos = Nanos(100);

fn channel() -> (Channel, Tally) {
    let group = Membership { source: None, group: [239, 1, 1, 1].into(), port: 5000 };
    (Channel::new(group), Tally::default())
}

fn call(at: u64) -> Call {
    Call { at: Nanos(at), done: Nanos(at + 3) }
}

fn data(seq: u64) -> Probe {
    let (kind, due_at) = (Kind::Data, Nanos(0));
    Probe { kind, session: 7, stream: 1, seq, due_at, lateness: None, intact: true }
}

/// How many, the shortest, the longest.
fn told(of: &Distribution) -> (u64, u64, u64) {
    (of.percentiles.count, of.percentiles.min.0, of.percentiles.max.0)
}

/// Joins at `at`; the report follows after 10, the group after 15 at the interface and after 16 at the socket.
fn join(channel: &mut Channel, at: u64) {
    channel.joined(call(at), QUIET);
    channel.reported(Nanos(at + 10), Change::Joined);
    channel.at_interface(Nanos(at + 15));
    channel.at_socket(Nanos(at + 16), None);
}

#[test]
fn a_membership_from_its_call_to_its_last_datagram() {
    let (mut channel, mut tally) = channel();
    join(&mut channel, 1000);
    assert!(!channel.is_waiting());
    assert!(channel.left(call(2000), &mut tally, true, false));
    channel.reported(Nanos(2020), Change::Left);
    channel.at_interface(Nanos(2050));
    assert!(channel.is_loud(Nanos(2149), QUIET) && !channel.is_loud(Nanos(2150), QUIET));
    channel.close_watch(Nanos(2150), QUIET, &mut tally);
    let (join, leave) = (tally.join(0, true), tally.leave());
    assert_eq!(told(&join.to_socket_ns), (1, 16, 16));
    assert_eq!(told(&join.call_ns), (1, 3, 3));
    assert_eq!(told(&join.to_report_ns.unwrap()), (1, 10, 10));
    assert_eq!(told(&join.from_report_ns.unwrap()), (1, 5, 5));
    assert_eq!(told(&leave.to_last_ns), (1, 50, 50));
    assert_eq!(told(&leave.to_report_ns), (1, 20, 20));
    assert_eq!(told(&leave.from_report_ns), (1, 30, 30));
    let seen = channel.row(true).counts.interface.unwrap();
    let expected = InterfaceCounts {
        join_reports: 1,
        leaves: 1,
        leave_reports: 1,
        ended: 1,
        ..InterfaceCounts::default()
    };
    assert_eq!(seen, expected);
}

#[test]
fn a_group_that_comes_before_the_report_shows_no_network() {
    let (mut channel, mut tally) = channel();
    channel.joined(call(1000), QUIET);
    channel.at_interface(Nanos(1005));
    channel.at_socket(Nanos(1005), None);
    channel.reported(Nanos(1010), Change::Joined);
    channel.at_interface(Nanos(1012));
    channel.left(call(2000), &mut tally, true, false);
    channel.at_interface(Nanos(2500));
    channel.close_watch(Nanos(2550), QUIET, &mut tally);
    // It came shortly before, if not since.
    channel.joined(call(2599), QUIET);
    channel.reported(Nanos(2610), Change::Joined);
    channel.at_interface(Nanos(2620));
    channel.at_socket(Nanos(2620), None);
    channel.left(call(3000), &mut tally, true, false);
    channel.close_watch(Nanos(3001), QUIET, &mut tally);
    let join = tally.join(0, true);
    assert_eq!(told(&join.to_socket_ns), (2, 5, 21));
    assert_eq!(told(&join.from_report_ns.unwrap()).0, 0);
    let seen = channel.row(true).counts.interface.unwrap();
    assert_eq!((seen.join_reports, seen.already_flowing), (2, 2));
    assert_eq!((seen.leaves, seen.ended, seen.not_ended), (2, 1, 1), "silent since 2620");
    assert_eq!(tally.leave().to_last_ns.percentiles.p99, None, "it is infinite");
}

#[test]
fn what_does_not_come_is_never_a_delay() {
    let (mut channel, mut tally) = channel();
    channel.joined(call(1000), QUIET);
    channel.reported(Nanos(1010), Change::Joined);
    assert!(channel.is_waiting());
    assert!(!channel.left(call(2000), &mut tally, true, false), "there is nothing to watch");
    channel.joined(call(3000), QUIET);
    channel.reported(Nanos(3010), Change::Joined);
    channel.at_interface(Nanos(3020));
    channel.left(call(4000), &mut tally, true, false);
    let counts = channel.row(true).counts;
    assert_eq!((counts.joins, counts.answered, counts.unanswered), (2, 0, 2));
    let seen = counts.interface.unwrap();
    assert_eq!((seen.kept_back, seen.leaves), (1, 0));
    let join = tally.join(counts.unanswered, true);
    let (socket, network) = (join.to_socket_ns.percentiles, join.from_report_ns.unwrap());
    assert_eq!((socket.count, socket.p50), (0, None));
    assert_eq!((told(&network), network.percentiles.p99), ((1, 10, 10), None));
}

#[test]
fn stamps_of_an_earlier_membership_are_not_of_this_one() {
    let (mut channel, _) = channel();
    join(&mut channel, 1000);
    channel.joined(call(2000), QUIET);
    channel.at_socket(Nanos(1999), None);
    channel.at_interface(Nanos(1999));
    channel.reported(Nanos(1999), Change::Joined);
    channel.reported(Nanos(2001), Change::Left);
    assert!(channel.is_waiting() && channel.reached_at().is_none());
    channel.at_socket(Nanos(2000), None);
    assert_eq!(channel.answered_at(), Some(Nanos(2000)));
    assert_eq!(channel.row(false).counts.interface, None);
}

#[test]
fn sequence_numbers_tell_what_was_missed_and_when() {
    let (mut channel, mut tally) = channel();
    channel.joined(call(1000), QUIET);
    for seq in [100, 101, 104, 103, 105] {
        channel.at_socket(Nanos(1000 + seq), Some(&data(seq)));
    }
    channel.at_socket(Nanos(1200), None);
    channel.left(call(2000), &mut tally, false, false);
    channel.joined(call(3000), QUIET);
    channel.at_socket(Nanos(1999), Some(&data(106)));
    for seq in [200, 201, 201] {
        channel.at_socket(Nanos(3000 + seq), Some(&data(seq)));
    }
    channel.at_socket(Nanos(3300), Some(&Probe { kind: Kind::Progress, ..data(999) }));
    let counts = channel.row(false).counts;
    assert_eq!((counts.received, counts.foreign), (11, 1));
    assert_eq!((counts.missed_joined, counts.missed_away), (1, 93), "102; 107 to 199");
}

#[test]
fn a_zap_has_a_gap_and_an_overlap() {
    let (mut old, mut tally) = channel();
    let (mut new, _) = channel();
    join(&mut old, 1000);
    old.at_socket(Nanos(1990), None);
    old.left(call(2000), &mut tally, true, true);
    join(&mut new, 2010);
    old.at_interface(Nanos(2080));
    old.succeeded(new.reached_at().unwrap());
    old.close_watch(Nanos(2300), QUIET, &mut tally);
    tally.zapped(old.last_at_socket(), new.answered_at());
    // The next one does not come, and the one before does not stop.
    new.at_interface(Nanos(2990));
    new.left(call(3000), &mut tally, true, true);
    new.succeeded(Nanos(3005));
    new.close_watch(Nanos(3050), QUIET, &mut tally);
    tally.zapped(new.last_at_socket(), None);
    let zap = tally.zap(true);
    let overlap = zap.overlap_ns.unwrap();
    assert_eq!((told(&zap.gap_ns), zap.gap_ns.percentiles.p99), ((1, 36, 36), None));
    assert_eq!((told(&overlap), overlap.percentiles.p99), ((1, 55, 55), None));
    assert_eq!(tally.zap(false).overlap_ns, None);
}
