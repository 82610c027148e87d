//! `mcast-bench ping`: asks, and times the answers.

use super::exit::Exit;
use super::ping_args::PingArgs;
use super::session;
use super::spec::roundtrip;
use crate::doctor::environment;
use crate::error::Result;
use crate::live::roundtrip::RoundTripLine;
use crate::model::event::Event;
use crate::model::ping::{PingInterval, PingReport, SCHEMA, evaluate};
use crate::pingpong::{Outside, ping};
use crate::report::output::Outputs;
use std::cell::RefCell;
use std::io;

pub(super) fn run(args: PingArgs) -> Result<Exit> {
    let (spec, interface) = roundtrip::of_ping(&args)?;
    let mut outputs = Outputs::open(&args.output.targets(), Box::new(io::stdout()))?;
    args.launch.remove_stale()?;
    let interrupt = session::interrupt()?;
    let environment = environment::read(interface.clone());
    if !args.output.quiet {
        session::say_if_loopback(&args.groups, &interface);
    }
    let line = RefCell::new(RoundTripLine::new(Box::new(io::stderr()), spec.interval_ns));
    let has_lines = args.output.has_lines();
    let outcome = ping(
        &spec,
        Outside {
            interrupt: &interrupt,
            ready: &|| args.launch.say_ready(),
            interval: &mut |interval: &PingInterval| {
                if has_lines {
                    line.borrow_mut().ping(interval);
                }
            },
            event: &mut |event: &Event| {
                if has_lines {
                    line.borrow_mut().event(event);
                }
            },
        },
    )?;
    let limits = args.limits.limits.iter().map(|limit| evaluate(limit, &outcome)).collect();
    let report = PingReport {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: session::command_line(),
        environment,
        outcome,
        limits,
    };
    outputs.finish(&report);
    Ok(session::written(&outputs, Exit::of_ping(&report)))
}
