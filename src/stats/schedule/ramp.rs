//! A rate that grows, or falls, evenly.

use super::{Schedule, Turn};
use crate::units::Nanos;
use crate::units::rate::DatagramRate;

/// From one rate to another over a time, linearly. What would come later is due at its end.
///
/// The k-th datagram is due when the integral of the rate is k: at the root of a quadratic, rounded down. Each is
/// found by itself from whole numbers, so that nothing adds up.
#[derive(Debug)]
pub struct Ramp {
    over: u64,
    /// Datagrams in `parts` nanoseconds, at the beginning and at the end.
    from: i128,
    to: i128,
    parts: u128,
    /// Number of the next datagram among those of all senders.
    next: u64,
    of: u64,
}

impl Ramp {
    /// The rates are those of all senders together, and of equal `seconds`; `turn` says which datagrams are ours.
    /// `over` is not zero, and at most a day.
    pub fn new(from: DatagramRate, to: DatagramRate, over: Nanos, turn: Turn) -> Self {
        debug_assert_eq!(from.seconds, to.seconds);
        let parts = u128::from(from.seconds) * 1_000_000_000;
        Self {
            over: over.0,
            from: from.datagrams.into(),
            to: to.datagrams.into(),
            parts,
            next: turn.index.into(),
            of: turn.of.into(),
        }
    }

    /// Whether datagram `k` is due before `time`, which is not beyond the end.
    fn is_before(&self, time: u64, k: u64) -> bool {
        // With T for `over`: from t + (to - from) t^2 / 2T > k, times 2T and `parts`. The products need 192 bits.
        let twice = 2 * i128::from(self.over);
        let mean = twice * self.from + (self.to - self.from) * i128::from(time);
        product(mean as u128, time) > product(twice as u128 * self.parts, k)
    }

    /// When datagram `k` is due: the last nanosecond before which it is not.
    fn due(&self, k: u64) -> Nanos {
        let is_past = |time: u64| time > self.over || self.is_before(time, k);
        let mut time = self.estimate(k);
        let mut step = 1;
        while is_past(time) {
            time = time.saturating_sub(step);
            step *= 2;
        }
        Nanos(last_that(time, |time| !is_past(time)))
    }

    /// About when datagram `k` is due. Nearly always the nanosecond itself; where a rate falls to almost nothing the
    /// root is off by more.
    fn estimate(&self, k: u64) -> u64 {
        let parts = self.parts as f64;
        let (from, to) = (self.from as f64 / parts, self.to as f64 / parts);
        let under_root = from * from + 2.0 * (to - from) * k as f64 / self.over as f64;
        let time = 2.0 * k as f64 / (from + under_root.max(0.0).sqrt());
        (time as u64).min(self.over)
    }
}

impl Schedule for Ramp {
    #[inline]
    fn next_due(&mut self, _now: Nanos) -> Nanos {
        let due = self.due(self.next);
        self.next += self.of;
        due
    }

    fn remaining_before(&mut self, end: Nanos) -> u64 {
        let end = end.0.min(self.over);
        last_that(0, |count| count == 0 || self.is_before(end, self.next + (count - 1) * self.of))
    }
}

/// The last number from `least` on for which `holds` does; it holds for `least`, and never again once it does not.
fn last_that(least: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut last, mut step) = (least, 1);
    while holds(last + step) {
        last += step;
        step *= 2;
    }
    while step > 1 {
        step /= 2;
        if holds(last + step) {
            last += step;
        }
    }
    last
}

