//! `mcast-bench run`: senders and receivers in one process.

use super::args::RunArgs;
use super::color::Colours;
use super::exit::Exit;
use super::{scenario, session, spec};
use crate::error::Result;

pub(super) fn run(args: RunArgs, colours: Colours) -> Result<Exit> {
    let meant = spec::of_run(&args)?;
    if args.scenario.dry_run {
        return scenario::print(&args.scenario, &meant);
    }
    session::run(meant, &args.groups, &args.scenario, &args.output, &args.launch, None, colours)
}
