//! The door: words to a trial, a trial to an exit code.

mod args;
mod beside;
mod capacity;
mod color;
mod doctor;
mod doctor_args;
mod dump;
mod dump_args;
mod echo;
mod interfaces;
mod interim;
mod exit;
mod join;
mod join_args;
mod live;
mod ping;
mod ping_args;
mod preflight;
mod receivers;
mod recv;
mod report;
mod generate;
mod generate_args;
mod load_args;
mod metrics_args;
mod network_args;
mod notices;
mod output_args;
mod paper;
mod report_args;
mod presets;
mod scenario;
mod scenario_args;
mod run;
mod send;
mod session;
mod soak_args;
mod spec;
mod state;
mod engine;

use crate::error::Error;
use args::{Cli, Verb};
use clap::{CommandFactory, FromArgMatches};
use color::Colours;
use exit::Exit;
use std::io::{self, Write};
use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    let words = match scenario::expand(std::env::args_os().collect()) {
        Ok(words) => words,
        Err(error) => return complain(&error).into(),
    };
    let colours =
        Colours::asked_for(std::env::args_os().filter_map(|word| word.into_string().ok()));
    let matches = command().color(colours.of_help()).try_get_matches_from(words);
    let parsed = matches.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (mut cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return answer(&error).into(),
    };
    cli.verb.keep(matches);
    let result = match cli.verb {
        Verb::Run(args) => run::run(args, cli.color),
        Verb::Send(args) => send::run(args, cli.color),
        Verb::Recv(args) => recv::run(args, cli.color),
        Verb::Ping(args) => ping::run(args, cli.color),
        Verb::Echo(args) => echo::run(args),
        Verb::Join(args) => join::run(args),
        Verb::Doctor(args) => doctor::run(args, cli.color),
        Verb::Dump(args) => dump::run(args),
        Verb::Interfaces(args) => interfaces::run(&args),
        Verb::Presets(args) => presets::run(&args),
        Verb::Report(args) => report::run(args),
        Verb::Completions(args) => generate::completions(&args),
        Verb::Man(args) => generate::man(&args),
    };
    result.unwrap_or_else(|error| complain(&error)).into()
}

fn complain(error: &Error) -> Exit {
    let _ = writeln!(io::stderr(), "error: {error}");
    Exit::of(error)
}

/// Help goes to standard output, complaints to standard error; a closed pipe is neither's fault.
fn answer(error: &clap::Error) -> Exit {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, ValueValidation};
    let text = error.render().to_string();
    let _ = match error.kind() {
        _ if !error.use_stderr() => error.print(),
        DisplayHelpOnMissingArgumentOrSubcommand => error.print(),
        // Our parsers say themselves what values look like.
        ValueValidation => writeln!(io::stderr(), "{}", first_line(&text)),
        _ => writeln!(io::stderr(), "{}\nhint: {}", first_line(&text), tip(&text)),
    };
    if error.use_stderr() { Exit::Usage } else { Exit::Fine }
}

/// What is wrong. Clap goes on over several paragraphs, where all our errors are a line and a hint.
fn first_line(complaint: &str) -> &str {
    complaint.lines().next().unwrap_or_default()
}

fn tip(complaint: &str) -> &str {
    let tip = complaint.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    tip.unwrap_or("--help shows what there is")
}

/// The command line as clap sees it; for completions, manuals and tests of the help.
pub fn command() -> clap::Command {
    scenario::with_opposites(Cli::command())
}
