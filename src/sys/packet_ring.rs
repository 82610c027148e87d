//! Rings that a packet socket shares with the kernel: `PACKET_TX_RING`, `PACKET_RX_RING`, packet(7),
//! Documentation/networking/packet_mmap.rst.
//!
//! Who may touch a part of a ring is said by a status word in it, which is the only thing that both sides write. It
//! is read with acquire and written with release, so that what was written before it is seen after it; a slice of a
//! ring is made only of what the status says is ours, and given up before the status is changed.

use super::packet::{self, VIRTIO_HEADER_LEN};
use super::{check, retry_interrupted};
use crate::units::Nanos;
use libc::tpacket_versions::{TPACKET_V2, TPACKET_V3};
use socket2::Socket;
use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where in a slot to send the frame begins, a virtio header first: behind the header of the slot, which is a
/// multiple of `TPACKET_ALIGNMENT` long.
pub const FRAME_AT: usize = size_of::<libc::tpacket2_hdr>();

/// Memory shared with the kernel through a socket. It outlives the socket if it must: the mapping holds it open.
struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory belongs to the process, not to a thread; what may be touched when is the rings' business.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(socket: &Socket, len: usize) -> io::Result<Self> {
        // SAFETY: a new mapping wherever the kernel likes; nothing of ours lies there.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                socket.as_raw_fd(),
                0,
            )
        };
        match NonNull::new(base.cast::<u8>()) {
            Some(start) if base != libc::MAP_FAILED => Ok(Self { base: start, len }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The status word at `offset`.
    fn status(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(align_of::<AtomicU32>()) && offset + 4 <= self.len);
        // SAFETY: within the mapping.
        let word = unsafe { self.base.add(offset) };
        // SAFETY: aligned, as the mapping is to a page; valid for as long as the mapping is; and written only
        // through atomics: here and by the kernel.
        unsafe { AtomicU32::from_ptr(word.cast().as_ptr()) }
    }

    /// Where `len` bytes at `offset` begin.
    fn part(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len));
        // SAFETY: within the mapping.
        unsafe { self.base.add(offset) }.as_ptr()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with that length; whoever borrowed of it borrowed this.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// Slots of one length that follow each other, to send frames from in their order (`TPACKET_V2`).
///
/// The third layout has nothing for sending but a longer header.
pub struct TxRing {
    mapping: Mapping,
    slot_len: usize,
    slots: usize,
}

