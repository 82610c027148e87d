//! The door: words to a trial, a trial to an exit code.

mod args;
mod exit;
mod recv;
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
            return answer(&error).into();
        }
    };
    let result = match cli.verb {
        Verb::Run(args) => run::run(args),
        Verb::Send(args) => send::run(args),
        Verb::Recv(args) => recv::run(args),
    };
    result
        .unwrap_or_else(|error| {
            let _ = writeln!(io::stderr(), "error: {error}");
            Exit::of(&error)
        })
        .into()
}

/// Help goes to standard output, complaints to standard error; a closed pipe is neither's fault.
fn answer(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Fine;
    }
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return Exit::Usage;
    }
    let _ = writeln!(io::stderr(), "{}", complaint(&error.render().to_string()));
    Exit::Usage
}

/// What clap says over several paragraphs, as all our errors are said: what is wrong, and what to do.
fn complaint(text: &str) -> String {
    let what = text.lines().next().unwrap_or_default();
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    format!("{what}\nhint: {}", tip.unwrap_or("--help shows what there is"))
}

/// The command line as clap sees it; for completions, manuals and tests of the help.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_a_line_and_a_hint() {
        let text = "error: unexpected argument '--raet' found\n\n  tip: a similar argument exists: '--rate'\n\n\
                    Usage: mcast-bench run --rate <RATE>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            complaint(text),
            "error: unexpected argument '--raet' found\nhint: a similar argument exists: '--rate'"
        );
        let text = "error: invalid value 'x' for '--port <PORT>': invalid digit found in string\n\n\
                    For more information, try '--help'.\n";
        assert_eq!(
            complaint(text),
            "error: invalid value 'x' for '--port <PORT>': invalid digit found in string\n\
             hint: --help shows what there is"
        );
    }
}
