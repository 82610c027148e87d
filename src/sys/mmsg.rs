//! Many datagrams a system call: `sendmmsg(2)`, `recvmmsg(2)`.
//!
//! The arrays that the kernel reads are allocated once. Their pointers are filled anew before each call from
//! slices that are borrowed for it, so none of them outlives what it points to.

use super::{check, retry_interrupted};
use socket2::SockAddr;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// "The value specified in vlen is capped to UIO_MAXIOV (1024)", sendmmsg(2).
pub const MAX_BATCH: usize = 1024;

/// Room for the control messages of one datagram: timestamps (32, with the network card's 64), an IPv6 destination
/// (40), a count of drops (24), and slack.
const CONTROL_LEN: usize = 160;

/// Room for the control messages of what is sent: the length of its segments (24) and its time (24).
const SEND_CONTROL_LEN: usize = 48;

/// Arrays for sending up to a batch of messages with one call.
pub struct SendBatch {
    headers: Box<[libc::mmsghdr]>,
    slices: Box<[libc::iovec]>,
    controls: Box<[Control<SEND_CONTROL_LEN>]>,
}

/// A message to send: a datagram, or several that the kernel cuts apart.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its bytes.
    pub payload: &'a [u8],
    /// Where to.
    pub to: &'a SockAddr,
    /// Bytes of each datagram but the last, which may be shorter (`UDP_SEGMENT`, udp(7)); 0: it is just one.
    pub segment_len: u16,
    /// When the queueing discipline is to let it go, on the socket's clock (`SCM_TXTIME`); `None`: at once.
    pub leave_at: Option<u64>,
}

/// Arrays for receiving up to a batch of datagrams with one call.
pub struct ReceiveBatch {
    headers: Box<[libc::mmsghdr]>,
    slices: Box<[libc::iovec]>,
    sources: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control<CONTROL_LEN>]>,
}

/// Control buffer, aligned as its headers want it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control<const LEN: usize>([u8; LEN]);

impl<const LEN: usize> Control<LEN> {
    /// Writes a message at `at` and says where the next one goes, cmsg(3).
    #[inline]
    fn write<const N: usize>(&mut self, at: usize, level: i32, kind: i32, data: [u8; N]) -> usize {
        const HEADER: usize = size_of::<libc::cmsghdr>();
        let len = HEADER + N;
        self.0[at..at + 8].copy_from_slice(&len.to_ne_bytes());
        self.0[at + 8..at + 12].copy_from_slice(&level.to_ne_bytes());
        self.0[at + 12..at + HEADER].copy_from_slice(&kind.to_ne_bytes());
        self.0[at + HEADER..at + len].copy_from_slice(&data);
        at + len.next_multiple_of(size_of::<usize>())
    }
}

// SAFETY: the raw pointers within are written and read only inside `send`, from borrows that it holds.
unsafe impl Send for SendBatch {}
// SAFETY: the raw pointers within are written and read only inside `receive`, which takes `&mut self`; they
// point into the boxes beside them or into a slice that `receive` borrows.
unsafe impl Send for ReceiveBatch {}

impl SendBatch {
    /// For at most `capacity` messages a call.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.min(MAX_BATCH);
        Self {
            headers: empty_headers(capacity),
            slices: empty_slices(capacity),
            controls: vec![Control([0; SEND_CONTROL_LEN]); capacity].into(),
        }
    }

    /// Sends the messages in one call and says how many the kernel took.
    ///
    /// # Errors
    /// "An error is returned only if no datagrams could be sent", sendmmsg(2): the error of the first one.
    #[inline]
    pub fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        messages: impl Iterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        let mut count = 0;
        let parts = self.slices.iter_mut().zip(&mut self.controls);
        for ((message, header), (slice, control)) in messages.zip(&mut self.headers).zip(parts) {
            let Outgoing { payload, to, segment_len, leave_at } = message;
            slice.iov_base = payload.as_ptr().cast_mut().cast();
            slice.iov_len = payload.len();
            let header = &mut header.msg_hdr;
            header.msg_name = to.as_ptr().cast_mut().cast();
            header.msg_namelen = to.len();
            header.msg_iov = slice;
            header.msg_iovlen = 1;
            let mut len = 0;
            if segment_len > 0 {
                let data = segment_len.to_ne_bytes();
                len = control.write(len, libc::SOL_UDP, libc::UDP_SEGMENT, data);
            }
            if let Some(at) = leave_at {
                len = control.write(len, libc::SOL_SOCKET, libc::SCM_TXTIME, at.to_ne_bytes());
            }
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = len;
            count += 1;
        }
        let sent = retry_interrupted(|| {
            // SAFETY: the first `count` headers each point to one iovec and one control buffer of ours, with their
            // true lengths, through the iovec to a payload, and to an address; payloads and addresses are borrowed
            // for `'a`, which outlives this call, and sendmmsg only reads them. `count` is at most the length of
            // the array.
            check(unsafe {
                libc::sendmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count, 0)
            })
        })?;
        Ok(sent as usize)
    }
}