impl TxRing {
    /// A ring of `slots` slots. `slot_len` is a power of two, and so are the `slots`; all of it at least a page.
    ///
    /// # Errors
    /// `ENOMEM` if there is no memory for it, `EINVAL` for lengths that are none.
    pub fn new(socket: &Socket, slot_len: usize, slots: usize) -> io::Result<Self> {
        assert!(slot_len.is_power_of_two() && slots.is_power_of_two());
        packet::set_version(socket, TPACKET_V2)?;
        let len = slot_len * slots;
        // A slot must not lie across two blocks, and blocks are whole pages.
        let block_len = slot_len.max(BLOCK_LEN).min(len);
        let request = libc::tpacket_req {
            tp_block_size: block_len as libc::c_uint,
            tp_block_nr: (len / block_len) as libc::c_uint,
            tp_frame_size: slot_len as libc::c_uint,
            tp_frame_nr: slots as libc::c_uint,
        };
        packet::set(socket, libc::PACKET_TX_RING, &request)?;
        Ok(Self { mapping: Mapping::new(socket, len)?, slot_len, slots })
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Bytes from slot to slot.
    pub fn slot_len(&self) -> usize {
        self.slot_len
    }

    /// How many slots from `first` on are free, up to `most` and to the end of the ring.
    #[inline]
    pub fn free(&self, first: usize, most: usize) -> usize {
        let slots = (first..self.slots).take(most);
        slots.take_while(|&slot| self.status(slot) == libc::TP_STATUS_AVAILABLE).count()
    }

    /// Slots that were found [free](Self::free).
    ///
    /// # Panics
    /// If one is not: it is the kernel's.
    #[inline]
    pub fn lend(&mut self, first: usize, count: usize) -> &mut [u8] {
        assert_eq!(self.free(first, count), count, "these slots are the kernel's");
        let len = count * self.slot_len;
        let part = self.mapping.part(first * self.slot_len, len);
        // SAFETY: within the mapping, any bytes are values, and the kernel neither reads nor writes a slot that is
        // "available" ("TP_STATUS_AVAILABLE: Frame is available", packet_mmap.rst). Who borrows it cannot
        // offer it to the kernel meanwhile, which takes a borrow of this ring too.
        unsafe { std::slice::from_raw_parts_mut(part, len) }
    }

    /// Offers a free slot for sending: a frame of `len` bytes, its virtio header not counted.
    #[inline]
    pub fn offer(&mut self, slot: usize, len: usize) {
        const LEN_AT: usize = offset_of!(libc::tpacket2_hdr, tp_len);
        let len = (VIRTIO_HEADER_LEN + len) as u32;
        self.lend(slot, 1)[LEN_AT..LEN_AT + 4].copy_from_slice(&len.to_ne_bytes());
        self.word(slot).store(libc::TP_STATUS_SEND_REQUEST, Ordering::Release);
    }

    /// Whether the kernel took an offer, when it was last called. What it took is free again later.
    #[inline]
    pub fn is_taken(&self, slot: usize) -> bool {
        let status = self.status(slot);
        status != libc::TP_STATUS_SEND_REQUEST && status != libc::TP_STATUS_WRONG_FORMAT
    }

    /// Takes back an offer that the kernel did not take.
    pub fn take_back(&mut self, slot: usize) {
        assert!(!self.is_taken(slot), "the kernel has this slot");
        self.word(slot).store(libc::TP_STATUS_AVAILABLE, Ordering::Release);
    }

    /// Has the kernel send what is offered, as much as it takes without waiting.
    ///
    /// # Errors
    /// That of the first frame that was not taken, which stays offered; none is also possible though one was not.
    #[inline]
    pub fn send(&self, socket: &Socket) -> io::Result<()> {
        retry_interrupted(|| {
            // SAFETY: a null message of length 0 is what makes the kernel look into the ring, packet_mmap.rst; it
            // reads only slots that were offered, and no slice of them exists.
            let sent =
                unsafe { libc::send(socket.as_raw_fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT) };
            check(sent.clamp(-1, 0) as libc::c_int)
        })
        .map(drop)
    }

    fn word(&self, slot: usize) -> &AtomicU32 {
        self.mapping.status(slot * self.slot_len + offset_of!(libc::tpacket2_hdr, tp_status))
    }

    fn status(&self, slot: usize) -> u32 {
        self.word(slot).load(Ordering::Acquire)
    }
}

/// Bytes of a block: room for a few dozen datagrams and for the longest frame there is, 64 KiB of datagrams that the
/// kernel hands over as one. Larger ones would be read later, smaller ones cost more wake-ups.
const BLOCK_LEN: usize = 128 << 10;

/// A block that is not full is handed over after this many milliseconds; there is nothing shorter.
const RETIRE_AFTER_MS: libc::c_uint = 1;

/// Blocks into which the kernel puts what it receives, frame after frame (`TPACKET_V3`).
pub struct RxRing {
    mapping: Mapping,
    blocks: usize,
    /// The block that is ours, or will be next.
    current: usize,
    /// How many frames of it were not read yet, and where the next one is; `None` if the block is the kernel's.
    left: Option<(u32, usize)>,
    handed_over: u64,
}

/// A received frame: where it lies in its block, and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxFrame {
    /// First byte of it in the block.
    pub offset: usize,
    /// Its bytes.
    pub len: usize,
    /// When it was received, on the wall clock or, if `is_hardware`, by that of the network card.
    pub received_at: Nanos,
    /// Whether the time is the network card's.
    pub is_hardware: bool,
    /// Whether the network card found its checksum right, or will not find it wrong because it never was on a wire.
    pub has_no_damage: bool,
    /// If it is several datagrams, the payload bytes of each but the last; 0 otherwise.
    pub segment_len: u16,
}

impl RxRing {
    /// A ring of at least `len` bytes, and of at least two blocks. Its frames have virtio headers, which
    /// [`packet::set_virtio_headers`] must have switched on.
    ///
    /// # Errors
    /// `ENOMEM` if there is no memory for it, `EINVAL` if it is larger than any.
    pub fn new(socket: &Socket, len: usize) -> io::Result<Self> {
        packet::set_version(socket, TPACKET_V3)?;
        let blocks = len.div_ceil(BLOCK_LEN).max(2);
        let too_many = || io::Error::from_raw_os_error(libc::ENOMEM);
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK_LEN as libc::c_uint,
            tp_block_nr: blocks.try_into().map_err(|_| too_many())?,
            // Blocks are filled without regard to it, but the two must agree.
            tp_frame_size: BLOCK_LEN as libc::c_uint,
            tp_frame_nr: blocks.try_into().map_err(|_| too_many())?,
            tp_retire_blk_tov: RETIRE_AFTER_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        packet::set(socket, libc::PACKET_RX_RING, &request)?;
        let mapping = Mapping::new(socket, blocks * BLOCK_LEN)?;
        Ok(Self { mapping, blocks, current: 0, left: None, handed_over: 0 })
    }

    /// Bytes of all blocks.
    pub fn bytes(&self) -> usize {
        self.mapping.len
    }

    /// How many blocks the kernel has handed over so far.
    pub fn handed_over(&self) -> u64 {
        self.handed_over
    }

