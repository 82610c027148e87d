//! What a trial is to do. Every option is decided here; below the command line there are no defaults.

use super::group::Membership;
use crate::units::Nanos;
use crate::units::duration::format_duration;
use crate::units::rate::{DatagramRate, Rate};
use crate::units::size_mix::SizeMix;
use crate::units::speed::Speed;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One trial, as meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialSpec {
    /// Which sides this process plays.
    pub role: Role,
    /// Groups to send to and to join.
    pub groups: Vec<Membership>,
    /// Index of the interface, the first of several; 0 for engines without a network.
    pub interface: u32,
    /// Indices of the others on which a receiver joins the same groups.
    #[serde(default)]
    pub further_interfaces: Vec<u32>,
    /// What receivers listen on; `None` for a sender alone.
    pub bind: Option<Bind>,
    /// Port that senders send from, where the kernel does not choose it.
    pub source_port: Option<u16>,
    /// What the senders offer, with several flows those of the first; `None` for a receiver alone.
    pub load: Option<Load>,
    /// Where groups have senders of their own: who sends what to which. Empty where all senders offer `load` to all
    /// `groups`.
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// When it is over.
    pub stop: StopWhen,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Whether receivers on the sending host get a copy (`IP_MULTICAST_LOOP`).
    pub loopback: bool,
    /// Differentiated services code point, 0 to 63.
    pub dscp: u8,
    /// Sender threads, 0 when this process only receives.
    pub sender_threads: usize,
    /// Receiver threads, 0 when this process only sends. Each serves its own groups.
    pub receiver_threads: usize,
    /// Cores to pin to, senders first; empty when the user named none.
    pub cpus: Vec<usize>,
    /// Name of the engine.
    pub engine: String,
    /// Why it was taken, where the user left that open.
    pub engine_reason: Option<String>,
    /// Most datagrams a system call.
    pub batch: usize,
    /// Receive buffer to ask for, bytes.
    pub receive_buffer: usize,
    /// Whose receive timestamps are wanted.
    pub timestamps: Timestamps,
    /// Length of a reporting interval; 0 is none.
    pub interval_ns: Nanos,
    /// How long after the end of the offered load a receiver waits for the rest (Tmax, RFC 7680 section 2.4).
    pub loss_threshold_ns: Nanos,
    /// How long a sender may be silent before it counts as gone.
    pub idle_timeout_ns: Nanos,
    /// Losses at most so far from the one before are noticeable (RFC 3357 section 6.1).
    pub loss_distance: u64,
    /// Threshold of the reorder density (RFC 5236), if wanted.
    pub reorder_density: Option<u16>,
    /// Bits of media a second of each stream (RFC 4445), if known.
    pub media_rate_bps: Option<u64>,
    /// Whether to follow how datagrams vary from one to the next (RFC 5481, RFC 3550), and the gaps between them.
    pub variation: bool,
    /// Whether receivers spin instead of sleeping until something comes.
    pub spin: bool,
    /// Microseconds for which a read asks the network card for more before it sleeps (`SO_BUSY_POLL`).
    pub busy_poll_us: Option<u32>,
    /// Whether workers go before all that is not real-time (`SCHED_FIFO`).
    pub realtime: bool,
    /// Whether memory is kept from being paged out (`mlockall`).
    pub lock_memory: bool,
    /// Start at this time of the wall clock (since the Unix epoch).
    pub start_at_ns: Option<Nanos>,
}

impl TrialSpec {
    /// Indices of all interfaces.
    pub fn interfaces(&self) -> impl Iterator<Item = u32> {
        std::iter::once(self.interface).chain(self.further_interfaces.iter().copied())
    }

    /// Who sends what to which groups: one flow unless there are several, none in a receiver.
    pub fn offered(&self) -> Vec<Flow> {
        let Some(load) = self.load.as_ref().filter(|_| self.flows.is_empty()) else {
            return self.flows.clone();
        };
        vec![Flow { groups: self.groups.clone(), load: load.clone(), threads: self.sender_threads }]
    }
}

/// Groups that have senders of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Groups to send to.
    pub groups: Vec<Membership>,
    /// What its senders offer, all of them together.
    pub load: Load,
    /// Sender threads, each to all of its groups.
    pub threads: usize,
}

