//! One table: a row an interval while the trial runs, then a row a stream, a row a sender thread that was heard, and
//! a row for the whole.

use super::interval::Interval;
use super::{ReportFormat, ReportWriter};
use crate::model::delay::{Distribution, OneWayDelay, Percentiles};
use crate::model::metrics::Buckets;
use crate::model::report::{RunReport, StreamReport, TrialReport};
use crate::model::senders::{SenderConduct, SenderGaps, SenderThread};
use crate::model::snapshot::{RxCounts, Snapshot, TxCounts};
use crate::model::spec::Load;
use crate::report::paper::Paper;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

mod more;

/// `csv`
pub struct Csv;

impl ReportFormat for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "a table: a row an interval, then a row a stream, a sender and the total"
    }

    fn grows(&self) -> bool {
        true
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter> {
        let rows = ::csv::WriterBuilder::new().has_headers(false).from_writer(out);
        Box::new(Writer { rows, has_header: false })
    }
}

struct Writer {
    rows: ::csv::Writer<Box<dyn Write + Send>>,
    has_header: bool,
}

impl Writer {
    /// The table has its header from the first row on; a row of another length is an error.
    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_header, true) {
            self.rows.write_record(header())?;
        }
        self.rows.serialize(row).map_err(io_error)
    }
}

/// What went wrong with the output; a table that is not rectangular is our fault.
pub(super) fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl ReportWriter for Writer {
    fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let more = more::interval(&serde_json::to_value(Interval::of(snapshot))?);
        self.row(&Row { more, ..Row::interval(snapshot) })?;
        self.rows.flush()
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        for stream in &report.trial.streams {
            let more = more::stream(&serde_json::to_value(stream)?);
            self.row(&Row { more, ..Row::stream(stream) })?;
        }
        for sender in report.trial.senders.iter().flat_map(|senders| &senders.threads) {
            self.row(&Row { more: more::none(), ..Row::sender(sender) })?;
        }
        let more = more::total(&serde_json::to_value(report)?);
        self.row(&Row { more, ..Row::total(&report.trial) })?;
        self.rows.flush()
    }
}

/// The columns, in the order of [`Row`], but for those of [`more`]; a star stands for each of [`DELAYS`].
const COLUMNS: &str = "kind index start_ns length_ns session thread stream source group port \
    intended offered refused offered_load_pps lateness_*_ns \
    gap_p50_ns gap_p99_ns gap_max_ns train_max stalls longest_stall_ns \
    sent received unique lost outstanding loss_ratio duplicates reordered too_late corrupt foreign \
    payload_bytes streams socket_drops forwarding_rate_pps \
    delay_*_ns delay_negative relative_delay_*_ns host_delay_*_ns stream_lateness_*_ns \
    schedule sizes";

/// The columns of a delay, in the order of [`Delays`].
pub(super) const DELAYS: [&str; 7] = ["min", "p50", "p90", "p99", "p99_9", "p99_99", "max"];

fn header() -> impl Iterator<Item = String> {
    columns(COLUMNS).chain(more::header())
}

/// The names of columns; a star stands for each of [`DELAYS`].
pub(super) fn columns(names: &'static str) -> impl Iterator<Item = String> {
    names.split_whitespace().flat_map(|column| {
        let parts = if column.contains('*') { &DELAYS[..] } else { &[""] };
        parts.iter().map(|part| column.replace('*', part))
    })
}

