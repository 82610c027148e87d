//! A trial as a scenario that means the same.

use super::{FLOW, OF_SENDERS, OUTSIDE, RECV, of_flow, of_verb};
use crate::cli::exit::Exit;
use crate::cli::presets;
use crate::cli::scenario_args::ScenarioArgs;
use crate::cli::spec::Meant;
use crate::error::Result;
use crate::model::environment::Interface;
use crate::model::group::Membership;
use crate::model::spec::{Flow, Load, Role, Timing, TrialSpec};
use crate::units::duration::format_duration;
use clap::{ArgAction, ArgMatches, Command};
use std::fmt::Write;

/// Prints what the command line means that `asked` is of.
pub(in crate::cli) fn print(asked: &ScenarioArgs, meant: &Meant) -> Result<Exit> {
    presets::print(&resolved(asked, meant))
}

/// What the command line means that `asked` is of, as a scenario.
pub(in crate::cli) fn resolved(asked: &ScenarioArgs, (spec, interface): &Meant) -> String {
    let parsed = asked.parsed.as_ref();
    parsed.map(|parsed| text(parsed, spec, interface)).unwrap_or_default()
}

/// The scenario of a command line, with what it leaves open as `spec` decides it.
pub(super) fn text(matches: &ArgMatches, spec: &TrialSpec, interface: &Interface) -> String {
    let Some((verb, matches)) = matches.subcommand() else { return String::new() };
    let mut lines = said(&of_verb(verb), matches);
    let has_flows = matches.get_raw("flows").is_some();
    let decided = decided(spec, interface, has_flows);
    lines.iter_mut().for_each(|line| line.complete(&decided));
    // Where a verb changes the help of a flag, that stands at the end.
    let headings: Vec<_> = lines.iter().map(|line| line.heading.clone()).collect();
    lines.sort_by_key(|line| headings.iter().position(|heading| *heading == line.heading));
    let mut text = format!("# mcast-bench {verb}\n");
    let is_own = |line: &&Line| spec.role == Role::Recv && OF_SENDERS.contains(&&*line.key);
    let mut heading = String::new();
    for line in lines.iter().filter(|line| !is_own(line) && !line.values.is_empty()) {
        if line.heading != heading {
            heading.clone_from(&line.heading);
            let _ = write!(text, "\n# {heading}\n");
        }
        line.write(&mut text);
    }
    let own: Vec<_> = lines.iter().filter(|line| is_own(line) && !line.values.is_empty()).collect();
    if !own.is_empty() {
        let _ = write!(text, "\n[{RECV}]\n");
        own.iter().for_each(|line| line.write(&mut text));
    }
    flows(matches, spec, &mut text);
    text
}

fn flows(matches: &ArgMatches, spec: &TrialSpec, text: &mut String) {
    let (of_flow, offered) = (of_flow(), spec.offered());
    let words = matches.get_raw("flows").into_iter().flatten().map(|word| word.to_string_lossy());
    for (number, words) in words.enumerate() {
        let words = shlex::split(&words).unwrap_or_default();
        let Ok(matches) = of_flow.clone().try_get_matches_from(words) else { continue };
        let _ = write!(text, "\n[[{FLOW}]]\n");
        let offered = offered.get(number).map(decided_of).unwrap_or_default();
        for mut line in said(&of_flow, &matches) {
            line.complete(&offered);
            line.write(text);
        }
    }
}

/// What the command line leaves to this program, as it was decided.
fn decided(
    spec: &TrialSpec,
    interface: &Interface,
    has_flows: bool,
) -> Vec<(&'static str, Vec<String>)> {
    let mut decided = vec![
        ("iface", vec![interface.name.clone()]),
        ("engine", vec![spec.engine.clone()]),
        ("batch", vec![spec.batch.to_string()]),
    ];
    decided.retain(|(_, values)| values != &[""]);
    if let Some(time) = spec.stop.time_ns {
        decided.push(("time", vec![format_duration(time)]));
    }
    if !has_flows {
        match &spec.offered()[..] {
            [only] => decided.extend(decided_of(only)),
            _ => decided.push(("group", named(&spec.groups))),
        }
    }
    decided
}

/// The same of one flow.
fn decided_of(flow: &Flow) -> Vec<(&'static str, Vec<String>)> {
    let Load { rate, schedule, .. } = &flow.load;
    let mut decided = vec![("group", named(&flow.groups))];
    decided.extend(rate.map(|rate| ("rate", vec![rate.to_string()])));
    if !matches!(schedule, Timing::Constant | Timing::Replay { .. }) {
        decided.push(("schedule", vec![schedule.to_string()]));
    }
    decided
}

fn named(groups: &[Membership]) -> Vec<String> {
    groups.iter().map(ToString::to_string).collect()
}

/// A flag and its values as words; none where it was not given.
struct Line {
    heading: String,
    key: String,
    values: Vec<String>,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Switch,
    One,
    Many,
}

fn said(command: &Command, matches: &ArgMatches) -> Vec<Line> {
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let args = args.filter_map(|arg| Some((arg, arg.get_long()?)));
    let args = args.filter(|(_, key)| !OUTSIDE.contains(key) && *key != FLOW);
    args.map(|(arg, key)| {
        let id = arg.get_id().as_str();
        let kind = match arg.get_action() {
            ArgAction::SetTrue => Kind::Switch,
            ArgAction::Append => Kind::Many,
            _ => Kind::One,
        };
        let is_off = kind == Kind::Switch && !matches.get_flag(id);
        let raw = matches.get_raw(id).into_iter().flatten().filter(|_| !is_off);
        let values = raw.map(|word| word.to_string_lossy().into_owned()).collect();
        let heading = arg.get_help_heading().unwrap_or_default().to_owned();
        Line { heading, key: key.to_owned(), values, kind }
    })
    .collect()
}

impl Line {
    /// Takes what was decided where nothing was given, or nothing definite: a seed is drawn, an engine picked.
    fn complete(&mut self, decided: &[(&str, Vec<String>)]) {
        let decided = decided.iter().find(|(key, _)| self.key == *key);
        let is_open = self.values.is_empty() || ["schedule", "engine"].contains(&&*self.key);
        if let Some((_, values)) = decided.filter(|_| is_open) {
            self.values.clone_from(values);
        }
    }

    fn write(&self, text: &mut String) {
        if self.values.is_empty() {
            return;
        }
        let values: Vec<_> = self.values.iter().map(|value| literal(value)).collect();
        let value = match self.kind {
            Kind::Switch => "true".to_owned(),
            Kind::One => values.concat(),
            Kind::Many => format!("[{}]", values.join(", ")),
        };
        let _ = writeln!(text, "{} = {value}", self.key);
    }
}

fn literal(word: &str) -> String {
    match word.parse::<i64>() {
        Ok(number) if number.to_string() == word => word.to_owned(),
        _ => toml::Value::from(word).to_string(),
    }
}
