//! Flags of `report` as typed.

use super::output_args::{report_help, report_long_help};
use crate::model::compared::Comparison;
use crate::model::merged::MergedReport;
use crate::model::report::RunReport;
use crate::report::Subject;
use crate::report::html::several;
use crate::report::output::Target;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;

const SHOW_EXAMPLES: &str = "\
Examples:
  mcast-bench report show result.json                       for people
  mcast-bench report show result.json --report csv --report hlog:result.hlog";

const MERGE_EXAMPLES: &str = "\
Examples:
  mcast-bench report merge results/                         one *.json a host, also in directories below
  mcast-bench report merge sender.json rx-*.json --report json:merged.json --report html:merged.html
  mcast-bench report merge results/ --keep-going            without those that cannot be read

Exit codes:
  0    merged
  1    a file could not be read, or with --keep-going none of them
  2    wrong usage";

const COMPARE_EXAMPLES: &str = "\
Examples:
  mcast-bench report compare before.json after.json         one run each
  mcast-bench report compare before/ after/                 directories of repeated runs, with their spread

Exit codes:
  0    nothing is worse
  1    a file could not be read
  2    wrong usage
  3    something is worse beyond the spread";

const HTML_EXAMPLES: &str = "\
Examples:
  mcast-bench report html before.json after.json -o compared.html
  mcast-bench report html a/ b/ c/ -o abc.html              directories of repeated runs

Exit codes:
  0    written
  1    a file could not be read
  2    wrong usage";

/// Flags of `report`.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct ReportArgs {
    #[command(subcommand)]
    pub(super) verb: ReportVerb,
}

/// What to do with saved results.
#[derive(Debug, Subcommand)]
pub(super) enum ReportVerb {
    /// Write a saved result in any format
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Merge the results of many hosts into one answer (RFC 5644)
    #[command(after_help = MERGE_EXAMPLES)]
    Merge(MergeArgs),
    /// Say what got better or worse from A to B
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArgs),
    /// Write several results beside each other as a page for a browser
    #[command(after_help = HTML_EXAMPLES)]
    Html(HtmlArgs),
}

/// Flags of `report show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Result saved with --report json:FILE; - is standard input
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Report to write, FORMAT or FORMAT:PATH; may be repeated [default: human]
    #[arg(long = "report", value_name = "FORMAT[:PATH]", help = report_help::<RunReport>(), long_help = report_long_help::<RunReport>())]
    pub(super) reports: Vec<Target>,
}

/// Flags of `report merge`.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Results saved with --report json:FILE, or directories that are searched for *.json
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,
    /// Leave out files that cannot be read, and say so
    #[arg(short, long)]
    pub(super) keep_going: bool,
    #[command(flatten)]
    pub(super) output: SummaryArgs<MergedReport>,
}

/// Flags of `report compare`.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// What it was before: a result, or a directory of repeated runs
    #[arg(value_name = "A")]
    pub(super) a: PathBuf,
    /// What it is now
    #[arg(value_name = "B")]
    pub(super) b: PathBuf,
    /// What counts as a difference where A or B is a single run
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = parse_percent)]
    pub(super) tolerance: f64,
    #[command(flatten)]
    pub(super) output: SummaryArgs<Comparison>,
}

/// Flags of `report html`.
#[derive(Debug, Args)]
pub(super) struct HtmlArgs {
    /// Two to six results saved with --report json:FILE, or directories of repeated runs; the first is what the
    /// others are compared to
    #[arg(value_name = "PATH", required = true, num_args = 2..=several::MOST)]
    pub(super) paths: Vec<PathBuf>,
    /// File to write; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(super) output: PathBuf,
    /// What counts as a difference where there is a single run
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = parse_percent)]
    pub(super) tolerance: f64,
}

/// What comes out of several results.
#[derive(Debug, Args)]
pub(super) struct SummaryArgs<T: Subject> {
    /// Report to write, FORMAT or FORMAT:PATH; may be repeated [default: human]
    #[arg(long = "report", value_name = "FORMAT[:PATH]", value_parser = Target::<T>::from_str, help = report_help::<T>(), long_help = report_long_help::<T>())]
    pub(super) reports: Vec<Target<T>>,
    /// The same as --report json
    #[arg(short = 'J', long)]
    pub(super) json: bool,
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
    match number {
        Some(percent @ 0.0..=1000.0) => Ok(percent / 100.0),
        _ => Err(format!("`{text}` is not a share from 0% to 1000%; shares look like `5%`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        assert_eq!(parse_percent("5%"), Ok(0.05));
        assert_eq!(parse_percent("0.5 %"), Ok(0.005));
        for text in ["5", "-1%", "%", "NaN%", "inf%", "five%"] {
            assert!(parse_percent(text).is_err(), "{text}");
        }
    }
}
