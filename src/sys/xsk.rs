//! Frames past most of the kernel: `AF_XDP` sockets, Documentation/networking/af_xdp.rst.
//!
//! A socket is bound to one queue of an interface and shares memory with it, cut into frames. Four rings say whose a
//! frame is:
//!
//! ```text
//!  to receive   we --fill--> kernel --receive--> we
//!  to send      we --send--> kernel --completion--> we
//! ```
//!
//! The rings are mapped here and not by a library because a sender must be able to say which descriptor the kernel
//! refused and to take back those behind it.

mod ring;

use super::sockopt::{self, Answer};
use super::{check, clock, retry_interrupted};
use crate::units::Nanos;
use ring::{Mapping, Ring};
use socket2::{Domain, Socket, Type};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What the kernel keeps free before each frame that it receives, bytes (`XDP_PACKET_HEADROOM`, `<linux/bpf.h>`).
pub const HEADROOM: usize = 256;

/// Where an `AF_XDP` socket is to be, and how large.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Index of the interface.
    pub interface: u32,
    /// Queue of the interface.
    pub queue: u32,
    /// Frames in its memory and in each of its rings; a power of two.
    pub frames: u32,
    /// Bytes of a frame: 2,048, or 4,096 where that is a page.
    pub frame_len: usize,
    /// Whether frames are always copied. Otherwise the driver moves them where they belong, if it can.
    pub copy: bool,
}

/// A socket with its memory, not yet with its rings.
struct Bare {
    // Before the memory: the kernel lets go of the memory when the socket is closed.
    socket: Socket,
    memory: Mapping,
    place: Place,
}

impl Bare {
    /// With room for so many bytes of requests before each frame that is sent.
    fn new(place: Place, request_len: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::from(libc::AF_XDP), Type::RAW.cloexec(), None)?;
        let memory = Mapping::of_process(place.frames as usize * place.frame_len)?;
        let registration = libc::xdp_umem_reg {
            addr: memory.start().as_ptr().expose_provenance() as u64,
            len: memory.len() as u64,
            chunk_size: place.frame_len as u32,
            headroom: 0,
            flags: if request_len > 0 { libc::XDP_UMEM_TX_METADATA_LEN } else { 0 },
            tx_metadata_len: request_len as u32,
        };
        let bare = Self { socket, memory, place };
        bare.set(libc::XDP_UMEM_REG, &registration)?;
        bare.set(libc::XDP_UMEM_FILL_RING, &place.frames)?;
        bare.set(libc::XDP_UMEM_COMPLETION_RING, &place.frames)?;
        Ok(bare)
    }

    fn set<T>(&self, option: i32, value: &T) -> io::Result<()> {
        sockopt::set(self.socket.as_fd(), libc::SOL_XDP, option, value)
    }

    fn get<T: Answer>(&self, option: i32) -> io::Result<T> {
        sockopt::get(self.socket.as_fd(), libc::SOL_XDP, option)
    }

    /// Binds the socket to its queue. A queue whose socket was closed is free only when a work queue of the kernel
    /// has got to it (xp_put_pool, net/xdp/xsk_buff_pool.c), so one that is taken is worth a second's wait.
    fn bind(&self) -> io::Result<()> {
        let give_up = clock::monotonic() + Nanos::SECOND;
        loop {
            match self.try_bind() {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    let now = clock::monotonic();
                    if now > give_up {
                        return Err(error);
                    }
                    clock::sleep_until(now + Nanos::MILLISECOND);
                }
                result => return result,
            }
        }
    }

    fn try_bind(&self) -> io::Result<()> {
        let Place { interface, queue, copy, .. } = self.place;
        let mode = if copy { libc::XDP_COPY } else { 0 };
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: libc::XDP_USE_NEED_WAKEUP | mode,
            sxdp_ifindex: interface,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: 0,
        };
        // SAFETY: pointer and length describe `address`, which outlives the call; bind only reads it.
        check(unsafe {
            libc::bind(
                self.socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_xdp>() as libc::socklen_t,
            )
        })
        .map(drop)
    }

    fn is_zero_copy(&self) -> io::Result<bool> {
        let options: libc::xdp_options = self.get(libc::XDP_OPTIONS)?;
        Ok(options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0)
    }
}

