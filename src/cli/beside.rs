//! What the verbs that carry out no trial have in common: outputs, Ctrl-C, and a line an interval.

use super::args::GroupArgs;
use super::output_args::LaunchArgs;
use super::ping_args::RoundTripOutput;
use super::{paper, session};
use crate::doctor::environment;
use crate::error::Result;
use crate::live::roundtrip::RoundTripLine;
use crate::model::environment::{Environment, Interface};
use crate::model::event::Event;
use crate::model::outside::Outside;
use crate::report::Subject;
use crate::report::output::Outputs;
use crate::units::Nanos;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// All that is there before it starts.
pub(super) struct Beside<'a, T: 'static> {
    pub(super) outputs: Outputs<T>,
    pub(super) interrupt: Arc<AtomicBool>,
    /// Whether a live view holds the terminal.
    pub(super) is_held: Arc<AtomicBool>,
    pub(super) environment: Environment,
    pub(super) line: RoundTripLine,
    pub(super) has_lines: bool,
    launch: &'a LaunchArgs,
}

impl<'a, T: Subject + 'static> Beside<'a, T> {
    /// Opens the outputs, and says it if all goes over loopback. Intervals will be of the length `interval`.
    pub(super) fn open(
        output: &RoundTripOutput<T>,
        launch: &'a LaunchArgs,
        groups: &GroupArgs,
        interface: Interface,
        interval: Nanos,
    ) -> Result<Self> {
        let outputs = Outputs::open(&output.targets(), paper::stdout())?;
        launch.remove_stale()?;
        let is_held = Arc::default();
        let interrupt = session::interrupt(&is_held)?;
        if !output.quiet {
            session::say_if_loopback(groups, &interface);
        }
        Ok(Self {
            outputs,
            interrupt,
            is_held,
            environment: environment::read(interface),
            line: RoundTripLine::new(Box::new(io::stderr()), interval),
            has_lines: output.has_lines(),
            launch,
        })
    }

    /// Has `work` done, and `tell` write a line of each interval, if there are lines.
    pub(super) fn with_lines<I, R>(
        &mut self,
        tell: fn(&mut RoundTripLine, &I),
        work: impl FnOnce(Outside<'_, I>) -> Result<R>,
    ) -> Result<R> {
        let (has_lines, launch) = (self.has_lines, self.launch);
        let line = RefCell::new(&mut self.line);
        work(Outside {
            interrupt: &self.interrupt,
            ready: &|| launch.say_ready(),
            interval: &mut |interval: &I| {
                if has_lines {
                    tell(&mut line.borrow_mut(), interval);
                }
            },
            event: &mut |event: &Event| {
                if has_lines {
                    line.borrow_mut().event(event);
                }
            },
        })
    }
}
