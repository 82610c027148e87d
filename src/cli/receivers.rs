//! `mcast-bench recv --receivers N`: several receivers of the same groups, each for itself, and one answer.

use super::args::RecvArgs;
use super::color::Colours;
use super::exit::Exit;
use super::interim::Interim;
use super::output_args::OutputArgs;
use super::paper;
use super::preflight::{self, Silence};
use super::spec::Meant;
use super::{notices, scenario, session};
use crate::doctor::environment;
use crate::error::{Error, Result};
use crate::live::Fanout;
use crate::live::line::Line;
use crate::model::Observer;
use crate::model::merged::MergedReport;
use crate::model::report::{RunReport, TrialReport};
use crate::model::spec::TrialSpec;
use crate::report::answer::answer;
use crate::report::load::Saved;
use crate::report::merge::Merge;
use crate::report::output::{Outputs, Target};
use crate::sys::sched;
use crate::trial::{LocalRunner, TrialRunner};
use crate::units::Nanos;
use crossbeam_channel::{Sender, bounded};
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

/// Runs the receivers side by side and merges their results.
pub(super) fn run(meant: Meant, args: &RecvArgs, colours: Colours) -> Result<Exit> {
    if args.output.verbose {
        let _ = writeln!(io::stderr(), "{}", scenario::resolved(&args.scenario, &meant));
    }
    let (spec, interface) = meant;
    let count = usize::from(args.many.receivers);
    let rotation = args.output.rotate.rotation();
    let targets = targets(&args.output)?;
    let mut outputs = Outputs::open_rotating(&targets, rotation, paper::stdout())?;
    args.launch.remove_stale()?;
    let interrupt = session::interrupt(&Arc::default())?;
    let environment = environment::read(interface.clone());
    if !args.output.quiet {
        notices::say(&spec, &interface, args.groups.iface.is_empty());
        let _ = writeln!(io::stderr(), "{count} receivers; the lines are those of the first");
        preflight::warn(&spec);
    }
    let trials = receive(&specs(&spec, count)?, args, colours, &interrupt)?;
    let mut merge = Merge::default();
    let mut exits = Vec::new();
    let mut answers = Vec::new();
    for (number, trial) in trials.into_iter().enumerate() {
        let report = session::report(trial, environment.clone(), &args.output.limits);
        exits.push(Exit::of_report(&report));
        let preset = args.scenario.preset;
        answers.extend(preset.map(|preset| answer(preset.name, preset.purpose, &report)));
        merge.add(named(report, number))?;
    }
    outputs.finish(&merge.finish(session::command_line()));
    // The report compares them; who asked by purpose is told of one that is not fit for it, if there is one.
    let unfit = answers.iter().find(|answer| answer.fit != Some(true)).or(answers.first());
    if let Some(answer) = unfit.filter(|_| !args.output.quiet) {
        let _ =
            writeln!(io::stderr(), "{}, one of {count} receivers: {}", answer.preset, answer.words);
    }
    for failure in outputs.failures() {
        let _ = writeln!(io::stderr(), "error: {failure}");
    }
    Ok(if outputs.failures().is_empty() { worst(&exits) } else { Exit::Failed })
}

/// Each receiver has the cores that would have been its own as a program of its own, one after the other.
fn specs(spec: &TrialSpec, count: usize) -> Result<Vec<TrialSpec>> {
    let allowed = sched::allowed_cpus()
        .map_err(|error| Error::os("cannot find out which cores may be used", error))?;
    let cpus = if spec.cpus.is_empty() { allowed } else { spec.cpus.clone() };
    let own = |number: usize| {
        let first = number * spec.receiver_threads;
        let workers = first..first + spec.receiver_threads;
        workers.map(|worker| cpus[worker % cpus.len()]).collect()
    };
    Ok((0..count).map(|number| TrialSpec { cpus: own(number), ..spec.clone() }).collect())
}

