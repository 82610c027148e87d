//! The transmit loop: sends what is due, and tells on itself when it was late.

use super::control::{Control, TrialClock};
use super::handover::{Handover, Interval};
use super::lengths::Lengths;
use super::pacer::Pacer;
use super::plan::SenderPlan;
use crate::engine::{Committed, Departure, FlowIndex, TxCounters, TxEngine};
use crate::model::event::Happening;
use crate::model::snapshot::{SenderInterval, Stalls};
use crate::net::host;
use crate::stats::coarse::CoarseHistogram;
use crate::stats::latency::Latency;
use crate::stats::schedule::Schedule;
use crate::stats::trains::Trains;
use crate::units::Nanos;
use crate::units::rate::Rate;
use crate::wire::announcement::{ANNOUNCEMENT_LEN, Conduct, GapSummary, SenderClock};
use crate::wire::probe::{Encoder, Kind};

/// Every stream says so often how much it has offered, what clock it has and what its sender tells on itself, so
/// that a receiver can tell silence from a lost sender, and one that comes late soon knows what delays mean.
const PROGRESS_EVERY: Nanos = Nanos(250_000_000);

/// Of many streams each says it less often: one announcement in this time is the most.
const PROGRESS_GAP: Nanos = Nanos(2_000_000);

/// Start and end are announced in so many rounds, this far apart: a short outage does not swallow them all.
const START_ROUNDS: u64 = 5;
const END_ROUNDS: u64 = 10;
const ROUND_GAP: Nanos = Nanos(20_000_000);

/// Time before the start of a trial that the announcements of it take.
pub(super) const START_LEAD: Nanos = Nanos(START_ROUNDS * ROUND_GAP.0);

/// What was due before the end but is late may still leave in this time after it.
const OVERTIME: Nanos = Nanos(10_000_000);

/// A loop that stands still for so long is an event.
pub(super) const HICCUP: Nanos = Nanos(10_000_000);

/// A sender at work.
pub(super) struct TxWorker {
    pub(super) name: String,
    pub(super) engine: Box<dyn TxEngine>,
    pub(super) trial: TrialClock,
    pub(super) handover: Handover<SenderInterval>,
    streams: Vec<Stream>,
    /// Flow of the next datagram.
    turn: FlowIndex,
    /// Whether all datagrams of a batch go to one flow.
    in_trains: bool,
    schedule: Box<dyn Schedule>,
    pacer: Pacer,
    /// Datagrams that are still to become due.
    left: u64,
    /// Datagrams that were to become due when it began; `None` for as fast as possible.
    bounded: Option<u64>,
    /// End of the offered load.
    end: Nanos,
    /// Of the datagrams that are pending.
    payload_len: usize,
    /// Of those to come, where not all are alike.
    lengths: Option<Lengths>,
    batch: usize,
    /// Due times of datagrams that are due and not yet sent; at most a batch, and of one length.
    pending: Vec<Nanos>,
    /// Due time of the datagram after those.
    next: Option<Nanos>,
    /// Where the slots being filled go.
    departures: Vec<Departure>,
    clock: SenderClock,
    /// What it did in the intervals that were handed over.
    so_far: SoFar,
    /// What it tells on itself, as of the last time that it looked.
    conduct: Conduct,
    next_look: Nanos,
    next_progress: Nanos,
    progress_turn: FlowIndex,
    /// When datagrams were handed over last.
    last_sent: Option<Nanos>,
    /// What the engine had counted when the last interval ended.
    told: TxCounters,
    result: TxResult,
}

/// One sequence-number space.
struct Stream {
    encoder: Encoder,
    offered: u64,
}

/// Of what a sender did, that which it tells on itself.
#[derive(Clone, Default)]
struct SoFar {
    trains: Trains,
    stalls: Stalls,
    refused: u64,
}

impl SoFar {
    /// This and another interval.
    fn with(&self, interval: &SenderInterval) -> Self {
        let mut sum = self.clone();
        sum.trains.add(&interval.trains);
        sum.stalls.add(&interval.stalls);
        sum.refused += interval.counts.refused;
        sum
    }
}

/// What a sender did in all, but for what the collector got interval by interval.
#[derive(Clone, Debug, Default)]
pub(super) struct TxResult {
    /// From the start to the end of the offered load.
    pub(super) duration: Nanos,
}

