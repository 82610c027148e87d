//! What happened when, in as many steps as a picture can show, however long the trial was.

use super::Observer;
use super::delay;
use super::drops::LostByInterval;
use super::snapshot::Snapshot;
use crate::stats::latency::{HIGHEST, Latency};
use crate::units::Nanos;
use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most steps that are kept; beyond it two neighbours become one.
pub const MOST: usize = 200;

/// Significant decimal digits of the delays of a step: 16 classes for each doubling.
const DIGITS: u8 = 1;

/// What happened between two instants of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Begin, since the trial started.
    pub start_ns: Nanos,
    /// How long it took.
    pub length_ns: Nanos,
    /// Datagrams that left; missing in a receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<u64>,
    /// Datagrams that came; missing in a sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    /// Those found to be lost; missing where none were.
    #[serde(default, skip_serializing_if = "LostByInterval::is_nothing")]
    pub lost_by: LostByInterval,
    /// One-way delays, those above the shortest where clocks do not compare, or a sender's lateness, each of its class
    /// of one digit; missing where there are none.
    #[serde(
        default = "classes",
        skip_serializing_if = "Histogram::is_empty",
        serialize_with = "encode",
        deserialize_with = "decode"
    )]
    pub delays_hdr: Histogram<u64>,
}

/// Delays of a step: none yet.
fn classes() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST.0, DIGITS).expect("constant bounds are valid")
}

fn encode<S: Serializer>(delays: &Histogram<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&delay::encode(delays))
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Histogram<u64>, D::Error> {
    let damaged = |reason| D::Error::custom(format!("a histogram is damaged ({reason})"));
    let delays = delay::decode(&String::deserialize(deserializer)?).map_err(damaged)?;
    let bounds = |of: &Histogram<u64>| (of.low(), of.high(), of.sigfig());
    match bounds(&delays) == bounds(&classes()) {
        true => Ok(delays),
        false => Err(D::Error::custom("the histogram of a step has other bounds")),
    }
}

impl Step {
    /// Of this length, in which nothing happened.
    pub fn empty(start_ns: Nanos, length_ns: Nanos) -> Self {
        let lost_by = LostByInterval::default();
        Self { start_ns, length_ns, offered: None, received: None, lost_by, delays_hdr: classes() }
    }

    fn of(snapshot: &Snapshot) -> Self {
        let Snapshot { sender, receiver, host, .. } = snapshot;
        let delays = match (receiver, sender) {
            (Some(receiver), _) if receiver.one_way_delay.count() > 0 => {
                Some(&receiver.one_way_delay)
            }
            (Some(receiver), _) => Some(&receiver.relative_delay),
            (None, Some(sender)) => Some(&sender.lateness),
            (None, None) => None,
        };
        Self {
            offered: sender.as_ref().map(|sender| sender.counts.offered),
            received: receiver.as_ref().map(|receiver| receiver.counts.received),
            lost_by: host.lost_by,
            delays_hdr: delays.map_or_else(classes, classified),
            ..Self::empty(snapshot.start, snapshot.length)
        }
    }

    /// The end, since the trial started.
    pub fn end(&self) -> Nanos {
        Nanos(self.start_ns.0.saturating_add(self.length_ns.0))
    }

    /// `count` in this step as a rate a second; 0 for a step without length.
    pub fn per_second(&self, count: u64) -> f64 {
        if self.length_ns == Nanos(0) { 0.0 } else { count as f64 / self.length_ns.as_secs_f64() }
    }

    /// The time until the end of `later`, which comes next.
    pub fn join(&mut self, later: &Self) {
        let add = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (None, None) => None,
            _ => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
        };
        self.length_ns = later.end().saturating_sub(self.start_ns);
        self.offered = add(self.offered, later.offered);
        self.received = add(self.received, later.received);
        self.lost_by.add(&later.lost_by);
        self.delays_hdr.add(&later.delays_hdr).expect("the bounds are the same");
    }
}

