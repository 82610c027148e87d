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

/// The engine of a name, or one that suits this side of a trial. This machine can run it.
pub(super) fn choose(
    name: &str,
    role: Role,
    load: Option<&Load>,
    threads: usize,
) -> Result<Choice> {
    if name == AUTO {
        return Ok(suitable(load, threads, engine::gso::Gso.probe()));
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

fn suitable(load: Option<&Load>, threads: usize, gso: Support) -> Choice {
    let plain = |why: String| Choice { engine: &engine::mmsg::Mmsg, reason: Some(why) };
    let trains = |why: String| Choice { engine: &engine::gso::Gso, reason: Some(why) };
    if let Support::Missing { why, .. } = gso {
        return plain(format!("datagrams cannot travel as one here: {why}"));
    }
    let Some(load) = load else {
        return trains("trains are taken whole, and single datagrams as they come".into());
    };
    if load.sizes.only().is_none() {
        return plain("only datagrams of one length can travel as one".into());
    }
    let rate = match load.schedule {
        Timing::Ramp { from, to, .. } => highest(from, to, &load.sizes),
        _ => load.rate.and_then(|rate| rate.datagram_rate(&load.sizes)),
    };
    let Some(rate) = rate else {
        return trains("as fast as possible is in trains".into());
    };
    let each = rate.per_second() / threads as f64;
    let rate = grouped(each as u64);
    if each > ONE_BY_ONE {
        trains(format!("{rate} datagrams/s from one thread can only leave in trains"))
    } else {
        plain(format!("at {rate} datagrams/s each can leave by itself, when it is due"))
    }
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
            suitable(Some(&load), threads, Support::Ready).engine.name()
        };
        assert_eq!(
            (at("100k", 1), at("1M", 1), at("1M", 4), at("max", 1)),
            ("mmsg", "gso", "mmsg", "gso")
        );
        let mixed = Load { sizes: SizeMix::default(), ..load.clone() };
        assert_eq!(suitable(Some(&mixed), 1, Support::Ready).engine.name(), "mmsg");
        assert_eq!(suitable(None, 1, Support::Ready).engine.name(), "gso");
        let missing = Support::Missing { why: "too old".into(), hint: String::new() };
        let choice = suitable(None, 1, missing);
        assert_eq!(choice.engine.name(), "mmsg");
        assert_eq!(choice.reason.unwrap(), "datagrams cannot travel as one here: too old");
    }
}
