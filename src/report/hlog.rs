//! The interval log of HdrHistogram (`.hlog`, format 1.3), for its log processors and plotters.
//!
//! A series a tag, in nanoseconds; only `Interval_Max` is in milliseconds, as in Java's `HistogramLogWriter`. Of the
//! receiving side `delay`, `relative-delay` (if there is any), `host` (kernel to application) and `stream-lateness`
//! (the senders', as their datagrams say); of the sending side `lateness` and `gaps`. Order, losses and variation have
//! a series for each histogram of the report, by its name; what is not a time is counted instead, and its maximum
//! divided like the others. An empty one of these is left out.

use super::{ReportFormat, ReportWriter};
use crate::model::metrics::Patterns;
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::report::paper::Paper;
use crate::stats::coarse::CoarseHistogram;
use crate::stats::latency::{self, Latency};
use crate::stats::patterns::PatternHistograms;
use crate::stats::{loss_pattern, reordering};
use crate::units::Nanos;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use hdrhistogram::{Counter, Histogram};
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

/// `hlog`
pub struct Hlog;

impl ReportFormat for Hlog {
    fn name(&self) -> &'static str {
        "hlog"
    }

    fn about(&self) -> &'static str {
        "HdrHistogram's log: each histogram of the report, by intervals"
    }

    fn grows(&self) -> bool {
        true
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter> {
        Box::new(Writer { out, intervals: 0 })
    }
}

const DELAY: &str = "delay";
const RELATIVE: &str = "relative-delay";
const HOST: &str = "host";
const STREAM_LATENESS: &str = "stream-lateness";
const LATENESS: &str = "lateness";
const GAPS: &str = "gaps";

/// Those of [`patterns_of`] and [`patterns_in`], in their order.
const PATTERNS: [&str; 8] = [
    "reordering-extent",
    "reordering-late",
    "reordering-gap",
    "loss-period",
    "loss-distance",
    "ipdv",
    "inter-arrival",
    "inter-departure",
];

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
            write_interval(tag, start, length, &latency.read().histogram, &mut self.out)
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
        let gaps = snapshot.sender.as_ref().map(|sender| (GAPS, &sender.trains.gaps));
        let patterns = snapshot.receiver.as_ref().map(|receiver| patterns_of(&receiver.patterns));
        let patterns = PATTERNS.into_iter().zip(patterns.into_iter().flatten());
        let patterns = patterns.filter_map(|(tag, histogram)| Some((tag, histogram?)));
        for (tag, histogram) in gaps.into_iter().chain(patterns) {
            if !histogram.is_empty() {
                let (start, length) = (snapshot.start, snapshot.length);
                write_interval(tag, start, length, histogram, &mut self.out)?;
            }
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
            let gaps = trial.sender.as_ref().map(|sender| sender.gaps_ns.histogram(TIME));
            let patterns = trial.patterns.as_ref().map(patterns_in);
            let patterns = PATTERNS.into_iter().zip(patterns.into_iter().flatten());
            for (tag, histogram) in gaps.map(|gaps| (GAPS, gaps)).into_iter().chain(patterns) {
                if !histogram.is_empty() {
                    write_interval(tag, Nanos(0), trial.duration_ns, &histogram, &mut self.out)?;
                }
            }
        }
        self.out.flush()
    }
}

const TIME: u64 = latency::HIGHEST.0;

/// In the order of [`PATTERNS`].
fn patterns_of(of: &PatternHistograms) -> [Option<&CoarseHistogram>; 8] {
    let variation = of.variation.as_ref();
    [
        Some(&of.order.extents),
        Some(&of.order.late),
        Some(&of.order.gaps),
        Some(&of.loss.lengths),
        Some(&of.loss.distances),
        variation.map(|of| &of.ipdv),
        variation.map(|of| &of.inter_arrival),
        variation.map(|of| &of.inter_departure),
    ]
}

/// In the order of [`PATTERNS`].
fn patterns_in(report: &Patterns) -> [CoarseHistogram; 8] {
    [
        report.reordering_extent.histogram(reordering::EXTENT_HIGHEST),
        report.reordering_late_ns.histogram(TIME),
        report.reordering_gap.histogram(reordering::EXTENT_HIGHEST),
        report.loss_period.histogram(loss_pattern::HIGHEST),
        report.loss_distance.histogram(loss_pattern::HIGHEST),
        report.ipdv_ns.histogram(TIME),
        report.inter_arrival_ns.histogram(TIME),
        report.inter_departure_ns.histogram(TIME),
    ]
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

pub(super) fn write_interval<T: Counter>(
    tag: &str,
    start: Nanos,
    length: Nanos,
    histogram: &Histogram<T>,
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

    /// V72: written by Java's `HistogramLogWriter`: 10, 20, 30 and 40 µs.
    const JAVA: &str = "Tag=rx0,1.000,1.000,0.040,HISTFAAAACx42pNpmSzMwMDAwwABzFCaEURcm7yEwf4DROCwM9Nffqb7nEyz2ZgAphwINg==\n";

    const V70: [u64; 9] = [1, 2, 2, 3, 1000, 2047, 2048, 2049, 1_000_000];

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

    /// V70, V71: as HdrHistogram for Java encodes them.
    #[test]
    fn histograms_are_encoded_as_in_java() {
        let cases = [
            (
                histogram(3_600_000_000_000, 3, &V70),
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

    /// V69, V70: what HdrHistogram for Java has compressed, and what it says of it. Ours is compressed otherwise and
    /// says the same.
    #[test]
    fn what_java_has_compressed_is_read() {
        let java = "HISTFAAAAC942pNpmSzMwMDAzwABzFCaEch0M9ixgMH+A1SEiYXpOD/TagEmlv19jEwApZ0HSw==";
        let java = decoded(java);
        let values = histogram(3_600_000_000_000, 3, &V70);
        assert_eq!(java, values);
        let percentiles = [0.5, 0.9, 0.99, 1.0].map(|quantile| java.value_at_quantile(quantile));
        assert_eq!(percentiles, [1000, 1_000_447, 1_000_447, 1_000_447]);
        assert!((java.mean() - 111_927.222_2).abs() < 1e-4, "{}", java.mean());
        assert!((java.stdev() - 314_050.296_08).abs() < 1e-5, "{}", java.stdev());
        let bucket = |value| (java.lowest_equivalent(value), java.highest_equivalent(value));
        assert_eq!((bucket(2049), bucket(1_000_000)), ((2048, 2049), (999_936, 1_000_447)));

        let mut line = Vec::new();
        write_interval(DELAY, Nanos(0), Nanos::SECOND, &java, &mut line).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert_eq!(decoded(line.trim().rsplit_once(',').unwrap().1), values);
    }
}
