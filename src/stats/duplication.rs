//! How many datagrams come more than once (RFC 5560).
//!
//! Two datagrams are the same when session, stream and sequence number are (section 2.5). The order of arrival
//! does not matter, except that a copy from below the window is not known to be one.

use super::bits::Bits;
use super::ratio::ratio;

/// Counts the further copies in one stream. First copies cost nothing.
#[derive(Debug)]
pub struct Duplication {
    /// Whether a further copy of `seq` came, for `seq` in `cleared_to - window .. cleared_to`.
    again: Bits,
    cleared_to: u64,
    duplicates: u64,
    replicated: u64,
}

impl Duplication {
    /// Remembers the last `window` numbers, as many as the sequence tracker does: a power of two of at least 64.
    /// One bit each; the only allocation.
    pub fn new(window: usize) -> Self {
        Self { again: Bits::new(window), cleared_to: 0, duplicates: 0, replicated: 0 }
    }

    /// Takes a further copy of `seq`, within the window below `highest`, the highest number that came.
    pub fn observe(&mut self, seq: u64, highest: u64) {
        self.move_to(highest);
        self.duplicates += 1;
        if !self.again.get(seq) {
            self.again.set(seq);
            self.replicated += 1;
        }
    }

    /// Further copies.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Datagrams of which more than one copy came.
    pub fn replicated(&self) -> u64 {
        self.replicated
    }

    /// Further copies for each of the `unique` datagrams that came (RFC 5560 section 5.1); `None` when none came.
    pub fn fraction(&self, unique: u64) -> Option<f64> {
        ratio(self.duplicates, unique)
    }

    /// The share of the `unique` datagrams of which more than one copy came (RFC 5560 section 5.2); `None` when
    /// none came.
    pub fn replicated_rate(&self, unique: u64) -> Option<f64> {
        ratio(self.replicated, unique)
    }

    /// Forgets what the numbers one window below have left behind. Only here, so first copies need not.
    fn move_to(&mut self, highest: u64) {
        let end = highest.saturating_add(1);
        if end <= self.cleared_to {
            return;
        }
        if end - self.cleared_to >= self.again.len() {
            self.again.clear_all();
        } else {
            self.again.clear(self.cleared_to, highest);
        }
        self.cleared_to = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::seq::{Arrival, SeqTracker};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn follow(arrivals: &[u64]) -> (Duplication, u64) {
        let mut tracker = SeqTracker::new(64);
        let mut duplication = Duplication::new(64);
        for &seq in arrivals {
            if tracker.observe(seq) == Arrival::Duplicate {
                duplication.observe(seq, tracker.highest().unwrap());
            }
        }
        (duplication, tracker.counters().unique)
    }

    /// V25.
    #[test]
    fn rfc_5560_section_5_3() {
        let check = |arrivals: &[u64], fraction, replicated_rate| {
            let (duplication, unique) = follow(arrivals);
            assert_eq!(duplication.fraction(unique), Some(fraction), "{arrivals:?}");
            assert_eq!(duplication.replicated_rate(unique), Some(replicated_rate), "{arrivals:?}");
        };
        check(&[1, 2, 3, 4], 0.0, 0.0);
        check(&[1, 1, 2, 2, 3, 3, 4, 4], 1.0, 1.0);
        check(&[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4], 2.0, 1.0);
        check(&[1, 1, 1, 2, 3, 3, 3, 4], 1.0, 0.5);
        check(&[1, 2, 3, 4, 1, 2, 3, 4], 1.0, 1.0);
        check(&[4, 1, 3, 2, 1, 4, 2, 3], 1.0, 1.0);
    }

    #[test]
    fn nothing_came() {
        let duplication = Duplication::new(64);
        assert_eq!((duplication.fraction(0), duplication.replicated_rate(0)), (None, None));
    }

    proptest! {
        #[test]
        fn agrees_with_counting(steps in prop::collection::vec((0u64..70, 0u64..40, 1u8..4), 1..300)) {
            let mut tracker = SeqTracker::new(64);
            let mut duplication = Duplication::new(64);
            let mut copies = BTreeMap::<u64, u64>::new();
            let mut at: u64 = 100;
            for (forward, back, times) in steps {
                at += forward / 20;
                // Now and then a whole window passes at once.
                at += if forward == 69 { 63 } else { 0 };
                for _ in 0..times {
                    let seq = at - back;
                    match tracker.observe(seq) {
                        Arrival::Duplicate => {
                            duplication.observe(seq, tracker.highest().unwrap());
                            // A leap that was confirmed came before this.
                            *copies.entry(seq).or_insert(1) += 1;
                        }
                        Arrival::TooLate | Arrival::Implausible => {}
                        _ => {
                            copies.insert(seq, 1);
                        }
                    }
                }
            }
            let again = copies.values().map(|count| count - 1).sum::<u64>();
            let replicated = copies.values().filter(|count| **count > 1).count() as u64;
            prop_assert_eq!((duplication.duplicates(), duplication.replicated()), (again, replicated));
        }
    }
}
