use super::*;
use proptest::prelude::*;

/// A stream with histograms of its own.
struct Followed {
    pattern: LossPattern,
    histograms: LossHistograms,
}

impl Followed {
    fn new(delta: u64) -> Self {
        Self { pattern: LossPattern::new(delta), histograms: LossHistograms::new() }
    }

    fn lost_range(&mut self, first_seq: u64, count: u64, at: Nanos) {
        self.pattern.lost_range(first_seq, count, at, &mut self.histograms);
    }

    /// What is shared by streams, and so told by intervals, is the same.
    fn finish(&mut self) {
        self.pattern.finish(&mut self.histograms);
        let LossHistograms { lost, periods, period_max, .. } = self.histograms;
        assert_eq!((lost, periods), (self.lost(), self.periods()));
        assert_eq!(period_max, self.longest().first().map_or(0, |period| period.len));
        assert_eq!(self.histograms.noticeable_rate(), self.noticeable_rate());
        assert_eq!(self.histograms.mean_period(), self.mean_period());
    }

    fn distances(&self) -> &CoarseHistogram {
        &self.histograms.distances
    }

    fn period_lengths(&self) -> &CoarseHistogram {
        &self.histograms.lengths
    }
}

impl std::ops::Deref for Followed {
    type Target = LossPattern;

    fn deref(&self) -> &LossPattern {
        &self.pattern
    }
}

/// One call for each lost number.
fn follow(lost: &[u64], delta: u64) -> Followed {
    let mut pattern = Followed::new(delta);
    lost.iter().for_each(|&seq| pattern.lost_range(seq, 1, Nanos(seq)));
    pattern.finish();
    pattern
}

/// Values and counts of a histogram.
fn recorded(histogram: &CoarseHistogram) -> Vec<(u64, u32)> {
    histogram.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect()
}

/// V21: of ten, 2, 5, 7, 9 and 10 are lost. Distances 0, 3, 2, 2, 1; inter-loss-period lengths 0, 3, 2, 2.
#[test]
fn rfc_3357_sections_5_4_3_and_6_5() {
    let pattern = follow(&[2, 5, 7, 9, 10], 2);
    assert_eq!(recorded(pattern.distances()), [(1, 1), (2, 2), (3, 1)]);
    assert_eq!(pattern.noticeable_rate(), Some(3.0 / 5.0));
    assert_eq!(pattern.periods(), 4);
    assert_eq!(recorded(pattern.period_lengths()), [(1, 3), (2, 1)]);
    let longest: Vec<_> = pattern.longest().iter().map(|p| (p.first_seq, p.len)).collect();
    assert_eq!(longest, [(9, 2), (2, 1), (5, 1), (7, 1)]);
}

/// V22: r r r x r r x x x r x r r x x x. Inter-loss-period lengths 0, 3, 2, 3.
#[test]
fn rfc_3357_section_4() {
    let mut pattern = Followed::new(99);
    for (first_seq, count) in [(3, 1), (6, 3), (10, 1), (13, 3)] {
        pattern.lost_range(first_seq, count, Nanos(first_seq));
    }
    pattern.finish();
    assert_eq!((pattern.periods(), pattern.mean_period()), (4, Some(2.0)));
    assert_eq!(recorded(pattern.period_lengths()), [(1, 2), (3, 2)]);
    assert_eq!(recorded(pattern.distances()), [(1, 4), (2, 1), (3, 2)]);
    assert_eq!(pattern.noticeable_rate(), Some(7.0 / 8.0));
    assert_eq!(pattern.longest()[0], LossPeriod { first_seq: 6, len: 3, at: Nanos(6) });
}

/// V23.
#[test]
fn rfc_3357_section_6_1() {
    assert_eq!(follow(&[100, 200, 300, 400, 500], 99).noticeable_rate(), Some(0.0));
    assert_eq!(follow(&[100, 175, 275, 290, 400], 99).noticeable_rate(), Some(2.0 / 5.0));
}

#[test]
fn nothing_lost() {
    let mut pattern = Followed::new(99);
    pattern.lost_range(5, 0, Nanos(0));
    pattern.finish();
    assert_eq!((pattern.lost(), pattern.periods()), (0, 0));
    assert_eq!((pattern.mean_period(), pattern.noticeable_rate()), (None, None));
    assert_eq!(pattern.longest(), []);
}

#[test]
fn the_longest_are_kept() {
    let mut pattern = Followed::new(0);
    // Lengths 1 to 40 and 1 to 40 again.
    (0..80).for_each(|n| pattern.lost_range(n * 100, n % 40 + 1, Nanos(n)));
    pattern.finish();
    let longest: Vec<_> = pattern.longest().iter().map(|p| (p.len, p.at.0)).collect();
    let expected: Vec<_> =
        (33..=40).rev().flat_map(|len| [(len, len - 1), (len, len + 39)]).collect();
    assert_eq!(longest, expected);
}

proptest! {
    /// However the lost numbers are cut into ranges, the pattern is that of RFC 3357's definitions.
    #[test]
    fn agrees_with_the_definitions(ranges in prop::collection::vec((0u64..4, 1u64..5), 0..60), delta in 0u64..5) {
        let mut pattern = Followed::new(delta);
        let mut lost: Vec<u64> = Vec::new();
        let mut next = 7;
        for (gap, count) in ranges {
            pattern.lost_range(next + gap, count, Nanos(0));
            lost.extend(next + gap..next + gap + count);
            next += gap + count;
        }
        pattern.finish();
        let distances: Vec<u64> = lost.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let starts = distances.iter().filter(|distance| **distance > 1).count();
        prop_assert_eq!(pattern.lost(), lost.len() as u64);
        prop_assert_eq!(pattern.periods(), starts as u64 + u64::from(!lost.is_empty()));
        prop_assert_eq!(pattern.period_lengths().len(), pattern.periods());
        for distance in 1..9 {
            let count = distances.iter().filter(|other| **other == distance).count();
            prop_assert_eq!(pattern.distances().count_at(distance), count as u32);
        }
        let noticeable = distances.iter().filter(|distance| **distance <= delta).count();
        prop_assert_eq!(pattern.noticeable, noticeable as u64);
    }
}
