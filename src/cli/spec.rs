//! Flags become a trial. Every default and every refusal of a bad combination is here.

pub(super) mod doctor;
pub(super) mod dump;
mod flows;
pub(super) mod join;
pub(super) mod network;
pub(super) mod roundtrip;
mod watching;

use super::args::{EngineArgs, ReceivingArgs, RecvArgs, RunArgs, SendArgs, SendingArgs, StopArgs};
use super::engine::{Choice, choose};
use super::load_args::{LoadArgs, Shape, SizeList};
use super::network_args::{ListenArgs, SourceArgs};
use super::output_args::StartArgs;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::environment::Interface;
use crate::model::limit::{Limit, Quantity};
use crate::model::spec::{Load, Role, StopWhen, Timestamps, Timing, TrialSpec};
use crate::sys::{clock, sched};
use crate::units::Nanos;
use crate::units::duration::format_duration;
use crate::units::rate::Rate;
use crate::units::size::Bytes;
use crate::units::size_mix::{SizeMix, SizeShare};
use crate::wire::probe;
use flows::Offer;
use network::{check_families, interface, interfaces, timestamps};
use std::hash::{BuildHasher, RandomState};
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

/// A trial, and the interface it will use.
pub(super) type Meant = (TrialSpec, Interface);

/// What `run` means.
pub(super) fn of_run(args: &RunArgs) -> Result<Meant> {
    watching::check(&args.output, 1)?;
    check_limits(&args.output.limits, Role::Run)?;
    let stop = stop(&args.stop, time_of(&args.load))?;
    let offer = Offer::of(&args.offer(stop, RUN_RATE))?;
    let choice = choose(&args.engine.engine, Role::Run, &offer.loads())?;
    let engine = choice.engine;
    let Offer { flows, groups, load, threads } = offer;
    check_families(&groups, engine)?;
    let interface = interface(&args.groups, engine)?;
    let spec = empty(Role::Run, &interface, choice, &args.engine, args.output.interval)?;
    let spec = receiving(spec, &args.receiving, &args.listening)?;
    let spec = TrialSpec {
        load: Some(load),
        flows,
        stop,
        sender_threads: threads,
        receiver_threads: threads.min(groups.len()),
        groups,
        timestamps: own_timestamps(args.receiving.timestamps)?,
        ..sending(spec, &args.sending, &args.source, &args.start)?
    };
    if !spec.loopback && engine.has_network() {
        return Err(Error::usage("`run` cannot hear itself with --loop off")
            .hint("leave --loop on, or use `send` here and `recv` on another host"));
    }
    Ok((spec, interface))
}

/// What `send` means.
pub(super) fn of_send(args: &SendArgs) -> Result<Meant> {
    watching::check(&args.output, 1)?;
    check_limits(&args.output.limits, Role::Send)?;
    let stop = stop(&args.stop, time_of(&args.load))?;
    let offer = Offer::of(&args.offer(stop, SEND_RATE))?;
    let choice = choose(&args.engine.engine, Role::Send, &offer.loads())?;
    let Offer { flows, groups, load, threads } = offer;
    check_families(&groups, choice.engine)?;
    let interface = interface(&args.groups, choice.engine)?;
    let spec = empty(Role::Send, &interface, choice, &args.engine, args.output.interval)?;
    let spec = TrialSpec {
        groups,
        load: Some(load),
        flows,
        stop,
        sender_threads: threads,
        ..sending(spec, &args.sending, &args.source, &args.start)?
    };
    Ok((spec, interface))
}

/// What `recv` means.
pub(super) fn of_recv(args: &RecvArgs) -> Result<Meant> {
    watching::check(&args.output, args.many.receivers)?;
    watching::check_state(args)?;
    let groups = flows::joined(&args.groups, &args.scenario.flows)?;
    let threads = usize::from(args.engine.threads);
    if threads > groups.len() {
        let groups = groups.len();
        let s = if groups == 1 { "" } else { "s" };
        return Err(Error::usage(format!("{threads} receiver threads for {groups} group{s}"))
            .hint("the kernel gives every socket every datagram of its groups, so each thread needs groups of its own"));
    }
    check_limits(&args.output.limits, Role::Recv)?;
    let choice = choose(&args.engine.engine, Role::Recv, &[])?;
    check_families(&groups, choice.engine)?;
    let (interface, further_interfaces) = interfaces(&args.groups)?;
    if args.many.receivers > 1 && !further_interfaces.is_empty() {
        return Err(Error::usage("--receivers on several interfaces")
            .hint("start one `recv --receivers` for each interface"));
    }
    let spec = empty(Role::Recv, &interface, choice, &args.engine, args.output.interval)?;
    let spec = TrialSpec {
        groups,
        timestamps: timestamps(args.receiving.timestamps, &further_interfaces)?,
        receiver_threads: threads * (1 + further_interfaces.len()),
        further_interfaces,
        stop: StopWhen { with_senders: args.stop.time.is_none(), ..stop(&args.stop, None)? },
        ..receiving(spec, &args.receiving, &args.listening)?
    };
    Ok((spec, interface))
}

