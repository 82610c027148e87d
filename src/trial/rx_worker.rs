//! The receive loop: every datagram into the books, and nothing else.

use super::control::{Control, Heard, TrialClock};
use super::handover::{Handover, Interval};
use super::ledger::{Closed, Ledger};
use super::stream::Options;
use super::tx_worker::HICCUP;
use crate::engine::{RxCounters, RxEngine};
use crate::model::event::{Event, Happening};
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::model::snapshot::{ReceiverInterval, RxCounts};
use crate::net::host;
use crate::units::Nanos;
use std::time::Duration;

/// A poll ends at least so often, to look at the clock and the stop sign.
const TICK: Nanos = Nanos(20_000_000);

/// Silent streams and gaps that nothing will fill any more are looked for so often.
const LOOK_EVERY: Nanos = Nanos(250_000_000);

/// What is still in the socket buffers when a receiver is told to stop is read for at most so long.
const LAST_READ: Nanos = Nanos(200_000_000);

/// A receiver at work.
pub(super) struct RxWorker {
    name: String,
    number: usize,
    engine: Box<dyn RxEngine>,
    /// How long a poll waits; not at all if the receiver spins.
    wait: Duration,
    trial: TrialClock,
    handover: Handover<ReceiverInterval>,
    flows: Vec<Membership>,
    /// Name of the interface that it listens on.
    interface: Option<String>,
    patience: Patience,
    ledger: Ledger,
    /// As of the last interval that ended.
    told: Told,
    next_look: Nanos,
}

/// How long a receiver waits for what.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For a missing number, before it is lost.
    pub(super) loss_threshold: Nanos,
    /// For a silent sender, before it is gone.
    pub(super) idle_timeout: Nanos,
    /// For the next datagram not at all: it looks again and again.
    pub(super) spins: bool,
}

/// Sums that an interval is the difference to.
#[derive(Default)]
struct Told {
    counts: RxCounts,
    lost: u64,
    payload_bytes: u64,
    announcements: u64,
    replicated: u64,
    counters: RxCounters,
    at: Nanos,
}

/// What a receiver found in all, but for what the collector got interval by interval.
pub(super) struct RxResult {
    /// What its books say.
    pub(super) closed: Closed,
    /// All that arrived on the port and was not ours.
    pub(super) foreign: u64,
    /// Announcements heard.
    pub(super) announcements: u64,
    /// UDP payload bytes in numbered datagrams.
    pub(super) payload_bytes: u64,
    /// Receive times of the first and last numbered datagram, on the wall clock.
    pub(super) received_between: Option<(Nanos, Nanos)>,
    /// What its engine counted.
    pub(super) counters: RxCounters,
    /// What its sockets got, and how many they are.
    pub(super) buffer: (BufferGrant, usize),
}

impl Interval for ReceiverInterval {
    fn clear(&mut self) {
        self.clear();
    }
}

impl RxWorker {
    pub(super) fn new(
        (name, number): (String, usize),
        (flows, interface): (Vec<Membership>, Option<String>),
        patience: Patience,
        options: Options,
        engine: Box<dyn RxEngine>,
        trial: TrialClock,
        handover: Handover<ReceiverInterval>,
    ) -> Self {
        Self {
            name,
            number,
            engine,
            wait: if patience.spins { Duration::ZERO } else { Duration::from(TICK) },
            trial,
            handover,
            flows,
            interface,
            patience,
            ledger: Ledger::new(options, host::own_clock()),
            told: Told::default(),
            next_look: LOOK_EVERY,
        }
    }

    /// Receives until told to stop.
    pub(super) fn run(mut self, control: &Control) -> RxResult {
        let mut before = self.trial.now();
        while !control.receivers_stopped() {
            let now = match self.receive(self.wait) {
                Ok((now, _)) => now,
                Err(error) => {
                    self.fail(&error);
                    break;
                }
            };
            if now > before + TICK + HICCUP {
                self.note_stall(now, now - before - TICK);
            }
            before = now;
            self.keep_house(now, control);
        }
        let deadline = self.trial.now() + LAST_READ;
        while matches!(self.receive(Duration::ZERO), Ok((now, count)) if count > 0 && now < deadline)
        {
        }
        self.finish(control)
    }

