//! The percentiles that every report shows, of an interval or of a whole trial, without the histogram.

use crate::model::delay::Distribution;
use crate::stats::coarse::CoarseHistogram;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use serde::Serialize;

/// Delays of many datagrams, as in the report.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) count: u64,
    pub(super) min: Nanos,
    pub(super) mean: f64,
    pub(super) p50: Option<Nanos>,
    pub(super) p90: Option<Nanos>,
    pub(super) p99: Option<Nanos>,
    pub(super) p99_9: Option<Nanos>,
    pub(super) p99_99: Option<Nanos>,
    pub(super) max: Nanos,
    pub(super) clamped: u64,
}

impl Percentiles {
    /// Of an interval, in which so many were `lost`. Below zero, some came that had been lost before: nothing was.
    pub(super) fn of(latency: &Latency, lost: i64) -> Self {
        let lost = lost.try_into().unwrap_or(0);
        let at = |percent| latency.percentile_with_losses(percent, lost)?.finite();
        Self {
            count: latency.count(),
            min: latency.min.unwrap_or_default(),
            mean: latency.histogram.mean(),
            p50: at(50_000),
            p90: at(90_000),
            p99: at(99_000),
            p99_9: at(99_900),
            p99_99: at(99_990),
            max: latency.max,
            clamped: latency.clamped,
        }
    }
}

impl From<&Distribution> for Percentiles {
    fn from(of: &Distribution) -> Self {
        Self {
            count: of.count,
            min: of.min,
            mean: of.mean,
            p50: of.p50,
            p90: of.p90,
            p99: of.p99,
            p99_9: of.p99_9,
            p99_99: of.p99_99,
            max: of.max,
            clamped: of.clamped,
        }
    }
}

/// Values of a histogram of few digits, as in the report.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Quantiles {
    pub(super) count: u64,
    pub(super) p50: Option<u64>,
    pub(super) p99: Option<u64>,
    pub(super) max: Option<u64>,
}

impl From<&CoarseHistogram> for Quantiles {
    fn from(of: &CoarseHistogram) -> Self {
        let known = |value: u64| (!of.is_empty()).then_some(value);
        Self {
            count: of.len(),
            p50: known(of.value_at_quantile(0.5)),
            p99: known(of.value_at_quantile(0.99)),
            max: known(of.max()),
        }
    }
}
