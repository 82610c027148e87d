//! Round trips for a person: the verdict, then who answered, how fast, and what was lost where.

use super::delay::{self, or_lost};
use super::page::Page;
use super::table;
use super::{
    Human, ReportFormat, ReportWriter, ToRead, joined, noted, origin, write_events, write_limits,
};
use crate::model::metrics::ClockRelation;
use crate::model::ping::{Asking, PingInvalid, PingOutcome, PingReport, ResponderReport};
use crate::model::report::TimestampKind;
use crate::model::roundtrip::{Half, RoundTrips};
use crate::report::paper::Paper;
use crate::report::warnings::Explained;
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::{count, per_second, percent};
use std::io;

impl ReportFormat<PingReport> for Human {
    fn name(&self) -> &'static str {
        "human"
    }

    fn about(&self) -> &'static str {
        "for people: the verdict, then who answered, how fast, and what was lost where"
    }

    fn begin(&self, paper: Paper) -> Box<dyn ReportWriter<PingReport>> {
        Box::new(ToRead { paper, write })
    }
}

fn write(report: &PingReport, page: &mut Page<'_>) -> io::Result<()> {
    let outcome = &report.outcome;
    write_verdict(report, page)?;
    write_requests(outcome, page)?;
    if !outcome.responders.is_empty() {
        write_replies(outcome, page)?;
        write_times(outcome, page)?;
        write_responders(&outcome.responders, page)?;
    }
    write_limits(&report.limits, page)?;
    write_events(&outcome.events, page)?;
    write_origin(report, page)
}

fn write_verdict(report: &PingReport, page: &mut Page<'_>) -> io::Result<()> {
    let (word, news) = in_words(report);
    page.wrapped(&format!("{word}: "), &news)?;
    report.outcome.invalid_reasons.iter().try_for_each(|reason| page.explained(reason, report))
}

/// Whether the numbers may be used and the limits held, in a word, and what they say.
pub(in crate::report) fn in_words(report: &PingReport) -> (&'static str, String) {
    let outcome = &report.outcome;
    let failed = report.limits.iter().filter(|limit| !limit.held).count();
    let mut news = Vec::new();
    if !outcome.valid {
        news.push("these numbers must not be used".to_owned());
    }
    if failed > 0 {
        news.push(format!("{failed} of {} failed", count(report.limits.len() as u64, "limit")));
    }
    let counts = &outcome.totals.counts;
    if !outcome.responders.is_empty() {
        let responders = count(outcome.responders.len() as u64, "responder");
        news.push(match counts.unanswered() {
            0 => format!("{responders}, all requests answered"),
            lost => {
                let share = outcome.totals.loss_ratio.map(percent).unwrap_or_default();
                let sent = grouped(counts.sent);
                format!("{responders}, {} of {sent} not answered ({share})", grouped(lost))
            }
        });
        let (rtt, half) = (&outcome.totals.times.rtt_ns, outcome.totals.times.half_rtt_ns);
        if rtt.percentiles.count > 0 {
            let [p50, p99, half] =
                [rtt.percentiles.p50, rtt.percentiles.p99, half.p50].map(or_lost);
            news.push(format!("RTT p50 {p50}, p99 {p99}; RTT/2 p50 {half}"));
        }
    }
    let word = match (outcome.valid, failed) {
        (false, _) => "INVALID",
        (true, 0) => "VALID",
        (true, _) => "FAILED",
    };
    (word, news.join("; "))
}

fn write_requests(outcome: &PingOutcome, page: &mut Page<'_>) -> io::Result<()> {
    let spec = &outcome.spec;
    let how = match spec.asking {
        Asking::Open { rate } => format!("open loop, {rate}"),
        Asking::Closed { .. } => "closed loop: each due when the one before was done with".into(),
    };
    let wait = if spec.manner.spin { "spinning" } else { "blocking" };
    let core = outcome.cpu.map_or("not pinned".into(), |cpu| format!("on core {cpu}"));
    page.section("Requests", &format!("{how}, {wait}, {core}"))?;
    page.number("sent", outcome.sent, &format!("{}/s", per_second(outcome.sent_pps)))?;
    page.number("refused", outcome.refused, noted(outcome.refused, "by this host's kernel"))?;
    let late = &outcome.lateness_ns;
    if late.percentiles.count == 0 {
        return Ok(());
    }
    let [p50, p99] = [late.percentiles.p50, late.percentiles.p99].map(or_lost);
    page.row(
        "lateness",
        &format!("p50 {p50}, p99 {p99}, max {}; part of the RTT", late.percentiles.max),
    )
}

