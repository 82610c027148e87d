use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn track(arrivals: &[u64]) -> (SeqTracker, Vec<Arrival>) {
    let mut tracker = SeqTracker::new(64);
    let what = arrivals.iter().map(|&seq| tracker.observe(seq)).collect();
    (tracker, what)
}

/// Reordered numbers, and the discontinuities as (1-based index of arrival, size).
fn check(name: &str, arrivals: &[u64], reordered: &[u64], discontinuities: &[(usize, u64)]) {
    let (tracker, what) = track(arrivals);
    let pairs = || arrivals.iter().zip(&what);
    let seen_reordered: Vec<u64> = pairs()
        .filter(|(_, what)| matches!(what, Arrival::Reordered { .. }))
        .map(|(&seq, _)| seq)
        .collect();
    let seen_gaps: Vec<(usize, u64)> = what
        .iter()
        .enumerate()
        .filter_map(|(at, what)| match what {
            Arrival::Gap { missing } => Some((at + 1, *missing)),
            _ => None,
        })
        .collect();
    assert_eq!(seen_reordered, reordered, "{name}");
    assert_eq!(seen_gaps, discontinuities, "{name}");
    assert_eq!(tracker.counters().reordered, reordered.len() as u64, "{name}");
}

/// V4 to V7, V10, V13.
#[test]
fn rfc_4737_vectors() {
    check("7.1 table 1", &[1, 2, 3, 5, 6, 7, 8, 4, 9, 10], &[4], &[(4, 1)]);
    check("7.2 table 2", &[1, 2, 3, 4, 7, 5, 6, 8, 9, 10], &[5, 6], &[(5, 2)]);
    check("7.3 table 3", &[1, 2, 3, 7, 8, 9, 10, 4, 5, 6, 11], &[4, 5, 6], &[(4, 3)]);
    check(
        "7.4 table 4",
        &[1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 12, 13, 11, 14, 15, 16],
        &[4, 5, 11],
        &[(4, 2), (11, 1)],
    );
    check("4.3.4", &[1, 10, 5], &[5], &[(2, 8)]);
    check("6, loss alone", &[1, 2, 3, 5, 6, 7, 8, 9, 10], &[], &[(4, 1)]);
}

/// V1: RFC 4737 and 5560 together: loss, reordering and a duplicate in eleven arrivals.
#[test]
fn composite() {
    let arrivals = [10, 11, 13, 12, 14, 16, 17, 15, 15, 18, 20];
    check("composite", &arrivals, &[12, 15], &[(3, 1), (6, 1), (10 + 1, 1)]);
    let (mut tracker, _) = track(&arrivals);
    let counters = tracker.counters();
    assert_eq!((counters.unique, counters.duplicates), (10, 1));
    assert_eq!(tracker.finish(Some(21)), 1);
}

/// V2: RFC 3550 section 6.4.1: a receiver cannot see what was lost after the last datagram it got.
#[test]
fn tail_is_lost_only_when_the_sender_said_how_many() {
    let arrivals: Vec<u64> = (1..=7).collect();
    assert_eq!(track(&arrivals).0.finish(Some(11)), 3);
    assert_eq!(track(&arrivals).0.finish(None), 0);
}

/// V3: RFC 4737 section 3.3; the highest less the first that came and the received would be -2.
#[test]
fn a_late_receiver_loses_nothing_before_the_lowest_number_it_saw() {
    let (mut tracker, what) = track(&[3, 4, 5, 1, 2]);
    assert_eq!(tracker.first(), Some(1));
    assert_eq!(what[3..], [Arrival::Reordered { late_by: 4 }, Arrival::Reordered { late_by: 3 }]);
    assert_eq!(tracker.finish(None), 0);
    let (mut tracker, _) = track(&[500, 501, 503]);
    assert_eq!(tracker.finish(Some(505)), 2);
}

#[test]
fn a_known_begin_makes_the_head_lost() {
    let mut tracker = SeqTracker::new(64);
    tracker.begin_at(0);
    assert_eq!(tracker.observe(3), Arrival::Gap { missing: 3 });
    assert_eq!(tracker.finish(Some(5)), 4);
    // The announcement may also come after the first datagrams.
    let (mut tracker, _) = track(&[3, 4]);
    tracker.begin_at(0);
    assert_eq!(tracker.missing(), 3);
}

