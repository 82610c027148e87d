//! What is refused of flags for those who watch: the live view, and Prometheus.

use super::super::metrics_args::MetricsArgs;
use super::super::output_args::OutputArgs;
use crate::error::{Error, Result};
use crate::units::Nanos;

/// `receivers` are those of `recv --receivers`.
pub(in super::super) fn check(output: &OutputArgs, receivers: u16) -> Result<()> {
    let MetricsArgs { metrics, metrics_linger } = output.metrics;
    if metrics.is_none() && metrics_linger > Nanos(0) {
        return Err(
            Error::usage("--metrics-linger has nothing to serve").hint("--metrics says where")
        );
    }
    let flag = match (metrics, output.live.is_wanted()) {
        (Some(_), _) => "--metrics",
        (None, true) => "--live",
        (None, false) => return Ok(()),
    };
    needs_intervals(flag, output.interval)?;
    if receivers > 1 {
        let many = format!("{flag} is of one receiver, and --receivers asks for several");
        return Err(Error::usage(many).hint("start one program for each"));
    }
    Ok(())
}

/// Who watches is told intervals.
pub(super) fn needs_intervals(flag: &str, interval: Nanos) -> Result<()> {
    match interval {
        Nanos(0) => Err(Error::usage(format!("{flag} has nothing to tell without intervals"))
            .hint("--interval says how often they are renewed; --quiet prints no lines")),
        _ => Ok(()),
    }
}