/// A product of up to 192 bits: the upper 128 and the lower 64, which compare as the whole does.
fn product(a: u128, b: u64) -> (u128, u64) {
    let low = u128::from(a as u64) * u128::from(b);
    let high = (a >> 64) * u128::from(b) + (low >> 64);
    (high, low as u64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counted, dues};
    use super::*;
    use proptest::prelude::*;

    const SECOND: Nanos = Nanos::SECOND;

    fn ramp(from: u64, to: u64, over: Nanos, turn: Turn) -> Ramp {
        let rate = |datagrams| DatagramRate { datagrams, seconds: 1 };
        Ramp::new(rate(from), rate(to), over, turn)
    }

    const ALONE: Turn = Turn { index: 0, of: 1 };

    #[test]
    fn due_where_the_integral_of_the_rate_is_whole() {
        // From 2 to 6 a second in 1 s: 2 t + 2 t^2 = k, so t = (sqrt(1 + 2 k) - 1) / 2.
        let expected = [0, 366_025_403, 618_033_988, 822_875_655, 1_000_000_000, 1_000_000_000];
        assert_eq!(dues(ramp(2, 6, SECOND, ALONE), 6), expected);
        // From 6 to 2: 6 t - 2 t^2 = k, so t = (3 - sqrt(9 - 2 k)) / 2.
        let expected = [0, 177_124_344, 381_966_011, 633_974_596, 1_000_000_000];
        assert_eq!(dues(ramp(6, 2, SECOND, ALONE), 5), expected);
    }

    #[test]
    fn without_a_slope_it_is_constant() {
        let expected = [0, 333_333_333, 666_666_666];
        assert_eq!(dues(ramp(3, 3, SECOND, ALONE), 3), expected);
    }

    #[test]
    fn several_senders_take_turns() {
        let of = 2;
        let all = dues(ramp(10, 50, SECOND, ALONE), 20);
        for index in 0..of {
            let ours = dues(ramp(10, 50, SECOND, Turn { index, of }), 10);
            let expected: Vec<_> = all.iter().skip(index as usize).step_by(2).copied().collect();
            assert_eq!(ours, expected);
        }
    }

    /// A day at rates that have no nice root ends with as many as the mean rate says, to a nanosecond.
    #[test]
    fn exact_over_a_day() {
        let day = Nanos(86_400 * SECOND.0);
        for (from, to) in [(1_000_000_000, 1), (1, 1_000_000_000), (999_999_937, 3)] {
            let mut all = ramp(from, to, day, ALONE);
            let count = (from + to) * 43_200;
            assert_eq!(all.remaining_before(day), count);
            let (last, end) = (all.due(count - 1), all.due(count));
            assert!(last < day && end == day, "{last:?}");
            // The last one is not due a nanosecond earlier.
            assert!(!all.is_before(last.0, count - 1) && all.is_before(last.0 + 1, count - 1));
        }
    }

    #[test]
    fn products_beyond_128_bits() {
        assert_eq!(product(u128::MAX, u64::MAX), (u128::MAX - (1 << 64), 1));
        assert_eq!(product(3 << 64, 5), (15, 0));
        assert_eq!(product(7, 6), (0, 42));
    }

    proptest! {
        #[test]
        fn remaining_equals_counting(
            from in 1u64..3_000, to in 1u64..3_000, of in 1u32..4, index in 0u32..4,
            asked in 0usize..50, over in 1u64..2_000_000_000, part in 0.0f64..=1.0,
        ) {
            let schedule = || ramp(from, to, Nanos(over), Turn { index: index % of, of });
            let end = Nanos((over as f64 * part) as u64);
            let (remaining, counted) = counted(schedule, asked, end);
            prop_assert_eq!(remaining, counted);
        }

        /// Each due time is the root rounded down, whatever floating point made of it.
        #[test]
        fn due_at_the_root(
            from in 1u64..1_000_000_000_000, to in 1u64..1_000_000_000_000,
            over in 1u64..86_400_000_000_000, part in 0.0f64..1.0,
        ) {
            let schedule = ramp(from, to, Nanos(over), ALONE);
            let all = ramp(from, to, Nanos(over), ALONE).remaining_before(Nanos(over));
            prop_assume!(all > 0);
            let k = ((all as f64 * part) as u64).min(all - 1);
            let due = schedule.due(k).0;
            prop_assert!(!schedule.is_before(due, k) && schedule.is_before(due + 1, k));
        }
    }
}
