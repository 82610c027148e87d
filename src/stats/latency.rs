//! Delays in HDR histograms whose bounds are the same everywhere, so that all of them merge exactly.

use crate::units::Nanos;
use hdrhistogram::Histogram;

/// The longest delay that keeps its value; what is longer is counted as [`Latency::clamped`].
pub const HIGHEST: Nanos = Nanos(60_000_000_000);

/// Significant decimal digits of every histogram here.
pub const DIGITS: u8 = 3;

/// An empty histogram of the bounds that this program uses everywhere: 1 ns to 60 s, three digits.
///
/// 27,648 counters of eight bytes, 216 KiB.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST.0, DIGITS).expect("constant bounds are valid")
}

/// Delays of many datagrams: the histogram, and what a histogram cannot hold.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Delays from 0 to [`HIGHEST`], in nanoseconds.
    pub histogram: Histogram<u64>,
    /// Received before they were due: the two clocks disagree. Not in the histogram.
    pub negative: u64,
    /// The most negative delay, as a positive number of nanoseconds.
    pub negative_max: Nanos,
    /// Longer than [`HIGHEST`]; in the histogram as [`HIGHEST`].
    pub clamped: u64,
    /// The shortest delay, exact; `None` when there is none.
    pub min: Option<Nanos>,
    /// The longest delay, exact (also when it was clamped in the histogram).
    pub max: Nanos,
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// No delays yet. Allocates all that recording will ever need.
    pub fn new() -> Self {
        Self {
            histogram: histogram(),
            negative: 0,
            negative_max: Nanos(0),
            clamped: 0,
            min: None,
            max: Nanos(0),
        }
    }

    /// Records the time from `due_at` to `received_at`, both on the same clock. Never fails.
    pub fn record(&mut self, due_at: Nanos, received_at: Nanos) {
        let Some(delay) = received_at.0.checked_sub(due_at.0) else {
            self.negative += 1;
            self.negative_max = self.negative_max.max(due_at - received_at);
            return;
        };
        let delay = Nanos(delay);
        self.clamped += u64::from(delay > HIGHEST);
        self.min = Some(self.min.map_or(delay, |min| min.min(delay)));
        self.max = self.max.max(delay);
        self.histogram.saturating_record(delay.0);
    }

    /// How many delays are in the histogram.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Adds all of `other`, exactly: the bounds are the same.
    pub fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("the bounds are the same everywhere");
        self.negative += other.negative;
        self.negative_max = self.negative_max.max(other.negative_max);
        self.clamped += other.clamped;
        self.min = match (self.min, other.min) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.max = self.max.max(other.max);
    }

    /// Forgets all delays, keeps the memory.
    pub fn clear(&mut self) {
        self.histogram.reset();
        self.negative = 0;
        self.negative_max = Nanos(0);
        self.clamped = 0;
        self.min = None;
        self.max = Nanos(0);
    }

    /// The delay that `percent` per cent of the datagrams did not exceed: the highest value that the
    /// histogram cannot tell from it, as all HDR tools print it, but never above the exact maximum.
    pub fn percentile(&self, percent: f64) -> Nanos {
        Nanos(self.histogram.value_at_quantile(percent / 100.0)).min(self.max)
    }
}