/// Whether this kernel has such sockets and this process may open them.
///
/// # Errors
/// `EPERM` without `CAP_NET_RAW`, `EAFNOSUPPORT` if it has none.
pub fn is_known() -> io::Result<()> {
    Socket::new(Domain::from(libc::AF_XDP), Type::RAW.cloexec(), None).map(drop)
}

// SAFETY: plain integers of 64 bits.
unsafe impl Answer for libc::xdp_mmap_offsets {}
// SAFETY: one integer.
unsafe impl Answer for libc::xdp_options {}
// SAFETY: plain integers of 64 bits.
unsafe impl Answer for libc::xdp_statistics {}

/// Receives the frames of one queue that a program redirects to it.
pub struct Receiver {
    receive: Ring<libc::xdp_desc>,
    fill: Ring<u64>,
    bare: Bare,
    zero_copy: bool,
    /// Descriptors at the front of the receive ring whose frames are lent.
    lent: u32,
}

impl Receiver {
    /// Opens a socket that gets nothing before a program redirects frames to it.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`; `ENOBUFS` if the memory may not be locked, `ENOMEM` if there is not enough;
    /// `EINVAL` if there is no such queue; `EBUSY` if another socket has it.
    pub fn open(place: Place) -> io::Result<Self> {
        let bare = Bare::new(place, 0)?;
        bare.set(libc::XDP_RX_RING, &place.frames)?;
        let offsets: libc::xdp_mmap_offsets = bare.get(libc::XDP_MMAP_OFFSETS)?;
        let socket = bare.socket.as_fd();
        let map = libc::XDP_UMEM_PGOFF_FILL_RING as libc::off_t;
        let mut fill = Ring::map(socket, place.frames, map, &offsets.fr)?;
        let receive = Ring::map(socket, place.frames, libc::XDP_PGOFF_RX_RING, &offsets.rx)?;
        for frame in 0..place.frames {
            fill.set(frame, u64::from(frame) * place.frame_len as u64);
        }
        fill.publish(place.frames);
        bare.bind()?;
        Ok(Self { receive, fill, zero_copy: bare.is_zero_copy()?, bare, lent: 0 })
    }

    /// Gives back the frames that were lent and lends those that came since, at most `most`. Says how many.
    #[inline]
    pub fn receive(&mut self, most: usize) -> usize {
        let frame_mask = !(self.bare.place.frame_len as u64 - 1);
        for index in 0..self.lent {
            // There is room: the ring holds as many as there are frames.
            self.fill.set(index, self.receive.get(index).addr & frame_mask);
        }
        if self.lent > 0 {
            self.receive.release(self.lent);
            self.fill.publish(self.lent);
        }
        if self.fill.needs_wakeup() {
            self.wake();
        }
        self.lent = self.receive.readable().min(most as u32);
        self.lent as usize
    }

    /// Where in [`Receiver::memory`] the `index`-th lent frame is: its first byte and its length.
    #[inline]
    pub fn frame(&self, index: usize) -> (usize, usize) {
        let descriptor = self.receive.get(index as u32);
        (descriptor.addr as usize, descriptor.len as usize)
    }

    /// The memory with all frames. Those that are not lent are the kernel's, and what is in them may change.
    #[inline]
    pub fn memory(&self) -> &[u8] {
        // SAFETY: start and length are those of the mapping, which lives as long as `self`. Frames that are lent
        // change only when `receive` is called, which takes `&mut self`. The others may change at any time, by the
        // kernel's hand; bytes have no invalid values, and nobody has a reason to read them.
        unsafe {
            std::slice::from_raw_parts(self.bare.memory.start().as_ptr(), self.bare.memory.len())
        }
    }

