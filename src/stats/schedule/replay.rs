//! Due times that something else has recorded.

use super::{Schedule, Turn};
use crate::units::Nanos;
use std::sync::Arc;

/// The due times of a trace, from its beginning again and again.
#[derive(Debug)]
pub struct Replay {
    /// From the beginning of the trace, in order, never none.
    dues: Arc<[Nanos]>,
    /// When the trace begins anew; not before its last due time.
    period: Nanos,
    /// Place of the next datagram in the trace, and when its round began.
    at: usize,
    began: Nanos,
    of: usize,
}

impl Replay {
    /// `dues` of all senders together, in order and not none, once every `period`, which is not zero and later than the
    /// last of them; `turn` says which of them are ours.
    pub fn new(dues: Arc<[Nanos]>, period: Nanos, turn: Turn) -> Self {
        let (index, of) = (turn.index as usize, turn.of as usize);
        let mut replay = Self { dues, period, at: index, began: Nanos(0), of };
        replay.wrap();
        replay
    }

    #[inline]
    fn wrap(&mut self) {
        while self.at >= self.dues.len() {
            self.at -= self.dues.len();
            self.began = Nanos(self.began.0.saturating_add(self.period.0));
        }
    }
}

impl Schedule for Replay {
    #[inline]
    fn next_due(&mut self, _now: Nanos) -> Nanos {
        let due = self.began.0.saturating_add(self.dues[self.at].0);
        self.at += self.of;
        self.wrap();
        Nanos(due)
    }

    fn remaining_before(&mut self, end: Nanos) -> u64 {
        let left = end.saturating_sub(self.began).0;
        let in_last = self.dues.partition_point(|due| due.0 < left % self.period.0);
        // Of all senders, from the beginning of the present round.
        let all = u128::from(left / self.period.0) * self.dues.len() as u128 + in_last as u128;
        all.saturating_sub(self.at as u128).div_ceil(self.of as u128) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counted, dues};
    use super::*;
    use proptest::prelude::*;

    fn replay(trace: &[u64], period: u64, turn: Turn) -> Replay {
        Replay::new(trace.iter().copied().map(Nanos).collect(), Nanos(period), turn)
    }

    #[test]
    fn a_trace_begins_anew() {
        let alone = Turn { index: 0, of: 1 };
        assert_eq!(dues(replay(&[0, 5, 5], 8, alone), 7), [0, 5, 5, 8, 13, 13, 16]);
    }

    #[test]
    fn several_senders_take_turns() {
        let of = |index, of| dues(replay(&[0, 10, 30], 100, Turn { index, of }), 4);
        assert_eq!(of(0, 2), [0, 30, 110, 200]);
        assert_eq!(of(1, 2), [10, 100, 130, 210]);
        // More senders than datagrams.
        assert_eq!(of(4, 5), [110, 300, 430, 610]);
    }

    proptest! {
        #[test]
        fn remaining_equals_counting(
            mut trace in prop::collection::vec(0u64..1_000, 1..20), rest in 1u64..500,
            of in 1u32..4, index in 0u32..4, asked in 0usize..50, end in 0u64..20_000,
        ) {
            trace.sort_unstable();
            let period = trace[trace.len() - 1] + rest;
            let schedule = || replay(&trace, period, Turn { index: index % of, of });
            let (remaining, counted) = counted(schedule, asked, Nanos(end));
            prop_assert_eq!(remaining, counted);
        }
    }
}
