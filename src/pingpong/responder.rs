//! The answering loop: a request comes, its answer leaves, and nothing else happens in between.

use super::handover::{Handover, Interval};
use super::note_doubts;
use super::port::{Arrival, Port, scoped};
use super::sessions::{Sessions, answer_to};
use crate::model::echo::{AskerReport, EchoInterval, EchoSpec};
use crate::model::event::{Event, Happening};
use crate::model::report::BufferGrant;
use crate::net::host;
use crate::sys::clock::{self, ClockPair};
use crate::units::Nanos;
use crate::wire::announcement::SenderClock;
use crate::wire::echo::{self, ANSWER_LEN, Answer};
use crate::wire::probe::{self, Encoder, Kind};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Waits end at least so often, to look at the clock and the stop sign.
const LOOK_UP: Nanos = Nanos(Nanos::SECOND.0);

/// Who answers.
pub(super) struct Responder<'a> {
    pub(super) spec: &'a EchoSpec,
    pub(super) port: Port,
    pub(super) identity: u32,
    pub(super) clocks: ClockPair,
    pub(super) handover: Handover<EchoInterval>,
    pub(super) interrupt: &'a AtomicBool,
}

/// What it found.
pub(super) struct Answered {
    pub(super) askers: Vec<AskerReport>,
    pub(super) foreign: u64,
    pub(super) events: Vec<Event>,
    pub(super) duration: Nanos,
    pub(super) grant: BufferGrant,
    pub(super) socket_drops: u64,
    pub(super) failed: Option<String>,
}

impl Interval for EchoInterval {
    fn clear(&mut self) {
        *self = Self::default();
    }

    fn spans(&mut self, start: Nanos, length: Nanos) {
        (self.start, self.length) = (start, length);
    }
}

/// What changes with every datagram.
struct Books {
    sessions: Sessions,
    clock: SenderClock,
    received: u64,
    foreign: u64,
}

impl Responder<'_> {
    /// Answers until it is told to stop, or enough have asked.
    pub(super) fn run(mut self) -> Answered {
        let mut books =
            Books { sessions: Sessions::new(), clock: host::own_clock(), received: 0, foreign: 0 };
        let drops_before = self.port.drops();
        let (mut told_at, mut failed) = (Nanos(0), None);
        let end = self.spec.stop.time_ns.unwrap_or(Nanos(u64::MAX));
        let count = self.spec.stop.count.unwrap_or(u64::MAX);
        let mut now = Nanos(0);
        while now < end && books.received < count && !self.interrupt.load(Ordering::Relaxed) {
            let at = self.clocks.monotonic + now;
            match self.port.receive(at, at + LOOK_UP) {
                Ok(Some(arrival)) => self.answer(&arrival, &mut books),
                Ok(None) => {}
                Err(error) => {
                    failed = Some(error.to_string());
                    break;
                }
            }
            now = clock::monotonic().saturating_sub(self.clocks.monotonic);
            if self.handover.is_due(now) {
                self.handover.current.askers = books.sessions.heard_since(told_at);
                self.handover.tell(now);
                told_at = now;
            }
        }
        self.finish(now, books, drops_before, failed)
    }

    #[inline]
    fn answer(&mut self, arrival: &Arrival, books: &mut Books) {
        let Arrival { len, source, .. } = *arrival;
        let received_at = arrival.received_at.unwrap_or_else(clock::realtime);
        let probe = probe::decode(&self.port.payload[..len], received_at);
        let probe = probe
            .filter(|probe| len >= ANSWER_LEN && matches!(probe.kind, Kind::Request | Kind::Call));
        let Some(probe) = probe else {
            books.foreign += 1;
            return;
        };
        let now = received_at.saturating_sub(self.clocks.realtime);
        let EchoSpec { reply, group, interface, .. } = self.spec;
        let (session, is_new) = books.sessions.enter(&probe, source, now, || {
            scoped(answer_to(*reply, group, source), *interface).into()
        });
        let (kind, is_request) = match probe.kind {
            Kind::Call => (Kind::Statement, false),
            _ => (Kind::Reply, true),
        };
        let answer = Answer {
            responder: self.identity,
            clock: books.clock,
            received_at,
            sent_at: clock::realtime(),
            account: session.account(),
        };
        let encoder = Encoder::new(probe.session, probe.stream, false);
        let slot = &mut self.port.payload[..len];
        echo::encode(&encoder, slot, kind, probe.seq, probe.due_at, &answer);
        let sent = self.port.send_back(len, &session.answer_to).or_else(|error| {
            // It is about an answer that went before, to somebody who is gone; this one has not been tried yet.
            match error.kind() {
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable => {
                    self.port.send_back(len, &session.answer_to)
                }
                _ => Err(error),
            }
        });
        session.replies += u64::from(sent.is_ok());
        session.refused += u64::from(sent.is_err());
        books.received += u64::from(is_request);
        let interval = &mut self.handover.current;
        interval.requests += u64::from(is_request);
        interval.replies += u64::from(sent.is_ok());
        if is_new {
            let session = format!("{:06x}", probe.session);
            self.handover.note(now, Happening::AskerHeard { session, source: source.to_string() });
        }
    }

    fn finish(
        mut self,
        now: Nanos,
        books: Books,
        drops_before: u64,
        failed: Option<String>,
    ) -> Answered {
        note_doubts(&mut self.handover, &self.port, &self.clocks, now);
        if self.interrupt.load(Ordering::Relaxed) {
            self.handover.note(now, Happening::Interrupted);
        }
        Answered {
            askers: books.sessions.close(),
            foreign: books.foreign,
            events: self.handover.finish(now),
            duration: now,
            grant: self.port.grant,
            socket_drops: self.port.drops().saturating_sub(drops_before),
            failed,
        }
    }
}
