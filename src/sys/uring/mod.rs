//! Requests and completions in rings shared with the kernel: `io_uring(7)`. Needs Linux 6.1.
//!
//! A ring works for one thread, the first that uses it (`IORING_SETUP_SINGLE_ISSUER`), and only while that thread is
//! in [`Ring::enter`] (`IORING_SETUP_DEFER_TASKRUN`): "io_uring_enter(2) ... process deferred work only there",
//! io_uring_setup(2). So the kernel reads and writes the memory of requests during calls that hold it borrowed, and
//! never when the ring is closed. The older ways of io_uring promise neither, and are not used.

pub mod receive;
pub mod send;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, squeue};
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

    /// Submits what was pushed and lets the kernel work; waits at most `wait` for a completion. A signal ends it
    /// early.
    ///
    /// # Errors
    /// Those of io_uring_enter(2), but not `EINTR` and `ETIME`; `EEXIST` from another thread than the first.
    #[inline]
    fn enter(&mut self, wait: Duration) -> io::Result<()> {
        if !self.is_awake {
            self.ring.submitter().register_enable_rings()?;
            self.is_awake = true;
        }
        let result = if wait.is_zero() {
            self.ring.submit()
        } else {
            let wait = Timespec::from(wait);
            self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&wait))
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
