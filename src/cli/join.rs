//! `mcast-bench join`: joins and leaves, and times what comes.

use super::beside::Beside;
use super::exit::Exit;
use super::join_args::JoinArgs;
use super::session;
use super::spec::join;
use crate::error::Result;
use crate::joining::measure;
use crate::live::roundtrip::RoundTripLine;
use crate::model::join::{JoinReport, SCHEMA, evaluate};

pub(super) fn run(args: JoinArgs) -> Result<Exit> {
    let (spec, interface) = join::of_join(&args)?;
    let JoinArgs { output, launch, groups, .. } = &args;
    let mut beside = Beside::open(output, launch, groups, interface, spec.interval_ns)?;
    let outcome = beside.with_lines(RoundTripLine::join, |outside| measure(&spec, outside))?;
    let limits = args.limits.limits.iter().map(|limit| evaluate(limit, &outcome)).collect();
    let report = JoinReport {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: session::command_line(),
        environment: beside.environment,
        outcome,
        limits,
    };
    beside.outputs.finish(&report);
    Ok(session::written(&beside.outputs, Exit::of_join(&report)))
}
