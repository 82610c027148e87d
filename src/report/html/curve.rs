//! Delays by percentile, on the axis of HdrHistogram: each step to the right is a tenth of what was left.

use super::axis::Axis;
use super::over_time::trimmed;
use super::page::Page;
use super::palette::{EDGE, SERIES};
use super::plot::{Caption, Mark, Plot, Width, figure};
use crate::report::hdr::{Levels, TICKS};
use crate::units::Nanos;
use crate::units::text::percent;
use hdrhistogram::Histogram;
use std::io;

/// Delays of one kind, or of one result.
pub(super) struct Curve {
    pub(super) name: String,
    /// In nanoseconds.
    pub(super) histogram: Histogram<u64>,
    /// Never came: infinitely late (RFC 7679 section 5.1).
    pub(super) lost: u64,
}

impl Curve {
    fn all(&self) -> u64 {
        self.histogram.len() + self.lost
    }

    /// How far to the right it reaches: log10 of 1/(1-q).
    fn reach(&self) -> f64 {
        (2.0 * self.all() as f64).log10()
    }

    /// Where the lost ones begin; `None` when there are none.
    fn edge(&self) -> Option<f64> {
        (self.lost > 0).then(|| (self.all() as f64 / self.lost as f64).log10())
    }

    fn points(&self) -> Vec<(f64, f64)> {
        let came = self.histogram.len() as f64 / self.all() as f64;
        let levels = Levels::of(&self.histogram, TICKS);
        levels
            .map(|level| {
                let beyond = 1.0 - level.percent / 100.0 * came;
                let at = (1.0 / beyond.max(f64::MIN_POSITIVE)).log10().min(self.reach());
                (at, (level.value.max(1) as f64).log10())
            })
            .collect()
    }
}

/// Puts the curves that are not empty into one chart.
pub(super) fn figure_of(title: &str, curves: &[Curve], page: &mut Page) -> io::Result<()> {
    let curves: Vec<_> = curves.iter().filter(|curve| !curve.histogram.is_empty()).collect();
    if curves.is_empty() {
        return Ok(());
    }
    let value = |curve: &Curve, quantile| {
        let value = Nanos(curve.histogram.value_at_quantile(quantile));
        value.to_string()
    };
    let said = curves.iter().map(|curve| {
        let lost = match curve.lost {
            0 => String::new(),
            lost => format!(", {} lost", percent(lost as f64 / curve.all() as f64)),
        };
        let (middle, most) = (value(curve, 0.5), value(curve, 1.0));
        format!("{}: of those that came, median {middle}, longest {most}{lost}", curve.name)
    });
    let mut legend: Vec<_> =
        curves.iter().zip(SERIES).map(|(curve, colour)| (colour, curve.name.clone())).collect();
    if curves.iter().any(|curve| curve.lost > 0) {
        legend.push((EDGE, "from here on lost: infinitely late".into()));
    }
    let caption =
        Caption { title: title.into(), description: said.collect::<Vec<_>>().join("; "), legend };
    figure(page, &caption, |width| plot(&curves, width))
}

fn plot(curves: &[&Curve], width: Width) -> Plot {
    let histograms = || curves.iter().map(|curve| &curve.histogram);
    // Delays of next to nothing would take most of the room on an axis of ratios; they lie on its edge.
    let median = |of: &Histogram<u64>| of.value_at_quantile(0.5) as f64;
    let shortest = histograms()
        .map(|of| (median(of) / 30.0).max(of.min() as f64))
        .fold(f64::INFINITY, f64::min);
    let shortest = shortest.max(1.0);
    let longest = histograms().map(|of| of.max().max(1)).max().unwrap_or(1) as f64;
    let name = |nanos: f64| trimmed(&Nanos(nanos.round() as u64).to_string());
    let y = Axis::logarithmic(shortest / 1.5..longest * 1.5, 8, name);
    let reach = curves.iter().map(|curve| curve.reach()).fold(1.0, f64::max);
    let mut marks = Vec::new();
    for edge in curves.iter().filter_map(|curve| curve.edge()) {
        marks.push(Mark::Line(vec![(edge, y.range.start), (edge, y.range.end)], EDGE, 1));
    }
    for (curve, colour) in curves.iter().zip(SERIES) {
        let points = curve.points().into_iter().map(|(at, delay)| (at, delay.max(y.range.start)));
        marks.push(Mark::Line(points.collect(), colour, 2));
    }
    Plot { x: percentiles(reach, width), y, height: 300, marks }
}

fn percentiles(reach: f64, width: Width) -> Axis {
    let every = match width {
        Width::Wide => 1,
        Width::Narrow => (reach / 3.0).ceil().max(1.0) as usize,
    };
    let nines = |nines: usize| match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        more => format!("99.{} %", "9".repeat(more - 2)),
    };
    let ticks = (0..=reach.floor() as usize).step_by(every);
    Axis { range: 0.0..reach, ticks: ticks.map(|at| (at as f64, nines(at))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(delays: impl IntoIterator<Item = u64>, lost: u64) -> Curve {
        let mut histogram = crate::stats::latency::histogram();
        delays.into_iter().for_each(|delay| histogram.record(delay).unwrap());
        Curve { name: "delay".into(), histogram, lost }
    }

    #[test]
    fn each_step_to_the_right_is_a_tenth_of_what_was_left() {
        let points = curve(1..=1_000, 0).points();
        let below = |at: f64| points.iter().rev().find(|(x, _)| *x <= at).unwrap().1;
        for (at, delay) in [(0.302, 501.0f64), (1.001, 901.0), (2.001, 991.0)] {
            assert!((below(at) - delay.log10()).abs() < 0.01, "{at}: {}", below(at));
        }
        assert!(points.windows(2).all(|two| two[0].0 <= two[1].0 && two[0].1 <= two[1].1));
    }

    #[test]
    fn a_curve_ends_where_the_lost_begin() {
        let curve = curve(1..=90, 10);
        let end = curve.points().last().unwrap().0;
        assert!((end - 1.0).abs() < 1e-9 && (curve.edge().unwrap() - 1.0).abs() < 1e-9, "{end}");
    }

    #[test]
    fn one_delay_is_a_curve() {
        assert!(curve([0], 0).points().iter().all(|(x, y)| x.is_finite() && y.is_finite()));
    }
}
