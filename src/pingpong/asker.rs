//! The asking loop: one thread that sends requests and reads replies.

use super::books::{Books, Heard, Verdict};
use super::handover::{Handover, Interval};
use super::note_doubts;
use super::port::{Arrival, Port};
use crate::model::event::{Event, Happening};
use crate::model::ping::{AnsweredBy, Asking, PingInterval, PingSpec};
use crate::stats::latency::Latency;
use crate::stats::schedule::{Schedule, in_rhythm};
use crate::sys::clock::{self, ClockPair};
use crate::units::Nanos;
use crate::wire::echo;
use crate::wire::probe::{self, Encoder, Kind};
use socket2::SockAddr;
use std::sync::atomic::{AtomicBool, Ordering};

/// Calls are repeated so often.
const CALL_EVERY: Nanos = Nanos(20_000_000);

/// Before the first request responders have so long to say that they are there; who answers later is welcome later.
const ROLL_CALL: Nanos = Nanos(200_000_000);

/// The shortest time for the closing accounts, however short the timeout is.
const CLOSING: Nanos = Nanos(200_000_000);

/// A responder that was not heard for so many timeouts is silent: a closed loop does not wait for it any more.
const PATIENCE: u64 = 3;

/// Responders that have fallen silent are looked for so often.
const LOOK_EVERY: Nanos = Nanos(100_000_000);

/// After a refusal a closed loop, which waits for nothing else, waits so long.
const AFTER_REFUSAL: Nanos = Nanos(1_000_000);

/// Who asks.
pub(super) struct Asker<'a> {
    pub(super) spec: &'a PingSpec,
    pub(super) port: Port,
    pub(super) to: SockAddr,
    pub(super) session: u32,
    pub(super) encoder: Encoder,
    pub(super) request: Box<[u8]>,
    pub(super) clocks: ClockPair,
    pub(super) handover: Handover<PingInterval>,
    pub(super) interrupt: &'a AtomicBool,
    pub(super) books: Books,
    pub(super) state: State,
}

/// What has happened so far.
pub(super) struct State {
    /// The first request, on the monotonic clock.
    pub(super) start: Nanos,
    pub(super) intended: u64,
    pub(super) sent: u64,
    pub(super) refused: u64,
    pub(super) foreign: u64,
    pub(super) lateness: Latency,
    /// Awaited replies to the last request that have come.
    answers: u64,
    next_look: Nanos,
    failed: Option<String>,
}

/// What it found.
pub(super) struct Asked {
    pub(super) books: Books,
    pub(super) state: State,
    pub(super) events: Vec<Event>,
    pub(super) duration: Nanos,
    pub(super) port: Port,
    pub(super) failed: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            start: Nanos(0),
            intended: 0,
            sent: 0,
            refused: 0,
            foreign: 0,
            lateness: Latency::new(),
            answers: 0,
            next_look: Nanos(0),
            failed: None,
        }
    }
}

impl Interval for PingInterval {
    fn clear(&mut self) {
        (self.sent, self.answered) = (0, 0);
        self.rtt.clear();
    }

    fn spans(&mut self, start: Nanos, length: Nanos) {
        (self.start, self.length) = (start, length);
    }
}