#[test]
fn nothing_at_all() {
    assert_eq!(SeqTracker::new(64).finish(None), 0);
    assert_eq!(SeqTracker::new(64).finish(Some(9)), 0, "joined after all was sent");
    let mut tracker = SeqTracker::new(64);
    tracker.begin_at(0);
    assert_eq!(tracker.highest(), None);
    assert_eq!(tracker.finish(Some(9)), 9, "was there, and got nothing");
}

#[test]
fn what_lies_below_the_window_is_too_late() {
    let mut tracker = SeqTracker::new(64);
    (0..100).for_each(|seq| assert_eq!(tracker.observe(seq), Arrival::InOrder));
    assert_eq!(tracker.observe(36), Arrival::Duplicate);
    assert_eq!(tracker.observe(35), Arrival::TooLate);
    assert_eq!(tracker.counters().too_late, 1);
}

#[test]
fn one_hostile_leap_moves_nothing() {
    let mut tracker = SeqTracker::new(64);
    tracker.begin_at(0);
    (0..10).for_each(|seq| assert_eq!(tracker.observe(seq), Arrival::InOrder));
    assert_eq!(tracker.observe(1 << 44), Arrival::Implausible);
    assert_eq!(tracker.observe(1 << 44), Arrival::Implausible, "a copy confirms nothing");
    (10..20).for_each(|seq| assert_eq!(tracker.observe(seq), Arrival::InOrder));
    assert_eq!(tracker.finish(Some(20)), 0);
    assert_eq!(tracker.counters().corrupt, 2);
    assert_eq!(tracker.counters().unique, 20);
}

#[test]
fn a_confirmed_leap_that_the_sender_denies_is_taken_back() {
    let mut tracker = SeqTracker::new(64);
    tracker.begin_at(0);
    (0..10).for_each(|seq| assert_eq!(tracker.observe(seq), Arrival::InOrder));
    tracker.observe(1 << 40);
    assert!(matches!(tracker.observe((1 << 40) + 1), Arrival::Gap { .. }));
    assert_eq!(tracker.observe(10), Arrival::TooLate);
    assert_eq!(tracker.finish(Some(11)), 1);
    let SeqCounters { received, unique, duplicates, too_late, corrupt, .. } = tracker.counters();
    assert_eq!((unique, corrupt), (10, 3), "the straggler cannot be told from the nonsense");
    assert_eq!(received, unique + duplicates + too_late + corrupt);
}

#[test]
fn a_number_beyond_the_end_is_corrupt() {
    let (mut tracker, _) = track(&[0, 1, 2, 30]);
    assert_eq!(tracker.finish(Some(4)), 1);
    assert_eq!((tracker.counters().unique, tracker.counters().corrupt), (3, 1));
}

#[test]
fn an_outage_is_a_gap_once_two_datagrams_agree() {
    let (mut tracker, what) = track(&[0, 1, 1000, 1001, 1003]);
    assert_eq!(what[2], Arrival::Implausible);
    assert_eq!(what[3], Arrival::Gap { missing: 998 });
    assert_eq!(what[4], Arrival::Gap { missing: 1 });
    assert_eq!(tracker.finish(Some(1004)), 999);
    // The last datagram of all came back alone: only the end can confirm it.
    let (mut tracker, _) = track(&[0, 1, 1000]);
    assert_eq!(tracker.finish(Some(1001)), 998);
    assert_eq!(tracker.counters().corrupt, 0);
}

#[test]
fn a_hostile_first_datagram_does_not_silence_the_stream() {
    let mut tracker = SeqTracker::new(64);
    tracker.observe(1 << 44);
    (500..520).for_each(|seq| assert_eq!(tracker.observe(seq), Arrival::InOrder));
    assert_eq!(tracker.finish(Some(520)), 0);
    assert_eq!((tracker.counters().unique, tracker.counters().corrupt), (20, 1));
}

#[test]
fn a_stream_that_was_nonsense_from_its_first_datagram_ends_in_no_time() {
    let (mut tracker, _) = track(&[1 << 44, (1 << 44) + 1]);
    assert_eq!(tracker.finish(Some(10)), 0);
    assert_eq!((tracker.counters().unique, tracker.counters().corrupt), (0, 2));
    // Steps just below the window creep out of what the tracker remembers; the ledger adds up all the same.
    let creeping: Vec<u64> = (0..100).map(|n| n * 60).collect();
    let (mut tracker, _) = track(&creeping);
    let lost = tracker.finish(Some(10));
    assert_eq!(tracker.counters().unique + lost, 10);
}

