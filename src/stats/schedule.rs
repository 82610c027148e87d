//! When each datagram is due: at a constant rate, in bursts, as fast as possible, or as one of its parts says.

mod on_off;
mod poisson;
mod ramp;
mod replay;

pub use on_off::OnOff;
pub use poisson::Poisson;
pub use ramp::Ramp;
pub use replay::Replay;

use crate::units::Nanos;
use crate::units::rate::DatagramRate;

/// Says when datagrams are due, one after the other. Times count from the start of the trial.
pub trait Schedule: Send {
    /// When the next datagram is due. `now` is the time at which it is asked.
    fn next_due(&mut self, now: Nanos) -> Nanos;

    /// How many more datagrams are due before `end`. Nothing is asked of the schedule after that.
    fn remaining_before(&mut self, end: Nanos) -> u64;
}

/// What part of its lateness a sender makes up for with one datagram: little, so that the gaps after a stall are nearly
/// those of the schedule.
const MADE_UP: u64 = 16;

/// It makes up for so much at least, unless that is more than the same part of the gap, so that it comes to an end.
const LEAST: Nanos = Nanos(1_000);

/// The earliest time for a datagram that is due at `due`, after one that was due at `last_due` and left at `left`.
///
/// What became due while a sender stood still does not leave in a train: a sixteenth of the lateness is made up for with
/// each datagram, at most half a gap. So the rhythm doubles after a long stall, and is hardly another after a short one.
#[inline]
pub fn in_rhythm(due: Nanos, last_due: Nanos, left: Nanos) -> Nanos {
    let gap = due.saturating_sub(last_due).0;
    let lateness = left.saturating_sub(last_due).0;
    let least = LEAST.0.min(gap / MADE_UP);
    let made_up = (lateness / MADE_UP).clamp(least, gap / 2);
    due.max(left + Nanos(gap - made_up))
}

/// Every datagram is due when it is asked for.
#[derive(Debug)]
pub struct AsFastAsPossible;

impl Schedule for AsFastAsPossible {
    #[inline]
    fn next_due(&mut self, now: Nanos) -> Nanos {
        now
    }

    /// What was not asked for is not missing.
    fn remaining_before(&mut self, _end: Nanos) -> u64 {
        0
    }
}

/// Bursts of equal length at equal distances; with a length of 1, a periodic stream (RFC 3432).
///
/// The gap is a fraction of a nanosecond finer than a clock. Its whole part is added, its remainder carried,
/// so the k-th burst is due at exactly the rounded-down k-th multiple of the gap for as long as it runs.
#[derive(Debug)]
pub struct Constant {
    due: Nanos,
    /// Of a nanosecond that the true due time is above `due`, in units of 1 / `parts`.
    carried: u64,
    gap: Nanos,
    gap_carry: u64,
    parts: u64,
    burst_len: u32,
    left_in_burst: u32,
}

/// One of several senders that share a rate, each taking its turn.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Which one, from 0.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

impl Constant {
    /// `rate` for all senders together, in bursts of `burst_len` datagrams; `turn` says which of them are ours.
    pub fn new(rate: DatagramRate, burst_len: u32, turn: Turn) -> Self {
        let parts = u128::from(rate.datagrams);
        // One burst of one sender takes this many parts of a nanosecond.
        let burst = u128::from(rate.seconds) * u128::from(burst_len) * 1_000_000_000;
        let gap = burst * u128::from(turn.of);
        let first = burst * u128::from(turn.index);
        let split = |time: u128| {
            let whole = u64::try_from(time / parts).unwrap_or(u64::MAX / 2);
            (Nanos(whole), (time % parts) as u64)
        };
        let (due, carried) = split(first);
        let (gap, gap_carry) = split(gap);
        Self {
            due,
            carried,
            gap,
            gap_carry,
            parts: rate.datagrams,
            burst_len,
            left_in_burst: burst_len,
        }
    }

    fn next_burst(&mut self) {
        self.left_in_burst = self.burst_len;
        self.carried += self.gap_carry;
        let carry = u64::from(self.carried >= self.parts);
        self.carried -= carry * self.parts;
        self.due = Nanos(self.due.0.saturating_add(self.gap.0 + carry));
    }
}

impl Schedule for Constant {
    #[inline]
    fn next_due(&mut self, _now: Nanos) -> Nanos {
        if self.left_in_burst == 0 {
            self.next_burst();
        }
        self.left_in_burst -= 1;
        self.due
    }

