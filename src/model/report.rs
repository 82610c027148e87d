//! How a run went. Serialized as it stands: this is the JSON that scripts rely on (`report/schema.json`).

use super::answer::Answer;
use super::continued::Continued;
use super::delay::{Distribution, OneWayDelay};
use super::drops::{HostDrops, LostBy};
use super::environment::Environment;
use super::event::Event;
use super::group::{AnySource, SharedMac};
use super::limit::LimitResult;
use super::metrics::{
    Buckets, ClockReport, CopiesReport, DensityReport, LossReport, MediaReport, OrderReport,
    Patterns, VariationReport,
};
use super::senders::SendersReport;
use super::snapshot::{RxCounts, TxCounts};
use super::spec::TrialSpec;
use super::timeline::Step;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the JSON; a renamed or removed field is a new version.
pub const SCHEMA: &str = "mcast-bench/2";

/// One run: what was asked for, where, and how it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of this program.
    pub version: String,
    /// Command line, as a shell would take it.
    pub command: String,
    /// Where it was measured.
    pub environment: Environment,
    /// How the trial went.
    #[serde(flatten)]
    pub trial: TrialReport,
    /// What was counted since before this trial; missing unless asked for (`--state`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued: Option<Continued>,
    /// The limits that were asked for and whether they held.
    pub limits: Vec<LimitResult>,
    /// What it says in plain words, where a preset was asked for.
    #[serde(default)]
    pub answer: Option<Answer>,
    /// What happened when; missing without intervals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Step>,
}

/// One trial: what was asked for, and how it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialReport {
    /// What was asked for.
    pub spec: TrialSpec,
    /// Wall clock at the start of the trial, RFC 3339 in UTC.
    pub started_at: String,
    /// From the start to the end of the offered load; for a receiver alone, from the first datagram to the last.
    pub duration_ns: Nanos,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// Whether the trial may be used (RFC 3918 section 5.1).
    pub valid: bool,
    /// Why not.
    pub invalid_reasons: Vec<InvalidReason>,
    /// What a reader should know before using the numbers.
    pub warnings: Vec<Warning>,
    /// What happened.
    pub events: Vec<Event>,
    /// The sending side; `null` in a receiver.
    pub sender: Option<SenderReport>,
    /// The receiving side's machinery; `null` in a sender.
    pub receiver: Option<ReceiverReport>,
    /// One row a stream that was heard.
    pub streams: Vec<StreamReport>,
    /// All streams added up; `null` in a sender.
    pub totals: Option<Totals>,
    /// From due to received, of the streams whose clocks compare; `null` in a sender, and when none does.
    pub one_way_delay_ns: Option<OneWayDelay>,
    /// Delays above the shortest, of the streams whose clocks do not compare: without offset and skew; `null` in a
    /// sender, and when all do.
    pub relative_delay_ns: Option<Distribution>,
    /// From the kernel's receive time to the application: this host's own share; `null` in a sender.
    pub host_delay_ns: Option<Distribution>,
    /// How late the senders were, as their datagrams say; `null` in a sender.
    pub sender_lateness_ns: Option<Distribution>,
    /// What the senders tell on themselves; `null` in a sender, and when none was heard to.
    pub senders: Option<SendersReport>,
    /// Order, loss, variation and gaps of all streams together; `null` in a sender.
    pub patterns: Option<Patterns>,
}

