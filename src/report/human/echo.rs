//! What a responder did, for a person.

use super::page::Page;
use super::table;
use super::{Human, ReportFormat, ReportWriter, ToRead, noted, origin, write_events};
use crate::model::echo::{EchoReport, ReplyTo};
use crate::report::paper::Paper;
use crate::units::human::grouped;
use crate::units::text::count;
use std::io;

/// Most rows of a table.
const MOST: usize = 20;

impl ReportFormat<EchoReport> for Human {
    fn name(&self) -> &'static str {
        "human"
    }

    fn about(&self) -> &'static str {
        "for people: what was asked and answered"
    }

    fn begin(&self, paper: Paper) -> Box<dyn ReportWriter<EchoReport>> {
        Box::new(ToRead { paper, write })
    }
}

fn write(report: &EchoReport, page: &mut Page<'_>) -> io::Result<()> {
    let outcome = &report.outcome;
    let counts = &outcome.totals.counts;
    let asked = match outcome.askers.len() {
        0 => "nobody asked".to_owned(),
        askers => {
            let (asked, replies) =
                (count(counts.received, "request"), count(counts.replies, "answer"));
            format!("{} sent {asked}, {replies} left", count(askers as u64, "session"))
        }
    };
    let failed = outcome.failed.as_ref().map(|cause| format!("; the socket failed: {cause}"));
    page.wrapped("", &format!("{asked}{}", failed.unwrap_or_default()))?;
    let to = match outcome.spec.reply {
        ReplyTo::Group => "to the group, at the port of who asked",
        ReplyTo::Unicast => "to who asked",
    };
    let wait = if outcome.spec.manner.spin { "spinning" } else { "blocking" };
    let core = outcome.cpu.map_or("not pinned".into(), |cpu| format!("on core {cpu}"));
    page.section("Responder", &format!("{}, {wait}, {core}", outcome.responder))?;
    page.number("requests", counts.received, "")?;
    page.number("unique", counts.unique, "")?;
    page.number("missing", counts.missing, noted(counts.missing, "up to the last that came"))?;
    page.number("duplicates", counts.duplicates, "")?;
    page.number("reordered", counts.reordered, "")?;
    page.number("calls", counts.calls, "")?;
    page.number("answers", counts.replies, to)?;
    page.number("refused", counts.refused, noted(counts.refused, "by this host's kernel"))?;
    let drops = outcome.socket_drops;
    page.number("dropped", drops, noted(drops, "by this host's own socket: raise --rcvbuf"))?;
    let foreign = outcome.totals.foreign;
    page.number("foreign", foreign, noted(foreign, "ask nothing of us"))?;
    if outcome.askers.len() > 1 {
        page.section("Sessions", &outcome.askers.len().to_string())?;
        let header = ["session", "source", "requests", "missing", "duplicates", "answers"];
        let cells = outcome.askers.iter().take(MOST).map(|row| {
            let counts = &row.counts;
            let numbers = [counts.received, counts.missing, counts.duplicates, counts.replies];
            [row.session.clone(), row.source.clone()]
                .into_iter()
                .chain(numbers.map(grouped))
                .collect()
        });
        table::write(&header, 2, &cells.collect::<Vec<_>>(), page)?;
        if let Some(more @ 1..) = outcome.askers.len().checked_sub(MOST) {
            page.paragraph(&format!("... and {more} more (all of them in --report json)"))?;
        }
    }
    write_events(&outcome.events, page)?;
    let (duration, start) = (outcome.duration_ns, &outcome.started_at);
    page.section("Measured", &format!("{duration} from {start}, mcast-bench {}", report.version))?;
    page.row("command", &report.command)?;
    page.row("group", &outcome.spec.group.to_string())?;
    origin::write_machine(&report.environment, Some(&outcome.receive_buffer), page)
}