    fn remaining_before(&mut self, end: Nanos) -> u64 {
        let in_burst = if self.due < end { u64::from(self.left_in_burst) } else { 0 };
        self.next_burst();
        let Some(left) = end.0.checked_sub(self.due.0) else { return in_burst };
        // In parts of a nanosecond: the k-th burst from here is before the end while k gaps fit into the time.
        let parts = u128::from(self.parts);
        let gap = u128::from(self.gap.0) * parts + u128::from(self.gap_carry);
        let left =
            u128::from(left) * parts - u128::from(self.carried).min(u128::from(left) * parts);
        let bursts = left.div_ceil(gap.max(1)) as u64;
        in_burst + bursts * u64::from(self.burst_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALONE: Turn = Turn { index: 0, of: 1 };

    /// The first `count` due times.
    pub(super) fn dues(mut schedule: impl Schedule, count: usize) -> Vec<u64> {
        (0..count).map(|_| schedule.next_due(Nanos(0)).0).collect()
    }

    /// What a schedule that was asked so often says is left before `end`, and what is.
    pub(super) fn counted<S: Schedule>(
        new: impl Fn() -> S,
        asked: usize,
        end: Nanos,
    ) -> (u64, u64) {
        let [mut counting, mut saying] = [new(), new()];
        for _ in 0..asked {
            assert_eq!(counting.next_due(Nanos(0)), saying.next_due(Nanos(0)));
        }
        let counted = (0..).take_while(|_| counting.next_due(Nanos(0)) < end).count();
        (saying.remaining_before(end), counted as u64)
    }

    fn constant(rate: DatagramRate, burst_len: u32, turn: Turn, count: usize) -> Vec<u64> {
        dues(Constant::new(rate, burst_len, turn), count)
    }

    #[test]
    fn a_short_stall_hardly_changes_the_gaps_and_a_long_one_halves_them() {
        let gaps_after = |stall| {
            let (mut left, mut gaps) = (stall, vec![]);
            for due in (20_000..).step_by(20_000).map(Nanos) {
                let next = in_rhythm(due, due - Nanos(20_000), left);
                gaps.push((next - left).0);
                if next == due {
                    return gaps;
                }
                left = next;
            }
            unreachable!("a backlog comes to an end")
        };
        assert_eq!(gaps_after(Nanos(0)), [20_000]);
        assert_eq!(gaps_after(Nanos(1_000)), [19_000]);
        // 15 us late, a microsecond made up for with each.
        assert_eq!(gaps_after(Nanos(15_000)), [19_000; 15]);
        let gaps = gaps_after(Nanos(1_000_000));
        assert!(gaps.is_sorted(), "ever more as it was");
        // Half gaps while it is at least eight gaps late: from 1,000 us down to 160, at 10 us each.
        assert_eq!(gaps.iter().filter(|&&gap| gap == 10_000).count(), 85);
        assert!((120..150).contains(&gaps.len()), "{}", gaps.len());
    }

    #[test]
    fn the_remainder_is_carried() {
        let three = DatagramRate { datagrams: 3, seconds: 1 };
        let expected = [0, 333_333_333, 666_666_666, 1_000_000_000, 1_333_333_333];
        assert_eq!(constant(three, 1, ALONE, 5), expected);
    }

    #[test]
    fn bursts_are_due_at_once() {
        let thousand = DatagramRate { datagrams: 1000, seconds: 1 };
        assert_eq!(
            constant(thousand, 3, ALONE, 7),
            [0, 0, 0, 3_000_000, 3_000_000, 3_000_000, 6_000_000]
        );
    }

    #[test]
    fn several_senders_take_turns() {
        let four = DatagramRate { datagrams: 4, seconds: 1 };
        assert_eq!(constant(four, 1, Turn { index: 0, of: 2 }, 3), [0, 500_000_000, 1_000_000_000]);
        let second = constant(four, 1, Turn { index: 1, of: 2 }, 3);
        assert_eq!(second, [250_000_000, 750_000_000, 1_250_000_000]);
    }

    /// Ten hours at a rate whose gap is no whole number of nanoseconds end where the division says.
    #[test]
    fn exact_over_hours() {
        let rate = DatagramRate { datagrams: 29_970, seconds: 1_001 };
        let mut schedule = Constant::new(rate, 1, ALONE);
        let count = 29_970 * 36_000 / 1_001;
        let last = (0..count).map(|_| schedule.next_due(Nanos(0))).last();
        let exact = u128::from(count - 1u64) * 1_001 * 1_000_000_000 / 29_970;
        assert_eq!(last, Some(Nanos(exact as u64)));
    }

    #[test]
    fn as_fast_as_possible_is_always_due_now() {
        assert_eq!(AsFastAsPossible.next_due(Nanos(17)), Nanos(17));
    }

    proptest! {
        #[test]
        fn remaining_equals_counting(
            datagrams in 1u64..5_000, seconds in 1u64..3, burst_len in 1u32..5, of in 1u32..4,
            index in 0u32..4, asked in 0usize..50, end in 0u64..2_000_000_000,
        ) {
            let turn = Turn { index: index % of, of };
            let rate = DatagramRate { datagrams, seconds };
            let schedule = || Constant::new(rate, burst_len, turn);
            let (remaining, counted) = counted(schedule, asked, Nanos(end));
            prop_assert_eq!(remaining, counted);
        }

        #[test]
        fn equals_the_division(
            datagrams in 1u64..10_000_000_000, seconds in 1u64..600_000, burst_len in 1u32..5,
            of in 1u32..5, index in 0u32..5, count in 1usize..200,
        ) {
            let turn = Turn { index: index % of, of };
            let due = constant(DatagramRate { datagrams, seconds }, burst_len, turn, count);
            for (k, due) in due.into_iter().enumerate() {
                let burst = (k as u128 / u128::from(burst_len)) * u128::from(of)
                    + u128::from(turn.index);
                let exact = burst * u128::from(burst_len) * u128::from(seconds) * 1_000_000_000
                    / u128::from(datagrams);
                prop_assert_eq!(u128::from(due), exact);
            }
        }
    }
}
