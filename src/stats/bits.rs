//! One bit for each of the last so many sequence numbers.

/// A ring of bits: number `seq` has bit `seq % len`, which it shares with `seq - len`. Whoever moves the window
/// forward clears the bits that enter it ([`Bits::clear`]).
#[derive(Debug)]
pub(crate) struct Bits {
    words: Box<[u64]>,
}

impl Bits {
    /// All clear, for `len` numbers, a power of two of at least 64. The only allocation.
    pub(crate) fn new(len: usize) -> Self {
        assert!(len.is_power_of_two() && len >= 64, "window of {len}");
        Self { words: vec![0; len / 64].into() }
    }

    /// How many numbers have a bit.
    pub(crate) fn len(&self) -> u64 {
        self.words.len() as u64 * 64
    }

    /// The same for the last 64 numbers before `end` only.
    pub(crate) fn last_word(&self, end: u64) -> Self {
        let mut last = Self::new(64);
        (end.saturating_sub(64)..end).filter(|&seq| self.get(seq)).for_each(|seq| last.set(seq));
        last
    }

    #[inline]
    pub(crate) fn set(&mut self, seq: u64) {
        let (word, bit) = self.place(seq);
        self.words[word] |= bit;
    }

    pub(crate) fn get(&self, seq: u64) -> bool {
        let (word, bit) = self.place(seq);
        self.words[word] & bit != 0
    }

    pub(crate) fn clear_all(&mut self) {
        self.words.fill(0);
    }

    /// Clears the bits of `from..=to`, at most `len` numbers.
    pub(crate) fn clear(&mut self, from: u64, to: u64) {
        let (first_word, first_bit) = self.place(from);
        let upper = !(first_bit - 1);
        let (last_word, last_bit) = self.place(to);
        let lower = last_bit | (last_bit - 1);
        if from / 64 == to / 64 {
            self.words[first_word] &= !(upper & lower);
            return;
        }
        self.words[first_word] &= !upper;
        for word in from / 64 + 1..to / 64 {
            let (word, _) = self.place(word * 64);
            self.words[word] = 0;
        }
        self.words[last_word] &= !lower;
    }

    /// Word of the ring and bit in it for a number.
    #[inline]
    fn place(&self, seq: u64) -> (usize, u64) {
        ((seq / 64) as usize & (self.words.len() - 1), 1 << (seq % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clears_what_it_is_told_to(from in 0u64..1000, count in 1u64..=128) {
            let mut bits = Bits::new(128);
            (0..128).for_each(|seq| bits.set(seq));
            bits.clear(from, from + count - 1);
            for seq in from..from + 128 {
                prop_assert_eq!(bits.get(seq), seq >= from + count, "{}", seq);
            }
        }
    }
}
