//! How a sender hands its datagrams over: in trains, and how far apart.

use super::coarse::{self, CoarseHistogram};
use super::latency;
use crate::units::Nanos;

/// The trains of one sender, or of several; 15 KiB.
#[derive(Clone, Debug)]
pub struct Trains {
    /// Between datagrams, in nanoseconds; those of one train are 0 apart.
    pub gaps: CoarseHistogram,
    /// Datagrams in the longest train.
    pub longest: u64,
}

impl Default for Trains {
    fn default() -> Self {
        Self { gaps: coarse::coarse_histogram(latency::HIGHEST.0), longest: 0 }
    }
}

impl Trains {
    /// So many datagrams were handed over at once, and so long after those before them; `None` if they are the first.
    #[inline]
    pub fn note(&mut self, len: usize, since: Option<Nanos>) {
        let Some(followers) = (len as u64).checked_sub(1) else { return };
        if let Some(since) = since {
            coarse::record(&mut self.gaps, since.0, 1);
        }
        if followers > 0 {
            coarse::record(&mut self.gaps, 0, followers);
        }
        self.longest = self.longest.max(followers + 1);
    }

    /// Adds those of another sender, or of another time.
    pub fn add(&mut self, other: &Self) {
        coarse::add(&mut self.gaps, &other.gaps);
        self.longest = self.longest.max(other.longest);
    }

    /// Forgets them, keeps the memory.
    pub fn clear(&mut self) {
        coarse::clear(&mut self.gaps);
        self.longest = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trains(handed: &[(usize, Option<u64>)]) -> Trains {
        let mut trains = Trains::default();
        handed.iter().for_each(|&(len, since)| trains.note(len, since.map(Nanos)));
        trains
    }

    fn counts<const N: usize>(trains: &Trains, gaps: [u64; N]) -> [u32; N] {
        assert_eq!(trains.gaps.iter_recorded().count(), N);
        gaps.map(|gap| trains.gaps.count_at(gap))
    }

    #[test]
    fn n_datagrams_are_n_less_one_gaps_apart() {
        let mut trains = trains(&[(1, None), (3, Some(50)), (0, Some(10)), (1, Some(200))]);
        assert_eq!(counts(&trains, [0, 50, 200]), [2, 1, 1]);
        assert_eq!(trains.longest, 3);
        trains.clear();
        assert_eq!((trains.gaps.len(), trains.longest), (0, 0));
    }

    #[test]
    fn between_two_senders_there_is_no_gap() {
        let mut sum = trains(&[(1, None), (1, Some(7))]);
        sum.add(&trains(&[(64, None)]));
        assert_eq!(counts(&sum, [0, 7]), [63, 1]);
        assert_eq!(sum.longest, 64);
    }
}
