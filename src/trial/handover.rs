//! How a worker hands its intervals to the collector without ever waiting for it.

use super::collector::Delivery;
use crate::model::event::{Event, Happening};
use crate::units::Nanos;
use crossbeam_channel::{Receiver, Sender, bounded};

/// What a worker gathers in an interval, and can be emptied and used again.
pub(super) trait Interval: Send {
    /// Forgets everything, keeps the memory.
    fn clear(&mut self);
}

/// An interval of one worker.
pub(super) struct Part<T> {
    /// Number of the worker among all.
    pub(super) worker: usize,
    /// Number of the interval at whose end it was handed over.
    pub(super) index: u64,
    /// When, in time of the trial.
    pub(super) ended: Nanos,
    /// What was gathered since the part before.
    pub(super) gathered: Box<T>,
    /// What happened.
    pub(super) events: Vec<Event>,
    /// Whether the worker is done.
    pub(super) is_last: bool,
}

/// The ways back for emptied boxes, one a worker.
pub(super) type GiveBack<T> = Vec<Sender<Box<T>>>;

/// The worker's end: two boxes in turn, one being filled, the other with the collector or on its way back.
pub(super) struct Handover<T> {
    worker: usize,
    interval: Nanos,
    next_end: Nanos,
    /// What is being gathered.
    pub(super) current: Box<T>,
    events: Vec<Event>,
    to_collector: Sender<Delivery>,
    spares: Receiver<Box<T>>,
}

/// Most events that one worker remembers between two intervals. Of more, streams that were heard give way: each has
/// its row. What is still beyond is dropped; stalls that often are told by the longest of them.
const EVENTS_MAX: usize = 256;

impl<T: Interval> Handover<T>
where
    Delivery: From<Part<T>>,
{
    /// `interval` of zero hands over at the end only. `empty` makes the two boxes. Returns the way back for emptied
    /// ones.
    pub(super) fn new(
        worker: usize,
        interval: Nanos,
        empty: impl Fn() -> T,
        to_collector: Sender<Delivery>,
    ) -> (Self, Sender<Box<T>>) {
        let (give_back, spares) = bounded(1);
        // The channel is new and has room for one.
        drop(give_back.try_send(Box::new(empty())));
        let next_end = if interval == Nanos(0) { Nanos(u64::MAX) } else { interval };
        let handover = Self {
            worker,
            interval,
            next_end,
            current: Box::new(empty()),
            events: Vec::with_capacity(EVENTS_MAX),
            to_collector,
            spares,
        };
        (handover, give_back)
    }

    /// When [`Handover::end_interval`] wants to be called next.
    pub(super) fn next_end(&self) -> Nanos {
        self.next_end
    }

    /// Remembers that something happened.
    pub(super) fn note(&mut self, at: Nanos, what: Happening) {
        let is_row = |what: &Happening| matches!(what, Happening::StreamHeard { .. });
        if self.events.len() == EVENTS_MAX {
            let gives_way = self.events.iter().rposition(|event| is_row(&event.what));
            let Some(gives_way) = gives_way.filter(|_| !is_row(&what)) else { return };
            self.events.remove(gives_way);
        }
        self.events.push(Event { at_ns: at, what });
    }

    /// Whether what is being gathered would be handed over now.
    pub(super) fn is_ready(&self) -> bool {
        !self.to_collector.is_full() && !self.spares.is_empty()
    }

    /// Hands over what was gathered. If the collector is behind, goes on gathering into the same box instead.
    pub(super) fn end_interval(&mut self, now: Nanos) {
        let index = (now.0 / self.interval.0).saturating_sub(1);
        self.next_end = Nanos((index + 2) * self.interval.0);
        if !self.is_ready() {
            return;
        }
        let Ok(spare) = self.spares.try_recv() else { return };
        let gathered = std::mem::replace(&mut self.current, spare);
        let events = std::mem::take(&mut self.events);
        let worker = self.worker;
        let part = Part { worker, index, ended: now, gathered, events, is_last: false };
        // Only this process's workers send, and the channel has room for two parts of each.
        drop(self.to_collector.try_send(part.into()));
    }

    /// Hands over the rest. The trial is over for this worker: it may wait now.
    pub(super) fn finish(self, now: Nanos) {
        let index = now.0.checked_div(self.interval.0).unwrap_or(0);
        let part = Part {
            worker: self.worker,
            index,
            ended: now,
            gathered: self.current,
            events: self.events,
            is_last: true,
        };
        // A collector that is gone has panicked, and the thread that joins this one says so.
        drop(self.to_collector.send(part.into()));
    }
}
