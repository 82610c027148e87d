//! Round trips as a table and as histograms.

use super::csv::{self, Csv, Delays};
use super::hdr::{self, Hdr};
use super::hlog::{self, Hlog};
use super::{AtEnd, ReportFormat, ReportWriter};
use crate::model::delay::{Distribution, OneWayDelay};
use crate::model::ping::{PingCounts, PingReport};
use crate::model::roundtrip::RoundTrips;
use crate::report::paper::Paper;
use crate::units::Nanos;
use serde::Serialize;
use std::io::{self, Write};
use std::time::UNIX_EPOCH;

impl ReportFormat<PingReport> for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "a table: a row a responder, then the total"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter<PingReport>> {
        Box::new(AtEnd { out, write: write_csv })
    }
}

impl ReportFormat<PingReport> for Hdr {
    fn name(&self) -> &'static str {
        "hdr"
    }

    fn about(&self) -> &'static str {
        "percentiles of the round trips of all responders in µs, .hgrm for HDR plotters"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter<PingReport>> {
        Box::new(AtEnd { out, write: write_hdr })
    }
}

impl ReportFormat<PingReport> for Hlog {
    fn name(&self) -> &'static str {
        "hlog"
    }

    fn about(&self) -> &'static str {
        "HdrHistogram's log: a histogram of all round trips, of their parts, and of each responder"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter<PingReport>> {
        Box::new(AtEnd { out, write: write_hlog })
    }
}

fn write_hdr(report: &PingReport, out: &mut dyn Write) -> io::Result<()> {
    let rtt = &report.outcome.totals.times.rtt_ns;
    let histogram = rtt.histogram().map_err(io::Error::other)?;
    hdr::write_percentiles(&histogram, hdr::RATIO, hdr::TICKS, out)
}

/// All of it is one interval.
fn write_hlog(report: &PingReport, out: &mut dyn Write) -> io::Result<()> {
    let outcome = &report.outcome;
    let started = humantime::parse_rfc3339(&outcome.started_at).unwrap_or(UNIX_EPOCH);
    let started = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    hlog::write_header(Nanos::from(started), out)?;
    let mut write = |tag: &str, of: &Distribution| {
        let histogram = of.histogram().map_err(io::Error::other)?;
        hlog::write_interval(tag, Nanos(0), outcome.duration_ns, &histogram, out)
    };
    let times = &outcome.totals.times;
    write("rtt", &times.rtt_ns)?;
    write("kernel-rtt", &times.kernel_rtt_ns)?;
    write("turnaround", &times.turnaround_ns)?;
    write("path", &times.path_ns)?;
    for (tag, way) in [("forward", &times.forward_ns), ("return", &times.return_ns)] {
        way.iter().try_for_each(|way| write(tag, &way.distribution))?;
    }
    for row in &outcome.responders {
        write(&format!("rtt-{}", row.responder), &row.times.rtt_ns)?;
    }
    write("lateness", &outcome.lateness_ns)
}

/// The columns, in the order of [`Row`].
const COLUMNS: &str = "kind responder source clock first_seq sent received answered late lost lost_there lost_back \
    lost_unknown duplicates duplicates_there reordered stray loss_ratio foreign \
    rtt_*_ns kernel_rtt_*_ns turnaround_*_ns path_*_ns forward_*_ns return_*_ns";

/// A line of the table, its fields the columns. `None` is an empty cell: not known, or not of this kind of row.
#[derive(Serialize)]
struct Row<'a> {
    kind: &'static str,
    responder: Option<&'a str>,
    source: Option<&'a str>,
    clock: Option<String>,
    first_seq: Option<u64>,
    counts: Counts,
    loss_ratio: Option<f64>,
    foreign: Option<u64>,
    rtt: Delays,
    kernel_rtt: Delays,
    turnaround: Delays,
    path: Delays,
    forward: Delays,
    back: Delays,
}

type Counts = [u64; 12];

fn write_csv(report: &PingReport, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = ::csv::WriterBuilder::new().has_headers(false).from_writer(out);
    rows.write_record(csv::columns(COLUMNS)).map_err(csv::io_error)?;
    for row in &report.outcome.responders {
        let clock = serde_json::to_value(row.clock).map_err(io::Error::other)?;
        rows.serialize(Row {
            kind: "responder",
            responder: Some(&row.responder),
            source: Some(&row.source),
            clock: clock.as_str().map(str::to_owned),
            first_seq: Some(row.first_seq),
            ..Row::of(&row.counts, row.loss_ratio, &row.times)
        })
        .map_err(csv::io_error)?;
    }
    let totals = &report.outcome.totals;
    rows.serialize(Row {
        foreign: Some(totals.foreign),
        ..Row::of(&totals.counts, totals.loss_ratio, &totals.times)
    })
    .map_err(csv::io_error)?;
    rows.flush()
}

impl Row<'_> {
    fn of(counts: &PingCounts, loss_ratio: Option<f64>, times: &RoundTrips) -> Self {
        let delays = |of: &Distribution| of.percentiles.into();
        let way = |of: &Option<OneWayDelay>| {
            of.as_ref().map(|way| delays(&way.distribution)).unwrap_or_default()
        };
        Self {
            kind: "total",
            responder: None,
            source: None,
            clock: None,
            first_seq: None,
            counts: [
                counts.sent,
                counts.received,
                counts.answered,
                counts.late,
                counts.lost,
                counts.lost_there,
                counts.lost_back,
                counts.lost_unknown,
                counts.duplicates,
                counts.duplicates_there,
                counts.reordered,
                counts.stray,
            ],
            loss_ratio,
            foreign: None,
            rtt: delays(&times.rtt_ns),
            kernel_rtt: delays(&times.kernel_rtt_ns),
            turnaround: delays(&times.turnaround_ns),
            path: delays(&times.path_ns),
            forward: way(&times.forward_ns),
            back: way(&times.return_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::sample::roundtrip;
    use crate::report::golden::{check_human, check_written};

    #[test]
    fn for_people() {
        check_human("human_ping", &roundtrip::ping());
        check_human("human_ping_alone", &roundtrip::ping_alone());
        check_human("human_echo", &roundtrip::echo());
    }

    #[test]
    fn as_a_table_and_as_histograms() {
        check_written("csv_ping", "csv", &roundtrip::ping());
        check_written("hdr_ping", "hdr", &roundtrip::ping());
        check_written("hlog_ping", "hlog", &roundtrip::ping_alone());
    }
}