impl Interval for SenderInterval {
    fn clear(&mut self) {
        self.clear();
    }
}

impl TxWorker {
    pub(super) fn new(
        name: String,
        plan: SenderPlan,
        session: u32,
        end: Option<Nanos>,
        engine: Box<dyn TxEngine>,
        trial: TrialClock,
        handover: Handover<SenderInterval>,
    ) -> Self {
        let streams = (0..plan.engine.flows.len()).map(|flow| {
            let number = plan.first_stream + flow as u16;
            let encoder = Encoder::new(session, number, plan.load.payload_checksum);
            Stream { encoder, offered: 0 }
        });
        let left = plan.count.unwrap_or(u64::MAX);
        Self {
            name,
            engine,
            trial,
            handover,
            streams: streams.collect(),
            turn: 0,
            in_trains: plan.in_trains,
            schedule: plan.schedule,
            // As fast as possible there is no rhythm to keep.
            pacer: Pacer::new(
                plan.load.pace,
                plan.load.catch_up || plan.load.rate == Some(Rate::Max),
            ),
            left,
            bounded: (plan.load.rate != Some(Rate::Max)).then_some(left),
            end: end.unwrap_or(Nanos(u64::MAX)),
            payload_len: plan.load.sizes.only().unwrap_or(0).into(),
            lengths: plan.lengths,
            batch: plan.engine.batch,
            pending: Vec::with_capacity(plan.engine.batch),
            next: None,
            departures: Vec::with_capacity(plan.engine.batch),
            clock: host::own_clock(),
            so_far: SoFar::default(),
            conduct: Conduct { thread: plan.number, ..Conduct::default() },
            next_look: Nanos(0),
            next_progress: PROGRESS_EVERY,
            progress_turn: 0,
            last_sent: None,
            told: TxCounters::default(),
            result: TxResult::default(),
        }
    }

    /// Announces, offers, announces the end.
    pub(super) fn run(mut self, control: &Control) -> TxResult {
        self.look_at_itself();
        self.announce_start(control);
        self.result.duration = self.offer(control);
        self.count_what_was_not_tried();
        let offered_until = self.trial.now();
        self.look_at_itself();
        self.announce_end();
        self.close_interval();
        self.handover.finish(offered_until);
        self.result
    }

    fn announce_start(&mut self, control: &Control) {
        let start = self.trial.monotonic(Nanos(0));
        for round in (1..=START_ROUNDS).rev() {
            crate::sys::clock::sleep_until(start.saturating_sub(Nanos(round * ROUND_GAP.0)));
            if control.senders_stopped() {
                return;
            }
            for flow in 0..self.streams.len() {
                // A refusal here will be met again by the datagrams, and counted there.
                let _ = self.announce(flow, Kind::Start);
            }
        }
    }

    /// Sends what is due until the end of the offered load. Returns how long that took.
    fn offer(&mut self, control: &Control) -> Nanos {
        let mut now = self.pacer.wait_until(&self.trial, Nanos(1), control);
        if now > HICCUP {
            self.note_stall(now, now);
        }
        let overtime = Nanos(self.end.0.saturating_add(OVERTIME.0));
        while now < overtime && !control.senders_stopped() {
            self.take_due(now);
            let expected = if self.pending.is_empty() {
                // What became due before the end may be late; nothing that is due later leaves.
                let Some(next) = self.next.filter(|&next| now.min(next) < self.end) else { break };
                let last = if next < self.end { overtime } else { self.end };
                let next = self.pacer.earliest(next);
                let until = next.min(last).min(self.next_progress).min(self.handover.next_end());
                now = self.pacer.wait_until(&self.trial, until, control);
                until
            } else {
                let first = self.send_pending(now);
                let before = now;
                now = self.trial.now();
                self.pacer.left(first, before, now);
                before
            };
            if now > expected + HICCUP {
                self.note_stall(now, now - expected);
            }
            if now >= self.next_progress {
                self.announce_progress(now);
            }
            if now >= self.handover.next_end() {
                self.close_interval();
                if self.handover.is_ready() {
                    self.so_far = self.so_far.with(&self.handover.current);
                }
                self.handover.end_interval(now);
            }
        }
        // The last datagram takes its gap like all others: n datagrams at n a second take a second.
        match self.left {
            0 if !control.senders_stopped() => self.schedule.next_due(now).max(now).min(self.end),
            _ => now,
        }
    }

