//! Flags of `doctor` as typed.

use super::args::{GroupArgs, with_default};
use super::load_args::parse_pace;
use crate::model::spec::Pace;
use crate::units::Nanos;
use crate::units::duration::parse_duration;
use crate::units::rate::Rate;
use crate::units::size::Bytes;
use clap::{Arg, Args};

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  mcast-bench doctor                                     can this host measure over loopback?
  mcast-bench doctor -I eth1 -g 239.1.1.1:5000 -r 100k   is it fit for this load on eth1?
  mcast-bench doctor -I eth1 -g 239.1.1.1 --listen=30s   what comes in, and what is dropped?
  mcast-bench doctor -e af_xdp                           what does this engine lack here?

Exit codes:
  0    fit: no problem found
  1    could not look
  2    wrong usage
  3    problems found";

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) groups: GroupArgs,
    #[command(flatten)]
    pub(super) fitness: FitnessArgs,
    /// Write all as one JSON object
    #[arg(short = 'J', long, help_heading = "Output")]
    pub(super) json: bool,
}

/// What for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Fit for what")]
pub(super) struct FitnessArgs {
    /// Load that is to come; without it no buffer is too small
    ///
    /// `100k` is datagrams a second, `1.5Gbps` bits of UDP payload.
    #[arg(short, long, value_name = "RATE")]
    pub(super) rate: Option<Rate>,
    /// UDP payload of a datagram, bytes
    #[arg(short, long, value_name = "BYTES", default_value = "1316")]
    pub(super) size: Bytes,
    /// Receive buffer that receivers will ask for
    #[arg(short = 'w', long, value_name = "BYTES", default_value = "8MiB")]
    pub(super) rcvbuf: Bytes,
    /// Engine that must work [default: any]
    #[arg(short, long, value_name = "NAME")]
    pub(super) engine: Option<String>,
    /// Pacing that must work, as for `send`: txtime or fq
    #[arg(long, value_name = "HOW", value_parser = parse_pace)]
    pub(super) pace: Option<Pace>,
    /// Watch what comes in and what is dropped while others send; alone for 10s
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "10s", value_parser = parse_duration)]
    pub(super) listen: Option<Nanos>,
}

/// Flags that `doctor` shares with other verbs, in its own words.
pub(super) fn describe_doctor(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "groups" => with_default("239.255.77.77")(
            arg.help("Multicast group that must work; may be repeated"),
        ),
        _ => arg,
    }
}
