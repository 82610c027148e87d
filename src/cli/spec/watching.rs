//! What is refused of flags for those who watch: the live view, and Prometheus.

use super::super::args::RecvArgs;
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

/// What is kept for the next receiver is that of one, and written now and then.
pub(in super::super) fn check_state(args: &RecvArgs) -> Result<()> {
    if args.state.state.is_none() {
        return Ok(());
    }
    if args.many.receivers > 1 {
        return Err(Error::usage("--state is of one receiver, and --receivers asks for several")
            .hint("start one program for each"));
    }
    needs_intervals("--state", args.output.interval)
}

/// Who watches is told intervals.
pub(super) fn needs_intervals(flag: &str, interval: Nanos) -> Result<()> {
    match interval {
        Nanos(0) => Err(Error::usage(format!("{flag} has nothing to tell without intervals"))
            .hint("--interval says how often they are renewed; --quiet prints no lines")),
        _ => Ok(()),
    }
}
