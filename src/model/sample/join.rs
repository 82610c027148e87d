//! Joins with one of everything that can happen.

use super::parts;
use crate::model::delay::Distribution;
use crate::model::event::{Event, Happening};
use crate::model::group::Membership;
use crate::model::join::*;
use crate::model::report::BufferGrant;
use crate::model::spec::StopWhen;
use crate::stats::latency::Latency;
use crate::units::Nanos;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;

fn delays(count: u64, from: u64, never: u64) -> Distribution {
    let mut latency = Latency::new();
    (0..count).for_each(|n| latency.record(Nanos(0), Nanos(from + n * MICROSECOND)));
    Distribution::with_losses(&latency.read(), never)
}

fn group(last: u8) -> Membership {
    Membership { source: None, group: [233, 252, 0, last].into(), port: 5000 }
}

fn spec(groups: Vec<Membership>, order: Order) -> JoinSpec {
    JoinSpec {
        groups,
        interface: 2,
        order,
        stop: StopWhen { time_ns: None, count: Some(10), with_senders: false },
        hold_ns: Nanos(100 * MILLISECOND),
        churn_ns: None,
        timeout_ns: Nanos(5_000 * MILLISECOND),
        quiet_ns: Nanos(200 * MILLISECOND),
        leave_timeout_ns: Nanos(4_000 * MILLISECOND),
        receive_buffer: 8 << 20,
        interval_ns: Nanos::SECOND,
    }
}

fn row(last: u8) -> GroupRow {
    let seen = InterfaceCounts {
        kept_back: 1,
        join_reports: 9,
        already_flowing: 2,
        leaves: 8,
        leave_reports: 8,
        ended: 7,
        not_ended: 1,
    };
    let counts = JoinCounts {
        joins: 10,
        answered: 8,
        unanswered: 2,
        received: 123_456,
        foreign: 3,
        missed_joined: 4,
        missed_away: 56_789,
        interface: Some(seen),
    };
    GroupRow {
        group: group(last).to_string(),
        counts,
        min_ns: Some(Nanos(12_003 * MICROSECOND)),
        max_ns: Some(Nanos(12_010 * MICROSECOND)),
        longest_gap_ns: Some(Nanos(1_250 * MICROSECOND)),
    }
}

fn outcome(groups: Vec<GroupRow>, spec: JoinSpec) -> JoinOutcome {
    let mut totals = JoinCounts::default();
    groups.iter().for_each(|row| totals.add(&row.counts));
    JoinOutcome {
        spec,
        started_at: "2026-01-31T12:00:00.000Z".into(),
        duration_ns: Nanos(28_000 * MILLISECOND),
        interrupted: false,
        valid: true,
        invalid_reasons: Vec::new(),
        events: Vec::new(),
        rounds: 10,
        watched: true,
        receive_buffer: BufferGrant { asked: 8 << 20, granted: 16 << 20, forced: false },
        socket_drops: 0,
        watch_drops: 7,
        join: JoinDelays {
            to_socket_ns: delays(totals.answered, 12_003 * MICROSECOND, totals.unanswered),
            call_ns: delays(totals.joins, 4 * MICROSECOND, 0),
            to_report_ns: Some(delays(9, 11_500 * MICROSECOND, 0)),
            from_report_ns: Some(delays(6, 480 * MICROSECOND, 1)),
        },
        leave: Some(LeaveDelays {
            to_last_ns: delays(7, 2_010 * MILLISECOND, 1),
            call_ns: delays(8, 5 * MICROSECOND, 0),
            to_report_ns: delays(8, 9_000 * MICROSECOND, 0),
            from_report_ns: delays(7, 2_001 * MILLISECOND, 1),
        }),
        zap: None,
        all_ns: None,
        totals,
        groups,
    }
}

fn report(command: &str, outcome: JoinOutcome) -> JoinReport {
    JoinReport {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        command: command.to_owned(),
        environment: parts::environment(),
        outcome,
        limits: Vec::new(),
    }
}

/// The same, which was to hold two limits and held one.
pub(crate) fn limited() -> JoinReport {
    let mut report = watched();
    let limits = ["loss>50%", "leave-max>1ns"].map(|limit| limit.parse().expect("it is one"));
    report.limits = limits.iter().map(|limit| evaluate(limit, &report.outcome)).collect();
    report
}

/// A single group behind a switch.
pub(crate) fn watched() -> JoinReport {
    let spec = spec(vec![group(1)], Order::AtOnce);
    report("mcast-bench join -I eth1 -g 233.252.0.1:5000", outcome(vec![row(1)], spec))
}

/// Through two groups.
pub(crate) fn zapped() -> JoinReport {
    let spec = spec(vec![group(1), group(2)], Order::Zap);
    let mut outcome = outcome(vec![row(1), row(2)], spec);
    outcome.zap = Some(ZapDelays {
        gap_ns: delays(7, 13 * MILLISECOND, 2),
        overlap_ns: Some(delays(6, 1_990 * MILLISECOND, 1)),
    });
    report("mcast-bench join -I eth1 -g 233.252.0.1+1:5000 --zap", outcome)
}

/// Two groups at once, of which neither came, and nobody watched.
pub(crate) fn nothing() -> JoinReport {
    let mut rows = vec![row(1), row(2)];
    for row in &mut rows {
        row.counts = JoinCounts { joins: 3, unanswered: 3, ..JoinCounts::default() };
        (row.min_ns, row.max_ns, row.longest_gap_ns) = (None, None, None);
    }
    let mut outcome = outcome(rows, spec(vec![group(1), group(2)], Order::AtOnce));
    let reason = "no packet socket: Operation not permitted, it wants CAP_NET_RAW".into();
    outcome.events = [
        Happening::Degraded {
            asked: "watching the interface".into(),
            instead: "the sockets alone, without reports, leave delays and overlaps".into(),
            reason,
        },
        Happening::Interrupted,
    ]
    .map(|what| Event { at_ns: Nanos(0), what })
    .into();
    outcome.invalid_reasons = vec![
        JoinInvalid::Failed { cause: "cannot leave 233.252.0.2:5000".into() },
        JoinInvalid::NothingCame,
    ];
    (outcome.valid, outcome.watched, outcome.interrupted) = (false, false, true);
    (outcome.watch_drops, outcome.leave) = (0, None);
    (outcome.join.to_report_ns, outcome.join.from_report_ns) = (None, None);
    outcome.all_ns = Some(delays(0, 0, 3));
    report("mcast-bench join -I eth1 -g 233.252.0.1+1:5000", outcome)
}
