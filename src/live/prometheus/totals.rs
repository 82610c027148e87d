//! All intervals added up, as counters want it: nothing ever falls.

use crate::model::by_stream::{ByStream, StreamName};
use crate::model::drops::{HostDrops, LostByInterval};
use crate::model::report::{InvalidReason, RunReport};
use crate::model::snapshot::{
    HostInterval, ReceiverInterval, RxCounts, SenderInterval, Snapshot, TxCounts,
};
use crate::model::spec::{Role, TrialSpec};
use crate::stats::latency::Latency;
use crate::units::Nanos;
use std::collections::BTreeMap;

/// Most streams, and most counters of a host, with a label of their own. The rest shares one.
pub(super) const MOST_LABELS: usize = 100;

/// What a scrape tells.
pub(super) struct Totals {
    pub(super) trial: Trial,
    pub(super) verdict: Option<Verdict>,
    pub(super) sent: Option<Sent>,
    pub(super) heard: Option<Heard>,
}

/// Which trial it is.
pub(super) struct Trial {
    pub(super) role: Role,
    pub(super) engine: String,
    /// Since the Unix epoch. Before the start it is the one that was asked for, if any was.
    pub(super) start: Option<Nanos>,
    pub(super) has_started: bool,
}

/// How it ended.
pub(super) struct Verdict {
    pub(super) is_valid: bool,
    pub(super) invalid_reasons: Vec<&'static str>,
    /// As typed, and whether they held.
    pub(super) limits: Vec<(String, bool)>,
}

/// The sending side.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) counts: TxCounts,
    pub(super) payload_bytes: u64,
    pub(super) calls: u64,
    pub(super) stalls: u64,
    /// By the name of the errno.
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) host_drops: BTreeMap<String, u64>,
    pub(super) lateness: Latency,
}

/// The receiving side.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) streams: BTreeMap<StreamName, StreamTotals>,
    /// Streams beyond those.
    pub(super) other: StreamTotals,
    pub(super) lost_by: LostByTotals,
    pub(super) foreign: u64,
    pub(super) payload_bytes: u64,
    pub(super) calls: u64,
    pub(super) stalls: u64,
    pub(super) negative_delays: u64,
    /// Streams that were heard in the last interval.
    pub(super) streams_now: u64,
    /// Missing at its end.
    pub(super) outstanding: u64,
    pub(super) host_drops: BTreeMap<String, u64>,
    pub(super) one_way_delay: Latency,
    pub(super) relative_delay: Latency,
    pub(super) host_delay: Latency,
}

/// One stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamTotals {
    pub(super) counts: RxCounts,
    pub(super) lost: Lost,
}

/// Where datagrams were lost.
#[derive(Default)]
pub(super) struct LostByTotals {
    pub(super) receiver_socket: Lost,
    pub(super) receiver_host: Lost,
    pub(super) elsewhere: Lost,
}

/// A number that may fall, as two that do not. Their difference is what the report has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) found: u64,
    pub(super) taken_back: u64,
}

impl Lost {
    fn add(&mut self, more: i64) {
        let which = if more < 0 { &mut self.taken_back } else { &mut self.found };
        *which += more.unsigned_abs();
    }
}

impl Totals {
    /// A trial that is yet to start. Counters stand at zero from now on, or their first step would be lost to whoever
    /// takes a rate.
    pub(super) fn new(spec: &TrialSpec) -> Self {
        let (engine, start) = (spec.engine.clone(), spec.start_at_ns);
        Self {
            trial: Trial { role: spec.role, engine, start, has_started: false },
            verdict: None,
            sent: (spec.role != Role::Recv).then(Sent::default),
            heard: (spec.role != Role::Send).then(Heard::default),
        }
    }

