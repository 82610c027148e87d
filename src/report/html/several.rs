//! Several results on one page: what differs beyond its spread, and how their delays compare.

use super::Html;
use super::curve::{Curve, figure_of};
use super::page::Page;
use super::palette::SERIES;
use crate::error::{Error, Result};
use crate::model::compared::{Change, ComparedLine, Comparison};
use crate::model::verdict::lost_of_comparable;
use crate::report::compare::{Run, compare};
use crate::report::human::{compared, verdict};
use crate::report::load::{self, Saved};
use crate::report::paper::Paper;
use crate::report::warnings::Explained;
use crate::report::{AtEnd, ReportFormat, ReportWriter, Subject};
use crate::stats::latency;
use crate::units::text::{count, percent};
use hdrhistogram::Histogram;
use std::io::{self, Write};

/// Most results that can still be told from each other.
pub const MOST: usize = SERIES.len();

/// Results of one command, or of repeated ones.
#[derive(Clone)]
pub struct Set {
    /// The file or directory.
    path: String,
    runs: Vec<Run>,
    /// Delays of all runs.
    delay: Histogram<u64>,
    lost: u64,
    /// Of each run: its file, its verdict in a word, what it says, its command.
    verdicts: Vec<[String; 4]>,
}

impl Set {
    /// No results yet, of the file or directory `path`.
    pub fn new(path: String) -> Self {
        Self { path, runs: vec![], delay: latency::histogram(), lost: 0, verdicts: vec![] }
    }

    /// Adds a result.
    ///
    /// # Errors
    /// Says which file has a damaged histogram.
    pub fn add(&mut self, saved: &Saved) -> Result<()> {
        self.runs.push(Run::of(saved)?);
        let trial = &saved.report.trial;
        if let Some(delay) = &trial.one_way_delay_ns {
            let histogram = load::histogram(&saved.file, &delay.distribution)?;
            self.delay.add(&histogram).map_err(|error| {
                Error::environment(format!(
                    "{} has a histogram of other bounds: {error}",
                    saved.file
                ))
            })?;
            self.lost += lost_of_comparable(trial);
        }
        let (word, news) = verdict::in_words(&saved.report);
        let reasons = trial.invalid_reasons.iter().map(Explained::sentence).collect::<Vec<_>>();
        let news = format!("{news} {}", reasons.join("; ")).trim_end().to_owned();
        let command = saved.report.command.clone();
        self.verdicts.push([saved.file.clone(), word.into(), news, command]);
        Ok(())
    }
}

/// Sets of results, each but the first compared to the first.
#[derive(Clone)]
pub struct Several {
    sets: Vec<Set>,
    comparisons: Vec<Comparison>,
    tolerance: f64,
}

impl Several {
    /// Compares `sets`. `tolerance` is the ratio that counts as a difference where a set has only one run.
    ///
    /// # Errors
    /// When a set has no runs.
    pub fn of(sets: Vec<Set>, tolerance: f64, command: &str) -> Result<Self> {
        let side = |set: &Set| set.path.clone();
        let (first, others) = sets.split_first().ok_or_else(|| Error::usage("no results"))?;
        let comparisons = others.iter().map(|set| {
            let (a, b) = ((side(first), &first.runs[..]), (side(set), &set.runs[..]));
            compare(a, b, tolerance, command.to_owned())
        });
        let comparisons = comparisons.collect::<Result<_>>()?;
        Ok(Self { sets, comparisons, tolerance })
    }
}

impl Subject for Several {
    fn formats() -> &'static [&'static dyn ReportFormat<Self>] {
        &[&Html]
    }
}

impl ReportFormat<Several> for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn about(&self) -> &'static str {
        "a page for a browser: the results beside each other"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter<Several>> {
        Box::new(AtEnd { out, write })
    }
}

