//! What is refused of flags for Prometheus.

use super::super::args::OutputArgs;
use super::super::metrics_args::MetricsArgs;
use crate::error::{Error, Result};
use crate::units::Nanos;

/// `receivers` are those of `recv --receivers`.
pub(in super::super) fn check(output: &OutputArgs, receivers: u16) -> Result<()> {
    let MetricsArgs { metrics, metrics_linger } = output.metrics;
    if metrics.is_none() {
        return match metrics_linger {
            Nanos(0) => Ok(()),
            _ => {
                Err(Error::usage("--metrics-linger has nothing to serve")
                    .hint("--metrics says where"))
            }
        };
    }
    if output.interval == Nanos(0) {
        return Err(Error::usage("--metrics has nothing to tell without intervals")
            .hint("--interval says how often they are renewed; --quiet prints no lines"));
    }
    if receivers > 1 {
        return Err(Error::usage("--metrics is of one receiver, and --receivers asks for several")
            .hint("start one program for each, with a port of its own"));
    }
    Ok(())
}
