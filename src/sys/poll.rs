//! Waiting for several sockets: `ppoll(2)`.

use super::{check, clock};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// A set of sockets to wait for.
pub struct PollSet {
    entries: Box<[libc::pollfd]>,
}

impl PollSet {
    /// Waits for input on each of `sockets`, which must stay open for as long as the set is used.
    pub fn new<'a>(sockets: impl Iterator<Item = BorrowedFd<'a>>) -> Self {
        Self {
            entries: sockets
                .map(|socket| libc::pollfd {
                    fd: socket.as_raw_fd(),
                    events: libc::POLLIN,
                    revents: 0,
                })
                .collect(),
        }
    }

    /// Waits until one of the sockets has input or an error, at most `timeout`. A signal ends it early.
    ///
    /// # Errors
    /// Those of ppoll(2), but not `EINTR`.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        wait_for(&mut self.entries, timeout)
    }

    /// Whether the `index`-th socket had input or an error when [`PollSet::wait`] last returned.
    pub fn is_ready(&self, index: usize) -> bool {
        self.entries[index].revents != 0
    }

    /// The same; from then on, until the next wait, it counts as having none.
    pub fn take_ready(&mut self, index: usize) -> bool {
        std::mem::take(&mut self.entries[index].revents) != 0
    }
}

/// Waits until a socket takes output or has an error, at most `timeout`. A signal ends it early.
///
/// # Errors
/// Those of ppoll(2), but not `EINTR`.
pub fn wait_writable(socket: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    let entry = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    wait_for(&mut [entry], timeout)
}

fn wait_for(entries: &mut [libc::pollfd], timeout: Duration) -> io::Result<()> {
    let timeout = clock::duration_timespec(timeout);
    // SAFETY: the array is borrowed and of the length given; the timespec outlives the call; "If the sigmask
    // argument is specified as NULL, then no signal mask manipulation is performed", ppoll(2).
    let result = check(unsafe {
        libc::ppoll(
            entries.as_mut_ptr(),
            entries.len() as libc::nfds_t,
            &raw const timeout,
            std::ptr::null(),
        )
    });
    match result {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}
