//! A trial, whole or so far, added to those before it.

use crate::model::continued::{Continued, Position, SCHEMA, Setup, State};
use crate::model::delay::Distribution;
use crate::model::drops::LostBy;
use crate::model::positions::{StreamPosition, session_name};
use crate::model::report::{StreamEnd, StreamReport, TrialReport};
use crate::model::snapshot::RxCounts;
use crate::model::so_far::SoFar;
use crate::model::verdict::lost_of_comparable;
use crate::stats::latency::{self, Delays, Latency};
use crate::units::Nanos;
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

/// Most streams of the trials before that are kept in case that they are heard again; where senders and receivers are cut
/// off again and again there would be ever more.
const MOST_OPEN: usize = 10_000;

/// What a trial is added to.
pub(super) struct Series {
    pub(super) setup: Setup,
    /// What was in the file.
    pub(super) earlier: Option<State>,
}

/// One trial, as far as it is added to those before.
pub(super) struct Trial {
    counts: RxCounts,
    lost: u64,
    lost_relative: u64,
    lost_by: LostBy,
    payload_bytes: u64,
    one_way: Option<Delays>,
    relative: Option<Delays>,
    host: Option<Delays>,
    streams: Vec<Heard>,
    /// Whether it has ended in order.
    is_over: bool,
}

/// A stream, and where its books begin.
struct Heard {
    first_seq: u64,
    position: Position,
}

impl Trial {
    /// One that has ended in order; `None` without a receiver.
    pub(super) fn whole(trial: &TrialReport) -> Option<Self> {
        let totals = trial.totals.as_ref()?;
        let delays = |of: Option<&Distribution>| of.and_then(|of| delays(of).ok());
        let one_way = trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
        Some(Self {
            counts: totals.counts,
            lost: totals.lost,
            lost_relative: totals.lost - lost_of_comparable(trial),
            lost_by: totals.lost_by,
            payload_bytes: totals.payload_bytes,
            one_way: delays(one_way),
            relative: delays(trial.relative_delay_ns.as_ref()),
            host: delays(trial.host_delay_ns.as_ref()),
            streams: trial.streams.iter().map(Heard::row).collect(),
            is_over: true,
        })
    }

    /// One that goes on; `None` without a receiver.
    pub(super) fn so_far(so_far: &SoFar) -> Option<Self> {
        let receiver = so_far.receiver.as_ref()?;
        let read = |latency: &Latency| (latency.count() > 0).then(|| latency.read());
        let streams = receiver.positions.iter();
        Some(Self {
            counts: receiver.counts,
            lost: receiver.lost.try_into().unwrap_or(0),
            lost_relative: receiver.lost_by_delay()[1].try_into().unwrap_or(0),
            lost_by: so_far.lost_by.in_all(),
            payload_bytes: receiver.payload_bytes,
            one_way: read(&receiver.one_way_delay),
            relative: read(&receiver.relative_delay),
            host: read(&receiver.host_delay),
            streams: streams.map(|(interface, stream)| Heard::at(interface, stream)).collect(),
            is_over: false,
        })
    }
}

impl Heard {
    /// Of closed books: what was missing is lost.
    fn row(row: &StreamReport) -> Self {
        let position = Position {
            session: row.session.clone(),
            stream: row.stream,
            source: row.source.clone(),
            interface: row.interface.clone(),
            next_seq: row.highest_seq.map_or(row.first_seq, |highest| highest + 1),
            awaited: 0,
            has_ended: row.end == StreamEnd::Announced,
        };
        Self { first_seq: row.first_seq, position }
    }

    fn at(interface: Option<&str>, stream: &StreamPosition) -> Self {
        let position = Position {
            session: session_name(stream.session),
            stream: stream.stream,
            source: stream.source.to_string(),
            interface: interface.map(str::to_owned),
            next_seq: stream.next_seq,
            awaited: stream.awaited,
            has_ended: stream.has_ended,
        };
        Self { first_seq: stream.first_seq, position }
    }
}

impl Series {
    /// With a trial that started and was as it is now at these times of the wall clock.
    pub(super) fn with(&self, trial: &Trial, started_at: Nanos, now: Nanos) -> State {
        let positions = self.earlier.as_ref().map_or(&[][..], |state| &state.streams);
        let meanwhile = Meanwhile::of(positions, trial);
        let continued = self.continued(trial, &meanwhile, started_at, now);
        let heard = trial.streams.iter().map(|heard| &heard.position);
        let heard = heard.filter(|position| !position.has_ended || position.awaited > 0);
        let streams = heard.cloned().chain(meanwhile.open).collect();
        let (schema, setup) = (SCHEMA.to_owned(), self.setup.clone());
        State { schema, setup, until_ns: now, continued, streams }
    }

