//! Requests and completions in rings shared with the kernel: `io_uring(7)`. Needs Linux 6.1.
//!
//! A ring works for one thread, the first that uses it, and only while that thread calls: `IORING_SETUP_DEFER_TASKRUN`
//! defers "async tasks until the user calls io_uring_enter(2)" and "requires that the later io_uring_enter will be
//! called from the same submission task" (commit c0e0d6ba25f1 of Linux). So the kernel reads and writes the memory of
//! requests during calls that hold it borrowed, and not after the ring is closed. Rings without that flag promise
//! neither, so older kernels are not supported.

pub mod receive;
pub mod send;

use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, squeue};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Most datagrams a call.
pub const MAX_BATCH: usize = 1024;

/// A pair of rings that is asleep until the thread that it will belong to uses it.
struct Ring {
    ring: IoUring,
    is_awake: bool,
}

impl Ring {
    /// Room for `requests` and `completions`; `sockets` are named by their index.
    fn new<'a>(
        requests: usize,
        completions: usize,
        sockets: impl Iterator<Item = BorrowedFd<'a>>,
    ) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_r_disabled()
            .setup_single_issuer()
            .setup_defer_taskrun()
            // Says without a call whether one would bring anything.
            .setup_taskrun_flag()
            .setup_cqsize(completions.next_power_of_two() as u32)
            .build(requests.max(1) as u32)?;
        // The ring holds the sockets open from now on.
        let sockets: Vec<_> = sockets.map(|socket| socket.as_raw_fd()).collect();
        if !sockets.is_empty() {
            ring.submitter().register_files(&sockets)?;
        }
        Ok(Self { ring, is_awake: false })
    }

    /// Hands the kernel a request. Says whether there was room for it.
    ///
    /// # Safety
    /// What the request points to must be valid until it has completed or the ring is closed.
    #[inline]
    unsafe fn push(&mut self, request: &squeue::Entry) -> bool {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { self.ring.submission().push(request) }.is_ok()
    }

    /// Whether the kernel would do something if it were entered without waiting.
    #[inline]
    fn has_work(&mut self) -> bool {
        let requests = self.ring.submission();
        !requests.is_empty() || requests.taskrun()
    }

    /// Whether the kernel has taken all that was pushed.
    #[inline]
    fn is_submitted(&mut self) -> bool {
        self.ring.submission().is_empty()
    }

    /// What has completed, taken off the ring.
    #[inline]
    fn completions(&mut self) -> cqueue::CompletionQueue<'_> {
        self.ring.completion()
    }

    /// Submits what was pushed and lets the kernel work; waits at most `wait` for `want` completions. A signal ends
    /// it early.
    ///
    /// # Errors
    /// Those of io_uring_enter(2), but not `EINTR` and `ETIME`; `EEXIST` from another thread than the first.
    #[inline]
    fn enter(&mut self, want: usize, wait: Duration) -> io::Result<()> {
        if !self.is_awake {
            self.ring.submitter().register_enable_rings()?;
            self.is_awake = true;
        }
        let result = if wait.is_zero() {
            self.ring.submit()
        } else {
            let wait = Timespec::from(wait);
            self.ring.submitter().submit_with_args(want, &SubmitArgs::new().timespec(&wait))
        };
        match result {
            Err(error)
                if error.kind() != io::ErrorKind::Interrupted
                    && error.raw_os_error() != Some(libc::ETIME) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Ring {
    /// Lets go of the sockets. The kernel would do so too, but some 50 ms after the ring is closed, and only then would
    /// their groups be left. It still does it that way for a thread that the ring does not belong to.
    fn drop(&mut self) {
        let _ = self.ring.submitter().register_sync_cancel(None, CancelBuilder::any().all());
        // What a broken ring has left may point to nothing by now.
        if self.is_submitted() {
            let _ = self.ring.submit();
        }
        let _ = self.ring.submitter().unregister_files();
    }
}

#[cfg(test)]
mod tests {
    use super::receive::ReceiveRing;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    #[test]
    fn a_ring_that_goes_lets_go_of_its_sockets() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut ring = ReceiveRing::new([socket.as_fd()].into_iter(), 1).unwrap();
        ring.receive(Duration::from_millis(1)).unwrap();
        drop(socket);
        assert!(UdpSocket::bind(address).is_err(), "the ring holds it");
        drop(ring);
        UdpSocket::bind(address).unwrap();
    }
}
