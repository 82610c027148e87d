//! How a run is written down: one file a format, each registered by one line in [`FORMATS`]; and what is made of
//! results that were saved: one answer of many receivers, or what got better and what worse.

use crate::model::compared::Comparison;
use crate::model::echo::EchoReport;
use crate::model::event::Event;
use crate::model::join::JoinReport;
use crate::model::merged::MergedReport;
use crate::model::ping::PingReport;
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;
use paper::Paper;
use std::io::{self, Write};

pub mod file;
pub mod output;
pub mod rotate;
pub mod paper;

pub mod csv;
pub mod hdr;
pub mod hlog;
pub mod html;
pub mod human;
pub mod json;
pub mod jsonl;
pub mod answer;
pub mod blame;
pub mod warnings;

pub mod load;
pub mod merge;
pub mod checkup;
pub mod state;
pub mod dump;
pub mod compare;

mod interval;
mod join;
mod ping;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod scratch;

/// What a report is about: a run, or several of them.
pub trait Subject: Clone + 'static {
    /// The formats it can be written in, in the order of `--help`.
    fn formats() -> &'static [&'static dyn ReportFormat<Self>];

    /// For who asks for a format that is none of these: who has it.
    fn who_has(_format: &str) -> Option<&'static str> {
        None
    }
}

/// A way to write a run down, or another subject.
pub trait ReportFormat<T = RunReport>: Sync {
    /// The word of `--report`.
    fn name(&self) -> &'static str;
    /// One line for `--help`.
    fn about(&self) -> &'static str;
    /// Whether it grows while the trial runs, so that it can go on in another file.
    fn grows(&self) -> bool {
        false
    }
    /// Starts a report that goes to `paper`. Writes nothing yet.
    fn begin(&self, paper: Paper) -> Box<dyn ReportWriter<T>>;
}

/// A report on its way. After an error it is told nothing more.
pub trait ReportWriter<T = RunReport>: Send {
    /// The trial starts, at `started_at` of the wall clock (since the Unix epoch).
    fn start(&mut self, _spec: &TrialSpec, _started_at: Nanos) -> io::Result<()> {
        Ok(())
    }
    /// An interval has ended.
    fn interval(&mut self, _snapshot: &Snapshot) -> io::Result<()> {
        Ok(())
    }
    /// Something happened.
    fn event(&mut self, _event: &Event) -> io::Result<()> {
        Ok(())
    }
    /// The run is over. Writes the rest and flushes.
    fn finish(&mut self, report: &T) -> io::Result<()>;
}

/// All formats, in the order of `--help`.
pub static FORMATS: &[&dyn ReportFormat] = &[
    &human::Human,
    &json::Json,
    &jsonl::JsonLines,
    &csv::Csv,
    &hdr::Hdr,
    &hlog::Hlog,
    &html::Html,
];

impl Subject for RunReport {
    fn formats() -> &'static [&'static dyn ReportFormat] {
        FORMATS
    }
}

impl Subject for MergedReport {
    fn formats() -> &'static [&'static dyn ReportFormat<Self>] {
        &[&human::Human, &json::Json, &html::Html]
    }
}

impl Subject for Comparison {
    fn formats() -> &'static [&'static dyn ReportFormat<Self>] {
        &[&human::Human, &json::Json]
    }

    fn who_has(format: &str) -> Option<&'static str> {
        (format == "html").then_some("mcast-bench report html A B -o FILE")
    }
}

impl Subject for PingReport {
    fn formats() -> &'static [&'static dyn ReportFormat<Self>] {
        &[&human::Human, &json::Json, &csv::Csv, &hdr::Hdr, &hlog::Hlog, &html::Html]
    }
}

impl Subject for EchoReport {
    fn formats() -> &'static [&'static dyn ReportFormat<Self>] {
        &[&human::Human, &json::Json]
    }
}

impl Subject for JoinReport {
    fn formats() -> &'static [&'static dyn ReportFormat<Self>] {
        &[&human::Human, &json::Json, &hdr::Hdr]
    }
}

/// A report that only the end of the run can tell.
struct AtEnd<T> {
    out: Box<dyn Write + Send>,
    write: fn(&T, &mut dyn Write) -> io::Result<()>,
}

impl<T> ReportWriter<T> for AtEnd<T> {
    fn finish(&mut self, report: &T) -> io::Result<()> {
        (self.write)(report, &mut self.out)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_format_has_its_own_name_and_says_what_it_is() {
        let names: BTreeSet<_> = FORMATS.iter().map(|format| format.name()).collect();
        assert_eq!(names.len(), FORMATS.len());
        for format in FORMATS {
            assert!(!format.about().is_empty(), "{} has no about", format.name());
            assert!(!format.name().contains(':'), "a colon parts the name from the path");
        }
    }
}
