//! Gathers the workers' intervals into snapshots and tells the observer.

use super::blame::{self, HostCounted, Watched};
use super::errno;
use super::handover::{GiveBack, Interval, Part};
use crate::model::Observer;
use crate::model::drops::{HostDrops, LostBy};
use crate::model::event::{Event, Happening};
use crate::model::snapshot::{HostInterval, ReceiverInterval, SenderInterval, Snapshot};
use crate::units::Nanos;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;

/// What a worker may hand over.
pub(super) enum Delivery {
    /// From a sender.
    Tx(Part<SenderInterval>),
    /// From a receiver.
    Rx(Part<ReceiverInterval>),
}

impl Delivery {
    /// Whether a sender is done with it.
    pub(super) fn is_last_of_sender(&self) -> bool {
        matches!(self, Self::Tx(part) if part.is_last)
    }
}

/// A worker that is this much behind is not waited for; what it brings later goes into the next snapshot.
const GRACE: Nanos = Nanos(250_000_000);

/// Most events that a report lists. Of more, streams that were heard and stalls are only counted: nothing else can
/// happen without end.
const MOST_EVENTS: usize = 10_000;

/// The intervals of all workers on their way to the observer.
pub(super) struct Collector<'a> {
    observer: &'a mut dyn Observer,
    interval: Nanos,
    /// Intervals that some workers have brought and others have not.
    pending: BTreeMap<u64, Pending>,
    /// First interval not yet told.
    next: u64,
    /// Intervals before anything was heard, which nobody wants to read.
    skipped: Option<u64>,
    /// Up to which interval each worker has brought its own.
    brought: Vec<Option<u64>>,
    has_sender: bool,
    has_receiver: bool,
    give_back_tx: GiveBack<SenderInterval>,
    give_back_rx: GiveBack<ReceiverInterval>,
    /// All intervals added up.
    sent: SenderInterval,
    received: ReceiverInterval,
    events: Vec<Event>,
    /// Streams that were heard and stalls that are not among them, and when the last was.
    not_listed: (u64, u64, Nanos),
    /// This host's counters; `None` where there is no network.
    host: Option<Watched>,
    /// What was told of what became of datagrams on this host.
    told: Told,
    /// Whether the workers are done.
    is_over: bool,
}

/// Sums that an interval is the difference to: one place may have dropped what another has already been blamed for.
#[derive(Default)]
struct Told {
    dropped_after_taking: u64,
    lost_by: LostBy,
}