    /// Frames that were redirected to this socket and that it had no room for, or that are longer than its frames.
    /// Only those of the fill ring running dry in the driver are not among them: the network card counts them.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn dropped(&self) -> io::Result<u64> {
        let statistics: libc::xdp_statistics = self.bare.get(libc::XDP_STATISTICS)?;
        // A frame for which there was no room in the memory counts as dropped *and* as a fill ring that was empty
        // (__xsk_rcv, net/xdp/xsk.c), so the latter is not added.
        Ok(statistics.rx_dropped + statistics.rx_ring_full)
    }

    /// Whether the driver puts frames where they belong, without a copy.
    pub fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// Whether the interface is gone, for good: it reports that once, to whoever asks first.
    ///
    /// # Errors
    /// `ENETDOWN` if it is (xsk_notifier, net/xdp/xsk.c).
    pub fn check(&self) -> io::Result<()> {
        self.bare.socket.take_error()?.map_or(Ok(()), Err)
    }

    /// Asks the driver to go on; whether it did shows in what comes.
    fn wake(&self) {
        // SAFETY: no buffer is given.
        unsafe {
            libc::recvfrom(
                self.bare.socket.as_raw_fd(),
                std::ptr::null_mut(),
                0,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        };
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bare.socket.as_fd()
    }
}

/// Sends frames by one queue.
pub struct Sender {
    send: Ring<libc::xdp_desc>,
    completion: Ring<u64>,
    bare: Bare,
    zero_copy: bool,
    completes_checksums: bool,
    /// Whether the kernel has a frame.
    busy: Box<[bool]>,
    in_flight: usize,
    /// The first of the frames that are lent, or lent next.
    next: usize,
    lent: usize,
}

