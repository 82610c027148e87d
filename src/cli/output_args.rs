//! Flags that say what comes out, and when to start.

use super::live::LiveArgs;
use super::metrics_args::MetricsArgs;
use super::soak_args::RotateArgs;
use crate::model::limit::Limit;
use crate::model::report::RunReport;
use crate::report::Subject;
use crate::report::output::Target;
use crate::units::Nanos;
use crate::units::duration::parse_duration;
use clap::Args;
use std::path::PathBuf;
use std::time::SystemTime;

/// What comes out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    // Its help is made from the list of formats.
    #[arg(long = "report", value_name = "FORMAT[:PATH]")]
    #[arg(help = report_help::<RunReport>(), long_help = report_long_help::<RunReport>())]
    pub(super) reports: Vec<Target>,
    /// The same as --report json
    #[arg(short = 'J', long)]
    pub(super) json: bool,
    /// Time between two lines, from 10ms; 0 prints none
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    #[arg(allow_negative_numbers = true)]
    pub(super) interval: Nanos,
    /// Exit code 3 if this is so: 'loss>0.01%', 'p99>200us'; repeatable
    ///
    /// `loss>0`, `loss>0.01%`, `p99>200us`, `max>5ms`, `reordered>0`, `duplicates>0`, `corrupt>0`,
    /// `offered<99%`, `refused>0`, `late-p99>100us`. Lost datagrams count as infinitely late.
    #[arg(long = "fail-if", value_name = "EXPR")]
    pub(super) limits: Vec<Limit>,
    /// No interval lines and no notices; only reports and errors
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Say before the start all that the trial will be
    ///
    /// As --dry-run prints it, on standard error.
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) rotate: RotateArgs,
    #[command(flatten)]
    pub(super) live: LiveArgs,
    #[command(flatten)]
    pub(super) metrics: MetricsArgs,
}

/// For those who start several.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Launching")]
pub(super) struct LaunchArgs {
    /// File to write when everything is open and joined
    ///
    /// A file that an earlier trial left there is removed first, so that waiting for it is enough.
    #[arg(long, value_name = "PATH")]
    pub(super) ready_file: Option<PathBuf>,
}

/// When to start.
#[derive(Debug, Args)]
#[command(next_help_heading = "Launching")]
pub(super) struct StartArgs {
    /// Wall clock time at which to start, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(super) start_at: Option<SystemTime>,
}

fn parse_time(text: &str) -> Result<SystemTime, String> {
    humantime::parse_rfc3339(text)
        .map_err(|error| format!("{error}; times look like `2026-01-31T12:00:00Z`"))
}

pub(super) fn report_help<T: Subject>() -> String {
    let names: Vec<_> = T::formats().iter().map(|format| format.name()).collect();
    format!("{} [default: human]", names.join(", "))
}

pub(super) fn report_long_help<T: Subject>() -> String {
    let formats = T::formats().iter();
    let lines = formats.map(|format| format!("\n  {:8} {}", format.name(), format.about()));
    format!(
        "Report to write, FORMAT or FORMAT:PATH; may be repeated [default: human]\n\n\
         Without a path it goes to standard output. Files are opened before the trial and get their name when \
         they are whole.\n{}",
        lines.collect::<String>()
    )
}
