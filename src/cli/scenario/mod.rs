//! Scenarios: a trial in a file. It becomes flags that stand before those of the command line, so that there is one
//! place for what a flag means, its default and its refusals.

mod file;
mod print;

pub(super) use print::{print, resolved};

use super::presets::Preset;
use super::spec::measures;
use crate::error::Result;
use crate::model::limit::Limit;
use crate::model::spec::Role;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use file::{Document, Entry, Said};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Verbs that have scenarios.
const VERBS: [(&str, Role); 3] = [("run", Role::Run), ("send", Role::Send), ("recv", Role::Recv)];

/// Flags that no scenario says.
const OUTSIDE: [&str; 5] = ["scenario", "preset", "dry-run", "help", "version"];

/// Flags of `recv` that also are a sender's, and mean its own there.
const OF_SENDERS: [&str; 3] = ["time", "count", "threads"];

/// The table that is for `recv` alone.
const RECV: &str = "recv";
/// The tables that are flows.
const FLOW: &str = "flow";

/// The program with a flag `--no-NAME` for each switch that a scenario can say, since what it says can be overridden. Help
/// says so once.
pub(super) fn with_opposites(program: Command) -> Command {
    program.mut_subcommands(|verb| {
        if VERBS.iter().all(|(name, _)| *name != verb.get_name()) {
            return verb;
        }
        let opposite_of = |arg: &Arg| {
            let key = arg.get_long().filter(|key| !OUTSIDE.contains(key))?;
            matches!(arg.get_action(), ArgAction::SetTrue).then(|| format!("no-{key}"))
        };
        let opposites = verb.get_arguments().filter_map(|arg| {
            let off = opposite_of(arg)?;
            let opposite = Arg::new(off.clone()).long(off).action(ArgAction::SetTrue);
            let help = format!("Not --{}", arg.get_long()?);
            Some(opposite.help(help).hide(true).overrides_with(arg.get_id()))
        });
        let opposites: Vec<_> = opposites.collect();
        let verb = verb.mut_args(|arg| match opposite_of(&arg) {
            Some(off) => arg.overrides_with(off),
            None => arg,
        });
        verb.args(opposites)
    })
}

/// A command line with its scenario or preset, if it has one, turned into flags. What it says itself goes before that.
pub(super) fn expand(words: Vec<OsString>) -> Result<Vec<OsString>> {
    let asks = |word: &OsString| {
        word.to_str().is_some_and(|word| {
            ["--scenario", "--preset"].iter().any(|flag| word.starts_with(flag))
        })
    };
    // To parse is to read files of groups, which may be pipes.
    if !words.iter().any(asks) {
        return Ok(words);
    }
    // What is wrong with the command line itself is for others to say.
    let matches = super::command().ignore_errors(true).try_get_matches_from(&words).ok();
    let Some((verb, matches)) = matches.as_ref().and_then(ArgMatches::subcommand) else {
        return Ok(words);
    };
    let Some((_, role)) = VERBS.iter().find(|(name, _)| verb == *name).copied() else {
        return Ok(words);
    };
    let Some(document) = document(matches)? else { return Ok(words) };
    let flags = Flags { command: of_verb(verb), role, typed: Some(matches) };
    let said = flags.all(&document)?;
    // Before it are flags of the program, none of which takes the name of a verb.
    let verb_at = words.iter().skip(1).position(|word| word == verb);
    let behind = verb_at.map_or(words.len(), |at| at + 2);
    Ok([&words[..behind], &said, &words[behind..]].concat())
}

/// What was asked for; nothing where it is both.
fn document(matches: &ArgMatches) -> Result<Option<Document>> {
    let file = matches.get_one::<PathBuf>("scenario").map(PathBuf::as_path);
    let preset = matches.get_one::<&'static Preset>("preset");
    match (file, preset) {
        (Some(file), None) => read(file).map(Some),
        (None, Some(preset)) => {
            Document::parse(&format!("preset {}", preset.name), preset.text).map(Some)
        }
        _ => Ok(None),
    }
}

