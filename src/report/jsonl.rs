//! JSON Lines: one object a line while the trial runs, told apart by `type`; the whole report is the last.

use super::interval::Interval;
use super::{ReportFormat, ReportWriter};
use crate::model::event::Event;
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::report::paper::Paper;
use crate::units::Nanos;
use serde::Serialize;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

/// `jsonl`
pub struct JsonLines;

impl ReportFormat for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn about(&self) -> &'static str {
        "a JSON object a line: start, intervals and events as they come, then the report"
    }

    fn grows(&self) -> bool {
        true
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter> {
        Box::new(Writer { out })
    }
}

struct Writer {
    out: Box<dyn Write + Send>,
}

impl Writer {
    /// Flushes each line: who follows the file sees it at once, and who kills us loses nothing.
    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

impl ReportWriter for Writer {
    fn start(&mut self, spec: &TrialSpec, started_at: Nanos) -> io::Result<()> {
        let started_at = UNIX_EPOCH + Duration::from(started_at);
        let started_at = humantime::format_rfc3339_nanos(started_at).to_string();
        self.line(&Line::Start { started_at, spec })
    }

    fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.line(&Line::Interval(&Interval::of(snapshot)))
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.line(&Line::Event(event))
    }

    fn finish(&mut self, report: &RunReport) -> io::Result<()> {
        self.line(&Line::Report(report))
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Start { started_at: String, spec: &'a TrialSpec },
    Interval(&'a Interval<'a>),
    Event(&'a Event),
    Report(&'a RunReport),
}
