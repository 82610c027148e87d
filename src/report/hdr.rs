//! The percentile distribution of HdrHistogram (`.hgrm`), byte for byte as its Java original prints it.
//!
//! The Rust crate's own iterator takes other levels, so the one of Java's `PercentileIterator` is here.

use super::{AtEnd, ReportFormat, ReportWriter};
use crate::model::report::RunReport;
use crate::report::paper::Paper;
use hdrhistogram::Histogram;
use hdrhistogram::iterators::{HistogramIterator, recorded};
use std::io::{self, Write};

/// `hdr`
pub struct Hdr;

impl ReportFormat for Hdr {
    fn name(&self) -> &'static str {
        "hdr"
    }

    fn about(&self) -> &'static str {
        "percentiles of delay (a sender's: of lateness) in µs, .hgrm for HDR plotters"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter> {
        Box::new(AtEnd { out, write })
    }
}

/// Histograms count nanoseconds, the report shows microseconds.
pub(super) const RATIO: f64 = 1_000.0;

/// Rows for each halving of the distance to 100 %, as all HDR tools have it.
pub(super) const TICKS: u32 = 5;

/// Writes the one-way delay where this process received (only relative, where clocks do not compare), else the
/// sender's lateness.
///
/// # Errors
/// What `out` says.
pub fn write(report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    let trial = &report.trial;
    let delay = trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
    let lateness = trial.sender.as_ref().map(|sender| &sender.lateness_ns);
    let relative = trial.relative_delay_ns.as_ref();
    let distribution = delay.or(relative).or(lateness).cloned().unwrap_or_default();
    let histogram = distribution.histogram().map_err(io::Error::other)?;
    write_percentiles(&histogram, RATIO, TICKS, out)?;
    if delay.is_none() && relative.is_some() {
        // Plotters pass over lines that begin so.
        writeln!(out, "#[Relative delay, above the shortest: the clocks do not compare]")?;
    }
    Ok(())
}

/// Java's `outputPercentileDistribution(out, ticks, ratio)`.
///
/// # Errors
/// What `out` says.
pub fn write_percentiles(
    histogram: &Histogram<u64>,
    ratio: f64,
    ticks: u32,
    out: &mut dyn Write,
) -> io::Result<()> {
    let digits = usize::from(histogram.sigfig());
    let scaled = |value: f64| format!("{:>12}", fixed(value / ratio, digits));
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    for level in Levels::of(histogram, ticks) {
        let share = level.percent / 100.0;
        write!(out, "{} {} {:>10}", scaled(level.value as f64), fixed(share, 12), level.count)?;
        if level.percent < 100.0 {
            write!(out, " {:>14}", fixed(1.0 / (1.0 - share), 2))?;
        }
        writeln!(out)?;
    }
    let (mean, deviation) = (scaled(histogram.mean()), scaled(histogram.stdev()));
    writeln!(out, "#[Mean    = {mean}, StdDeviation   = {deviation}]")?;
    let (max, count) = (scaled(histogram.max() as f64), histogram.len());
    writeln!(out, "#[Max     = {max}, Total count    = {count:>12}]")?;
    let (buckets, sub_buckets) = (histogram.buckets(), sub_buckets(histogram));
    writeln!(out, "#[Buckets = {buckets:>12}, SubBuckets     = {sub_buckets:>12}]")
}

/// A row of the distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Highest value that the histogram cannot tell from the one that reached the level.
    pub value: u64,
    /// The level, per cent. 100 only in the last row.
    pub percent: f64,
    /// Values up to and including `value`.
    pub count: u64,
}

/// The rows of a distribution: ever finer levels, each with the first value that reaches it; the last is 100 %.
pub struct Levels<'a> {
    values: HistogramIterator<'a, u64, recorded::Iter>,
    total: u64,
    ticks: u32,
    /// The row that comes next, with the value and count of the row before.
    next: Level,
}

impl<'a> Levels<'a> {
    /// The rows of `histogram` with `ticks` levels for each halving of the distance to 100 %.
    pub fn of(histogram: &'a Histogram<u64>, ticks: u32) -> Self {
        Self {
            values: histogram.iter_recorded(),
            total: histogram.len(),
            ticks,
            next: Level { value: 0, percent: 0.0, count: 0 },
        }
    }

    fn reached(&self) -> f64 {
        100.0 * self.next.count as f64 / self.total as f64
    }
}

