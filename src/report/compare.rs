//! What got better and what worse between two sets of runs, beyond their spread.

use super::load::{self, Saved};
use crate::error::{Error, Result};
use crate::model::compared::*;
use crate::model::delay::OneWayDelay;
use crate::model::report::RunReport;
use crate::model::spec::Load;
use crate::model::verdict::lost_of_comparable;
use crate::stats::percentile::{Percentile, median, percentile_with_losses};
use crate::units::size::Bytes;
use crate::units::text::payload_lens;

/// What is compared of a run, and which way is better.
struct Quantity {
    name: &'static str,
    unit: Unit,
    more_is_better: bool,
}

const QUANTITIES: [Quantity; 8] = [
    Quantity { name: "offered load", unit: Unit::Pps, more_is_better: true },
    Quantity { name: "loss ratio", unit: Unit::Ratio, more_is_better: false },
    Quantity { name: "reordered ratio", unit: Unit::Ratio, more_is_better: false },
    Quantity { name: "delay p50", unit: Unit::Ns, more_is_better: false },
    Quantity { name: "delay p99", unit: Unit::Ns, more_is_better: false },
    Quantity { name: "delay p99.9", unit: Unit::Ns, more_is_better: false },
    Quantity { name: "delay max", unit: Unit::Ns, more_is_better: false },
    Quantity { name: "lateness p99", unit: Unit::Ns, more_is_better: false },
];

/// Percentiles of the delay that are compared, in thousandths of a per cent.
const PERCENTILES: [u32; 3] = [50_000, 99_000, 99_900];

/// Three digits is what a histogram tells; a smaller difference is none.
const RESOLUTION: f64 = 0.001;