fn write(several: &Several, out: &mut dyn Write) -> io::Result<()> {
    let Several { sets, comparisons, .. } = several;
    let mut page = Page::new(&format!("{} results compared", sets.len()));
    page.open("<header>");
    page.element("h1", "mcast-bench");
    for (comparison, set) in comparisons.iter().zip(letters().skip(1)) {
        let (class, word, news) = compared::verdict(comparison, set);
        page.open(match class {
            Change::Worse => "<div class=\"verdict bad\">",
            Change::Better | Change::Same => "<div class=\"verdict good\">",
            Change::CannotTell => "<div class=\"verdict\">",
        });
        page.element("b", &format!("{set} to A: {word}"));
        page.text(&news);
        page.close("</div>");
    }
    page.close("</header>");
    page.section("Results");
    legend(sets, &mut page);
    page.close("</section>");
    numbers(several, &mut page);
    page.section("Delay");
    let curves = sets.iter().zip(letters()).map(|(set, name)| Curve {
        name: name.to_string(),
        histogram: set.delay.clone(),
        lost: set.lost,
    });
    let curves: Vec<_> = curves.collect();
    if curves.iter().all(|curve| curve.histogram.is_empty()) {
        page.element("p", "No one-way delay was measured.");
    }
    figure_of("One-way delay by percentile", &curves, &mut page)?;
    page.close("</section>");
    differences(comparisons, &mut page);
    runs(sets, &mut page);
    out.write_all(page.finish().as_bytes())
}

fn letters() -> impl Iterator<Item = char> {
    'A'..='Z'
}

/// Which letter is which result.
fn legend(sets: &[Set], page: &mut Page) {
    page.open("<ul class=\"legend\">");
    for ((set, letter), colour) in sets.iter().zip(letters()).zip(SERIES) {
        page.open("<li>");
        page.swatch(colour);
        page.text(&format!("{letter}: {}, {}", set.path, count(set.runs.len() as u64, "run")));
        page.close("</li>");
    }
    page.close("</ul>");
}

/// A row a quantity: the median of each set with its lowest and highest run, and what to think of the difference.
fn numbers(several: &Several, page: &mut Page) {
    let Several { sets, comparisons, tolerance } = several;
    let Some(first) = comparisons.first() else { return };
    page.section("Numbers");
    let mut head = vec![String::new(), "A".into()];
    for letter in letters().skip(1).take(comparisons.len()) {
        head.extend([letter.to_string(), format!("{letter} to A")]);
    }
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    let rows = first.lines.iter().enumerate().map(|(index, line)| {
        let mut row = vec![compared::label(line), compared::cell(line.unit, line.a.as_ref())];
        for comparison in comparisons {
            let line = &comparison.lines[index];
            row.extend([compared::cell(line.unit, line.b.as_ref()), difference(line)]);
        }
        row
    });
    page.table(
        "Medians; below them, the lowest and the highest run",
        &head,
        &rows.collect::<Vec<_>>(),
    );
    let single = sets.iter().any(|set| set.runs.len() == 1);
    let rule = match single {
        true => format!(
            "A single run has no spread: beside it a median counts as different beyond {}. Repeated \
             runs, in a directory each, would tell.",
            percent(*tolerance)
        ),
        false => "Better or worse: all runs lie beyond all runs of A.".into(),
    };
    page.classed("p", "note", &rule);
    page.classed(
        "p",
        "note",
        "Lost datagrams count as infinitely late, except in max, which is of those received.",
    );
    page.close("</section>");
}

fn difference(line: &ComparedLine) -> String {
    let word = compared::word(line.verdict);
    let ratio = line.ratio.filter(|ratio| *ratio >= 0.001);
    ratio.map_or(word.into(), |ratio| format!("{word}, ×{ratio:.3}"))
}

/// What may be the reason.
fn differences(comparisons: &[Comparison], page: &mut Page) {
    if comparisons.iter().all(|comparison| comparison.differences.is_empty()) {
        return;
    }
    page.section("Not the same, and perhaps why");
    for (comparison, letter) in comparisons.iter().zip(letters().skip(1)) {
        if comparison.differences.is_empty() {
            continue;
        }
        let rows = comparison.differences.iter().map(|difference| {
            vec![difference.what.clone(), difference.a.join(", "), difference.b.join(", ")]
        });
        let name = letter.to_string();
        let caption = format!("A and {letter}");
        page.table(&caption, &["", "A", &name], &rows.collect::<Vec<_>>());
    }
    page.close("</section>");
}

/// Each run, and the command to take it again.
fn runs(sets: &[Set], page: &mut Page) {
    page.section("Runs");
    for (set, letter) in sets.iter().zip(letters()) {
        page.element("h3", &format!("{letter}: {}", set.path));
        page.open("<ul class=\"explained\">");
        for [file, word, news, command] in &set.verdicts {
            page.open("<li>");
            page.element("p", &format!("{file}: {word}: {news}"));
            page.element("pre", command);
            page.close("</li>");
        }
        page.close("</ul>");
    }
    page.close("</section>");
}
