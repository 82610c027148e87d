//! Flags as typed. What they mean together is decided in `spec`.

use super::color::Colours;
use super::doctor_args::{DOCTOR_EXAMPLES, DoctorArgs, describe_doctor};
use super::dump_args::{DUMP_EXAMPLES, DumpArgs, describe_dump};
use super::generate_args::{COMPLETIONS_EXAMPLES, CompletionsArgs, MAN_EXAMPLES, ManArgs};
use super::interfaces::{INTERFACES_EXAMPLES, InterfacesArgs};
use super::join_args::{JOIN_EXAMPLES, JoinArgs, describe_join};
use super::load_args::LoadArgs;
use super::network_args::{GroupWord, ListenArgs, SourceArgs, parse_groups};
use super::output_args::{LaunchArgs, OutputArgs, StartArgs};
use super::ping_args::{ECHO_EXAMPLES, PING_EXAMPLES};
use super::ping_args::{EchoArgs, PingArgs, describe_echo, describe_ping};
use super::presets::{PRESETS_EXAMPLES, PresetsArgs};
use super::report_args::ReportArgs;
use super::scenario_args::ScenarioArgs;
use super::soak_args::StateArgs;
use crate::model::spec::Timestamps;
use crate::units::Nanos;
use crate::units::count::parse_count;
use crate::units::duration::parse_duration;
use crate::units::rate::Rate;
use crate::units::size::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Args, Parser, Subcommand};

const ABOUT: &str = "Multicast benchmark and load generator: how much a path or a host can take, what it loses, \
                     and how late it is";

const FIRST_STEPS: &str = "\
Examples:
  mcast-bench run               what this host can do: needs no arguments, no root and no network
  mcast-bench recv              in one terminal, and
  mcast-bench send --rate 10k   in another; with --iface on two hosts
  mcast-bench run --help        all that can be asked for";

const RUN_EXAMPLES: &str = "\
Examples:
  mcast-bench run                         100,000 datagrams a second over loopback, for 10 seconds
  mcast-bench run --rate max --time 5s    as fast as this host goes
  mcast-bench run -g 239.1.1.1+9 -P 2     two senders, ten groups
  mcast-bench run --fail-if 'loss>0' --fail-if 'p99>200us' -J > result.json";

const SEND_EXAMPLES: &str = "\
Examples:
  mcast-bench send --rate 100k --size 1316                over loopback, to the default group
  mcast-bench send -I eth1 -g 239.1.1.1:5000 -r 1.5Gbps   through eth1; bits of UDP payload a second
  mcast-bench send -I eth1 -r 10k --burst 7 -t 0          bursts of 7, until Ctrl-C
  mcast-bench send -r 50k --schedule poisson              at random times, on average 50,000 a second
  mcast-bench send --replay feed.pcap --replay-speed 2x   as captured, twice as fast
  mcast-bench send -I eth1 -g 192.0.2.1@232.1.1.1:5000    from one source address (SSM)";

const RECV_EXAMPLES: &str = "\
Examples:
  mcast-bench recv --report hdr                           until the senders it hears have ended
  mcast-bench recv -I eth1 -g 239.1.1.1:5000 --report json:result.json --report human
  mcast-bench recv -I eth1 -g 192.0.2.1@232.1.1.1:5000    source-specific (SSM)
  mcast-bench recv -t 60s --fail-if 'loss>0.01%'          exit code 3 if more is lost";

const EXIT_CODES: &str = "\
Exit codes:
  0    ran, is valid, and every --fail-if held
  1    could not run
  2    wrong usage
  3    ran, but the trial is invalid or a --fail-if did not hold
  4    a receiver heard nothing, or nobody answered
  130  interrupted; the report is written all the same";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "mcast-bench", version, about = ABOUT)]