impl Asker<'_> {
    /// Calls the roll, asks until it is over, waits for the rest, and asks what has come.
    pub(super) fn run(mut self, schedule: Option<Box<dyn Schedule>>) -> Asked {
        self.state.start = clock::monotonic() + ROLL_CALL;
        self.call_the_roll();
        match (schedule, self.spec.asking) {
            (Some(schedule), _) => self.ask_when_due(schedule),
            (None, Asking::Closed { answered_by }) => self.ask_when_answered(answered_by),
            (None, Asking::Open { .. }) => unreachable!("an open loop has a schedule"),
        }
        let duration = self.now();
        self.drain(clock::monotonic() + self.spec.timeout_ns);
        self.close_accounts();
        self.finish(duration)
    }

    fn call_the_roll(&mut self) {
        let end = self.state.start;
        while clock::monotonic() < end && !self.is_over() {
            self.call();
            self.listen((clock::monotonic() + CALL_EVERY).min(end), |_| false);
        }
        if self.books.rows().is_empty() && !self.is_over() {
            let group = self.spec.group.destination().to_string();
            self.handover.note(Nanos(0), Happening::NobodyAnswers { group });
        }
    }

    /// An open loop. What became due while the thread stood still leaves as a sender's backlog does: nothing is left out,
    /// and no train of requests floods queues on the way.
    fn ask_when_due(&mut self, mut schedule: Box<dyn Schedule>) {
        let start = self.state.start;
        let (mut left, mut left_due) = (start, start);
        while !self.is_enough() && !self.is_over() {
            let due = start + schedule.next_due(self.now());
            if due >= self.end() {
                return;
            }
            self.listen(in_rhythm(due, left_due, left), |_| false);
            if self.is_over() {
                return;
            }
            left = clock::monotonic();
            left_due = due;
            self.ask(due, left);
        }
    }

    /// A closed loop: a request is due when the one before is done with.
    fn ask_when_answered(&mut self, answered_by: AnsweredBy) {
        while !self.is_enough() && !self.is_over() && clock::monotonic() < self.end() {
            let awaited = match answered_by {
                AnsweredBy::First => 1,
                AnsweredBy::All => self.books.present().max(1) as u64,
            };
            self.state.answers = 0;
            let refused = self.state.refused;
            let now = clock::monotonic();
            self.ask(now, now);
            let wait = match self.state.refused == refused {
                true => self.spec.timeout_ns,
                false => AFTER_REFUSAL,
            };
            self.listen((now + wait).min(self.end()), |state| state.answers >= awaited);
        }
    }

    /// Waits until everything is answered, or until `deadline`.
    fn drain(&mut self, deadline: Nanos) {
        while !self.books.is_complete(self.state.sent) && clock::monotonic() < deadline {
            if self.state.failed.is_some() {
                return;
            }
            self.listen((clock::monotonic() + CALL_EVERY).min(deadline), |_| true);
        }
    }

    /// Asks those that owe replies what requests they have got, so that it is known where the others were lost.
    fn close_accounts(&mut self) {
        self.books.ask_again();
        let deadline = clock::monotonic() + self.spec.timeout_ns.max(CLOSING);
        while !self.books.is_settled(self.state.sent)
            && clock::monotonic() < deadline
            && self.state.failed.is_none()
        {
            self.call();
            let next = (clock::monotonic() + CALL_EVERY).min(deadline);
            while clock::monotonic() < next && !self.books.is_settled(self.state.sent) {
                self.listen(next, |_| true);
            }
        }
    }

    /// Sends one request, at `now`.
    #[inline]
    fn ask(&mut self, due: Nanos, now: Nanos) {
        let due_at = self.clocks.realtime_at(due);
        let lateness = now.saturating_sub(due);
        self.state.intended += 1;
        let (slot, seq) = (&mut self.request, self.state.sent);
        self.encoder.encode(slot, Kind::Request, seq, due_at, lateness);
        match self.port.send(&self.request, &self.to) {
            Ok(()) => {
                self.state.sent += 1;
                self.handover.current.sent += 1;
                self.state.lateness.record(due, now);
            }
            Err(_) => self.state.refused += 1,
        }
    }

    #[cold]
    fn call(&mut self) {
        let due_at = self.clocks.realtime_at(clock::monotonic());
        self.encoder.encode(&mut self.request, Kind::Call, self.state.sent, due_at, Nanos(0));
        // One that is refused is repeated.
        let _ = self.port.send(&self.request, &self.to);
    }

    /// Reads what comes until the monotonic clock shows `until`, it is over, or after a datagram `is_done` says so. Reads
    /// at least once, so that one who is always behind hears something.
    #[inline]
    fn listen(&mut self, until: Nanos, is_done: impl Fn(&State) -> bool) {
        let mut now = clock::monotonic();
        loop {
            match self.port.receive(now, until) {
                Ok(Some(arrival)) => {
                    let read = clock::monotonic();
                    self.enter(&arrival, read);
                    if is_done(&self.state) {
                        return self.keep_house(read);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    self.state.failed = Some(error.to_string());
                    return;
                }
            }
            now = clock::monotonic();
            self.keep_house(now);
            if now >= until || self.interrupt.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Enters a datagram.
    #[inline]
    fn enter(&mut self, arrival: &Arrival, read: Nanos) {
        let Arrival { len, source, .. } = *arrival;
        let read_at = self.clocks.realtime_at(read);
        // Without the kernel's it is one and the same.
        let received_at = arrival.received_at.unwrap_or(read_at);
        let payload = &self.port.payload[..len];
        let probe = probe::decode(payload, received_at)
            .filter(|probe| probe.session == self.session && probe.stream == 0);
        let Some((probe, answer)) = probe.zip(echo::decode(payload)) else {
            self.state.foreign += 1;
            return;
        };
        let heard =
            Heard { seq: probe.seq, due_at: probe.due_at, received_at, read_at, source, answer };
        let known = self.books.rows().len();
        let sent = self.state.sent;
        let is_ours = match probe.kind {
            Kind::Reply => {
                let verdict = self.books.reply(&heard, sent);
                if let Verdict::Answered(rtt) = verdict {
                    let interval = &mut self.handover.current;
                    interval.answered += 1;
                    interval.rtt.record(Nanos(0), rtt);
                    self.state.answers += u64::from(probe.seq + 1 == sent);
                }
                verdict != Verdict::TooMany
            }
            Kind::Statement => self.books.statement(&heard, sent),
            _ => false,
        };
        self.state.foreign += u64::from(!is_ours);
        if self.books.rows().len() > known {
            let responder = format!("{:08x}", answer.responder);
            let what = Happening::ResponderHeard { responder, source: source.to_string() };
            self.handover.note(read.saturating_sub(self.state.start), what);
        }
    }

    /// Tells what is to be told, and looks who has fallen silent.
    #[inline]
    fn keep_house(&mut self, now: Nanos) {
        let since = now.saturating_sub(self.state.start);
        if now >= self.state.next_look {
            self.state.next_look = now + LOOK_EVERY;
            self.look_for_silence(now);
        }
        if !self.handover.is_due(since) {
            return;
        }
        let current = &mut self.handover.current;
        current.missing = self.books.missing(self.state.sent);
        current.responders = self.books.present() as u64;
        self.handover.tell(since);
    }

    fn look_for_silence(&mut self, now: Nanos) {
        let patience = Nanos(self.spec.timeout_ns.0.saturating_mul(PATIENCE));
        let at = self.clocks.realtime_at(now);
        while let Some(row) = self.books.next_silent(at, patience) {
            let responder = format!("{:08x}", row.responder);
            let what = Happening::ResponderSilent { responder, source: row.source.to_string() };
            self.handover.note(now.saturating_sub(self.state.start), what);
        }
    }

    fn finish(mut self, duration: Nanos) -> Asked {
        let now = self.now();
        note_doubts(&mut self.handover, &self.port, &self.clocks, now);
        if self.interrupt.load(Ordering::Relaxed) {
            self.handover.note(duration, Happening::Interrupted);
        }
        self.handover.current.missing = self.books.missing(self.state.sent);
        self.handover.current.responders = self.books.present() as u64;
        let failed = self.state.failed.take();
        Asked {
            books: self.books,
            state: self.state,
            events: self.handover.finish(now),
            duration,
            port: self.port,
            failed,
        }
    }

    fn now(&self) -> Nanos {
        clock::monotonic().saturating_sub(self.state.start)
    }

    fn end(&self) -> Nanos {
        self.spec.stop.time_ns.map_or(Nanos(u64::MAX), |time| self.state.start + time)
    }

    fn is_enough(&self) -> bool {
        self.spec.stop.count.is_some_and(|count| self.state.intended >= count)
    }

    fn is_over(&self) -> bool {
        self.state.failed.is_some() || self.interrupt.load(Ordering::Relaxed)
    }
}
