//! Small histograms for what is counted beside the delays.

use hdrhistogram::Histogram;

/// Counters that stop at four thousand million.
pub type CoarseHistogram = Histogram<u32>;

/// Significant decimal digits: values up to 255 are exact.
pub const DIGITS: u8 = 2;

/// An empty histogram up to `highest`, beyond which values are counted as the highest: 512 bytes for each
/// doubling above 256, so less than 16 KiB up to a minute in nanoseconds.
pub(crate) fn coarse_histogram(highest: u64) -> CoarseHistogram {
    Histogram::new_with_bounds(1, highest.max(2), DIGITS).expect("two digits above 1 are valid")
}

/// Adds all of `other`, which has the same bounds.
pub(crate) fn add(histogram: &mut CoarseHistogram, other: &CoarseHistogram) {
    if !other.is_empty() {
        histogram.add(other).expect("the bounds are the same everywhere");
    }
}

/// Forgets all values, keeps the memory.
pub(crate) fn clear(histogram: &mut CoarseHistogram) {
    if !histogram.is_empty() {
        histogram.reset();
    }
}

/// Counts `value` so many times; a full counter stays full.
pub(crate) fn record(histogram: &mut CoarseHistogram, value: u64, count: u64) {
    histogram.saturating_record_n(value, u32::try_from(count).unwrap_or(u32::MAX));
}