    /// Makes the next block that has frames ours, and gives one that was read back to the kernel. Says whether a
    /// block with frames to read is ours now.
    #[inline]
    pub fn turn(&mut self) -> bool {
        match self.left {
            Some((1.., _)) => return true,
            Some((0, _)) => {
                self.word().store(libc::TP_STATUS_KERNEL, Ordering::Release);
                self.left = None;
                self.current = (self.current + 1) % self.blocks;
            }
            None => {}
        }
        if self.word().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return false;
        }
        const COUNT_AT: usize = HEADER_AT + offset_of!(libc::tpacket_hdr_v1, num_pkts);
        const FIRST_AT: usize = HEADER_AT + offset_of!(libc::tpacket_hdr_v1, offset_to_first_pkt);
        self.handed_over += 1;
        self.left = Some((0, 0));
        let block = self.block();
        self.left = Some((u32_at(block, COUNT_AT), u32_at(block, FIRST_AT) as usize));
        self.left.is_some_and(|(left, _)| left > 0)
    }

    /// The block that is ours; empty if none is.
    #[inline]
    pub fn block(&self) -> &[u8] {
        if self.left.is_none() {
            return &[];
        }
        let part = self.mapping.part(self.current * BLOCK_LEN, BLOCK_LEN);
        // SAFETY: within the mapping, any bytes are values, and the kernel does not write to a block whose status
        // is "TP_STATUS_USER" until it is given back (packet_mmap.rst), which only `turn` does, through a
        // mutable borrow.
        unsafe { std::slice::from_raw_parts(part, BLOCK_LEN) }
    }

    /// The next frame of the block that is ours, if there is one.
    #[inline]
    pub fn next_frame(&mut self) -> Option<RxFrame> {
        let (left @ 1.., at) = self.left? else { return None };
        let header = self.block().get(at..)?;
        let field = |offset| u32_at(header, offset);
        let status = field(offset_of!(libc::tpacket3_hdr, tp_status));
        let next = field(offset_of!(libc::tpacket3_hdr, tp_next_offset)) as usize;
        let seconds = u64::from(field(offset_of!(libc::tpacket3_hdr, tp_sec)));
        let nanos = u64::from(field(offset_of!(libc::tpacket3_hdr, tp_nsec)));
        let frame_at = usize::from(u16_at(header, offset_of!(libc::tpacket3_hdr, tp_mac)));
        let virtio = header.get(frame_at.checked_sub(VIRTIO_HEADER_LEN)?..)?;
        let frame = RxFrame {
            offset: at + frame_at,
            len: field(offset_of!(libc::tpacket3_hdr, tp_snaplen)) as usize,
            received_at: Nanos(seconds * Nanos::SECOND.0 + nanos),
            is_hardware: status & libc::TP_STATUS_TS_RAW_HARDWARE != 0,
            has_no_damage: virtio[0] & (NEEDS_CHECKSUM | CHECKSUM_VALID) != 0,
            segment_len: if virtio[1] == NOT_SEGMENTED { 0 } else { u16_at(virtio, 4) },
        };
        self.left = Some((left - 1, at + next));
        Some(frame)
    }

    fn word(&self) -> &AtomicU32 {
        let status = HEADER_AT + offset_of!(libc::tpacket_hdr_v1, block_status);
        self.mapping.status(self.current * BLOCK_LEN + status)
    }
}

/// Where in a block its header begins: behind version and length of the private part.
const HEADER_AT: usize = offset_of!(libc::tpacket_block_desc, hdr);

/// Flags and kind of a `struct virtio_net_hdr` (virtio specification 1.2 section 5.1.6).
const NEEDS_CHECKSUM: u8 = 1;
const CHECKSUM_VALID: u8 = 2;
const NOT_SEGMENTED: u8 = 0;

/// A virtio header for a frame whose checksum is to be completed by whoever sends it: how much of the frame, its
/// headers at least, the kernel is to copy, and where in it the checksum begins and, from there, where it is put.
pub fn checksum_request(copied: usize, start: usize, put_at: usize) -> [u8; VIRTIO_HEADER_LEN] {
    let mut header = [0; VIRTIO_HEADER_LEN];
    header[0] = NEEDS_CHECKSUM;
    header[1] = NOT_SEGMENTED;
    header[2..4].copy_from_slice(&(copied as u16).to_ne_bytes());
    header[6..8].copy_from_slice(&(start as u16).to_ne_bytes());
    header[8..10].copy_from_slice(&(put_at as u16).to_ne_bytes());
    header
}

/// The number at `offset`; 0 beyond the end.
#[inline]
fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let number = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    number.map_or(0, |number| u32::from_ne_bytes(*number))
}

/// The number at `offset`; 0 beyond the end.
#[inline]
fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    let number = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    number.map_or(0, |number| u16::from_ne_bytes(*number))
}