#[command(after_help = FIRST_STEPS, after_long_help = with_exit_codes(FIRST_STEPS))]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub(super) struct Cli {
    /// Colours: auto, always or never
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        global = true,
        help_heading = "Output"
    )]
    pub(super) color: Colours,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Send and receive in one process, and say what became of every datagram
    #[command(after_help = RUN_EXAMPLES, after_long_help = with_exit_codes(RUN_EXAMPLES))]
    #[command(mut_arg("rate", with_default("100k")), mut_arg("time", with_default("10s")))]
    Run(RunArgs),
    /// Send to groups at a rate
    #[command(after_help = SEND_EXAMPLES, after_long_help = with_exit_codes(SEND_EXAMPLES))]
    #[command(mut_arg("rate", with_default("1k")), mut_arg("time", with_default("10s")))]
    #[command(mut_arg("threads", |arg| arg.help("Threads that send, each to all groups")))]
    Send(SendArgs),
    /// Join groups and count what arrives, what is missing, and how late it is
    #[command(after_help = RECV_EXAMPLES, after_long_help = with_exit_codes(RECV_EXAMPLES))]
    #[command(mut_arg("time", with_default("until its senders have ended")))]
    #[command(mut_arg("threads", |arg| arg.help("Threads that receive, each with groups of its own")))]
    Recv(RecvArgs),
    /// Ask over multicast and time the answers: round trips, and what was lost which way
    #[command(after_help = PING_EXAMPLES, after_long_help = with_exit_codes(PING_EXAMPLES))]
    #[command(mut_args(describe_ping))]
    Ping(PingArgs),
    /// Answer what `ping` asks
    #[command(after_help = ECHO_EXAMPLES, after_long_help = with_exit_codes(ECHO_EXAMPLES))]
    #[command(mut_args(describe_echo))]
    Echo(EchoArgs),
    /// Join and leave groups that flow, and time when they come and when they stop
    #[command(after_help = JOIN_EXAMPLES, after_long_help = with_exit_codes(JOIN_EXAMPLES))]
    #[command(mut_args(describe_join))]
    Join(JoinArgs),
    /// Look whether this host is fit to measure, what spoils it, and how to mend that
    #[command(after_help = DOCTOR_EXAMPLES)]
    #[command(mut_args(describe_doctor))]
    Doctor(DoctorArgs),
    /// Join groups and show each datagram that arrives
    #[command(after_help = DUMP_EXAMPLES, after_long_help = with_exit_codes(DUMP_EXAMPLES))]
    #[command(mut_args(describe_dump))]
    Dump(DumpArgs),
    /// List the interfaces of this host, and the groups joined on each
    #[command(after_help = INTERFACES_EXAMPLES)]
    Interfaces(InterfacesArgs),
    /// List the scenarios that come with this program, or show one
    #[command(after_help = PRESETS_EXAMPLES)]
    Presets(PresetsArgs),
    /// Show, merge or compare saved results
    Report(ReportArgs),
    /// Write completions for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write a manual page
    #[command(after_help = MAN_EXAMPLES)]
    Man(ManArgs),
}

impl Verb {
    /// Keeps what was parsed, for who prints it as a scenario.
    pub(super) fn keep(&mut self, parsed: ArgMatches) {
        let asked = match self {
            Self::Run(args) => &mut args.scenario,
            Self::Send(args) => &mut args.scenario,
            Self::Recv(args) => &mut args.scenario,
            _ => return,
        };
        asked.parsed = Some(parsed);
    }
}

fn with_exit_codes(examples: &str) -> String {
    format!("{examples}\n\n{EXIT_CODES}")
}

/// Verbs share flags, but not all their defaults. These are decided in `spec`, and told here.
pub(super) fn with_default(default: &'static str) -> impl FnOnce(Arg) -> Arg {
    move |arg| {
        let short = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let long = arg.get_long_help().map_or(short.clone(), ToString::to_string);
        arg.help(format!("{short} [default: {default}]"))
            .long_help(format!("{long}\n\n[default: {default}]"))
    }
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) scenario: ScenarioArgs,
    #[command(flatten)]
    pub(super) groups: GroupArgs,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) sending: SendingArgs,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    #[command(flatten)]
    pub(super) receiving: ReceivingArgs,
    #[command(flatten)]
    pub(super) listening: ListenArgs,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
    #[command(flatten)]
    pub(super) start: StartArgs,
}

/// Flags of `send`.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    #[command(flatten)]
    pub(super) scenario: ScenarioArgs,
    #[command(flatten)]
    pub(super) groups: GroupArgs,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) sending: SendingArgs,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
    #[command(flatten)]
    pub(super) start: StartArgs,
}

