//! Charts over the time of a trial: rates, losses by where they happened, and delays as a heat map.

use super::axis::Axis;
use super::page::Page;
use super::palette::{Colour, ELSEWHERE, HEAT, HOST, SERIES, SOCKET};
use super::plot::{Caption, Mark, Plot, Width, figure};
use super::timeline::{at_most, begin, end};
use crate::model::timeline::Step;
use crate::units::Nanos;
use crate::units::human::si;
use crate::units::text::per_second;
use std::collections::BTreeMap;
use std::io;

/// Datagrams a second, sent and received.
pub(super) fn rates(steps: &[Step], page: &mut Page) -> io::Result<()> {
    let rate = |step: &Step, count: fn(&Step) -> Option<u64>| Some(step.per_second(count(step)?));
    type Line = (&'static str, fn(&Step) -> Option<u64>);
    let lines: [Line; 2] = [("offered", |step| step.offered), ("received", |step| step.received)];
    let shown: Vec<_> =
        (0..2).filter(|&line| steps.iter().any(|step| lines[line].1(step).is_some())).collect();
    // One that is too short to have a rate is in none of them.
    let whole = at_most(steps, usize::MAX);
    let range = |count| {
        let rates = || whole.iter().filter_map(|step| rate(step, count));
        (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max))
    };
    let said = shown.iter().map(|&line| {
        let (lowest, highest) = range(lines[line].1);
        format!("{} {} to {} a second", lines[line].0, per_second(lowest), per_second(highest))
    });
    let caption = Caption {
        title: "Datagrams a second".into(),
        description: said.collect::<Vec<_>>().join("; "),
        legend: shown.iter().map(|&line| (SERIES[line], lines[line].0.into())).collect(),
    };
    let most = shown.iter().map(|&line| range(lines[line].1).1).fold(0.0, f64::max);
    figure(page, &caption, |width| {
        let shorter = at_most(steps, width.steps());
        let time = Time::of(end(steps));
        let marks = shown.iter().map(|&line| {
            let rates = shorter.iter().filter_map(|step| Some((step, rate(step, lines[line].1)?)));
            let points = rates
                .flat_map(|(step, rate)| [step.start_ns, step.end()].map(|at| (time.at(at), rate)));
            // What was offered is below, so thick that what was received does not hide it.
            Mark::Line(points.collect(), SERIES[line], if line == 0 { 4 } else { 2 })
        });
        Plot {
            x: time.axis(steps, width),
            y: Axis::linear(0.0..most * 1.08, 4, |rate| trimmed(&si(rate))),
            height: 200,
            marks: marks.collect(),
        }
    })
}

