//! What `doctor` is to look at.

use super::super::doctor_args::DoctorArgs;
use super::network::{groups_of_one_family, only_interface};
use super::{MAX_PAYLOAD, Nanos, bounded, receive_buffer};
use crate::doctor::{Asked, Listening};
use crate::engine::{self, ENGINES, Engine};
use crate::error::{Error, Result};
use crate::net::interface;
use crate::units::rate::{DatagramRate, Rate};
use crate::units::size_mix::SizeMix;
use std::sync::Arc;

/// What `doctor` means.
pub(in crate::cli) fn of_doctor(args: &DoctorArgs) -> Result<Asked> {
    let fitness = &args.fitness;
    let groups = groups_of_one_family(&args.groups)?;
    let payload_len = u16::try_from(fitness.size.0).ok();
    let payload_len = payload_len.filter(|len| (1..=MAX_PAYLOAD).contains(&u64::from(*len)));
    let Some(payload_len) = payload_len else {
        return Err(Error::usage(format!("a datagram cannot carry {} bytes", fitness.size.0))
            .hint(format!("--size is from 1 to {MAX_PAYLOAD}")));
    };
    let engine = fitness.engine.as_deref().map(engine_of).transpose()?;
    let rate = fitness.rate.map(|rate| rate_of(rate, payload_len)).transpose()?;
    let listen = fitness.listen.map(|time| bounded("--listen", time, Nanos::MILLISECOND));
    let receive_buffer = receive_buffer(fitness.rcvbuf.0)?;
    // Found before anything is looked at, but after all that could be wrong with the words.
    let listen = listen.transpose()?;
    let (interface, flags) = match only_interface(&args.groups)? {
        Some(text) => interface::find(text)?,
        None => interface::find(&interface::loopback()?.name)?,
    };
    let listen = listen.map(|time| Listening::new(time, Arc::default(), false));
    let (payload_len, pace) = (payload_len.into(), fitness.pace);
    Ok(Asked { interface, flags, groups, engine, rate, payload_len, receive_buffer, pace, listen })
}

fn engine_of(name: &str) -> Result<&'static dyn Engine> {
    engine::by_name(name).ok_or_else(|| {
        let names: Vec<_> = ENGINES.iter().map(|engine| engine.name()).collect();
        Error::usage(format!("there is no engine `{name}`"))
            .hint(format!("these are: {}", names.join(", ")))
    })
}

fn rate_of(rate: Rate, payload_len: u16) -> Result<DatagramRate> {
    rate.datagram_rate(&SizeMix::of_one(payload_len)).ok_or_else(|| {
        Error::usage("no buffer is large enough for --rate max")
            .hint("give the rate that must work")
    })
}
