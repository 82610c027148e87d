//! What happened when, in as many slots as a picture can show, however long the trial was.

use crate::model::drops::LostByInterval;
use crate::model::report::TrialReport;
use crate::model::snapshot::Snapshot;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

/// Most slots that are kept; at the end of memory two neighbours become one.
const MOST: usize = 640;

/// Rows of the heat map for each doubling of a delay.
pub(super) const ROWS: f64 = 8.0;

/// A trial by slots of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timeline {
    pub(super) slots: Vec<Slot>,
    /// Intervals that a slot takes.
    intervals_each: usize,
    /// Intervals in the last slot.
    intervals_in_last: usize,
}

/// What happened between two instants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Slot {
    pub(super) start: Nanos,
    pub(super) length: Nanos,
    /// Datagrams that left; `None` in a receiver.
    pub(super) offered: Option<u64>,
    /// Datagrams that came; `None` in a sender.
    pub(super) received: Option<u64>,
    /// Noticed to be lost.
    pub(super) lost: LostByInterval,
    /// How often delays came, by row of the heat map.
    pub(super) delays: BTreeMap<i32, u64>,
}

impl Slot {
    fn of(snapshot: &Snapshot) -> Self {
        let Snapshot { sender, receiver, host, .. } = snapshot;
        let delays = match (receiver, sender) {
            (Some(receiver), _) if receiver.one_way_delay.count() > 0 => {
                rows(&receiver.one_way_delay)
            }
            (Some(receiver), _) => rows(&receiver.relative_delay),
            (None, Some(sender)) => rows(&sender.lateness),
            (None, None) => BTreeMap::new(),
        };
        Self {
            start: snapshot.start,
            length: snapshot.length,
            offered: sender.as_ref().map(|sender| sender.counts.offered),
            received: receiver.as_ref().map(|receiver| receiver.counts.received),
            lost: host.lost_by,
            delays,
        }
    }

    /// The time until the end of `later`, which comes next.
    fn join(&mut self, later: &Self) {
        let add = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (None, None) => None,
            _ => Some(one.unwrap_or(0) + other.unwrap_or(0)),
        };
        self.length = (later.start + later.length).saturating_sub(self.start);
        self.offered = add(self.offered, later.offered);
        self.received = add(self.received, later.received);
        self.lost.receiver_socket += later.lost.receiver_socket;
        self.lost.receiver_host += later.lost.receiver_host;
        self.lost.elsewhere += later.lost.elsewhere;
        for (row, count) in &later.delays {
            *self.delays.entry(*row).or_default() += count;
        }
    }

    /// `count` in this slot as a rate a second; 0 for a slot without length.
    pub(super) fn per_second(&self, count: u64) -> f64 {
        if self.length == Nanos(0) { 0.0 } else { count as f64 / self.length.as_secs_f64() }
    }
}

fn rows(delays: &Latency) -> BTreeMap<i32, u64> {
    let mut rows = BTreeMap::new();
    for step in delays.read().histogram.iter_recorded() {
        let row = (step.value_iterated_to().max(1) as f64).log2() * ROWS;
        *rows.entry(row.floor() as i32).or_default() += step.count_at_value();
    }
    rows
}

impl Timeline {
    /// Takes the next interval.
    pub(super) fn push(&mut self, snapshot: &Snapshot) {
        let slot = Slot::of(snapshot);
        self.intervals_each = self.intervals_each.max(1);
        match self.slots.last_mut() {
            Some(last) if self.intervals_in_last < self.intervals_each => {
                last.join(&slot);
                self.intervals_in_last += 1;
                return;
            }
            _ => {}
        }
        if self.slots.len() == MOST {
            self.slots = joined(&self.slots, 2);
            self.intervals_each *= 2;
        }
        self.slots.push(slot);
        self.intervals_in_last = 1;
    }

