//! Which of the last so many numbers, all of which are known to exist, have come.

use super::bits::Bits;

/// Tells a first copy from a further one where it is known how many numbers there are: no leap has to be believed.
///
/// ```
/// use mcast_bench::stats::seen::Seen;
///
/// let mut seen = Seen::new(64);
/// assert_eq!(seen.first_time(4, 5), Some(true));
/// assert_eq!(seen.first_time(4, 6), Some(false));
/// assert_eq!(seen.first_time(6, 6), None, "there are 0 to 5");
/// assert_eq!(seen.first_time(35, 100), None, "too long ago");
/// ```
#[derive(Debug)]
pub struct Seen {
    bits: Bits,
    /// One more than the highest number whose bit is its own.
    end: u64,
}

impl Seen {
    /// Remembers the last `window` numbers, a power of two of at least 64. The only allocation.
    pub fn new(window: usize) -> Self {
        Self { bits: Bits::new(window), end: 0 }
    }

    /// Whether `seq`, one of `0..count`, comes for the first time; `None` if it cannot be, or lies below the window.
    /// `count` never falls.
    #[inline]
    pub fn first_time(&mut self, seq: u64, count: u64) -> Option<bool> {
        if count > self.end {
            let from = self.end.max(count.saturating_sub(self.bits.len()));
            self.bits.clear(from, count - 1);
            self.end = count;
        }
        if seq >= count || seq + self.bits.len() < self.end {
            return None;
        }
        let is_first = !self.bits.get(seq);
        self.bits.set(seq);
        Some(is_first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agrees_with_a_set(steps in prop::collection::vec((0u64..90, 0u64..120), 1..200)) {
            let (mut seen, mut all, mut count) = (Seen::new(64), BTreeSet::new(), 1);
            for (more, back) in steps {
                count += more;
                let Some(seq) = count.checked_sub(back) else { continue };
                let is_known = seq < count && seq + 64 >= count;
                let expected = is_known.then(|| all.insert(seq));
                prop_assert_eq!(seen.first_time(seq, count), expected, "{} of {}", seq, count);
            }
        }
    }
}