/// A line of the table, its fields the columns. `None` is an empty cell: not known, or not of this kind of row.
#[derive(Default, Serialize)]
struct Row<'a> {
    kind: &'static str,
    index: Option<u64>,
    start_ns: Option<Nanos>,
    length_ns: Option<Nanos>,
    session: Option<&'a str>,
    thread: Option<u16>,
    stream: Option<u16>,
    source: Option<&'a str>,
    group: Option<&'a str>,
    port: Option<u16>,
    intended: Option<u64>,
    offered: Option<u64>,
    refused: Option<u64>,
    offered_load_pps: Option<f64>,
    lateness: Delays,
    gap_p50_ns: Option<u64>,
    gap_p99_ns: Option<u64>,
    gap_max_ns: Option<u64>,
    train_max: Option<u64>,
    stalls: Option<u64>,
    longest_stall_ns: Option<Nanos>,
    sent: Option<u64>,
    received: Option<u64>,
    unique: Option<u64>,
    lost: Option<i64>,
    outstanding: Option<u64>,
    loss_ratio: Option<f64>,
    duplicates: Option<u64>,
    reordered: Option<u64>,
    too_late: Option<u64>,
    corrupt: Option<u64>,
    foreign: Option<u64>,
    payload_bytes: Option<u64>,
    streams: Option<u64>,
    socket_drops: Option<u64>,
    forwarding_rate_pps: Option<f64>,
    delay: Delays,
    delay_negative: Option<u64>,
    relative_delay: Delays,
    host_delay: Delays,
    stream_lateness: Delays,
    schedule: Option<String>,
    sizes: Option<String>,
    more: Vec<Value>,
}

/// Empty are also percentiles that reach into the lost ones.
#[derive(Default, Serialize)]
pub(super) struct Delays {
    min: Option<Nanos>,
    p50: Option<Nanos>,
    p90: Option<Nanos>,
    p99: Option<Nanos>,
    p99_9: Option<Nanos>,
    p99_99: Option<Nanos>,
    max: Option<Nanos>,
}

impl From<Percentiles> for Delays {
    fn from(of: Percentiles) -> Self {
        let known = |value| (of.count > 0).then_some(value);
        Self {
            min: known(of.min),
            p50: of.p50,
            p90: of.p90,
            p99: of.p99,
            p99_9: of.p99_9,
            p99_99: of.p99_99,
            max: known(of.max),
        }
    }
}

impl Delays {
    fn interval(latency: &Latency, lost: i64) -> Self {
        Percentiles::of(&latency.read(), lost).into()
    }

    fn total(distribution: &Option<Distribution>) -> Self {
        distribution.as_ref().map(|of| of.percentiles.into()).unwrap_or_default()
    }
}

impl<'a> Row<'a> {
    fn interval(snapshot: &Snapshot) -> Self {
        let mut row = Self {
            kind: "interval",
            index: Some(snapshot.index),
            start_ns: Some(snapshot.start),
            length_ns: Some(snapshot.length),
            ..Self::default()
        };
        if let Some(sender) = &snapshot.sender {
            row.transmitted(sender.counts, snapshot.per_second(sender.counts.offered));
            row.lateness = Delays::interval(&sender.lateness, 0);
            row.handed_over(&Buckets::of(&sender.trains.gaps), sender.trains.longest);
            row.stalls = Some(sender.stalls.count);
            row.longest_stall_ns = Some(sender.stalls.longest);
        }
        if let Some(receiver) = &snapshot.receiver {
            row.received(receiver.counts);
            row.foreign = Some(receiver.counts.foreign);
            row.lost = Some(receiver.lost);
            row.outstanding = Some(receiver.outstanding);
            row.payload_bytes = Some(receiver.payload_bytes);
            row.streams = Some(receiver.streams);
            row.socket_drops = Some(receiver.socket_drops);
            row.forwarding_rate_pps = Some(snapshot.per_second(receiver.counts.received));
            row.delay = Delays::interval(&receiver.one_way_delay, receiver.lost);
            row.delay_negative = Some(receiver.one_way_delay.negative);
            row.relative_delay = Delays::interval(&receiver.relative_delay, receiver.lost);
            row.host_delay = Delays::interval(&receiver.host_delay, 0);
            row.stream_lateness = Delays::interval(&receiver.sender_lateness, 0);
        }
        row
    }

    fn stream(stream: &'a StreamReport) -> Self {
        let mut row = Self {
            kind: "stream",
            session: Some(&stream.session),
            stream: Some(stream.stream),
            source: Some(&stream.source),
            group: Some(&stream.group),
            port: Some(stream.port),
            sent: stream.sent,
            lost: Some(signed(stream.lost)),
            loss_ratio: stream.loss_ratio,
            ..Self::default()
        };
        row.received(stream.counts.counts());
        row
    }

