//! The outcome of a run.

use super::Run;
use crate::error::Error;
use crate::model::event::Happening;
use crate::model::join::{JoinCounts, JoinInvalid, JoinOutcome, Order};
use crate::sys::clock;
use std::time::{Duration, UNIX_EPOCH};

/// What came of it, and what ended it early.
pub(super) fn of(mut run: Run<'_, '_>, failure: Option<Error>) -> JoinOutcome {
    let duration_ns = clock::monotonic() - run.started;
    if let Some(by_ns) = run.clocks.step() {
        run.note(Happening::ClockStepped { by_ns });
    }
    let is_watched = run.watch.is_some();
    let mut totals = JoinCounts::default();
    let groups: Vec<_> = run.channels.iter().map(|channel| channel.row(is_watched)).collect();
    groups.iter().for_each(|row| totals.add(&row.counts));
    let is_zap = run.spec.order == Order::Zap;
    let mut invalid_reasons = Vec::new();
    if let Some(error) = failure {
        invalid_reasons.push(JoinInvalid::Failed { cause: error.to_string().replace('\n', "; ") });
    }
    if totals.answered == 0 && totals.joins > 0 {
        invalid_reasons.push(JoinInvalid::NothingCame);
    }
    let started = UNIX_EPOCH + Duration::from(run.clocks.realtime);
    JoinOutcome {
        spec: run.spec.clone(),
        started_at: humantime::format_rfc3339_millis(started).to_string(),
        duration_ns,
        interrupted: run.interrupted,
        valid: invalid_reasons.is_empty(),
        invalid_reasons,
        rounds: run.rounds,
        watched: is_watched,
        receive_buffer: run.ears.grant,
        socket_drops: run.ears.drops(),
        watch_drops: run.watch.as_mut().map_or(0, |watch| watch.drops()),
        join: run.tally.join(totals.unanswered, is_watched),
        leave: is_watched.then(|| run.tally.leave()),
        zap: is_zap.then(|| run.tally.zap(is_watched)),
        all_ns: (!is_zap && groups.len() > 1).then(|| run.tally.all()),
        totals,
        groups,
        events: run.events,
    }
}
