//! The interval log of HdrHistogram (`.hlog`, format 1.3), for its log processors and plotters.
//!
//! A series a tag, in nanoseconds; only `Interval_Max` is in milliseconds, as in Java's `HistogramLogWriter`. Of the
//! receiving side `delay`, `relative-delay` (if there is any), `host` (kernel to application) and `stream-lateness`
//! (the senders', as their datagrams say); of the sending side `lateness`.

use super::{ReportFormat, ReportWriter};
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

/// `hlog`
pub struct Hlog;

impl ReportFormat for Hlog {
    fn name(&self) -> &'static str {
        "hlog"
    }

    fn about(&self) -> &'static str {
        "HdrHistogram's log: a histogram an interval, of delay and of lateness"
    }

    fn begin(&self, out: Box<dyn Write + Send>) -> Box<dyn ReportWriter> {
        Box::new(Writer { out, intervals: 0 })
    }
}

const DELAY: &str = "delay";
const RELATIVE: &str = "relative-delay";
const HOST: &str = "host";
const STREAM_LATENESS: &str = "stream-lateness";
const LATENESS: &str = "lateness";

struct Writer {
    out: Box<dyn Write + Send>,
    intervals: u64,
}

impl ReportWriter for Writer {
    fn start(&mut self, _spec: &TrialSpec, started_at: Nanos) -> io::Result<()> {
        write_header(started_at, &mut self.out)?;
        self.out.flush()
    }

    fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.intervals += 1;
        let mut write = |tag, latency: &Latency| {
            let (start, length) = (snapshot.start, snapshot.length);
            write_interval(tag, start, length, &latency.histogram, &mut self.out)
        };
        if let Some(receiver) = &snapshot.receiver {
            write(DELAY, &receiver.one_way_delay)?;
            if receiver.relative_delay.count() > 0 {
                write(RELATIVE, &receiver.relative_delay)?;
            }
            write(HOST, &receiver.host_delay)?;
            write(STREAM_LATENESS, &receiver.sender_lateness)?;
        }
        if let Some(sender) = &snapshot.sender {
            write(LATENESS, &sender.lateness)?;
        }
        self.out.flush()
    }

    /// A trial without intervals is one interval.
    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        if self.intervals == 0 {
            let trial = &report.trial;
            let delay = trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
            let lateness = trial.sender.as_ref().map(|sender| &sender.lateness_ns);
            for (tag, distribution) in [
                (DELAY, delay),
                (RELATIVE, trial.relative_delay_ns.as_ref()),
                (HOST, trial.host_delay_ns.as_ref()),
                (STREAM_LATENESS, trial.sender_lateness_ns.as_ref()),
                (LATENESS, lateness),
            ] {
                let Some(distribution) = distribution else { continue };
                let histogram = distribution.histogram().map_err(io::Error::other)?;
                write_interval(tag, Nanos(0), trial.duration_ns, &histogram, &mut self.out)?;
            }
        }
        self.out.flush()
    }
}

/// Both times are needed: readers take the intervals as relative to the base, and filter by the start.
pub(super) fn write_header(started_at: Nanos, out: &mut dyn Write) -> io::Result<()> {
    let (seconds, date) = (started_at.as_secs_f64(), UNIX_EPOCH + Duration::from(started_at));
    let date = humantime::format_rfc3339_millis(date);
    writeln!(out, "#[Histogram log format version 1.3]")?;
    writeln!(out, "#[BaseTime: {seconds:.3} (seconds since epoch)]")?;
    writeln!(out, "#[StartTime: {seconds:.3} (seconds since epoch), {date}]")?;
    writeln!(
        out,
        r#""StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram""#
    )
}

