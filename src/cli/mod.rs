//! The door: words to a trial, a trial to an exit code.

mod args;
mod exit;
mod recv;
mod report;
mod report_args;
mod run;
mod send;
mod session;
mod spec;

use args::{Cli, Verb};
use clap::Parser;
use exit::Exit;
use std::io::{self, Write};
use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, complaints to standard error; a closed pipe is neither's fault.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Fine }.into();
        }
    };
    let result = match cli.verb {
        Verb::Run(args) => run::run(args),
        Verb::Send(args) => send::run(args),
        Verb::Recv(args) => recv::run(args),
        Verb::Report(args) => report::run(args),
    };
    result
        .unwrap_or_else(|error| {
            let _ = writeln!(io::stderr(), "error: {error}");
            Exit::of(&error)
        })
        .into()
}

/// The command line as clap sees it; for completions, manuals and tests of the help.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}
