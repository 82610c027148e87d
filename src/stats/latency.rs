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
    #[inline]
    pub fn record(&mut self, due_at: Nanos, received_at: Nanos) {
        self.record_many(due_at, received_at, 1);
    }

    /// Records the same delay `count` times.
    #[inline]
    pub fn record_many(&mut self, due_at: Nanos, received_at: Nanos, count: u64) {
        let delay = Nanos(received_at.0.wrapping_sub(due_at.0));
        if received_at < due_at || delay > HIGHEST {
            return self.record_odd(due_at, received_at, count);
        }
        self.note_extremes(delay);
        self.histogram.saturating_record_n(delay.0, count);
    }

    /// Records what the histogram cannot hold.
    #[cold]
    fn record_odd(&mut self, due_at: Nanos, received_at: Nanos, count: u64) {
        if received_at < due_at {
            self.negative += count;
            self.negative_max = self.negative_max.max(due_at - received_at);
            return;
        }
        self.clamped += count;
        self.note_extremes(received_at - due_at);
        self.histogram.saturating_record_n(HIGHEST.0, count);
    }

    #[inline]
    fn note_extremes(&mut self, delay: Nanos) {
        if self.min.is_none_or(|min| delay < min) {
            self.min = Some(delay);
        }
        if delay > self.max {
            self.max = delay;
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::percentile::Percentile::Finite;
    use hdrhistogram::Histogram;

    fn recorded(delays: &[i64]) -> Latency {
        let mut latency = Latency::new();
        for &delay in delays {
            latency.record(Nanos(1 << 40), Nanos((1u64 << 40).saturating_add_signed(delay)));
        }
        latency
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let latency = recorded(&[-5, -7, 0, 10, 61_000_000_000]);
        assert_eq!((latency.negative, latency.negative_max), (2, Nanos(7)));
        assert_eq!((latency.count(), latency.clamped), (3, 1));
        assert_eq!((latency.min, latency.max), (Some(Nanos(0)), Nanos(61_000_000_000)));
    }

    /// Standards vector V68: percentiles of 1 to 10,000, three digits.
    #[test]
    fn percentiles_are_those_of_every_hdr_tool() {
        let latency = recorded(&(1..=10_000).collect::<Vec<_>>());
        let of = |percent| latency.percentile_with_losses(percent, 0);
        let percentiles = [50_000, 90_000, 99_000, 99_900, 99_990].map(of);
        let expected = [5003, 9007, 9903, 9991, 9999].map(|delay| Some(Finite(Nanos(delay))));
        assert_eq!(percentiles, expected);
        assert_eq!(of(100_000), Some(Finite(Nanos(10_000))), "never above the exact maximum");
    }

    /// Standards vectors V66 and V67: what a tool that waits for its replies would have to add.
    #[test]
    fn coordinated_omission_is_corrected_as_elsewhere() {
        let mut hdr = Histogram::<u64>::new_with_bounds(1, 100_000_000, 3).unwrap();
        (0..10_000).for_each(|_| hdr.record_correct(1000, 10_000).unwrap());
        hdr.record_correct(100_000_000, 10_000).unwrap();
        assert_eq!(hdr.len(), 20_000);
        let percentiles = [0.5, 0.75, 0.99].map(|q| hdr.value_at_quantile(q));
        assert_eq!(percentiles, [1000, 50_003_967, 98_041_855]);
        assert_eq!((hdr.max(), hdr.quantile_below(1000)), (100_007_935, 0.5));

        for (delay, interval, expected) in [
            (100, 10, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100][..]),
            (100_000, 25_000, &[25_000, 50_000, 75_000, 100_000]),
            (7, 7, &[7]),
        ] {
            let mut hdr = Histogram::<u64>::new_with_bounds(1, 100_000_000, 3).unwrap();
            hdr.record_correct(delay, interval).unwrap();
            let values = hdr.iter_recorded().map(|step| (step.value_iterated_to(), 1));
            let expected = expected.iter().map(|value| (hdr.highest_equivalent(*value), 1));
            assert!(values.eq(expected), "{delay} every {interval}");
            assert!(hdr.iter_recorded().all(|step| step.count_at_value() == 1));
        }
    }

    #[test]
    fn sums_are_exact_and_clearing_forgets() {
        let mut sum = recorded(&[-1, 5]);
        sum.add(&recorded(&[3, 70_000_000_000]));
        assert_eq!((sum.count(), sum.negative, sum.clamped), (3, 1, 1));
        assert_eq!((sum.min, sum.max), (Some(Nanos(3)), Nanos(70_000_000_000)));
        sum.clear();
        assert_eq!((sum.count(), sum.negative, sum.clamped, sum.min), (0, 0, 0, None));
    }
}
