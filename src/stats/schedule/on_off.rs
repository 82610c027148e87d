//! A constant rate that is switched on and off.

use super::{Constant, Schedule};
use crate::units::Nanos;

/// Sends as [`Constant`] does while it is on, and then nothing while it is off.
///
/// The clock of the constant rate stands still while it is off. So the rate while on is exact over all its periods.
#[derive(Debug)]
pub struct OnOff {
    constant: Constant,
    on: Nanos,
    off: Nanos,
    /// When the present period ends, by the clock of the constant rate.
    on_until: Nanos,
    /// How long it has been off so far.
    was_off: Nanos,
}

impl OnOff {
    /// `constant` for `on`, then nothing for `off`, from the beginning again and again. `on` is not zero.
    pub fn new(constant: Constant, on: Nanos, off: Nanos) -> Self {
        Self { constant, on, off, on_until: on, was_off: Nanos(0) }
    }
}

impl Schedule for OnOff {
    #[inline]
    fn next_due(&mut self, now: Nanos) -> Nanos {
        let due = self.constant.next_due(now);
        if due >= self.on_until {
            let periods = due.0 / self.on.0;
            self.on_until = Nanos(periods.saturating_add(1).saturating_mul(self.on.0));
            self.was_off = Nanos(periods.saturating_mul(self.off.0));
        }
        Nanos(due.0.saturating_add(self.was_off.0))
    }

    fn remaining_before(&mut self, end: Nanos) -> u64 {
        let period = self.on.0.saturating_add(self.off.0);
        let in_last = (end.0 % period).min(self.on.0);
        self.constant.remaining_before(Nanos(end.0 / period * self.on.0 + in_last))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counted, dues};
    use super::*;
    use crate::stats::schedule::Turn;
    use crate::units::rate::DatagramRate;
    use proptest::prelude::*;

    fn on_off(datagrams: u64, turn: Turn, on: u64, off: u64) -> OnOff {
        let constant = Constant::new(DatagramRate { datagrams, seconds: 1 }, 1, turn);
        OnOff::new(constant, Nanos(on), Nanos(off))
    }

    #[test]
    fn the_rate_while_on_is_exact() {
        // Three a second, on for half a second: the gap that a pause interrupts goes on after it.
        let schedule = on_off(3, Turn { index: 0, of: 1 }, 500_000_000, 1_000_000_000);
        let expected = [0, 333_333_333, 1_666_666_666, 3_000_000_000, 3_333_333_333];
        assert_eq!(dues(schedule, 5), expected);
    }

    #[test]
    fn gaps_may_be_longer_than_periods() {
        let schedule = on_off(1, Turn { index: 0, of: 1 }, 300_000_000, 100_000_000);
        assert_eq!(dues(schedule, 3), [0, 1_300_000_000, 2_600_000_000]);
    }

    proptest! {
        #[test]
        fn remaining_equals_counting(
            datagrams in 1u64..5_000, of in 1u32..4, index in 0u32..4, on in 1u64..300_000_000,
            off in 0u64..300_000_000, asked in 0usize..50, end in 0u64..2_000_000_000,
        ) {
            let schedule = || on_off(datagrams, Turn { index: index % of, of }, on, off);
            let (remaining, counted) = counted(schedule, asked, Nanos(end));
            prop_assert_eq!(remaining, counted);
        }
    }
}