/// Datagrams lost a second, by where.
pub(super) fn losses(steps: &[Step], page: &mut Page) -> io::Result<()> {
    type Part = (&'static str, Colour, fn(&Step) -> i64);
    let parts: [Part; 3] = [
        ("own socket", SOCKET, |step| step.lost_by.receiver_socket),
        ("own host", HOST, |step| step.lost_by.receiver_host),
        ("elsewhere", ELSEWHERE, |step| step.lost_by.elsewhere),
    ];
    let rate =
        |step: &Step, part: fn(&Step) -> i64| step.per_second(part(step).max(0).unsigned_abs());
    let all = |step: &Step| parts.iter().map(|(_, _, part)| rate(step, *part)).sum::<f64>();
    let steps_with = steps.iter().filter(|step| all(step) > 0.0).count();
    if steps_with == 0 {
        return Ok(());
    }
    let caption = Caption {
        title: "Datagrams found to be lost a second".into(),
        description: format!("losses in {steps_with} of {} parts of the trial", steps.len()),
        legend: parts.map(|(name, colour, _)| (colour, name.into())).into(),
    };
    figure(page, &caption, |width| {
        let shorter = at_most(steps, width.steps());
        let time = Time::of(end(steps));
        let most = shorter.iter().map(all).fold(0.0, f64::max);
        let mut marks = Vec::new();
        for step in &shorter {
            let (from, to) = (time.at(step.start_ns), time.at(step.end()));
            let mut below = 0.0;
            for (_, colour, part) in parts {
                let above = below + rate(step, part);
                if above > below {
                    marks.push(Mark::Box((from, below), (to, above), colour));
                }
                below = above;
            }
        }
        Plot {
            x: time.axis(steps, width),
            y: Axis::linear(0.0..most * 1.08, 3, |rate| trimmed(&of_few(rate))),
            height: 130,
            marks,
        }
    })?;
    page.classed(
        "p",
        "note",
        "A loss stands where it became certain: after the loss threshold, not when it happened.",
    );
    Ok(())
}

/// Which share of a step's datagrams is in a cell of the heat map: the colour's place, for each of its lowest shares.
const SHARES: [(f64, &str); HEAT.len()] = [
    (0.0, "less than 0.1 %"),
    (0.001, "from 0.1 %"),
    (0.01, "from 1 %"),
    (0.05, "from 5 %"),
    (0.2, "from 20 % of the datagrams of its time"),
];

/// Rows of the heat map for each doubling of a delay: the classes of the delays of a step.
const ROWS: u32 = 16;

/// The row of the heat map that a delay in nanoseconds is in.
fn row(nanos: u64) -> u32 {
    let doublings = nanos.max(1).ilog2();
    let beyond = nanos.max(1) - (1 << doublings);
    doublings * ROWS + ((u128::from(beyond) * u128::from(ROWS)) >> doublings) as u32
}

/// Where a row begins, in nanoseconds.
fn nanos(row: u32) -> f64 {
    f64::from(row / ROWS).exp2() * (1.0 + f64::from(row % ROWS) / f64::from(ROWS))
}

/// How often each delay came, over time.
pub(super) fn heat(steps: &[Step], what: &str, page: &mut Page) -> io::Result<()> {
    let delays = || steps.iter().map(|step| &step.delays_hdr).filter(|delays| !delays.is_empty());
    let lowest = delays().map(|delays| row(delays.min())).min();
    let highest = delays().map(|delays| row(delays.lowest_equivalent(delays.max()))).max();
    let (Some(lowest), Some(highest)) = (lowest, highest) else { return Ok(()) };
    let (shortest, longest) = (nanos(lowest), nanos(highest + 1));
    let of = |nanos: f64| Nanos(nanos.round() as u64);
    let caption = Caption {
        title: format!("{what} over time"),
        description: format!("delays from {} to {}", of(shortest), of(longest)),
        legend: HEAT.iter().zip(SHARES).map(|(colour, (_, name))| (*colour, name.into())).collect(),
    };
    figure(page, &caption, |width| {
        let (columns, most) = match width {
            Width::Wide => (96, 36),
            Width::Narrow => (44, 28),
        };
        let each = (highest - lowest + 1).div_ceil(most);
        let time = Time::of(end(steps));
        let shorter = at_most(steps, columns);
        let marks = shorter.iter().flat_map(|step| cells(step, each, &time)).collect();
        let bottom = lowest / each * each;
        // So high that there is a mark beside it.
        let top = ((highest / each + 1) * each).max(bottom + 2 * ROWS);
        Plot {
            x: time.axis(steps, width),
            y: Axis::logarithmic(nanos(bottom)..nanos(top), 7, |delay| {
                trimmed(&of(delay).to_string())
            }),
            height: 260,
            marks,
        }
    })
}

/// The cells of a step, `each` rows a cell; neighbours of one colour are one.
fn cells(step: &Step, each: u32, time: &Time) -> Vec<Mark> {
    let mut counts = BTreeMap::<u32, u64>::new();
    for delay in step.delays_hdr.iter_recorded() {
        let lowest = step.delays_hdr.lowest_equivalent(delay.value_iterated_to());
        let count = counts.entry(row(lowest) / each).or_default();
        *count = count.saturating_add(delay.count_at_value());
    }
    let all = step.delays_hdr.len();
    let level = |count: u64| {
        let share = count as f64 / all as f64;
        SHARES.iter().rposition(|(least, _)| share >= *least).unwrap_or_default()
    };
    let mut runs: Vec<(u32, u32, usize)> = Vec::new();
    for (row, count) in counts {
        let level = level(count);
        match runs.last_mut() {
            Some((_, end, same)) if *end == row && *same == level => *end += 1,
            _ => runs.push((row, row + 1, level)),
        }
    }
    let (from, to) = (time.at(step.start_ns), time.at(step.end()));
    let place = |cell: u32| nanos(cell * each).log10();
    runs.into_iter()
        .map(|(low, high, level)| Mark::Box((from, place(low)), (to, place(high)), HEAT[level]))
        .collect()
}

/// The unit in which the time of a trial is shown.
struct Time {
    nanos: f64,
    name: &'static str,
}

impl Time {
    fn of(end: Nanos) -> Self {
        let (seconds, name) = match end.as_secs_f64() {
            10_800.0.. => (3_600.0, "h"),
            180.0.. => (60.0, "min"),
            1.0.. => (1.0, "s"),
            0.001.. => (1e-3, "ms"),
            _ => (1e-6, "µs"),
        };
        Self { nanos: seconds * 1e9, name }
    }

    fn at(&self, time: Nanos) -> f64 {
        time.0 as f64 / self.nanos
    }

    fn axis(&self, steps: &[Step], width: Width) -> Axis {
        let (begin, end) = (self.at(begin(steps)), self.at(end(steps)));
        Axis::linear(begin..end, width.columns(), |at| {
            format!("{} {}", trimmed(&format!("{at:.3}")), self.name)
        })
    }
}

/// A rate of what may come once in a day.
fn of_few(rate: f64) -> String {
    if rate < 1.0 { format!("{rate:.6}") } else { si(rate) }
}

/// A number without the zeros behind its point: `2.00k` is `2k`, `50.0 µs` is `50 µs`.
pub(super) fn trimmed(number: &str) -> String {
    let end = number.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(number.len());
    let (digits, unit) = number.split_at(end);
    match digits.contains('.') {
        true => format!("{}{unit}", digits.trim_end_matches('0').trim_end_matches('.')),
        false => number.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_an_axis_are_short() {
        for (number, short) in
            [("2.00k", "2k"), ("50.0 µs", "50 µs"), ("0.500", "0.5"), ("100", "100"), ("0", "0")]
        {
            assert_eq!(trimmed(number), short);
        }
        assert_eq!(
            [0.0, 0.000_05, 0.3, 20.0].map(of_few).map(|rate| trimmed(&rate)),
            ["0", "0.00005", "0.3", "20"]
        );
    }
}