impl Sender {
    /// Opens a socket for frames that need no program.
    ///
    /// # Errors
    /// As for [`Receiver::open`].
    pub fn open(place: Place) -> io::Result<Self> {
        let (bare, takes_requests) = match Bare::new(place, REQUEST_LEN) {
            Ok(bare) => (bare, true),
            // Before Linux 6.11 there are none.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                (Bare::new(place, 0)?, false)
            }
            Err(error) => return Err(error),
        };
        bare.set(libc::XDP_TX_RING, &place.frames)?;
        let offsets: libc::xdp_mmap_offsets = bare.get(libc::XDP_MMAP_OFFSETS)?;
        let socket = bare.socket.as_fd();
        let map = libc::XDP_UMEM_PGOFF_COMPLETION_RING as libc::off_t;
        let completion = Ring::map(socket, place.frames, map, &offsets.cr)?;
        let send = Ring::map(socket, place.frames, libc::XDP_PGOFF_TX_RING, &offsets.tx)?;
        bare.bind()?;
        let zero_copy = bare.is_zero_copy()?;
        Ok(Self {
            send,
            completion,
            zero_copy,
            completes_checksums: takes_requests && !zero_copy,
            bare,
            busy: vec![false; place.frames as usize].into(),
            in_flight: 0,
            next: 0,
            lent: 0,
        })
    }

    /// Lends up to `want` frames that follow each other, in [`Sender::frames`]. Says how many there are; none, if
    /// the kernel has them all.
    #[inline]
    pub fn lend(&mut self, want: usize) -> usize {
        self.reap();
        // Frames used a moment ago are still in the cache.
        if self.in_flight == 0 || self.next == self.busy.len() {
            self.next = 0;
        }
        let free = self.busy[self.next..].iter().take(want).take_while(|busy| !**busy);
        self.lent = free.count();
        self.lent
    }

    /// The frames that are lent.
    #[inline]
    pub fn frames(&mut self) -> &mut [u8] {
        let frame_len = self.bare.place.frame_len;
        // SAFETY: the lent frames lie within the mapping.
        let first = unsafe { self.bare.memory.start().add(self.next * frame_len) };
        // SAFETY: as above, and the mapping lives as long as `self`. The kernel has none of these frames: `lend`
        // counted only such, and `push` and `lend` take `&mut self`.
        unsafe { std::slice::from_raw_parts_mut(first.as_ptr(), self.lent * frame_len) }
    }

    /// Hands the first lent frames to the kernel, each with where in it the bytes to send are: the first, and how
    /// many. The others are not lent any more either.
    #[inline]
    pub fn push(&mut self, frames: impl Iterator<Item = (usize, usize)>) {
        let options = if self.completes_checksums { libc::XDP_TX_METADATA } else { 0 };
        let mut count = 0;
        for (start, len) in frames.take(self.lent) {
            let frame = self.next + count;
            self.send.set(
                count as u32,
                libc::xdp_desc {
                    addr: (frame * self.bare.place.frame_len + start) as u64,
                    len: len as u32,
                    options,
                },
            );
            self.busy[frame] = true;
            count += 1;
        }
        self.send.publish(count as u32);
        self.in_flight += count;
        self.next += count;
        self.lent = 0;
    }

    /// Frames in the ring that the kernel has not looked at yet.
    #[inline]
    pub fn unread(&self) -> usize {
        self.send.unread() as usize
    }

    /// Has the kernel look at the ring, if it does not do so by itself. When frames are copied it takes no more than
    /// 32 of them and then answers `EAGAIN`.
    ///
    /// # Errors
    /// `EAGAIN` if it should be asked again, perhaps after frames came back; `EBUSY` if the device dropped the frame
    /// that the kernel took last; `ENETDOWN` if the interface is down, `ENXIO` if it is gone.
    #[inline]
    pub fn kick(&mut self) -> io::Result<()> {
        if !self.send.needs_wakeup() {
            return Ok(());
        }
        retry_interrupted(|| {
            // SAFETY: no buffer and no address are given.
            let sent = unsafe {
                libc::sendto(
                    self.bare.socket.as_raw_fd(),
                    std::ptr::null(),
                    0,
                    libc::MSG_DONTWAIT,
                    std::ptr::null(),
                    0,
                )
            };
            check(sent as libc::c_int)
        })
        .map(drop)
    }

    /// Takes back the frames in the ring that the kernel has not looked at. Says how many. Their descriptors stay
    /// until it has, as ones that it will pass over because they lead nowhere. Not for [`Sender::is_zero_copy`]:
    /// there the driver may be looking just now.
    pub fn withdraw(&mut self) -> usize {
        let mut withdrawn = 0;
        for back in 1..=self.send.unread() {
            let behind = 0u32.wrapping_sub(back);
            let addr = self.send.get(behind).addr;
            if addr != NOWHERE.addr {
                self.give_back(addr);
                self.send.set(behind, NOWHERE);
                withdrawn += 1;
            }
        }
        withdrawn
    }

    /// Whether the driver takes frames where they are, without a copy.
    pub fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// Whether each frame needs a [`checksum_request`] before it. Without a copy not every driver would heed it.
    pub fn completes_checksums(&self) -> bool {
        self.completes_checksums
    }

    /// Takes back what was sent.
    #[inline]
    pub fn reap(&mut self) {
        let done = self.completion.readable();
        for index in 0..done {
            self.give_back(self.completion.get(index));
        }
        if done > 0 {
            self.completion.release(done);
        }
    }

    #[inline]
    fn give_back(&mut self, addr: u64) {
        // Some kernels complete a descriptor that they passed over, some do not.
        if let Some(busy) = self.busy.get_mut(addr as usize / self.bare.place.frame_len) {
            *busy = false;
            self.in_flight -= 1;
        }
    }
}

/// Bytes of a request before a frame: flags and what belongs to them, `struct xsk_tx_metadata` of `<linux/if_xdp.h>`.
pub const REQUEST_LEN: usize = 16;

/// Asks the kernel to see to it that a checksum is completed: over all from `start` in the frame to its end, to be put
/// `offset` bytes behind `start`. Documentation/networking/xsk-tx-metadata.rst.
pub fn checksum_request(start: usize, offset: usize) -> [u8; REQUEST_LEN] {
    let mut request = [0; REQUEST_LEN];
    request[..8].copy_from_slice(&u64::from(libc::XDP_TXMD_FLAGS_CHECKSUM).to_ne_bytes());
    request[8..10].copy_from_slice(&(start as u16).to_ne_bytes());
    request[10..12].copy_from_slice(&(offset as u16).to_ne_bytes());
    request
}

/// A descriptor that the kernel passes over: it leads beyond the memory and has no length.
const NOWHERE: libc::xdp_desc = libc::xdp_desc { addr: u64::MAX, len: 0, options: 0 };