    fn sender(sender: &'a SenderThread) -> Self {
        let mut row = Self {
            kind: "sender",
            session: Some(&sender.session),
            thread: Some(sender.thread),
            source: Some(&sender.source),
            ..Self::default()
        };
        row.conduct(&sender.conduct);
        row
    }

    fn total(trial: &TrialReport) -> Self {
        let mut row = Self {
            kind: "total",
            start_ns: Some(Nanos(0)),
            length_ns: Some(trial.duration_ns),
            ..Self::default()
        };
        if let Some(sender) = &trial.sender {
            row.transmitted(sender.counts.counts(), sender.offered_load_pps);
            row.lateness = sender.lateness_ns.percentiles.into();
            row.handed_over(&sender.gaps_ns, sender.train_max);
            row.stalls = Some(sender.stalls);
            row.longest_stall_ns = Some(sender.longest_stall_ns);
        } else if let Some(senders) = &trial.senders {
            row.conduct(&senders.all);
        }
        let flows = trial.spec.offered();
        let each = |of: &dyn Fn(&Load) -> String| {
            let all: Vec<_> = flows.iter().map(|flow| of(&flow.load)).collect();
            (!all.is_empty()).then(|| all.join(" + "))
        };
        row.schedule = each(&|load| load.schedule.to_string());
        row.sizes = each(&|load| load.sizes.to_string());
        if let Some(totals) = &trial.totals {
            row.received(totals.counts);
            row.foreign = Some(totals.counts.foreign);
            row.sent = totals.sent;
            row.lost = Some(signed(totals.lost));
            row.loss_ratio = totals.loss_ratio;
            row.payload_bytes = Some(totals.payload_bytes);
            row.streams = Some(trial.streams.len() as u64);
            row.forwarding_rate_pps = Some(totals.forwarding_rate_pps);
        }
        if let Some(OneWayDelay { distribution, negative, .. }) = &trial.one_way_delay_ns {
            row.delay = distribution.percentiles.into();
            row.delay_negative = Some(*negative);
        }
        row.relative_delay = Delays::total(&trial.relative_delay_ns);
        row.host_delay = Delays::total(&trial.host_delay_ns);
        row.stream_lateness = Delays::total(&trial.sender_lateness_ns);
        row
    }

    fn transmitted(&mut self, counts: TxCounts, offered_load_pps: f64) {
        self.intended = Some(counts.intended);
        self.offered = Some(counts.offered);
        self.refused = Some(counts.refused);
        self.offered_load_pps = Some(offered_load_pps);
    }

    fn handed_over(&mut self, gaps: &Buckets, train_max: u64) {
        (self.gap_p50_ns, self.gap_p99_ns, self.gap_max_ns) = (gaps.p50, gaps.p99, gaps.max);
        self.train_max = Some(train_max);
    }

    /// What senders elsewhere tell on themselves.
    fn conduct(&mut self, conduct: &SenderConduct) {
        self.intended = conduct.intended;
        self.offered = Some(conduct.offered);
        self.refused = Some(conduct.refused);
        if let Some(SenderGaps { p50, p99, max, .. }) = conduct.gaps_ns {
            (self.gap_p50_ns, self.gap_p99_ns, self.gap_max_ns) =
                (Some(p50.0), Some(p99.0), Some(max.0));
        }
        self.train_max = Some(conduct.train_max);
        self.stalls = Some(conduct.stalls);
        self.longest_stall_ns = Some(conduct.longest_stall_ns);
    }

    fn received(&mut self, counts: RxCounts) {
        self.received = Some(counts.received);
        self.unique = Some(counts.unique);
        self.duplicates = Some(counts.duplicates);
        self.reordered = Some(counts.reordered);
        self.too_late = Some(counts.too_late);
        self.corrupt = Some(counts.corrupt);
    }
}

/// Loss of an interval may be negative, so the column is signed.
fn signed(lost: u64) -> i64 {
    i64::try_from(lost).unwrap_or(i64::MAX)
}
