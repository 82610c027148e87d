//! Round trips: the verdict, who answered, how fast, and what was lost on which way.

use super::curve::{Curve, figure_of};
use super::page::Page;
use super::palette::{CAME, ELSEWHERE, HOST, SOCKET};
use super::{Html, sections};
use crate::model::ping::{PingCounts, PingReport};
use crate::report::human::delay::or_lost;
use crate::report::human::{origin, ping};
use crate::report::paper::Paper;
use crate::report::{AtEnd, ReportFormat, ReportWriter};
use crate::units::human::grouped;
use crate::units::text::{count, percent};
use std::io::{self, Write};

impl ReportFormat<PingReport> for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn about(&self) -> &'static str {
        "a page for a browser, with charts; one file, nothing is loaded"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter<PingReport>> {
        Box::new(AtEnd { out, write })
    }
}

fn write(report: &PingReport, out: &mut dyn Write) -> io::Result<()> {
    let outcome = &report.outcome;
    let (word, news) = ping::in_words(report);
    let mut page = Page::new(&format!("{word}: {}", report.command));
    page.open("<header>");
    page.element("h1", "mcast-bench");
    page.classed("p", "about", &ping::measured(report));
    sections::verdict((word, &news), &outcome.invalid_reasons, report, &mut page);
    let rtt = &outcome.totals.times.rtt_ns.percentiles;
    let mut tiles = vec![(
        "not answered".to_owned(),
        outcome.totals.loss_ratio.map_or("not known".into(), percent),
    )];
    if rtt.count > 0 {
        tiles.push(("RTT p50".into(), or_lost(rtt.p50)));
        tiles.push(("RTT p99".into(), or_lost(rtt.p99)));
        tiles.push(("RTT/2 p50".into(), or_lost(outcome.totals.times.half_rtt_ns.p50)));
    }
    page.tiles(&tiles);
    page.close("</header>");
    sections::limits(&report.limits, &mut page);
    replies(report, &mut page);
    times(report, &mut page)?;
    sections::events(&outcome.events, &mut page);
    page.section("Take it again");
    page.element("pre", &report.command);
    page.close("</section>");
    page.section("Environment");
    let mut rows = vec![("measured", ping::measured(report)), ("load", ping::load(outcome))];
    rows.extend(origin::machine(&report.environment, Some(&outcome.receive_buffer)));
    page.rows(rows);
    page.close("</section>");
    out.write_all(page.finish().as_bytes())
}

/// What became of the requests, in all and by responder.
fn replies(report: &PingReport, page: &mut Page) {
    let outcome = &report.outcome;
    let counts = &outcome.totals.counts;
    page.section("Replies");
    page.bar(&[
        (CAME, "in time", counts.answered),
        (HOST, "late", counts.late),
        (SOCKET, "lost there", counts.lost_there),
        (ELSEWHERE, "lost back or unknown", counts.lost_back + counts.lost_unknown),
    ]);
    let head =
        ["", "sent", "in time", "late", "lost there", "back", "unknown", "duplicates", "reordered"];
    let row = |name: &str, of: &PingCounts| {
        let numbers = [
            of.sent,
            of.answered,
            of.late,
            of.lost_there,
            of.lost_back,
            of.lost_unknown,
            of.duplicates,
            of.reordered,
        ];
        [name.to_owned()].into_iter().chain(numbers.map(grouped)).collect()
    };
    let mut rows: Vec<Vec<_>> = outcome
        .responders
        .iter()
        .map(|of| row(&format!("{} at {}", of.responder, of.source), &of.counts))
        .collect();
    rows.push(row("all", counts));
    let responders = count(outcome.responders.len() as u64, "responder");
    page.table(&format!("Requests to {responders}, by what became of them"), &head, &rows);
    page.close("</section>");
}

/// The part that is known of those that were answered, and of no others.
const TURNAROUND: &str = "turnaround";

/// Round trips and their parts by percentile, then those of each responder.
fn times(report: &PingReport, page: &mut Page) -> io::Result<()> {
    let outcome = &report.outcome;
    let times = &outcome.totals.times;
    let ways = [("way there", &times.forward_ns), ("way back", &times.return_ns)];
    let ways = ways.iter().filter_map(|(name, way)| Some((*name, &way.as_ref()?.distribution)));
    let parts = [
        ("RTT", &times.rtt_ns),
        ("kernel RTT", &times.kernel_rtt_ns),
        (TURNAROUND, &times.turnaround_ns),
    ];
    let parts: Vec<_> =
        parts.into_iter().chain(ways).filter(|(_, of)| of.percentiles.count > 0).collect();
    page.section("Round trips");
    if parts.is_empty() {
        page.element("p", "No request was answered.");
        page.close("</section>");
        return Ok(());
    }
    let lost = outcome.totals.counts.unanswered();
    let curves = parts.iter().map(|(name, of)| {
        let histogram = of.histogram().map_err(io::Error::other)?;
        Ok(Curve {
            name: (*name).into(),
            histogram,
            lost: if *name == TURNAROUND { 0 } else { lost },
        })
    });
    figure_of("Time by percentile", &curves.collect::<io::Result<Vec<_>>>()?, page)?;
    let mut rows: Vec<_> =
        parts.iter().map(|(name, of)| sections::percentiles(name, &of.percentiles)).collect();
    if outcome.responders.len() > 1 {
        rows.extend(outcome.responders.iter().map(|of| {
            let name = format!("RTT of {}", of.responder);
            sections::percentiles(&name, &of.times.rtt_ns.percentiles)
        }));
    }
    page.table("Percentiles of round trips and their parts", &sections::PERCENTILES, &rows);
    page.close("</section>");
    Ok(())
}
