//! Charts over the time of a trial: rates, losses by where they happened, and delays as a heat map.

use super::axis::Axis;
use super::page::Page;
use super::palette::{Colour, ELSEWHERE, HEAT, HOST, SERIES, SOCKET};
use super::plot::{Caption, Mark, Plot, Width, figure};
use super::timeline::{ROWS, Slot, Timeline};
use crate::units::Nanos;
use crate::units::human::si;
use crate::units::text::per_second;
use std::collections::BTreeMap;
use std::io;

/// Datagrams a second, sent and received.
pub(super) fn rates(timeline: &Timeline, page: &mut Page) -> io::Result<()> {
    let slots = &timeline.slots;
    let rate = |slot: &Slot, count: fn(&Slot) -> Option<u64>| Some(slot.per_second(count(slot)?));
    type Line = (&'static str, fn(&Slot) -> Option<u64>);
    let lines: [Line; 2] = [("offered", |slot| slot.offered), ("received", |slot| slot.received)];
    let shown: Vec<_> =
        (0..2).filter(|&line| slots.iter().any(|s| lines[line].1(s).is_some())).collect();
    let range = |count| {
        let rates = || slots.iter().filter_map(|slot| rate(slot, count));
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
        let slots = timeline.at_most(width.slots());
        let time = Time::of(timeline.end());
        let marks = shown.iter().map(|&line| {
            let steps = slots.iter().filter_map(|slot| Some((slot, rate(slot, lines[line].1)?)));
            let steps = steps.flat_map(|(slot, rate)| {
                [slot.start, slot.start + slot.length].map(|at| (time.at(at), rate))
            });
            // What was offered is below, so thick that what was received does not hide it.
            Mark::Line(steps.collect(), SERIES[line], if line == 0 { 4 } else { 2 })
        });
        Plot {
            x: time.axis(timeline, width),
            y: Axis::linear(0.0..most * 1.08, 4, |rate| trimmed(&si(rate))),
            height: 200,
            marks: marks.collect(),
        }
    })
}

/// Datagrams lost, by where.
pub(super) fn losses(timeline: &Timeline, page: &mut Page) -> io::Result<()> {
    type Part = (&'static str, Colour, fn(&Slot) -> i64);
    let parts: [Part; 3] = [
        ("own socket", SOCKET, |slot| slot.lost.receiver_socket),
        ("own host", HOST, |slot| slot.lost.receiver_host),
        ("elsewhere", ELSEWHERE, |slot| slot.lost.elsewhere),
    ];
    let all = |slot: &Slot| parts.iter().map(|(_, _, part)| part(slot).max(0)).sum::<i64>();
    let slots_with = timeline.slots.iter().filter(|slot| all(slot) > 0).count();
    if slots_with == 0 {
        return Ok(());
    }
    let caption = Caption {
        title: "Datagrams found to be lost".into(),
        description: format!(
            "losses in {slots_with} of {} parts of the trial",
            timeline.slots.len()
        ),
        legend: parts.map(|(name, colour, _)| (colour, name.into())).into(),
    };
    figure(page, &caption, |width| {
        let slots = timeline.at_most(width.slots());
        let time = Time::of(timeline.end());
        let most = slots.iter().map(all).max().unwrap_or_default();
        let mut marks = Vec::new();
        for slot in &slots {
            let (from, to) = (time.at(slot.start), time.at(slot.start + slot.length));
            let mut below = 0;
            for (_, colour, part) in parts {
                let above = below + part(slot).max(0);
                if above > below {
                    marks.push(Mark::Box((from, below as f64), (to, above as f64), colour));
                }
                below = above;
            }
        }
        Plot {
            x: time.axis(timeline, width),
            y: Axis::linear(0.0..most as f64 * 1.08, 3, |lost| trimmed(&si(lost))),
            height: 130,
            marks,
        }
    })
}

/// Which share of a slot's datagrams is in a cell of the heat map: the colour's place, for each of its lowest shares.
const SHARES: [(f64, &str); HEAT.len()] = [
    (0.0, "less than 0.1 %"),
    (0.001, "from 0.1 %"),
    (0.01, "from 1 %"),
    (0.05, "from 5 %"),
    (0.2, "from 20 % of the datagrams of its time"),
];

/// How often each delay came, over time.
pub(super) fn heat(timeline: &Timeline, what: &str, page: &mut Page) -> io::Result<()> {
    let rows = || timeline.slots.iter().flat_map(|slot| slot.delays.keys().copied());
    let (Some(lowest), Some(highest)) = (rows().min(), rows().max()) else { return Ok(()) };
    let nanos = |row: i32| (f64::from(row) / ROWS).exp2();
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
        let each = (highest - lowest + 1).unsigned_abs().div_ceil(most).max(1) as i32;
        let time = Time::of(timeline.end());
        let marks =
            timeline.at_most(columns).iter().flat_map(|slot| cells(slot, each, &time)).collect();
        let bottom = lowest.div_euclid(each) * each;
        // So high that there is a mark beside it.
        let top = ((highest.div_euclid(each) + 1) * each).max(bottom + 2 * ROWS as i32);
        Plot {
            x: time.axis(timeline, width),
            y: Axis::logarithmic(nanos(bottom)..nanos(top), 7, |delay| {
                trimmed(&of(delay).to_string())
            }),
            height: 260,
            marks,
        }
    })
}

/// The cells of a slot, `each` rows a cell; neighbours of one colour are one.
fn cells(slot: &Slot, each: i32, time: &Time) -> Vec<Mark> {
    let mut counts = BTreeMap::<i32, u64>::new();
    for (row, count) in &slot.delays {
        *counts.entry(row.div_euclid(each)).or_default() += count;
    }
    let all: u64 = counts.values().sum();
    let level = |count: u64| {
        let share = count as f64 / all as f64;
        SHARES.iter().rposition(|(least, _)| share >= *least).unwrap_or_default()
    };
    let mut runs: Vec<(i32, i32, usize)> = Vec::new();
    for (row, count) in counts {
        let level = level(count);
        match runs.last_mut() {
            Some((_, end, same)) if *end == row && *same == level => *end += 1,
            _ => runs.push((row, row + 1, level)),
        }
    }
    let (from, to) = (time.at(slot.start), time.at(slot.start + slot.length));
    let place = |row: i32| f64::from(row * each) / ROWS * 2f64.log10();
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

    fn axis(&self, timeline: &Timeline, width: Width) -> Axis {
        let (begin, end) = (self.at(timeline.begin()), self.at(timeline.end()));
        Axis::linear(begin..end, width.columns(), |at| {
            format!("{} {}", trimmed(&format!("{at:.3}")), self.name)
        })
    }
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
    }
}
