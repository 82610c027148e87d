//! The whole report as one JSON object; `schema.json` beside this file describes it.

use super::{AtEnd, ReportFormat, ReportWriter};
use crate::model::report::RunReport;
use std::io::{self, Write};

/// `json`
pub struct Json;

impl ReportFormat for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> &'static str {
        "everything as one JSON object, for scripts"
    }

    fn begin(&self, out: Box<dyn Write + Send>) -> Box<dyn ReportWriter> {
        Box::new(AtEnd { out, write })
    }
}

/// Writes `report` as an indented object and a newline.
///
/// # Errors
/// What `out` says.
pub fn write(report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}
