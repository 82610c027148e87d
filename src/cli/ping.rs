//! `mcast-bench ping`: asks, and times the answers.

use super::color::Colours;
use super::exit::Exit;
use super::paper;
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

pub(super) fn run(args: PingArgs, colours: Colours) -> Result<Exit> {
    let (spec, interface) = roundtrip::of_ping(&args)?;
    let mut outputs = Outputs::open(&args.output.targets(), paper::stdout())?;
    args.launch.remove_stale()?;
    let interrupt = session::interrupt()?;
    let environment = environment::read(interface.clone());
    if !args.output.quiet {
        session::say_if_loopback(&args.groups, &interface);
    }
    let mut line = RoundTripLine::new(Box::new(io::stderr()), spec.interval_ns);
    let mut view = args.live.open(colours);
    if let Some(view) = &mut view {
        view.start_ping(&spec);
    }
    let has_lines = args.output.has_lines();
    let watching = RefCell::new((&mut view, &mut line));
    let outcome = ping(
        &spec,
        Outside {
            interrupt: &interrupt,
            ready: &|| args.launch.say_ready(),
            interval: &mut |interval: &PingInterval| match &mut *watching.borrow_mut() {
                (Some(view), _) => view.ping(interval),
                (None, line) if has_lines => line.ping(interval),
                _ => {}
            },
            event: &mut |event: &Event| match &mut *watching.borrow_mut() {
                (Some(view), _) => view.event(event),
                (None, line) if has_lines => line.event(event),
                _ => {}
            },
        },
    )?;
    // The terminal is whole again before anything is printed.
    drop(view);
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
