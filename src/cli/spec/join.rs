//! Flags of `join` become what they mean.

use super::network::{groups_of_one_family, only_interface};
use super::{bounded, interval, receive_buffer};
use crate::cli::args::StopArgs;
use crate::cli::join_args::JoinArgs;
use crate::error::{Error, Result};
use crate::model::environment::Interface;
use crate::model::group::Membership;
use crate::model::join::{JoinSpec, Order};
use crate::model::limit::{Limit, Quantity};
use crate::model::spec::StopWhen;
use crate::net::interface;
use crate::units::Nanos;
use crate::units::duration::format_duration;
use crate::units::rate::Rate;
use std::collections::HashSet;

/// Enough for a median.
const ROUNDS: u64 = 10;
const HOLD: Nanos = Nanos(100 * Nanos::MILLISECOND.0);
/// Longer than the gaps of all but the slowest senders.
const QUIET: Nanos = Nanos(200 * Nanos::MILLISECOND.0);
/// In thousandths a second. A join and a leave take some microseconds; more rounds would only time these calls.
const MOST_ROUNDS: u64 = 10_000_000;

/// What `join` means.
pub(in crate::cli) fn of_join(args: &JoinArgs) -> Result<(JoinSpec, Interface)> {
    check_limits(&args.limits.limits)?;
    let groups = groups_of_one_family(&args.groups)?;
    check_groups(&groups)?;
    let joining = &args.joining;
    let order = if joining.zap { Order::Zap } else { Order::AtOnce };
    if order == Order::Zap && groups.len() < 2 {
        return Err(Error::usage("--zap through one group").hint("name more groups with -g"));
    }
    let round = joining.churn.map(round).transpose()?;
    let default_hold = round.map_or(HOLD, |round| Nanos(round.0 / 2));
    let default_quiet = round.map_or(QUIET, |round| Nanos(round.0 / 4));
    let hold_ns = match joining.hold {
        Some(_) if round.is_some() && order == Order::Zap => {
            return Err(Error::usage("--hold with --churn and --zap")
                .hint("the next group is joined when this one is left: leave out --hold"));
        }
        Some(hold) => bounded("--hold", hold, Nanos(0))?,
        None => default_hold,
    };
    if let Some(round) = round.filter(|round| hold_ns >= *round) {
        let [hold, round] = [hold_ns, round].map(format_duration);
        return Err(Error::usage(format!("--hold {hold} in rounds of {round}"))
            .hint("--hold is shorter than a round of --churn"));
    }
    let interface =
        only_interface(&args.groups)?.map_or_else(interface::loopback, interface::resolve)?;
    let quiet = joining.quiet_time.unwrap_or(default_quiet);
    let spec = JoinSpec {
        groups,
        interface: interface.index,
        order,
        stop: stop(&args.stop)?,
        hold_ns,
        churn_ns: round,
        timeout_ns: bounded("--timeout", joining.timeout, Nanos::MILLISECOND)?,
        quiet_ns: bounded("--quiet-time", quiet, Nanos(1000))?,
        leave_timeout_ns: bounded("--leave-timeout", joining.leave_timeout, Nanos::MILLISECOND)?,
        receive_buffer: receive_buffer(joining.rcvbuf.0)?,
        interval_ns: interval(args.output.interval)?,
    };
    Ok((spec, interface))
}

/// A host reports a group once, whatever its ports and sources here.
fn check_groups(groups: &[Membership]) -> Result<()> {
    let mut seen = HashSet::new();
    match groups.iter().find(|one| !seen.insert(one.group)) {
        None => Ok(()),
        Some(again) => Err(Error::usage(format!("{} is named twice", again.group))
            .hint("a host reports a group once: name it with one port and one source")),
    }
}

/// How long a round takes.
fn round(rate: Rate) -> Result<Nanos> {
    let wrong = |what: String| Error::usage(what).hint("--churn is rounds a second: `200/s`");
    match rate {
        Rate::MilliDatagrams(milli @ 1..=MOST_ROUNDS) => Ok(Nanos(1000 * Nanos::SECOND.0 / milli)),
        Rate::MilliDatagrams(_) => Err(wrong("more than 10k rounds a second".into())),
        _ => Err(wrong(format!("--churn {rate} is no number of rounds a second"))),
    }
}

fn stop(args: &StopArgs) -> Result<StopWhen> {
    if args.count == Some(0) {
        return Err(Error::usage("--count 0 is no round at all").hint("leave it out for no limit"));
    }
    let time_ns = match args.time {
        Some(Nanos(0)) | None => None,
        Some(time) => Some(bounded("--time", time, Nanos(1))?),
    };
    let count = args.count.or_else(|| args.time.is_none().then_some(ROUNDS));
    Ok(StopWhen { time_ns, count, with_senders: false })
}

fn check_limits(limits: &[Limit]) -> Result<()> {
    use Quantity::{DelayPercentile, LeavePercentile, Loss};
    let is_measured = |quantity| matches!(quantity, Loss | DelayPercentile(_) | LeavePercentile(_));
    match limits.iter().find(|limit| !is_measured(limit.quantity)) {
        None => Ok(()),
        Some(limit) => Err(Error::usage(format!(
            "`join` cannot hold to --fail-if '{limit}': it does not measure {}",
            limit.quantity
        ))
        .hint("it measures loss, p99 and the like, and leave-p99 and the like")),
    }
}
