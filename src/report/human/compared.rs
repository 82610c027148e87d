//! Two sets of runs for a person: what got worse first, then the numbers.

use super::page::Page;
use super::table;
use super::{Human, ReportFormat, ReportWriter, ToRead};
use crate::model::compared::*;
use crate::report::paper::Paper;
use crate::units::Nanos;
use crate::units::text::{count, per_second, percent};
use std::io;

impl ReportFormat<Comparison> for Human {
    fn name(&self) -> &'static str {
        "human"
    }

    fn about(&self) -> &'static str {
        "for people: what got worse, then the numbers"
    }

    fn begin(&self, paper: Paper) -> Box<dyn ReportWriter<Comparison>> {
        Box::new(ToRead { paper, write })
    }
}

fn write(compared: &Comparison, page: &mut Page<'_>) -> io::Result<()> {
    write_verdict(compared, page)?;
    page.section("Runs", "")?;
    write_set("A", &compared.a, page)?;
    write_set("B", &compared.b, page)?;
    let single = compared.a.runs == 1 && compared.b.runs == 1;
    let about = if single { "" } else { "below them, the lowest and the highest run" };
    page.section(if single { "Numbers" } else { "Medians" }, about)?;
    write_table(&compared.lines, page)?;
    if compared.a.runs == 1 || compared.b.runs == 1 {
        page.paragraph(&format!(
            "A single run has no spread: here a median counts as different beyond {} (--tolerance). \
             Repeated runs, in a directory each, would tell.",
            percent(compared.tolerance)
        ))?;
    } else {
        page.paragraph("Better or worse: all runs of B lie beyond all runs of A.")?;
    }
    page.paragraph(
        "Lost datagrams count as infinitely late, except in max, which is of those received.",
    )?;
    if compared.differences.is_empty() {
        return Ok(());
    }
    page.section("Not the same", "and perhaps why")?;
    compared.differences.iter().try_for_each(|difference| {
        let (a, b) = (difference.a.join(", "), difference.b.join(", "));
        page.row(&difference.what, &format!("A: {a}; B: {b}"))
    })
}

fn write_verdict(compared: &Comparison, page: &mut Page<'_>) -> io::Result<()> {
    let (_, word, news) = verdict(compared, 'B');
    page.wrapped(&format!("{word}: "), &news)
}

/// What to think of B, which is called `name`, in a word, and in which quantities.
pub(in crate::report) fn verdict(
    compared: &Comparison,
    name: char,
) -> (Change, &'static str, String) {
    let names = |verdict| {
        let lines = compared.lines.iter().filter(move |line| line.verdict == verdict);
        lines.map(|line| line.quantity.clone()).collect::<Vec<_>>()
    };
    let (mut worse, better) = (names(Change::Worse), names(Change::Better).join(", "));
    let (a, b) = (&compared.a, &compared.b);
    if b.invalid * a.runs > a.invalid * b.runs {
        worse.push(format!("{} of {name} INVALID", count(b.invalid as u64, "run")));
    }
    let worse = worse.join(", ");
    match (worse.is_empty(), better.is_empty()) {
        (false, true) => (Change::Worse, "WORSE", worse),
        (false, false) => (Change::Worse, "WORSE", format!("{worse}; but better: {better}")),
        (true, false) => (Change::Better, "BETTER", format!("{better}; nothing is worse")),
        (true, true) if compared.lines.iter().all(|line| line.verdict == Change::CannotTell) => (
            Change::CannotTell,
            "CANNOT TELL",
            format!("nothing was measured in both A and {name}"),
        ),
        (true, true) => (Change::Same, "SAME", "no quantity differs beyond the spread".into()),
    }
}

fn write_set(name: &str, set: &RunSet, page: &mut Page<'_>) -> io::Result<()> {
    let invalid = match set.invalid {
        0 => String::new(),
        invalid => format!(", {invalid} of them INVALID and not to be used"),
    };
    page.row(name, &format!("{}, {}{invalid}", set.path, count(set.runs as u64, "run")))
}

fn write_table(lines: &[ComparedLine], page: &mut Page<'_>) -> io::Result<()> {
    let rows = lines.iter().map(|line| {
        vec![
            label(line),
            word(line.verdict).into(),
            cell(line.unit, line.a.as_ref()),
            cell(line.unit, line.b.as_ref()),
            line.ratio.map(|ratio| format!("{ratio:.3}")).unwrap_or_default(),
        ]
    });
    table::write(&["", "verdict", "A", "B", "B/A"], 2, &rows.collect::<Vec<_>>(), page)
}

/// A rate has its unit here, because beside both ends of a spread there is no room for it.
pub(in crate::report) fn label(line: &ComparedLine) -> String {
    match line.unit {
        Unit::Pps => format!("{}, /s", line.quantity),
        Unit::Ratio | Unit::Ns => line.quantity.clone(),
    }
}

/// A median, and below it the lowest and the highest run.
pub(in crate::report) fn cell(unit: Unit, spread: Option<&Spread>) -> String {
    let Some(spread) = spread else { return "not measured".into() };
    let [median, min, max] =
        [spread.median, spread.min, spread.max].map(|value| in_words(unit, value));
    if spread.runs == 1 { median } else { format!("{median}\n{min} .. {max}") }
}

/// A quantity with its unit, but for rates, whose label has it.
fn in_words(unit: Unit, value: Value) -> String {
    match (unit, value) {
        (_, Value::Infinite(_)) => "infinite (lost)".into(),
        (Unit::Pps, Value::Finite(rate)) => per_second(rate),
        (Unit::Ratio, Value::Finite(ratio)) => percent(ratio),
        (Unit::Ns, Value::Finite(nanos)) => Nanos(nanos.round() as u64).to_string(),
    }
}

/// What to think of it, in a word.
pub(in crate::report) fn word(verdict: Change) -> &'static str {
    match verdict {
        Change::Better => "better",
        Change::Worse => "WORSE",
        Change::Same => "same",
        Change::CannotTell => "cannot tell",
    }
}