fn classified(delays: &Latency) -> Histogram<u64> {
    let mut classes = classes();
    for delay in delays.read().histogram.iter_recorded() {
        classes.saturating_record_n(delay.value_iterated_to(), delay.count_at_value());
    }
    classes
}

/// So many neighbours become one.
pub fn joined(steps: &[Step], each: usize) -> Vec<Step> {
    let join = |steps: &[Step]| {
        steps.iter().cloned().reduce(|mut sum, step| {
            sum.join(&step);
            sum
        })
    };
    steps.chunks(each).filter_map(join).collect()
}

/// Watches a trial, and keeps what happened when.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    steps: Vec<Step>,
    /// Intervals that a step takes.
    intervals_each: usize,
    /// Intervals in the last step.
    intervals_in_last: usize,
}

impl Timeline {
    /// What happened so far, at most [`MOST`] steps.
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

impl Observer for Timeline {
    fn on_interval(&mut self, snapshot: &Snapshot) {
        let step = Step::of(snapshot);
        self.intervals_each = self.intervals_each.max(1);
        match self.steps.last_mut() {
            Some(last) if self.intervals_in_last < self.intervals_each => {
                last.join(&step);
                self.intervals_in_last += 1;
                return;
            }
            _ => {}
        }
        if self.steps.len() == MOST {
            self.steps = joined(&self.steps, 2);
            self.intervals_each *= 2;
        }
        self.steps.push(step);
        self.intervals_in_last = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::model::spec::Role;

    fn steps(intervals: u64) -> Vec<Step> {
        let mut timeline = Timeline::default();
        let mut interval = sample::intervals(Role::Run).remove(0);
        for index in 0..intervals {
            (interval.index, interval.start) = (index, Nanos(index * interval.length.0));
            timeline.on_interval(&interval);
        }
        timeline.into_steps()
    }

    #[test]
    fn however_long_it_is_it_takes_the_same_room_and_loses_nothing() {
        let each = steps(1).remove(0);
        for intervals in [1, 2, MOST as u64, MOST as u64 + 1, 1_281] {
            let steps = steps(intervals);
            assert!(steps.len() <= MOST && steps.len() as u64 >= intervals.min(MOST as u64 / 2));
            assert_eq!(steps.last().unwrap().end(), Nanos(intervals * Nanos::SECOND.0));
            let sum = |count: fn(&Step) -> u64| steps.iter().map(count).sum::<u64>();
            assert_eq!(sum(|step| step.offered.unwrap()), intervals * each.offered.unwrap());
            assert_eq!(sum(|step| step.delays_hdr.len()), intervals * each.delays_hdr.len());
            let lost: i64 = steps.iter().map(|step| step.lost_by.elsewhere).sum();
            assert_eq!(lost, intervals as i64 * each.lost_by.elsewhere);
            assert!(steps.windows(2).all(|two| two[0].end() == two[1].start_ns));
        }
    }

    #[test]
    fn a_delay_is_within_a_sixteenth_of_its_class() {
        let mut delays = Latency::new();
        delays.record(Nanos(0), Nanos(1_000_003));
        let classes = classified(&delays);
        assert!(classes.equivalent_range(classes.max()) <= 1_000_003 / 16);
        assert!(
            classes.lowest_equivalent(classes.max()) <= 1_000_003 && 1_000_003 <= classes.max()
        );
    }

    #[test]
    fn a_step_reads_back_as_it_was_written() {
        for step in steps(3).into_iter().chain([Step::empty(Nanos(1), Nanos(2))]) {
            let json = serde_json::to_string(&step).unwrap();
            assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), step, "{json}");
        }
    }

    #[test]
    fn a_histogram_that_is_damaged_or_has_other_bounds_is_refused() {
        let other = delay::encode(&crate::stats::latency::histogram());
        for (hdr, complaint) in [(&*other, "other bounds"), ("AAAA", "a histogram is damaged (")] {
            let json = format!(r#"{{"start_ns":0,"length_ns":1,"delays_hdr":"{hdr}"}}"#);
            let error = serde_json::from_str::<Step>(&json).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
