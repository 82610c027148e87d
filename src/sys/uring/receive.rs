//! Receives through a ring: one request a socket that stays, and buffers that the kernel picks from.
//!
//! ```text
//! buffer  | io_uring_recvmsg_out | sockaddr | control messages | payload
//!           16                     32         160                65,536
//! ```

use super::{MAX_BATCH, Ring};
use io_uring::cqueue;
use io_uring::opcode::RecvMsgMulti;
use io_uring::types::Fixed;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Bytes of a `struct io_uring_recvmsg_out`.
const OUT_LEN: usize = 16;

/// Room for a `sockaddr_in6` (28), rounded up.
const NAME_LEN: usize = 32;

/// Room for the control messages of one datagram, as for `recvmmsg`.
const CONTROL_LEN: usize = 160;

/// Longest UDP payload over IPv4 is 65,507 bytes, over IPv6 a little more; no datagram is ever cut.
const PAYLOAD_LEN: usize = 65_536;

/// First byte of the payload.
const PAYLOAD_AT: usize = OUT_LEN + NAME_LEN + CONTROL_LEN;

/// From one buffer to the next. An odd number of cache lines, which keeps buffers from falling into the same sets.
const STRIDE: usize = (PAYLOAD_AT + PAYLOAD_LEN).next_multiple_of(128) + 64;

/// The one group of buffers of a ring.
const GROUP: u16 = 0;

/// A ring that receives from sockets.
pub struct ReceiveRing {
    // Before the buffers, so that it is closed when they go.
    ring: Ring,
    buffers: Buffers,
    /// What the requests ask for; only the two lengths are read.
    template: Box<libc::msghdr>,
    /// Sockets whose request has ended and must be made anew.
    idle: Vec<u16>,
    arrivals: Vec<Arrival>,
    capacity: usize,
}

/// A datagram in a buffer.
#[derive(Clone, Copy)]
struct Arrival {
    socket: u16,
    buffer: u16,
}

/// A received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Index of the socket.
    pub socket: usize,
    /// First byte of the payload in [`ReceiveRing::arena`].
    pub offset: usize,
    /// Bytes of payload.
    pub len: usize,
    /// Who sent it; `None` for a family that is not IP.
    pub source: Option<SocketAddr>,
    /// Control messages, for [`crate::sys::cmsg::control_messages`].
    pub control: &'a [u8],
}

// SAFETY: the raw pointers of `template` are null.
unsafe impl Send for ReceiveRing {}