    /// What a saved result still tells of when something was lost: when its absence was noticed, and whether by the
    /// own socket.
    pub(super) fn of_losses(trial: &TrialReport) -> Option<Self> {
        let started = humantime::parse_rfc3339(&trial.started_at).ok()?;
        let started = Nanos::from(started.duration_since(UNIX_EPOCH).ok()?);
        let ranges = || trial.streams.iter().flat_map(|stream| &stream.lost_ranges);
        let is_complete = trial.streams.iter().all(|stream| stream.lost_ranges_complete);
        let last = ranges().map(|range| range.at_ns.saturating_sub(started)).max()?;
        let end = trial.duration_ns.max(last);
        // Of a file that is not honest; sums of times would not hold it.
        let is_honest = end.0 < u64::MAX / 2 && ranges().all(|range| range.at_ns >= started);
        if !is_complete || !is_honest || trial.duration_ns == Nanos(0) {
            return None;
        }
        const SLOTS: u64 = 160;
        let length = (end.0 / SLOTS).max(1);
        let slot =
            |at: u64| Slot { start: Nanos(at * length), length: Nanos(length), ..Slot::default() };
        let mut slots: Vec<_> = (0..=SLOTS).map(slot).collect();
        for range in ranges() {
            let at = range.at_ns.saturating_sub(started).0 / length;
            let Some(slot) = slots.get_mut(at as usize) else { continue };
            let own = range.own_socket.min(range.len);
            slot.lost.receiver_socket += own as i64;
            slot.lost.elsewhere += (range.len - own) as i64;
        }
        Some(Self { slots, ..Self::default() })
    }

    /// The same in at most `most` slots, without a last one that is too short to have a rate.
    pub(super) fn at_most(&self, most: usize) -> Vec<Slot> {
        let each = self.slots.len().div_ceil(most.max(1)).max(1);
        let mut slots = joined(&self.slots, each);
        if let [.., before, last] = &mut slots[..]
            && last.length.0 < before.length.0 / 4
        {
            before.join(last);
            slots.pop();
        }
        slots
    }

    /// When the first slot begins: a receiver may have waited long for its sender.
    pub(super) fn begin(&self) -> Nanos {
        self.slots.first().map(|slot| slot.start).unwrap_or_default()
    }

    /// When the last slot ends.
    pub(super) fn end(&self) -> Nanos {
        self.slots.last().map(|slot| slot.start + slot.length).unwrap_or_default()
    }
}

/// So many neighbours become one.
fn joined(slots: &[Slot], each: usize) -> Vec<Slot> {
    let join = |slots: &[Slot]| {
        slots.iter().cloned().reduce(|mut sum, slot| {
            sum.join(&slot);
            sum
        })
    };
    slots.chunks(each).filter_map(join).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::model::spec::Role;

    fn timeline(intervals: u64) -> Timeline {
        let mut timeline = Timeline::default();
        let mut interval = sample::intervals(Role::Run).remove(0);
        for index in 0..intervals {
            (interval.index, interval.start) = (index, Nanos(index * interval.length.0));
            timeline.push(&interval);
        }
        timeline
    }

    #[test]
    fn however_long_it_is_it_takes_the_same_room_and_loses_nothing() {
        let each = timeline(1).slots.remove(0);
        for intervals in [1, 2, 640, 641, 1_281] {
            let timeline = timeline(intervals);
            assert!(timeline.slots.len() <= MOST, "{intervals}");
            assert_eq!(timeline.end(), Nanos(intervals * Nanos::SECOND.0));
            for slots in [timeline.slots.clone(), timeline.at_most(100)] {
                let sum = |count: fn(&Slot) -> u64| slots.iter().map(count).sum::<u64>();
                assert_eq!(sum(|slot| slot.offered.unwrap()), intervals * each.offered.unwrap());
                assert_eq!(
                    sum(|slot| slot.delays.values().sum()),
                    intervals * each.delays.values().sum::<u64>()
                );
                let lost: i64 = slots.iter().map(|slot| slot.lost.elsewhere).sum();
                assert_eq!(lost, intervals as i64 * each.lost.elsewhere);
                let ends = slots.iter().map(|slot| slot.start + slot.length);
                assert!(ends.zip(slots.iter().skip(1)).all(|(end, next)| end == next.start));
            }
            assert!(timeline.at_most(100).len() <= 100);
        }
    }

    #[test]
    fn a_saved_result_knows_when_it_lost() {
        let report = sample::lossy();
        let timeline = Timeline::of_losses(&report.trial).unwrap();
        let sum = |part: fn(&Slot) -> i64| timeline.slots.iter().map(part).sum::<i64>();
        let ranges = || report.trial.streams.iter().flat_map(|stream| &stream.lost_ranges);
        let own: u64 = ranges().map(|range| range.own_socket).sum();
        let all: u64 = ranges().map(|range| range.len).sum();
        assert_eq!(sum(|slot| slot.lost.receiver_socket), own as i64);
        assert_eq!(sum(|slot| slot.lost.elsewhere), (all - own) as i64);
        assert_eq!(Timeline::of_losses(&sample::run().trial), None);
    }
}
