//! Flags become a trial. Every default and every refusal of a bad combination is here.

pub(super) mod roundtrip;

use super::args::{EngineArgs, GroupArgs, LoadArgs, RecvArgs, RunArgs, SendArgs, StopArgs};
use crate::engine::{self, ENGINES, Engine};
use crate::error::{Error, Result};
use crate::model::environment::Interface;
use crate::model::group::{GroupSpec, Membership, expand_all};
use crate::model::limit::{Limit, Quantity};
use crate::model::spec::{Load, Role, StopWhen, Timestamps, TrialSpec};
use crate::net::interface;
use crate::sys::{clock, sched};
use crate::units::Nanos;
use crate::units::duration::format_duration;
use crate::units::rate::Rate;
use crate::wire::probe;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{SystemTime, UNIX_EPOCH};

const DEFAULT_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 255, 77, 77));
const DEFAULT_TIME: Nanos = Nanos(10 * Nanos::SECOND.0);
const RUN_RATE: Rate = Rate::MilliDatagrams(100_000_000);
const SEND_RATE: Rate = Rate::MilliDatagrams(1_000_000);

/// Shorter ones would measure their own cost; an idle receiver looks at the clock every 20 ms.
const SHORTEST_INTERVAL: Nanos = Nanos(10 * Nanos::MILLISECOND.0);
const DAY: Nanos = Nanos(86_400 * Nanos::SECOND.0);

/// Longest UDP payload over IPv4: 65,535 less 20 bytes of IP header and 8 of UDP header (RFC 768, 791).
const MAX_PAYLOAD: u64 = 65_507;

/// Streams are numbered in 16 bits.
const MAX_STREAMS: usize = 1 << 16;

/// A trial, and the interface it will use.
pub(super) type Meant = (TrialSpec, Interface);

/// What `run` means.
pub(super) fn of_run(args: &RunArgs) -> Result<Meant> {
    let groups = groups(&args.groups)?;
    let threads = usize::from(args.engine.threads);
    check_sources(&groups)?;
    check_streams(&groups, threads)?;
    let engine = engine(&args.engine, Role::Run)?;
    let interface = interface(&args.groups, engine)?;
    let spec = TrialSpec {
        role: Role::Run,
        interface: interface.index,
        load: Some(load(&args.load, RUN_RATE)?),
        stop: stop(&args.stop, true)?,
        ttl: args.sending.ttl,
        loopback: args.sending.loopback,
        dscp: args.sending.dscp,
        sender_threads: threads,
        receiver_threads: threads.min(groups.len()),
        groups,
        cpus: cpus(&args.engine)?,
        engine: engine.name().to_owned(),
        batch: args.engine.batch.into(),
        receive_buffer: receive_buffer(args.receiving.rcvbuf.0)?,
        timestamps: own_timestamps(args.receiving.timestamps)?,
        interval_ns: interval(args.output.interval)?,
        loss_threshold_ns: bounded("--loss-threshold", args.receiving.loss_threshold, Nanos(0))?,
        idle_timeout_ns: bounded(
            "--idle-timeout",
            args.receiving.idle_timeout,
            Nanos::MILLISECOND,
        )?,
        loss_distance: args.receiving.loss_distance,
        reorder_density: args.receiving.reorder_density,
        media_rate_bps: media_rate(args.receiving.media_rate)?,
        variation: args.receiving.variation,
        start_at_ns: start_at(args.start.start_at)?,
    };
    if !spec.loopback && engine.has_network() {
        return Err(Error::usage("`run` cannot hear itself with --loop off")
            .hint("leave --loop on, or use `send` here and `recv` on another host"));
    }
    Ok((spec, interface))
}

/// What `send` means.
pub(super) fn of_send(args: &SendArgs) -> Result<Meant> {
    let groups = groups(&args.groups)?;
    let threads = usize::from(args.engine.threads);
    check_sources(&groups)?;
    check_streams(&groups, threads)?;
    check_limits(&args.output.limits, Role::Send)?;
    let engine = engine(&args.engine, Role::Send)?;
    let interface = interface(&args.groups, engine)?;
    let spec = TrialSpec {
        role: Role::Send,
        groups,
        interface: interface.index,
        load: Some(load(&args.load, SEND_RATE)?),
        stop: stop(&args.stop, true)?,
        ttl: args.sending.ttl,
        loopback: args.sending.loopback,
        dscp: args.sending.dscp,
        sender_threads: threads,
        receiver_threads: 0,
        cpus: cpus(&args.engine)?,
        engine: engine.name().to_owned(),
        batch: args.engine.batch.into(),
        receive_buffer: 0,
        timestamps: Timestamps::Kernel,
        interval_ns: interval(args.output.interval)?,
        loss_threshold_ns: Nanos(0),
        idle_timeout_ns: Nanos(0),
        loss_distance: 0,
        reorder_density: None,
        media_rate_bps: None,
        variation: false,
        start_at_ns: start_at(args.start.start_at)?,
    };
    Ok((spec, interface))
}

