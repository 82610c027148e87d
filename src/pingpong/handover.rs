//! From the thread that asks or answers to the one that tells: without waiting.

use crate::model::event::{Event, Happening};
use crate::units::Nanos;
use crossbeam_channel::{Receiver, Sender, bounded};

/// More than this nobody has fetched, and the teller is held up by its output.
const ROOM: usize = 64;

/// What a worker tells.
pub(super) enum Told<I> {
    /// An interval has ended.
    Interval(Box<I>),
    /// Something happened.
    Event(Event),
}

/// An interval that can be used again.
pub(super) trait Interval: Default {
    /// Forgets all, keeps the memory.
    fn clear(&mut self);
    /// When it began, and how long it lasted.
    fn spans(&mut self, start: Nanos, length: Nanos);
}

/// A worker's end of the way to the teller.
pub(super) struct Handover<I> {
    to_teller: Sender<Told<I>>,
    emptied: Receiver<Box<I>>,
    /// The interval that is being gathered.
    pub(super) current: Box<I>,
    length: Nanos,
    start: Nanos,
    events: Vec<Event>,
    told: usize,
}

/// The teller's end.
pub(super) struct Teller<I> {
    told: Receiver<Told<I>>,
    give_back: Sender<Box<I>>,
}

/// The two ends, with memory for two intervals of `length`; 0 is none.
pub(super) fn handover<I: Interval>(length: Nanos) -> (Handover<I>, Teller<I>) {
    let (to_teller, told) = bounded(ROOM);
    let (give_back, emptied) = bounded(2);
    // The channel is empty and has room.
    let _ = give_back.send(Box::default());
    let current = Box::default();
    let worker = Handover {
        to_teller,
        emptied,
        current,
        length,
        start: Nanos(0),
        events: Vec::new(),
        told: 0,
    };
    (worker, Teller { told, give_back })
}

impl<I: Interval> Handover<I> {
    /// Notes an event; it is told when the teller has room.
    pub(super) fn note(&mut self, at_ns: Nanos, what: Happening) {
        self.events.push(Event { at_ns, what });
    }

    /// Whether there is something to tell at `now`.
    #[inline]
    pub(super) fn is_due(&self, now: Nanos) -> bool {
        self.told < self.events.len() || self.length > Nanos(0) && now >= self.start + self.length
    }

    /// Tells what is due: events, and an interval that is over, whose numbers have to be entered before. Where the teller
    /// is busy the interval goes on.
    #[cold]
    pub(super) fn tell(&mut self, now: Nanos) {
        while let Some(event) = self.events.get(self.told) {
            if self.to_teller.try_send(Told::Event(event.clone())).is_err() {
                return;
            }
            self.told += 1;
        }
        if self.length == Nanos(0) || now < self.start + self.length {
            return;
        }
        self.end_interval(now);
    }

    fn end_interval(&mut self, now: Nanos) {
        let Ok(mut next) = self.emptied.try_recv() else { return };
        next.clear();
        self.current.spans(self.start, now.saturating_sub(self.start));
        let ended = std::mem::replace(&mut self.current, next);
        // Whoever has given an interval back has room for one.
        let _ = self.to_teller.try_send(Told::Interval(ended));
        self.start = now;
    }

    /// All that was noted.
    pub(super) fn finish(mut self, now: Nanos) -> Vec<Event> {
        if self.length > Nanos(0) && now > self.start {
            self.end_interval(now);
        }
        self.events
    }
}

impl<I> Teller<I> {
    /// Tells everything until the worker is done.
    pub(super) fn tell_all(self, mut interval: impl FnMut(&I), mut event: impl FnMut(&Event)) {
        for told in &self.told {
            match told {
                Told::Event(happened) => event(&happened),
                Told::Interval(ended) => {
                    interval(&ended);
                    // It only fails when the worker is gone.
                    let _ = self.give_back.send(ended);
                }
            }
        }
    }
}
