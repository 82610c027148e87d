//! Round trips over multicast: who asks and who answers, each one thread that sends and receives.
//!
//! A request goes to the group. Its answer goes to the same group, at the port that the request came from, or to the asker
//! alone; it carries the times at the responder and the responder's account of what has come, from which the asker tells
//! a request that was lost from a reply that was lost. A call, before the first request and after the last, asks who is
//! there and what has come.

mod asker;
pub mod books;
mod handover;
mod port;
mod responder;
pub mod sessions;
mod summary;

use crate::error::{Error, Result};
use crate::model::echo::{EchoInterval, EchoOutcome, EchoSpec};
use crate::model::event::Happening;
use crate::model::group::Membership;
use crate::model::outside::Outside;
use crate::model::ping::{Asking, PingInterval, PingOutcome, PingSpec};
use crate::model::report::TimestampKind;
use crate::model::roundtrip::Manner;
use crate::net::host;
use crate::net::socket::{Launch, SenderOptions};
use crate::net::timestamp::Timestamps;
use crate::stats::schedule::{Constant, Schedule, Turn};
use crate::sys::clock::{self, ClockPair};
use crate::sys::sched;
use crate::units::Nanos;
use crate::units::size_mix::SizeMix;
use crate::wire::probe::Encoder;
use asker::{Asker, State};
use books::Books;
use handover::{Handover, Interval, handover};
use port::{Port, PortOptions, scoped};
use responder::Responder;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::thread::Builder;

/// Asks, and returns what came of it.
///
/// # Errors
/// It could not start.
pub fn ping(spec: &PingSpec, outside: Outside<'_, PingInterval>) -> Result<PingOutcome> {
    let cpu = core(spec.manner.cpu, 1)?;
    let options = port_options(spec.group, spec.group.source, spec.interface, &spec.manner);
    let _stamps = options.stamped.then(Timestamps::warm_up).transpose()?;
    let port = Port::for_asker(&options, spec.reply_port)?;
    let (reply_port, drops_before) = (port.number(), port.drops());
    (outside.ready)()?;
    let session = random() & 0xff_ffff;
    let schedule = match spec.asking {
        Asking::Open { rate } => {
            rate.datagram_rate(&SizeMix::of_one(spec.payload_len)).map(|rate| {
                Box::new(Constant::new(rate, 1, Turn { index: 0, of: 1 })) as Box<dyn Schedule>
            })
        }
        Asking::Closed { .. } => None,
    };
    let clocks = ClockPair::read();
    let interrupt = outside.interrupt;
    let (asked, cpu) = beside(cpu, spec.manner.interval_ns, outside, |mut handover, is_pinned| {
        note_unpinned(&mut handover, cpu, is_pinned);
        let asker = Asker {
            spec,
            port,
            to: scoped(spec.group.destination(), spec.interface).into(),
            session,
            encoder: Encoder::new(session, 0, false),
            request: vec![0; usize::from(spec.payload_len)].into(),
            clocks,
            handover,
            interrupt,
            books: Books::new(host::own_clock(), spec.timeout_ns),
            state: State::default(),
        };
        asker.run(schedule)
    })?;
    let begun = summary::Begun { session, reply_port, clocks, cpu, drops_before };
    Ok(summary::of_ping(spec, begun, asked))
}

/// Answers, and returns what came of it.
///
/// # Errors
/// It could not start.
pub fn echo(spec: &EchoSpec, outside: Outside<'_, EchoInterval>) -> Result<EchoOutcome> {
    let cpu = core(spec.manner.cpu, 2)?;
    // The source of a source-specific group is the asker's.
    let options = port_options(spec.group, None, spec.interface, &spec.manner);
    let _stamps = options.stamped.then(Timestamps::warm_up).transpose()?;
    let port = Port::for_responder(&options)?;
    (outside.ready)()?;
    let identity = random();
    let clocks = ClockPair::read();
    let interrupt = outside.interrupt;
    let (answered, cpu) =
        beside(cpu, spec.manner.interval_ns, outside, |mut handover, is_pinned| {
            note_unpinned(&mut handover, cpu, is_pinned);
            Responder { spec, port, identity, clocks, handover, interrupt }.run()
        })?;
    Ok(summary::of_echo(spec, identity, clocks, cpu, answered))
}

/// Runs `work` in a thread on its core, and tells what it hands over. Returns what it found, and the core that it ran on.
fn beside<I: Interval + Send, R: Send>(
    cpu: usize,
    interval: Nanos,
    outside: Outside<'_, I>,
    work: impl FnOnce(Handover<I>, bool) -> R + Send,
) -> Result<(R, Option<usize>)> {
    let (worker_end, teller) = handover(interval);
    let cpus = sched::allowed_cpus().unwrap_or_default();
    std::thread::scope(|scope| {
        let thread = Builder::new().name("round-trips".into()).spawn_scoped(scope, move || {
            let is_pinned = sched::keep_to(&[cpu]).is_ok();
            // Without it every wait ends up to 50 microseconds late.
            drop(sched::set_timer_slack_least());
            // What was opened for it is used by it alone, so that it need not count references. Best effort.
            drop(sched::own_descriptors());
            (work(worker_end, is_pinned), is_pinned.then_some(cpu))
        });
        let thread =
            thread.map_err(|error| Error::os("cannot start a thread for round trips", error))?;
        // Every wake-up of this thread on the worker's core would be in a round trip. Best effort.
        drop(sched::keep_off(&[cpu]));
        teller.tell_all(outside.interval, outside.event);
        let result = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        drop(sched::keep_to(&cpus));
        Ok(result)
    })
}

/// Notes what makes times doubtful, at the end.
fn note_doubts<I: Interval>(
    handover: &mut Handover<I>,
    port: &Port,
    clocks: &ClockPair,
    now: Nanos,
) {
    if port.without_stamp > 0 {
        let datagrams = port.without_stamp;
        handover.note(now, Happening::NoKernelTimestamp { datagrams });
    }
    if let Some(by_ns) = clocks.step() {
        handover.note(now, Happening::ClockStepped { by_ns });
    }
}

fn note_unpinned<I: Interval>(handover: &mut Handover<I>, cpu: usize, is_pinned: bool) {
    if !is_pinned {
        handover.note(Nanos(0), Happening::NotPinned { worker: "the thread".into(), cpu });
    }
}

/// The core that was asked for, or the `from_last`-th, so that both ends on one host are apart.
fn core(asked: Option<usize>, from_last: usize) -> Result<usize> {
    let cpus = sched::allowed_cpus()
        .map_err(|error| Error::os("cannot find out which cores may be used", error))?;
    let place = cpus.len().saturating_sub(from_last);
    Ok(asked.or(cpus.get(place).copied()).unwrap_or(0))
}

fn port_options(
    group: Membership,
    source: Option<IpAddr>,
    interface: u32,
    manner: &Manner,
) -> PortOptions {
    let &Manner { ttl, loopback, dscp, spin, receive_buffer, .. } = manner;
    let sending = SenderOptions {
        interface,
        source,
        source_port: 0,
        v6: group.group.is_ipv6(),
        both: false,
        ttl,
        loopback,
        dscp,
        launch: Launch::AtOnce,
    };
    let stamped = manner.timestamps == TimestampKind::Kernel;
    PortOptions { group, sending, receive_buffer, spin, stamped }
}

/// 32 bits that nobody else is likely to draw.
fn random() -> u32 {
    RandomState::new().hash_one(clock::realtime()) as u32
}