    /// Enters what one poll brings. Returns the time, and how many datagrams came.
    #[inline]
    fn receive(&mut self, wait: Duration) -> std::io::Result<(Nanos, usize)> {
        let batch = self.engine.poll(wait)?;
        let now = self.trial.now();
        let read_at = self.trial.wall(now);
        let interval = &mut *self.handover.current;
        let mut count = 0;
        // `for_each` runs two nested loops, where `for` would ask before each datagram which of them it is in.
        batch.datagrams().for_each(|datagram| {
            interval.host_delay.record(datagram.received_at, read_at);
            self.ledger.enter(&datagram, now, interval);
            count += 1;
        });
        Ok((now, count))
    }

    #[inline]
    fn keep_house(&mut self, now: Nanos, control: &Control) {
        if now >= self.next_look {
            self.next_look = now + LOOK_EVERY;
            self.ledger.look_for_silence(now, self.patience.idle_timeout);
            let wall = self.trial.wall(now);
            let until = wall.saturating_sub(self.patience.loss_threshold);
            self.ledger.settle(until, &mut self.handover.current);
        }
        if now >= self.handover.next_end() {
            self.close_interval(now);
            self.handover.end_interval(now);
        }
        control.publish(
            self.number,
            Heard {
                streams: self.ledger.streams() as u64,
                open: self.ledger.open() as u64,
                received: self.ledger.numbered(),
            },
        );
    }

    /// Brings the books into the interval that is being gathered.
    fn close_interval(&mut self, now: Nanos) {
        for Event { at_ns, what } in self.ledger.happened() {
            self.handover.note(at_ns, what);
        }
        let counts = self.ledger.counts();
        let lost = self.ledger.lost();
        let payload_bytes = self.ledger.payload_bytes();
        let (announcements, replicated) = (self.ledger.announcements(), self.ledger.replicated());
        let counters = self.engine.counters();
        let told = &self.told;
        let current = &mut *self.handover.current;
        current.counts.add(&counts.since(&told.counts));
        current.lost += lost as i64 - told.lost as i64;
        current.outstanding = self.ledger.outstanding();
        current.payload_bytes += payload_bytes - told.payload_bytes;
        current.socket_drops += counters.dropped - told.counters.dropped;
        current.own_drops.add(&counters.own.since(&told.counters.own));
        current.announcements += announcements - told.announcements;
        current.receive_calls += counters.calls - told.counters.calls;
        current.without_timestamp += without(&counters) - without(&told.counters);
        current.replicated += replicated - told.replicated;
        current.streams = current.streams.max(self.ledger.heard_since(told.at) as u64);
        self.ledger.end_interval(told.at, now, current);
        self.ledger.tell_streams(&self.flows, &mut current.by_stream);
        let interface = self.interface.as_deref();
        self.ledger.tell_positions(self.number, interface, &mut current.positions);
        self.told =
            Told { counts, lost, payload_bytes, announcements, replicated, counters, at: now };
    }

    fn finish(mut self, control: &Control) -> RxResult {
        let now = self.trial.now();
        self.ledger.finish(&mut self.handover.current);
        self.close_interval(now);
        self.keep_house(now, control);
        let Told { counts, payload_bytes, announcements, counters, .. } = self.told;
        let received_between = self.ledger.received_between();
        let buffer = self.engine.receive_buffer();
        self.handover.finish(now);
        let mut closed = self.ledger.close(&self.flows);
        closed.streams.iter_mut().for_each(|row| row.interface.clone_from(&self.interface));
        RxResult {
            closed,
            foreign: counts.foreign,
            announcements,
            payload_bytes,
            received_between,
            counters,
            buffer,
        }
    }

    #[cold]
    fn note_stall(&mut self, now: Nanos, length: Nanos) {
        self.handover.current.stalls.note(length);
        let worker = self.name.clone();
        self.handover.note(now, Happening::Stalled { worker, length_ns: length });
    }

    #[cold]
    fn fail(&mut self, error: &std::io::Error) {
        let now = self.trial.now();
        let worker = self.name.clone();
        self.handover.note(now, Happening::WorkerFailed { worker, reason: error.to_string() });
    }
}

/// Datagrams without a receive time of the kind that was wanted: those without any are among those without the
/// network card's, where that is wanted.
fn without(counters: &RxCounters) -> u64 {
    counters.unstamped.max(counters.without_hardware)
}
