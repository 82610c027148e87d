use super::*;
use crate::model::by_stream::{MOST_TOLD, StreamInterval};
use crate::model::sample;
use std::net::IpAddr;

fn name(number: u16) -> StreamName {
    let source = IpAddr::from([192, 0, 2, 1]);
    StreamName { source, group: sample::spec(Role::Recv).groups[0], stream: number }
}

fn counts(received: u64) -> RxCounts {
    RxCounts { received, unique: received, ..RxCounts::default() }
}

/// Adds an interval in which these streams received and lost so much, and all together so much.
fn add(totals: &mut Totals, streams: &[(u16, u64, i64)], received: u64, lost: i64) {
    let mut snapshot = sample::intervals(Role::Recv)[0].clone();
    let receiver = snapshot.receiver.as_mut().unwrap();
    for &(number, received, lost) in streams {
        let name = name(number);
        receiver.by_stream.note(&StreamInterval { name, counts: counts(received), lost });
    }
    receiver.counts = RxCounts { foreign: 7, ..counts(received) };
    receiver.lost = lost;
    snapshot.host.lost_by = LostByInterval { elsewhere: lost, ..Default::default() };
    totals.add(&snapshot);
}

fn started(role: Role) -> Totals {
    let mut totals = Totals::new(&sample::spec(role));
    totals.start(sample::STARTED_AT);
    totals
}

#[test]
fn each_role_has_its_side_from_the_start() {
    for (role, sides) in
        [(Role::Run, (true, true)), (Role::Send, (true, false)), (Role::Recv, (false, true))]
    {
        let totals = started(role);
        assert_eq!((totals.sent.is_some(), totals.heard.is_some()), sides, "{role:?}");
    }
}

#[test]
fn streams_and_others_add_up_to_all() {
    let mut totals = started(Role::Recv);
    add(&mut totals, &[(1, 10, 2), (2, 5, 0)], 18, 3);
    add(&mut totals, &[(1, 1, -1)], 1, -2);
    let heard = totals.heard.unwrap();
    let lost = |found, taken_back| Lost { found, taken_back };
    assert_eq!(
        heard.streams.into_values().collect::<Vec<_>>(),
        [
            StreamTotals { counts: counts(11), lost: lost(2, 1) },
            StreamTotals { counts: counts(5), lost: lost(0, 0) },
        ]
    );
    assert_eq!(heard.other, StreamTotals { counts: counts(3), lost: lost(1, 1) });
    assert_eq!(heard.lost_by.elsewhere, lost(3, 2));
    assert_eq!(heard.foreign, 14);
}

#[test]
fn streams_that_are_too_many_share_a_label() {
    let mut totals = started(Role::Recv);
    let all: Vec<_> = (0..MOST_TOLD as u16).map(|number| (number, 1, 1)).collect();
    add(&mut totals, &all, MOST_TOLD as u64, MOST_TOLD as i64);
    add(&mut totals, &[(0, 1, 0), (5000, 4, 2)], 5, 2);
    let heard = totals.heard.unwrap();
    assert_eq!(heard.streams.len(), MOST_LABELS);
    assert_eq!(heard.streams[&name(0)].counts, counts(2));
    let lost = Lost { found: 2, taken_back: 0 };
    assert_eq!(heard.other, StreamTotals { counts: counts(4), lost });
}

#[test]
fn counters_of_a_host_that_are_too_many_share_a_label() {
    let mut sums = BTreeMap::new();
    let drops = |first: u64| {
        HostDrops((first..first + 100).map(|number| (format!("nic.{number}"), 1)).collect())
    };
    add_drops(&mut sums, &drops(0));
    add_drops(&mut sums, &drops(50));
    assert_eq!((sums.len(), sums["nic.50"], sums["nic.0"]), (MOST_LABELS + 1, 2, 1));
    assert_eq!(sums[super::super::page::OTHER], 50);
}

#[test]
fn all_intervals_of_a_run_add_up() {
    let mut totals = started(Role::Run);
    let intervals = sample::intervals(Role::Run);
    intervals.iter().for_each(|interval| totals.add(interval));
    let sum = |of: fn(&Snapshot) -> u64| intervals.iter().map(of).sum::<u64>();
    let offered = sum(|each| each.sender.as_ref().unwrap().counts.offered);
    let delays = sum(|each| each.receiver.as_ref().unwrap().one_way_delay.count());
    assert!(offered > 0 && delays > 0);
    let (sent, heard) = (totals.sent.unwrap(), totals.heard.unwrap());
    assert_eq!((sent.counts.offered, heard.one_way_delay.count()), (offered, delays));
}

/// The labels of invalid trials are the words of the JSON.
#[test]
fn reasons_are_named_as_in_json() {
    let mut totals = started(Role::Run);
    totals.finish(&sample::lossy());
    let verdict = totals.verdict.unwrap();
    assert!(!verdict.is_valid);
    assert_eq!(verdict.invalid_reasons, ["apparatus_dropped", "stalled"]);
    for reason in [
        InvalidReason::OfferedLoadMissed { intended: 1, offered: 0 },
        InvalidReason::ApparatusDropped { receiver_socket: 1, receiver_host: 0 },
        InvalidReason::Stalled { worker: String::new(), length_ns: Nanos(1) },
        InvalidReason::ClockStepped { by_ns: 1 },
        InvalidReason::WorkerFailed { worker: String::new(), cause: String::new() },
        InvalidReason::NothingHeard,
    ] {
        let json = serde_json::to_value(&reason).unwrap();
        assert_eq!(json["reason"], reason_name(&reason));
    }
}
