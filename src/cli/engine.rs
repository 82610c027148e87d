//! Which engine moves the datagrams: the one that was named, or with `auto` the one that suits.

use crate::engine::{self, ENGINES, Engine, Support};
use crate::error::{Error, Result};
use crate::model::spec::{Load, Role, Timing};
use crate::units::human::grouped;
use crate::units::rate::{DatagramRate, Rate};
use crate::units::size_mix::SizeMix;

/// What takes the place of a name.
pub(super) const AUTO: &str = "auto";

/// From so many datagrams a second and thread on, a system call for each no longer keeps up: with 2.3 to 3
/// microseconds a datagram that is three quarters of what a core can send one by one.
const ONE_BY_ONE: f64 = 250_000.0;

/// An engine, and why `auto` took it.
pub(super) struct Choice {
    pub(super) engine: &'static dyn Engine,
    pub(super) reason: Option<String>,
}

/// The engine of a name, or one that suits this side of a trial. This machine can run it. `offered` is the load of each
/// flow and how many threads share it; nothing for receivers.
pub(super) fn choose(name: &str, role: Role, offered: &[(&Load, usize)]) -> Result<Choice> {
    if name == AUTO {
        return Ok(suitable(offered, engine::gso::Gso.probe()));
    }
    let Some(engine) = engine::by_name(name) else {
        let names: Vec<_> = ENGINES.iter().map(|engine| engine.name()).collect();
        return Err(Error::usage(format!("there is no engine `{name}`"))
            .hint(format!("these are: {}, or {AUTO}", names.join(", "))));
    };
    if role != Role::Run && !engine.has_network() {
        return Err(Error::usage(format!("engine `{name}` reaches no other process"))
            .hint("use it with `run`"));
    }
    if let Support::Missing { why, hint } = engine.probe() {
        return Err(
            Error::environment(format!("engine `{name}` cannot be used here: {why}")).hint(hint)
        );
    }
    Ok(Choice { engine, reason: None })
}

/// The fastest thread decides: an engine that suits it is good enough for the others.
fn suitable(offered: &[(&Load, usize)], gso: Support) -> Choice {
    let plain = |why: String| Choice { engine: &engine::mmsg::Mmsg, reason: Some(why) };
    let trains = |why: String| Choice { engine: &engine::gso::Gso, reason: Some(why) };
    if let Support::Missing { why, .. } = gso {
        return plain(format!("datagrams cannot travel as one here: {why}"));
    }
    let threads = offered.iter().map(|&(load, threads)| (rate_of_each(load, threads), load));
    let Some((each, load)) = threads.max_by(|(a, _), (b, _)| a.total_cmp(b)) else {
        return trains("trains are taken whole, and single datagrams as they come".into());
    };
    let whose = match offered.len() {
        1 => String::new(),
        flows => format!(" (the fastest of {flows} flows)"),
    };
    let rate = grouped(each as u64);
    if load.sizes.only().is_none() {
        plain(format!("only datagrams of one length can travel as one{whose}"))
    } else if each.is_infinite() {
        trains(format!("as fast as possible is in trains{whose}"))
    } else if each > ONE_BY_ONE {
        trains(format!("{rate} datagrams/s from one thread{whose} can only leave in trains"))
    } else {
        plain(format!("at {rate} datagrams/s{whose} each can leave by itself, when it is due"))
    }
}

/// Datagrams a second of one of its threads, without end where it is as fast as possible.
fn rate_of_each(load: &Load, threads: usize) -> f64 {
    let rate = match load.schedule {
        Timing::Ramp { from, to, .. } => highest(from, to, &load.sizes),
        _ => load.rate.and_then(|rate| rate.datagram_rate(&load.sizes)),
    };
    rate.map_or(f64::INFINITY, |rate| rate.per_second() / threads as f64)
}

fn highest(from: Rate, to: Rate, sizes: &SizeMix) -> Option<DatagramRate> {
    let (from, to) = (from.datagram_rate(sizes)?, to.datagram_rate(sizes)?);
    Some(if from.per_second() > to.per_second() { from } else { to })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn fast_senders_send_trains_and_slow_ones_do_not() {
        let load = sample::run().trial.spec.load.unwrap();
        let at = |rate: &str, threads| {
            let load = Load { rate: rate.parse().ok(), ..load.clone() };
            suitable(&[(&load, threads)], Support::Ready).engine.name()
        };
        assert_eq!(
            (at("100k", 1), at("1M", 1), at("1M", 4), at("max", 1)),
            ("mmsg", "gso", "mmsg", "gso")
        );
        let mixed = Load { sizes: SizeMix::default(), ..load.clone() };
        assert_eq!(suitable(&[(&mixed, 1)], Support::Ready).engine.name(), "mmsg");
        assert_eq!(suitable(&[], Support::Ready).engine.name(), "gso");
        let missing = Support::Missing { why: "too old".into(), hint: String::new() };
        let choice = suitable(&[], missing);
        assert_eq!(choice.engine.name(), "mmsg");
        assert_eq!(choice.reason.unwrap(), "datagrams cannot travel as one here: too old");
    }

    #[test]
    fn of_several_flows_the_fastest_thread_decides() {
        let load = sample::run().trial.spec.load.unwrap();
        let at = |rate: &str| Load { rate: rate.parse().ok(), ..load.clone() };
        let (slow, fast, most) = (at("1k"), at("1M"), at("max"));
        let mixed = Load { sizes: SizeMix::default(), ..at("2M") };
        for (offered, name, reason) in [
            (
                &[(&slow, 1), (&fast, 1)][..],
                "gso",
                "1,000,000 datagrams/s from one thread (the fastest of 2 flows) can only leave in trains",
            ),
            (
                &[(&fast, 8), (&slow, 1)],
                "mmsg",
                "at 125,000 datagrams/s (the fastest of 2 flows) each can leave by itself, when it is due",
            ),
            (
                &[(&slow, 1), (&most, 9), (&mixed, 1)],
                "gso",
                "as fast as possible is in trains (the fastest of 3 flows)",
            ),
            (
                &[(&fast, 1), (&mixed, 1)],
                "mmsg",
                "only datagrams of one length can travel as one (the fastest of 2 flows)",
            ),
        ] {
            let Choice { engine, reason: why } = suitable(offered, Support::Ready);
            assert_eq!((engine.name(), why.as_deref()), (name, Some(reason)));
        }
    }
}
