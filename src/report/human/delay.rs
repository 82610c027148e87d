//! How late datagrams were, how much that varied, and what the hosts at both ends had to do with it.

use super::page::Page;
use crate::model::delay::{Distribution, OneWayDelay, Percentiles};
use crate::model::metrics::{Buckets, Patterns};
use crate::model::report::TrialReport;
use crate::units::Nanos;
use crate::units::text::count;
use std::io;

pub(super) fn write(trial: &TrialReport, page: &mut Page<'_>) -> io::Result<()> {
    let mut is_measured = false;
    if let Some(delay) = &trial.one_way_delay_ns {
        write_one_way(delay, page)?;
        is_measured = true;
    }
    if let Some(relative) = &trial.relative_delay_ns {
        page.section("Delay", "above the shortest: the clocks do not compare, so not one-way")?;
        table(&relative.percentiles, page)?;
        is_measured = true;
    }
    if !is_measured {
        return Ok(());
    }
    if let Some(variation) = variation(trial) {
        page.row("variation", &variation)?;
    }
    if let Some(host) = trial.host_delay_ns.as_ref().and_then(delays) {
        page.row("host delay", &format!("{host} (kernel to application)"))?;
    }
    match &trial.patterns {
        Some(patterns) => gaps(trial, patterns, page),
        None => Ok(()),
    }
}

pub(super) fn write_one_way(delay: &OneWayDelay, page: &mut Page<'_>) -> io::Result<()> {
    page.section("One-way delay", &format!("due to received; {}", delay.clock))?;
    table(&delay.distribution.percentiles, page)?;
    negative(delay, page)
}

pub(super) fn table(of: &Percentiles, page: &mut Page<'_>) -> io::Result<()> {
    if of.count == 0 {
        return page.paragraph("no delay was measured");
    }
    page.columns(&["min", "p50", "p90", "p99", "p99.9", "p99.99", "max"].map(String::from))?;
    let percentiles = [of.p50, of.p90, of.p99, of.p99_9, of.p99_99];
    let mut cells = vec![of.min.to_string()];
    cells.extend(percentiles.map(or_lost));
    cells.push(of.max.to_string());
    page.columns(&cells)?;
    if percentiles.contains(&None) {
        page.paragraph("lost: reaches into those that never came (RFC 7679 section 5.1)")?;
    }
    match of.clamped {
        0 => Ok(()),
        clamped => page.paragraph(&format!(
            "{} took longer than 60 s and count as 60 s, except in max",
            count(clamped, "datagram")
        )),
    }
}

fn negative(delay: &OneWayDelay, page: &mut Page<'_>) -> io::Result<()> {
    if delay.negative == 0 {
        return Ok(());
    }
    let (negative, most) = (count(delay.negative, "datagram"), delay.negative_max_ns);
    page.paragraph(&format!("not in it: {negative} received up to {most} before being due"))
}

/// How much delays vary, each measure under its own name (RFC 5481, RFC 3550). RTP's is the largest of the streams'.
pub(in crate::report) fn variation(trial: &TrialReport) -> Option<String> {
    // What lies above the shortest delay is the variation.
    let relative =
        || trial.relative_delay_ns.as_ref().filter(|relative| relative.percentiles.count > 0);
    let absolute =
        trial.one_way_delay_ns.as_ref().filter(|delay| delay.distribution.percentiles.count > 0);
    let pdv = match absolute {
        Some(delay) => delay.pdv_ns.p99_9,
        None => relative()?.percentiles.p99_9,
    };
    let mut text = format!("PDV p99.9 {}", or_lost(pdv));
    if let Some(ipdv) = trial.patterns.as_ref().and_then(|patterns| patterns.ipdv_ns.p99) {
        let variations = trial.streams.iter().filter_map(|stream| stream.variation.as_ref());
        let rtp = variations.map(|variation| variation.rtp_jitter_ns).fold(0.0, f64::max);
        let rtp = Nanos(rtp.round() as u64);
        text = format!("{text}, IPDV p99 {}, RTP jitter {rtp} (EWMA)", Nanos(ipdv));
    }
    Some(text)
}

/// Gaps between datagrams where they arrived, and between the same ones where they left. Beside a sender that tells
/// of its own gaps they are news only when the way has changed them.
fn gaps(trial: &TrialReport, patterns: &Patterns, page: &mut Page<'_>) -> io::Result<()> {
    let (arrived, left) = (&patterns.inter_arrival_ns, &patterns.inter_departure_ns);
    let (Some(came), Some(sent)) = (spread(arrived), spread(left)) else { return Ok(()) };
    let is_changed = arrived.p99 > left.p99.map(|gap| 2 * gap);
    if trial.sender.is_some() && !is_changed {
        return Ok(());
    }
    page.row("gaps", &came)?;
    let variations = trial.streams.iter().filter_map(|stream| stream.variation.as_ref());
    let train = variations.map(|variation| variation.sent_train_max).max();
    page.row("  as sent", &with_train(&sent, train.unwrap_or_default()))
}

/// `p50 900 ns, p99 3.29 µs, max 30.6 µs`; nothing of nothing.
pub(super) fn delays(of: &Distribution) -> Option<String> {
    let of = of.percentiles;
    Some(format!("p50 {}, p99 {}, max {}", of.p50?, of.p99?, of.max))
}

/// The same of gaps.
pub(super) fn spread(gaps: &Buckets) -> Option<String> {
    let [p50, p99, max] = [gaps.p50?, gaps.p99?, gaps.max?].map(Nanos);
    Some(format!("p50 {p50}, p99 {p99}, max {max}"))
}

pub(super) fn with_train(gaps: &str, train: u64) -> String {
    format!("{gaps}, longest train {train}")
}

/// A percentile of what was received and lost.
pub(in crate::report) fn or_lost(percentile: Option<Nanos>) -> String {
    percentile.map_or("lost".into(), |delay| delay.to_string())
}