    pub(super) fn start(&mut self, started_at: Nanos) {
        (self.trial.start, self.trial.has_started) = (Some(started_at), true);
    }

    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        if let Some((sum, sender)) = self.sent.as_mut().zip(snapshot.sender.as_ref()) {
            sum.add(sender, &snapshot.host);
        }
        if let Some((sum, receiver)) = self.heard.as_mut().zip(snapshot.receiver.as_ref()) {
            sum.add(receiver, &snapshot.host);
        }
    }

    pub(super) fn finish(&mut self, report: &RunReport) {
        let mut invalid_reasons: Vec<_> =
            report.trial.invalid_reasons.iter().map(reason_name).collect();
        invalid_reasons.sort_unstable();
        invalid_reasons.dedup();
        let limits: BTreeMap<_, _> =
            report.limits.iter().map(|each| (each.limit.to_string(), each.held)).collect();
        let limits = limits.into_iter().collect();
        self.verdict = Some(Verdict { is_valid: report.trial.valid, invalid_reasons, limits });
    }
}

impl Sent {
    fn add(&mut self, sender: &SenderInterval, host: &HostInterval) {
        self.counts.add(&sender.counts);
        self.payload_bytes += sender.payload_bytes;
        self.calls += sender.send_calls;
        self.stalls += sender.stalls.count;
        for (errno, count) in &host.refused {
            *self.refused.entry(errno.clone()).or_default() += count;
        }
        add_drops(&mut self.host_drops, &host.sending);
        self.lateness.add(&sender.lateness);
    }
}

impl Heard {
    fn add(&mut self, receiver: &ReceiverInterval, host: &HostInterval) {
        self.add_streams(&receiver.by_stream, &receiver.counts, receiver.lost);
        self.lost_by.add(&host.lost_by);
        self.foreign += receiver.counts.foreign;
        self.payload_bytes += receiver.payload_bytes;
        self.calls += receiver.receive_calls;
        self.stalls += receiver.stalls.count;
        self.negative_delays += receiver.one_way_delay.negative;
        (self.streams_now, self.outstanding) = (receiver.streams, receiver.outstanding);
        add_drops(&mut self.host_drops, &host.receiving);
        self.one_way_delay.add(&receiver.one_way_delay);
        self.relative_delay.add(&receiver.relative_delay);
        self.host_delay.add(&receiver.host_delay);
    }

    /// What is in the counts of all and in no stream that has a label is of the others.
    fn add_streams(&mut self, told: &ByStream, all: &RxCounts, lost: i64) {
        let mut labelled = StreamTotals::default();
        let mut labelled_lost = 0;
        for stream in told.iter() {
            let has_room = self.streams.len() < MOST_LABELS;
            if !has_room && !self.streams.contains_key(&stream.name) {
                continue;
            }
            let sum = self.streams.entry(stream.name).or_default();
            sum.counts.add(&stream.counts);
            sum.lost.add(stream.lost);
            labelled.counts.add(&stream.counts);
            labelled_lost += stream.lost;
        }
        let rest = RxCounts { foreign: 0, ..all.since(&labelled.counts) };
        self.other.counts.add(&rest);
        self.other.lost.add(lost - labelled_lost);
    }
}

impl LostByTotals {
    fn add(&mut self, more: &LostByInterval) {
        self.receiver_socket.add(more.receiver_socket);
        self.receiver_host.add(more.receiver_host);
        self.elsewhere.add(more.elsewhere);
    }
}

fn add_drops(sums: &mut BTreeMap<String, u64>, drops: &HostDrops) {
    for (name, &rise) in &drops.0 {
        let has_room = sums.len() < MOST_LABELS || sums.contains_key(name);
        let name = if has_room { name } else { super::page::OTHER };
        *sums.entry(name.to_owned()).or_default() += rise;
    }
}

/// As JSON names it.
fn reason_name(reason: &InvalidReason) -> &'static str {
    match reason {
        InvalidReason::OfferedLoadMissed { .. } => "offered_load_missed",
        InvalidReason::ApparatusDropped { .. } => "apparatus_dropped",
        InvalidReason::Stalled { .. } => "stalled",
        InvalidReason::ClockStepped { .. } => "clock_stepped",
        InvalidReason::WorkerFailed { .. } => "worker_failed",
        InvalidReason::NothingHeard => "nothing_heard",
    }
}

#[cfg(test)]
mod tests;
