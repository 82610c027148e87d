//! `mcast-bench report`: saved results, shown, merged or compared.

use super::exit::Exit;
use super::paper;
use super::report_args::{
    CompareArgs, HtmlArgs, MergeArgs, ReportArgs, ReportVerb, ShowArgs, SummaryArgs,
};
use super::session::{command_line, written};
use crate::error::{Error, Result};
use crate::model::Observer;
use crate::report::Subject;
use crate::report::compare::{self, Run};
use crate::report::html::several::{Set, Several};
use crate::report::load::{self, Saved};
use crate::report::merge::Merge;
use crate::report::output::{Outputs, Target};
use crate::units::Nanos;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

pub(super) fn run(args: ReportArgs) -> Result<Exit> {
    match args.verb {
        ReportVerb::Show(args) => show(args),
        ReportVerb::Merge(args) => merge(args),
        ReportVerb::Compare(args) => compare(args),
        ReportVerb::Html(args) => html(args),
    }
}

fn show(args: ShowArgs) -> Result<Exit> {
    let saved = load::read(&args.file)?;
    let report = &saved.report;
    let sender = report.trial.sender.as_ref().map(|sender| &sender.lateness_ns);
    let delay = report.trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
    // Known before a format stumbles over it.
    for distribution in sender.into_iter().chain(delay) {
        load::histogram(&saved.file, distribution)?;
    }
    let mut outputs = Outputs::open(&or_human(args.reports), paper::stdout())?;
    let started_at = humantime::parse_rfc3339(&report.trial.started_at).ok();
    let started_at = started_at.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let started_at = started_at.map(Nanos::from).unwrap_or_default();
    outputs.on_start(&report.trial.spec, started_at);
    report.trial.events.iter().for_each(|event| outputs.on_event(event));
    outputs.on_finish(report);
    Ok(written(&outputs, Exit::Fine))
}

fn merge(args: MergeArgs) -> Result<Exit> {
    let mut outputs = open(args.output)?;
    let mut merge = Merge::default();
    let mut files = Vec::new();
    for path in &args.paths {
        match load::find(path) {
            Ok(found) => files.extend(found),
            Err(error) if args.keep_going => skip(path, &error, &mut merge, say),
            Err(error) => return Err(error),
        }
    }
    load::once(&mut files);
    let mut progress = Progress::new(files.len());
    for file in &files {
        progress.next();
        let Err(error) = load::read(file).and_then(|saved| merge.add(saved)) else { continue };
        // What an earlier merge has left in a directory of results is none of them.
        if !args.paths.contains(file) && load::is_summary(file) {
            progress.say(&format!("left out: {}", first_line(&error)));
        } else if args.keep_going {
            skip(file, &error, &mut merge, |line| progress.say(line));
        } else {
            return Err(error);
        }
    }
    progress.end();
    if merge.is_empty() {
        return Err(Error::environment("nothing to merge: not one result could be read"));
    }
    outputs.finish(&merge.finish(command_line()));
    Ok(written(&outputs, Exit::Fine))
}

/// Goes on without a file, and says so now and in the result.
fn skip(file: &Path, error: &Error, merge: &mut Merge, say: impl Fn(&str)) {
    let reason = first_line(error);
    say(&format!("skipped: {reason}"));
    merge.skip(file.display().to_string(), reason);
}

fn compare(args: CompareArgs) -> Result<Exit> {
    let mut outputs = open(args.output)?;
    let a = runs(&args.a)?;
    let b = runs(&args.b)?;
    let (path_a, path_b) = (args.a.display().to_string(), args.b.display().to_string());
    let compared = compare::compare((path_a, &a), (path_b, &b), args.tolerance, command_line())?;
    outputs.finish(&compared);
    Ok(written(&outputs, if compared.worse { Exit::NotGood } else { Exit::Fine }))
}

fn html(args: HtmlArgs) -> Result<Exit> {
    let format = Several::formats()[0];
    let path = (args.output != Path::new("-")).then_some(args.output);
    let mut outputs = Outputs::open(&[Target { format, path }], paper::stdout())?;
    let mut sets = Vec::new();
    for path in &args.paths {
        let mut set = Set::new(path.display().to_string());
        each_run(path, |saved| set.add(saved))?;
        sets.push(set);
    }
    outputs.finish(&Several::of(sets, args.tolerance, &command_line())?);
    Ok(written(&outputs, Exit::Fine))
}

/// What is to be compared of a file, or of all in a directory.
fn runs(path: &Path) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    each_run(path, |saved| Run::of(saved).map(|run| runs.push(run)))?;
    Ok(runs)
}

/// Reads a result, or all in a directory.
fn each_run(path: &Path, mut take: impl FnMut(&Saved) -> Result<()>) -> Result<()> {
    let files = load::find(path)?;
    let mut progress = Progress::new(files.len());
    for file in &files {
        progress.next();
        match load::read(file).and_then(|saved| take(&saved)) {
            Ok(()) => {}
            Err(_) if file != path && load::is_summary(file) => {}
            Err(error) => return Err(error),
        }
    }
    progress.end();
    Ok(())
}

fn open<T: Subject>(args: SummaryArgs<T>) -> Result<Outputs<T>> {
    let mut targets = args.reports;
    if args.json {
        targets.push("json".parse().expect("it is in the list of formats"));
    }
    Outputs::open(&or_human(targets), paper::stdout())
}

fn or_human<T: Subject>(targets: Vec<Target<T>>) -> Vec<Target<T>> {
    match targets.is_empty() {
        true => vec!["human".parse().expect("it is in the list of formats")],
        false => targets,
    }
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// An error without its hint.
fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// A bar on a terminal, for work that takes long enough to be watched.
struct Progress {
    bar: ProgressBar,
    began: Instant,
}

impl Progress {
    /// Less is over before anybody looks.
    const LONG: Duration = Duration::from_millis(300);

    fn new(files: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} files, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar, began: Instant::now() }
    }

    fn next(&mut self) {
        let is_due = self.bar.is_hidden() && self.began.elapsed() > Self::LONG;
        if is_due && io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(1);
    }

    /// Prints a line without disturbing the bar.
    fn say(&self, line: &str) {
        self.bar.suspend(|| say(line));
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