impl ReceiveRing {
    /// For at most `capacity` datagrams a call from `sockets`.
    ///
    /// # Errors
    /// Those of io_uring_setup(2) and io_uring_register(2): `ENOMEM` beyond the limit of locked memory.
    pub fn new<'a>(
        sockets: impl ExactSizeIterator<Item = BorrowedFd<'a>>,
        capacity: usize,
    ) -> io::Result<Self> {
        let capacity = capacity.clamp(1, MAX_BATCH);
        let requests = sockets.len();
        let buffers = Buffers::new(capacity);
        // Each completion either fills a buffer or ends a request.
        let ring = Ring::new(requests, buffers.count() + requests, sockets)?;
        // SAFETY: the entries stay where they are for as long as the ring, which goes first.
        unsafe {
            ring.ring.submitter().register_buf_ring_with_flags(
                buffers.address(),
                buffers.count() as u16,
                GROUP,
                0,
            )
        }?;
        // SAFETY: msghdr is integers and raw pointers, for which all zeroes (null) is a value.
        let mut template: Box<libc::msghdr> = Box::new(unsafe { zeroed() });
        template.msg_namelen = NAME_LEN as libc::socklen_t;
        template.msg_controllen = CONTROL_LEN;
        Ok(Self {
            ring,
            buffers,
            template,
            idle: (0..requests as u16).collect(),
            arrivals: Vec::with_capacity(capacity),
            capacity,
        })
    }

    /// Takes what came, up to `capacity` datagrams; if nothing did, waits for some, at most for `wait`. What was
    /// taken before is gone. Says whether the kernel had to be called.
    ///
    /// # Errors
    /// Those of io_uring_enter(2) and of recvmsg(2), but not `ENETDOWN`: a link may come back.
    #[inline]
    pub fn receive(&mut self, wait: Duration) -> io::Result<bool> {
        for arrival in self.arrivals.drain(..) {
            self.buffers.give(arrival.buffer);
        }
        self.buffers.publish();
        if self.take()? {
            return Ok(false);
        }
        self.ask();
        if self.ring.has_work() {
            self.ring.enter(0, Duration::ZERO)?;
            if self.take()? {
                return Ok(true);
            }
        }
        if !wait.is_zero() {
            self.ask();
            self.ring.enter(1, wait)?;
            self.take()?;
        }
        Ok(true)
    }

    /// How many datagrams were taken last.
    pub fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Whether none were.
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// Where payloads lie.
    pub fn arena(&self) -> &[u8] {
        &self.buffers.arena
    }

    /// The `index`-th datagram taken last.
    #[inline]
    pub fn received(&self, index: usize) -> Received<'_> {
        let Arrival { socket, buffer } = self.arrivals[index];
        let offset = usize::from(buffer) * STRIDE;
        let (head, _) = self.buffers.arena[offset..].split_at(PAYLOAD_AT);
        let (out, head) = head.split_at(OUT_LEN);
        let (name, control) = head.split_at(NAME_LEN);
        // `struct io_uring_recvmsg_out` of <linux/io_uring.h>: lengths of the name, of the control messages and of the
        // payload. They may be longer than what there was room for.
        let mut lens = out
            .chunks_exact(size_of::<u32>())
            .map(|bytes| bytes.try_into().map_or(0, |bytes| u32::from_ne_bytes(bytes) as usize));
        let mut len = |room: usize| lens.next().map_or(0, |len| len.min(room));
        Received {
            socket: socket.into(),
            source: socket_addr(&name[..len(NAME_LEN)]),
            control: &control[..len(CONTROL_LEN)],
            offset: offset + PAYLOAD_AT,
            len: len(PAYLOAD_LEN),
        }
    }

    /// Asks each socket that is not asked for all that will come.
    fn ask(&mut self) {
        while let Some(&socket) = self.idle.last() {
            let request = RecvMsgMulti::new(Fixed(socket.into()), &raw const *self.template, GROUP);
            let request = request.build().user_data(socket.into());
            // SAFETY: the template stays in its box for as long as the ring, which goes first; its lengths are those
            // that the buffers have room for.
            if !unsafe { self.ring.push(&request) } {
                break;
            }
            self.idle.pop();
        }
    }

    /// Takes completions. Says whether there were datagrams.
    #[inline]
    fn take(&mut self) -> io::Result<bool> {
        for completion in self.ring.completions() {
            let socket = completion.user_data() as u16;
            if !cqueue::more(completion.flags()) {
                self.idle.push(socket);
            }
            match (cqueue::buffer_select(completion.flags()), completion.result()) {
                (Some(buffer), len) if len >= 0 => {
                    self.arrivals.push(Arrival { socket, buffer });
                    if self.arrivals.len() == self.capacity {
                        break;
                    }
                }
                // Buffers ran out, which are back now; or the link is down, which every socket tells once.
                (_, error) if error == -libc::ENOBUFS || error == -libc::ENETDOWN => {}
                (_, error) => return Err(io::Error::from_raw_os_error(-error)),
            }
        }
        Ok(!self.arrivals.is_empty())
    }
}

/// Buffers and the ring through which the kernel gets them: `io_uring_register_buf_ring(3)`.
struct Buffers {
    entries: Box<Entries>,
    arena: Box<[u8]>,
    /// Entries ever written.
    tail: u16,
}

/// Most entries, twice [`MAX_BATCH`], as 64 KiB: no page is larger, and the ring must start on one.
#[repr(C, align(65536))]
struct Entries([Entry; 2 * MAX_BATCH]);