/// A received datagram, but for its payload.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Bytes of payload in its slot.
    pub len: usize,
    /// Who sent it; `None` for a family that is not IP.
    pub source: Option<SocketAddr>,
    /// Control messages, for [`super::cmsg::control_messages`].
    pub control: &'a [u8],
}

impl ReceiveBatch {
    /// For at most `capacity` datagrams a call.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.min(MAX_BATCH);
        // SAFETY: sockaddr_storage is plain integers and byte arrays, for which all zeroes is a value.
        let no_source: libc::sockaddr_storage = unsafe { zeroed() };
        Self {
            headers: empty_headers(capacity),
            slices: empty_slices(capacity),
            sources: vec![no_source; capacity].into(),
            controls: vec![Control([0; CONTROL_LEN]); capacity].into(),
        }
    }

    /// Receives what is there, without waiting, into slots of `stride` bytes that follow each other in
    /// `arena`. Says how many came.
    ///
    /// # Errors
    /// Those of recvmmsg(2); `WouldBlock` when nothing is there.
    #[inline]
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        arena: &mut [u8],
        stride: usize,
    ) -> io::Result<usize> {
        let mut count = 0;
        let slots = arena.chunks_exact_mut(stride).zip(&mut self.headers);
        let parts = self.slices.iter_mut().zip(&mut self.sources).zip(&mut self.controls);
        for ((slot, header), ((slice, source), control)) in slots.zip(parts) {
            slice.iov_base = slot.as_mut_ptr().cast();
            slice.iov_len = slot.len();
            let header = &mut header.msg_hdr;
            header.msg_name = (&raw mut *source).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = slice;
            header.msg_iovlen = 1;
            // The kernel overwrites both lengths with what it used, so they are set anew every time.
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_LEN;
            count += 1;
        }
        let received = retry_interrupted(|| {
            // SAFETY: the first `count` headers point to distinct iovecs, addresses and control buffers of
            // ours, with their true lengths, and the iovecs to distinct slots of `arena`; all are mutably
            // borrowed for this call. "msg_len ... number of bytes returned", recvmmsg(2), never exceeds them.
            check(unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    count,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            })
        })?;
        Ok(received as usize)
    }

    /// The `index`-th datagram of the last call that succeeded; its payload lies in the `index`-th slot.
    #[inline]
    pub fn received(&self, index: usize) -> Received<'_> {
        let header = &self.headers[index];
        let control = &self.controls[index].0;
        Received {
            len: header.msg_len as usize,
            source: socket_addr(&self.sources[index]),
            control: &control[..control.len().min(header.msg_hdr.msg_controllen)],
        }
    }
}

fn empty_headers(capacity: usize) -> Box<[libc::mmsghdr]> {
    // SAFETY: mmsghdr is integers and raw pointers, for which all zeroes (null) is a value.
    (0..capacity).map(|_| unsafe { zeroed() }).collect()
}

fn empty_slices(capacity: usize) -> Box<[libc::iovec]> {
    vec![libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; capacity].into()
}

#[inline]
pub(super) fn socket_addr(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the kernel wrote a sockaddr_in ("ss_family ... AF_INET", ip(7)); sockaddr_storage is at
            // least as large and as aligned (RFC 3493 section 3.10).
            let address = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(address.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, with sockaddr_in6 (ipv6(7)).
            let address = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            Some(SocketAddr::new(IpAddr::V6(ip), u16::from_be(address.sin6_port)))
        }
        _ => None,
    }
}
