//! Flags of `join` as typed.

use super::args::{GroupArgs, StopArgs, with_default};
use super::output_args::LaunchArgs;
use super::ping_args::RoundTripOutput;
use crate::model::join::JoinReport;
use crate::model::limit::Limit;
use crate::units::Nanos;
use crate::units::duration::parse_duration;
use crate::units::rate::Rate;
use crate::units::size::Bytes;
use clap::{Arg, Args};

pub(super) const JOIN_EXAMPLES: &str = "\
Examples:
  mcast-bench join -I eth1 -g 239.1.1.1:5000              ten times, while somebody sends to it
  mcast-bench join -I eth1 -g 239.1.1.1+9 --zap -c 100    through ten channels: gaps and overlaps
  mcast-bench join -I eth1 -g 239.1.1.1+999 -c 1          a storm: until all have come
  mcast-bench join -I eth1 --churn 200/s -t 10s -J        200 joins and leaves a second
  mcast-bench join -I eth1 --fail-if 'loss>0' --fail-if 'leave-max>3s'     for scripts: exit code 3";

/// Flags of `join`.
#[derive(Debug, Args)]
pub(super) struct JoinArgs {
    #[command(flatten)]
    pub(super) groups: GroupArgs,
    #[command(flatten)]
    pub(super) joining: JoiningArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) output: RoundTripOutput<JoinReport>,
    #[command(flatten)]
    pub(super) limits: JoinLimitArgs,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
}

/// How to join and leave.
#[derive(Debug, Args)]
#[command(next_help_heading = "Joining")]
pub(super) struct JoiningArgs {
    /// One group after the other: leave one and join the next
    ///
    /// Without it a round joins all groups at once, and leaves them all. The report says how long there was no data, and
    /// how long both groups came to the interface.
    #[arg(long)]
    pub(super) zap: bool,
    /// Rounds a second, whatever comes [default: each when the last is done]
    ///
    /// A round that is late is not made up for.
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub(super) churn: Option<Rate>,
    /// How long to stay joined [default: 100ms; --churn: half a round]
    ///
    /// After the first datagrams have come; with --churn after the call.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) hold: Option<Nanos>,
    /// A join is not answered if nothing comes for so long
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub(super) timeout: Nanos,
    /// Silence that means stopped [default: 200ms; --churn: a quarter round]
    ///
    /// It must be longer than the gaps of the sender, which the report names, and shorter than the time between a leave
    /// and the next join.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) quiet_time: Option<Nanos>,
    /// What comes for so long after it was left does not stop
    ///
    /// Switches ask twice whether others want it, which takes two seconds (RFC 3376 section 8.8). A link without a switch
    /// that snoops never stops.
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = parse_duration)]
    pub(super) leave_timeout: Nanos,
    /// Receive buffer of each socket
    ///
    /// And of the packet socket. Beyond net.core.rmem_max only with CAP_NET_ADMIN. The report says what was granted.
    #[arg(short = 'w', long, value_name = "BYTES", default_value = "8MiB")]
    pub(super) rcvbuf: Bytes,
}

/// What must hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct JoinLimitArgs {
    /// Exit code 3 if this is so: 'loss>0', 'p99>500ms'; repeatable
    ///
    /// `loss>0`, `loss>1%` (joins that were not answered), `p99>500ms`, `max>2s` (from the call that joins to the first
    /// datagram), `leave-p99>3s`, `leave-max>3s` (from the call that leaves to the last one, where the interface is
    /// watched). What was not answered, or did not stop, counts as infinitely late.
    #[arg(long = "fail-if", value_name = "EXPR")]
    pub(super) limits: Vec<Limit>,
}

/// Flags that `join` shares with other verbs, in its own words.
pub(super) fn describe_join(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "time" => arg.help("No round begins after so long; 0 is until Ctrl-C"),
        "count" => with_default("10, unless --time is given")(arg.help("How many rounds")),
        _ => arg,
    }
}
