//! Joins and leaves for a person: the verdict, then when groups came and when they stopped.

use super::page::Page;
use super::table;
use super::{
    Human, ReportFormat, ReportWriter, ToRead, joined, noted, origin, write_events, write_limits,
};
use crate::model::delay::{Distribution, Percentiles};
use crate::model::join::{
    InterfaceCounts, JoinInvalid, JoinOutcome, JoinReport, JoinSpec, LeaveDelays, Order, ZapDelays,
};
use crate::report::paper::Paper;
use crate::report::warnings::Explained;
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::count;
use std::io;

/// Groups that have a row; the JSON has all.
const MOST_ROWS: usize = 20;

impl ReportFormat<JoinReport> for Human {
    fn name(&self) -> &'static str {
        "human"
    }

    fn about(&self) -> &'static str {
        "for people: the verdict, then when groups came and when they stopped"
    }

    fn begin(&self, paper: Paper) -> Box<dyn ReportWriter<JoinReport>> {
        Box::new(ToRead { paper, write })
    }
}

fn write(report: &JoinReport, page: &mut Page<'_>) -> io::Result<()> {
    let outcome = &report.outcome;
    write_verdict(report, page)?;
    write_counts(outcome, page)?;
    write_joins(outcome, page)?;
    if let (Some(leave), Some(seen)) = (&outcome.leave, &outcome.totals.interface) {
        write_leaves(outcome, leave, seen, page)?;
    }
    if let Some(zap) = &outcome.zap {
        write_zaps(zap, page)?;
    }
    write_groups(outcome, page)?;
    write_limits(&report.limits, page)?;
    write_events(&outcome.events, page)?;
    let (duration, start) = (outcome.duration_ns, &outcome.started_at);
    page.section("Measured", &format!("{duration} from {start}, mcast-bench {}", report.version))?;
    page.row("command", &report.command)?;
    page.row("groups", &plan(&outcome.spec))?;
    origin::write_machine(&report.environment, Some(&outcome.receive_buffer), page)
}

fn write_verdict(report: &JoinReport, page: &mut Page<'_>) -> io::Result<()> {
    let outcome = &report.outcome;
    let totals = &outcome.totals;
    let mut news = Vec::new();
    if !outcome.valid {
        news.push("these numbers must not be used".to_owned());
    }
    let failed = report.limits.iter().filter(|limit| !limit.held).count();
    if failed > 0 {
        news.push(format!("{failed} of {} failed", count(report.limits.len() as u64, "limit")));
    }
    news.push(match totals.unanswered {
        _ if totals.joins == 0 => "nothing was joined to its end".to_owned(),
        0 => format!("{}, all answered", count(totals.joins, "join")),
        never => format!("{} of {} not answered", grouped(never), count(totals.joins, "join")),
    });
    if totals.answered > 0 {
        let of = outcome.join.to_socket_ns.percentiles;
        let [p50, p99] = [of.p50, of.p99].map(or_never);
        news.push(format!("call to first datagram p50 {p50}, p99 {p99}"));
    }
    if let Some(seen) = totals.interface.filter(|seen| seen.leaves > 0) {
        news.push(match seen.not_ended {
            0 => "every group stopped".to_owned(),
            never => {
                format!("{} of {} did not stop", grouped(never), count(seen.leaves, "left group"))
            }
        });
    }
    let word = match (outcome.valid, failed) {
        (false, _) => "INVALID: ",
        (true, 0) => "VALID: ",
        (true, _) => "FAILED: ",
    };
    page.wrapped(word, &news.join("; "))?;
    outcome.invalid_reasons.iter().try_for_each(|reason| page.explained(reason, report))
}

fn write_counts(outcome: &JoinOutcome, page: &mut Page<'_>) -> io::Result<()> {
    let totals = &outcome.totals;
    let rounds = outcome.rounds as f64 / outcome.duration_ns.as_secs_f64();
    let rounds = format!("{} in all, {rounds:.1}/s", count(outcome.rounds, "round"));
    page.section("Joins", &rounds)?;
    page.number("joins", totals.joins, "")?;
    page.number("answered", totals.answered, "")?;
    page.number("not answered", totals.unanswered, "")?;
    if let Some(seen) = &totals.interface {
        let kept = "of these, reached the interface but not the socket";
        page.number("  kept back", seen.kept_back, noted(seen.kept_back, kept))?;
        let unseen = totals.joins.saturating_sub(seen.join_reports);
        let unseen = format!("IGMP or MLD; {} made none", count(unseen, "join"));
        page.number("reported", seen.join_reports, &unseen)?;
        let flowing = "came before any report: they show this host, not the network";
        page.number("flowing", seen.already_flowing, noted(seen.already_flowing, flowing))?;
    }
    page.number("received", totals.received, "")?;
    page.number("  foreign", totals.foreign, noted(totals.foreign, "no sequence numbers"))?;
    let [joined, away] = [totals.missed_joined, totals.missed_away];
    page.number("missed", joined, "sequence numbers while joined")?;
    page.number("  away", away, "between a leave and the next first datagram")?;
    let drops = outcome.socket_drops;
    page.number("dropped", drops, noted(drops, "by our own sockets: raise --rcvbuf"))?;
    let drops = outcome.watch_drops;
    let note = "frames by our packet socket: leave delays may be longer";
    if drops > 0 { page.number("  watching", drops, note) } else { Ok(()) }
}

