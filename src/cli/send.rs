//! `mcast-bench send`: senders only.

use super::args::SendArgs;
use super::color::Colours;
use super::exit::Exit;
use super::{scenario, session, spec};
use crate::error::Result;

pub(super) fn run(args: SendArgs, colours: Colours) -> Result<Exit> {
    let meant = spec::of_send(&args)?;
    if args.scenario.dry_run {
        return scenario::print(&args.scenario, &meant);
    }
    session::run(meant, &args.groups, &args.scenario, &args.output, &args.launch, None, colours)
}
