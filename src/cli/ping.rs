//! `mcast-bench ping`: asks, and times the answers.

use super::beside::Beside;
use super::color::Colours;
use super::exit::Exit;
use super::ping_args::PingArgs;
use super::session;
use super::spec::roundtrip;
use crate::error::Result;
use crate::model::event::Event;
use crate::model::outside::Outside;
use crate::model::ping::{PingInterval, PingReport, SCHEMA, evaluate};
use crate::pingpong::ping;
use std::cell::RefCell;

pub(super) fn run(args: PingArgs, colours: Colours) -> Result<Exit> {
    let (spec, interface) = roundtrip::of_ping(&args)?;
    let PingArgs { output, launch, groups, .. } = &args;
    let mut beside = Beside::open(output, launch, groups, interface, spec.manner.interval_ns)?;
    let mut view = args.live.open(colours, beside.is_held.clone());
    if let Some(view) = &mut view {
        view.start_ping(&spec);
    }
    let has_lines = beside.has_lines;
    let watching = RefCell::new((&mut view, &mut beside.line));
    let outcome = ping(
        &spec,
        Outside {
            interrupt: &beside.interrupt,
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
        environment: beside.environment,
        outcome,
        limits,
    };
    beside.outputs.finish(&report);
    Ok(session::written(&beside.outputs, Exit::of_ping(&report)))
}