/// The sending side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SenderReport {
    /// Name of the engine that sent.
    pub engine: String,
    /// Session in the datagrams, six hexadecimal digits.
    pub session: String,
    /// Datagrams that were due, that the kernel took, that it refused.
    #[serde(flatten)]
    pub counts: TxLedger,
    /// Datagrams a second that were intended, on average; `null` for as fast as possible.
    pub intended_load_pps: Option<f64>,
    /// Datagrams a second that left.
    pub offered_load_pps: f64,
    /// Bits of UDP payload a second that left.
    pub offered_load_bps: f64,
    /// From the due time of a datagram to the moment its batch was handed to the kernel.
    pub lateness_ns: Distribution,
    /// Between datagrams as they were handed to the kernel; those of one batch are 0 apart.
    pub gaps_ns: Buckets,
    /// Most datagrams that were handed over at once: the longest train.
    pub train_max: u64,
    /// Calls to the kernel that sent something.
    pub send_calls: u64,
    /// Most datagrams that left as one, to be cut apart by the kernel or the network card; 0: none did.
    #[serde(default)]
    pub super_packet_max: u64,
    /// Datagrams that a queue of this host dropped after the kernel had taken them: they count as offered.
    pub dropped_after_taking: u64,
    /// Kind of the interface's root qdisc at the end; `null` where that is not known.
    pub qdisc: Option<String>,
    /// What this host's counters of drops say.
    pub host_drops: HostDrops,
    /// How often a sender did nothing for a while although something was due.
    pub stalls: u64,
    /// Longest time a sender did nothing although something was due.
    pub longest_stall_ns: Nanos,
    /// Sender threads and the cores they ran on (`null`: not pinned).
    pub cpus: Vec<Option<usize>>,
}

/// Datagrams on the sending side of a whole trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxLedger {
    /// Were due.
    pub intended: u64,
    /// Were taken by the kernel.
    pub offered: u64,
    /// Were refused by the kernel, by the name of the errno.
    pub refused: BTreeMap<String, u64>,
}

impl TxLedger {
    /// All refusals.
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }

    /// The same as plain counts.
    pub fn counts(&self) -> TxCounts {
        TxCounts { intended: self.intended, offered: self.offered, refused: self.refused_total() }
    }
}

/// The machinery of the receiving side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiverReport {
    /// Name of the engine that received.
    pub engine: String,
    /// What the sockets got as receive buffer.
    pub receive_buffer: BufferGrant,
    /// Sockets opened.
    pub sockets: usize,
    /// Whose receive times the datagrams carry.
    pub timestamps: TimestampReport,
    /// Calls to the kernel that received something.
    pub receive_calls: u64,
    /// What this host's counters of drops say.
    pub host_drops: HostDrops,
    /// Longest time a receiver did not look at its sockets.
    pub longest_stall_ns: Nanos,
    /// Receiver threads and the cores they ran on (`null`: not pinned).
    pub cpus: Vec<Option<usize>>,
}

/// Whose receive times the datagrams of a trial carry. All are of `CLOCK_REALTIME`, or converted to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimestampReport {
    /// Who stamps.
    pub kind: TimestampKind,
    /// N of `/dev/ptpN`, the clock that stamps; `null` unless `kind` is `hardware`.
    pub phc: Option<u32>,
    /// The most that the conversion was found to be wrong by, from looks at both clocks once a second; `null` when
    /// nothing is converted, and when the clock was lost.
    pub error_ns: Option<Nanos>,
    /// Datagrams without a stamp of that kind, on whatever port and group: the next worse was used.
    pub without: u64,
}

impl TimestampReport {
    /// Stamps that nothing is known of but who makes them.
    pub fn new(kind: TimestampKind) -> Self {
        Self { kind, phc: None, error_ns: None, without: 0 }
    }
}

/// Who stamps datagrams on reception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestampKind {
    /// The network card.
    Hardware,
    /// The kernel, when the driver hands a datagram to it.
    Kernel,
    /// This program: the datagrams never leave it.
    Application,
}

/// A socket buffer: what was asked for and what the kernel gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferGrant {
    /// Bytes asked for.
    pub asked: usize,
    /// Bytes the kernel accounts against; it doubles what is set, to cover its own overhead.
    pub granted: usize,
    /// Beyond `net.core.rmem_max`, by `SO_RCVBUFFORCE`.
    pub forced: bool,
}

impl BufferGrant {
    /// Whether the kernel gave all that was asked for.
    pub fn is_full(&self) -> bool {
        self.granted >= 2 * self.asked
    }
}

