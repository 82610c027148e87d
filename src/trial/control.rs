//! What the workers and the collector know of each other while a trial runs.

use crate::sys::clock::{self, ClockPair};
use crate::units::Nanos;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Stop signs, and how far the receivers are.
#[derive(Debug)]
pub(super) struct Control {
    stop_senders: AtomicBool,
    stop_receivers: AtomicBool,
    progress: Box<[Progress]>,
}

/// How far one receiver is. Written by it alone, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Progress {
    heard: AtomicU64,
    open: AtomicU64,
    received: AtomicU64,
}

/// How far all receivers are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    /// Streams that were heard.
    pub(super) streams: u64,
    /// Those of them that have not ended.
    pub(super) open: u64,
    /// Datagrams received.
    pub(super) received: u64,
}

impl Control {
    pub(super) fn new(receivers: usize) -> Self {
        Self {
            stop_senders: AtomicBool::new(false),
            stop_receivers: AtomicBool::new(false),
            progress: (0..receivers).map(|_| Progress::default()).collect(),
        }
    }

    pub(super) fn stop_senders(&self) {
        self.stop_senders.store(true, Ordering::Relaxed);
    }

    pub(super) fn stop_receivers(&self) {
        self.stop_receivers.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn senders_stopped(&self) -> bool {
        self.stop_senders.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn receivers_stopped(&self) -> bool {
        self.stop_receivers.load(Ordering::Relaxed)
    }

    pub(super) fn publish(&self, receiver: usize, heard: Heard) {
        let progress = &self.progress[receiver];
        progress.heard.store(heard.streams, Ordering::Relaxed);
        progress.open.store(heard.open, Ordering::Relaxed);
        progress.received.store(heard.received, Ordering::Relaxed);
    }

    pub(super) fn heard(&self) -> Heard {
        self.progress.iter().fold(Heard::default(), |sum, progress| Heard {
            streams: sum.streams + progress.heard.load(Ordering::Relaxed),
            open: sum.open + progress.open.load(Ordering::Relaxed),
            received: sum.received + progress.received.load(Ordering::Relaxed),
        })
    }
}

/// The time of a trial: nanoseconds since its start, which may still lie ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrialClock {
    start: Nanos,
    wall_start: Nanos,
}

impl TrialClock {
    /// A trial that starts when the monotonic clock shows `start`.
    pub(super) fn starting_at(start: Nanos, clocks: ClockPair) -> Self {
        Self { start, wall_start: clocks.realtime_at(start) }
    }

    /// Since the start; zero before it.
    #[inline]
    pub(super) fn now(&self) -> Nanos {
        clock::monotonic().saturating_sub(self.start)
    }

    /// The wall clock at a time of the trial. It is read once: setting the clock does not bend the stream.
    #[inline]
    pub(super) fn wall(&self, at: Nanos) -> Nanos {
        self.wall_start + at
    }

    /// A time of the trial on the monotonic clock.
    pub(super) fn monotonic(&self, at: Nanos) -> Nanos {
        self.start + at
    }
}