/// What `recv` means.
pub(super) fn of_recv(args: &RecvArgs) -> Result<Meant> {
    let groups = groups(&args.groups)?;
    let threads = usize::from(args.engine.threads);
    if threads > groups.len() {
        let groups = groups.len();
        let s = if groups == 1 { "" } else { "s" };
        return Err(Error::usage(format!("{threads} receiver threads for {groups} group{s}"))
            .hint("the kernel gives every socket every datagram of its groups, so each thread needs groups of its own"));
    }
    check_limits(&args.output.limits, Role::Recv)?;
    let engine = engine(&args.engine, Role::Recv)?;
    let interface = interface(&args.groups, engine)?;
    let spec = TrialSpec {
        role: Role::Recv,
        groups,
        interface: interface.index,
        load: None,
        stop: stop(&args.stop, false)?,
        ttl: 0,
        loopback: true,
        dscp: 0,
        sender_threads: 0,
        receiver_threads: threads,
        cpus: cpus(&args.engine)?,
        engine: engine.name().to_owned(),
        batch: args.engine.batch.into(),
        receive_buffer: receive_buffer(args.receiving.rcvbuf.0)?,
        timestamps: args.receiving.timestamps,
        interval_ns: interval(args.output.interval)?,
        loss_threshold_ns: bounded("--loss-threshold", args.receiving.loss_threshold, Nanos(0))?,
        idle_timeout_ns: bounded(
            "--idle-timeout",
            args.receiving.idle_timeout,
            Nanos::MILLISECOND,
        )?,
        loss_distance: args.receiving.loss_distance,
        reorder_density: args.receiving.reorder_density,
        media_rate_bps: media_rate(args.receiving.media_rate)?,
        variation: args.receiving.variation,
        start_at_ns: None,
    };
    Ok((spec, interface))
}

fn groups(args: &GroupArgs) -> Result<Vec<Membership>> {
    let default = [GroupSpec { source: None, first: DEFAULT_GROUP, count: 1, port: None }];
    let specs = if args.groups.is_empty() { &default } else { args.groups.as_slice() };
    let groups = expand_all(specs, args.port).map_err(Error::usage)?;
    let is_v6 = |group: &Membership| group.group.is_ipv6();
    if groups.iter().any(is_v6) && !groups.iter().all(is_v6) {
        return Err(Error::usage("IPv4 and IPv6 groups in one trial")
            .hint("start one for each, their results can be told apart"));
    }
    Ok(groups)
}

/// All groups leave through one socket a thread, which has one source address.
fn check_sources(groups: &[Membership]) -> Result<()> {
    match groups.iter().find(|group| group.source != groups[0].source) {
        None => Ok(()),
        Some(other) => Err(Error::usage(format!(
            "{} and {other} cannot be sent to by one sender: their source addresses differ",
            groups[0]
        ))
        .hint("start one `send` for each source")),
    }
}

fn check_streams(groups: &[Membership], threads: usize) -> Result<()> {
    let streams = groups.len() * threads;
    if streams <= MAX_STREAMS {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{} groups from {threads} threads are {streams} streams, and one sender can number {MAX_STREAMS}",
        groups.len()
    )))
}

/// What is never measured never holds: better said before the trial than after it.
fn check_limits(limits: &[Limit], role: Role) -> Result<()> {
    let (verb, other) = if role == Role::Send { ("send", "recv") } else { ("recv", "send") };
    let is_measured = |limit: &&Limit| match limit.quantity {
        Quantity::Offered | Quantity::Refused | Quantity::LatenessPercentile(_) => {
            role != Role::Recv
        }
        _ => role != Role::Send,
    };
    match limits.iter().find(|limit| !is_measured(limit)) {
        None => Ok(()),
        Some(limit) => Err(Error::usage(format!(
            "`{verb}` cannot hold to --fail-if '{limit}': it does not measure {}",
            limit.quantity
        ))
        .hint(format!("give it to `{other}`, or to `run`"))),
    }
}

/// Nameless, with index 0, for an engine that needs none.
fn interface(args: &GroupArgs, engine: &dyn Engine) -> Result<Interface> {
    match &args.iface {
        _ if !engine.has_network() => Ok(Interface::default()),
        Some(text) => interface::resolve(text),
        None => interface::loopback(),
    }
}

fn load(args: &LoadArgs, default_rate: Rate) -> Result<Load> {
    let size = args.size.0;
    if !(probe::MIN_LEN as u64..=MAX_PAYLOAD).contains(&size) {
        return Err(Error::usage(format!("a datagram cannot carry {size} bytes"))
            .hint(format!("--size is from {} to {MAX_PAYLOAD}", probe::MIN_LEN)));
    }
    let burst_len = u32::try_from(args.burst).ok().filter(|len| (1..=1_000_000).contains(len));
    let Some(burst_len) = burst_len else {
        return Err(Error::usage(format!("a burst of {} datagrams", args.burst))
            .hint("--burst is from 1 to 1,000,000"));
    };
    let rate = args.rate.unwrap_or(default_rate);
    if rate == Rate::Max && burst_len > 1 {
        return Err(Error::usage("--rate max leaves no pause between bursts")
            .hint("give a rate, or no --burst"));
    }
    Ok(Load {
        rate,
        payload_len: size as u16,
        burst_len,
        payload_checksum: args.checksum,
        pace: args.pace,
        catch_up: args.catch_up,
    })
}