impl Flow {
    /// Sequence number spaces: each thread has one in each group.
    pub fn streams(&self) -> usize {
        self.groups.len() * self.threads
    }
}

/// What a receiver's sockets listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bind {
    /// The group, where a socket has only one; the others go by the destination of each datagram.
    Group,
    /// All addresses: what comes to the port for this host alone counts as foreign.
    Any,
}

/// Whose receive timestamps are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timestamps {
    /// The network card's where it stamps every datagram by a clock that can be read, else the kernel's.
    Auto,
    /// The kernel's.
    Kernel,
    /// The network card's, or no trial.
    Hardware,
}

/// Which sides of a trial a process plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Senders and receivers in one process.
    Run,
    /// Senders only.
    Send,
    /// Receivers only.
    Recv,
}

/// What the senders offer, all of them together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// How much; `None` where the schedule says it.
    pub rate: Option<Rate>,
    /// When datagrams are due.
    pub schedule: Timing,
    /// How long datagrams are; none where the schedule says it.
    pub sizes: SizeMix,
    /// Datagrams due at the same instant (RFC 2285 section 3.4); 1 is a smooth stream.
    pub burst_len: u32,
    /// Whether each datagram carries a checksum over its payload.
    pub payload_checksum: bool,
    /// How senders wait until a datagram is due.
    pub pace: Pace,
    /// Whether what became due while a sender stood still leaves at once, instead of little faster than the rhythm.
    pub catch_up: bool,
}

impl Load {
    /// Whether as many are due in any second as in another.
    pub fn is_steady(&self) -> bool {
        self.rate.is_some() && matches!(self.schedule, Timing::Constant | Timing::Poisson { .. })
    }

    /// Datagrams a second at its rate; `None` as fast as possible, and where the schedule says it.
    pub fn datagram_rate(&self) -> Option<f64> {
        self.rate?.datagram_rate(&self.sizes).map(DatagramRate::per_second)
    }
}

/// When datagrams are due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Timing {
    /// At equal distances (RFC 3432), or as fast as possible.
    Constant,
    /// At random, independent of each other (RFC 2330 section 11.1).
    Poisson {
        /// The same seed gives the same due times.
        seed: u32,
    },
    /// At equal distances for a while, then nothing, and so on.
    OnOff {
        /// So long at the rate.
        on_ns: Nanos,
        /// So long nothing.
        off_ns: Nanos,
    },
    /// From one rate to another, linearly.
    Ramp {
        /// At the beginning.
        from: Rate,
        /// At the end; of the same unit.
        to: Rate,
        /// How long it takes.
        over_ns: Nanos,
    },
    /// With the timing and the payload lengths of a capture.
    Replay {
        /// The capture file.
        file: String,
        /// How much faster than it was captured.
        speed: Speed,
        /// Whether it begins anew until something else ends the trial.
        repeats: bool,
    },
}

impl Timing {
    /// Of which kind it is, as typed.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson { .. } => "poisson",
            Self::OnOff { .. } => "on-off",
            Self::Ramp { .. } => "ramp",
            Self::Replay { .. } => "replay",
        }
    }
}

/// As typed.
impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str(self.kind()),
            Self::Poisson { seed } => write!(f, "poisson:{seed}"),
            Self::OnOff { on_ns, off_ns } => {
                write!(f, "on-off:{}/{}", format_duration(*on_ns), format_duration(*off_ns))
            }
            Self::Ramp { from, to, .. } => write!(f, "ramp:{from}..{to}"),
            Self::Replay { file, speed, .. } => write!(f, "replay:{file} at {speed}"),
        }
    }
}

/// How a sender waits until a datagram is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Sleeps before long waits and spins at their end.
    Auto,
    /// Spins.
    Spin,
    /// Sleeps, and is late by what the kernel takes to wake it.
    Sleep,
    /// Hands datagrams over ahead of time; the queueing discipline `fq` or `etf` lets them go (`SO_TXTIME`).
    Txtime,
    /// As by itself, and has the queueing discipline `fq` spread what leaves too close (`SO_MAX_PACING_RATE`).
    Fq,
}

/// A trial ends at whichever comes first; if there is nothing of it, never by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopWhen {
    /// After this time.
    pub time_ns: Option<Nanos>,
    /// After so many datagrams, all threads together.
    pub count: Option<u64>,
    /// A receiver: when every sender that it heard has ended.
    pub with_senders: bool,
}