#[derive(Default)]
struct Pending {
    tx: Option<SenderInterval>,
    rx: Option<ReceiverInterval>,
    /// Latest end of a part.
    ended: Nanos,
    /// When the last sender ended, if that was in this interval.
    senders_ended: Option<Nanos>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        observer: &'a mut dyn Observer,
        interval: Nanos,
        give_back_tx: GiveBack<SenderInterval>,
        give_back_rx: GiveBack<ReceiverInterval>,
        host: Option<Watched>,
    ) -> Self {
        Self {
            observer,
            interval,
            pending: BTreeMap::new(),
            next: 0,
            skipped: if give_back_tx.is_empty() { None } else { Some(0) },
            brought: vec![None; give_back_tx.len() + give_back_rx.len()],
            has_sender: !give_back_tx.is_empty(),
            has_receiver: !give_back_rx.is_empty(),
            give_back_tx,
            give_back_rx,
            sent: SenderInterval::default(),
            received: ReceiverInterval::default(),
            events: Vec::new(),
            not_listed: (0, 0, Nanos(0)),
            host,
            told: Told::default(),
            is_over: false,
        }
    }

    /// Takes what a worker handed over and gives it the emptied box back.
    pub(super) fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Tx(part) => {
                let pending = self.pending.entry(part.index.max(self.next)).or_default();
                pending.ended = pending.ended.max(part.ended);
                if part.is_last {
                    pending.senders_ended = pending.senders_ended.max(Some(part.ended));
                }
                pending.tx.get_or_insert_default().add(&part.gathered);
                let give_back = self.give_back_tx.get(part.worker);
                note(&mut self.brought[part.worker], &part);
                recycle(give_back, part.gathered);
                self.happened(part.events);
            }
            Delivery::Rx(part) => {
                let pending = self.pending.entry(part.index.max(self.next)).or_default();
                pending.ended = pending.ended.max(part.ended);
                pending.rx.get_or_insert_default().add(&part.gathered);
                let give_back = self.give_back_rx.get(part.worker - self.give_back_tx.len());
                note(&mut self.brought[part.worker], &part);
                recycle(give_back, part.gathered);
                self.happened(part.events);
            }
        }
    }

    /// Tells and keeps what happened.
    pub(super) fn happened(&mut self, events: Vec<Event>) {
        for event in events {
            self.observer.on_event(&event);
            let (streams, stalls, last) = &mut self.not_listed;
            let unlisted = match event.what {
                _ if self.events.len() < MOST_EVENTS => None,
                Happening::StreamHeard { .. } => Some(streams),
                Happening::Stalled { .. } => Some(stalls),
                _ => None,
            };
            match unlisted {
                Some(count) => (*count, *last) = (*count + 1, event.at_ns),
                None => self.events.push(event),
            }
        }
    }

    /// Notes that something happened.
    pub(super) fn note(&mut self, at: Nanos, what: Happening) {
        self.happened(vec![Event { at_ns: at, what }]);
    }

    /// Tells that something is heard.
    pub(super) fn heard(&mut self) {
        self.observer.on_heard();
    }

    /// Tells the intervals that are complete, or so old that nobody should wait for the rest.
    pub(super) fn tell_complete(&mut self, now: Nanos) {
        if self.interval == Nanos(0) {
            return;
        }
        loop {
            let end = Nanos((self.next + 1) * self.interval.0);
            let is_complete = self.brought.iter().all(|index| *index >= Some(self.next));
            let is_old = now > end + GRACE;
            if now < end || !(is_complete || is_old) {
                return;
            }
            self.tell_next(end);
        }
    }

    /// All intervals added up: the senders', the receivers', and the events of the whole trial.
    pub(super) fn into_sums(mut self) -> (SenderInterval, ReceiverInterval, Vec<Event>) {
        let (streams, stalls, at_ns) = self.not_listed;
        if streams + stalls > 0 {
            self.events.push(Event { at_ns, what: Happening::NotListed { streams, stalls } });
        }
        (self.sent, self.received, self.events)
    }

    /// How far this host's counters rose in what was told.
    pub(super) fn host_counted(&self) -> HostCounted {
        self.host.as_ref().map(Watched::counted).unwrap_or_default()
    }

    /// Tells whatever is left. The workers are done.
    pub(super) fn finish(&mut self) {
        self.is_over = true;
        // Drops since the last row want one, even if all workers' intervals have been told.
        self.pending.entry(self.next).or_default();
        while let Some((&last, pending)) = self.pending.last_key_value() {
            let ended = pending.ended;
            let whole = Nanos((self.next + 1).saturating_mul(self.interval.0));
            let end = if self.next == last { ended } else { whole };
            self.tell_next(end);
        }
    }

    fn tell_next(&mut self, end: Nanos) {
        let index = self.next;
        self.next += 1;
        let pending = self.pending.remove(&index).unwrap_or_default();
        pending.tx.iter().for_each(|tx| self.sent.add(tx));
        pending.rx.iter().for_each(|rx| self.received.add(rx));
        let is_last = self.is_over && self.pending.is_empty();
        let is_idle = is_idle(&pending) && !(is_last && self.has_untold_drops());
        if self.senders_are_done() && is_idle {
            return;
        }
        let rx = pending.rx.as_ref();
        let is_silent = is_idle && rx.is_none_or(|rx| rx.streams == 0);
        let Some(skipped) = self.skipped.or((!is_silent).then_some(index)) else { return };
        self.skipped = Some(skipped);
        let start = Nanos(index * self.interval.0);
        // The last interval of the offered load ends with it, or its rates would come out too low.
        let ended = pending.senders_ended.filter(|_| self.senders_are_done());
        let length = ended.map_or(end, |ended| ended.min(end)).saturating_sub(start);
        // What a worker brought so late that its interval had been told already stands in one without length.
        if length == Nanos(0) && is_idle {
            return;
        }
        let host = self.tell_host(&pending);
        self.observer.on_interval(&Snapshot {
            index: index - skipped,
            start,
            length,
            sender: self.has_sender.then(|| pending.tx.unwrap_or_default()),
            receiver: self.has_receiver.then(|| pending.rx.unwrap_or_default()),
            host,
        });
    }

    /// Whether this host has dropped something since the last row.
    fn has_untold_drops(&mut self) -> bool {
        let Some(host) = &mut self.host else { return false };
        host.look();
        host.untold().iter().any(HostDrops::has_drops)
    }

    /// What this host has to tell of the interval. What nobody was told of comes with the next row.
    fn tell_host(&mut self, pending: &Pending) -> HostInterval {
        let mut told = [HostDrops::default(), HostDrops::default()];
        let mut untold = told.clone();
        if let Some(host) = &mut self.host {
            host.look();
            untold = host.untold();
            host.tell();
            told = host.told();
        }
        let [sending, receiving] = told;
        let no_room = self.sent.refused.of(libc::ENOBUFS) + self.sent.also_refused;
        let dropped_after_taking =
            blame::dropped_after_taking(&sending, no_room, self.sent.packet_size);
        let lost = self.received.lost.try_into().unwrap_or(0);
        let lost_by = blame::lost_by(lost, &self.received.own_drops, &receiving);
        let before = std::mem::replace(&mut self.told, Told { dropped_after_taking, lost_by });
        let [sending, receiving] = untold;
        HostInterval {
            refused: pending.tx.as_ref().map(|tx| errno::by_name(&tx.refused)).unwrap_or_default(),
            sending,
            dropped_after_taking: dropped_after_taking as i64 - before.dropped_after_taking as i64,
            receiving,
            lost_by: lost_by.since(&before.lost_by),
        }
    }

    /// Receivers wait for stragglers after the senders have ended; if none come there is nothing to tell.
    fn senders_are_done(&self) -> bool {
        let senders = &self.brought[..self.give_back_tx.len()];
        self.has_sender && senders.iter().all(|brought| *brought == Some(u64::MAX))
    }
}