/// Starts a thread for each, says ready when all of them are, and waits for all. The first error ends all.
fn receive(
    specs: &[TrialSpec],
    args: &RecvArgs,
    colours: Colours,
    interrupt: &Arc<AtomicBool>,
) -> Result<Vec<TrialReport>> {
    std::thread::scope(|scope| {
        let (say_ready, ready) = bounded(specs.len());
        let mut threads = Vec::new();
        for (number, spec) in specs.iter().enumerate() {
            let (say_ready, interrupt) = (say_ready.clone(), interrupt.clone());
            let told = Told {
                asked: number == 0,
                lines: number == 0 && !args.output.quiet && spec.interval_ns > Nanos(0),
                colours,
            };
            let thread = Builder::new()
                .name(format!("recv-{number}"))
                .spawn_scoped(scope, move || one(spec, interrupt, say_ready, &told))
                .map_err(|error| Error::os("cannot start a thread for a receiver", error))?;
            threads.push(thread);
        }
        drop(say_ready);
        // Ends early, and says nothing, if one of them could not even start.
        if ready.iter().take(specs.len()).count() == specs.len() {
            args.launch.say_ready()?;
        }
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<TrialReport>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

/// What is told of a receiver while it runs.
struct Told {
    /// How it goes, when SIGUSR1 asks.
    asked: bool,
    /// A line an interval, and why nothing is heard.
    lines: bool,
    colours: Colours,
}

/// One receiver.
fn one(
    spec: &TrialSpec,
    interrupt: Arc<AtomicBool>,
    say_ready: Sender<()>,
    told: &Told,
) -> Result<TrialReport> {
    let mut say_ready = Some(say_ready);
    let ready = move || {
        // Nobody waits any more if another receiver has failed.
        let _ = say_ready.take().map(|say| say.send(()));
        Ok(())
    };
    let mut runner = LocalRunner { interrupt: interrupt.clone(), ready: Box::new(ready) };
    let mut line = Line::new(Box::new(io::stderr()), paper::columns_of(&io::stderr()));
    let mut silence = Silence::on_stderr(told.colours);
    let result = told.asked.then(Interim::on_stderr).transpose().and_then(|mut interim| {
        let mut watchers = Fanout::default();
        if told.lines {
            watchers.0.extend([&mut line as &mut dyn Observer, &mut silence]);
        }
        watchers.0.extend(interim.iter_mut().map(|interim| interim as &mut dyn Observer));
        runner.run(spec, &mut watchers)
    });
    if result.is_err() {
        interrupt.store(true, Ordering::Relaxed);
    }
    result
}

/// The receiver's number is its name among the others.
fn named(report: RunReport, number: usize) -> Saved {
    Saved { file: format!("receiver {number}"), report }
}

/// Reports of many receivers come in fewer formats than those of one.
fn targets(output: &OutputArgs) -> Result<Vec<Target<MergedReport>>> {
    let mut targets = Vec::new();
    for report in &output.reports {
        let target = Target::from_str(&report.to_string()).map_err(|why| {
            Error::usage(why)
                .hint("several receivers are reported as one; see `report merge --help`")
        })?;
        targets.push(target);
    }
    let format = |name| Target::from_str(name).expect("it is in the list of formats");
    if output.json {
        targets.push(format("json"));
    }
    if targets.is_empty() {
        targets.push(format("human"));
    }
    Ok(targets)
}

/// Interrupted before not good before nothing heard; nothing heard only if it was so for all.
fn worst(exits: &[Exit]) -> Exit {
    let any = |exit| exits.contains(&exit);
    if any(Exit::Interrupted) {
        Exit::Interrupted
    } else if exits.iter().all(|exit| *exit == Exit::NothingHeard) {
        Exit::NothingHeard
    } else if any(Exit::NotGood) || any(Exit::NothingHeard) {
        Exit::NotGood
    } else {
        Exit::Fine
    }
}