/// What is kept of a run.
#[derive(Clone)]
pub struct Run {
    /// In the order of [`QUANTITIES`]; what was lost is infinitely late.
    values: [Option<f64>; QUANTITIES.len()],
    circumstances: Vec<(&'static str, String)>,
    valid: bool,
}

impl Run {
    /// What there is to compare in a result.
    ///
    /// # Errors
    /// Says which file has a damaged histogram.
    pub fn of(saved: &Saved) -> Result<Self> {
        let trial = &saved.report.trial;
        let sender = trial.sender.as_ref();
        let totals = trial.totals.as_ref();
        let lost = lost_of_comparable(trial);
        let delay = trial.one_way_delay_ns.as_ref();
        let [p50, p99, p99_9] = match delay {
            Some(delay) => percentiles(&saved.file, delay, lost)?,
            None => [None; 3],
        };
        let late =
            sender.map(|sender| &sender.lateness_ns).filter(|late| late.percentiles.count > 0);
        let delay = delay.filter(|delay| delay.distribution.percentiles.count > 0);
        Ok(Self {
            values: [
                sender.map(|sender| sender.offered_load_pps).filter(|rate| *rate > 0.0),
                totals.and_then(|totals| totals.loss_ratio),
                totals
                    .filter(|totals| totals.counts.unique > 0)
                    .map(|totals| totals.counts.reordered as f64 / totals.counts.unique as f64),
                p50,
                p99,
                p99_9,
                // Of the received ones: with any loss, that of all is infinite and says nothing.
                delay.map(|delay| delay.distribution.percentiles.max.0 as f64),
                late.and_then(|late| Some(late.percentiles.p99?.0 as f64)),
            ],
            circumstances: circumstances(&saved.report),
            valid: trial.valid,
        })
    }
}

/// Compares what was before with what is now. `tolerance` is the ratio that counts as a difference where one side
/// has only one run, which has no spread.
///
/// # Errors
/// When a side has no runs.
pub fn compare(
    (path_a, a): (String, &[Run]),
    (path_b, b): (String, &[Run]),
    tolerance: f64,
    command: String,
) -> Result<Comparison> {
    let a_set = run_set(path_a, a)?;
    let b_set = run_set(path_b, b)?;
    let lines: Vec<_> = (0..QUANTITIES.len()).map(|index| line(index, a, b, tolerance)).collect();
    let more_invalid = b_set.invalid * a_set.runs > a_set.invalid * b_set.runs;
    Ok(Comparison {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        worse: more_invalid || lines.iter().any(|line| line.verdict == Change::Worse),
        a: a_set,
        b: b_set,
        tolerance,
        differences: differences(a, b),
        lines,
    })
}

fn run_set(path: String, runs: &[Run]) -> Result<RunSet> {
    if runs.is_empty() {
        return Err(Error::environment(format!("{path} holds no run")));
    }
    let invalid = runs.iter().filter(|run| !run.valid).count();
    Ok(RunSet { path, runs: runs.len(), invalid })
}

fn line(index: usize, a: &[Run], b: &[Run], tolerance: f64) -> ComparedLine {
    let Quantity { name, unit, more_is_better } = QUANTITIES[index];
    let sorted = |runs: &[Run]| {
        let mut values: Vec<_> = runs.iter().filter_map(|run| run.values[index]).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(a), sorted(b));
    let change = change(&a, &b, tolerance);
    let better = if more_is_better { 1 } else { -1 };
    let medians = median(&a).zip(median(&b));
    let ratio = medians.filter(|(a, b)| *a != 0.0 && a.is_finite() && b.is_finite());
    ComparedLine {
        quantity: name.to_owned(),
        unit,
        a: spread(&a),
        b: spread(&b),
        ratio: ratio.map(|(a, b)| b / a),
        verdict: match change {
            None => Change::CannotTell,
            Some(0) => Change::Same,
            Some(sign) if sign == better => Change::Better,
            Some(_) => Change::Worse,
        },
    }
}

/// 1 when all of `b` is above all of `a`, -1 when it is below, 0 when they overlap or hardly differ; `None` when
/// that cannot be told. Both are sorted.
fn change(a: &[f64], b: &[f64], tolerance: f64) -> Option<i8> {
    let (before, now) = median(a).zip(median(b))?;
    if before.is_infinite() && now.is_infinite() {
        return None;
    }
    let single = a.len() == 1 || b.len() == 1;
    let smallest = if single { tolerance.max(RESOLUTION) } else { RESOLUTION };
    let ((a_min, a_max), (b_min, b_max)) = (ends(a)?, ends(b)?);
    let differs =
        now.is_infinite() || before.is_infinite() || (now - before).abs() > smallest * before.abs();
    Some(match differs {
        true if b_min > a_max => 1,
        true if b_max < a_min => -1,
        _ => 0,
    })
}

fn ends(sorted: &[f64]) -> Option<(f64, f64)> {
    Some((*sorted.first()?, *sorted.last()?))
}

fn spread(sorted: &[f64]) -> Option<Spread> {
    let (min, max) = ends(sorted)?;
    let median = median(sorted)?.into();
    Some(Spread { runs: sorted.len(), median, min: min.into(), max: max.into() })
}

fn percentiles(file: &str, delay: &OneWayDelay, lost: u64) -> Result<[Option<f64>; 3]> {
    let histogram = load::histogram(file, &delay.distribution)?;
    if histogram.is_empty() {
        return Ok([None; 3]);
    }
    Ok(PERCENTILES.map(|percent| {
        match percentile_with_losses(&histogram, delay.distribution.percentiles.max, lost, percent)?
        {
            Percentile::Finite(delay) => Some(delay.0 as f64),
            Percentile::Infinite => Some(f64::INFINITY),
        }
    }))
}

/// What may be the reason for a difference.
fn circumstances(report: &RunReport) -> Vec<(&'static str, String)> {
    let (spec, environment) = (&report.trial.spec, &report.environment);
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".into());
    let load = |of: &dyn Fn(&Load) -> String| match &spec.offered()[..] {
        [] => "none".to_owned(),
        flows => flows.iter().map(|flow| of(&flow.load)).collect::<Vec<_>>().join(" + "),
    };
    let buffer = report.trial.receiver.as_ref().map(|receiver| receiver.receive_buffer.granted);
    vec![
        ("verb", format!("{:?}", spec.role).to_lowercase()),
        ("rate", load(&|load| load.rate.map_or("none".into(), |rate| rate.to_string()))),
        ("schedule", load(&|load| load.schedule.to_string())),
        ("size", load(&|load| payload_lens(&load.sizes))),
        ("burst", load(&|load| load.burst_len.to_string())),
        ("groups", spec.groups.len().to_string()),
        ("senders", spec.sender_threads.to_string()),
        ("receivers", spec.receiver_threads.to_string()),
        ("engine", spec.engine.clone()),
        ("batch", spec.batch.to_string()),
        ("buffer", buffer.map_or("none".into(), |granted| Bytes(granted as u64).to_string())),
        ("host", known(&environment.host)),
        ("kernel", known(&environment.kernel)),
        ("CPU", known(&environment.cpu)),
        ("governor", known(&environment.governor)),
        ("interface", environment.interface.name.clone()),
        ("version", report.version.clone()),
    ]
}

/// The circumstances that are not the same in all runs.
fn differences(a: &[Run], b: &[Run]) -> Vec<Difference> {
    let values = |runs: &[Run], index: usize| {
        let mut values: Vec<_> =
            runs.iter().map(|run| run.circumstances[index].1.clone()).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let names = a.first().into_iter().flat_map(|run| &run.circumstances).map(|(name, _)| *name);
    names
        .enumerate()
        .map(|(index, name)| Difference {
            what: name.to_owned(),
            a: values(a, index),
            b: values(b, index),
        })
        .filter(|difference| difference.a != difference.b || difference.a.len() > 1)
        .collect()
}

#[cfg(test)]
mod tests;