pub(super) fn write_interval(
    tag: &str,
    start: Nanos,
    length: Nanos,
    histogram: &Histogram<u64>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(io::Error::other)?;
    let (start, length) = (start.as_secs_f64(), length.as_secs_f64());
    let max_ms = histogram.max() as f64 / 1e6;
    let encoded = BASE64_STANDARD.encode(bytes);
    writeln!(out, "Tag={tag},{start:.3},{length:.3},{max_ms:.3},{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry, Tag};
    use hdrhistogram::serialization::{Deserializer, V2Serializer};

    /// Written by Java's `HistogramLogWriter`: 10, 20, 30 and 40 µs.
    const JAVA: &str = "Tag=rx0,1.000,1.000,0.040,HISTFAAAACx42pNpmSzMwMDAwwABzFCaEURcm7yEwf4DROCwM9Nffqb7nEyz2ZgAphwINg==\n";

    fn decoded(base64: &str) -> Histogram<u64> {
        let bytes = BASE64_STANDARD.decode(base64).unwrap();
        Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap()
    }

    fn histogram(highest: u64, digits: u8, values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, highest, digits).unwrap();
        for value in values {
            histogram.record(*value).unwrap();
        }
        histogram
    }

    #[test]
    fn a_line_says_the_same_as_one_of_java() {
        let ours = histogram(3_600_000_000, 3, &[10_000, 20_000, 30_000, 40_000]);
        let mut line = Vec::new();
        write_interval("rx0", Nanos::SECOND, Nanos::SECOND, &ours, &mut line).unwrap();
        let line = String::from_utf8(line).unwrap();
        let (ours, java) = (line.trim().rsplit_once(','), JAVA.trim().rsplit_once(','));
        let ((ours_before, ours), (java_before, java)) = (ours.unwrap(), java.unwrap());
        assert_eq!(ours_before, java_before);
        assert_eq!(decoded(ours), decoded(java));
    }

    #[test]
    fn a_log_reads_back_as_it_was_written() {
        let (first, last) =
            (histogram(60_000_000_000, 3, &[1, 7, 70_000]), histogram(1_000, 3, &[]));
        let mut log = Vec::new();
        write_header(Nanos(1_700_000_000_250_000_000), &mut log).unwrap();
        write_interval(DELAY, Nanos(0), Nanos::SECOND, &first, &mut log).unwrap();
        write_interval(LATENESS, Nanos::SECOND, Nanos::MILLISECOND, &last, &mut log).unwrap();

        let entries: Vec<_> = IntervalLogIterator::new(&log).map(Result::unwrap).collect();
        let [LogEntry::BaseTime(base), LogEntry::StartTime(start), a, b] = &entries[..] else {
            panic!("{entries:?}");
        };
        assert_eq!((base, start), (&Duration::from_millis(1_700_000_000_250), base));
        let (LogEntry::Interval(a), LogEntry::Interval(b)) = (a, b) else {
            panic!("{entries:?}");
        };
        assert_eq!((a.tag(), b.tag()), (Tag::new(DELAY), Tag::new(LATENESS)));
        assert_eq!(a.start_timestamp() + a.duration(), b.start_timestamp());
        assert_eq!(b.duration(), Duration::from_millis(1));
        assert_eq!(decoded(a.encoded_histogram()), first);
        assert_eq!(decoded(b.encoded_histogram()), last);
    }

    #[test]
    fn histograms_are_encoded_as_in_java() {
        let cases = [
            (
                histogram(3_600_000_000_000, 3, &[1, 2, 2, 3, 1000, 2047, 2048, 2049, 1_000_000]),
                "1c8493130000000f000000000000000300000000000000010000034630b8a0003ff0000000000000\
                 00020402c70f02ab100204bf8e0102",
            ),
            (
                histogram(1_000_000, 2, &[1, 1, 1, 5]),
                "1c849313000000040000000000000002000000000000000100000000000f42403ff0000000000000\
                 00060502",
            ),
        ];
        for (histogram, java) in cases {
            let mut bytes = Vec::new();
            V2Serializer::new().serialize(&histogram, &mut bytes).unwrap();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, java);
        }
    }
}
