//! What all verbs that carry out a trial have in common: outputs, Ctrl-C, the report, the verdict.

use super::args::GroupArgs;
use super::capacity;
use super::color::Colours;
use super::exit::Exit;
use super::interim::Interim;
use super::output_args::{LaunchArgs, OutputArgs};
use super::paper;
use super::preflight::{self, Silence};
use super::scenario_args::ScenarioArgs;
use super::spec::Meant;
use super::{notices, scenario, state};
use crate::doctor::environment;
use crate::error::{Error, Result};
use crate::live::Fanout;
use crate::live::line::Line;
use crate::live::prometheus::Prometheus;
use crate::live::tui::Tui;
use crate::model::Observer;
use crate::model::environment::{Environment, Interface};
use crate::model::event::{Event, Happening};
use crate::model::limit::Limit;
use crate::model::report::{RunReport, SCHEMA, TrialReport};
use crate::model::timeline::Timeline;
use crate::model::verdict;
use crate::report::answer::answer;
use crate::report::output::{Outputs, Target};
use crate::report::state::Keeper;
use crate::sys::signal::ask_first_then_end;
use crate::trial::{LocalRunner, TrialRunner};
use crate::units::Nanos;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Carries out a trial and reports it.
pub(super) fn run(
    meant: Meant,
    groups: &GroupArgs,
    asked: &ScenarioArgs,
    output: &OutputArgs,
    launch: &LaunchArgs,
    mut state: Option<Keeper>,
    colours: Colours,
) -> Result<Exit> {
    if output.verbose {
        let _ = writeln!(io::stderr(), "{}", scenario::resolved(asked, &meant));
    }
    let (spec, interface) = meant;
    let mut metrics = output.metrics.listen(&spec, output.quiet)?;
    let targets = targets(output);
    let rotation = output.rotate.rotation();
    let mut outputs = Outputs::open_rotating(&targets, rotation, paper::stdout())?;
    // A launcher that waits for the file must not take that of an earlier trial for this one's.
    launch.remove_stale()?;
    let is_held = Arc::default();
    let interrupt = interrupt(&is_held)?;
    // Read before the trial, which keeps this thread off the senders' cores.
    let environment = environment::read(interface.clone());
    if !output.quiet {
        notices::say(&spec, &interface, groups.iface.is_empty());
        capacity::warn(&spec, &interface);
        preflight::warn(&spec);
    }
    if let Some(refused) = state.as_ref().and_then(state::refused) {
        let _ = writeln!(io::stderr(), "warning: {}", refused.what);
    }
    if let Some(reason) = spec.engine_reason.as_ref().filter(|_| !output.quiet) {
        let _ = writeln!(io::stderr(), "--engine auto: {}, because {reason}", spec.engine);
    }
    let launch = launch.clone();
    let mut runner =
        LocalRunner { interrupt: interrupt.clone(), ready: Box::new(move || launch.say_ready()) };
    let mut line = Line::new(Box::new(io::stderr()), paper::columns_of(&io::stderr()));
    let mut view = output.live.open(colours, is_held);
    let mut silence = match &view {
        Some(view) => {
            let columns = paper::columns_of(&io::stderr()).unwrap_or_default();
            Silence::new(Box::new(view.note()), false, columns.saturating_sub(Tui::BESIDE_NOTES))
        }
        None => Silence::on_stderr(colours),
    };
    let mut interim = match &view {
        Some(view) => Interim::listen(Box::new(view.note()))?,
        None => Interim::on_stderr()?,
    };
    let mut timeline = Timeline::default();
    let mut watchers = Fanout(vec![&mut outputs, &mut interim, &mut timeline]);
    if let Some(state) = &mut state {
        watchers.0.push(state);
    }
    match &mut view {
        Some(view) => watchers.0.push(view),
        None if output.quiet || spec.interval_ns == Nanos(0) => {}
        None => watchers.0.push(&mut line),
    }
    if let Some(metrics) = &mut metrics {
        watchers.0.push(metrics);
    }
    if !output.quiet {
        watchers.0.push(&mut silence);
    }
    let trial = runner.run(&spec, &mut watchers)?;
    // It has the last word before the report, and the terminal is whole again before anything is printed.
    drop(silence);
    drop(interim);
    drop(view);
    let mut report = report(trial, environment, &output.limits);
    report.timeline = timeline.into_steps();
    report.answer = asked.preset.map(|preset| answer(preset.name, preset.purpose, &report));
    let told = report.answer.clone().filter(|_| !output.quiet && !is_human(&targets));
    let exit = conclude(report, &mut outputs, metrics.as_mut(), state.as_mut());
    if let Some(answer) = told {
        let _ = writeln!(io::stderr(), "{}: {}", answer.preset, answer.words);
    }
    output.metrics.linger(&interrupt);
    Ok(exit)
}