fn read(file: &Path) -> Result<Document> {
    Document::parse(&file.display().to_string(), &file::read(file)?)
}

fn of_verb(verb: &str) -> Command {
    let command = super::command();
    command.find_subcommand(verb).cloned().unwrap_or(command)
}

fn of_flow() -> Command {
    <super::scenario_args::FlowArgs as clap::CommandFactory>::command()
}

/// Makes flags of one verb.
struct Flags<'a> {
    command: Command,
    role: Role,
    /// The command line.
    typed: Option<&'a ArgMatches>,
}

impl Flags<'_> {
    fn all(&self, document: &Document) -> Result<Vec<OsString>> {
        let mut words = Vec::new();
        let [run, recv] = ["run", RECV].map(of_verb);
        for entry in &document.entries {
            let known =
                arg(&run, &entry.key).map(|_| &run).or(arg(&recv, &entry.key).map(|_| &recv));
            let known = known.ok_or_else(|| document.unknown(entry, &run))?;
            document.check(entry, known)?;
            let is_others = self.role == Role::Recv && OF_SENDERS.contains(&&*entry.key);
            if !is_others {
                words.extend(self.words(entry));
            }
        }
        for entry in &document.recv {
            document.check(entry, &recv)?;
            if self.role == Role::Recv {
                words.extend(self.words(entry));
            }
        }
        let of_flow = of_flow();
        for flow in &document.flows {
            let mut own = Vec::new();
            for entry in flow {
                document.check(entry, &of_flow)?;
                let is_typed = arg(&self.command, &entry.key).is_some_and(|arg| self.is_typed(arg));
                if !is_typed {
                    own.extend(words_of(entry));
                }
            }
            if !self.is_typed_flow() {
                let own = own.iter().map(String::as_str);
                let own = shlex::try_join(own).expect("what has NUL was refused");
                words.push(format!("--{FLOW}={own}").into());
            }
        }
        Ok(words)
    }

    /// The words of an entry that this verb has a flag for, unless the command line says otherwise.
    fn words(&self, entry: &Entry) -> Vec<OsString> {
        let Some(own) = arg(&self.command, &entry.key) else { return Vec::new() };
        let excludes = |a: &Arg, b: &Arg| {
            self.command.get_arg_conflicts_with(a).iter().any(|other| other.get_id() == b.get_id())
        };
        let is_excluded = self
            .command
            .get_arguments()
            .any(|other| self.is_typed(other) && (excludes(own, other) || excludes(other, own)));
        if self.is_typed(own) || is_excluded {
            return Vec::new();
        }
        let measured = |word: &String| {
            let limit =
                word.strip_prefix("--fail-if=").and_then(|limit| limit.parse::<Limit>().ok());
            // What no side measures is for others to refuse.
            limit.is_none_or(|limit| measures(self.role, &limit) || !measures(Role::Run, &limit))
        };
        words_of(entry).into_iter().filter(measured).map(OsString::from).collect()
    }

    fn is_typed_flow(&self) -> bool {
        let mut args = self.command.get_arguments();
        args.any(|arg| arg.get_long() == Some(FLOW) && self.is_typed(arg))
    }

    fn is_typed(&self, arg: &Arg) -> bool {
        let id = arg.get_id().as_str();
        self.typed.and_then(|typed| typed.value_source(id)) == Some(ValueSource::CommandLine)
    }
}

/// The flag of a key.
fn arg<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    let is_inside = !OUTSIDE.contains(&key) && key != FLOW;
    command
        .get_arguments()
        .find(|arg| is_inside && !arg.is_hide_set() && arg.get_long() == Some(key))
}

/// An entry as flags: one word each, so that no value is taken for a flag.
fn words_of(entry: &Entry) -> Vec<String> {
    let key = &entry.key;
    match &entry.said {
        Said::Switch(true) => vec![format!("--{key}")],
        Said::Switch(false) => Vec::new(),
        Said::One(value) => vec![format!("--{key}={value}")],
        Said::Many(values) => values.iter().map(|(_, value)| format!("--{key}={value}")).collect(),
    }
}

#[cfg(test)]
mod tests;
