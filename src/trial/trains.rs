//! How a sender hands its datagrams over: in trains, and how far apart.

use crate::model::metrics::Buckets;
use crate::stats::coarse::{self, CoarseHistogram, coarse_histogram};
use crate::stats::latency;
use crate::units::Nanos;
use crate::wire::announcement::GapSummary;

/// The trains of one sender, or of several; 15 KiB.
#[derive(Clone, Debug)]
pub(super) struct Trains {
    gaps: CoarseHistogram,
    longest: u64,
    last: Option<Nanos>,
}

impl Default for Trains {
    fn default() -> Self {
        Self { gaps: coarse_histogram(latency::HIGHEST.0), longest: 0, last: None }
    }
}

impl Trains {
    /// So many datagrams were handed over at once.
    #[inline]
    pub(super) fn note(&mut self, len: usize, now: Nanos) {
        let Some(followers) = (len as u64).checked_sub(1) else { return };
        if let Some(last) = self.last.replace(now) {
            coarse::record(&mut self.gaps, now.saturating_sub(last).0, 1);
        }
        if followers > 0 {
            coarse::record(&mut self.gaps, 0, followers);
        }
        self.longest = self.longest.max(followers + 1);
    }

    /// Adds those of another sender.
    pub(super) fn add(&mut self, other: &Self) {
        self.gaps.add(&other.gaps).expect("the bounds are the same everywhere");
        self.longest = self.longest.max(other.longest);
    }

    /// Between datagrams, in nanoseconds; those of one train are 0 apart.
    pub(super) fn gaps(&self) -> Buckets {
        Buckets::of(&self.gaps)
    }

    /// The same in four numbers; `None` before the second datagram.
    pub(super) fn gap_summary(&self) -> Option<GapSummary> {
        let at = |quantile| Nanos(self.gaps.value_at_quantile(quantile));
        (!self.gaps.is_empty()).then(|| GapSummary {
            min: Nanos(self.gaps.min()),
            p50: at(0.5),
            p99: at(0.99),
            max: Nanos(self.gaps.max()),
        })
    }

    /// Datagrams in the longest train.
    pub(super) fn longest(&self) -> u64 {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trains(handed: &[(usize, u64)]) -> Trains {
        let mut trains = Trains::default();
        handed.iter().for_each(|&(len, now)| trains.note(len, Nanos(now)));
        trains
    }

    #[test]
    fn n_datagrams_are_n_less_one_gaps_apart() {
        let trains = trains(&[(1, 100), (3, 150), (0, 160), (1, 350)]);
        assert_eq!(trains.gaps().buckets, [(0, 2), (50, 1), (200, 1)]);
        assert_eq!(trains.longest(), 3);
        let [min, p50, p99, max] = [0, 0, 200, 200].map(Nanos);
        assert_eq!(trains.gap_summary(), Some(GapSummary { min, p50, p99, max }));
    }

    #[test]
    fn between_two_senders_there_is_no_gap() {
        let mut sum = trains(&[(1, 0), (1, 7)]);
        sum.add(&trains(&[(64, 1_000)]));
        assert_eq!(sum.gaps().buckets, [(0, 63), (7, 1)]);
        assert_eq!((sum.gaps().max, sum.longest()), (Some(7), 64));
        assert_eq!(Trains::default().gaps(), Buckets::default());
        assert_eq!(Trains::default().gap_summary(), None);
    }
}
