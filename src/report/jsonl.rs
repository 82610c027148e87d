//! JSON Lines: one object a line while the trial runs, told apart by `type`; the whole report is the last.

use super::{ReportFormat, ReportWriter};
use crate::model::delay::Percentiles;
use crate::model::event::Event;
use crate::model::report::RunReport;
use crate::model::snapshot::{ReceiverInterval, RxCounts, SenderInterval, Snapshot, TxCounts};
use crate::model::spec::TrialSpec;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use serde::Serialize;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

/// `jsonl`
pub struct JsonLines;

impl ReportFormat for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn about(&self) -> &'static str {
        "a JSON object a line: start, intervals and events as they come, then the report"
    }

    fn begin(&self, out: Box<dyn Write + Send>) -> Box<dyn ReportWriter> {
        Box::new(Writer { out })
    }
}

struct Writer {
    out: Box<dyn Write + Send>,
}

impl Writer {
    /// Flushes each line: who follows the file sees it at once, and who kills us loses nothing.
    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

impl ReportWriter for Writer {
    fn start(&mut self, spec: &TrialSpec, started_at: Nanos) -> io::Result<()> {
        let started_at = UNIX_EPOCH + Duration::from(started_at);
        let started_at = humantime::format_rfc3339_nanos(started_at).to_string();
        self.line(&Line::Start { started_at, spec })
    }

    fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.line(&Line::Interval(&Interval::of(snapshot)))
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.line(&Line::Event(event))
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        self.line(&Line::Report(report))
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Start { started_at: String, spec: &'a TrialSpec },
    Interval(&'a Interval),
    Event(&'a Event),
    Report(&'a RunReport),
}

#[derive(Serialize)]
struct Interval {
    index: u64,
    start_ns: Nanos,
    length_ns: Nanos,
    sender: Option<Sender>,
    receiver: Option<Receiver>,
}

#[derive(Serialize)]
struct Sender {
    #[serde(flatten)]
    counts: TxCounts,
    payload_bytes: u64,
    offered_load_pps: f64,
    lateness_ns: Percentiles,
}

#[derive(Serialize)]
struct Receiver {
    #[serde(flatten)]
    counts: RxCounts,
    payload_bytes: u64,
    lost: i64,
    outstanding: u64,
    socket_drops: u64,
    streams: u64,
    forwarding_rate_pps: f64,
    one_way_delay_ns: Delay,
    relative_delay_ns: Percentiles,
    host_delay_ns: Percentiles,
    sender_lateness_ns: Percentiles,
}

#[derive(Serialize)]
struct Delay {
    #[serde(flatten)]
    percentiles: Percentiles,
    negative: u64,
    negative_max_ns: Nanos,
}

impl Interval {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            index: snapshot.index,
            start_ns: snapshot.start,
            length_ns: snapshot.length,
            sender: snapshot.sender.as_ref().map(|sender| Sender::of(sender, snapshot)),
            receiver: snapshot.receiver.as_ref().map(|receiver| Receiver::of(receiver, snapshot)),
        }
    }
}

impl Sender {
    fn of(sender: &SenderInterval, snapshot: &Snapshot) -> Self {
        Self {
            counts: sender.counts,
            payload_bytes: sender.payload_bytes,
            offered_load_pps: snapshot.per_second(sender.counts.offered),
            lateness_ns: Percentiles::of(&sender.lateness, 0),
        }
    }
}

impl Receiver {
    fn of(receiver: &ReceiverInterval, snapshot: &Snapshot) -> Self {
        Self {
            counts: receiver.counts,
            payload_bytes: receiver.payload_bytes,
            lost: receiver.lost,
            outstanding: receiver.outstanding,
            socket_drops: receiver.socket_drops,
            streams: receiver.streams,
            forwarding_rate_pps: snapshot.per_second(receiver.counts.received),
            one_way_delay_ns: Delay::of(&receiver.one_way_delay, receiver.lost),
            relative_delay_ns: Percentiles::of(&receiver.relative_delay, receiver.lost),
            host_delay_ns: Percentiles::of(&receiver.host_delay, 0),
            sender_lateness_ns: Percentiles::of(&receiver.sender_lateness, 0),
        }
    }
}

impl Delay {
    fn of(latency: &Latency, lost: i64) -> Self {
        Self {
            percentiles: Percentiles::of(latency, lost),
            negative: latency.negative,
            negative_max_ns: latency.negative_max,
        }
    }
}