fn write_joins(outcome: &JoinOutcome, page: &mut Page<'_>) -> io::Result<()> {
    let join = &outcome.join;
    page.section("Join delay", "call (setsockopt) to first datagram up to the socket")?;
    percentiles(&join.to_socket_ns.percentiles, "nothing came", page)?;
    short("call", &join.call_ns, "how long the call took", page)?;
    if let (Some(report), Some(network)) = (&join.to_report_ns, &join.from_report_ns) {
        short("to report", report, "call to the report on the wire", page)?;
        let about = "report on the wire to first datagram at the interface, of groups that did not flow already \
                     (RFC 3918 section 6.1)";
        page.section("Group join", about)?;
        percentiles(&network.percentiles, "no such join", page)?;
    }
    if let Some(all) = &outcome.all_ns {
        page.section("All groups", "first call of a round to first datagram of the last group")?;
        percentiles(&all.percentiles, "no round in which all came", page)?;
    }
    Ok(())
}

fn write_leaves(
    outcome: &JoinOutcome,
    leave: &LeaveDelays,
    seen: &InterfaceCounts,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let about = "report on the wire to last datagram at the interface (RFC 3918 section 6.2)";
    page.section("Group leave", about)?;
    percentiles(&leave.from_report_ns.percentiles, "no reported leave was seen to its end", page)?;
    short("from call", &leave.to_last_ns, "call to the last datagram", page)?;
    short("call", &leave.call_ns, "how long the call took", page)?;
    short("to report", &leave.to_report_ns, "call to the report on the wire", page)?;
    page.number("stopped", seen.ended, &format!("of {}", count(seen.leaves, "left group")))?;
    let still = match outcome.spec.churn_ns {
        None => format!("still came after {}", outcome.spec.leave_timeout_ns),
        Some(_) => "still came at the next join".into(),
    };
    page.number("did not", seen.not_ended, noted(seen.not_ended, &still))?;
    let quiet = outcome.spec.quiet_ns;
    let gap = outcome.groups.iter().filter_map(|row| row.longest_gap_ns).max();
    let gap = gap.map(|gap| format!("; gaps while joined were up to {gap}")).unwrap_or_default();
    page.row("silence", &format!("{quiet} means stopped{gap}"))
}

fn write_zaps(zap: &ZapDelays, page: &mut Page<'_>) -> io::Result<()> {
    page.section("Without data", "last datagram of a group to first of the next, at the socket")?;
    percentiles(&zap.gap_ns.percentiles, "no zap was done with", page)?;
    let Some(overlap) = &zap.overlap_ns else { return Ok(()) };
    page.section("Overlap", "first of the new group to the last of the old, at the interface")?;
    percentiles(&overlap.percentiles, "no old group was seen to its end", page)
}

fn write_groups(outcome: &JoinOutcome, page: &mut Page<'_>) -> io::Result<()> {
    if outcome.groups.len() < 2 {
        return Ok(());
    }
    let rest = outcome.groups.len().saturating_sub(MOST_ROWS);
    let rest = if rest > 0 { format!(", {rest} more in the JSON") } else { String::new() };
    page.section("Groups", &format!("{}{rest}", outcome.groups.len()))?;
    let header = ["", "joins", "answered", "received", "min", "max"];
    let cells = outcome.groups.iter().take(MOST_ROWS).map(|row| {
        let counts = [row.counts.joins, row.counts.answered, row.counts.received].map(grouped);
        let times = [row.min_ns, row.max_ns].map(or_none);
        [row.group.clone()].into_iter().chain(counts).chain(times).collect()
    });
    table::write(&header, 1, &cells.collect::<Vec<_>>(), page)
}

/// What it did, in one line.
fn plan(spec: &JoinSpec) -> String {
    let groups = match &spec.groups[..] {
        [first, .., last] => {
            let how = if spec.order == Order::Zap { "zapping" } else { "at once" };
            format!("{} groups, {first} to {last}, {how}", grouped(spec.groups.len() as u64))
        }
        [only] => only.to_string(),
        [] => String::new(),
    };
    let churn = spec.churn_ns.map(|time| format!("a round every {time}")).unwrap_or_default();
    joined([groups, format!("held {}", spec.hold_ns), churn])
}

/// Percentiles; what they reach into that did not happen is `never`.
fn percentiles(of: &Percentiles, otherwise: &str, page: &mut Page<'_>) -> io::Result<()> {
    if of.count == 0 {
        return page.paragraph(otherwise);
    }
    page.columns(&["min", "p50", "p90", "p99", "p99.9", "p99.99", "max"].map(String::from))?;
    let percentiles = [of.p50, of.p90, of.p99, of.p99_9, of.p99_99];
    let mut cells = vec![of.min.to_string()];
    cells.extend(percentiles.map(or_never));
    cells.push(of.max.to_string());
    page.columns(&cells)
}

fn short(label: &str, of: &Distribution, about: &str, page: &mut Page<'_>) -> io::Result<()> {
    if of.percentiles.count == 0 {
        return Ok(());
    }
    let [p50, p99] = [of.percentiles.p50, of.percentiles.p99].map(or_never);
    page.row(label, &format!("p50 {p50}, p99 {p99}, max {}; {about}", of.percentiles.max))
}

fn or_never(time: Option<Nanos>) -> String {
    time.map_or("never".into(), |time| time.to_string())
}

fn or_none(time: Option<Nanos>) -> String {
    time.map_or("-".into(), |time| time.to_string())
}

impl Explained<JoinReport> for JoinInvalid {
    fn sentence(&self) -> String {
        match self {
            Self::Failed { cause } => format!("it ended early: {cause}"),
            Self::NothingCame => "nothing came, to none of the groups".into(),
        }
    }

    fn advice(&self, report: &JoinReport) -> String {
        match self {
            Self::Failed { .. } => "what was measured before that is below".into(),
            Self::NothingCame => format!(
                "does somebody send to it? `mcast-bench send -g {}` does; `mcast-bench doctor --listen` finds what \
                 is in the way",
                report.outcome.spec.groups[0]
            ),
        }
    }
}
