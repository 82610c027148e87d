//! `mcast-bench run`: senders and receivers in one process.

use super::args::RunArgs;
use super::color::Colours;
use super::exit::Exit;
use super::{session, spec};
use crate::error::Result;

pub(super) fn run(args: RunArgs, colours: Colours) -> Result<Exit> {
    let meant = spec::of_run(&args)?;
    session::run(meant, &args.groups, &args.output, &args.launch, colours)
}
