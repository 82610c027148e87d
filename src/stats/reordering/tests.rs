use super::*;
use crate::stats::seq::SeqTracker;
use proptest::prelude::*;

/// What each reordered arrival was, by its number.
type Found = Vec<(u64, Reordered)>;

/// A stream with histograms of its own.
struct Followed {
    reordering: Reordering,
    histograms: OrderHistograms,
}

impl Followed {
    fn new(discontinuities: usize) -> Self {
        let reordering = Reordering::new(discontinuities);
        Self { reordering, histograms: OrderHistograms::new() }
    }

    fn observe(&mut self, seq: u64, arrival: Arrival, at: Nanos, len: u32) -> Option<Reordered> {
        self.reordering.observe(seq, arrival, at, len, &mut self.histograms)
    }

    /// What is shared by streams, and so told by intervals, is the same.
    fn counters(&self) -> ReorderingCounters {
        let ReorderingCounters { arrivals, open_run, .. } = self.reordering.counters();
        let shared = ReorderingCounters { open_run, ..self.histograms.counters_of(arrivals) };
        assert_eq!(shared, self.reordering.counters());
        shared
    }

    fn extents(&self) -> &CoarseHistogram {
        &self.histograms.extents
    }

    fn gaps(&self) -> &CoarseHistogram {
        &self.histograms.gaps
    }
}

/// Arrivals of 100 bytes at these milliseconds, as a receiver would feed them.
fn follow_timed(arrivals: &[(u64, u64)]) -> (Followed, Found) {
    let mut tracker = SeqTracker::new(1024);
    let mut reordering = Followed::new(64);
    let mut found = Vec::new();
    for &(seq, at_ms) in arrivals {
        let arrival = tracker.observe(seq);
        let received_at = Nanos(at_ms * 1_000_000);
        let reordered = reordering.observe(seq, arrival, received_at, 100);
        found.extend(reordered.map(|reordered| (seq, reordered)));
    }
    (reordering, found)
}

/// The same where the times do not matter: a millisecond apart.
fn follow(arrivals: &[u64]) -> (Followed, Found) {
    let timed: Vec<_> = arrivals.iter().zip(0..).map(|(&seq, at_ms)| (seq, at_ms)).collect();
    follow_timed(&timed)
}

/// Extent, lateness in ms, byte offset and n.
fn reordered(extent: u64, late_ms: u64, bytes: u64, n: u64) -> Reordered {
    Reordered {
        extent: Some(extent),
        late: Some(Nanos(late_ms * 1_000_000)),
        byte_offset: Some(bytes),
        n,
    }
}

/// x, a, p, q and the open run.
fn runs(counters: ReorderingCounters) -> (u64, u64, u64, u128, u64) {
    let ReorderingCounters { reordered, arrivals, run_squares, open_run, .. } = counters;
    (reordered, counters.in_order(), arrivals, run_squares, open_run)
}

fn near(value: Option<f64>, expected: f64) {
    assert!((value.unwrap() - expected).abs() < 5e-6, "{value:?}, not {expected}");
}

/// V4.
#[test]
fn rfc_4737_section_7_1() {
    let at = [68, 88, 108, 148, 168, 188, 208, 210, 228, 248];
    let arrivals: Vec<_> = [1, 2, 3, 5, 6, 7, 8, 4, 9, 10].into_iter().zip(at).collect();
    let (reordering, found) = follow_timed(&arrivals);
    assert_eq!(found, [(4, reordered(4, 62, 400, 4))]);
    let counters = reordering.counters();
    near(counters.ratio(), 0.1);
    // Appendix A's code would say 11.11 % and 14.29 %.
    near(counters.degree_1(), 0.1);
    near(counters.degree_3(), 0.1);
    assert_eq!((counters.discontinuities, counters.discontinuity_size), (1, 1));
    assert_eq!(runs(counters), (1, 9, 10, 49, 2));
}

/// V5.
#[test]
fn rfc_4737_section_7_2() {
    let at = [68, 88, 108, 128, 188, 189, 190, 208, 228, 248];
    let arrivals: Vec<_> = [1, 2, 3, 4, 7, 5, 6, 8, 9, 10].into_iter().zip(at).collect();
    let (reordering, found) = follow_timed(&arrivals);
    assert_eq!(found, [(5, reordered(1, 1, 100, 1)), (6, reordered(2, 2, 100, 0))]);
    let counters = reordering.counters();
    near(counters.ratio(), 0.2);
    assert_eq!(counters.reordering_discontinuities, 1);
    assert_eq!(runs(counters), (2, 8, 10, 25, 3));
}

