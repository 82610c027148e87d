//! The least that a batch of datagrams can cost through `io_uring`: each request for itself, the same bytes again and
//! again, neither names nor control messages, nothing looked at.

use io_uring::types::Fixed;
use io_uring::{IoUring, cqueue, opcode};
use socket2::{SockAddr, Socket};
use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

/// A ring of one socket, for the thread that opens it.
fn ring(socket: &Socket, completions: usize) -> io::Result<IoUring> {
    let ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_cqsize(completions as u32)
        .build(completions as u32)?;
    ring.submitter().register_files(&[socket.as_raw_fd()])?;
    Ok(ring)
}

/// Sends one batch again and again.
pub(crate) struct Sender {
    ring: IoUring,
    payloads: Box<[u8]>,
    count: usize,
    destination: Box<SockAddr>,
}

impl Sender {
    /// `count` payloads of `len` bytes to `destination`.
    #[allow(dead_code, reason = "each bench uses one of the two")]
    pub(crate) fn new(
        socket: &Socket,
        count: usize,
        len: usize,
        destination: SockAddr,
    ) -> io::Result<Self> {
        Ok(Self {
            ring: ring(socket, count.next_power_of_two())?,
            payloads: vec![0; count * len].into(),
            count,
            destination: Box::new(destination),
        })
    }

    /// One call. Says how many left.
    #[allow(dead_code, reason = "each bench uses one of the two")]
    pub(crate) fn send(&mut self) -> io::Result<usize> {
        let len = self.payloads.len() / self.count;
        for payload in self.payloads.chunks_exact(len) {
            let request = opcode::Send::new(Fixed(0), payload.as_ptr(), len as u32)
                .dest_addr(self.destination.as_ptr().cast())
                .dest_addr_len(self.destination.len())
                .build();
            // SAFETY: payloads and address live in boxes beside the ring, and all requests are waited for.
            unsafe { self.ring.submission().push(&request) }.expect("room for a batch");
        }
        self.ring.submit_and_wait(self.count)?;
        Ok(self.ring.completion().filter(|completion| completion.result() >= 0).count())
    }
}

/// `struct io_uring_buf`; the tail of the ring lies in the first one.
#[repr(C)]
#[derive(Default)]
struct Entry {
    address: u64,
    len: u32,
    buffer: u16,
    tail: AtomicU16,
}

#[repr(C, align(65536))]
struct Entries([Entry; COUNT]);

/// Buffers that the kernel picks from.
const COUNT: usize = 128;

struct Buffers {
    entries: Box<Entries>,
    payloads: Box<[u8]>,
    tail: u16,
}

impl Buffers {
    fn give(&mut self, buffer: u16) {
        let len = self.payloads.len() / COUNT;
        let start = self.payloads.as_mut_ptr().expose_provenance() + usize::from(buffer) * len;
        let entry = &mut self.entries.0[usize::from(self.tail) % COUNT];
        (entry.address, entry.len, entry.buffer) = (start as u64, len as u32, buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        self.entries.0[0].tail.store(self.tail, Ordering::Release);
    }
}

/// Receives into the same buffers again and again.
pub(crate) struct Receiver {
    // Before the memory that it points to.
    ring: IoUring,
    buffers: Buffers,
    template: Box<libc::msghdr>,
    is_asked: bool,
}

impl Receiver {
    /// Payloads of up to `len` bytes.
    #[allow(dead_code, reason = "each bench uses one of the two")]
    pub(crate) fn new(socket: &Socket, len: usize) -> io::Result<Self> {
        let mut buffers = Buffers {
            entries: Box::new(Entries(std::array::from_fn(|_| Entry::default()))),
            // Before each payload come 16 bytes of lengths.
            payloads: vec![0; COUNT * (16 + len)].into(),
            tail: 0,
        };
        (0..COUNT as u16).for_each(|buffer| buffers.give(buffer));
        buffers.publish();
        let ring = ring(socket, 2 * COUNT)?;
        let address = (&raw const *buffers.entries).expose_provenance() as u64;
        // SAFETY: the entries live in a box beside the ring, which goes first.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, COUNT as u16, 0, 0) }?;
        // SAFETY: msghdr is integers and raw pointers, for which all zeroes (null) is a value.
        let template = Box::new(unsafe { zeroed() });
        Ok(Self { ring, buffers, template, is_asked: false })
    }

    /// One call that does not wait. Says how many came.
    #[allow(dead_code, reason = "each bench uses one of the two")]
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        if !self.is_asked {
            let request = opcode::RecvMsgMulti::new(Fixed(0), &raw const *self.template, 0).build();
            // SAFETY: the template lives in a box beside the ring, which goes first.
            unsafe { self.ring.submission().push(&request) }.expect("room for a request");
            self.is_asked = true;
        }
        self.ring.submit()?;
        let mut count = 0;
        for completion in self.ring.completion() {
            self.is_asked &= cqueue::more(completion.flags());
            if let Some(buffer) = cqueue::buffer_select(completion.flags()) {
                self.buffers.give(buffer);
                count += 1;
            }
        }
        self.buffers.publish();
        Ok(count)
    }
}
