//! Sends through a ring, one request a datagram, each behind the one before.

use super::{MAX_BATCH, Ring};
use crate::sys::clock;
use crate::units::Nanos;
use io_uring::opcode::{AsyncCancel2, Send};
use io_uring::squeue::Flags;
use io_uring::types::{CancelBuilder, Fixed};
use socket2::SockAddr;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A full send buffer makes the sender wait so long, but a link that is gone must not make it wait for ever.
const PATIENCE: Duration = Duration::from_millis(100);

/// Marks the completion of a request to cancel the others.
const CANCEL: u64 = u64::MAX;

/// Sends up to a batch of datagrams with one call.
pub struct SendRing {
    ring: Ring,
    /// Why the ring cannot be used any more. It is then not entered again: requests may be left in it that point to
    /// memory of callers.
    broken: Option<i32>,
}

/// What became of a call: the first `sent` left; then, if not all did, the next one was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Datagrams that the kernel took.
    pub sent: usize,
    /// Error number with which the next one was refused. Those behind it were not tried.
    pub refused: Option<i32>,
}

impl SendRing {
    /// For at most `capacity` datagrams a call.
    ///
    /// # Errors
    /// Those of io_uring_setup(2) and io_uring_register(2).
    pub fn new(socket: BorrowedFd<'_>, capacity: usize) -> io::Result<Self> {
        let capacity = capacity.clamp(1, MAX_BATCH);
        // One completion more, of the request to cancel the others.
        let ring = Ring::new(capacity, capacity + 1, [socket].into_iter())?;
        Ok(Self { ring, broken: None })
    }

    /// Sends the datagrams in one call, in their order. If the send buffer is full, waits for room, at most 100 ms
    /// for each.
    #[inline]
    pub fn send<'a>(
        &mut self,
        datagrams: impl ExactSizeIterator<Item = (&'a [u8], &'a SockAddr)>,
    ) -> Sent {
        let count = datagrams.len();
        if count == 0 {
            return Sent { sent: 0, refused: None };
        }
        if let Some(errno) = self.broken {
            return Sent { sent: 0, refused: Some(errno) };
        }
        // Stays so if this call ends by a panic of the iterator.
        self.broken = Some(libc::EIO);
        for (number, (payload, to)) in (0..).zip(datagrams) {
            let request = Send::new(Fixed(0), payload.as_ptr(), payload.len() as u32)
                .dest_addr(to.as_ptr().cast())
                .dest_addr_len(to.len())
                .build()
                .user_data(number);
            // "Any error at submission or completion time will break the chain", commit 9e645e1105ca of Linux:
            // those behind it are not tried.
            let is_last = number + 1 == count as u64;
            let flags = if is_last { Flags::empty() } else { Flags::IO_LINK };
            // SAFETY: payloads and addresses are borrowed for `'a`, which outlives this call; it returns when all
            // requests are completed, or else never enters the ring again.
            let has_room = unsafe { self.ring.push(&request.flags(flags)) };
            assert!(has_room, "a call sends at most as many datagrams as the ring was opened for");
        }
        match self.finish(count) {
            Ok(sent) => {
                self.broken = None;
                sent
            }
            Err(error) => {
                self.broken = Some(error.raw_os_error().unwrap_or(libc::EIO));
                Sent { sent: 0, refused: self.broken }
            }
        }
    }

    /// Waits for what became of the requests that were pushed.
    fn finish(&mut self, count: usize) -> io::Result<Sent> {
        let mut sent = Sent { sent: 0, refused: None };
        let mut left = count;
        let mut deadline = clock::monotonic() + Nanos::from(PATIENCE);
        loop {
            self.ring.enter(left, PATIENCE)?;
            if !self.ring.is_submitted() {
                // The kernel had no memory for all of them, and has cut the chain.
                return Err(io::Error::from_raw_os_error(libc::ENOMEM));
            }
            let before = left;
            for completion in self.ring.completions() {
                if completion.user_data() == CANCEL {
                    continue;
                }
                left -= 1;
                match completion.result() {
                    // One behind a refused one, or the one that had waited for room.
                    error if error == -libc::ECANCELED => {}
                    error if error < 0 => sent.refused = Some(-error),
                    _ => sent.sent += 1,
                }
            }
            if left == 0 {
                let all = sent.sent == count;
                return Ok(Sent {
                    refused: sent.refused.or((!all).then_some(libc::EAGAIN)),
                    ..sent
                });
            }
            let now = clock::monotonic();
            if left < before {
                deadline = now + Nanos::from(PATIENCE);
            } else if now >= deadline {
                deadline = now + Nanos::from(PATIENCE);
                let cancel = AsyncCancel2::new(CancelBuilder::any().all()).build();
                // SAFETY: it points to nothing.
                unsafe { self.ring.push(&cancel.user_data(CANCEL)) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    /// One that is too long for UDP, in the middle of a call.
    #[test]
    fn what_is_refused_ends_the_call() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let to = SockAddr::from(receiver.local_addr().unwrap());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut ring = SendRing::new(socket.as_fd(), 4).unwrap();
        let long = [0; 70_000];
        let mut send = |payloads: &[&[u8]]| ring.send(payloads.iter().map(|one| (*one, &to)));
        let refused = |sent| Sent { sent, refused: Some(libc::EMSGSIZE) };
        assert_eq!(send(&[&[1], &[2], &long, &[3]]), refused(2));
        assert_eq!(send(&[&long, &[4]]), refused(0));
        assert_eq!(send(&[&[5], &long]), refused(1));
        assert_eq!(send(&[&long]), refused(0));
        assert_eq!(send(&[]), Sent { sent: 0, refused: None });
        assert_eq!(send(&[&[6], &[], &[7], &[8]]), Sent { sent: 4, refused: None });
        for expected in [&[1][..], &[2], &[5], &[6], &[], &[7], &[8]] {
            let mut payload = [0; 8];
            let len = receiver.recv(&mut payload).unwrap();
            assert_eq!(&payload[..len], expected);
        }
    }

    #[test]
    fn a_ring_belongs_to_the_thread_that_first_used_it() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = SockAddr::from(socket.local_addr().unwrap());
        let mut ring = SendRing::new(socket.as_fd(), 1).unwrap();
        let mut send = || ring.send([(&[1][..], &to)].into_iter());
        std::thread::scope(|scope| {
            let sent = scope.spawn(&mut send).join().unwrap();
            assert_eq!(sent, Sent { sent: 1, refused: None });
        });
        let refused = Sent { sent: 0, refused: Some(libc::EEXIST) };
        assert_eq!([send(), send()], [refused, refused]);
    }
}
