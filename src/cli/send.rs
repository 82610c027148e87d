//! `mcast-bench send`: senders only.

use super::args::SendArgs;
use super::color::Colours;
use super::exit::Exit;
use super::{session, spec};
use crate::error::Result;

pub(super) fn run(args: SendArgs, colours: Colours) -> Result<Exit> {
    let meant = spec::of_send(&args)?;
    session::run(meant, &args.groups, &args.output, &args.launch, colours)
}
