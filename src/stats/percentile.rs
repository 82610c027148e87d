//! Percentiles by rank, with lost datagrams as infinitely late (RFC 2330 section 11.3, RFC 7679 section 5).
//!
//! Ranks are computed in integers: 99.9 % of 1000 in floating point may become the 1000th instead of the 999th.

use super::latency::{Delays, Latency};
use crate::units::Nanos;
use hdrhistogram::Histogram;

/// 100 %, in the unit of all percentiles here: thousandths of a per cent.
pub const WHOLE: u32 = 100_000;

/// A percentile of values of which some may be infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percentile<T> {
    /// This value.
    Finite(T),
    /// It reaches into what is lost (RFC 7679 section 5.1).
    Infinite,
}

impl<T> Percentile<T> {
    /// The value, if it has one.
    pub fn finite(self) -> Option<T> {
        match self {
            Self::Finite(value) => Some(value),
            Self::Infinite => None,
        }
    }
}

/// The smallest of the `sorted` values that `percent` of them did not exceed (RFC 2330 section 11.3), with `lost`
/// infinite ones above all others. `None` below one value's share, where RFC 2330 says minus infinity, and when
/// there are no values.
pub fn percentile<T: Copy>(sorted: &[T], lost: u64, percent: u32) -> Option<Percentile<T>> {
    let all = sorted.len() as u128 + u128::from(lost);
    if all * u128::from(percent) < u128::from(WHOLE) {
        return None;
    }
    let value = usize::try_from(rank(all, percent) - 1).ok().and_then(|at| sorted.get(at));
    Some(value.map_or(Percentile::Infinite, |value| Percentile::Finite(*value)))
}

/// The middle of the `sorted` values; of an even number, the mean of the two in the middle (RFC 2330 section 11.3).
/// What is lost is `f64::INFINITY` and comes last (RFC 7679 section 5.2). `None` when there are no values.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some((sorted[last / 2] + sorted[last.div_ceil(2)]) / 2.0)
}

/// The delay that `percent` of all datagrams did not exceed, `lost` ones being infinitely late (RFC 7679 section
/// 5.1). `None` when there are neither. As with every HDR tool it is the highest value that the histogram cannot
/// tell from the true one, but never above `max`, the exact maximum.
pub fn percentile_with_losses(
    delays: &Histogram<u64>,
    max: Nanos,
    lost: u64,
    percent: u32,
) -> Option<Percentile<Nanos>> {
    let finite = u128::from(delays.len());
    let rank = rank(finite + u128::from(lost), percent);
    if rank > finite {
        return (lost > 0).then_some(Percentile::Infinite);
    }
    if percent >= WHOLE {
        return Some(Percentile::Finite(max));
    }
    let mut seen = 0;
    let step = delays.iter_recorded().find(|step| {
        seen += u128::from(step.count_since_last_iteration());
        seen >= rank
    })?;
    Some(Percentile::Finite(Nanos(step.value_iterated_to()).min(max)))
}

impl Delays {
    /// The delay that `percent`, in thousandths of a per cent, of all datagrams did not exceed, `lost` ones being
    /// infinitely late (RFC 7679 section 5.1). `None` when there are neither.
    pub fn percentile_with_losses(&self, percent: u32, lost: u64) -> Option<Percentile<Nanos>> {
        percentile_with_losses(&self.histogram, self.max, lost, percent)
    }
}

impl Latency {
    /// [`Delays::percentile_with_losses`] of the delays so far. Who wants several, reads once.
    pub fn percentile_with_losses(&self, percent: u32, lost: u64) -> Option<Percentile<Nanos>> {
        self.read().percentile_with_losses(percent, lost)
    }
}

/// Which of `all` values in ascending order, from 1, `percent` of them do not exceed.
fn rank(all: u128, percent: u32) -> u128 {
    (all * u128::from(percent)).div_ceil(u128::from(WHOLE)).max(1)
}

#[cfg(test)]
mod tests {
    use super::Percentile::{Finite, Infinite};
    use super::*;
    use proptest::prelude::*;

    /// V29.
    #[test]
    fn rfc_2330_section_11_3() {
        let sorted = [-5, -2, 4, 7, 7, 18];
        let of = |percent| percentile(&sorted, 0, percent);
        assert_eq!(of(50_000), Some(Finite(4)));
        assert_eq!(of(25_000), Some(Finite(-2)));
        assert_eq!(of(100_000), Some(Finite(18)));
        assert_eq!((of(0), of(15_000)), (None, None), "minus infinity");
        assert_eq!(of(5 * WHOLE / 6), Some(Finite(7)));
        assert_eq!(percentile::<i64>(&[], 0, 50_000), None);
    }

    /// V30, V31: milliseconds. The shortest is a fifth of the first five.
    #[test]
    fn rfc_7679_sections_5_1_and_5_2() {
        let five = [90, 100, 110, 500];
        assert_eq!(percentile(&five, 1, 50_000), Some(Finite(110)));
        assert_eq!(percentile(&five, 1, 20_000), Some(Finite(90)));
        assert_eq!(median(&[90.0, 100.0, 110.0, f64::INFINITY]), Some(105.0));
        assert_eq!(percentile(&[90, 100, 110], 1, 50_000), Some(Finite(100)));
    }

    #[test]
    fn medians_at_the_edges() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[3.0, f64::INFINITY]), Some(f64::INFINITY));
        assert_eq!(median(&[1.0, 2.0, 10.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 10.0]), Some(3.0));
    }

    /// V32: of 1000, two are lost and the rest take 1 ms.
    #[test]
    fn rfc_7679_section_5_1_lost_datagrams_are_infinitely_late() {
        let mut latency = Latency::new();
        (0..998).for_each(|_| latency.record(Nanos(0), Nanos::MILLISECOND));
        let of = |percent| latency.percentile_with_losses(percent, 2);
        assert_eq!(of(99_000), Some(Finite(Nanos::MILLISECOND)));
        assert_eq!(of(99_800), Some(Finite(Nanos::MILLISECOND)));
        assert_eq!(of(99_900), Some(Infinite));
        assert_eq!(latency.percentile_with_losses(0, 0), Some(Finite(Nanos::MILLISECOND)));
        assert_eq!(Latency::new().percentile_with_losses(50_000, 0), None);
        assert_eq!(Latency::new().percentile_with_losses(50_000, 7), Some(Infinite));
    }

    proptest! {
        /// RFC 2330: the smallest x with F(x) of at least so many per cent.
        #[test]
        fn agrees_with_the_definition(
            mut values in prop::collection::vec(0u64..2000, 1..60), lost in 0u64..5, percent in 0..=WHOLE,
        ) {
            values.sort_unstable();
            let mut latency = Latency::new();
            values.iter().for_each(|&value| latency.record(Nanos(0), Nanos(value)));
            let all = values.len() as u64 + lost;
            let reaches = |x: u64| {
                let up_to = values.iter().filter(|value| **value <= x).count() as u64;
                up_to * u64::from(WHOLE) >= all * u64::from(percent)
            };
            let smallest = values.iter().copied().find(|&x| reaches(x));
            let expected = smallest.map_or(Infinite, Finite);
            if all * u64::from(percent) >= u64::from(WHOLE) {
                prop_assert_eq!(percentile(&values, lost, percent), Some(expected));
            } else {
                prop_assert_eq!(percentile(&values, lost, percent), None);
            }
            let from_histogram = latency.percentile_with_losses(percent, lost);
            let expected = smallest.map_or(Infinite, |x| Finite(Nanos(x)));
            prop_assert_eq!(from_histogram, Some(expected));
        }
    }
}