/// `struct io_uring_buf` of `<linux/io_uring.h>`. Where the first has its reserved bytes, the tail of the ring lies.
#[repr(C)]
#[derive(Default)]
struct Entry {
    address: u64,
    len: u32,
    buffer: u16,
    tail: AtomicU16,
}

impl Buffers {
    /// Twice as many as are taken at a time, so that the kernel can go on while they are read.
    fn new(capacity: usize) -> Self {
        let count = (2 * capacity).next_power_of_two();
        let mut buffers = Self {
            entries: Box::new(Entries(std::array::from_fn(|_| Entry::default()))),
            arena: vec![0; count * STRIDE].into(),
            tail: 0,
        };
        (0..count as u16).for_each(|buffer| buffers.give(buffer));
        buffers.publish();
        buffers
    }

    fn count(&self) -> usize {
        self.arena.len() / STRIDE
    }

    fn address(&self) -> u64 {
        (&raw const *self.entries).expose_provenance() as u64
    }

    /// Writes the entry of a buffer that the kernel may fill once it is published.
    #[inline]
    fn give(&mut self, buffer: u16) {
        let mask = self.count() - 1;
        let start = self.arena.as_mut_ptr().expose_provenance() + usize::from(buffer) * STRIDE;
        let entry = &mut self.entries.0[usize::from(self.tail) & mask];
        entry.address = start as u64;
        entry.len = (PAYLOAD_AT + PAYLOAD_LEN) as u32;
        entry.buffer = buffer;
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see all entries that were written.
    #[inline]
    fn publish(&self) {
        self.entries.0[0].tail.store(self.tail, Ordering::Release);
    }
}

/// Reads a `sockaddr_in` (ip(7)) or a `sockaddr_in6` (ipv6(7)).
#[inline]
fn socket_addr(name: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = name.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let ip: &[u8; 4] = rest.first_chunk()?;
            Some(SocketAddr::from((Ipv4Addr::from(*ip), port)))
        }
        libc::AF_INET6 => {
            // Behind sin6_flowinfo.
            let ip: &[u8; 16] = rest.get(4..)?.first_chunk()?;
            Some(SocketAddr::from((Ipv6Addr::from(*ip), port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    /// More datagrams than buffers: the request ends for want of them and is made anew.
    #[test]
    fn goes_on_when_buffers_ran_out() {
        const COUNT: u8 = 200;
        let receivers = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..COUNT {
            for (socket, receiver) in (0..).zip(&receivers) {
                sender.send_to(&[socket, number], receiver.local_addr().unwrap()).unwrap();
            }
        }
        let mut ring = ReceiveRing::new(receivers.iter().map(AsFd::as_fd), 3).unwrap();
        let mut next = [0; 2];
        while next != [COUNT; 2] {
            ring.receive(Duration::from_secs(5)).unwrap();
            assert!((1..=3).contains(&ring.len()), "{} after {next:?}", ring.len());
            for index in 0..ring.len() {
                let Received { socket, offset, len, source, control } = ring.received(index);
                assert_eq!((source, control), (Some(sender.local_addr().unwrap()), &[][..]));
                assert_eq!(ring.arena()[offset..offset + len], [socket as u8, next[socket]]);
                next[socket] += 1;
            }
        }
        ring.receive(Duration::ZERO).unwrap();
        assert!(ring.is_empty());
    }

    #[test]
    fn names_of_both_families() {
        let name = |address: &str| {
            let address = socket2::SockAddr::from(address.parse::<SocketAddr>().unwrap());
            // SAFETY: an address has `len` initialised bytes.
            let bytes = unsafe {
                std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), address.len() as usize)
            };
            bytes.to_vec()
        };
        for address in ["192.0.2.7:5777", "[ff15::7]:258"] {
            let name = name(address);
            assert_eq!(socket_addr(&name), Some(address.parse().unwrap()));
            assert_eq!(socket_addr(&name[..7]), None, "cut off");
        }
        assert_eq!(socket_addr(&[]), None);
        assert_eq!(socket_addr(&[0; 28]), None, "no family");
    }
}
