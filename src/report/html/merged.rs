//! A group of receivers: the group as one, then who differs.

use super::curve::{Curve, figure_of};
use super::page::Page;
use super::palette::{CAME, ELSEWHERE, HOST, SOCKET};
use super::sections::{MOST, long_table};
use super::{Html, sections};
use crate::model::merged::{MergeWarning, MergedReport};
use crate::report::human::merged::{self as words, nanos_of};
use crate::report::paper::Paper;
use crate::report::{AtEnd, ReportFormat, ReportWriter};
use crate::units::human::grouped;
use crate::units::text::{count, percent};
use std::io::{self, Write};

impl ReportFormat<MergedReport> for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn about(&self) -> &'static str {
        "a page for a browser: the group as one, then who differs"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter<MergedReport>> {
        Box::new(AtEnd { out, write })
    }
}

fn write(merged: &MergedReport, out: &mut dyn Write) -> io::Result<()> {
    let (word, news) = words::in_words(merged);
    let mut page = Page::new(&format!("{word}: {}", merged.command));
    page.open("<header>");
    page.element("h1", "mcast-bench");
    page.classed("p", "about", &format!("merged from {}", words::origin(merged)));
    sections::verdict::<MergeWarning, _>((word, &news), &[], merged, &mut page);
    tiles(merged, &mut page);
    page.close("</header>");
    if merged.group.receivers > 0 {
        ledger(merged, &mut page);
        losses(merged, &mut page);
    }
    delays(merged, &mut page)?;
    senders(merged, &mut page);
    streams(merged, &mut page);
    if !merged.warnings.is_empty() {
        page.section("Warnings");
        sections::explained(&merged.warnings, merged, &mut page);
        page.close("</section>");
    }
    skipped(merged, &mut page);
    page.section("Take it again");
    page.element("pre", &merged.command);
    page.close("</section>");
    out.write_all(page.finish().as_bytes())
}

fn tiles(merged: &MergedReport, page: &mut Page) {
    let group = &merged.group;
    let mut tiles = Vec::new();
    if group.receivers > 0 {
        tiles.push(("lost".to_owned(), group.loss_ratio.map_or("not known".into(), percent)));
        let worst = group.loss_ratio_highest.as_ref();
        tiles.extend(worst.map(|worst| ("lost by the worst".into(), percent(worst.value))));
    }
    let times =
        [("mean delay", group.mean_delay_ns), ("range of the means", group.mean_delay_range_ns)];
    let times = times.into_iter().filter_map(|(name, time)| Some((name, nanos_of(time?))));
    tiles.extend(times.map(|(name, time)| (name.into(), time.to_string())));
    page.tiles(&tiles);
}

fn ledger(merged: &MergedReport, page: &mut Page) {
    let (group, by) = (&merged.group, merged.group.lost_by);
    page.section("Ledger of the group");
    page.bar(&[
        (CAME, "unique", group.counts.unique),
        (SOCKET, "lost by own sockets", by.receiver_socket),
        (HOST, "lost by own hosts", by.receiver_host),
        (ELSEWHERE, "lost elsewhere", by.elsewhere),
    ]);
    let rows = words::numbers(group);
    let rows =
        rows.into_iter().map(|(name, number, note)| vec![name.into(), grouped(number), note]);
    let caption = "Datagrams of all receivers together, by what became of them (RFC 5644)";
    page.noted_table(caption, &["", "datagrams", ""], &rows.collect::<Vec<_>>());
    page.close("</section>");
}

fn losses(merged: &MergedReport, page: &mut Page) {
    page.section("Losses by receiver");
    let rows = words::by_loss(&merged.receivers, MOST, |row| row.lost);
    let cells = rows.iter().map(|row| named(&row.name, words::losses(row)));
    long_table("Lost by each receiver, and by all of them", &words::LOSSES, cells, page);
    for note in words::not_compared(merged).iter().map(String::as_str).chain([words::COMPARATIVE]) {
        page.classed("p", "note", note);
    }
    page.close("</section>");
}

fn delays(merged: &MergedReport, page: &mut Page) -> io::Result<()> {
    let rows = words::with_delay(merged);
    let one_way = merged.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
    let all = [
        ("one-way delay", one_way, merged.group.lost),
        ("sender lateness", merged.lateness_ns.as_ref(), 0),
    ];
    let all = all.into_iter().filter_map(|(name, of, lost)| Some((name, of?, lost)));
    let all: Vec<_> = all.filter(|(_, of, _)| of.percentiles.count > 0).collect();
    if rows.is_empty() && all.is_empty() {
        return Ok(());
    }
    page.section("Delay");
    let curves = all.iter().map(|(name, of, lost)| {
        let histogram = of.histogram().map_err(io::Error::other)?;
        Ok(Curve { name: (*name).into(), histogram, lost: *lost })
    });
    figure_of("Delay by percentile", &curves.collect::<io::Result<Vec<_>>>()?, page)?;
    if !all.is_empty() {
        let cells = all.iter().map(|(name, of, _)| sections::percentiles(name, &of.percentiles));
        long_table("Percentiles of all hosts together", &sections::PERCENTILES, cells, page);
    }
    if let Some(delay) = &merged.one_way_delay_ns {
        page.classed("p", "note", &format!("One-way delay: due to received; {}.", delay.clock));
    }
    if !rows.is_empty() {
        let cells = rows.iter().map(|row| named(&row.name, words::delays(row)));
        long_table("Due to received, of each receiver", &words::DELAYS, cells, page);
        let quantile = 100.0 * merged.group.delay_variation_quantile;
        let range = merged.group.delay_variation_range_ns.unwrap_or_default();
        let note = format!("variation: p{quantile} less the shortest delay; range {range}");
        page.classed("p", "note", &note);
    }
    page.close("</section>");
    Ok(())
}

fn senders(merged: &MergedReport, page: &mut Page) {
    if merged.senders.is_empty() {
        return;
    }
    page.section("Senders");
    let cells = merged.senders.iter().map(|row| named(&row.name, words::loads(row)));
    long_table(&words::offered(&merged.senders), &words::SENDERS, cells, page);
    page.close("</section>");
}

fn streams(merged: &MergedReport, page: &mut Page) {
    if merged.streams.len() < 2 {
        return;
    }
    page.section("Streams");
    let rows = words::by_loss(&merged.streams, MOST, |row| row.lost);
    let cells = rows.iter().map(|row| words::stream(row).into());
    long_table(&count(rows.len() as u64, "stream"), &words::STREAMS, cells, page);
    page.close("</section>");
}

fn skipped(merged: &MergedReport, page: &mut Page) {
    if merged.skipped.is_empty() {
        return;
    }
    page.section("Skipped");
    let rows = merged.skipped.iter().map(|file| vec![file.file.clone(), file.reason.clone()]);
    page.noted_table("Not in these numbers", &["file", "reason"], &rows.collect::<Vec<_>>());
    page.close("</section>");
}

fn named(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    [name.to_owned()].into_iter().chain(cells).collect()
}
