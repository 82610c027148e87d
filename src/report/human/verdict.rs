//! The first lines: may the trial be used, and what does it say?

use super::delay::or_lost;
use super::page::Page;
use crate::model::report::{RunReport, SenderReport, Totals, TrialReport};
use crate::units::human::grouped;
use crate::units::text::{bits_per_second, count, per_second, percent};
use std::io;

pub(super) fn write(report: &RunReport, page: &mut Page<'_>) -> io::Result<()> {
    let (word, news) = in_words(report);
    page.wrapped(&format!("{word}: "), &news)?;
    report.trial.invalid_reasons.iter().try_for_each(|reason| page.explained(reason, report))
}

/// Whether the trial may be used and its limits held, in a word, and what it says. Why it may not be used is to follow.
pub(in crate::report) fn in_words(report: &RunReport) -> (&'static str, String) {
    let trial = &report.trial;
    let mut news = Vec::new();
    if trial.interrupted {
        news.push(format!("interrupted after {}", trial.duration_ns));
    }
    if !trial.valid {
        news.push("these numbers must not be used, because".into());
        return ("INVALID", news.join("; "));
    }
    let failed = report.limits.iter().filter(|limit| !limit.held).count();
    if failed > 0 {
        news.push(format!("{failed} of {} failed", count(report.limits.len() as u64, "limit")));
    }
    news.extend(findings(trial));
    (if failed > 0 { "FAILED" } else { "VALID" }, news.join("; "))
}

/// What the trial found, in a few clauses.
fn findings(trial: &TrialReport) -> Vec<String> {
    let Some(totals) = &trial.totals else {
        return trial.sender.iter().flat_map(sent).collect();
    };
    let mut rate = match &trial.sender {
        Some(sender) => offered(sender),
        None => at_rate(totals.counts.received, totals.forwarding_rate_pps, "received"),
    };
    let delay = trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
    if let Some(delay) = delay.filter(|delay| delay.percentiles.count > 0) {
        rate = format!(
            "{rate}, delay p50 {}, p99 {}",
            or_lost(delay.percentiles.p50),
            or_lost(delay.percentiles.p99)
        );
    }
    vec![lost(totals), rate]
}

fn offered(sender: &SenderReport) -> String {
    at_rate(sender.counts.offered, sender.offered_load_pps, "offered")
}

/// A trial too short to have a rate has a number.
fn at_rate(datagrams: u64, rate: f64, verb: &str) -> String {
    match rate {
        0.0 => format!("{} {verb}", count(datagrams, "datagram")),
        _ => format!("{} datagrams/s {verb}", per_second(rate)),
    }
}

fn lost(totals: &Totals) -> String {
    let share = totals.loss_ratio.map_or(String::new(), |ratio| format!(" ({})", percent(ratio)));
    match (totals.lost, totals.sent) {
        (0, Some(_)) => "nothing lost".into(),
        (0, None) => "nothing lost as far as is known".into(),
        (lost, Some(sent)) => format!("{} of {} lost{share}", grouped(lost), grouped(sent)),
        (lost, None) => format!("at least {} lost{share}", grouped(lost)),
    }
}

fn sent(sender: &SenderReport) -> [String; 2] {
    let counts = &sender.counts;
    let share = match counts.offered == counts.intended {
        true => format!("all {} sent", count(counts.offered, "datagram")),
        false => {
            format!("{} of {} sent", grouped(counts.offered), count(counts.intended, "datagram"))
        }
    };
    let bits = bits_per_second(sender.offered_load_bps);
    [share, format!("{}, {bits} UDP payload", offered(sender))]
}
