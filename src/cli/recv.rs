//! `mcast-bench recv`: receivers only.

use super::args::RecvArgs;
use super::color::Colours;
use super::exit::Exit;
use super::{receivers, session, spec};
use crate::error::Result;

pub(super) fn run(args: RecvArgs, colours: Colours) -> Result<Exit> {
    let meant = spec::of_recv(&args)?;
    if args.many.receivers > 1 {
        return receivers::run(meant, &args, colours);
    }
    session::run(meant, &args.groups, &args.output, &args.launch, colours)
}
