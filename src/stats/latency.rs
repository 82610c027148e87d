//! Delays in HDR histograms whose bounds are the same everywhere, so that all of them merge exactly.
//!
//! Workers count into the bare counters of such a histogram: [`Latency`]. What else an HDR histogram keeps, its total
//! and extremes, follows from them when they are read: [`Latency::read`] gives [`Delays`].

use crate::units::Nanos;
use hdrhistogram::Histogram;
use std::hint::black_box;
use std::iter::repeat_n;
use std::ops::Range;

/// The longest delay that keeps its value; what is longer is counted as [`Latency::clamped`].
pub const HIGHEST: Nanos = Nanos(60_000_000_000);

/// Significant decimal digits of every histogram here.
pub const DIGITS: u8 = 3;

/// Bits of a value that tell it from its neighbours: 2^11 is the first power of two to hold 2 * 10^[`DIGITS`].
const EXACT_BITS: u32 = 11;

/// Counters of a histogram up to [`HIGHEST`], and on to the next power of two.
const COUNTERS: usize = index(u64::MAX >> HIGHEST.0.leading_zeros()) + 1;

/// An empty histogram of the bounds that this program uses everywhere: 1 ns to 60 s, three digits.
///
/// 27,648 counters of eight bytes, 216 KiB.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST.0, DIGITS).expect("constant bounds are valid")
}

/// Delays of many datagrams, as they are counted.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Those of the histogram, at their places there. All but those from `min` to `max` are zero.
    counts: Box<[u64; COUNTERS]>,
    /// The shortest delay, exact; above `max` when there is none.
    min: Nanos,
    /// The longest delay, exact.
    max: Nanos,
    /// Received before they were due: the two clocks disagree. Not in the histogram.
    pub negative: u64,
    /// The most negative delay, as a positive number of nanoseconds.
    pub negative_max: Nanos,
    /// Longer than [`HIGHEST`]; in the histogram as [`HIGHEST`].
    pub clamped: u64,
}

