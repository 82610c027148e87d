//! `mcast-bench completions` and `mcast-bench man`: what installing wants, from the same definitions as the help.

use super::command;
use super::engine::AUTO;
use super::exit::Exit;
use super::generate_args::{CompletionsArgs, ManArgs, Shell};
use super::presets::PRESETS;
use crate::engine::ENGINES;
use crate::error::{Error, Result};
use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_mangen::Man;
use std::fs;
use std::io::{self, Write};

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    let mut program = with_values(command());
    clap_complete::generate(shell, &mut program, env!("CARGO_PKG_NAME"), &mut script);
    let script = String::from_utf8(script).expect("names and helps are text");
    // clap_complete calls a state by two names if there is a hyphen in that of the program, and finds no flags then
    // (github.com/clap-rs/clap/issues/6421).
    print(script.replace("mcast__subcmd__bench", "mcast__bench").as_bytes())
}

/// The same with words to choose from behind the flags that take such. What reads a command line says more about a wrong
/// one than that it is not among them.
fn with_values(verb: Command) -> Command {
    let name = verb.get_name().to_owned();
    verb.mut_args(|arg| match arg.get_long().map(|flag| words_of(flag, &name)) {
        Some(words) if !words.is_empty() => arg.value_parser(PossibleValuesParser::new(words)),
        _ => arg,
    })
    .mut_subcommands(with_values)
}

/// Where a flag of a verb takes one of some words, those.
fn words_of(flag: &str, verb: &str) -> Vec<&'static str> {
    let moves_load = ["run", "send", "recv"].contains(&verb);
    match flag {
        "bind" => vec!["group", "any"],
        "color" => vec!["auto", "always", "never"],
        "engine" => {
            ENGINES.iter().map(|engine| engine.name()).chain(moves_load.then_some(AUTO)).collect()
        }
        "loop" => vec!["on", "off"],
        "pace" if verb == "doctor" => vec!["txtime", "fq"],
        "pace" => vec!["auto", "spin", "sleep", "txtime", "fq"],
        "preset" => PRESETS.iter().map(|preset| preset.name).collect(),
        "timestamps" if moves_load => vec!["auto", "kernel", "hardware"],
        "timestamps" => vec!["kernel", "application"],
        _ => vec![],
    }
}

pub(super) fn man(args: &ManArgs) -> Result<Exit> {
    let mut program = command();
    // Gives verbs of verbs their whole names.
    program.build();
    let Some(directory) = &args.all else {
        return print(&page(chosen(&program, &args.verb)?));
    };
    let mut left = vec![&program];
    while let Some(verb) = left.pop() {
        let file = directory.join(format!("{}.1", name(verb)));
        fs::write(&file, page(verb))
            .map_err(|error| Error::os(format!("cannot write {}", file.display()), error))?;
        left.extend(verb.get_subcommands());
    }
    Ok(Exit::Fine)
}

/// `report`, `merge` is the `merge` of `report`.
fn chosen<'a>(program: &'a Command, words: &[String]) -> Result<&'a Command> {
    let mut verb = program;
    for word in words {
        verb = verb.find_subcommand(word).ok_or_else(|| {
            let names: Vec<_> = verb.get_subcommands().map(Command::get_name).collect();
            let error = Error::usage(format!("`{}` has no verb `{word}`", spoken(verb)));
            match names.is_empty() {
                true => error,
                false => error.hint(format!("these are: {}", names.join(", "))),
            }
        })?;
    }
    Ok(verb)
}

/// As its page is called: `mcast-bench-report-merge`.
fn name(verb: &Command) -> &str {
    verb.get_display_name().unwrap_or_else(|| verb.get_name())
}

/// As it is typed: `mcast-bench report merge`.
fn spoken(verb: &Command) -> &str {
    verb.get_bin_name().unwrap_or_else(|| verb.get_name())
}

fn page(verb: &Command) -> Vec<u8> {
    let mut page = Vec::new();
    let man = Man::new(verb.clone()).title(name(verb).to_uppercase());
    man.render(&mut page).expect("memory takes all that is written");
    page
}

fn print(text: &[u8]) -> Result<Exit> {
    let mut out = io::stdout();
    match out.write_all(text).and_then(|()| out.flush()) {
        // Who reads no further has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::os("cannot write to standard output", error))
        }
        _ => Ok(Exit::Fine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    /// Each word that is offered is taken.
    #[test]
    fn words_are_those_of_the_flags() {
        let program = command();
        let mut checked = Vec::new();
        for verb in program.get_subcommands() {
            for flag in verb.get_arguments().filter_map(|arg| arg.get_long()) {
                for word in words_of(flag, verb.get_name()) {
                    let flag = format!("--{flag}={word}");
                    let verb = verb.clone().no_binary_name(true);
                    let wrong = verb.try_get_matches_from([&flag]).err();
                    let kind = wrong.map(|error| error.kind());
                    assert!(!matches!(kind, Some(ErrorKind::ValueValidation)), "{flag}");
                    assert!(!matches!(kind, Some(ErrorKind::UnknownArgument)), "{flag}");
                    checked.push(flag);
                }
            }
        }
        for flag in ["--bind=any", "--engine=gso", "--preset=stress", "--pace=fq", "--loop=off"] {
            assert!(checked.iter().any(|checked| checked == flag), "{flag}: {checked:?}");
        }
    }
}
