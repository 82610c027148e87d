//! Flags of `dump` as typed.

use super::args::{GroupArgs, StopArgs, with_default};
use super::output_args::LaunchArgs;
use crate::units::size::Bytes;
use clap::{Arg, Args};
use std::path::PathBuf;

pub(super) const DUMP_EXAMPLES: &str = "\
Examples:
  mcast-bench dump                                 what arrives on loopback, until Ctrl-C
  mcast-bench dump -I eth1 -g 239.1.1.1:5000 --hex -c 1
  mcast-bench dump -I eth1 -g 239.1.1.1 --pcap feed.pcap
  mcast-bench dump -I eth1 -g 239.1.1.1 --pcap - | tcpdump -nvr -";

/// Flags of `dump`.
#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    #[command(flatten)]
    pub(super) groups: GroupArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    /// Receive buffer of each socket
    ///
    /// Beyond net.core.rmem_max only with CAP_NET_ADMIN. What comes faster than it is written waits there; what has no
    /// room is dropped, counted, and told.
    #[arg(short = 'w', long, value_name = "BYTES", default_value = "8MiB")]
    #[arg(help_heading = "Receiving")]
    pub(super) rcvbuf: Bytes,
    #[command(flatten)]
    pub(super) output: DumpOutput,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
}

/// What comes out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct DumpOutput {
    /// Also the bytes of each datagram, 16 a line
    ///
    /// With --json as a field of hexadecimal digits.
    #[arg(long)]
    pub(super) hex: bool,
    /// A JSON object a line
    #[arg(short = 'J', long)]
    pub(super) json: bool,
    /// Also write a capture that Wireshark opens; `-`: to standard output
    ///
    /// pcap with nanoseconds, packets from the IP header on: addresses, ports, TTL, payload and times are those of the
    /// datagrams, all else a socket does not say. A file gets its name when it is whole; until then it is called
    /// FILE.partial. To standard output it replaces the lines.
    #[arg(long, value_name = "FILE")]
    pub(super) pcap: Option<PathBuf>,
    /// No lines and no notices; only the capture and errors
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// Flags that `dump` shares with other verbs, in its own words.
pub(super) fn describe_dump(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "time" => with_default("until Ctrl-C")(arg),
        "count" => arg.help("How many datagrams"),
        _ => arg,
    }
}
