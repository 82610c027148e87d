//! Flags for trials that last for days.

use crate::report::rotate::{Full, Rotation};
use clap::Args;
use std::path::PathBuf;

/// How reports that grow are spread over files.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct RotateArgs {
    /// Begin a new file of jsonl, csv or hlog so often: '100MB', '1h'
    ///
    /// Each is whole and readable alone. A full one is called PATH.TIME, by the UTC time at which it was begun
    /// (PATH.20260131T120000.250Z); what is being written is PATH.partial. Other reports are written at the end, once.
    #[arg(long, value_name = "SIZE|TIME")]
    rotate: Option<Full>,
    /// Full files that stay; older ones are removed [default: all]
    #[arg(long, value_name = "N", requires = "rotate")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    rotate_keep: Option<u16>,
}

impl RotateArgs {
    /// What was asked for.
    pub(super) fn rotation(&self) -> Option<Rotation> {
        let keep = self.rotate_keep.map(usize::from);
        self.rotate.map(|full| Rotation { full, keep })
    }
}

/// How a receiver goes on where it was.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct StateArgs {
    /// Go on counting from where FILE says that it was left
    ///
    /// It is written every ten seconds, if intervals end so often, and at the end, and made when it is missing. The report
    /// says since when it counts. What was sent while nobody was there is not lost but away; after a kill, what came since
    /// it was last written is, too. One receiver at a time has it. A file of other groups, interfaces or loss threshold, or
    /// one that cannot be read, is kept as FILE.refused, and counting begins anew.
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
}
