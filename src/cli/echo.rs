//! `mcast-bench echo`: answers what `ping` asks.

use super::beside::Beside;
use super::exit::Exit;
use super::ping_args::EchoArgs;
use super::session;
use super::spec::roundtrip;
use crate::error::Result;
use crate::live::roundtrip::RoundTripLine;
use crate::model::echo::{EchoReport, SCHEMA};
use crate::pingpong::echo;

pub(super) fn run(args: EchoArgs) -> Result<Exit> {
    let (spec, interface) = roundtrip::of_echo(&args)?;
    let EchoArgs { output, launch, groups, .. } = &args;
    let mut beside = Beside::open(output, launch, groups, interface, spec.manner.interval_ns)?;
    let outcome = beside.with_lines(RoundTripLine::echo, |outside| echo(&spec, outside))?;
    let report = EchoReport {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: session::command_line(),
        environment: beside.environment,
        outcome,
    };
    beside.outputs.finish(&report);
    Ok(session::written(&beside.outputs, Exit::of_echo(&report)))
}
