//! Flags of `ping` and `echo` as typed.

use super::args::{GroupArgs, SendingArgs, StopArgs, with_default};
use super::live::LiveArgs;
use super::output_args::{LaunchArgs, report_help, report_long_help};
use crate::model::echo::{EchoReport, ReplyTo};
use crate::model::limit::Limit;
use crate::model::ping::{AnsweredBy, PingReport};
use crate::model::report::TimestampKind;
use crate::report::Subject;
use crate::report::output::Target;
use crate::units::Nanos;
use crate::units::duration::parse_duration;
use crate::units::rate::Rate;
use crate::units::size::Bytes;
use clap::{Arg, Args};
use std::str::FromStr;

pub(super) const PING_EXAMPLES: &str = "\
Examples:
  mcast-bench echo                          in one terminal, and
  mcast-bench ping                          in another; with --iface on two hosts
  mcast-bench ping --closed --spin -t 5s    the next when the last is answered, as fast as can be
  mcast-bench ping -I eth1 -r 10k --fail-if 'p99>200us' --fail-if 'loss>0' -J > rtt.json";

pub(super) const ECHO_EXAMPLES: &str = "\
Examples:
  mcast-bench echo                                  over loopback, on the default group, until Ctrl-C
  mcast-bench echo -I eth1 -g 239.1.1.1:5000        on as many hosts as shall answer
  mcast-bench echo -I eth1 --reply unicast --spin   to who asked alone, and as promptly as can be";

/// Flags of `ping`.
#[derive(Debug, Args)]
pub(super) struct PingArgs {
    #[command(flatten)]
    pub(super) groups: GroupArgs,
    #[command(flatten)]
    pub(super) asking: AskingArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) sending: SendingArgs,
    #[command(flatten)]
    pub(super) waiting: WaitingArgs,
    #[command(flatten)]
    pub(super) output: RoundTripOutput<PingReport>,
    #[command(flatten)]
    pub(super) live: LiveArgs,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
}

/// Flags of `echo`.
#[derive(Debug, Args)]
pub(super) struct EchoArgs {
    #[command(flatten)]
    pub(super) groups: GroupArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) answering: AnsweringArgs,
    #[command(flatten)]
    pub(super) sending: SendingArgs,
    #[command(flatten)]
    pub(super) waiting: WaitingArgs,
    #[command(flatten)]
    pub(super) output: RoundTripOutput<EchoReport>,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
}

/// How to ask.
#[derive(Debug, Args)]
#[command(next_help_heading = "Asking")]
pub(super) struct AskingArgs {
    /// Requests a second, whatever comes back (open loop) [default: 1k]
    ///
    /// Each round trip counts from the time at which its request was due, so a responder or a host that stalls cannot
    /// hide it. `1k` is requests a second, `1Mbps` bits of UDP payload a second.
    #[arg(
        short,
        long,
        value_name = "RATE",
        conflicts_with = "closed",
        allow_negative_numbers = true
    )]
    pub(super) rate: Option<Rate>,
    /// Ask again when all, or the `first`, have answered (closed loop)
    ///
    /// `--closed` alone is `--closed=all`: the responders that are known and not silent; a responder is silent when it was not heard for three
    /// timeouts. A responder that stalls is asked less often, so its stall counts once.
    #[arg(long, value_name = "WHOM", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "all", value_parser = parse_answered_by)]
    pub(super) closed: Option<AnsweredBy>,
    /// UDP payload of a request and of its reply, bytes
    ///
    /// From 94, which the responder's account takes, to 65507.
    #[arg(short, long, value_name = "BYTES", default_value = "94")]
    pub(super) size: Bytes,
    /// What takes longer is late, and what never comes is lost
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub(super) timeout: Nanos,
    /// UDP port to which replies come, for firewalls [default: one that is free]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) reply_port: Option<u16>,
}

/// How to answer.
#[derive(Debug, Args)]
#[command(next_help_heading = "Answering")]
pub(super) struct AnsweringArgs {
    /// Where to answer to: group, unicast
    ///
    /// `group`: to the same group, at the port that the request came from, so that both ways are multicast. Other
    /// responders and receivers on the group do not get it, though their switches and network cards do. `unicast`: to the
    /// address that the request came from, which leaves only the way there to multicast, and is the only way back from a
    /// source-specific group.
    #[arg(long, value_name = "WHERE", default_value = "group", value_parser = parse_reply)]
    pub(super) reply: ReplyTo,
}

