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
    write_verdict(merged, page)?;
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
    let files = merged.receivers.iter().map(|row| &row.file);
    let files = files.chain(merged.senders.iter().map(|row| &row.file));
    let files = files.collect::<std::collections::BTreeSet<_>>().len() as u64;
    page.section("Merged", &format!("{}, mcast-bench {}", count(files, "file"), merged.version))?;
    page.row("command", &merged.command)
}

fn write_verdict(merged: &MergedReport, page: &mut Page<'_>) -> io::Result<()> {
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
    page.wrapped(if merged.valid { "VALID: " } else { "INVALID: " }, &news.join("; "))
}

fn write_group(group: &GroupReport, page: &mut Page<'_>) -> io::Result<()> {
    page.section("Group", &format!("{} (RFC 5644)", receivers(group)))?;
    let counts = &group.counts;
    page.number("sent", group.sent, "to all of them together")?;
    page.number("received", counts.received, "")?;
    page.number("unique", counts.unique, "")?;
    let share = group.loss_ratio.map(|ratio| format!("{}, the group loss ratio", percent(ratio)));
    page.number("lost", group.lost, &share.unwrap_or_default())?;
    if group.lost > 0 {
        let by = group.lost_by;
        let [socket, host, elsewhere] =
            [by.receiver_socket, by.receiver_host, by.elsewhere].map(grouped);
        let places = format!("own socket {socket} + own host {host} + elsewhere {elsewhere}");
        page.text("", "", &places)?;
        let upstream = "the same ones lost by every receiver: upstream of where the paths part";
        page.number("lost by all", group.lost_by_all, upstream)?;
    }
    page.number("duplicates", counts.duplicates, "")?;
    page.number("reordered", counts.reordered, "")?;
    page.number("too late", counts.too_late, noted(counts.too_late, "to be told from duplicates"))?;
    page.number("corrupt", counts.corrupt, noted(counts.corrupt, "counted as lost"))?;
    page.number("foreign", counts.foreign, noted(counts.foreign, "not ours"))
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
    let mut rows: Vec<_> = merged.receivers.iter().collect();
    if rows.len() > MOST {
        rows.sort_by_key(|row| Reverse(row.lost));
    }
    let header = ["receiver", "sent", "lost", "share", "comparative", "by all", "on its own"];
    let cells = rows.iter().take(MOST).map(|row| {
        vec![
            short(&row.name),
            grouped(row.sent),
            grouped(row.lost),
            row.loss_ratio.map(percent).unwrap_or_default(),
            row.comparative_loss_ratio.map(percent).unwrap_or_default(),
            grouped(row.lost_common),
            grouped(row.lost_own),
        ]
    });
    table::write(&header, 1, &cells.collect::<Vec<_>>(), page)?;
    write_more(rows.len(), page)?;
    let unknown: u64 = rows.iter().map(|row| row.lost_not_compared).sum();
    if unknown > 0 {
        let unknown = count(unknown, "lost datagram");
        page.paragraph(&format!("{unknown}: not known whether other receivers lost them too"))?;
    }
    page.paragraph("comparative: lost of what the best receiver got")
}

fn write_delays(merged: &MergedReport, page: &mut Page<'_>) -> io::Result<()> {
    let group = &merged.group;
    let has_delay = |row: &&MemberReport| row.delay.is_some() || row.delay_variation_ns.is_some();
    let mut rows: Vec<_> = merged.receivers.iter().filter(has_delay).collect();
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
    let header = ["receiver", "min", "mean", "p99", "max", "variation"];
    let cells = rows.iter().take(MOST).map(|row| {
        let known = |of: fn(&MemberDelay) -> Nanos| row.delay.as_ref().map(of);
        let times = [
            known(|delay| delay.min_ns),
            known(|delay| nanos_of(delay.mean_ns)),
            known(|delay| delay.p99_ns),
            known(|delay| delay.max_ns),
            row.delay_variation_ns,
        ];
        let in_words = |time: Option<Nanos>| time.map_or("?".into(), |time| time.to_string());
        [short(&row.name)].into_iter().chain(times.map(in_words)).collect()
    });
    table::write(&header, 1, &cells.collect::<Vec<_>>(), page)?;
    write_more(rows.len(), page)
}

fn write_senders(senders: &[MergedSender], page: &mut Page<'_>) -> io::Result<()> {
    if senders.is_empty() {
        return Ok(());
    }
    let (pps, bps) = senders.iter().fold((0.0, 0.0), |(pps, bps), sender| {
        (pps + sender.offered_load_pps, bps + sender.offered_load_bps)
    });
    let load = format!("{}/s, {} UDP payload", per_second(pps), bits_per_second(bps));
    page.section("Senders", &format!("{}, {load} offered", senders.len()))?;
    let header = ["sender", "intended", "offered", "refused", "receivers say"];
    let cells = senders.iter().take(MOST).map(|row| {
        let said = match row.heard_sent {
            Some(said) if said == row.offered => "the same".into(),
            Some(said) => format!("{} sent", grouped(said)),
            None => "not all heard".into(),
        };
        let refused = row.refused.values().sum();
        let numbers = [row.intended, row.offered, refused].map(grouped);
        [short(&row.name)].into_iter().chain(numbers).chain([said]).collect()
    });
    table::write(&header, 1, &cells.collect::<Vec<_>>(), page)?;
    write_more(senders.len(), page)
}

fn write_streams(streams: &[MergedStream], page: &mut Page<'_>) -> io::Result<()> {
    if streams.len() < 2 {
        return Ok(());
    }
    let mut rows: Vec<_> = streams.iter().collect();
    let mut about = streams.len().to_string();
    if rows.len() > MOST {
        rows.sort_by_key(|stream| Reverse(stream.lost));
        about = format!("{about}, the {MOST} that lost most");
    }
    page.section("Streams", &about)?;
    let header = ["stream", "group", "sent", "heard by", "lost", "by all"];
    let cells = rows.iter().take(MOST).map(|row| {
        let joined = row.heard_by + row.not_heard_by;
        vec![
            format!("{}/{}", row.session, row.stream),
            row.group.clone(),
            row.sent.map_or("?".into(), grouped),
            format!("{} of {}", grouped(row.heard_by as u64), grouped(joined as u64)),
            grouped(row.lost),
            grouped(row.lost_by_all),
        ]
    });
    table::write(&header, 2, &cells.collect::<Vec<_>>(), page)?;
    write_more(rows.len(), page)
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

fn nanos_of(mean: f64) -> Nanos {
    Nanos(mean.round() as u64)
}

/// A name that fits into a table.
fn short(name: &str) -> String {
    match name.chars().count().checked_sub(NAME) {
        None | Some(0) => name.to_owned(),
        Some(more) => format!("…{}", name.chars().skip(more + 1).collect::<String>()),
    }
}
