//! Memory that is shared with the kernel, and the rings in it.
//!
//! A ring has one producer and one consumer, each with an index that only it moves; entries between the two belong
//! to the consumer, the others to the producer. Indices run on beyond the end and wrap at 32 bits.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Memory of its own, or of a socket: `mmap(2)`. Given back when dropped.
pub(super) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it owns its memory as a box would, and hands out nothing but addresses.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Memory of this process, all zeroes and all there: no page is fetched later.
    pub(super) fn of_process(len: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        Self::new(len, flags, -1, 0)
    }

    /// Memory of a socket.
    fn of_socket(socket: BorrowedFd<'_>, len: usize, offset: libc::off_t) -> io::Result<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        Self::new(len, flags, socket.as_raw_fd(), offset)
    }

    fn new(len: usize, flags: i32, socket: i32, offset: libc::off_t) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: without MAP_FIXED the kernel picks addresses that nothing else is at, mmap(2).
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, flags, socket, offset) };
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => {
                Ok(Self { start: start.cast(), len })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping, and whoever used it is gone: they live in structs that
        // own it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// What a ring is made of.
pub(super) trait Entry: Copy {}
impl Entry for u64 {}
impl Entry for libc::xdp_desc {}

/// One end of a ring; which one, its owner knows. Entries are counted from the own index.
pub(super) struct Ring<T: Entry> {
    _mapping: Mapping,
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries: NonNull<T>,
    /// Entries, a power of two, less one.
    mask: u32,
    /// The own index, published or not.
    own: u32,
}

// SAFETY: the pointers lead into the mapping, which it owns.
unsafe impl<T: Entry> Send for Ring<T> {}

impl<T: Entry> Ring<T> {
    /// Maps the ring of `count` entries that a socket has at `page_offset`.
    pub(super) fn map(
        socket: BorrowedFd<'_>,
        count: u32,
        page_offset: libc::off_t,
        offsets: &libc::xdp_ring_offset,
    ) -> io::Result<Self> {
        assert!(count.is_power_of_two(), "{count} entries");
        let len = offsets.desc as usize + count as usize * size_of::<T>();
        let mapping = Mapping::of_socket(socket, len, page_offset)?;
        let start = mapping.start();
        // SAFETY: the kernel says at which offsets its indices are (XDP_MMAP_OFFSETS, af_xdp.rst), and they are
        // before the entries, which end where the mapping does.
        let at = |offset: u64| unsafe { start.byte_add(offset as usize) };
        Ok(Self {
            producer: at(offsets.producer).cast(),
            consumer: at(offsets.consumer).cast(),
            flags: at(offsets.flags).cast(),
            entries: at(offsets.desc).cast(),
            mask: count - 1,
            own: 0,
            _mapping: mapping,
        })
    }

    /// For a consumer: entries that are there to be read.
    #[inline]
    pub(super) fn readable(&self) -> u32 {
        self.load(self.producer).wrapping_sub(self.own)
    }

    /// For a producer: entries that are published and not yet consumed.
    #[inline]
    pub(super) fn unread(&self) -> u32 {
        self.own.wrapping_sub(self.load(self.consumer))
    }

    /// The entry `ahead` of the own index, which may be behind it: negative, wrapped.
    #[inline]
    pub(super) fn get(&self, ahead: u32) -> T {
        // SAFETY: any bytes are an entry, and the kernel writes only to those that are its own, not ours to read.
        unsafe { self.entry(ahead).read() }
    }

    /// Writes the entry `ahead` of the own index, which may be behind it: negative, wrapped.
    #[inline]
    pub(super) fn set(&mut self, ahead: u32, entry: T) {
        // SAFETY: the kernel looks at an entry only after the index has moved beyond it.
        unsafe { self.entry(ahead).write(entry) };
    }

    #[inline]
    fn entry(&self, ahead: u32) -> NonNull<T> {
        let index = self.own.wrapping_add(ahead) & self.mask;
        // SAFETY: the mask keeps the index below the count of entries, for which the mapping has room; see `map`.
        unsafe { self.entries.add(index as usize) }
    }

    /// For a producer: publishes entries.
    #[inline]
    pub(super) fn publish(&mut self, count: u32) {
        self.own = self.own.wrapping_add(count);
        self.store(self.producer);
    }

    /// For a consumer: gives entries back.
    #[inline]
    pub(super) fn release(&mut self, count: u32) {
        self.own = self.own.wrapping_add(count);
        self.store(self.consumer);
    }

    /// For a producer: whether the kernel wants to be told of new entries by a system call.
    #[inline]
    pub(super) fn needs_wakeup(&self) -> bool {
        // SAFETY: the pointer leads into the mapping; see `map`.
        let flags = unsafe { self.flags.as_ref() };
        flags.load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }

    #[inline]
    fn load(&self, index: NonNull<AtomicU32>) -> u32 {
        // SAFETY: the pointer leads into the mapping; see `map`. The kernel too changes it atomically only.
        unsafe { index.as_ref() }.load(Ordering::Acquire)
    }

    #[inline]
    fn store(&self, index: NonNull<AtomicU32>) {
        // SAFETY: as in `load`.
        unsafe { index.as_ref() }.store(self.own, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ends of a ring of four, whose indices wrap after two entries.
    fn ends(own: u32) -> [Ring<u64>; 2] {
        let mapping = Mapping::of_process(4096).unwrap();
        let start = mapping.start();
        // SAFETY: all of it lies within the mapping, which the second end keeps.
        let at = |offset| unsafe { start.byte_add(offset) };
        let end = |mapping| Ring {
            _mapping: mapping,
            producer: at(0).cast(),
            consumer: at(64).cast(),
            flags: at(128).cast(),
            entries: at(192).cast(),
            mask: 3,
            own,
        };
        let ends = [end(Mapping::of_process(4096).unwrap()), end(mapping)];
        ends[0].store(ends[0].producer);
        ends[1].store(ends[1].consumer);
        ends
    }

    #[test]
    fn entries_pass_in_order_and_indices_wrap() {
        let [mut producer, mut consumer] = ends(u32::MAX - 1);
        for round in 0..5 {
            assert_eq!((producer.unread(), consumer.readable()), (0, 0));
            for index in 0..4 {
                producer.set(index, u64::from(10 * round + index));
            }
            assert_eq!(consumer.readable(), 0, "nothing is there before it is published");
            producer.publish(4);
            // The last one is taken back, in place.
            producer.set(0u32.wrapping_sub(1), 99);
            assert_eq!((producer.unread(), consumer.readable()), (4, 4));
            let read: Vec<_> = (0..4).map(|index| consumer.get(index)).collect();
            let first = u64::from(10 * round);
            assert_eq!(read, [first, first + 1, first + 2, 99]);
            consumer.release(3);
            assert_eq!((producer.unread(), consumer.readable()), (1, 1));
            consumer.release(1);
        }
        assert!(!producer.needs_wakeup());
    }
}