/// The plain truth about arrivals that never leave the window: sets instead of bits.
#[derive(Default)]
struct Naive {
    seen: BTreeSet<u64>,
    counters: SeqCounters,
}

impl Naive {
    fn observe(&mut self, seq: u64) -> Arrival {
        self.counters.received += 1;
        let highest = self.seen.last().copied();
        if !self.seen.insert(seq) {
            self.counters.duplicates += 1;
            return Arrival::Duplicate;
        }
        self.counters.unique += 1;
        match highest {
            Some(highest) if seq < highest => {
                self.counters.reordered += 1;
                Arrival::Reordered { late_by: highest - seq }
            }
            Some(highest) if seq > highest + 1 => Arrival::Gap { missing: seq - highest - 1 },
            _ => Arrival::InOrder,
        }
    }

    fn lost(&self, sent: u64) -> u64 {
        (self.seen.first().copied().unwrap_or(sent)..sent)
            .filter(|seq| !self.seen.contains(seq))
            .count() as u64
    }
}

/// Numbers that wander upwards by small steps, forward and back, as a bad network would shuffle them.
fn wandering() -> impl Strategy<Value = Vec<u64>> {
    (0u64..1000, prop::collection::vec(-12i64..16, 1..600)).prop_map(|(mut at, steps)| {
        let mut highest = at;
        steps
            .into_iter()
            .map(|step| {
                at = at.saturating_add_signed(step).max(highest.saturating_sub(63));
                highest = highest.max(at);
                at
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn agrees_with_the_naive_model(arrivals in wandering(), tail in 0u64..50) {
        let mut tracker = SeqTracker::new(64);
        let mut naive = Naive::default();
        for &seq in &arrivals {
            prop_assert_eq!(tracker.observe(seq), naive.observe(seq));
        }
        prop_assert_eq!(tracker.counters(), naive.counters);
        let sent = naive.seen.last().unwrap() + 1 + tail;
        prop_assert_eq!(tracker.missing(), naive.lost(sent - tail));
        prop_assert_eq!(tracker.finish(Some(sent)), naive.lost(sent));
    }

    /// Whatever comes, the ledger adds up and nothing panics.
    #[test]
    fn always_adds_up(
        arrivals in prop::collection::vec(prop_oneof![0u64..300, 0u64..1 << 45], 0..300),
        begin in prop::option::of(0u64..10), sent in prop::option::of(0u64..1 << 45),
    ) {
        let mut tracker = SeqTracker::new(64);
        if let Some(begin) = begin {
            tracker.begin_at(begin);
        }
        for &seq in &arrivals {
            tracker.observe(seq);
        }
        let lost = tracker.finish(sent);
        let SeqCounters { received, unique, duplicates, reordered, too_late, corrupt } =
            tracker.counters();
        prop_assert_eq!(received, arrivals.len() as u64);
        prop_assert_eq!(received, unique + duplicates + too_late + corrupt);
        prop_assert!(reordered <= unique);
        if let (Some(sent), Some(first)) = (sent, tracker.first())
            && first <= sent
        {
            prop_assert_eq!(sent - first, unique + lost);
        }
    }
}

#[test]
fn a_short_memory_still_tells_what_is_in_it() {
    let mut tracker = SeqTracker::new(1 << 10);
    for seq in (0..500).filter(|seq| ![10, 480].contains(seq)) {
        tracker.observe(seq);
    }
    tracker.forget();
    assert_eq!(tracker.observe(499), Arrival::Duplicate);
    assert_eq!(tracker.observe(480), Arrival::Reordered { late_by: 19 });
    assert_eq!(tracker.observe(10), Arrival::TooLate);
    assert_eq!(tracker.observe(11), Arrival::TooLate);
    assert_eq!(tracker.finish(Some(502)), 3, "10, 500 and 501 are lost");
    let counters = tracker.counters();
    assert_eq!((counters.unique, counters.duplicates, counters.too_late), (499, 1, 2));
}
