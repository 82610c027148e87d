//! Flags of `ping` and `echo` become what they mean.

use super::network::{groups, only_interface};
use super::watching::needs_intervals;
use super::{DEFAULT_TIME, MAX_PAYLOAD, bounded, check_cpus, interval, receive_buffer};
use crate::cli::args::{GroupArgs, SendingArgs, StopArgs};
use crate::cli::ping_args::{EchoArgs, PingArgs, WaitingArgs};
use crate::error::{Error, Result};
use crate::model::echo::{EchoSpec, ReplyTo};
use crate::model::environment::Interface;
use crate::model::group::{Membership, is_source_specific_range};
use crate::model::limit::{Limit, Quantity};
use crate::model::ping::{Asking, PingSpec};
use crate::model::roundtrip::Manner;
use crate::model::spec::StopWhen;
use crate::net::interface;
use crate::units::Nanos;
use crate::units::rate::Rate;
use crate::wire::echo::ANSWER_LEN;

/// As `send`: gentle to a network, and enough for a p99.9 in ten seconds.
const RATE: Rate = Rate::MilliDatagrams(1_000_000);

/// What `ping` means.
pub(in crate::cli) fn of_ping(args: &PingArgs) -> Result<(PingSpec, Interface)> {
    if args.live.is_wanted() {
        needs_intervals("--live", args.output.interval)?;
    }
    let group = group(&args.groups)?;
    let size = args.asking.size.0;
    if !(ANSWER_LEN as u64..=MAX_PAYLOAD).contains(&size) {
        return Err(Error::usage(format!("a request cannot have {size} bytes"))
            .hint(format!("--size is from {ANSWER_LEN} to {MAX_PAYLOAD}")));
    }
    let asking = match (args.asking.closed, args.asking.rate.unwrap_or(RATE)) {
        (Some(answered_by), _) => Asking::Closed { answered_by },
        (None, Rate::Max) => {
            return Err(Error::usage("--rate max would only time our own queues")
                .hint("--closed asks as fast as answers come"));
        }
        (None, rate) => Asking::Open { rate },
    };
    check_limits(&args.limits.limits)?;
    args.waiting.cpu.map_or(Ok(()), |cpu| check_cpus(&[cpu]))?;
    let interface = network(&args.groups)?;
    let spec = PingSpec {
        group,
        interface: interface.index,
        asking,
        stop: stop(&args.stop, Some(DEFAULT_TIME))?,
        payload_len: size as u16,
        timeout_ns: bounded("--timeout", args.asking.timeout, Nanos::MILLISECOND)?,
        reply_port: args.asking.reply_port.unwrap_or(0),
        manner: manner(&args.sending, &args.waiting, args.output.interval)?,
    };
    Ok((spec, interface))
}

/// What `echo` means.
pub(in crate::cli) fn of_echo(args: &EchoArgs) -> Result<(EchoSpec, Interface)> {
    let group = group(&args.groups)?;
    let reply = args.answering.reply;
    let is_specific = group.source.is_some() || is_source_specific_range(group.group);
    if reply == ReplyTo::Group && is_specific {
        return Err(Error::usage(format!(
            "answers to the source-specific group {group} would have a source that nobody joins"
        ))
        .hint("give --reply unicast"));
    }
    args.waiting.cpu.map_or(Ok(()), |cpu| check_cpus(&[cpu]))?;
    let interface = network(&args.groups)?;
    let spec = EchoSpec {
        group,
        interface: interface.index,
        reply,
        stop: stop(&args.stop, None)?,
        manner: manner(&args.sending, &args.waiting, args.output.interval)?,
    };
    Ok((spec, interface))
}

fn manner(sending: &SendingArgs, waiting: &WaitingArgs, length: Nanos) -> Result<Manner> {
    Ok(Manner {
        ttl: sending.ttl,
        loopback: sending.loopback,
        dscp: sending.dscp,
        spin: waiting.spin,
        cpu: waiting.cpu,
        timestamps: waiting.timestamps,
        receive_buffer: receive_buffer(waiting.rcvbuf.0)?,
        interval_ns: interval(length)?,
    })
}

fn group(args: &GroupArgs) -> Result<Membership> {
    match groups(args)?[..] {
        [group] => Ok(group),
        ref more => Err(Error::usage(format!("{} groups for round trips", more.len()))
            .hint("give one; start one program for each group")),
    }
}

fn network(args: &GroupArgs) -> Result<Interface> {
    only_interface(args)?.map_or_else(interface::loopback, interface::resolve)
}

/// `otherwise`: how long it takes if nothing is said.
fn stop(args: &StopArgs, otherwise: Option<Nanos>) -> Result<StopWhen> {
    if args.count == Some(0) {
        return Err(
            Error::usage("--count 0 is no request at all").hint("leave it out for no limit")
        );
    }
    let time_ns = match args.time {
        Some(Nanos(0)) => None,
        Some(time) => Some(bounded("--time", time, Nanos(1))?),
        None if args.count.is_none() => otherwise,
        None => None,
    };
    Ok(StopWhen { time_ns, count: args.count, with_senders: false })
}

fn check_limits(limits: &[Limit]) -> Result<()> {
    let others = |quantity| match quantity {
        Quantity::Corrupt => Some("give it to `recv`, or to `run`"),
        Quantity::LeavePercentile(_) => Some("give it to `join`"),
        _ => None,
    };
    match limits.iter().find_map(|limit| Some((limit, others(limit.quantity)?))) {
        None => Ok(()),
        Some((limit, hint)) => Err(Error::usage(format!(
            "`ping` cannot hold to --fail-if '{limit}': it does not measure {}",
            limit.quantity
        ))
        .hint(hint)),
    }
}
