//! A group of receivers for a person: the group as one, then who differs.

use super::page::Page;
use super::table;
use super::{Human, ReportFormat, ReportWriter, ToRead, delay, noted};
use crate::model::merged::*;
use crate::report::paper::Paper;
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::{bits_per_second, count, per_second, percent};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io;

/// Most rows of a table; whoever wants more reads them by machine.
const MOST: usize = 20;

/// Longest name; a path is cut at its front.
const NAME: usize = 24;

impl ReportFormat<MergedReport> for Human {
    fn name(&self) -> &'static str {
        "human"
    }

    fn about(&self) -> &'static str {
        "for people: the group as one, then who differs"
    }

    fn begin(&self, paper: Paper) -> Box<dyn ReportWriter<MergedReport>> {
        Box::new(ToRead { paper, write })
    }
}

fn write(merged: &MergedReport, page: &mut Page<'_>) -> io::Result<()> {
    let (word, news) = in_words(merged);
    page.wrapped(&format!("{word}: "), &news)?;
    if merged.group.receivers > 0 {
        write_group(&merged.group, page)?;
        write_losses(merged, page)?;
        write_delays(merged, page)?;
    }
    if let Some(all) = &merged.one_way_delay_ns {
        delay::write_one_way(all, page)?;
    }
    write_senders(&merged.senders, page)?;
    write_streams(&merged.streams, page)?;
    if !merged.warnings.is_empty() {
        page.section("Warnings", "")?;
        merged.warnings.iter().try_for_each(|warning| page.explained(warning, merged))?;
    }
    if !merged.skipped.is_empty() {
        page.section("Skipped", "not in these numbers")?;
        let shown = merged.skipped.iter().take(MOST);
        shown.clone().try_for_each(|skipped| page.paragraph(&skipped.reason))?;
        write_more(merged.skipped.len(), page)?;
    }
    page.section("Merged", &origin(merged))?;
    page.row("command", &merged.command)
}

/// What to think of it: a word, and what it says.
pub(in crate::report) fn in_words(merged: &MergedReport) -> (&'static str, String) {
    let group = &merged.group;
    let mut news = Vec::new();
    if !merged.valid {
        news.push("these numbers must not be used, because some of the results must not".into());
    }
    match (group.receivers, group.lost) {
        (0, _) => news.push(count(merged.senders.len() as u64, "sender") + " and no receiver"),
        (_, 0) => news.push(format!("{}, nothing lost", receivers(group))),
        (_, lost) => {
            let share = group.loss_ratio.map(percent).unwrap_or_default();
            let (lost, sent) = (grouped(lost), grouped(group.sent));
            news.push(format!("{}, {lost} of {sent} lost ({share})", receivers(group)));
        }
    }
    if let Some((_, worst)) = differing(&group.loss_ratio_lowest, &group.loss_ratio_highest) {
        let (name, share) = (short(&worst.receiver), percent(worst.value));
        news.push(format!("the worst is {name} with {share}"));
    }
    (if merged.valid { "VALID" } else { "INVALID" }, news.join("; "))
}

/// What it was made of, and by what.
pub(in crate::report) fn origin(merged: &MergedReport) -> String {
    let files = merged.receivers.iter().map(|row| &row.file);
    let files = files.chain(merged.senders.iter().map(|row| &row.file));
    let files = files.collect::<BTreeSet<_>>().len() as u64;
    format!("{}, mcast-bench {}", count(files, "file"), merged.version)
}

fn write_group(group: &GroupReport, page: &mut Page<'_>) -> io::Result<()> {
    page.section("Group", &format!("{} (RFC 5644)", receivers(group)))?;
    for (name, number, note) in numbers(group) {
        page.number(name, number, &note)?;
        if name == "lost" && number > 0 {
            let by = group.lost_by;
            let [socket, host, elsewhere] =
                [by.receiver_socket, by.receiver_host, by.elsewhere].map(grouped);
            let places = format!("own socket {socket} + own host {host} + elsewhere {elsewhere}");
            page.text("", "", &places)?;
        }
    }
    Ok(())
}

/// The ledger of the group: what became of its datagrams, how many those are, and what that says.
pub(in crate::report) fn numbers(group: &GroupReport) -> Vec<(&'static str, u64, String)> {
    let counts = &group.counts;
    let share = group.loss_ratio.map(|ratio| format!("{}, the group loss ratio", percent(ratio)));
    let mut numbers = vec![
        ("sent", group.sent, "to all of them together".into()),
        ("received", counts.received, String::new()),
        ("unique", counts.unique, String::new()),
        ("lost", group.lost, share.unwrap_or_default()),
    ];
    if group.lost > 0 {
        let upstream = "the same ones lost by every receiver: upstream of where the paths part";
        numbers.push(("lost by all", group.lost_by_all, upstream.into()));
    }
    let noted = |name, count, note| (name, count, noted(count, note).to_string());
    numbers.extend([
        ("duplicates", counts.duplicates, String::new()),
        ("reordered", counts.reordered, String::new()),
        noted("too late", counts.too_late, "to be told from duplicates"),
        noted("corrupt", counts.corrupt, "counted as lost"),
        noted("foreign", counts.foreign, "not ours"),
    ]);
    numbers
}