fn is_idle(pending: &Pending) -> bool {
    let has_sent = pending.tx.as_ref().is_some_and(|tx| tx.counts.intended > 0);
    let has_received = pending.rx.as_ref().is_some_and(|rx| {
        let arrived = rx.counts.received + rx.counts.foreign;
        arrived + rx.socket_drops + rx.stalls.count > 0 || rx.lost != 0
    });
    !has_sent && !has_received
}

fn note<T>(brought: &mut Option<u64>, part: &Part<T>) {
    *brought = Some(if part.is_last { u64::MAX } else { part.index });
}

fn recycle<T: Interval>(give_back: Option<&Sender<Box<T>>>, mut gathered: Box<T>) {
    gathered.clear();
    if let Some(give_back) = give_back {
        // A worker that is done takes nothing back.
        drop(give_back.try_send(gathered));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::RxCounts;
    use crate::model::spec::TrialSpec;

    /// Keeps the receiver's rows.
    #[derive(Default)]
    struct Rows(Vec<(u64, Nanos, RxCounts)>);

    impl Observer for Rows {
        fn on_start(&mut self, _spec: &TrialSpec, _started_at: Nanos) {}

        fn on_interval(&mut self, snapshot: &Snapshot) {
            let counts = snapshot.receiver.as_ref().unwrap().counts;
            self.0.push((snapshot.index, snapshot.start, counts));
        }

        fn on_event(&mut self, _event: &Event) {}
    }

    /// Number, begin and content of the rows of a second each that a receiver leaves behind when it brings these parts,
    /// each at a time of the collector and up to a time of its own.
    fn rows(parts: &[(u64, u64, RxCounts)]) -> Vec<(u64, Nanos, RxCounts)> {
        let mut rows = Rows::default();
        let (give_back, _spares) = crossbeam_channel::bounded(1);
        let mut collector = Collector::new(&mut rows, Nanos::SECOND, vec![], vec![give_back], None);
        for (number, &(now_ms, ended_ms, counts)) in parts.iter().enumerate() {
            let is_last = number == parts.len() - 1;
            let gathered = Box::new(ReceiverInterval { counts, ..ReceiverInterval::default() });
            let index = if is_last { ended_ms / 1000 } else { ended_ms / 1000 - 1 };
            let ended = Nanos(ended_ms * 1_000_000);
            let part = Part { worker: 0, index, ended, gathered, events: vec![], is_last };
            collector.tell_complete(Nanos(now_ms * 1_000_000));
            collector.take(Delivery::Rx(part));
        }
        collector.finish();
        rows.0
    }

    fn received(received: u64) -> RxCounts {
        RxCounts { received, ..RxCounts::default() }
    }

    /// It is time of the trial all the same, which begins when it says that it does.
    #[test]
    fn silence_before_the_first_datagram_is_not_told() {
        let nothing = RxCounts::default();
        let parts = [(1000, 1000, nothing), (2000, 2000, received(5)), (2500, 2500, received(1))];
        let (one, two) = (Nanos::SECOND, Nanos(2 * Nanos::SECOND.0));
        assert_eq!(rows(&parts), [(0, one, received(5)), (1, two, received(1))]);
    }

    /// Rows add up to the totals, whoever sent what they count.
    #[test]
    fn foreign_datagrams_before_the_first_of_ours_are_told() {
        let foreign = RxCounts { foreign: 3, ..RxCounts::default() };
        let parts = [(1000, 1000, foreign), (1500, 1500, received(1))];
        assert_eq!(rows(&parts), [(0, Nanos(0), foreign), (1, Nanos::SECOND, received(1))]);
    }

    #[test]
    fn events_without_end_are_counted_and_others_are_all_listed() {
        let mut rows = Rows::default();
        let mut collector = Collector::new(&mut rows, Nanos::SECOND, vec![], vec![], None);
        let stall = || Happening::Stalled { worker: "receiver 0".into(), length_ns: Nanos(1) };
        (0..MOST_EVENTS as u64 + 5).for_each(|at| collector.note(Nanos(at), stall()));
        collector.note(Nanos(20_000), Happening::ClockStepped { by_ns: 1 });
        let (_, _, events) = collector.into_sums();
        assert_eq!(events.len(), MOST_EVENTS + 2);
        assert_eq!(events[MOST_EVENTS].what, Happening::ClockStepped { by_ns: 1 });
        let what = Happening::NotListed { streams: 0, stalls: 5 };
        assert_eq!(events[MOST_EVENTS + 1], Event { at_ns: Nanos(MOST_EVENTS as u64 + 4), what });
    }

    /// A worker that was held up between its last look at the clock and handing over.
    #[test]
    fn what_comes_after_its_interval_was_told_is_told_too() {
        let parts = [(1000, 1000, received(5)), (3600, 1900, received(7))];
        let told: u64 = rows(&parts).iter().map(|(_, _, counts)| counts.received).sum();
        assert_eq!(told, 12);
    }
}