/// Delays of many datagrams, as they are read: the histogram, and what a histogram cannot hold.
#[derive(Clone, Debug)]
pub struct Delays {
    /// In nanoseconds; its bounds may be those of another version of this program.
    pub histogram: Histogram<u64>,
    /// Received before they were due: the two clocks disagree. Not in the histogram.
    pub negative: u64,
    /// The most negative delay, as a positive number of nanoseconds.
    pub negative_max: Nanos,
    /// Longer than the histogram reaches, and in it at its end.
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
    /// No delays yet. Takes all the memory that recording will ever need, as much as [`histogram`], and touches it: pages
    /// that came only with the first delay of their length would hold up whoever records it.
    pub fn new() -> Self {
        // Zeroes that the compiler knows of would be asked of the kernel, which has none ready before they are used.
        let counts: Box<[u64]> = repeat_n(black_box(0), COUNTERS).collect();
        Self {
            counts: counts.try_into().expect("as many as were asked for"),
            min: Nanos(u64::MAX),
            max: Nanos(0),
            negative: 0,
            negative_max: Nanos(0),
            clamped: 0,
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
        // A negative delay wraps round to one that is far too long.
        let delay = Nanos(received_at.0.wrapping_sub(due_at.0));
        if delay > HIGHEST {
            return self.record_odd(due_at, received_at, count);
        }
        if delay < self.min || delay > self.max {
            self.widen(delay);
        }
        self.counts[index(delay.0)] += count;
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
        self.widen(received_at - due_at);
        self.counts[index(HIGHEST.0)] += count;
    }

    #[cold]
    fn widen(&mut self, delay: Nanos) {
        self.min = self.min.min(delay);
        self.max = self.max.max(delay);
    }

    /// The shortest delay, exact; `None` when there is none.
    pub fn min(&self) -> Option<Nanos> {
        (self.min <= self.max).then_some(self.min)
    }

    /// The longest delay, exact (also when it was clamped in the histogram).
    pub fn max(&self) -> Nanos {
        self.max
    }

    /// How many delays are in the histogram.
    pub fn count(&self) -> u64 {
        self.counts[self.used()].iter().sum()
    }

    /// Adds all of `other`, exactly: the bounds are the same. Takes time by how far its delays lie apart.
    pub fn add(&mut self, other: &Self) {
        let used = other.used();
        for (sum, count) in self.counts[used.clone()].iter_mut().zip(&other.counts[used]) {
            *sum += count;
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.negative += other.negative;
        self.negative_max = self.negative_max.max(other.negative_max);
        self.clamped += other.clamped;
    }

    /// Forgets all delays, keeps the memory.
    pub fn clear(&mut self) {
        let used = self.used();
        self.counts[used].fill(0);
        (self.min, self.max) = (Nanos(u64::MAX), Nanos(0));
        (self.negative, self.negative_max, self.clamped) = (0, Nanos(0), 0);
    }

    /// The delays so far. Takes memory of its own.
    pub fn read(&self) -> Delays {
        let mut histogram = histogram();
        for at in self.used().filter(|&at| self.counts[at] > 0) {
            histogram.saturating_record_n(lowest_of(at), self.counts[at]);
        }
        Delays {
            histogram,
            negative: self.negative,
            negative_max: self.negative_max,
            clamped: self.clamped,
            min: self.min(),
            max: self.max,
        }
    }

    /// Where counters may be above zero.
    fn used(&self) -> Range<usize> {
        match self.min() {
            Some(min) => index(min.min(HIGHEST).0)..index(self.max.min(HIGHEST).0) + 1,
            None => 0..0,
        }
    }
}

impl Delays {
    /// Adds all of `other`, exactly.
    ///
    /// # Panics
    /// The bounds of the histograms differ.
    pub fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("the bounds are the same");
        self.negative += other.negative;
        self.negative_max = self.negative_max.max(other.negative_max);
        self.clamped += other.clamped;
        self.min = self.min.into_iter().chain(other.min).min();
        self.max = self.max.max(other.max);
    }
}

/// Place of the counter of a value, as in every HDR histogram of three digits that begins at 1: values of up to 11
/// bits have one each, and from there on each doubling as many as the upper half of those.
#[inline]
const fn index(value: u64) -> usize {
    let shift = u64::BITS - EXACT_BITS - (value | ((1 << EXACT_BITS) - 1)).leading_zeros();
    ((shift as usize) << (EXACT_BITS - 1)) + (value >> shift) as usize
}

/// The lowest value that is counted at this place.
fn lowest_of(index: usize) -> u64 {
    let shift = (index >> (EXACT_BITS - 1)).saturating_sub(1);
    ((index - (shift << (EXACT_BITS - 1))) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::percentile::Percentile::Finite;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

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
        assert_eq!((latency.min(), latency.max()), (Some(Nanos(0)), Nanos(61_000_000_000)));
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
        assert_eq!((sum.min(), sum.max()), (Some(Nanos(3)), Nanos(70_000_000_000)));
        sum.clear();
        assert_eq!((sum.count(), sum.negative, sum.clamped, sum.min()), (0, 0, 0, None));
    }

    #[test]
    fn the_memory_is_that_of_a_histogram() {
        assert_eq!(COUNTERS, histogram().distinct_values());
    }

    /// Delays of all magnitudes, too long and negative ones among them, and how often each.
    fn delays() -> impl Strategy<Value = Vec<(i64, u64)>> {
        let delay = (0u32..38, any::<i64>()).prop_map(|(bits, random)| random >> (63 - bits));
        let edge = (0u32..37, -1i64..=1).prop_map(|(bits, off)| (1i64 << bits) + off);
        let highest = (-2i64..=2).prop_map(|off| HIGHEST.0 as i64 + off);
        prop::collection::vec((prop_oneof![delay, edge, highest], 1u64..5), 0..80)
    }

    fn counted(delays: &[(i64, u64)]) -> (Latency, Histogram<u64>) {
        let (mut latency, mut hdr) = (Latency::new(), histogram());
        for &(delay, count) in delays {
            let due_at = Nanos(1 << 40);
            latency.record_many(due_at, Nanos(due_at.0.saturating_add_signed(delay)), count);
            if let Ok(delay) = u64::try_from(delay) {
                hdr.saturating_record_n(delay.min(HIGHEST.0), count);
            }
        }
        (latency, hdr)
    }

    proptest! {
        /// Counting here is recording there: alone, added up, and after the memory was used before.
        #[test]
        fn counts_as_an_hdr_histogram_does(first in delays(), second in delays()) {
            let (mut latency, mut hdr) = counted(&first);
            let (other, other_hdr) = counted(&second);
            prop_assert_eq!(&latency.read().histogram, &hdr);
            prop_assert_eq!(latency.count(), hdr.len());
            latency.add(&other);
            hdr.add(&other_hdr).unwrap();
            prop_assert_eq!(&latency.read().histogram, &hdr);
            let sent = || first.iter().chain(&second).filter_map(|&(delay, _)| u64::try_from(delay).ok());
            prop_assert_eq!(latency.min(), sent().min().map(Nanos));
            prop_assert_eq!(latency.max(), Nanos(sent().max().unwrap_or(0)));
            latency.clear();
            prop_assert!(latency.counts.iter().all(|count| *count == 0));
            latency.add(&other);
            prop_assert_eq!(&latency.read().histogram, &other_hdr);
        }

        #[test]
        fn places_are_those_of_an_hdr_histogram(value in 0u64..=HIGHEST.0) {
            let lowest = lowest_of(index(value));
            prop_assert_eq!(lowest, histogram().lowest_equivalent(value));
            prop_assert_eq!(index(lowest), index(value));
        }
    }
}