fn write_losses(merged: &MergedReport, page: &mut Page<'_>) -> io::Result<()> {
    let group = &merged.group;
    let range = match differing(&group.loss_ratio_lowest, &group.loss_ratio_highest) {
        Some((lowest, highest)) => format!(
            "from {} ({}) to {} ({})",
            percent(lowest.value),
            short(&lowest.receiver),
            percent(highest.value),
            short(&highest.receiver)
        ),
        None => "the same everywhere".into(),
    };
    page.section("Losses", &range)?;
    let rows = by_loss(&merged.receivers, MOST, |row| row.lost);
    let cells = rows.iter().take(MOST).map(|row| named(&row.name, losses(row)));
    table::write(&LOSSES, 1, &cells.collect::<Vec<_>>(), page)?;
    write_more(rows.len(), page)?;
    if let Some(note) = not_compared(merged) {
        page.paragraph(&note)?;
    }
    page.paragraph(COMPARATIVE)
}

/// Those that lost most first, where there are more than can be shown.
pub(in crate::report) fn by_loss<T>(all: &[T], most: usize, lost: fn(&T) -> u64) -> Vec<&T> {
    let mut rows: Vec<_> = all.iter().collect();
    if rows.len() > most {
        rows.sort_by_key(|row| Reverse(lost(row)));
    }
    rows
}

fn named(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    [short(name)].into_iter().chain(cells).collect()
}

/// The head of a table of losses by receiver.
pub(in crate::report) const LOSSES: [&str; 7] =
    ["receiver", "sent", "lost", "share", "comparative", "by all", "on its own"];

/// What one of its words means.
pub(in crate::report) const COMPARATIVE: &str = "comparative: lost of what the best receiver got";

/// A row of that table, but for the name.
pub(in crate::report) fn losses(row: &MemberReport) -> [String; 6] {
    [
        grouped(row.sent),
        grouped(row.lost),
        row.loss_ratio.map(percent).unwrap_or_default(),
        row.comparative_loss_ratio.map(percent).unwrap_or_default(),
        grouped(row.lost_common),
        grouped(row.lost_own),
    ]
}

/// What the table does not know.
pub(in crate::report) fn not_compared(merged: &MergedReport) -> Option<String> {
    let unknown: u64 = merged.receivers.iter().map(|row| row.lost_not_compared).sum();
    let datagrams = || count(unknown, "lost datagram");
    (unknown > 0)
        .then(|| format!("{}: not known whether other receivers lost them too", datagrams()))
}

fn write_delays(merged: &MergedReport, page: &mut Page<'_>) -> io::Result<()> {
    let group = &merged.group;
    let mut rows = with_delay(merged);
    if rows.is_empty() {
        return Ok(());
    }
    page.section("Delays", "due to received, of each receiver")?;
    if let (Some(mean), Some(range)) = (group.mean_delay_ns, group.mean_delay_range_ns) {
        let (mean, range) = (nanos_of(mean), nanos_of(range));
        page.row("mean", &format!("{mean}, each receiver counting once"))?;
        let ends = differing(&group.mean_delay_lowest, &group.mean_delay_highest);
        let ends = ends.map(|(lowest, highest)| {
            let [low, high] = [lowest, highest].map(|end| nanos_of(end.value));
            let (lowest, highest) = (short(&lowest.receiver), short(&highest.receiver));
            format!(", from {low} ({lowest}) to {high} ({highest})")
        });
        page.row("range", &format!("{range} between the means{}", ends.unwrap_or_default()))?;
    }
    let quantile = 100.0 * group.delay_variation_quantile;
    let range = group.delay_variation_range_ns.unwrap_or_default();
    page.row("variation", &format!("p{quantile} less the shortest delay; range {range}"))?;
    if rows.len() > MOST {
        rows.sort_by_key(|row| {
            Reverse((
                row.delay.as_ref().map(|delay| nanos_of(delay.mean_ns)),
                row.delay_variation_ns,
            ))
        });
    }
    let cells = rows.iter().take(MOST).map(|row| named(&row.name, delays(row)));
    table::write(&DELAYS, 1, &cells.collect::<Vec<_>>(), page)?;
    write_more(rows.len(), page)
}