/// One stream: one sequence-number space of one sender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Session of the sender, six hexadecimal digits.
    pub session: String,
    /// Number of the stream in its session.
    pub stream: u16,
    /// Address and port it came from.
    pub source: String,
    /// Group it was sent to.
    pub group: String,
    /// Port it was sent to.
    pub port: u16,
    /// Name of the interface that it came in by; `null` where there is no network.
    pub interface: Option<String>,
    /// Datagrams sent since `first_seq`; `null` when the sender never said how many it sent in all.
    pub sent: Option<u64>,
    /// Lowest sequence number that counts: 0, or where a late receiver came in.
    pub first_seq: u64,
    /// Highest sequence number received; `null` when none was.
    pub highest_seq: Option<u64>,
    /// What arrived.
    #[serde(flatten)]
    pub counts: StreamCounts,
    /// `sent - unique`; without `sent`, what is missing up to `highest_seq`.
    pub lost: u64,
    /// Lost of sent (RFC 7680 section 4.1); `null` when nothing was sent.
    pub loss_ratio: Option<f64>,
    /// Sent before this receiver came in; neither received nor lost.
    pub before_join: u64,
    /// Which ones are lost, in ascending order.
    pub lost_ranges: Vec<LostRange>,
    /// Whether `lost_ranges` has all of them; there is room for [`LOST_RANGES`].
    pub lost_ranges_complete: bool,
    /// How the stream ended.
    pub end: StreamEnd,
    /// Its order.
    pub order: OrderReport,
    /// The pattern of its losses.
    pub loss: LossReport,
    /// Its further copies.
    pub copies: CopiesReport,
    /// How its datagrams vary from one to the next; `null` unless asked for.
    pub variation: Option<VariationReport>,
    /// How its sender's clock compares to ours.
    pub clock: ClockReport,
    /// Its reorder density; `null` unless asked for.
    pub density: Option<DensityReport>,
    /// Its media delivery index; `null` unless the media rate is known.
    pub media: Option<MediaReport>,
}

/// Most ranges of lost numbers that a stream's row names.
pub const LOST_RANGES: usize = 1024;

/// Consecutive numbers that are lost: a loss period (RFC 3357 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostRange {
    /// The first of them.
    pub first_seq: u64,
    /// How many.
    pub len: u64,
    /// When their absence was noticed: wall clock, since the Unix epoch.
    pub at_ns: Nanos,
    /// So many of them were dropped by the receiver's own socket, by its count beside the next datagram
    /// (`SO_RXQ_OVFL`). Streams that share a socket share its drops, so it may be another stream's.
    pub own_socket: u64,
}

/// What arrived of one stream. `received = unique + duplicates + too_late + corrupt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounts {
    /// All that carried the stream's header.
    pub received: u64,
    /// First copies.
    pub unique: u64,
    /// Further copies.
    pub duplicates: u64,
    /// First copies behind a higher sequence number. Part of `unique`.
    pub reordered: u64,
    /// Too far behind to be told from duplicates.
    pub too_late: u64,
    /// Failed the payload checksum, or carried a number that was never sent.
    pub corrupt: u64,
}

impl StreamCounts {
    /// The same as totals count it; a stream has nothing foreign.
    pub fn counts(&self) -> RxCounts {
        RxCounts {
            received: self.received,
            unique: self.unique,
            duplicates: self.duplicates,
            reordered: self.reordered,
            too_late: self.too_late,
            corrupt: self.corrupt,
            foreign: 0,
        }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// The sender said how many datagrams it sent.
    Announced,
    /// The sender fell silent; what it sent after `highest_seq` is unknown.
    Silent,
    /// The receiver stopped first; what was sent after `highest_seq` is unknown.
    ReceiverStopped,
}

/// All streams added up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Sum of the streams' `sent`; `null` as soon as one of them is.
    pub sent: Option<u64>,
    /// What arrived.
    #[serde(flatten)]
    pub counts: RxCounts,
    /// Sum of the streams' `lost`.
    pub lost: u64,
    /// Lost of sent; without `sent`, of what is known to have been sent.
    pub loss_ratio: Option<f64>,
    /// Where the lost ones were lost.
    pub lost_by: LostBy,
    /// UDP payload bytes in received datagrams.
    pub payload_bytes: u64,
    /// Datagrams a second that arrived (forwarding rate, RFC 2285 section 3.6.1).
    pub forwarding_rate_pps: f64,
    /// Announcements of start, progress and end, and what `ping` and `echo` say to each other on the same group: ours,
    /// outside all sequence numbers.
    pub announcements: u64,
}

