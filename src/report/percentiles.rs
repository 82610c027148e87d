//! The percentiles that every report shows, of an interval or of a whole trial, without the histogram.

use crate::model::report::Distribution;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use serde::Serialize;

/// Delays of many datagrams, as in the report; all zero when there are none.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) count: u64,
    pub(super) min: Nanos,
    pub(super) mean: f64,
    pub(super) p50: Nanos,
    pub(super) p90: Nanos,
    pub(super) p99: Nanos,
    pub(super) p99_9: Nanos,
    pub(super) p99_99: Nanos,
    pub(super) max: Nanos,
    pub(super) clamped: u64,
}

impl From<&Latency> for Percentiles {
    fn from(latency: &Latency) -> Self {
        Self {
            count: latency.count(),
            min: latency.min.unwrap_or_default(),
            mean: latency.histogram.mean(),
            p50: latency.percentile(50.0),
            p90: latency.percentile(90.0),
            p99: latency.percentile(99.0),
            p99_9: latency.percentile(99.9),
            p99_99: latency.percentile(99.99),
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
