//! How often each length came: of loss periods, and of gaps between datagrams.

use super::axis::Axis;
use super::over_time::trimmed;
use super::page::Page;
use super::palette::SERIES;
use super::plot::{Caption, Mark, Plot, Width, figure};
use crate::model::metrics::Buckets;
use crate::units::Nanos;
use crate::units::human::{grouped, si};
use std::collections::BTreeMap;
use std::io;

/// Lengths of loss periods (RFC 3357 section 6.3), each class twice as wide as the one before.
pub(super) fn loss_periods(periods: &Buckets, page: &mut Page) -> io::Result<()> {
    let classes = classes(periods);
    let (Some(last), Some(longest)) = (classes.keys().last().copied(), periods.max) else {
        return Ok(());
    };
    let caption = Caption {
        title: "How many datagrams in a row were lost".into(),
        description: format!(
            "{} loss periods, the longest of {} datagrams",
            grouped(periods.count),
            grouped(longest)
        ),
        legend: vec![(SERIES[0], "loss periods of that length".into())],
    };
    figure(page, &caption, |width| {
        let every = match width {
            Width::Wide => last as usize / 10 + 1,
            Width::Narrow => last as usize / 4 + 1,
        };
        let ticks = (0..=last).step_by(every).map(|class| (f64::from(class), class_name(class)));
        let y = frequencies(classes.values().copied().max().unwrap_or(1));
        let bar = |(class, count): (&u32, &u64)| {
            let (at, top) = (f64::from(*class), (*count as f64).log10());
            Mark::Box((at - 0.4, y.range.start), (at + 0.4, top), SERIES[0])
        };
        Plot {
            x: Axis { range: -0.6..f64::from(last.max(5)) + 0.6, ticks: ticks.collect() },
            height: 200,
            marks: classes.iter().map(bar).collect(),
            y,
        }
    })
}

/// The class of a length is the exponent of the power of two that is the longest in it.
fn classes(of: &Buckets) -> BTreeMap<u32, u64> {
    let mut classes = BTreeMap::new();
    for (length, count) in of.buckets.iter().filter(|(_, count)| *count > 0) {
        let class = (*length).max(1).checked_next_power_of_two().map_or(64, u64::trailing_zeros);
        let sum: &mut u64 = classes.entry(class).or_default();
        *sum = sum.saturating_add(*count);
    }
    classes
}

fn class_name(class: u32) -> String {
    let power = |exponent: u32| 2f64.powi(exponent as i32);
    let short = |value: f64| if value < 1e4 { value.to_string() } else { trimmed(&si(value)) };
    match class {
        0 | 1 => short(power(class)),
        _ => format!("{}–{}", short(power(class - 1) + 1.0), short(power(class))),
    }
}

/// Gaps in nanoseconds, of several places; those with none are left out.
pub(super) fn gaps(places: &[(&str, &Buckets)], page: &mut Page) -> io::Result<()> {
    let places: Vec<_> = places.iter().filter(|(_, gaps)| gaps.count > 0).collect();
    let longest = places.iter().filter_map(|(_, gaps)| gaps.max).max();
    let Some(longest) = longest else { return Ok(()) };
    let said = places.iter().filter_map(|(name, gaps)| {
        let [p50, p99, max] = [gaps.p50?, gaps.p99?, gaps.max?].map(Nanos);
        Some(format!("{name}: median {p50}, 99 % at most {p99}, longest {max}"))
    });
    let caption = Caption {
        title: "Gaps between datagrams".into(),
        description: said.collect::<Vec<_>>().join("; "),
        legend: places
            .iter()
            .zip(SERIES)
            .map(|((name, _), colour)| (colour, (*name).into()))
            .collect(),
    };
    let by_place: Vec<_> = places.iter().map(|(_, gaps)| classes(gaps)).collect();
    let most = by_place.iter().flat_map(BTreeMap::values).copied().max().unwrap_or(1);
    let first =
        by_place.iter().filter_map(|classes| classes.keys().next()).min().copied().unwrap_or(0);
    figure(page, &caption, |width| {
        let most_ticks = match width {
            Width::Wide => 10,
            Width::Narrow => 4,
        };
        let y = frequencies(most);
        let lines = by_place
            .iter()
            .zip(SERIES)
            .map(|(classes, colour)| Mark::Line(steps(classes, y.range.start), colour, 2));
        Plot {
            x: Axis::logarithmic(
                2f64.powi(first as i32 - 1)..2.0 * longest.max(1) as f64,
                most_ticks,
                |gap| trimmed(&Nanos(gap.round() as u64).to_string()),
            ),
            height: 220,
            marks: lines.collect(),
            y,
        }
    })
}

/// The outline of a histogram over decimal logarithms.
fn steps(classes: &BTreeMap<u32, u64>, bottom: f64) -> Vec<(f64, f64)> {
    let at = |class: u32| f64::from(class) * 2f64.log10();
    let (Some(first), Some(last)) = (classes.keys().next(), classes.keys().last()) else {
        return Vec::new();
    };
    let mut points = vec![(at(*first) - 2f64.log10(), bottom)];
    for class in *first..=*last {
        let height = classes.get(&class).map_or(bottom, |count| (*count as f64).log10());
        points.extend([(at(class) - 2f64.log10(), height), (at(class), height)]);
    }
    points.push((at(*last), bottom));
    points
}

/// An axis of counts on which one is seen beside a million.
fn frequencies(most: u64) -> Axis {
    Axis::logarithmic(0.6..most as f64 * 1.5, 5, |count| trimmed(&si(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_twice_as_wide_as_the_one_before() {
        let buckets = Buckets {
            buckets: vec![(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (u64::MAX, 7)],
            ..Buckets::default()
        };
        assert_eq!(Vec::from_iter(classes(&buckets)), [(0, 3), (1, 3), (2, 9), (3, 6), (64, 7)]);
        assert_eq!([0, 1, 2, 3, 14].map(class_name), ["1", "2", "3–4", "5–8", "8193–16.4k"]);
    }

    #[test]
    fn an_outline_begins_and_ends_at_the_bottom() {
        let outline = steps(&BTreeMap::from([(3, 10), (5, 1)]), -1.0);
        assert_eq!((outline[0].1, outline.last().unwrap().1), (-1.0, -1.0));
        assert_eq!(outline.len(), 8, "and falls to it where nothing is");
        assert!(steps(&BTreeMap::new(), 0.0).is_empty());
    }
}