    fn continued(
        &self,
        trial: &Trial,
        meanwhile: &Meanwhile,
        started_at: Nanos,
        now: Nanos,
    ) -> Continued {
        let none = Continued { since: rfc3339(started_at), ..Continued::default() };
        let earlier = self.earlier.as_ref();
        let before = earlier.map_or(&none, |state| &state.continued);
        let gap = earlier.map_or(Nanos(0), |state| started_at.saturating_sub(state.until_ns));
        let mut counts = before.counts;
        counts.add(&trial.counts);
        let mut lost_by = before.lost_by;
        lost_by.add(&trial.lost_by);
        let lost = before.lost + trial.lost;
        let lost_relative = before.lost_relative + trial.lost_relative;
        let lost_comparable = lost.saturating_sub(lost_relative);
        let known = counts.unique + lost;
        Continued {
            since: before.since.clone(),
            trials: before.trials + 1,
            listened_ns: before.listened_ns + now.saturating_sub(started_at),
            away_ns: before.away_ns + gap,
            away: before.away + meanwhile.away,
            away_unknown: before.away_unknown + meanwhile.unknown,
            counts,
            lost,
            lost_relative,
            lost_by,
            loss_ratio: (known > 0).then(|| lost as f64 / known as f64),
            payload_bytes: before.payload_bytes + trial.payload_bytes,
            one_way_delay_ns: sum(&before.one_way_delay_ns, &trial.one_way, lost_comparable),
            relative_delay_ns: sum(&before.relative_delay_ns, &trial.relative, lost_relative),
            host_delay_ns: sum(&before.host_delay_ns, &trial.host, 0),
        }
    }
}

/// What is known by now of the streams of the trials before.
#[derive(Default)]
struct Meanwhile {
    /// Datagrams that nobody looked at.
    away: u64,
    /// Streams of which nobody knows how many those were.
    unknown: u64,
    /// Streams that may still be heard again.
    open: Vec<Position>,
}

impl Meanwhile {
    fn of(before: &[Position], trial: &Trial) -> Self {
        let mut sum = Self::default();
        // With ten thousand streams it would take long to look through all of them for each.
        let begins: HashMap<_, _> =
            trial.streams.iter().map(|heard| (name(&heard.position), heard.first_seq)).collect();
        for position in before {
            match begins.get(&name(position)) {
                // All that it has sent is among what was awaited. Its end may be heard again.
                _ if position.has_ended => {}
                Some(first_seq) => sum.away += first_seq.saturating_sub(position.next_seq),
                None if trial.is_over || sum.open.len() == MOST_OPEN => sum.unknown += 1,
                None => {
                    sum.open.push(position.clone());
                    continue;
                }
            }
            sum.away += position.awaited;
        }
        sum
    }
}

/// What makes a stream the same in another trial.
fn name(of: &Position) -> (&str, u16, &str, Option<&str>) {
    (&of.session, of.stream, &of.source, of.interface.as_deref())
}

fn sum(before: &Option<Distribution>, trial: &Option<Delays>, lost: u64) -> Option<Distribution> {
    let before = before.as_ref().and_then(|before| delays(before).ok());
    let sum = match (before, trial) {
        (Some(mut sum), Some(trial)) => {
            sum.add(trial);
            sum
        }
        (Some(before), None) => before,
        (None, trial) => return trial.as_ref().map(|trial| Distribution::with_losses(trial, lost)),
    };
    Some(Distribution::with_losses(&sum, lost))
}

/// A histogram as it was saved.
pub(super) fn delays(of: &Distribution) -> Result<Delays, String> {
    let histogram = of.histogram()?;
    let own = latency::histogram();
    if (histogram.high(), histogram.sigfig()) != (own.high(), own.sigfig()) {
        return Err("it has other bounds".into());
    }
    Ok(Delays {
        histogram,
        negative: 0,
        negative_max: Nanos(0),
        clamped: of.percentiles.clamped,
        min: (of.percentiles.count > 0).then_some(of.percentiles.min),
        max: of.percentiles.max,
    })
}

fn rfc3339(wall: Nanos) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from(wall)).to_string()
}
