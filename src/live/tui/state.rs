//! What the live view knows: digests of the last intervals, sums of all, who was heard, the events.

use super::rows::Rows;
use crate::model::by_stream::StreamInterval;
use crate::model::drops::LostByInterval;
use crate::model::group::Membership;
use crate::model::ping::PingInterval;
use crate::model::snapshot::{RxCounts, Snapshot};
use crate::stats::latency::Latency;
use crate::stats::percentile::Percentile;
use crate::units::Nanos;
use std::collections::VecDeque;

/// Intervals that are kept to be drawn: more than a wide screen has columns.
const KEPT: usize = 600;

/// Events that are kept.
const EVENTS_KEPT: usize = 200;

/// Percentiles that are drawn, in thousandths of a per cent.
pub(super) const PERCENTS: [(u32, &str); 3] = [(50_000, "p50"), (99_000, "p99"), (99_900, "p99.9")];

/// What is shown, as the trial says at its start.
#[derive(Clone, Debug, Default)]
pub(super) struct Title {
    /// Verb, groups, and how datagrams are moved.
    pub(super) what: String,
    /// How long it is to last, if that is known.
    pub(super) length: Option<Nanos>,
    /// What the delays are.
    pub(super) delay: &'static str,
}

/// Some intervals one after another, digested: one, or all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// Its end, since the start.
    pub(super) end: Nanos,
    pub(super) length: Nanos,
    pub(super) sent: Option<Sent>,
    pub(super) received: Option<Received>,
    /// The percentiles of [`PERCENTS`]; `None` where there is none, or it reaches into the lost ones.
    pub(super) delay: [Option<Nanos>; PERCENTS.len()],
}

/// The sending side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) offered: u64,
    pub(super) refused: u64,
    pub(super) payload_bytes: u64,
    /// Dropped by queues of this host after the kernel had taken them.
    pub(super) dropped: i64,
}

/// The receiving side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Received {
    pub(super) counts: RxCounts,
    pub(super) payload_bytes: u64,
    pub(super) lost: i64,
    /// Missing at the end, and may still come.
    pub(super) outstanding: u64,
    /// `None` where nobody knows the way.
    pub(super) lost_by: Option<LostByInterval>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) title: Title,
    pub(super) moments: VecDeque<Moment>,
    pub(super) total: Moment,
    pub(super) rows: Rows,
    pub(super) events: VecDeque<(Nanos, String)>,
    /// It was told to end.
    pub(super) is_ending: bool,
    pub(super) has_colours: bool,
}

/// What is told to the view.
pub(super) enum News {
    Started(Title),
    Moment(Box<(Moment, Vec<StreamInterval>)>),
    Event(Nanos, String),
    /// Lines that somebody else has to say.
    Said(String),
    /// It was told to end.
    Ending,
}

impl State {
    pub(super) fn new(has_colours: bool) -> Self {
        Self {
            title: Title::default(),
            moments: VecDeque::new(),
            total: Moment::default(),
            rows: Rows::default(),
            events: VecDeque::new(),
            is_ending: false,
            has_colours,
        }
    }

    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Started(title) => self.title = title,
            News::Event(at, text) => self.note(at, text),
            News::Ending => self.is_ending = true,
            News::Said(text) => {
                text.lines().for_each(|line| self.note(self.total.end, line.to_owned()));
            }
            News::Moment(interval) => {
                let (moment, streams) = *interval;
                self.total.add(&moment);
                self.moments.push_back(moment);
                keep(&mut self.moments, KEPT);
                self.rows.hear(&streams);
            }
        }
    }

    fn note(&mut self, at: Nanos, text: String) {
        self.events.push_back((at, text));
        keep(&mut self.events, EVENTS_KEPT);
    }

    /// The last interval.
    pub(super) fn last(&self) -> Option<&Moment> {
        self.moments.back()
    }
}

impl Moment {
    pub(super) fn of_trial(snapshot: &Snapshot) -> Self {
        let sent = snapshot.sender.as_ref().map(|sender| Sent {
            offered: sender.counts.offered,
            refused: sender.counts.refused,
            payload_bytes: sender.payload_bytes,
            dropped: snapshot.host.dropped_after_taking,
        });
        let received = snapshot.receiver.as_ref().map(|receiver| Received {
            counts: receiver.counts,
            payload_bytes: receiver.payload_bytes,
            lost: receiver.lost,
            outstanding: receiver.outstanding,
            lost_by: Some(snapshot.host.lost_by),
        });
        let delay = match (&snapshot.receiver, &snapshot.sender) {
            (Some(receiver), _) => {
                let lost = u64::try_from(receiver.lost).unwrap_or(0);
                let compares =
                    receiver.one_way_delay.count() > 0 || receiver.relative_delay.count() == 0;
                let delays =
                    if compares { &receiver.one_way_delay } else { &receiver.relative_delay };
                percentiles(delays, lost)
            }
            (None, Some(sender)) => percentiles(&sender.lateness, 0),
            (None, None) => Default::default(),
        };
        Self {
            end: snapshot.start + snapshot.length,
            length: snapshot.length,
            sent,
            received,
            delay,
        }
    }

    /// `missing_before` were missing at the end of the interval before.
    pub(super) fn of_ping(interval: &PingInterval, missing_before: u64) -> Self {
        let counts = RxCounts {
            received: interval.answered,
            unique: interval.answered,
            ..RxCounts::default()
        };
        Self {
            end: interval.start + interval.length,
            length: interval.length,
            sent: Some(Sent { offered: interval.sent, ..Sent::default() }),
            received: Some(Received {
                counts,
                lost: interval.missing.cast_signed() - missing_before.cast_signed(),
                ..Received::default()
            }),
            delay: percentiles(&interval.rtt, 0),
        }
    }

    pub(super) fn per_second(&self, count: u64) -> f64 {
        if self.length == Nanos(0) { 0.0 } else { count as f64 / self.length.as_secs_f64() }
    }

    fn add(&mut self, other: &Self) {
        self.end = other.end;
        self.length = self.length + other.length;
        if let Some(more) = other.sent {
            let sent = self.sent.get_or_insert_default();
            sent.offered += more.offered;
            sent.refused += more.refused;
            sent.payload_bytes += more.payload_bytes;
            sent.dropped += more.dropped;
        }
        if let Some(more) = other.received {
            let received = self.received.get_or_insert_default();
            received.counts.add(&more.counts);
            received.payload_bytes += more.payload_bytes;
            received.lost += more.lost;
            received.outstanding = more.outstanding;
            if let Some(more) = more.lost_by {
                received.lost_by.get_or_insert_default().add(&more);
            }
        }
    }
}

/// The first group, and how many more.
pub(super) fn groups(groups: &[Membership]) -> String {
    match groups {
        [] => String::new(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn percentiles(delays: &Latency, lost: u64) -> [Option<Nanos>; PERCENTS.len()] {
    PERCENTS.map(|(percent, _)| {
        delays.percentile_with_losses(percent, lost).and_then(Percentile::finite)
    })
}

fn keep<T>(queue: &mut VecDeque<T>, most: usize) {
    if queue.len() > most {
        queue.pop_front();
    }
}