fn write_replies(outcome: &PingOutcome, page: &mut Page<'_>) -> io::Result<()> {
    let counts = &outcome.totals.counts;
    let of = format!("of {} expected", grouped(counts.sent));
    page.section(
        "Replies",
        &format!("of {}", count(outcome.responders.len() as u64, "responder")),
    )?;
    page.number("in time", counts.answered, &of)?;
    let after = format!("came after the timeout of {}", outcome.spec.timeout_ns);
    page.number("late", counts.late, noted(counts.late, &after))?;
    page.number("lost", counts.lost, "")?;
    if counts.lost > 0 {
        page.number("  there", counts.lost_there, "requests that a responder did not get")?;
        page.number("  back", counts.lost_back, "replies to requests that it got")?;
        page.number("  unknown", counts.lost_unknown, "its last account does not reach so far")?;
    }
    let there = format!("{} by requests that came twice", grouped(counts.duplicates_there));
    page.number("duplicates", counts.duplicates, noted(counts.duplicates, &there))?;
    page.number("reordered", counts.reordered, "")?;
    let foreign = outcome.totals.foreign;
    page.number("foreign", foreign, noted(foreign, "to our port, and no answer to us"))
}

fn write_times(outcome: &PingOutcome, page: &mut Page<'_>) -> io::Result<()> {
    let times = &outcome.totals.times;
    let is_stamped = outcome.spec.manner.timestamps == TimestampKind::Kernel;
    page.section("RTT", "due to read, application to application")?;
    delay::table(&times.rtt_ns.percentiles, page)?;
    if times.rtt_ns.percentiles.count == 0 {
        return Ok(());
    }
    page.section("RTT/2", "and below it without the responder's own share, the turnaround")?;
    page.columns(&["min", "p50", "p90", "p99", "p99.9", "max"].map(String::from))?;
    page.columns(&halves(&times.half_rtt_ns))?;
    page.columns(&halves(&times.half_path_ns))?;
    let short = |of: &crate::model::delay::Distribution| {
        let [p50, p99] = [of.percentiles.p50, of.percentiles.p99].map(or_lost);
        format!("p50 {p50}, p99 {p99}, max {}", of.percentiles.max)
    };
    if is_stamped {
        page.row(
            "kernel RTT",
            &format!("{}; due to the kernel's receive time", short(&times.kernel_rtt_ns)),
        )?;
    }
    page.row(
        "turnaround",
        &format!("{}; it got the request to its reply", short(&times.turnaround_ns)),
    )?;
    if let (Some(there), Some(back)) = (&times.forward_ns, &times.return_ns) {
        page.row("way there", &format!("{}; {}", short(&there.distribution), there.clock))?;
        page.row("way back", &short(&back.distribution))?;
    }
    Ok(())
}

fn halves(of: &Half) -> [String; 6] {
    let [p50, p90, p99, p99_9] = [of.p50, of.p90, of.p99, of.p99_9].map(or_lost);
    [of.min.to_string(), p50, p90, p99, p99_9, of.max.to_string()]
}