/// How to wait.
#[derive(Debug, Args)]
#[command(next_help_heading = "Waiting")]
pub(super) struct WaitingArgs {
    /// Wait in a busy loop instead of in the kernel: takes a core
    ///
    /// Without it the kernel wakes the thread, and what that takes is part of the round trip: at either end.
    #[arg(long)]
    pub(super) spin: bool,
    /// Core to pin the thread to
    #[arg(long, value_name = "N")]
    pub(super) cpu: Option<usize>,
    /// Whose receive times: kernel, application
    ///
    /// The kernel's tell what waking this thread took, and so leave it out of the ways there and back; they cost about a
    /// third of a microsecond each way. `application` takes the time at which the thread got the datagram, which with
    /// --spin is nearly the same, and is what to compare a bare ping-pong loop with.
    #[arg(long, value_name = "WHOSE", default_value = "kernel", value_parser = parse_timestamps)]
    pub(super) timestamps: TimestampKind,
    /// Receive buffer of the socket
    ///
    /// Beyond net.core.rmem_max only with CAP_NET_ADMIN. The report says what was granted.
    #[arg(short = 'w', long, value_name = "BYTES", default_value = "1MiB")]
    pub(super) rcvbuf: Bytes,
}

/// What comes out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct RoundTripOutput<T: Subject> {
    // Its help is made from the list of formats.
    #[arg(long = "report", value_name = "FORMAT[:PATH]", value_parser = Target::<T>::from_str)]
    #[arg(help = report_help::<T>(), long_help = report_long_help::<T>())]
    pub(super) reports: Vec<Target<T>>,
    /// The same as --report json
    #[arg(short = 'J', long)]
    pub(super) json: bool,
    /// Time between two lines, from 10ms; 0 prints none
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    #[arg(allow_negative_numbers = true)]
    pub(super) interval: Nanos,
    /// No interval lines and no notices; only reports and errors
    #[arg(short, long)]
    pub(super) quiet: bool,
}

impl<T: Subject> RoundTripOutput<T> {
    /// Reports as asked for; two on standard output are refused when they are opened.
    pub(super) fn targets(&self) -> Vec<Target<T>> {
        let mut targets = self.reports.clone();
        let format = |name| Target::from_str(name).expect("it is in the list of formats");
        if self.json {
            targets.push(format("json"));
        }
        if targets.is_empty() {
            targets.push(format("human"));
        }
        targets
    }

    /// Whether lines are wanted.
    pub(super) fn has_lines(&self) -> bool {
        !self.quiet && self.interval > Nanos(0)
    }
}

/// What must hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct LimitArgs {
    /// Exit code 3 if this is so: 'loss>0', 'p99>200us'; repeatable
    ///
    /// `loss>0`, `loss>0.01%` (not answered in time), `p99>200us`, `max>5ms` (of the round trip), `duplicates>0`,
    /// `reordered>0`, `offered<99%`, `refused>0`, `late-p99>100us` (of the sending). Requests that were not answered
    /// in time count as infinitely late.
    #[arg(long = "fail-if", value_name = "EXPR")]
    pub(super) limits: Vec<Limit>,
}

/// Flags that `ping` shares with other verbs, in its own words.
pub(super) fn describe_ping(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "groups" => arg.help("Multicast group to ask [default: 239.255.77.77]"),
        "time" => with_default("10s")(arg),
        "count" => arg.help("How many requests"),
        "loopback" => arg.help("Whether responders on this host get a copy"),
        "cpu" => with_default("the last one")(arg),
        _ => arg,
    }
}

/// Flags that `echo` shares with other verbs, in its own words.
pub(super) fn describe_echo(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "groups" => arg.help("Multicast group to answer on [default: 239.255.77.77]"),
        "time" => with_default("until Ctrl-C")(arg),
        "count" => arg.help("How many requests"),
        "loopback" => arg.help("Whether askers on this host get a copy"),
        "cpu" => with_default("the last but one")(arg),
        _ => arg,
    }
}

fn parse_answered_by(text: &str) -> Result<AnsweredBy, String> {
    match text {
        "all" => Ok(AnsweredBy::All),
        "first" => Ok(AnsweredBy::First),
        _ => Err("it is all or first".into()),
    }
}

fn parse_timestamps(text: &str) -> Result<TimestampKind, String> {
    match text {
        "kernel" => Ok(TimestampKind::Kernel),
        "application" => Ok(TimestampKind::Application),
        _ => Err("they are kernel or application".into()),
    }
}

fn parse_reply(text: &str) -> Result<ReplyTo, String> {
    match text {
        "group" => Ok(ReplyTo::Group),
        "unicast" => Ok(ReplyTo::Unicast),
        _ => Err("it is group or unicast".into()),
    }
}
