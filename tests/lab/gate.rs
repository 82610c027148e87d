//! A switch that takes its time: it lets a group through so long after it saw the report that joins it, and stops so long
//! after the one that leaves it. How long it really took is the truth for a test.

use std::collections::HashMap;
use std::ffi::CString;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mcast_bench::wire::sighting::{self, Change, Sighting};
use socket2::Socket;

use super::host::{Host, Namespace};
use super::sys::{self, VIRTIO_HEADER};
use super::wire::{self, LEFT, RIGHT};

/// How long the gate takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slowness {
    /// From a report that joins to letting the group through.
    pub(crate) opens_after: Duration,
    /// From a report that leaves to stopping it.
    pub(crate) shuts_after: Duration,
}

/// How long it took: each from reading the report until the first datagram was handed on, or the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) to_open: Vec<Duration>,
    pub(crate) to_shut: Vec<Duration>,
}

/// The test's end of the gate.
pub(crate) struct Gate {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Taken>,
}

/// What is known of a group.
#[derive(Default)]
struct Lane {
    asked: Option<Instant>,
    left: Option<Instant>,
    /// The first datagram handed on since it was asked for.
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Gate {
    /// Joins the two hosts.
    pub(super) fn join(slowness: Slowness, sender: &Host, receiver: &Host) -> Self {
        let namespace = Namespace::new().expect("hosts have got namespaces too");
        wire::plug(sender, receiver, &namespace);
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            namespace.enter().expect("it is ours");
            let ports = [LEFT, RIGHT].map(|device| {
                let name = CString::new(device).expect("device names have no NUL");
                sys::packet_socket(&name).expect("packet sockets are allowed in the lab")
            });
            ready.send(()).expect("the test waits");
            pass(slowness, &ports, &is_over)
        });
        is_ready.recv().expect("the gate has sockets");
        sender.configure();
        receiver.configure();
        Self { stop, thread }
    }

    /// Ends it.
    pub(crate) fn finish(self) -> Taken {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn pass(slowness: Slowness, ports: &[Socket; 2], is_over: &AtomicBool) -> Taken {
    let [mut left, mut right] = [&ports[0], &ports[1]];
    let mut taken = Taken::default();
    let mut lanes: HashMap<IpAddr, Lane> = HashMap::new();
    let mut buffer = vec![0; VIRTIO_HEADER + 65_535 + 18];
    while !is_over.load(Ordering::Relaxed) {
        while let Ok(length) = right.read(&mut buffer) {
            if let Some(Sighting::Changes(changes)) = sighting::read(&buffer[VIRTIO_HEADER..length])
            {
                for (group, change) in changes {
                    lanes.entry(group).or_default().note(change, &mut taken);
                }
            }
            // Whom nobody hears any more, nobody misses.
            let _ = left.write(&buffer[..length]);
        }
        while let Ok(length) = left.read(&mut buffer) {
            let is_open = match sighting::read(&buffer[VIRTIO_HEADER..length]) {
                Some(Sighting::Datagram { destination, .. }) if destination.is_multicast() => {
                    lanes.get_mut(&destination).is_some_and(|lane| lane.lets(slowness, &mut taken))
                }
                _ => true,
            };
            if is_open {
                let _ = right.write(&buffer[..length]);
            }
        }
        sys::wait_readable([left.as_fd(), right.as_fd()], Some(Duration::from_millis(5)))
            .expect("the sockets are open");
    }
    lanes.values_mut().for_each(|lane| lane.shut(&mut taken));
    taken
}

impl Lane {
    /// Reports come repeatedly; the first of each kind counts.
    fn note(&mut self, change: Change, taken: &mut Taken) {
        let now = Instant::now();
        match change {
            Change::Joined if self.asked.is_none() || self.left.is_some() => {
                self.shut(taken);
                *self = Self { asked: Some(now), ..Self::default() };
            }
            Change::Left if self.left.is_none() => self.left = Some(now),
            _ => {}
        }
    }

    /// Nothing is let through any more; the last datagram may have come before the report.
    fn shut(&mut self, taken: &mut Taken) {
        if let (Some(left), Some(last)) = (self.left, self.last.take()) {
            taken.to_shut.push(last.saturating_duration_since(left));
        }
    }

    fn lets(&mut self, slowness: Slowness, taken: &mut Taken) -> bool {
        let now = Instant::now();
        let Some(asked) = self.asked.filter(|asked| now - *asked >= slowness.opens_after) else {
            return false;
        };
        if self.left.is_some_and(|left| now - left >= slowness.shuts_after) {
            self.shut(taken);
            return false;
        }
        if self.first.is_none() {
            self.first = Some(now);
            taken.to_open.push(now - asked);
        }
        self.last = Some(now);
        true
    }
}