/// Receivers that know something of their delays.
pub(in crate::report) fn with_delay(merged: &MergedReport) -> Vec<&MemberReport> {
    let has_delay = |row: &&MemberReport| row.delay.is_some() || row.delay_variation_ns.is_some();
    merged.receivers.iter().filter(has_delay).collect()
}

/// The head of a table of delays by receiver.
pub(in crate::report) const DELAYS: [&str; 6] =
    ["receiver", "min", "mean", "p99", "max", "variation"];

/// A row of that table, but for the name.
pub(in crate::report) fn delays(row: &MemberReport) -> [String; 5] {
    let known = |of: fn(&MemberDelay) -> Nanos| row.delay.as_ref().map(of);
    let times = [
        known(|delay| delay.min_ns),
        known(|delay| nanos_of(delay.mean_ns)),
        known(|delay| delay.p99_ns),
        known(|delay| delay.max_ns),
        row.delay_variation_ns,
    ];
    times.map(|time| time.map_or("?".into(), |time| time.to_string()))
}

fn write_senders(senders: &[MergedSender], page: &mut Page<'_>) -> io::Result<()> {
    if senders.is_empty() {
        return Ok(());
    }
    page.section("Senders", &offered(senders))?;
    let cells = senders.iter().take(MOST).map(|row| named(&row.name, loads(row)));
    table::write(&SENDERS, 1, &cells.collect::<Vec<_>>(), page)?;
    write_more(senders.len(), page)
}

/// How many there are, and what they offered together.
pub(in crate::report) fn offered(senders: &[MergedSender]) -> String {
    let (pps, bps) = senders.iter().fold((0.0, 0.0), |(pps, bps), sender| {
        (pps + sender.offered_load_pps, bps + sender.offered_load_bps)
    });
    let load = format!("{}/s, {} UDP payload", per_second(pps), bits_per_second(bps));
    format!("{}, {load} offered", senders.len())
}

/// The head of a table of senders.
pub(in crate::report) const SENDERS: [&str; 5] =
    ["sender", "intended", "offered", "refused", "receivers say"];

/// A row of that table, but for the name.
pub(in crate::report) fn loads(row: &MergedSender) -> [String; 4] {
    let said = match row.heard_sent {
        Some(said) if said == row.offered => "the same".into(),
        Some(said) => format!("{} sent", grouped(said)),
        None => "not all heard".into(),
    };
    let refused = row.refused.values().sum();
    [grouped(row.intended), grouped(row.offered), grouped(refused), said]
}

fn write_streams(streams: &[MergedStream], page: &mut Page<'_>) -> io::Result<()> {
    if streams.len() < 2 {
        return Ok(());
    }
    let mut about = streams.len().to_string();
    if streams.len() > MOST {
        about = format!("{about}, the {MOST} that lost most");
    }
    page.section("Streams", &about)?;
    let rows = by_loss(streams, MOST, |stream| stream.lost);
    let cells: Vec<_> = rows.iter().take(MOST).map(|row| stream(row).into()).collect();
    table::write(&STREAMS, 2, &cells, page)?;
    write_more(rows.len(), page)
}

/// The head of a table of streams.
pub(in crate::report) const STREAMS: [&str; 6] =
    ["stream", "group", "sent", "heard by", "lost", "by all"];

/// A row of that table.
pub(in crate::report) fn stream(row: &MergedStream) -> [String; 6] {
    let joined = row.heard_by + row.not_heard_by;
    [
        format!("{}/{}", row.session, row.stream),
        row.group.clone(),
        row.sent.map_or("?".into(), grouped),
        format!("{} of {}", grouped(row.heard_by as u64), grouped(joined as u64)),
        grouped(row.lost),
        grouped(row.lost_by_all),
    ]
}

fn write_more(rows: usize, page: &mut Page<'_>) -> io::Result<()> {
    match rows.saturating_sub(MOST) {
        0 => Ok(()),
        more => page.paragraph(&format!("... and {more} more (all of them in --report json)")),
    }
}

fn receivers(group: &GroupReport) -> String {
    count(group.receivers as u64, "receiver")
}

/// Both ends of a range that is one.
fn differing<'a>(
    lowest: &'a Option<Extreme>,
    highest: &'a Option<Extreme>,
) -> Option<(&'a Extreme, &'a Extreme)> {
    lowest.as_ref().zip(highest.as_ref()).filter(|(low, high)| low.value != high.value)
}

/// A mean of nanoseconds, as it is shown.
pub(in crate::report) fn nanos_of(mean: f64) -> Nanos {
    Nanos(mean.round() as u64)
}

/// A name that fits into a table.
fn short(name: &str) -> String {
    match name.chars().count().checked_sub(NAME) {
        None | Some(0) => name.to_owned(),
        Some(more) => format!("…{}", name.chars().skip(more + 1).collect::<String>()),
    }
}
