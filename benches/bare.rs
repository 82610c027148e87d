//! The least that a batch of datagrams can cost over plain sockets: headers made once, the same bytes again and
//! again, nothing written into them and nothing looked at. What an engine adds to this is its own.
#![allow(unsafe_code)]

pub(crate) mod packet;
pub(crate) mod uring;
pub(crate) mod xdp;

use mcast_bench::net::socket::{Launch, SenderOptions};
use socket2::{SockAddr, Socket};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};

/// How all of them send: IPv4, at once, heard on this host too.
#[allow(dead_code, reason = "not every bench sends")]
pub(crate) fn options(interface: u32) -> SenderOptions {
    SenderOptions {
        interface,
        source: None,
        source_port: 0,
        v6: false,
        both: false,
        ttl: 1,
        loopback: true,
        dscp: 0,
        launch: Launch::AtOnce,
    }
}

/// Headers, slices and payloads of one batch; the pointers between them stay valid because nothing is moved out
/// of its box.
pub(crate) struct Batch {
    headers: Box<[libc::mmsghdr]>,
    _slices: Box<[libc::iovec]>,
    _payloads: Box<[u8]>,
    _destination: Box<SockAddr>,
    socket: OwnedFd,
}

impl Batch {
    /// `count` payloads of `len` bytes; sent to `destination`, or received.
    pub(crate) fn new(
        socket: &Socket,
        count: usize,
        len: usize,
        destination: Option<SockAddr>,
    ) -> Self {
        let mut payloads = vec![0u8; count * len].into_boxed_slice();
        let mut slices: Box<[libc::iovec]> = payloads
            .chunks_exact_mut(len)
            .map(|payload| libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: len })
            .collect();
        let to_send = destination.is_some();
        let any = SockAddr::from(std::net::SocketAddr::from(([0, 0, 0, 0], 0)));
        let destination = Box::new(destination.unwrap_or(any));
        let headers = slices
            .iter_mut()
            .map(|slice| {
                // SAFETY: mmsghdr is integers and raw pointers, for which all zeroes (null) is a value.
                let mut header: libc::mmsghdr = unsafe { zeroed() };
                header.msg_hdr.msg_iov = slice;
                header.msg_hdr.msg_iovlen = 1;
                if to_send {
                    header.msg_hdr.msg_name = destination.as_ptr().cast_mut().cast();
                    header.msg_hdr.msg_namelen = destination.len();
                }
                header
            })
            .collect();
        let socket = socket.try_clone().expect("a socket can be doubled").into();
        Self { headers, _slices: slices, _payloads: payloads, _destination: destination, socket }
    }

    /// One `sendmmsg`. Says how many left.
    #[allow(dead_code, reason = "each bench uses one of the two")]
    pub(crate) fn send(&mut self) -> io::Result<usize> {
        let count = self.headers.len() as u32;
        // SAFETY: the headers point to slices, payloads and an address that live in boxes beside them.
        let sent =
            unsafe { libc::sendmmsg(self.socket.as_raw_fd(), self.headers.as_mut_ptr(), count, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// One `recvmmsg` that does not wait. Says how many came.
    #[allow(dead_code, reason = "each bench uses one of the two")]
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        let count = self.headers.len() as u32;
        // SAFETY: as above; the payloads are written to by the kernel alone while it is called.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }
}
