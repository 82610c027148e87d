//! Whether losses come one by one or in bursts (RFC 3357).
//!
//! A loss period is a maximal series of consecutive lost numbers; a loss distance is how far apart in sequence
//! numbers one lost datagram is from the lost one before it.

use super::coarse::{self, CoarseHistogram};
use super::ratio::ratio;
use crate::units::Nanos;

/// How many of the longest loss periods are kept.
pub const LONGEST: usize = 16;

/// Longest period and distance that keep their value in the histograms.
pub const HIGHEST: u64 = 1 << 32;

/// A maximal series of consecutive lost numbers (RFC 3357 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossPeriod {
    /// Its first lost number.
    pub first_seq: u64,
    /// How many are lost.
    pub len: u64,
    /// When it was noticed.
    pub at: Nanos,
}

/// Follows the lost numbers of one stream.
#[derive(Debug)]
pub struct LossPattern {
    /// Loss distance up to which a loss is noticeable, RFC 3357's delta.
    delta: u64,
    lost: u64,
    noticeable: u64,
    periods: u64,
    /// The last period, which the next loss may prolong.
    open: Option<LossPeriod>,
    /// Longest first, earlier ones before later ones of the same length.
    longest: Vec<LossPeriod>,
}

/// Counts and histograms of losses. They are apart from [`LossPattern`] so that many streams can share them, and so
/// that they can be had by intervals.
#[derive(Clone, Debug)]
pub struct LossHistograms {
    /// Lost datagrams.
    pub lost: u64,
    /// Those of them that are at most delta away from the loss before.
    pub noticeable: u64,
    /// Loss periods.
    pub periods: u64,
    /// Length of the longest that is complete.
    pub period_max: u64,
    /// Loss distances (RFC 3357 section 5.4.1), without the first loss, which has none. Those above 1 are the
    /// inter-loss-period lengths (section 6.4).
    pub distances: CoarseHistogram,
    /// Lengths of the loss periods that are complete (RFC 3357 section 6.3).
    pub lengths: CoarseHistogram,
}

impl Default for LossHistograms {
    fn default() -> Self {
        Self::new()
    }
}

impl LossHistograms {
    /// Empty ones, 26 KiB.
    pub fn new() -> Self {
        Self {
            lost: 0,
            noticeable: 0,
            periods: 0,
            period_max: 0,
            distances: coarse::coarse_histogram(HIGHEST),
            lengths: coarse::coarse_histogram(HIGHEST),
        }
    }

    /// Mean length of the loss periods; `None` when there is none.
    pub fn mean_period(&self) -> Option<f64> {
        ratio(self.lost, self.periods)
    }

    /// Noticeable of lost (RFC 3357 section 6.1); `None` when nothing is lost.
    pub fn noticeable_rate(&self) -> Option<f64> {
        ratio(self.noticeable, self.lost)
    }

    /// Adds those of another receiver, or of another time.
    pub fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.noticeable += other.noticeable;
        self.periods += other.periods;
        self.period_max = self.period_max.max(other.period_max);
        coarse::add(&mut self.distances, &other.distances);
        coarse::add(&mut self.lengths, &other.lengths);
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        (self.lost, self.noticeable, self.periods, self.period_max) = (0, 0, 0, 0);
        coarse::clear(&mut self.distances);
        coarse::clear(&mut self.lengths);
    }
}

impl LossPattern {
    /// Losses at most `delta` numbers apart are noticeable.
    pub fn new(delta: u64) -> Self {
        Self { delta, lost: 0, noticeable: 0, periods: 0, open: None, longest: Vec::new() }
    }

    /// `count` numbers from `first_seq` on are lost, as was noticed `at` this time. Ranges come in ascending
    /// order; those that touch are one loss period. One call costs the same whatever the count.
    pub fn lost_range(
        &mut self,
        first_seq: u64,
        count: u64,
        at: Nanos,
        histograms: &mut LossHistograms,
    ) {
        if count == 0 {
            return;
        }
        self.lost += count;
        histograms.lost += count;
        // Within the range, each is one away from the one before.
        self.record_distances(1, count - 1, histograms);
        if let Some(open) = &mut self.open {
            let end = open.first_seq + open.len;
            let distance = first_seq.saturating_sub(end) + 1;
            open.len += if distance == 1 { count } else { 0 };
            self.record_distances(distance, 1, histograms);
            if distance == 1 {
                return;
            }
        }
        self.finish(histograms);
        self.periods += 1;
        histograms.periods += 1;
        self.open = Some(LossPeriod { first_seq, len: count, at });
    }

    /// No more losses: the last period is complete.
    pub fn finish(&mut self, histograms: &mut LossHistograms) {
        let Some(period) = self.open.take() else { return };
        coarse::record(&mut histograms.lengths, period.len, 1);
        histograms.period_max = histograms.period_max.max(period.len);
        let at = self.longest.partition_point(|other| other.len >= period.len);
        self.longest.insert(at, period);
        self.longest.truncate(LONGEST);
    }

    /// Lost datagrams.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Loss periods, RFC 3357's period total (section 6.2).
    pub fn periods(&self) -> u64 {
        self.periods
    }

    /// Mean length of the loss periods; `None` when there is none.
    pub fn mean_period(&self) -> Option<f64> {
        ratio(self.lost, self.periods)
    }

    /// Losses that are at most delta away from the loss before, of all losses (RFC 3357 section 6.1); `None` when
    /// nothing is lost. The first loss has nothing before it and is not noticeable.
    pub fn noticeable_rate(&self) -> Option<f64> {
        ratio(self.noticeable, self.lost)
    }

    /// The longest complete loss periods, longest first, at most [`LONGEST`].
    pub fn longest(&self) -> &[LossPeriod] {
        &self.longest
    }

    fn record_distances(&mut self, distance: u64, count: u64, histograms: &mut LossHistograms) {
        if count > 0 {
            coarse::record(&mut histograms.distances, distance, count);
            let noticeable = if distance <= self.delta { count } else { 0 };
            self.noticeable += noticeable;
            histograms.noticeable += noticeable;
        }
    }
}

#[cfg(test)]
mod tests;
