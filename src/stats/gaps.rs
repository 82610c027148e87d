//! Which numbers are missing: outstanding while they may still come, lost once the loss threshold is over (RFC 7680
//! section 2.4).

use crate::units::Nanos;
use std::collections::VecDeque;

/// Consecutive missing numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first of them.
    pub first_seq: u64,
    /// How many.
    pub len: u64,
    /// When a higher number came.
    pub noticed_at: Nanos,
    /// So many of them, as far as is known, were dropped by the receiver's own socket.
    pub own: u64,
}

impl Gap {
    fn end(&self) -> u64 {
        self.first_seq + self.len
    }
}

/// The gaps of one stream that may still be filled, in ascending order.
///
/// Costs nothing while datagrams come in order. Memory grows and shrinks with the gaps that are open at once; who has
/// too many gives up the oldest early.
#[derive(Debug, Default)]
pub struct Gaps {
    open: VecDeque<Gap>,
    outstanding: u64,
}

impl Gaps {
    /// How many gaps are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Numbers that are missing and may still come.
    pub fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// A number came that leaves a gap below it.
    pub fn open(&mut self, gap: Gap) {
        self.outstanding += gap.len;
        self.open.push_back(gap);
    }

    /// A missing number came after all; from the midst of a gap it makes two. What is in no gap was given up, or is
    /// below the first number.
    pub fn fill(&mut self, seq: u64) -> bool {
        let at = self.open.partition_point(|gap| gap.end() <= seq);
        let Some(gap) = self.open.get_mut(at).filter(|gap| gap.first_seq <= seq) else {
            return false;
        };
        self.outstanding -= 1;
        let upper_len = gap.end() - seq - 1;
        let lower_len = seq - gap.first_seq;
        // Which of them were dropped is not known, only how many.
        let upper_own = gap.own.min(upper_len);
        let upper =
            Gap { first_seq: seq + 1, len: upper_len, noticed_at: gap.noticed_at, own: upper_own };
        gap.len = lower_len;
        gap.own = (gap.own - upper_own).min(lower_len);
        match (gap.len, upper.len) {
            (0, 0) => drop(self.open.remove(at)),
            (0, _) => self.open[at] = upper,
            (_, 0) => {}
            _ => self.open.insert(at + 1, upper),
        }
        true
    }

    /// The oldest gap, if it was noticed at or before `until`: its numbers are lost.
    pub fn settle(&mut self, until: Nanos) -> Option<Gap> {
        let oldest = self.open.front()?;
        if oldest.noticed_at <= until { self.give_up_oldest() } else { None }
    }

    /// The oldest gap, whatever its age: its numbers are lost.
    pub fn give_up_oldest(&mut self) -> Option<Gap> {
        let oldest = self.open.pop_front()?;
        self.outstanding -= oldest.len;
        let held = self.open.capacity();
        if held > KEPT && self.open.len() < held / 4 {
            self.open.shrink_to(held / 2);
        }
        Some(oldest)
    }
}

/// Room for so few gaps is not worth giving back.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn gap(first_seq: u64, len: u64, at: u64) -> Gap {
        Gap { first_seq, len, noticed_at: Nanos(at), own: 0 }
    }

    fn all(gaps: &mut Gaps) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| gaps.settle(Nanos(u64::MAX)))
            .map(|gap| (gap.first_seq, gap.len))
            .collect()
    }

    #[test]
    fn a_filled_gap_shrinks_or_splits() {
        let mut gaps = Gaps::default();
        gaps.open(gap(10, 5, 0));
        gaps.open(gap(20, 1, 0));
        assert!(gaps.fill(12) && gaps.fill(10) && gaps.fill(14) && gaps.fill(20));
        assert!(!gaps.fill(12), "it has come already");
        assert!(!gaps.fill(15) && !gaps.fill(9));
        assert_eq!(gaps.outstanding(), 2);
        assert_eq!(all(&mut gaps), [(11, 1), (13, 1)]);
        assert_eq!(gaps.outstanding(), 0);
    }

    #[test]
    fn what_the_own_socket_dropped_never_exceeds_the_gap() {
        let mut gaps = Gaps::default();
        gaps.open(Gap { own: 4, ..gap(10, 5, 0) });
        gaps.fill(13);
        gaps.fill(10);
        let own: Vec<_> = std::iter::from_fn(|| gaps.settle(Nanos(0))).map(|gap| gap.own).collect();
        assert_eq!(own, [2, 1]);
    }

    #[test]
    fn gaps_are_lost_in_the_order_of_their_age() {
        let mut gaps = Gaps::default();
        gaps.open(gap(1, 1, 100));
        gaps.open(gap(5, 2, 200));
        assert_eq!(gaps.settle(Nanos(99)), None);
        assert_eq!(gaps.settle(Nanos(100)), Some(gap(1, 1, 100)));
        assert_eq!(gaps.settle(Nanos(199)), None);
        assert_eq!(gaps.outstanding(), 2);
    }

    #[test]
    fn the_oldest_is_given_up_and_its_room_given_back() {
        let mut gaps = Gaps::default();
        (0..1000).for_each(|n| gaps.open(gap(2 * n, 1, 0)));
        assert_eq!(gaps.give_up_oldest(), Some(gap(0, 1, 0)));
        assert!(!gaps.fill(0));
        assert_eq!((gaps.len(), gaps.outstanding()), (999, 999));
        while gaps.give_up_oldest().is_some() {}
        assert!(gaps.is_empty() && gaps.open.capacity() <= 2 * KEPT);
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(
            lens in prop::collection::vec((1u64..6, 1u64..4), 1..40),
            fills in prop::collection::vec(0u64..400, 0..200),
        ) {
            let mut gaps = Gaps::default();
            let mut missing = BTreeSet::new();
            let mut at = 0;
            for (present, len) in lens {
                at += present;
                gaps.open(gap(at, len, 0));
                missing.extend(at..at + len);
                at += len;
            }
            for seq in fills {
                prop_assert_eq!(gaps.fill(seq), missing.remove(&seq));
                prop_assert_eq!(gaps.outstanding(), missing.len() as u64);
            }
            let left: Vec<u64> =
                all(&mut gaps).into_iter().flat_map(|(first, len)| first..first + len).collect();
            prop_assert_eq!(left, missing.into_iter().collect::<Vec<_>>());
        }
    }
}
