//! Slots in memory of our own, for engines whose kernel side copies from there.

use super::TxSlots;

/// Slots that follow each other without a gap.
pub(super) struct Arena {
    /// All of them; whoever lends them out may put others of the same length in their place.
    pub(super) bytes: Box<[u8]>,
    /// Of the slots last reserved.
    pub(super) payload_len: usize,
    /// Most datagrams a commit.
    pub(super) capacity: usize,
}

impl Arena {
    /// Room for `capacity` payloads of `payload_len` bytes.
    pub(super) fn new(capacity: usize, payload_len: usize) -> Self {
        Self { bytes: vec![0; capacity * stride(payload_len)].into(), payload_len, capacity }
    }

    /// As [`super::TxEngine::reserve`].
    #[inline]
    pub(super) fn reserve(&mut self, want: usize, payload_len: usize) -> TxSlots<'_> {
        self.payload_len = payload_len;
        let stride = stride(payload_len);
        let count = want.min(self.capacity);
        TxSlots::new(&mut self.bytes[..count * stride], stride, 0..payload_len)
    }

    /// The payloads from the slot `first` on.
    #[inline]
    pub(super) fn payloads(&self, first: usize) -> impl ExactSizeIterator<Item = &[u8]> {
        let stride = stride(self.payload_len);
        let slots = self.bytes[first * stride..].chunks_exact(stride);
        slots.map(|slot| &slot[..self.payload_len])
    }

    /// `count` payloads as one, from the slot `first` on.
    #[inline]
    pub(super) fn train(&self, first: usize, count: usize) -> &[u8] {
        &self.bytes[first * stride(self.payload_len)..][..count * self.payload_len]
    }
}

/// Bytes from one slot to the next: those of an empty payload are told apart as well.
fn stride(payload_len: usize) -> usize {
    payload_len.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_leaves() {
        let mut arena = Arena::new(4, 3);
        for (number, slot) in (1..).zip(arena.reserve(9, 2).iter_mut()) {
            slot.fill(number);
        }
        let all: Vec<&[u8]> = arena.payloads(0).take(4).collect();
        assert_eq!(all, [[1, 1], [2, 2], [3, 3], [4, 4]]);
        assert_eq!(arena.payloads(3).next(), Some(&[4, 4][..]));
        assert_eq!(arena.train(1, 2), [2, 2, 3, 3]);
    }

    #[test]
    fn empty_payloads_are_as_many_as_were_wanted() {
        let mut arena = Arena::new(4, 3);
        assert_eq!(arena.reserve(3, 0).iter_mut().len(), 3);
        assert!(arena.payloads(1).take(3).eq([&[] as &[u8]; 3]));
        assert!(arena.train(3, 1).is_empty());
    }
}