/// V6.
#[test]
fn rfc_4737_section_7_3() {
    let at = [68, 88, 108, 188, 208, 228, 248, 250, 252, 256, 268];
    let arrivals: Vec<_> = [1, 2, 3, 7, 8, 9, 10, 4, 5, 6, 11].into_iter().zip(at).collect();
    let (reordering, found) = follow_timed(&arrivals);
    assert_eq!(
        found,
        [
            (4, reordered(4, 62, 400, 4)),
            (5, reordered(5, 64, 400, 0)),
            (6, reordered(6, 68, 400, 0))
        ]
    );
    let bins = [3, 4, 5, 6, 7].map(|extent| reordering.extents().count_at(extent));
    assert_eq!(bins, [0, 1, 1, 1, 0]);
    near(reordering.counters().ratio(), 3.0 / 11.0);
    assert_eq!(reordering.counters().late_max, Nanos(68_000_000));
}

/// V7.
#[test]
fn rfc_4737_section_7_4() {
    let (reordering, found) = follow(&[1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 12, 13, 11, 14, 15, 16]);
    let extents: Vec<_> = found.iter().map(|(seq, what)| (*seq, what.extent)).collect();
    assert_eq!(extents, [(4, Some(2)), (5, Some(3)), (11, Some(2))]);
    let counters = reordering.counters();
    assert_eq!(counters.reordering_discontinuities, 2);
    assert_eq!((reordering.gaps().len(), reordering.gaps().max()), (1, 7));
    assert_eq!(runs(counters), (3, 13, 16, 50, 3));
    near(counters.run_mean(), 13.0 / 3.0);
    near(counters.run_variation(), 0.88757);
    near(counters.ratio(), 3.0 / 16.0);
    // Degree 2 is 1/8 too; of degree 3 there is nothing.
    near(counters.degree_1(), 0.125);
    assert_eq!(found.iter().filter(|(_, what)| what.n >= 2).count(), 2);
    near(counters.degree_3(), 0.0);
}

/// V9: runs of these lengths, each ended by a reordered arrival.
#[test]
fn rfc_4737_section_4_6_4() {
    let run_lengths = |lengths: [u64; 3]| {
        let mut reordering = Followed::new(8);
        let mut seq = 100;
        for (late, len) in lengths.into_iter().enumerate() {
            for _ in 0..len {
                reordering.observe(seq, Arrival::InOrder, Nanos(0), 1);
                seq += 1;
            }
            let late_by = seq - 1 - late as u64;
            reordering.observe(late as u64, Arrival::Reordered { late_by }, Nanos(0), 1);
        }
        reordering.counters()
    };
    let equal = run_lengths([11, 11, 11]);
    assert_eq!(runs(equal), (3, 33, 36, 363, 0));
    near(equal.run_variation(), 1.0);
    let clustered = run_lengths([1, 1, 31]);
    assert_eq!(runs(clustered), (3, 33, 36, 963, 0));
    near(clustered.run_variation(), 963.0 / 33.0 / 11.0);
}

/// V10.
#[test]
fn rfc_4737_section_4_3_4() {
    let (reordering, found) = follow(&[1, 10, 5]);
    assert_eq!(found, [(5, reordered(1, 1, 100, 1))]);
    let counters = reordering.counters();
    assert_eq!((counters.discontinuities, counters.discontinuity_size), (1, 8));
    near(counters.ratio(), 1.0 / 3.0);
}

/// V13.
#[test]
fn rfc_4737_section_6_loss_alone_reorders_nothing() {
    let (reordering, found) = follow(&[1, 2, 3, 5, 6, 7, 8, 9, 10]);
    assert_eq!(found, []);
    let counters = reordering.counters();
    assert_eq!((counters.reordered, counters.reordering_discontinuities), (0, 0));
    assert_eq!((counters.discontinuities, counters.discontinuity_size), (1, 1));
    assert_eq!(counters.run_mean(), None);
}

/// V1: loss, reordering and a duplicate, which changes nothing.
#[test]
fn composite() {
    let (reordering, found) = follow(&[10, 11, 13, 12, 14, 16, 17, 15, 15, 18, 20]);
    assert_eq!(found, [(12, reordered(1, 1, 100, 1)), (15, reordered(2, 2, 200, 2))]);
    let counters = reordering.counters();
    near(counters.ratio(), 0.2);
    assert_eq!((counters.discontinuities, counters.discontinuity_size), (3, 3));
    assert_eq!(counters.reordering_discontinuities, 2);
    assert_eq!((reordering.gaps().len(), reordering.gaps().max()), (1, 3));
    assert_eq!(runs(counters), (2, 8, 10, 18, 2));
}

/// V3: what comes before the first arrival was overtaken by it.
#[test]
fn late_start() {
    let (_, found) = follow(&[3, 4, 5, 1, 2]);
    assert_eq!(found, [(1, reordered(3, 3, 300, 3)), (2, reordered(4, 4, 300, 0))]);
}