/// Has all that watched write down how it went; what could not do so is in the report as far as it was known by then.
fn conclude(
    mut report: RunReport,
    outputs: &mut Outputs,
    mut metrics: Option<&mut Prometheus>,
    mut state: Option<&mut Keeper>,
) -> Exit {
    if let Some(state) = &mut state {
        report.trial.events.splice(0..0, state::refused(state));
        state.finish(&mut report);
    }
    let others = |metrics: &Option<&mut Prometheus>| -> Vec<String> {
        let unserved = metrics.as_ref().and_then(|metrics| metrics.failure());
        let unkept = state.as_ref().and_then(|state| state.failure());
        unserved.into_iter().chain(unkept).map(ToString::to_string).collect()
    };
    let at_ns = report.trial.duration_ns;
    let failed = outputs.failures().iter().map(ToString::to_string).chain(others(&metrics));
    let failed = failed.map(|reason| Event { at_ns, what: Happening::OutputFailed { reason } });
    report.trial.events.extend(failed);
    outputs.on_finish(&report);
    metrics.iter_mut().for_each(|metrics| metrics.on_finish(&report));
    let failed: Vec<_> =
        outputs.failures().iter().map(ToString::to_string).chain(others(&metrics)).collect();
    for failure in &failed {
        let _ = writeln!(io::stderr(), "error: {failure}");
    }
    if failed.is_empty() { Exit::of_report(&report) } else { Exit::Failed }
}

/// Who names no interface should know which one it is.
pub(super) fn say_if_loopback(groups: &GroupArgs, interface: &Interface) {
    if groups.iface.is_empty() {
        let name = &interface.name;
        let _ =
            writeln!(io::stderr(), "no --iface: using {name}, so all traffic stays on this host");
    }
}

/// A trial with all that explains it.
pub(super) fn report(
    mut trial: TrialReport,
    environment: Environment,
    limits: &[Limit],
) -> RunReport {
    trial.warnings.extend(notices::of_groups(&trial.spec, &environment.interface));
    RunReport {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command_line(),
        environment,
        continued: None,
        limits: limits.iter().map(|limit| verdict::evaluate(limit, &trial)).collect(),
        answer: None,
        timeline: Vec::new(),
        trial,
    }
}

/// Reports as asked for; two on standard output are refused when they are opened.
fn targets(output: &OutputArgs) -> Vec<Target> {
    let mut targets = output.reports.clone();
    let format = |name| Target::from_str(name).expect("it is in the list of formats");
    if output.json {
        targets.push(format("json"));
    }
    if targets.is_empty() {
        targets.push(format("human"));
    }
    targets
}

/// Whether a person reads the report on standard output.
fn is_human(targets: &[Target]) -> bool {
    targets.iter().any(|target| target.path.is_none() && target.format.name() == "human")
}

impl LaunchArgs {
    /// Removes a ready file of an earlier trial. Pipes and devices stay.
    pub(super) fn remove_stale(&self) -> Result<()> {
        let is_stale =
            |path: &&PathBuf| fs::symlink_metadata(path).is_ok_and(|file| file.is_file());
        let Some(stale) = self.ready_file.as_ref().filter(is_stale) else { return Ok(()) };
        fs::remove_file(stale).map_err(|error| {
            Error::os(format!("cannot remove the old ready file {}", stale.display()), error)
        })
    }

    /// Writes the ready file, if there is to be one.
    pub(super) fn say_ready(&self) -> Result<()> {
        let Some(path) = &self.ready_file else { return Ok(()) };
        fs::write(path, b"ready\n").map_err(|error| {
            Error::os(format!("cannot write the ready file {}", path.display()), error)
        })
    }
}

/// How it ends once the reports are written, or not.
pub(super) fn written<T>(outputs: &Outputs<T>, exit: Exit) -> Exit {
    for failure in outputs.failures() {
        let _ = writeln!(io::stderr(), "error: {failure}");
    }
    if outputs.failures().is_empty() { exit } else { Exit::Failed }
}

/// A flag that Ctrl-C sets. A second one ends the program at once, unless a live view holds the terminal and sees to that.
pub(super) fn interrupt(is_held: &Arc<AtomicBool>) -> Result<Arc<AtomicBool>> {
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        ask_first_then_end(signal, interrupt.clone(), is_held.clone())
            .map_err(|error| Error::os("cannot listen for Ctrl-C", error))?;
    }
    Ok(interrupt)
}

/// The command line so that a shell takes it.
pub(super) fn command_line() -> String {
    let quote = |word: String| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
        if !word.is_empty() && word.chars().all(is_plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    let mut words = std::env::args();
    // The path to the program says more about the machine than about the run.
    let program = words.next().map(|_| env!("CARGO_PKG_NAME").to_owned());
    program.into_iter().chain(words.map(quote)).collect::<Vec<_>>().join(" ")
}