/// Why a trial must not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum InvalidReason {
    /// Less was offered than intended.
    OfferedLoadMissed {
        /// Datagrams intended.
        intended: u64,
        /// Datagrams offered.
        offered: u64,
    },
    /// Our own receiver dropped: what the network did is not known.
    ApparatusDropped {
        /// By the sockets.
        receiver_socket: u64,
        /// By the host before the sockets.
        receiver_host: u64,
    },
    /// A worker stood still.
    Stalled {
        /// `sender`, `receiver`.
        worker: String,
        /// How long.
        length_ns: Nanos,
    },
    /// The wall clock was set while the trial ran.
    ClockStepped {
        /// By how much.
        by_ns: i64,
    },
    /// A worker could not go on.
    WorkerFailed {
        /// `sender 0`, `receiver 1`.
        worker: String,
        /// Why.
        cause: String,
    },
    /// No datagram of ours arrived, and none is known to be lost.
    NothingHeard,
}

/// What a reader should know before using the numbers; the advice stands in `report/warnings.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum Warning {
    /// The receive buffer is smaller than asked for.
    ReceiveBufferSmall {
        /// What was asked for and given.
        #[serde(flatten)]
        grant: BufferGrant,
    },
    /// A sender and a receiver share a core.
    SharedCore {
        /// The core.
        cpu: usize,
    },
    /// The kernel refused datagrams on the sending host.
    Refused {
        /// The errno that was seen most.
        errno: String,
        /// How many datagrams it refused.
        datagrams: u64,
    },
    /// The sending host dropped in a queue of its own.
    SendingHostDropped {
        /// `qdisc tbf`, `interface`.
        place: String,
        /// Packets that it dropped there, those of others among them.
        packets: u64,
        /// Those of them that it had not refused: they count as offered.
        after_taking: u64,
    },
    /// The reverse-path filter of the receiving host dropped datagrams.
    ReversePathFiltered {
        /// How many, those of others among them.
        datagrams: u64,
    },
    /// Datagrams left later than they were due.
    SenderLate {
        /// 99 % were at most so late.
        p99_ns: Nanos,
    },
    /// A sender elsewhere says that it stood still.
    SenderStalled {
        /// Its session.
        session: String,
        /// How often the thread did that stood still longest.
        stalls: u64,
        /// For how long at most.
        length_ns: Nanos,
    },
    /// A sender elsewhere says that it offered less than it intended.
    SenderMissedLoad {
        /// Its session.
        session: String,
        /// Datagrams intended by the thread that missed most.
        intended: u64,
        /// Datagrams that it offered.
        offered: u64,
    },
    /// Received before they were due: the clocks disagree, delays mean little.
    NegativeDelay {
        /// How many.
        datagrams: u64,
    },
    /// A sender's clock, or this host's, was set while the trial ran.
    ClocksMoved {
        /// How many streams show it.
        streams: usize,
        /// By how much at most, as this host's clock sees it, in nanoseconds.
        step_max_ns: i64,
    },
    /// How many datagrams a sender sent in all is not known.
    TailUnknown {
        /// How many streams.
        streams: usize,
    },
    /// Groups share an Ethernet address.
    SharedMac(SharedMac),
    /// Groups for joins with a source are joined without one.
    AnySource(AnySource),
    /// A worker stood still for a moment, too short to spoil the trial.
    Hiccup {
        /// `sender`, `receiver`.
        worker: String,
        /// How long.
        length_ns: Nanos,
    },
}
