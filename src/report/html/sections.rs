//! The parts of the page of one run, but for its ledger.

use super::page::Page;
use super::{counts, curve, over_time, timeline};
use crate::model::delay::{Distribution, Percentiles};
use crate::model::event::Event;
use crate::model::limit::LimitResult;
use crate::model::report::{RunReport, TrialReport};
use crate::model::verdict::lost_of_comparable;
use crate::report::blame;
use crate::report::human::page::words;
use crate::report::human::{self, delay::or_lost, origin};
use crate::report::warnings::{Explained, bottleneck};
use crate::units::human::grouped;
use crate::units::text::{count, per_second, percent};
use std::io;

/// What to think of it: a word, what it says, and why it may not be used.
pub(super) fn verdict<T: Explained<R>, R>(
    (word, news): (&str, &str),
    reasons: &[T],
    report: &R,
    page: &mut Page,
) {
    let is_good = word == "VALID";
    page.open(if is_good { "<div class=\"verdict good\">" } else { "<div class=\"verdict bad\">" });
    page.element("b", word);
    // In large letters, where a number must not lose its unit to the next line.
    let unbroken = words(news).iter().map(|word| word.replace(' ', "\u{a0}")).collect::<Vec<_>>();
    page.text(&unbroken.join(" "));
    explained(reasons, report, page);
    page.close("</div>");
}

/// What it says in plain words, to who asked for it by the name of a purpose.
pub(super) fn answer(report: &RunReport, page: &mut Page) {
    let Some(answer) = &report.answer else { return };
    page.open("<div class=\"answer\">");
    page.element("b", &answer.preset);
    page.element("p", &answer.words);
    page.close("</div>");
}

/// The numbers that most people want.
pub(super) fn tiles(trial: &TrialReport, page: &mut Page) {
    let mut tiles = Vec::new();
    if let Some(totals) = &trial.totals {
        tiles.push(("lost".into(), totals.loss_ratio.map_or("not known".into(), percent)));
    }
    match (&trial.sender, &trial.totals) {
        (Some(sender), _) => {
            let rate = rate(sender.counts.offered, sender.offered_load_pps);
            tiles.push(("offered, datagrams/s".into(), rate));
        }
        (None, Some(totals)) => {
            let rate = rate(totals.counts.received, totals.forwarding_rate_pps);
            tiles.push(("received, datagrams/s".into(), rate));
        }
        (None, None) => {}
    }
    let (name, of) = main_delay(trial);
    if let Some(of) = of.filter(|of| of.percentiles.count > 0) {
        tiles.push((format!("{name} p50"), or_lost(of.percentiles.p50)));
        tiles.push((format!("{name} p99"), or_lost(of.percentiles.p99)));
    }
    page.tiles(&tiles);
}

/// A trial too short to have a rate has none.
fn rate(datagrams: u64, rate: f64) -> String {
    if datagrams > 0 && rate == 0.0 { "too short to tell".into() } else { per_second(rate) }
}

/// The delay that counts here, and its name.
fn main_delay(trial: &TrialReport) -> (&'static str, Option<&Distribution>) {
    if let Some(delay) = &trial.one_way_delay_ns {
        return ("one-way delay", Some(&delay.distribution));
    }
    match (&trial.relative_delay_ns, &trial.sender) {
        (Some(relative), _) => ("delay above the shortest", Some(relative)),
        (None, Some(sender)) => ("lateness", Some(&sender.lateness_ns)),
        (None, None) => ("delay", None),
    }
}

/// What each thing means, and what to do about it.
pub(super) fn explained<T: Explained<R>, R>(things: &[T], report: &R, page: &mut Page) {
    if things.is_empty() {
        return;
    }
    page.open("<ul class=\"explained\">");
    for thing in things {
        page.open("<li>");
        page.element("p", &thing.sentence());
        page.element("p", &format!("→ {}", thing.advice(report)));
        page.close("</li>");
    }
    page.close("</ul>");
}

/// Whether each held.
pub(super) fn limits(limits: &[LimitResult], page: &mut Page) {
    if limits.is_empty() {
        return;
    }
    page.section("Limits");
    let rows = limits.iter().map(|limit| {
        let measured = limit.measured.as_deref().unwrap_or("nothing");
        let outcome = if limit.held { "held" } else { "FAILED" };
        vec![limit.limit.to_string(), measured.to_owned(), outcome.to_owned()]
    });
    let rows: Vec<_> = rows.collect();
    page.table("A trial fails if", &["", "measured", "outcome"], &rows);
    page.close("</section>");
}

