//! Whether a trial held a limit.

use super::delay::Distribution;
use super::limit::{Bound, Fails, Limit, LimitResult, Quantity};
use super::report::TrialReport;
use crate::stats::percentile::{Percentile, percentile_with_losses};
use crate::units::Nanos;

/// What was measured, in the unit of the limit.
pub(super) enum Measured {
    /// This.
    Finite(Bound),
    /// Lost datagrams reach into the percentile: their delay is infinite (RFC 7679 section 5.1).
    Infinite,
}

/// Judges `report` by `limit`.
///
/// What was not measured (no such side in this process, or nothing sent or heard) does not hold. Where datagrams were
/// lost, a percentile of the delay is taken over received and lost ones, the lost ones being infinitely late.
pub fn evaluate(limit: &Limit, report: &TrialReport) -> LimitResult {
    judge(limit, measure(limit, report))
}

/// Judges what was measured; `None` does not hold.
pub(super) fn judge(limit: &Limit, measured: Option<Measured>) -> LimitResult {
    let held = match (&measured, limit.fails) {
        (None, _) | (Some(Measured::Infinite), Fails::Above) => false,
        (Some(Measured::Infinite), Fails::Below) => true,
        (Some(Measured::Finite(value)), Fails::Above) => *value <= limit.bound,
        (Some(Measured::Finite(value)), Fails::Below) => *value >= limit.bound,
    };
    let measured = measured.map(|measured| match measured {
        Measured::Finite(value) => value.to_string(),
        Measured::Infinite => "infinite (lost)".into(),
    });
    LimitResult { limit: *limit, measured, held }
}

fn measure(limit: &Limit, report: &TrialReport) -> Option<Measured> {
    let value = match limit.bound {
        Bound::Count(_) => Bound::Count(counted(limit.quantity, report)?.0),
        Bound::Ratio(_) => Bound::Ratio(counted(limit.quantity, report)?.1?),
        Bound::Time(_) => return delay(limit.quantity, report),
    };
    Some(Measured::Finite(value))
}

/// So many datagrams, and their share; `None` when there were none to count.
fn counted(quantity: Quantity, report: &TrialReport) -> Option<(u64, Option<f64>)> {
    let heard = || report.totals.as_ref().filter(|totals| totals.counts.received + totals.lost > 0);
    let tried = || report.sender.as_ref().map(|sender| &sender.counts).filter(|tx| tx.intended > 0);
    let (part, whole) = match quantity {
        Quantity::Loss => return heard().map(|totals| (totals.lost, totals.loss_ratio)),
        Quantity::Duplicates => {
            heard().map(|totals| (totals.counts.duplicates, totals.counts.unique))
        }
        Quantity::Reordered => {
            heard().map(|totals| (totals.counts.reordered, totals.counts.unique))
        }
        Quantity::Corrupt => heard().map(|totals| (totals.counts.corrupt, totals.counts.received)),
        Quantity::Offered => tried().map(|tx| (tx.offered, tx.intended)),
        Quantity::Refused => tried().map(|tx| (tx.refused_total(), tx.intended)),
        Quantity::DelayPercentile(_)
        | Quantity::LatenessPercentile(_)
        | Quantity::LeavePercentile(_) => None,
    }?;
    Some((part, (whole > 0).then(|| part as f64 / whole as f64)))
}

fn delay(quantity: Quantity, report: &TrialReport) -> Option<Measured> {
    match quantity {
        Quantity::DelayPercentile(percentile) => {
            let delays = &report.one_way_delay_ns.as_ref()?.distribution;
            percentile_with_lost(delays, lost_of_comparable(report), percentile)
        }
        Quantity::LatenessPercentile(percentile) => {
            percentile_with_lost(&report.sender.as_ref()?.lateness_ns, 0, percentile)
        }
        _ => None,
    }
}

/// How late its senders were at the percentile of the delay that `limit` looks at, if that alone breaks it: as their
/// datagrams say, and so on any network.
pub fn broken_by_lateness(limit: &Limit, report: &TrialReport) -> Option<Nanos> {
    let Quantity::DelayPercentile(percentile) = limit.quantity else { return None };
    let measured = percentile_with_lost(report.sender_lateness_ns.as_ref()?, 0, percentile)?;
    let Measured::Finite(Bound::Time(late)) = measured else { return None };
    (!judge(limit, Some(measured)).held).then_some(late)
}

/// Lost of the streams that have an absolute delay: those of others make it no longer.
pub fn lost_of_comparable(report: &TrialReport) -> u64 {
    let others = report.streams.iter().filter(|stream| !stream.clock.relation.is_comparable());
    let others: u64 = others.map(|stream| stream.lost).sum();
    report.totals.as_ref().map_or(0, |totals| totals.lost.saturating_sub(others))
}

/// `percentile` of all datagrams, the `lost` ones standing above all others; `None` when none was received.
pub(super) fn percentile_with_lost(
    delays: &Distribution,
    lost: u64,
    percentile: u32,
) -> Option<Measured> {
    if delays.percentiles.count == 0 {
        return None;
    }
    let histogram = delays.histogram().ok()?;
    Some(match percentile_with_losses(&histogram, delays.percentiles.max, lost, percentile)? {
        Percentile::Finite(delay) => Measured::Finite(Bound::Time(delay)),
        Percentile::Infinite => Measured::Infinite,
    })
}

#[cfg(test)]
mod tests;
