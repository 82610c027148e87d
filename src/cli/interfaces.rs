//! `mcast-bench interfaces`: what --iface can be, and what has been joined where.

use super::exit::Exit;
use super::{paper, session};
use crate::error::{Error, Result};
use crate::model::interfaces::{InterfaceList, SCHEMA};
use crate::net::listing;
use crate::report::paper::Paper;
use crate::report::{human, json};
use clap::Args;
use std::io::{ErrorKind, Write};

pub(super) const INTERFACES_EXAMPLES: &str = "\
Examples:
  mcast-bench interfaces           names, addresses and groups joined on each
  mcast-bench interfaces --json    the same for scripts";

/// Flags of `interfaces`.
#[derive(Debug, Args)]
pub(super) struct InterfacesArgs {
    /// Write all as one JSON object
    #[arg(short = 'J', long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &InterfacesArgs) -> Result<Exit> {
    let list = InterfaceList {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: session::command_line(),
        interfaces: listing::all()?,
    };
    let Paper { mut out, width } = paper::stdout();
    let written = match args.json {
        true => json::write(&list, &mut out),
        false => human::interfaces::write(&list, width, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        // Who reads no further has read enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::os("cannot write to standard output", error))
        }
        _ => Ok(Exit::Fine),
    }
}
