//! `mcast-bench join`: joins and leaves, and times what comes.

use super::exit::Exit;
use super::join_args::JoinArgs;
use super::paper;
use super::session;
use super::spec::join;
use crate::doctor::environment;
use crate::error::Result;
use crate::joining::{Outside, measure};
use crate::live::roundtrip::RoundTripLine;
use crate::model::event::Event;
use crate::model::join::{JoinInterval, JoinReport, SCHEMA};
use crate::report::output::Outputs;
use std::cell::RefCell;
use std::io;

pub(super) fn run(args: JoinArgs) -> Result<Exit> {
    let (spec, interface) = join::of_join(&args)?;
    let mut outputs = Outputs::open(&args.output.targets(), paper::stdout())?;
    args.launch.remove_stale()?;
    let interrupt = session::interrupt()?;
    let environment = environment::read(interface.clone());
    if !args.output.quiet {
        session::say_if_loopback(&args.groups, &interface);
    }
    let line = RefCell::new(RoundTripLine::new(Box::new(io::stderr()), spec.interval_ns));
    let has_lines = args.output.has_lines();
    let outcome = measure(
        &spec,
        Outside {
            interrupt: &interrupt,
            ready: &|| args.launch.say_ready(),
            interval: &mut |interval: &JoinInterval| {
                if has_lines {
                    line.borrow_mut().join(interval);
                }
            },
            event: &mut |event: &Event| {
                if has_lines {
                    line.borrow_mut().event(event);
                }
            },
        },
    )?;
    let report = JoinReport {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: session::command_line(),
        environment,
        outcome,
    };
    outputs.finish(&report);
    Ok(session::written(&outputs, Exit::of_join(&report)))
}
