//! `mcast-bench recv`: receivers only.

use super::args::RecvArgs;
use super::color::Colours;
use super::exit::Exit;
use super::{receivers, scenario, session, spec, state};
use crate::error::Result;

pub(super) fn run(args: RecvArgs, colours: Colours) -> Result<Exit> {
    let meant = spec::of_recv(&args)?;
    if args.scenario.dry_run {
        return scenario::print(&args.scenario, &meant);
    }
    if args.many.receivers > 1 {
        return receivers::run(meant, &args, colours);
    }
    let state = args.state.state.map(|path| state::open(&path, &meant)).transpose()?;
    session::run(meant, &args.groups, &args.scenario, &args.output, &args.launch, state, colours)
}