/// Flags of `recv`.
#[derive(Debug, Args)]
pub(super) struct RecvArgs {
    #[command(flatten)]
    pub(super) scenario: ScenarioArgs,
    #[command(flatten)]
    pub(super) groups: GroupArgs,
    #[command(flatten)]
    pub(super) many: ManyArgs,
    #[command(flatten)]
    pub(super) state: StateArgs,
    #[command(flatten)]
    pub(super) stop: StopArgs,
    #[command(flatten)]
    pub(super) receiving: ReceivingArgs,
    #[command(flatten)]
    pub(super) listening: ListenArgs,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
}

/// Where to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Groups")]
pub(super) struct GroupArgs {
    /// Multicast group; may be repeated [default: 239.255.77.77]
    ///
    /// `239.1.1.1`, with a port `239.1.1.1:5000`, a range of 100 `239.1.1.1+99`, source-specific
    /// `192.0.2.1@232.1.1.1:5000` or from several `192.0.2.1,192.0.2.2@232.1.1.1`, IPv6 `[ff15::1]:5000`; `@FILE` has
    /// one of these a line.
    #[arg(short, long = "group", value_name = "GROUP", value_parser = parse_groups)]
    pub(super) groups: Vec<GroupWord>,
    /// UDP port of groups that name none
    #[arg(short, long, value_name = "PORT", default_value = "5777")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) port: u16,
    /// Interface by name, index or address [default: loopback]
    #[arg(short = 'I', long, value_name = "IFACE", env = "MCAST_BENCH_IFACE", hide_env = true)]
    #[arg(long_help = "Interface by name, index or address [default: loopback]\n\n\
                       Without it all traffic stays on this host. `recv` takes several, joins the groups on each, \
                       and counts them apart.\n\n\
                       [env: MCAST_BENCH_IFACE]")]
    pub(super) iface: Vec<String>,
}

/// How long.
#[derive(Debug, Args)]
#[command(next_help_heading = "Timing")]
pub(super) struct StopArgs {
    /// How long; 0 is until Ctrl-C
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    #[arg(allow_negative_numbers = true)]
    pub(super) time: Option<Nanos>,
    /// How many datagrams, all threads together
    #[arg(short, long, value_name = "N", value_parser = parse_count)]
    pub(super) count: Option<u64>,
}

/// How datagrams leave.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sending")]
pub(super) struct SendingArgs {
    /// Time to live, or hop limit: how many routers away
    #[arg(short = 'T', long, value_name = "N", default_value = "1")]
    pub(super) ttl: u8,
    /// Whether receivers on the sending host get a copy
    #[arg(long = "loop", value_name = "ON|OFF", default_value = "on", action = ArgAction::Set)]
    #[arg(value_parser = parse_switch)]
    pub(super) loopback: bool,
    /// Differentiated services code point, 0 to 63
    #[arg(long, value_name = "N", default_value = "0")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..64))]
    pub(super) dscp: u8,
}

/// How datagrams are received.
#[derive(Debug, Args)]
#[command(next_help_heading = "Receiving")]
pub(super) struct ReceivingArgs {
    /// Receive buffer of each socket
    ///
    /// Beyond net.core.rmem_max only with CAP_NET_ADMIN. The report says what was granted.
    #[arg(short = 'w', long, value_name = "BYTES", default_value = "8MiB")]
    pub(super) rcvbuf: Bytes,
    /// Time to wait for the rest after the last sender ended
    ///
    /// What has not come by then is lost (Tmax, RFC 7680 section 2.4).
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub(super) loss_threshold: Nanos,
    /// Distance up to which losses are noticeable (RFC 3357)
    #[arg(long, value_name = "N", default_value = "99", value_parser = parse_count)]
    pub(super) loss_distance: u64,
    /// Also follow datagrams one by one: IPDV, RTP jitter, gaps, trains
    ///
    /// Inter-packet delay variation (RFC 5481), RTP's interarrival jitter (RFC 3550), gaps as sent and as received,
    /// the sender's longest train. Doubles what this program itself costs for each datagram.
    #[arg(long)]
    pub(super) variation: bool,
    /// Also report the reorder density up to this displacement (RFC 5236)
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) reorder_density: Option<u16>,
    /// Rate of the media in each stream, to report its MDI (RFC 4445)
    ///
    /// Bits of UDP payload a second, such as 3.75Mbps.
    #[arg(long, value_name = "RATE")]
    pub(super) media_rate: Option<Rate>,
    /// Whose receive times: auto, kernel, hardware
    ///
    /// `auto` takes those of the network card where it stamps every datagram and its clock (PHC) can be read,
    /// because they leave out what interrupts and the driver add; else the kernel's, which every interface has.
    /// A card serves the whole host, so only `hardware` switches stamping on (CAP_NET_ADMIN), restores it after
    /// the trial, and has no trial without it. `run` hears itself through the kernel, never through a card: it has the
    /// kernel's. The report says whose it was, and how wrong at most.
    #[arg(long, value_name = "WHOSE", default_value = "auto", value_parser = parse_timestamps)]
    pub(super) timestamps: Timestamps,
    /// Spin instead of sleeping until something comes
    ///
    /// Takes a core, and what the kernel needs to wake a thread off the delay from the kernel to the application.
    #[arg(long)]
    pub(super) spin: bool,
    /// Ask the network card for more for so long before sleeping
    ///
    /// SO_BUSY_POLL: whole microseconds; needs CAP_NET_ADMIN, and a driver that can.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) busy_poll: Option<Nanos>,
    /// A sender that is silent for so long counts as gone
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub(super) idle_timeout: Nanos,
}