/// A trial on an engine, in which nobody sends or receives.
fn empty(
    role: Role,
    interface: &Interface,
    choice: Choice,
    args: &EngineArgs,
    interval_len: Nanos,
) -> Result<TrialSpec> {
    Ok(TrialSpec {
        role,
        groups: Vec::new(),
        interface: interface.index,
        further_interfaces: Vec::new(),
        bind: None,
        source_port: None,
        load: None,
        flows: Vec::new(),
        stop: StopWhen { time_ns: None, count: None, with_senders: false },
        ttl: 0,
        loopback: true,
        dscp: 0,
        sender_threads: 0,
        receiver_threads: 0,
        cpus: cpus(args)?,
        engine: choice.engine.name().to_owned(),
        engine_reason: choice.reason,
        batch: batch(args, choice.engine),
        receive_buffer: 0,
        timestamps: Timestamps::Kernel,
        interval_ns: interval(interval_len)?,
        loss_threshold_ns: Nanos(0),
        idle_timeout_ns: Nanos(0),
        loss_distance: 0,
        reorder_density: None,
        media_rate_bps: None,
        variation: false,
        spin: false,
        busy_poll_us: None,
        realtime: args.realtime,
        lock_memory: args.lock_memory,
        start_at_ns: None,
    })
}

/// The same with how datagrams leave.
fn sending(
    spec: TrialSpec,
    args: &SendingArgs,
    source: &SourceArgs,
    start: &StartArgs,
) -> Result<TrialSpec> {
    Ok(TrialSpec {
        source_port: source.source_port,
        ttl: args.ttl,
        loopback: args.loopback,
        dscp: args.dscp,
        start_at_ns: start_at(start.start_at)?,
        ..spec
    })
}

/// The same with how they are received, and what is found out about them; whose timestamps those are is not said yet.
fn receiving(spec: TrialSpec, args: &ReceivingArgs, listening: &ListenArgs) -> Result<TrialSpec> {
    Ok(TrialSpec {
        bind: Some(listening.bind),
        receive_buffer: receive_buffer(args.rcvbuf.0)?,
        loss_threshold_ns: bounded("--loss-threshold", args.loss_threshold, Nanos(0))?,
        idle_timeout_ns: bounded("--idle-timeout", args.idle_timeout, Nanos::MILLISECOND)?,
        loss_distance: args.loss_distance,
        reorder_density: args.reorder_density,
        media_rate_bps: media_rate(args.media_rate)?,
        variation: args.variation,
        spin: args.spin,
        busy_poll_us: busy_poll(args.busy_poll)?,
        ..spec
    })
}

/// Whether this side of a trial measures what the limit looks at.
pub(super) fn measures(role: Role, limit: &Limit) -> bool {
    match limit.quantity {
        Quantity::Offered | Quantity::Refused | Quantity::LatenessPercentile(_) => {
            role != Role::Recv
        }
        Quantity::LeavePercentile(_) => false,
        _ => role != Role::Send,
    }
}

/// What is never measured never holds: better said before the trial than after it.
fn check_limits(limits: &[Limit], role: Role) -> Result<()> {
    let Some(limit) = limits.iter().find(|limit| !measures(role, limit)) else { return Ok(()) };
    let verb = match role {
        Role::Run => "run",
        Role::Send => "send",
        Role::Recv => "recv",
    };
    let hint = match (limit.quantity, role) {
        (Quantity::LeavePercentile(_), _) => "give it to `join`",
        (_, Role::Send) => "give it to `recv`, or to `run`",
        _ => "give it to `send`, or to `run`",
    };
    let quantity = limit.quantity;
    let what =
        format!("`{verb}` cannot hold to --fail-if '{limit}': it does not measure {quantity}");
    Err(Error::usage(what).hint(hint))
}

