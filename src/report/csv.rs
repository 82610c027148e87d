//! One table: a row an interval while the trial runs, then a row a stream and a row for the whole.

use super::percentiles::Percentiles;
use super::{ReportFormat, ReportWriter};
use crate::model::report::{OneWayDelay, RunReport, StreamReport, TrialReport};
use crate::model::snapshot::{RxCounts, Snapshot, TxCounts};
use crate::units::Nanos;
use serde::Serialize;
use std::io::{self, Write};

/// `csv`
pub struct Csv;

impl ReportFormat for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "a table: a row an interval, then a row a stream and the total"
    }

    fn begin(&self, out: Box<dyn Write + Send>) -> Box<dyn ReportWriter> {
        Box::new(Writer { rows: ::csv::Writer::from_writer(out) })
    }
}

struct Writer {
    rows: ::csv::Writer<Box<dyn Write + Send>>,
}

impl Writer {
    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.rows.serialize(row).map_err(|error| match error.into_kind() {
            ::csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        })
    }
}

impl ReportWriter for Writer {
    fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.row(&Row::interval(snapshot))?;
        self.rows.flush()
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        for stream in &report.trial.streams {
            self.row(&Row::stream(stream))?;
        }
        self.row(&Row::total(&report.trial))?;
        self.rows.flush()
    }
}

/// A line of the table, its fields the columns. `None` is an empty cell: not known, or not of this kind of row.
#[derive(Default, Serialize)]
struct Row<'a> {
    kind: &'static str,
    index: Option<u64>,
    start_ns: Option<Nanos>,
    length_ns: Option<Nanos>,
    session: Option<&'a str>,
    stream: Option<u16>,
    source: Option<&'a str>,
    group: Option<&'a str>,
    port: Option<u16>,
    intended: Option<u64>,
    offered: Option<u64>,
    refused: Option<u64>,
    offered_load_pps: Option<f64>,
    lateness_p50_ns: Option<Nanos>,
    lateness_p99_ns: Option<Nanos>,
    lateness_max_ns: Option<Nanos>,
    sent: Option<u64>,
    received: Option<u64>,
    unique: Option<u64>,
    lost: Option<i64>,
    loss_ratio: Option<f64>,
    duplicates: Option<u64>,
    reordered: Option<u64>,
    too_late: Option<u64>,
    corrupt: Option<u64>,
    foreign: Option<u64>,
    socket_drops: Option<u64>,
    forwarding_rate_pps: Option<f64>,
    delay_min_ns: Option<Nanos>,
    delay_p50_ns: Option<Nanos>,
    delay_p90_ns: Option<Nanos>,
    delay_p99_ns: Option<Nanos>,
    delay_p99_9_ns: Option<Nanos>,
    delay_p99_99_ns: Option<Nanos>,
    delay_max_ns: Option<Nanos>,
    delay_negative: Option<u64>,
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
            row.lateness((&sender.lateness).into());
        }
        if let Some(receiver) = &snapshot.receiver {
            row.received(receiver.counts);
            row.foreign = Some(receiver.counts.foreign);
            row.lost = Some(receiver.lost);
            row.socket_drops = Some(receiver.socket_drops);
            row.forwarding_rate_pps = Some(snapshot.per_second(receiver.counts.received));
            row.delay((&receiver.one_way_delay).into(), receiver.one_way_delay.negative);
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

    fn total(trial: &TrialReport) -> Self {
        let mut row = Self {
            kind: "total",
            start_ns: Some(Nanos(0)),
            length_ns: Some(trial.duration_ns),
            ..Self::default()
        };
        if let Some(sender) = &trial.sender {
            row.transmitted(sender.counts.counts(), sender.offered_load_pps);
            row.lateness((&sender.lateness_ns).into());
        }
        if let Some(totals) = &trial.totals {
            row.received(totals.counts);
            row.foreign = Some(totals.counts.foreign);
            row.sent = totals.sent;
            row.lost = Some(signed(totals.lost));
            row.loss_ratio = totals.loss_ratio;
            row.socket_drops = Some(totals.lost_by.receiver_socket);
            row.forwarding_rate_pps = Some(totals.forwarding_rate_pps);
        }
        if let Some(OneWayDelay { distribution, negative, .. }) = &trial.one_way_delay_ns {
            row.delay(distribution.into(), *negative);
        }
        row
    }

    fn transmitted(&mut self, counts: TxCounts, offered_load_pps: f64) {
        self.intended = Some(counts.intended);
        self.offered = Some(counts.offered);
        self.refused = Some(counts.refused);
        self.offered_load_pps = Some(offered_load_pps);
    }

    fn received(&mut self, counts: RxCounts) {
        self.received = Some(counts.received);
        self.unique = Some(counts.unique);
        self.duplicates = Some(counts.duplicates);
        self.reordered = Some(counts.reordered);
        self.too_late = Some(counts.too_late);
        self.corrupt = Some(counts.corrupt);
    }

    /// Of no delays at all, no percentile is known.
    fn lateness(&mut self, of: Percentiles) {
        let known = |value| (of.count > 0).then_some(value);
        self.lateness_p50_ns = known(of.p50);
        self.lateness_p99_ns = known(of.p99);
        self.lateness_max_ns = known(of.max);
    }

    fn delay(&mut self, of: Percentiles, negative: u64) {
        let known = |value| (of.count > 0).then_some(value);
        self.delay_min_ns = known(of.min);
        self.delay_p50_ns = known(of.p50);
        self.delay_p90_ns = known(of.p90);
        self.delay_p99_ns = known(of.p99);
        self.delay_p99_9_ns = known(of.p99_9);
        self.delay_p99_99_ns = known(of.p99_99);
        self.delay_max_ns = known(of.max);
        self.delay_negative = Some(negative);
    }
}

/// Loss of an interval may be negative, so the column is signed.
fn signed(lost: u64) -> i64 {
    i64::try_from(lost).unwrap_or(i64::MAX)
}