fn write_responders(rows: &[ResponderReport], page: &mut Page<'_>) -> io::Result<()> {
    page.section("Responders", &rows.len().to_string())?;
    for row in rows {
        page.row(&row.responder, &describe(row))?;
    }
    let header = ["", "sent", "received", "lost there", "back", "unknown", "duplicates", "late"];
    let cells = rows.iter().map(|row| {
        let counts = &row.counts;
        let numbers = [
            counts.sent,
            counts.received,
            counts.lost_there,
            counts.lost_back,
            counts.lost_unknown,
            counts.duplicates,
            counts.late,
        ];
        [row.responder.clone()].into_iter().chain(numbers.map(grouped)).collect()
    });
    table::write(&header, 1, &cells.collect::<Vec<_>>(), page)?;
    let header = ["RTT", "min", "p50", "p90", "p99", "p99.9", "max"];
    let cells = rows.iter().map(|row| {
        let rtt = &row.times.rtt_ns;
        let times =
            [rtt.percentiles.p50, rtt.percentiles.p90, rtt.percentiles.p99, rtt.percentiles.p99_9]
                .map(or_lost);
        let ends = [rtt.percentiles.min, rtt.percentiles.max]
            .map(|time| or_none(Some(time), rtt.percentiles.count));
        let [min, max] = ends;
        [row.responder.clone(), min].into_iter().chain(times).chain([max]).collect()
    });
    table::write(&header, 1, &cells.collect::<Vec<_>>(), page)?;
    let header = ["p50 of", "RTT/2", "less its own share", "its own share", "kernel RTT"];
    let cells = rows.iter().map(|row| {
        let RoundTrips { half_rtt_ns, half_path_ns, turnaround_ns: own, kernel_rtt_ns, .. } =
            &row.times;
        let halves = [half_rtt_ns.p50, half_path_ns.p50].map(or_lost);
        let own = or_none(own.percentiles.p50, own.percentiles.count);
        [row.responder.clone()]
            .into_iter()
            .chain(halves)
            .chain([own, or_lost(kernel_rtt_ns.percentiles.p50)])
            .collect()
    });
    table::write(&header, 1, &cells.collect::<Vec<_>>(), page)
}

fn describe(row: &ResponderReport) -> String {
    let clock = match row.clock {
        ClockRelation::SameHost => "on this host",
        ClockRelation::Disciplined => "clock kept by a time service",
        ClockRelation::Apart | ClockRelation::Unknown => "clock does not compare",
    };
    let came = match row.first_seq {
        0 => String::new(),
        first => format!("came in at request {}", grouped(first)),
    };
    let silent = if row.silent { "silent at the end" } else { "" };
    joined([row.source.clone(), clock.to_owned(), came, silent.to_owned()])
}

fn or_none(time: Option<Nanos>, count: u64) -> String {
    time.filter(|_| count > 0).map_or("-".into(), |time| time.to_string())
}

fn write_origin(report: &PingReport, page: &mut Page<'_>) -> io::Result<()> {
    let outcome = &report.outcome;
    page.section("Measured", &measured(report))?;
    page.row("command", &report.command)?;
    page.row("load", &load(outcome))?;
    origin::write_machine(&report.environment, Some(&outcome.receive_buffer), page)
}

/// When, for how long and by what.
pub(in crate::report) fn measured(report: &PingReport) -> String {
    let PingOutcome { duration_ns, started_at, .. } = &report.outcome;
    format!("{duration_ns} from {started_at}, mcast-bench {}", report.version)
}

/// What was asked, and where replies came to.
pub(in crate::report) fn load(outcome: &PingOutcome) -> String {
    let spec = &outcome.spec;
    let (bytes, ttl) = (count(spec.payload_len.into(), "byte"), spec.manner.ttl);
    let (group, port) = (spec.group, outcome.reply_port);
    format!("{group}, {bytes} of UDP payload, TTL {ttl}; replies to port {port}")
}

impl Explained<PingReport> for PingInvalid {
    fn sentence(&self) -> String {
        match self {
            Self::RateMissed { intended, sent } => {
                format!("only {} of {} were sent", grouped(*sent), count(*intended, "request"))
            }
            Self::SocketDropped { replies } => {
                format!("this host's own socket dropped {}", count(*replies, "reply datagram"))
            }
            Self::Failed { cause } => format!("the socket failed: {cause}"),
            Self::NobodyAnswered => "no responder answered".into(),
        }
    }

    fn advice(&self, report: &PingReport) -> String {
        let outcome = &report.outcome;
        match self {
            Self::RateMissed { .. } if outcome.refused > 0 => {
                "the kernel refused requests: is the interface up, is there a route?".into()
            }
            Self::RateMissed { .. } => "ask for a lower --rate, or use --closed".into(),
            Self::SocketDropped { .. } => {
                "ask for a lower --rate, or raise net.core.rmem_max and --rcvbuf".into()
            }
            Self::Failed { .. } => "has the interface gone? `ip link` lists those there are".into(),
            Self::NobodyAnswered => format!(
                "start `mcast-bench echo -g {}` on a host that should answer, with the --iface that leads here; \
                 then check the TTL, firewalls (UDP to port {} comes back) and IGMP snooping",
                outcome.spec.group, outcome.reply_port
            ),
        }
    }
}
