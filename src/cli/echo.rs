//! `mcast-bench echo`: answers what `ping` asks.

use super::exit::Exit;
use super::paper;
use super::ping_args::EchoArgs;
use super::session;
use super::spec::roundtrip;
use crate::doctor::environment;
use crate::error::Result;
use crate::live::roundtrip::RoundTripLine;
use crate::model::echo::{EchoInterval, EchoReport, SCHEMA};
use crate::model::event::Event;
use crate::pingpong::{Outside, echo};
use crate::report::output::Outputs;
use std::cell::RefCell;
use std::io;

pub(super) fn run(args: EchoArgs) -> Result<Exit> {
    let (spec, interface) = roundtrip::of_echo(&args)?;
    let mut outputs = Outputs::open(&args.output.targets(), paper::stdout())?;
    args.launch.remove_stale()?;
    let interrupt = session::interrupt()?;
    let environment = environment::read(interface.clone());
    if !args.output.quiet {
        session::say_if_loopback(&args.groups, &interface);
    }
    let line = RefCell::new(RoundTripLine::new(Box::new(io::stderr()), spec.interval_ns));
    let has_lines = args.output.has_lines();
    let outcome = echo(
        &spec,
        Outside {
            interrupt: &interrupt,
            ready: &|| args.launch.say_ready(),
            interval: &mut |interval: &EchoInterval| {
                if has_lines {
                    line.borrow_mut().echo(interval);
                }
            },
            event: &mut |event: &Event| {
                if has_lines {
                    line.borrow_mut().event(event);
                }
            },
        },
    )?;
    let report = EchoReport {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: session::command_line(),
        environment,
        outcome,
    };
    outputs.finish(&report);
    Ok(session::written(&outputs, Exit::of_echo(&report)))
}
