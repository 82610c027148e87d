//! Axes: what they reach over, and where they are marked.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// One side of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// From left to right, or from bottom to top.
    pub(super) range: Range<f64>,
    /// Where it is marked, and with what.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Equal steps of 1, 2, 2.5 or 5 times a power of ten, at most `most` of them.
    pub(super) fn linear(range: Range<f64>, most: usize, name: impl Fn(f64) -> String) -> Self {
        let Range { start, end } = widened(range);
        let rough = (end - start) / most.max(1) as f64;
        let ten = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * ten);
        let step = step.into_iter().find(|step| *step >= rough * 0.999).unwrap_or(10.0 * ten);
        let first = (start / step).ceil() as i64;
        let last = (end / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|number| number as f64 * step);
        Self { range: start..end, ticks: ticks.map(|at| (at, name(at))).collect() }
    }

    /// Steps of equal ratios; the range is that of the values, the axis that of their decimal logarithms.
    pub(super) fn logarithmic(
        values: Range<f64>,
        most: usize,
        name: impl Fn(f64) -> String,
    ) -> Self {
        let range = widened(values.start.max(1e-9).log10()..values.end.max(1e-9).log10());
        let decades = range.start.floor() as i32..=range.end.ceil() as i32;
        let steps: [&[f64]; 3] = [&[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
        let within = |digits: &[f64]| -> Vec<f64> {
            let all = decades.clone().flat_map(|ten| {
                digits.iter().map(move |digit| digit * 10f64.powi(ten)).collect::<Vec<_>>()
            });
            let slack = 1e-9;
            all.filter(|value| (range.start - slack..=range.end + slack).contains(&value.log10()))
                .collect()
        };
        let ticks = steps.iter().map(|digits| within(digits));
        let ticks = ticks.clone().find(|ticks| ticks.len() <= most).unwrap_or_else(|| {
            let tens = within(steps[2]);
            let every = tens.len().div_ceil(most.max(1));
            tens.into_iter().step_by(every).collect()
        });
        let ticks = ticks.into_iter().map(|value| (value.log10(), name(value))).collect();
        Self { range, ticks }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        // Far beyond the edge is beyond it, too.
        from.saturating_add((share * f64::from(to - from)).round() as i32)
    }

    /// There are no lines between the marks.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight().allow_light_points() {
            true => Vec::new(),
            false => self.ticks.iter().map(|(at, _)| *at).collect(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| at == value);
        tick.map(|(_, name)| name.clone()).unwrap_or_default()
    }
}

/// A range that holds more than one point.
fn widened(range: Range<f64>) -> Range<f64> {
    if range.end > range.start { range } else { range.start..range.start + 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marks(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn steps_are_those_that_people_count_in() {
        let name = |at: f64| format!("{at}");
        assert_eq!(marks(&Axis::linear(0.0..10.0, 5, name)), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(marks(&Axis::linear(0.0..9_850.0, 4, name)), ["0", "2500", "5000", "7500"]);
        assert_eq!(marks(&Axis::linear(0.0..0.0, 2, name)), ["0", "0.5", "1"]);
        let delays = Axis::logarithmic(900.0..60_000.0, 6, name);
        assert_eq!(marks(&delays), ["1000", "2000", "5000", "10000", "20000", "50000"]);
        assert_eq!(
            marks(&Axis::logarithmic(1.0..1e9, 4, name)),
            ["1", "1000", "1000000", "1000000000"]
        );
    }

    proptest! {
        #[test]
        fn an_axis_has_room_for_its_marks(
            start in -1e9..1e9f64, length in 0.0..1e12f64, most in 1..12usize,
        ) {
            for axis in [
                Axis::linear(start..start + length, most, |_| String::new()),
                Axis::logarithmic(start.abs()..start.abs() + length, most, |_| String::new()),
            ] {
                prop_assert!(axis.range.end > axis.range.start);
                prop_assert!(axis.ticks.len() <= most + 1, "{axis:?}");
            }
        }
    }
}