    /// Moves what is due by now from the schedule to `pending`.
    #[inline]
    fn take_due(&mut self, now: Nanos) {
        while self.pending.len() < self.batch {
            let next = match self.next {
                Some(next) => next,
                None if self.left == 0 => break,
                None => *self.next.insert(self.schedule.next_due(now)),
            };
            let first = self.pending.first().copied();
            if next >= self.end || self.left == 0 || !self.pacer.may_leave(next, now, first) {
                break;
            }
            if self.lengths.is_some() && !self.take_length(first.is_none()) {
                break;
            }
            self.next = None;
            self.left -= 1;
            self.handover.current.counts.intended += 1;
            self.pending.push(next);
        }
    }

    /// Takes the length of the next datagram, if it is that of those that are pending or there are none. Out of the
    /// way of loads whose datagrams are all alike.
    #[inline(never)]
    fn take_length(&mut self, is_first: bool) -> bool {
        let Some(lengths) = &mut self.lengths else { return true };
        let next = lengths.next();
        if !is_first && next != self.payload_len {
            return false;
        }
        self.payload_len = next;
        lengths.advance();
        true
    }

    /// Offers a batch of pending datagrams. A refused one is not sent again: its number goes to the next one. Returns
    /// when the first one was due.
    #[inline]
    fn send_pending(&mut self, now: Nanos) -> Nanos {
        let mut slots = self.engine.reserve(self.pending.len(), self.payload_len);
        self.departures.clear();
        for (slot, &due) in slots.iter_mut().zip(&self.pending) {
            let stream = &mut self.streams[self.turn as usize];
            let due_at = self.trial.wall(due);
            let late = now.saturating_sub(due);
            stream.encoder.encode(slot, Kind::Data, stream.offered, due_at, late);
            stream.offered += 1;
            self.departures.push(Departure { flow: self.turn, due: self.trial.monotonic(due) });
            if !self.in_trains {
                self.turn = next_turn(self.turn, self.streams.len());
            }
        }
        if self.in_trains {
            self.turn = next_turn(self.turn, self.streams.len());
        }
        let Committed { taken, refused } = self.engine.commit(&self.departures);
        if taken < self.departures.len() {
            self.take_back(taken, refused);
        }
        let current = &mut *self.handover.current;
        current.counts.offered += taken as u64;
        current.payload_bytes += (taken * self.payload_len) as u64;
        record_lateness(&mut current.lateness, &self.pending[..taken], now);
        if taken > 0 {
            let since = self.last_sent.replace(now).map(|last| now.saturating_sub(last));
            current.trains.note(taken, since);
        }
        let done = taken + usize::from(refused.is_some());
        let first = self.pending[0];
        self.pending.drain(..done);
        first
    }

    /// The kernel took only the first `taken`: the numbers of the others are free again.
    #[cold]
    fn take_back(&mut self, taken: usize, refused: Option<i32>) {
        for departure in &self.departures[taken..] {
            self.streams[departure.flow as usize].offered -= 1;
        }
        let untried = taken + usize::from(refused.is_some());
        if let Some(departure) = self.departures.get(untried) {
            self.turn = departure.flow;
        }
        if let Some(errno) = refused {
            self.handover.current.counts.refused += 1;
            self.handover.current.refused.note(errno, 1);
        }
    }

    /// Brings what the engine counted into the interval that is being gathered.
    #[cold]
    fn close_interval(&mut self) {
        let counters = self.engine.counters();
        let current = &mut *self.handover.current;
        current.send_calls += counters.calls - self.told.calls;
        current.packet_size.add(counters.size.since(self.told.size));
        current.super_packet_max = counters.super_packet_max;
        current.also_refused += counters.cut_short - self.told.cut_short;
        if let (Some(errno), None) = (counters.fell_back, self.told.fell_back) {
            let reason = std::io::Error::from_raw_os_error(errno).to_string();
            let (asked, instead) = ("several datagrams as one".into(), "each by itself".into());
            self.handover.note(self.trial.now(), Happening::Degraded { asked, instead, reason });
        }
        self.told = counters;
    }