/// How many, each for itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Receiving")]
pub(super) struct ManyArgs {
    /// Receivers, each with all groups; the results are merged [default: 1]
    ///
    /// Each joins all groups with sockets of its own, as if it were another program. The report compares them as
    /// RFC 5644 says; it can be human or json.
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) receivers: u16,
}

/// With what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Engine")]
pub(super) struct EngineArgs {
    /// Threads that send, and that receive: at most one a group
    #[arg(short = 'P', long, value_name = "N", default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: u16,
    /// Cores to pin threads to, senders first [default: from the last one down]
    ///
    /// `2,3` or `2-5`. With more threads than cores they are gone through again.
    #[arg(long, value_name = "LIST", value_parser = parse_cpus)]
    pub(super) cpu: Option<CpuList>,
    /// Way to move datagrams
    #[arg(short, long, value_name = "NAME", default_value = "mmsg")]
    #[arg(long_help = engine_help())]
    pub(super) engine: String,
    /// Go before all that is not real-time (SCHED_FIFO)
    ///
    /// Needs CAP_SYS_NICE. Other work on the cores of these threads waits for them: leave the system a core.
    #[arg(long)]
    pub(super) realtime: bool,
    /// Keep memory from being paged out (mlockall)
    #[arg(long)]
    pub(super) lock_memory: bool,
    /// Most datagrams a system call [default: 64; gso: 512]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) batch: Option<u16>,
}

/// Cores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CpuList(pub(super) Vec<usize>);

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is either on or off".into()),
    }
}

fn parse_timestamps(text: &str) -> Result<Timestamps, String> {
    match text {
        "auto" => Ok(Timestamps::Auto),
        "kernel" => Ok(Timestamps::Kernel),
        "hardware" => Ok(Timestamps::Hardware),
        _ => Err("they are auto, kernel or hardware".into()),
    }
}

pub(super) fn parse_cpus(text: &str) -> Result<CpuList, String> {
    let number = |text: &str| {
        text.parse::<usize>()
            .map_err(|_| format!("`{text}` is not a core; cores look like `2,3` or `2-5`"))
    };
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last >= 1024 {
            return Err(format!("`{part}` is not a range of cores below 1024"));
        }
        cpus.extend(first..=last);
    }
    Ok(CpuList(cpus))
}

fn engine_help() -> String {
    let lines = crate::engine::ENGINES
        .iter()
        .map(|engine| format!("\n  {:8} {}", engine.name(), engine.about()));
    let auto = "\n  auto     gso where datagrams are too many to leave one by one, and to receive; else mmsg";
    format!("Way to move datagrams\n{}{auto}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        super::super::command().debug_assert();
    }

    #[test]
    fn cores() {
        assert_eq!(parse_cpus("2"), Ok(CpuList(vec![2])));
        assert_eq!(parse_cpus("0,2-4"), Ok(CpuList(vec![0, 2, 3, 4])));
        for text in ["", "a", "3-2", "1,", "2000", "-1"] {
            assert!(parse_cpus(text).is_err(), "{text}");
        }
    }
}
