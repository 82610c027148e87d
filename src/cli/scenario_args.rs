//! Flags that say a whole trial, or another flow of it.

use super::load_args::{Shape, SizeList};
use super::network_args::{GroupWord, parse_groups};
use super::presets::{Preset, parse_preset};
use crate::units::count::parse_count;
use crate::units::rate::Rate;
use clap::{ArgMatches, Args, Parser};
use std::path::PathBuf;

/// A trial that somebody has written down.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Scenario")]
pub(super) struct ScenarioArgs {
    /// File that says the trial; flags override it
    ///
    /// TOML. Its keys are the long flags: `rate = "100k"`, `group = ["239.1.1.1:5000"]`, `variation = true`. Each table
    /// `[[flow]]` is a --flow. A file serves `run`, `send` and `recv`: each takes what it has a flag for. `time`, `count`
    /// and `threads` are the senders'; what a table `[recv]` says is for `recv` alone. What it
    /// switches on, `--no-` and its name switch off.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub(super) scenario: Option<PathBuf>,
    /// Scenario that comes with this program; `presets` lists them
    #[arg(long, value_name = "NAME", value_parser = parse_preset)]
    pub(super) preset: Option<&'static Preset>,
    /// Print the trial as a scenario, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Senders of their own for some groups: '-g 239.1.1.1 -r 5k'; repeatable
    ///
    /// With --group, --rate, --size, --schedule, --burst and --threads. What a flow does not say is as said outside of it.
    /// `recv` joins the groups of all flows. Quotes keep words together: "-g '@my groups.txt'".
    #[arg(long = "flow", value_name = "FLAGS", value_parser = parse_flow)]
    #[arg(allow_hyphen_values = true)]
    pub(super) flows: Vec<FlowArgs>,
    /// The command line that this is of, with its scenario turned into flags.
    #[arg(skip)]
    pub(super) parsed: Option<ArgMatches>,
}

/// What a flow can have of its own.
#[derive(Clone, Debug, Default, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
pub(super) struct FlowArgs {
    #[arg(short, long = "group", value_parser = parse_groups)]
    pub(super) groups: Vec<GroupWord>,
    #[arg(short, long)]
    pub(super) rate: Option<Rate>,
    #[arg(short, long)]
    pub(super) size: Option<SizeList>,
    #[arg(long)]
    pub(super) schedule: Option<Shape>,
    #[arg(long, value_parser = parse_count)]
    pub(super) burst: Option<u64>,
    #[arg(short = 'P', long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
}

fn parse_flow(text: &str) -> Result<FlowArgs, String> {
    let words = shlex::split(text).ok_or("a quote in it has no end")?;
    FlowArgs::try_parse_from(words).map_err(|error| {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        first.trim_start_matches("error: ").to_owned()
    })
}
