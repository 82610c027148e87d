//! A page for a browser: the verdict, the ledger, and pictures of when and how. One file that needs no other.
//!
//! `page.rs` writes and escapes, `plot.rs` draws what the other files make of the numbers.

mod axis;
mod counts;
mod curve;
mod ledger;
mod merged;
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
use super::{AtEnd, ReportFormat, ReportWriter};
use crate::model::report::RunReport;
use crate::report::paper::Paper;
use page::Page;
use std::io::{self, Write};

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
        Box::new(AtEnd { out, write })
    }
}

fn write(report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    let (word, news) = verdict::in_words(report);
    let mut page = Page::new(&format!("{word}: {}", report.command));
    page.open("<header>");
    page.element("h1", "mcast-bench");
    page.classed("p", "about", &super::human::origin::measured(report));
    sections::verdict((word, &news), &report.trial.invalid_reasons, report, &mut page);
    sections::answer(report, &mut page);
    sections::tiles(&report.trial, &mut page);
    page.close("</header>");
    sections::limits(&report.limits, &mut page);
    ledger::write(report, &mut page);
    sections::lost(report, &mut page);
    sections::over_time(report, &mut page)?;
    sections::delay(report, &mut page)?;
    sections::patterns(&report.trial, &mut page)?;
    sections::warnings(report, &mut page);
    ledger::streams(&report.trial.streams, &mut page);
    sections::origin(report, &mut page);
    out.write_all(page.finish().as_bytes())
}
