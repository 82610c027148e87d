//! Waiting for several sockets: `ppoll(2)`, and for many `epoll(7)`.

use super::{check, clock};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// From so many sockets on, to ask for those that are ready costs less than to look at each.
const MANY: usize = 8;

/// A set of sockets to wait for.
pub struct PollSet {
    /// What each socket had when last waited for.
    entries: Box<[libc::pollfd]>,
    /// For many sockets, unless there is no descriptor left for it: then each is looked at.
    epoll: Option<Epoll>,
}

/// Knows which of many sockets are ready without looking at the others.
struct Epoll {
    descriptor: OwnedFd,
    /// Those that were ready, by their index.
    ready: Box<[libc::epoll_event]>,
    count: usize,
}

impl PollSet {
    /// Waits for input on each of `sockets`, which must stay open for as long as the set is used.
    pub fn new<'a>(sockets: impl Iterator<Item = BorrowedFd<'a>>) -> Self {
        let entries: Box<[_]> = sockets
            .map(|socket| libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 })
            .collect();
        let epoll = (entries.len() >= MANY).then(|| Epoll::new(&entries)).and_then(io::Result::ok);
        Self { entries, epoll }
    }

    /// Waits until one of the sockets has input or an error, at most `timeout`. A signal ends it early.
    ///
    /// # Errors
    /// Those of ppoll(2) and epoll_wait(2), but not `EINTR`.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        match &mut self.epoll {
            Some(epoll) => epoll.wait(&mut self.entries, timeout),
            None => wait_for(&mut self.entries, timeout),
        }
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

impl Epoll {
    fn new(entries: &[libc::pollfd]) -> io::Result<Self> {
        // SAFETY: epoll_create1(2) takes no pointer.
        let descriptor = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: it is open, and nobody else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        for (index, entry) in entries.iter().enumerate() {
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: index as u64 };
            // SAFETY: the kernel copies the event, which outlives the call; both descriptors are open.
            check(unsafe {
                libc::epoll_ctl(
                    descriptor.as_raw_fd(),
                    libc::EPOLL_CTL_ADD,
                    entry.fd,
                    &raw mut event,
                )
            })?;
        }
        // SAFETY: epoll_event is two integers, for which all zeroes is a value.
        let ready = vec![unsafe { zeroed::<libc::epoll_event>() }; entries.len()].into();
        Ok(Self { descriptor, ready, count: 0 })
    }

    /// Its own timeout counts in milliseconds, so that ppoll(2) does the waiting.
    fn wait(&mut self, entries: &mut [libc::pollfd], timeout: Duration) -> io::Result<()> {
        for event in &self.ready[..self.count] {
            entries[event.u64 as usize].revents = 0;
        }
        self.count = 0;
        let socket = self.descriptor.as_raw_fd();
        if !timeout.is_zero() {
            let entry = libc::pollfd { fd: socket, events: libc::POLLIN, revents: 0 };
            wait_for(&mut [entry], timeout)?;
        }
        // SAFETY: the array is borrowed and of the length given; the descriptor is ours and open.
        let result = check(unsafe {
            libc::epoll_wait(socket, self.ready.as_mut_ptr(), self.ready.len() as i32, 0)
        });
        self.count = match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            count => count? as usize,
        };
        for event in &self.ready[..self.count] {
            entries[event.u64 as usize].revents = libc::POLLIN;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn few_sockets_or_many_those_that_have_something_are_found() {
        for count in [1, MANY - 1, MANY, 3 * MANY] {
            let sockets: Vec<_> =
                (0..count).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
            let mut set = PollSet::new(sockets.iter().map(AsFd::as_fd));
            assert_eq!(set.epoll.is_some(), count >= MANY);
            let ready =
                |set: &PollSet| (0..count).filter(|&index| set.is_ready(index)).collect::<Vec<_>>();
            set.wait(Duration::from_millis(1)).unwrap();
            assert_eq!(ready(&set), Vec::<usize>::new());
            let mut expected = vec![0, count - 1];
            expected.dedup();
            for &index in &expected {
                let to = sockets[index].local_addr().unwrap();
                sockets[0].send_to(b"here", to).unwrap();
            }
            set.wait(Duration::from_secs(5)).unwrap();
            assert_eq!(ready(&set), expected);
            // What was not read is found again, what was taken is not until then.
            assert!(set.take_ready(0) && !set.take_ready(0));
            set.wait(Duration::ZERO).unwrap();
            assert_eq!(ready(&set), expected);
            sockets[count - 1].recv(&mut [0; 8]).unwrap();
            expected.pop();
            set.wait(Duration::ZERO).unwrap();
            assert_eq!(ready(&set), expected);
        }
    }
}
