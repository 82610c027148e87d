//! What was found, as a report.

use super::asker::{Asked, State};
use super::books::Row;
use super::responder::Answered;
use crate::model::delay::Distribution;
use crate::model::echo::{EchoCounts, EchoOutcome, EchoSpec, EchoTotals};
use crate::model::event::Happening;
use crate::model::metrics::ClockRelation;
use crate::model::ping::{
    PingCounts, PingInvalid, PingOutcome, PingSpec, PingTotals, ResponderReport,
};
use crate::model::roundtrip::{RoundTrips, Times};
use crate::sys::clock::ClockPair;
use crate::units::Nanos;
use std::time::{Duration, UNIX_EPOCH};

/// Of the requests that were due, so many thousandths must have left.
const SENT_PER_MILLE: u64 = 990;

/// What is known from before the first request.
pub(super) struct Begun {
    pub(super) session: u32,
    pub(super) reply_port: u16,
    pub(super) clocks: ClockPair,
    pub(super) cpu: Option<usize>,
    pub(super) drops_before: u64,
}

pub(super) fn of_ping(spec: &PingSpec, begun: Begun, asked: Asked) -> PingOutcome {
    let Asked { books, state, events, duration, port, failed } = asked;
    let socket_drops = port.drops().saturating_sub(begun.drops_before);
    let responders: Vec<_> = books.rows().iter().map(|row| responder(row, state.sent)).collect();
    let totals = totals(books.rows(), &state);
    let invalid_reasons = invalid(&state, socket_drops, failed, &totals.counts);
    PingOutcome {
        spec: spec.clone(),
        started_at: at(begun.clocks.realtime_at(state.start)),
        duration_ns: duration,
        interrupted: events.iter().any(|event| event.what == Happening::Interrupted),
        valid: invalid_reasons.is_empty(),
        invalid_reasons,
        session: format!("{:06x}", begun.session),
        reply_port: begun.reply_port,
        intended: state.intended,
        sent: state.sent,
        refused: state.refused,
        sent_pps: per_second(state.sent, duration),
        lateness_ns: Distribution::of(&state.lateness.read()),
        receive_buffer: port.grant,
        socket_drops,
        cpu: begun.cpu,
        responders,
        totals,
        events,
    }
}

fn responder(row: &Row, sent: u64) -> ResponderReport {
    let counts = row.counts(sent);
    ResponderReport {
        responder: format!("{:08x}", row.responder),
        source: row.source.to_string(),
        first_seq: row.first(sent),
        silent: row.silent,
        clock: row.relation,
        clock_error_ns: row.clock_error,
        counts,
        loss_ratio: counts.loss_ratio(),
        times: RoundTrips::of(&row.times, counts.unanswered(), clock([row].into_iter())),
    }
}

fn totals(rows: &[Row], state: &State) -> PingTotals {
    let mut counts = PingCounts::default();
    let mut times = Times::default();
    for row in rows {
        counts.add(&row.counts(state.sent));
        times.add(&row.times);
    }
    PingTotals {
        counts,
        loss_ratio: counts.loss_ratio(),
        foreign: state.foreign,
        times: RoundTrips::of(&times, counts.unanswered(), clock(rows.iter())),
    }
}

/// What one-way delays are taken between; `None` where some of the clocks do not compare.
fn clock<'a>(mut rows: impl Iterator<Item = &'a Row> + Clone) -> Option<String> {
    let worst = rows.clone().map(|row| row.relation).max()?;
    match worst {
        ClockRelation::SameHost => Some("one host, CLOCK_REALTIME".into()),
        ClockRelation::Disciplined => {
            let error = rows.try_fold(Nanos(0), |most, row| Some(most.max(row.clock_error?)))?;
            Some(format!("two clocks kept by a time service, wrong by at most {error} together"))
        }
        ClockRelation::Apart | ClockRelation::Unknown => None,
    }
}

fn invalid(
    state: &State,
    socket_drops: u64,
    failed: Option<String>,
    counts: &PingCounts,
) -> Vec<PingInvalid> {
    let mut reasons = Vec::new();
    let (intended, sent) = (state.intended, state.sent);
    if sent * 1000 < intended * SENT_PER_MILLE {
        reasons.push(PingInvalid::RateMissed { intended, sent });
    }
    if socket_drops > 0 {
        reasons.push(PingInvalid::SocketDropped { replies: socket_drops });
    }
    reasons.extend(failed.map(|cause| PingInvalid::Failed { cause }));
    if counts.answered + counts.late == 0 {
        reasons.push(PingInvalid::NobodyAnswered);
    }
    reasons
}

pub(super) fn of_echo(
    spec: &EchoSpec,
    identity: u32,
    clocks: ClockPair,
    cpu: Option<usize>,
    answered: Answered,
) -> EchoOutcome {
    let mut counts = EchoCounts::default();
    answered.askers.iter().for_each(|asker| counts.add(&asker.counts));
    EchoOutcome {
        spec: spec.clone(),
        started_at: at(clocks.realtime),
        duration_ns: answered.duration,
        interrupted: answered.events.iter().any(|event| event.what == Happening::Interrupted),
        events: answered.events,
        responder: format!("{identity:08x}"),
        receive_buffer: answered.grant,
        socket_drops: answered.socket_drops,
        cpu,
        failed: answered.failed,
        askers: answered.askers,
        totals: EchoTotals { counts, foreign: answered.foreign },
    }
}

fn at(wall: Nanos) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from(wall)).to_string()
}

fn per_second(count: u64, length: Nanos) -> f64 {
    if length == Nanos(0) { 0.0 } else { count as f64 / length.as_secs_f64() }
}
