//! Gathers the workers' intervals into snapshots and tells the observer.

use super::handover::{GiveBack, Interval, Part};
use crate::model::Observer;
use crate::model::event::{Event, Happening};
use crate::model::snapshot::{ReceiverInterval, SenderInterval, Snapshot, TxCounts};
use crate::stats::latency::Latency;
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
    sent: SenderSums,
    one_way_delay: Latency,
    events: Vec<Event>,
}

/// What the senders did in the whole trial.
#[derive(Default)]
pub(super) struct SenderSums {
    pub(super) counts: TxCounts,
    pub(super) payload_bytes: u64,
    pub(super) lateness: Latency,
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
            sent: SenderSums::default(),
            one_way_delay: Latency::new(),
            events: Vec::new(),
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
                let sum = pending.tx.get_or_insert_default();
                sum.counts.add(&part.gathered.counts);
                sum.payload_bytes += part.gathered.payload_bytes;
                sum.lateness.add(&part.gathered.lateness);
                let give_back = self.give_back_tx.get(part.worker);
                note(&mut self.brought[part.worker], &part);
                recycle(give_back, part.gathered);
                self.happened(part.events);
            }
            Delivery::Rx(part) => {
                let pending = self.pending.entry(part.index.max(self.next)).or_default();
                pending.ended = pending.ended.max(part.ended);
                let sum = pending.rx.get_or_insert_default();
                sum.counts.add(&part.gathered.counts);
                sum.payload_bytes += part.gathered.payload_bytes;
                sum.lost += part.gathered.lost;
                sum.socket_drops += part.gathered.socket_drops;
                sum.streams += part.gathered.streams;
                sum.one_way_delay.add(&part.gathered.one_way_delay);
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
            self.events.push(event);
        }
    }

    /// Notes that something happened.
    pub(super) fn note(&mut self, at: Nanos, what: Happening) {
        self.happened(vec![Event { at_ns: at, what }]);
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

    /// All intervals added up: the senders', the one-way delay, and the events of the whole trial.
    pub(super) fn into_sums(self) -> (SenderSums, Latency, Vec<Event>) {
        (self.sent, self.one_way_delay, self.events)
    }

    /// Tells whatever is left. The workers are done.
    pub(super) fn finish(&mut self) {
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
        if let Some(tx) = &pending.tx {
            self.sent.counts.add(&tx.counts);
            self.sent.payload_bytes += tx.payload_bytes;
            self.sent.lateness.add(&tx.lateness);
        }
        let rx = pending.rx.as_ref();
        if let Some(rx) = rx {
            self.one_way_delay.add(&rx.one_way_delay);
        }
        let is_idle = is_idle(&pending);
        if self.senders_are_done() && is_idle {
            return;
        }
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
        self.observer.on_interval(&Snapshot {
            index: index - skipped,
            start: Nanos((index - skipped) * self.interval.0),
            length,
            sender: self.has_sender.then(|| pending.tx.unwrap_or_default()),
            receiver: self.has_receiver.then(|| pending.rx.unwrap_or_default()),
        });
    }

    /// Receivers wait for stragglers after the senders have ended; if none come there is nothing to tell.
    fn senders_are_done(&self) -> bool {
        let senders = &self.brought[..self.give_back_tx.len()];
        self.has_sender && senders.iter().all(|brought| *brought == Some(u64::MAX))
    }
}

fn is_idle(pending: &Pending) -> bool {
    let has_sent = pending.tx.as_ref().is_some_and(|tx| tx.counts.intended > 0);
    let has_received = pending
        .rx
        .as_ref()
        .is_some_and(|rx| rx.counts.received + rx.counts.foreign + rx.socket_drops > 0);
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
    struct Rows(Vec<(u64, RxCounts)>);

    impl Observer for Rows {
        fn on_start(&mut self, _spec: &TrialSpec, _started_at: Nanos) {}

        fn on_interval(&mut self, snapshot: &Snapshot) {
            self.0.push((snapshot.index, snapshot.receiver.as_ref().unwrap().counts));
        }

        fn on_event(&mut self, _event: &Event) {}
    }

    /// Rows of a second each that a receiver leaves behind when it brings these parts, each at a time of the
    /// collector and up to a time of its own.
    fn rows(parts: &[(u64, u64, RxCounts)]) -> Vec<(u64, RxCounts)> {
        let mut rows = Rows::default();
        let (give_back, _spares) = crossbeam_channel::bounded(1);
        let mut collector = Collector::new(&mut rows, Nanos::SECOND, vec![], vec![give_back]);
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

    #[test]
    fn silence_before_the_first_datagram_is_not_told() {
        let nothing = RxCounts::default();
        let parts = [(1000, 1000, nothing), (2000, 2000, received(5)), (2500, 2500, received(1))];
        assert_eq!(rows(&parts), [(0, received(5)), (1, received(1))]);
    }

    /// Rows add up to the totals, whoever sent what they count.
    #[test]
    fn foreign_datagrams_before_the_first_of_ours_are_told() {
        let foreign = RxCounts { foreign: 3, ..RxCounts::default() };
        let parts = [(1000, 1000, foreign), (1500, 1500, received(1))];
        assert_eq!(rows(&parts), [(0, foreign), (1, received(1))]);
    }

    /// A worker that was held up between its last look at the clock and handing over.
    #[test]
    fn what_comes_after_its_interval_was_told_is_told_too() {
        let parts = [(1000, 1000, received(5)), (3600, 1900, received(7))];
        let told: u64 = rows(&parts).iter().map(|(_, counts)| counts.received).sum();
        assert_eq!(told, 12);
    }
}