/// Where datagrams were lost, with the counters that say so.
pub(super) fn lost(report: &RunReport, page: &mut Page) {
    let (Some(totals), Some(receiver)) = (&report.trial.totals, &report.trial.receiver) else {
        return;
    };
    let risen = receiver.host_drops.risen();
    let risen: Vec<_> = risen.map(|(name, by)| format!("{name} +{}", grouped(by))).collect();
    page.section("Where it was lost");
    match totals.lost {
        0 => page.element("p", "Nothing is known to be lost."),
        _ => explained(&blame::shares(report), report, page),
    }
    if !risen.is_empty() {
        page.classed(
            "p",
            "note",
            &format!("Counters of this host that rose: {}", risen.join(", ")),
        );
    }
    page.close("</section>");
}

/// Rates, losses and delays over the trial.
pub(super) fn over_time(report: &RunReport, page: &mut Page) -> io::Result<()> {
    let steps = &report.timeline;
    page.section("Over time");
    if !steps.is_empty() {
        over_time::rates(steps, page)?;
        over_time::losses(steps, page)?;
        let (name, _) = main_delay(&report.trial);
        over_time::heat(steps, &capital(name), page)?;
        page.close("</section>");
        return Ok(());
    }
    if let Some(losses) = timeline::of_losses(&report.trial) {
        over_time::losses(&losses, page)?;
    }
    page.classed(
        "p",
        "note",
        "This result does not say what happened when, so rates and delays over time are not known: it has \
         no intervals, or was saved by a version that did not keep them.",
    );
    page.close("</section>");
    Ok(())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// Percentiles, as numbers and as curves.
pub(super) fn delay(report: &RunReport, page: &mut Page) -> io::Result<()> {
    let trial = &report.trial;
    let all = trial.totals.as_ref().map_or(0, |totals| totals.lost);
    let comparable = lost_of_comparable(trial);
    let one_way = trial.one_way_delay_ns.as_ref();
    let own_lateness = trial.sender.as_ref().map(|sender| &sender.lateness_ns);
    let rows = [
        ("one-way delay", one_way.map(|delay| &delay.distribution), comparable),
        ("delay above the shortest", trial.relative_delay_ns.as_ref(), all - comparable),
        ("host delay", trial.host_delay_ns.as_ref(), 0),
        ("sender lateness", own_lateness.or(trial.sender_lateness_ns.as_ref()), 0),
    ];
    let known: Vec<_> = rows
        .into_iter()
        .filter_map(|(name, of, lost)| Some((name, of?, lost)))
        .filter(|(_, of, _)| of.percentiles.count > 0)
        .collect();
    page.section("Delay");
    if known.is_empty() {
        page.element("p", "No delay was measured.");
        page.close("</section>");
        return Ok(());
    }
    let mut curves = Vec::new();
    for (name, of, lost) in &known {
        let histogram = of.histogram().map_err(io::Error::other)?;
        curves.push(curve::Curve { name: (*name).into(), histogram, lost: *lost });
    }
    curve::figure_of("Delay by percentile", &curves, page)?;
    let cells: Vec<_> =
        known.iter().map(|(name, of, _)| percentiles(name, &of.percentiles)).collect();
    page.table("Percentiles of delay", &PERCENTILES, &cells);
    for note in notes(trial) {
        page.classed("p", "note", &note);
    }
    page.close("</section>");
    Ok(())
}

/// Rows that do not hide what comes below them.
const AT_A_GLANCE: usize = 20;

/// Most rows of a table; whoever wants more reads them by machine.
pub(super) const MOST: usize = 200;

/// A table that may have more rows than anybody reads.
pub(super) fn long_table(
    caption: &str,
    head: &[&str],
    rows: impl ExactSizeIterator<Item = Vec<String>>,
    page: &mut Page,
) {
    let all = rows.len();
    if all > AT_A_GLANCE {
        page.open("<details>");
        page.element("summary", "Show all");
    }
    page.table(caption, head, &rows.take(MOST).collect::<Vec<_>>());
    if all > AT_A_GLANCE {
        page.close("</details>");
    }
    if let Some(more @ 1..) = all.checked_sub(MOST) {
        let more = grouped(more as u64);
        page.classed("p", "note", &format!("... and {more} more (all of them in --report json)"));
    }
}

/// The head of a table of percentiles.
pub(super) const PERCENTILES: [&str; 8] =
    ["", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max"];

/// A row of a table, below [`PERCENTILES`].
pub(super) fn percentiles(name: &str, of: &Percentiles) -> Vec<String> {
    let percentiles = [of.p50, of.p90, of.p99, of.p99_9, of.p99_99].map(or_lost);
    let mut cells = vec![name.to_owned(), of.min.to_string()];
    cells.extend(percentiles);
    cells.push(of.max.to_string());
    cells
}

/// What the numbers mean, as far as it is not always the same.
fn notes(trial: &TrialReport) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(delay) = &trial.one_way_delay_ns {
        let of = &delay.distribution.percentiles;
        notes.push(format!("One-way delay: due to received; {}.", delay.clock));
        if [of.p50, of.p90, of.p99, of.p99_9, of.p99_99].contains(&None) {
            notes.push("lost: reaches into those that never came (RFC 7679 section 5.1).".into());
        }
        if delay.negative > 0 {
            let (negative, most) = (count(delay.negative, "datagram"), delay.negative_max_ns);
            notes.push(format!("Not in it: {negative} received up to {most} before being due."));
        }
        if of.clamped > 0 {
            let clamped = count(of.clamped, "datagram");
            notes
                .push(format!("{clamped} took longer than 60 s and count as 60 s, except in max."));
        }
    }
    if trial.relative_delay_ns.is_some() {
        notes.push(
            "The clocks of some senders do not compare: above the shortest, not one-way.".into(),
        );
    }
    notes
        .extend(human::delay::variation(trial).map(|variation| format!("Variation: {variation}.")));
    notes
}

/// Losses in a row, order, copies and gaps.
pub(super) fn patterns(trial: &TrialReport, page: &mut Page) -> io::Result<()> {
    let rows = human::patterns::rows(trial);
    let patterns = trial.patterns.as_ref();
    let sent = trial.sender.as_ref().map(|sender| ("as handed to the kernel", &sender.gaps_ns));
    let mut gaps = Vec::from_iter(sent);
    if let Some(patterns) = patterns {
        gaps.push(("as the senders say", &patterns.inter_departure_ns));
        gaps.push(("as they arrived", &patterns.inter_arrival_ns));
    }
    if rows.is_empty() && gaps.iter().all(|(_, gaps)| gaps.count == 0) {
        return Ok(());
    }
    page.section("Patterns");
    page.rows(rows);
    if let Some(patterns) = patterns {
        counts::loss_periods(&patterns.loss_period, page)?;
    }
    counts::gaps(&gaps, page)?;
    page.close("</section>");
    Ok(())
}

/// What a reader should know, and what happened.
pub(super) fn warnings(report: &RunReport, page: &mut Page) {
    let trial = &report.trial;
    let bottleneck = bottleneck(trial);
    if !trial.warnings.is_empty() || bottleneck.is_some() {
        page.section("Warnings");
        explained(&trial.warnings, report, page);
        page.rows(bottleneck.map(|bottleneck| ("limited by", bottleneck)));
        page.close("</section>");
    }
    events(&trial.events, page);
}

/// What happened, but for who was heard.
pub(super) fn events(events: &[Event], page: &mut Page) {
    let events = human::notable(events);
    if events.is_empty() {
        return;
    }
    page.section("Events");
    page.open("<details>");
    page.element("summary", &count(events.len() as u64, "event"));
    let times: Vec<_> =
        events.iter().map(|event| format!("{:.3} s", event.at_ns.as_secs_f64())).collect();
    let rows =
        times.iter().zip(&events).map(|(time, event)| (time.as_str(), event.what.to_string()));
    page.rows(rows.take(MOST));
    if let Some(more @ 1..) = events.len().checked_sub(MOST) {
        page.classed("p", "note", &format!("... and {more} more (all of them in --report json)"));
    }
    page.close("</details>");
    page.close("</section>");
}

/// How to take it again, and where it was taken.
pub(super) fn origin(report: &RunReport, page: &mut Page) {
    page.section("Take it again");
    page.element("pre", &report.command);
    page.close("</section>");
    page.section("Environment");
    let trial = &report.trial;
    let receiver = trial.receiver.as_ref();
    let mut rows = vec![("measured", origin::measured(report))];
    rows.extend(origin::trial(&trial.spec));
    rows.extend(
        trial.sender.as_ref().map(|sender| {
            ("sender", format!("{}, {}", sender.engine, human::threads(&sender.cpus)))
        }),
    );
    rows.extend(receiver.map(|receiver| {
        ("receiver", format!("{}, {}", receiver.engine, human::threads(&receiver.cpus)))
    }));
    let heard = trial.totals.as_ref().map_or(0, |totals| totals.counts.received);
    rows.extend(receiver.map(|of| ("timestamps", human::timestamps(&of.timestamps, heard))));
    rows.extend(origin::machine(&report.environment, receiver.map(|of| &of.receive_buffer)));
    page.rows(rows);
    page.close("</section>");
}