impl Iterator for Levels<'_> {
    type Item = Level;

    fn next(&mut self) -> Option<Level> {
        if self.next.count == self.total {
            let last = Level { percent: 100.0, ..self.next };
            let more = self.total > 0 && self.next.percent < 100.0;
            self.next.percent = 100.0;
            return more.then_some(last);
        }
        while self.next.count == 0 || self.reached() < self.next.percent {
            let value = self.values.next()?;
            self.next.value = value.value_iterated_to();
            self.next.count += value.count_at_value();
        }
        let level = self.next;
        let halvings = ((100.0 / (100.0 - level.percent)).ln() / 2f64.ln()) as i32 + 1;
        self.next.percent += 100.0 / (f64::from(self.ticks) * 2f64.powi(halvings));
        Some(level)
    }
}

/// `%.{digits}f` of Java, which rounds the shortest decimal of a number half up; Rust rounds its exact value.
fn fixed(number: f64, digits: usize) -> String {
    let shortest = number.to_string();
    let tie = shortest
        .split_once('.')
        .is_some_and(|(_, fraction)| fraction.len() == digits + 1 && fraction.ends_with('5'));
    if !tie {
        return format!("{number:.digits$}");
    }
    // A 5 too many: as a 9 it rounds up.
    let nearly: f64 = format!("{}9", &shortest[..shortest.len() - 1]).parse().unwrap_or(number);
    format!("{nearly:.digits$}")
}

/// Next power of two from 2 · 10^digits on, as HdrHistogram sizes them.
fn sub_buckets(histogram: &Histogram<u64>) -> u64 {
    (2 * 10u64.pow(u32::from(histogram.sigfig()))).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3).unwrap();
        for value in values {
            histogram.record(*value).unwrap();
        }
        histogram
    }

    fn printed(values: &[u64], ratio: f64) -> String {
        let mut out = Vec::new();
        write_percentiles(&histogram(values), ratio, 5, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// V73: `outputPercentileDistribution` of HdrHistogram for Java.
    #[test]
    fn prints_what_java_prints() {
        let java = "       Value     Percentile TotalCount 1/(1-Percentile)

      10.000 0.000000000000          1           1.00
      10.000 0.100000000000          1           1.11
      10.000 0.200000000000          1           1.25
      20.000 0.300000000000          2           1.43
      20.000 0.400000000000          2           1.67
      20.000 0.500000000000          2           2.00
      30.000 0.550000000000          3           2.22
      30.000 0.600000000000          3           2.50
      30.000 0.650000000000          3           2.86
      30.000 0.700000000000          3           3.33
      30.000 0.750000000000          3           4.00
      40.000 0.775000000000          4           4.44
      40.000 1.000000000000          4
#[Mean    =       25.000, StdDeviation   =       11.180]
#[Max     =       40.000, Total count    =            4]
#[Buckets =           22, SubBuckets     =         2048]
";
        assert_eq!(printed(&[10, 20, 30, 40], 1.0), java);
    }

    #[test]
    fn shows_microseconds_of_nanoseconds() {
        let text = printed(&[1_500], 1_000.0);
        assert!(
            text.contains("\n       1.500 0.000000000000          1           1.00\n"),
            "{text}"
        );
        assert!(text.contains("#[Max     =        1.500, "), "{text}");
    }

    #[test]
    fn no_values_print_a_header_and_a_footer() {
        assert_eq!(
            printed(&[], 1_000.0),
            "       Value     Percentile TotalCount 1/(1-Percentile)

#[Mean    =        0.000, StdDeviation   =        0.000]
#[Max     =        0.000, Total count    =            0]
#[Buckets =           22, SubBuckets     =         2048]
"
        );
    }

    #[test]
    fn ties_round_up_as_in_java() {
        for (number, digits, text) in [
            (0.125, 2, "0.13"),
            (1.005, 2, "1.01"),
            (0.999_992_370_605_5, 12, "0.999992370606"),
            (2.675, 2, "2.68"),
            (0.5, 2, "0.50"),
            (4.444_444, 2, "4.44"),
        ] {
            assert_eq!(fixed(number, digits), text);
        }
    }

    proptest! {
        #[test]
        fn rows_rise_to_all_values(
            values in prop::collection::vec(0u64..4_000_000, 1..400),
            ticks in 1u32..12,
        ) {
            let histogram = histogram(&values);
            let levels: Vec<_> = Levels::of(&histogram, ticks).collect();
            for pair in levels.windows(2) {
                prop_assert!(pair[0].count <= pair[1].count);
                prop_assert!(pair[0].value <= pair[1].value);
                prop_assert!(pair[0].percent < pair[1].percent);
            }
            for level in &levels {
                prop_assert!(100.0 * level.count as f64 / values.len() as f64 >= level.percent);
                prop_assert_eq!(level.count, histogram.count_between(0, level.value));
            }
            let last = levels.last().unwrap();
            prop_assert_eq!((last.percent, last.count), (100.0, values.len() as u64));
            prop_assert_eq!(levels.iter().filter(|level| level.percent == 100.0).count(), 1);
        }
    }
}
