//! The whole report as one JSON object; `schema.json` beside this file describes that of a run, and
//! `merged.schema.json`, `compared.schema.json`, `ping.schema.json`, `echo.schema.json`, `join.schema.json`,
//! `doctor.schema.json`, `dump.schema.json` and `interfaces.schema.json` the others.

use super::{AtEnd, ReportFormat, ReportWriter, Subject};
use crate::report::paper::Paper;
use serde::Serialize;
use std::io::{self, Write};

/// `json`
pub struct Json;

impl<T: Subject + Serialize> ReportFormat<T> for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> &'static str {
        "everything as one JSON object, for scripts"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter<T>> {
        Box::new(AtEnd { out, write })
    }
}

/// Writes `report` as an indented object and a newline.
///
/// # Errors
/// What `out` says.
pub fn write<T: Serialize>(report: &T, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}