    /// What the schedule wanted before the end and the loop did not get to.
    fn count_what_was_not_tried(&mut self) {
        let end = self.result.duration.min(self.end);
        let was_next = u64::from(self.next.is_some_and(|next| next < end));
        let rest = self.schedule.remaining_before(end) + was_next;
        let rest = rest.min(self.left);
        self.left -= rest;
        self.handover.current.counts.intended += rest;
    }

    /// One stream after the other, so that many streams do not all speak at once.
    #[cold]
    fn announce_progress(&mut self, now: Nanos) {
        if now >= self.next_look {
            self.next_look = now + PROGRESS_EVERY;
            self.look_at_itself();
        }
        let _ = self.announce(self.progress_turn as usize, Kind::Progress);
        self.progress_turn = (self.progress_turn + 1) % self.streams.len() as FlowIndex;
        let gap = Nanos(PROGRESS_EVERY.0 / self.streams.len() as u64).max(PROGRESS_GAP);
        self.next_progress = now + gap;
    }

    /// Brings up to date what is told of the sender. It adds up all streams and goes through a histogram, which is
    /// too much for each of many announcements.
    fn look_at_itself(&mut self) {
        let all = self.so_far.with(&self.handover.current);
        self.conduct = Conduct {
            thread: self.conduct.thread,
            stalls: u32::try_from(all.stalls.count).unwrap_or(u32::MAX),
            train_max: u32::try_from(all.trains.longest).unwrap_or(u32::MAX),
            longest_stall: all.stalls.longest,
            intended: self.bounded.map(|all| all - self.left),
            offered: self.streams.iter().map(|stream| stream.offered).sum(),
            refused: all.refused,
            gaps: gap_summary(&all.trains.gaps),
        };
    }

    /// A full queue may refuse the announcement of the end too; so rounds count only when they got through.
    fn announce_end(&mut self) {
        let mut rounds = 0;
        for _ in 0..5 * END_ROUNDS {
            let streams = 0..self.streams.len();
            let refused = streams.filter(|&flow| self.announce(flow, Kind::End).is_err()).count();
            rounds += u64::from(refused == 0);
            if rounds == END_ROUNDS {
                return;
            }
            crate::sys::clock::sleep_until(crate::sys::clock::monotonic() + ROUND_GAP);
        }
    }

    fn announce(&mut self, flow: usize, kind: Kind) -> Result<(), i32> {
        let now = self.trial.wall(self.trial.now());
        let stream = &self.streams[flow];
        let mut slots = self.engine.reserve(1, ANNOUNCEMENT_LEN);
        for slot in slots.iter_mut() {
            let told = (&self.clock, &self.conduct);
            stream.encoder.announce(slot, kind, stream.offered, now, told);
        }
        let refused = self.engine.commit(&[Departure::to(flow as FlowIndex)]).refused;
        self.handover.current.also_refused += u64::from(refused.is_some());
        refused.map_or(Ok(()), Err)
    }

    #[cold]
    fn note_stall(&mut self, now: Nanos, length: Nanos) {
        self.handover.current.stalls.note(length);
        let worker = self.name.clone();
        self.handover.note(now, Happening::Stalled { worker, length_ns: length });
    }
}

#[inline]
fn next_turn(turn: FlowIndex, flows: usize) -> FlowIndex {
    if turn as usize + 1 == flows { 0 } else { turn + 1 }
}

/// Gaps between datagrams in four numbers; `None` before the second datagram.
fn gap_summary(gaps: &CoarseHistogram) -> Option<GapSummary> {
    let at = |quantile| Nanos(gaps.value_at_quantile(quantile));
    (!gaps.is_empty()).then(|| GapSummary {
        min: Nanos(gaps.min()),
        p50: at(0.5),
        p99: at(0.99),
        max: Nanos(gaps.max()),
    })
}

/// Datagrams of one burst share their due time and are recorded at once.
#[inline]
fn record_lateness(lateness: &mut Latency, dues: &[Nanos], now: Nanos) {
    for same in dues.chunk_by(|a, b| a == b) {
        lateness.record_many(same[0], now, same.len() as u64);
    }
}
