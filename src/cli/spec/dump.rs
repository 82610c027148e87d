//! What `dump` is to show.

use super::super::dump_args::DumpArgs;
use super::network::groups;
use super::{receive_buffer, stop};
use crate::error::{Error, Result};
use crate::model::environment::Interface;
use crate::model::group::Membership;
use crate::net::interface;
use crate::units::Nanos;
use std::path::{Path, PathBuf};

/// Flags of `dump`, understood.
pub(in crate::cli) struct DumpSpec {
    pub(in crate::cli) groups: Vec<Membership>,
    pub(in crate::cli) interfaces: Vec<Interface>,
    pub(in crate::cli) receive_buffer: usize,
    /// How long; `None`: until Ctrl-C.
    pub(in crate::cli) time: Nanos,
    /// How many datagrams.
    pub(in crate::cli) count: u64,
    /// Whether there are lines.
    pub(in crate::cli) lines: bool,
    pub(in crate::cli) capture: Option<Capture>,
}

/// Where a capture goes.
pub(in crate::cli) enum Capture {
    /// Standard output, instead of lines.
    StandardOutput,
    /// A file.
    File(PathBuf),
}

/// What `dump` means.
pub(in crate::cli) fn of_dump(args: &DumpArgs) -> Result<DumpSpec> {
    let output = &args.output;
    let capture = output.pcap.clone().map(|path| match path == Path::new("-") {
        true => Capture::StandardOutput,
        false => Capture::File(path),
    });
    let takes_output = matches!(capture, Some(Capture::StandardOutput));
    let form = [(output.json, "--json"), (output.hex, "--hex")].into_iter().find(|(is, _)| *is);
    if let Some((_, form)) = form.filter(|_| takes_output) {
        return Err(Error::usage(format!("{form} and --pcap - would mix on standard output"))
            .hint("give --pcap a file"));
    }
    let stop = stop(&args.stop, None)?;
    let iface = args.groups.iface.iter();
    let mut interfaces = iface.map(|text| interface::resolve(text)).collect::<Result<Vec<_>>>()?;
    if interfaces.is_empty() {
        interfaces.push(interface::loopback()?);
    }
    Ok(DumpSpec {
        groups: groups(&args.groups)?,
        interfaces,
        receive_buffer: receive_buffer(args.rcvbuf.0)?,
        time: stop.time_ns.unwrap_or(Nanos(u64::MAX)),
        count: stop.count.unwrap_or(u64::MAX),
        lines: !output.quiet && !takes_output,
        capture,
    })
}