fn load(args: &LoadArgs, asked: &StopArgs, stop: StopWhen, default_rate: Rate) -> Result<Load> {
    let burst_len = u32::try_from(args.burst).ok().filter(|len| (1..=1_000_000).contains(len));
    let Some(burst_len) = burst_len else {
        return Err(Error::usage(format!("a burst of {} datagrams", args.burst))
            .hint("--burst is from 1 to 1,000,000"));
    };
    let schedule = timing(args, asked, stop)?;
    let says_rate = matches!(schedule, Timing::Ramp { .. } | Timing::Replay { .. });
    let rate = (!says_rate).then(|| args.rate.unwrap_or(default_rate));
    if rate == Some(Rate::Max) && burst_len > 1 {
        return Err(Error::usage("--rate max leaves no pause between bursts")
            .hint("give a rate, or no --burst"));
    }
    if rate == Some(Rate::Max) && schedule != Timing::Constant {
        return Err(Error::usage(format!(
            "--rate max leaves nothing to --schedule {}",
            schedule.kind()
        ))
        .hint("give a rate, or no --schedule"));
    }
    let in_bursts = matches!(schedule, Timing::Constant | Timing::OnOff { .. });
    if burst_len > 1 && !in_bursts {
        return Err(Error::usage(format!(
            "--burst does not go with --schedule {}",
            schedule.kind()
        ))
        .hint("it goes with constant and on-off"));
    }
    let is_replay = matches!(schedule, Timing::Replay { .. });
    let sizes = if is_replay { SizeMix::default() } else { sizes(&args.size)? };
    Ok(Load {
        rate,
        schedule,
        sizes,
        burst_len,
        payload_checksum: args.checksum,
        pace: args.pace,
        catch_up: args.catch_up,
    })
}

fn sizes(list: &SizeList) -> Result<SizeMix> {
    let share = |&(size, weight): &(Bytes, u64)| {
        if !(probe::MIN_LEN as u64..=MAX_PAYLOAD).contains(&size.0) {
            return Err(Error::usage(format!("a datagram cannot carry {} bytes", size.0))
                .hint(format!("--size is from {} to {MAX_PAYLOAD}", probe::MIN_LEN)));
        }
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        Ok(SizeShare { payload_len: size.0 as u16, weight })
    };
    let shares = list.0.iter().map(share).collect::<Result<_>>()?;
    SizeMix::new(shares).map_err(|reason| {
        Error::usage(format!("a size mix that cannot be: {reason}"))
            .hint("mixes look like --size 64:7,594:4,1518:1")
    })
}

/// What is random is drawn here, so that the report can say it.
fn timing(args: &LoadArgs, asked: &StopArgs, stop: StopWhen) -> Result<Timing> {
    if let Some(file) = &args.replay {
        return Ok(Timing::Replay {
            file: file.display().to_string(),
            speed: args.replay_speed,
            repeats: asked.time.is_some() || asked.count.is_some(),
        });
    }
    match args.schedule {
        Shape::Constant => Ok(Timing::Constant),
        Shape::Poisson { seed } => {
            let draw = || RandomState::new().hash_one(clock::realtime()) as u32;
            Ok(Timing::Poisson { seed: seed.unwrap_or_else(draw) })
        }
        Shape::OnOff { on, off } => Ok(Timing::OnOff {
            on_ns: bounded("the time on of --schedule on-off", on, Nanos(1))?,
            off_ns: bounded("the time off of --schedule on-off", off, Nanos(1))?,
        }),
        Shape::Ramp { from, to } => {
            let in_datagrams = |rate| matches!(rate, Rate::MilliDatagrams(_));
            if from == Rate::Max || to == Rate::Max || in_datagrams(from) != in_datagrams(to) {
                return Err(Error::usage(format!("there is no way from {from} to {to}"))
                    .hint("a ramp goes between two rates of one unit: ramp:10k..200k"));
            }
            if args.rate.is_some() {
                return Err(Error::usage("--schedule ramp says the rate, and --rate does too")
                    .hint("leave out --rate"));
            }
            let Some(over) = stop.time_ns else {
                return Err(Error::usage("a ramp without an end").hint("give a --time"));
            };
            Ok(Timing::Ramp { from, to, over_ns: bounded("the --time of a ramp", over, Nanos(1))? })
        }
    }
}

/// How long a sender sends that is told nothing; a replay ends by itself.
fn time_of(load: &LoadArgs) -> Option<Nanos> {
    load.replay.is_none().then_some(DEFAULT_TIME)
}

fn stop(args: &StopArgs, default_time: Option<Nanos>) -> Result<StopWhen> {
    if args.count == Some(0) {
        return Err(
            Error::usage("--count 0 is no datagram at all").hint("leave it out for no limit")
        );
    }
    let time_ns = match args.time {
        Some(Nanos(0)) => None,
        Some(time) => Some(time),
        None if args.count.is_none() => default_time,
        None => None,
    };
    Ok(StopWhen { time_ns, count: args.count, with_senders: false })
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

/// A train takes little more time than a datagram, so trains have room for several.
fn batch(args: &EngineArgs, engine: &dyn Engine) -> usize {
    args.batch.map_or(if engine.sends_trains() { 512 } else { 64 }, usize::from)
}

fn busy_poll(time: Option<Nanos>) -> Result<Option<u32>> {
    let Some(time) = time else { return Ok(None) };
    let micros = u32::try_from(time.0 / 1000).ok().filter(|micros| (1..=10_000).contains(micros));
    micros.map(Some).ok_or_else(|| {
        Error::usage(format!("--busy-poll {} cannot be", format_duration(time)))
            .hint("--busy-poll is from 1us to 10ms")
    })
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