#[test]
fn what_is_forgotten_is_unknown() {
    // Every second number is lost, so every arrival is a discontinuity; 64 are remembered.
    let arrivals: Vec<u64> = (0..100).map(|n| n * 2).chain([71, 69]).collect();
    let (reordering, found) = follow(&arrivals);
    assert_eq!(found[0], (71, reordered(64, 64, 6400, 64)));
    assert_eq!((found[1].1.extent, found[1].1.byte_offset), (None, None));
    let counters = reordering.counters();
    assert_eq!((counters.extent_unknown, counters.byte_offset_unknown), (1, 1));
    assert_eq!((counters.extent_max, counters.n3_reordered), (64, 2));
}

#[test]
fn a_block_that_comes_late_is_one_run() {
    // 2000 overtake 1000: far more than there are runs to remember, were each its own.
    let arrivals: Vec<u64> = (0..10).chain(510..1000).chain(10..510).collect();
    let (reordering, found) = follow(&arrivals);
    assert_eq!(found.len(), 500);
    assert!(found.iter().all(|(_, what)| what.byte_offset == Some(49_000)));
    assert_eq!(reordering.reordering.runs.len(), 4);
}

#[test]
fn a_first_datagram_that_was_nonsense_overtakes_nobody() {
    let mut arrivals = vec![1 << 44];
    arrivals.extend((500..520).chain([521, 520, 498]));
    let (_, found) = follow(&arrivals);
    assert_eq!(found[0], (520, reordered(1, 1, 100, 1)));
    assert_eq!(found[1].1.n, 23, "the nonsense counts as an arrival");
}

/// RFC 4737 as it is written: over all arrivals before.
fn by_definition(arrivals: &[(u64, u64, u32)]) -> Found {
    let mut next_expected = 0;
    let mut found = Vec::new();
    for (i, &(seq, at_ms, _)) in arrivals.iter().enumerate() {
        if seq >= next_expected {
            next_expected = seq + 1;
            continue;
        }
        let before = &arrivals[..i];
        let j = before.iter().position(|&(other, ..)| other > seq).unwrap();
        let higher = before.iter().filter(|(other, ..)| *other > seq);
        let bytes = higher.map(|&(.., len)| u64::from(len)).sum();
        let n = before.iter().rev().take_while(|(other, ..)| *other > seq).count() as u64;
        found.push((seq, reordered((i - j) as u64, at_ms - arrivals[j].1, bytes, n)));
    }
    found
}

/// First copies in an order that a bad network may make: each is delayed by a while or lost.
fn shuffled() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec((0u64..12, 0u8..10), 1..400).prop_map(|fates| {
        let kept = fates.into_iter().zip(50u64..).filter(|((_, fate), _)| *fate > 0);
        let mut order: Vec<_> = kept.map(|((delay, _), seq)| (seq + delay, seq)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, seq)| seq).collect()
    })
}

proptest! {
    #[test]
    fn agrees_with_the_definitions(arrivals in shuffled()) {
        let arrivals: Vec<_> =
            arrivals.into_iter().zip(0..).map(|(seq, at)| (seq, at, (at % 7) as u32)).collect();
        let mut tracker = SeqTracker::new(1024);
        let mut reordering = Followed::new(1024);
        let mut found = Vec::new();
        for &(seq, at_ms, len) in &arrivals {
            let arrival = tracker.observe(seq);
            let reordered = reordering.observe(seq, arrival, Nanos(at_ms * 1_000_000), len);
            found.extend(reordered.map(|reordered| (seq, reordered)));
        }
        let mut expected = by_definition(&arrivals);
        // Byte offsets that reach beyond the runs remembered are unknown, never wrong.
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&mut expected) {
            if found.1.byte_offset.is_none() {
                expected.1.byte_offset = None;
            }
        }
        prop_assert_eq!(&found, &expected);
        let counters = reordering.counters();
        prop_assert_eq!(counters.reordered, expected.len() as u64);
        let extent_max = expected.iter().filter_map(|(_, what)| what.extent).max();
        prop_assert_eq!(counters.extent_max, extent_max.unwrap_or(0));
    }

    /// Whatever the tracker says and whatever is forgotten, nothing panics.
    #[test]
    fn survives_anything(
        arrivals in prop::collection::vec(prop_oneof![0u64..300, 0u64..1 << 45, Just(u64::MAX - 1)], 0..300),
        begin in prop::option::of(0u64..10),
    ) {
        let mut tracker = SeqTracker::new(64);
        let mut reordering = Followed::new(3);
        if let Some(begin) = begin {
            tracker.begin_at(begin);
        }
        for (seq, at) in arrivals.into_iter().zip(0..) {
            let arrival = tracker.observe(seq);
            reordering.observe(seq, arrival, Nanos(at), 1);
        }
        let counters = reordering.counters();
        prop_assert!(counters.reordered <= counters.arrivals);
        prop_assert!(counters.open_run <= counters.arrivals);
    }
}