/// `is_sender`: one that is told nothing ends after a while; a receiver ends with its senders.
fn stop(args: &StopArgs, is_sender: bool) -> Result<StopWhen> {
    if args.count == Some(0) {
        return Err(
            Error::usage("--count 0 is no datagram at all").hint("leave it out for no limit")
        );
    }
    let time_ns = match args.time {
        Some(Nanos(0)) => None,
        Some(time) => Some(time),
        None if is_sender && args.count.is_none() => Some(DEFAULT_TIME),
        None => None,
    };
    let with_senders = !is_sender && args.time.is_none();
    Ok(StopWhen { time_ns, count: args.count, with_senders })
}

fn interval(length: Nanos) -> Result<Nanos> {
    if length == Nanos(0) {
        return Ok(length);
    }
    bounded("--interval", length, SHORTEST_INTERVAL)
}

/// `flag` is a time from `least` to a day. Longer ones are slips of the pen, and sums of them would overflow.
fn bounded(flag: &str, time: Nanos, least: Nanos) -> Result<Nanos> {
    if (least..=DAY).contains(&time) {
        return Ok(time);
    }
    Err(Error::usage(format!("{flag} {} cannot be", format_duration(time)))
        .hint(format!("{flag} is from {} to 24h", format_duration(least))))
}

fn receive_buffer(bytes: u64) -> Result<usize> {
    // The kernel doubles it within a signed 32-bit number.
    let largest = i32::MAX as u64 / 2;
    usize::try_from(bytes).ok().filter(|_| (1..=largest).contains(&bytes)).ok_or_else(|| {
        Error::usage(format!("a receive buffer of {bytes} bytes"))
            .hint(format!("--rcvbuf is from 1 to {largest}"))
    })
}

/// Copies for the sending host itself loop back in the kernel (dev_loopback_xmit, net/core/dev.c).
fn own_timestamps(wish: Timestamps) -> Result<Timestamps> {
    match wish {
        Timestamps::Auto | Timestamps::Kernel => Ok(Timestamps::Kernel),
        Timestamps::Hardware => Err(Error::environment(
            "`run` has no hardware timestamps: it hears itself through the kernel, not through a network card",
        )
        .hint("use `send` on another host and `recv --timestamps hardware` here")),
    }
}

fn media_rate(rate: Option<Rate>) -> Result<Option<u64>> {
    match rate {
        None => Ok(None),
        Some(Rate::PayloadBits(bits)) => Ok(Some(bits)),
        Some(other) => Err(Error::usage(format!("{other} is no rate of media"))
            .hint("--media-rate is in bits of UDP payload a second, such as 3.75Mbps")),
    }
}

fn cpus(args: &EngineArgs) -> Result<Vec<usize>> {
    let Some(list) = &args.cpu else { return Ok(Vec::new()) };
    check_cpus(&list.0)?;
    Ok(list.0.clone())
}

fn check_cpus(cpus: &[usize]) -> Result<()> {
    let allowed = sched::allowed_cpus().unwrap_or_default();
    if let Some(cpu) = cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        let allowed: Vec<_> = allowed.iter().map(usize::to_string).collect();
        return Err(Error::environment(format!("core {cpu} is not there for this process"))
            .hint(format!("it may run on {}", allowed.join(","))));
    }
    Ok(())
}

fn engine(args: &EngineArgs, role: Role) -> Result<&'static dyn Engine> {
    let Some(engine) = engine::by_name(&args.engine) else {
        let names: Vec<_> = ENGINES.iter().map(|engine| engine.name()).collect();
        return Err(Error::usage(format!("there is no engine `{}`", args.engine))
            .hint(format!("these are: {}", names.join(", "))));
    };
    if role != Role::Run && !engine.has_network() {
        return Err(Error::usage(format!("engine `{}` reaches no other process", engine.name()))
            .hint("use it with `run`"));
    }
    Ok(engine)
}

fn start_at(time: Option<SystemTime>) -> Result<Option<Nanos>> {
    let Some(time) = time else { return Ok(None) };
    let since_epoch = time.duration_since(UNIX_EPOCH).map(Nanos::from).unwrap_or_default();
    if since_epoch <= clock::realtime() {
        let time = humantime::format_rfc3339_seconds(time);
        return Err(Error::environment(format!("--start-at {time} has passed"))
            .hint("give the launcher more time, or look at the clock of this host"));
    }
    Ok(Some(since_epoch))
}
