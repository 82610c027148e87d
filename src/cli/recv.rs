//! `mcast-bench recv`: receivers only.

use super::args::RecvArgs;
use super::exit::Exit;
use super::{session, spec};
use crate::error::Result;

pub(super) fn run(args: RecvArgs) -> Result<Exit> {
    let meant = spec::of_recv(&args)?;
    session::run(meant, &args.groups, &args.output, &args.launch)
}
