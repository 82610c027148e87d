//! A page for a browser: the verdict, the ledger, and pictures of when and how. One file that needs no other.
//!
//! `page.rs` writes and escapes, `plot.rs` draws what the other files make of the numbers.

mod axis;
mod counts;
mod curve;
mod ledger;
mod over_time;
mod page;
mod palette;
mod ping;
mod plot;
mod sections;
pub mod several;
mod timeline;

#[cfg(test)]
mod tests;

use super::human::verdict;
use super::{ReportFormat, ReportWriter};
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::report::paper::Paper;
use page::Page;
use std::io::{self, Write};
use timeline::Timeline;

/// `html`
pub struct Html;

impl ReportFormat for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn about(&self) -> &'static str {
        "a page for a browser, with charts over time; one file, nothing is loaded"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter> {
        Box::new(Writer { out, timeline: Timeline::default() })
    }
}

struct Writer {
    out: Box<dyn Write + Send>,
    timeline: Timeline,
}

impl ReportWriter for Writer {
    fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.timeline.push(snapshot);
        Ok(())
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        self.out.write_all(render(report, &self.timeline)?.as_bytes())?;
        self.out.flush()
    }
}

fn render(report: &RunReport, timeline: &Timeline) -> io::Result<String> {
    let (word, news) = verdict::in_words(report);
    let mut page = Page::new(&format!("{word}: {}", report.command));
    page.open("<header>");
    page.element("h1", "mcast-bench");
    page.classed("p", "about", &super::human::origin::measured(report));
    sections::verdict((word, &news), &report.trial.invalid_reasons, report, &mut page);
    sections::tiles(&report.trial, &mut page);
    page.close("</header>");
    sections::limits(&report.limits, &mut page);
    ledger::write(report, &mut page);
    sections::lost(report, &mut page);
    sections::over_time(report, timeline, &mut page)?;
    sections::delay(report, &mut page)?;
    sections::patterns(&report.trial, &mut page)?;
    sections::warnings(report, &mut page);
    ledger::streams(&report.trial.streams, &mut page);
    sections::origin(report, &mut page);
    Ok(page.finish())
}
