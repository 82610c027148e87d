//! Round trips as the answering side sees them: what `echo` is to do, how it goes, how it went.
//!
//! Serialized as it stands (`report/echo.schema.json`).

use super::environment::Environment;
use super::event::Event;
use super::group::Membership;
use super::report::BufferGrant;
use super::roundtrip::Manner;
use super::spec::StopWhen;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};

/// Version of the JSON; a renamed or removed field is a new version.
pub const SCHEMA: &str = "mcast-bench-echo/1";

/// What `echo` is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EchoSpec {
    /// The group to join.
    pub group: Membership,
    /// Index of the interface.
    pub interface: u32,
    /// Where to answer to.
    pub reply: ReplyTo,
    /// When it is over; counted are requests.
    pub stop: StopWhen,
    /// How it sends, waits and tells.
    #[serde(flatten)]
    pub manner: Manner,
}

/// Where to answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyTo {
    /// To the same group, at the port that the request came from.
    Group,
    /// To the address and port that the request came from.
    Unicast,
}

/// How it goes: one interval.
#[derive(Clone, Copy, Debug, Default)]
pub struct EchoInterval {
    /// Since the start.
    pub start: Nanos,
    /// How long it lasted.
    pub length: Nanos,
    /// Requests received, copies among them.
    pub requests: u64,
    /// Replies sent.
    pub replies: u64,
    /// Sessions that asked.
    pub askers: u64,
}

/// All there is to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EchoReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of this program.
    pub version: String,
    /// Command line, as a shell would take it.
    pub command: String,
    /// Where it ran.
    pub environment: Environment,
    /// How it went.
    #[serde(flatten)]
    pub outcome: EchoOutcome,
}

/// What was asked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EchoOutcome {
    /// What was asked for.
    pub spec: EchoSpec,
    /// Wall clock at the start, RFC 3339 in UTC.
    pub started_at: String,
    /// From the start to the end.
    pub duration_ns: Nanos,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// What happened.
    pub events: Vec<Event>,
    /// Identity in the replies, eight hexadecimal digits.
    pub responder: String,
    /// What the socket got as receive buffer.
    pub receive_buffer: BufferGrant,
    /// Requests that this host's socket dropped.
    pub socket_drops: u64,
    /// Core that the thread ran on; `null`: not pinned.
    pub cpu: Option<usize>,
    /// Why it could not go on; `null` if it could.
    pub failed: Option<String>,
    /// A row a session.
    pub askers: Vec<AskerReport>,
    /// All sessions added up.
    pub totals: EchoTotals,
}

/// One session of an asker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskerReport {
    /// Session in its requests, six hexadecimal digits.
    pub session: String,
    /// Address and port that it asks from.
    pub source: String,
    /// What came of it.
    #[serde(flatten)]
    pub counts: EchoCounts,
}

/// All sessions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoTotals {
    /// What came of all.
    #[serde(flatten)]
    pub counts: EchoCounts,
    /// Came to the group and port and asks nothing of us: data of a sender, or not ours at all.
    pub foreign: u64,
}

/// Requests of a session. `received = unique + duplicates + too_late + corrupt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoCounts {
    /// Requests that came.
    pub received: u64,
    /// First copies.
    pub unique: u64,
    /// Missing up to the highest that came.
    pub missing: u64,
    /// Further copies.
    pub duplicates: u64,
    /// First copies behind a higher number.
    pub reordered: u64,
    /// Too far behind to be told from duplicates.
    pub too_late: u64,
    /// Leaps that nothing confirmed.
    pub corrupt: u64,
    /// Calls that came.
    pub calls: u64,
    /// Answers that left.
    pub replies: u64,
    /// Answers that the kernel refused.
    pub refused: u64,
}

impl EchoCounts {
    /// Adds those of another session.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.unique += other.unique;
        self.missing += other.missing;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.too_late += other.too_late;
        self.corrupt += other.corrupt;
        self.calls += other.calls;
        self.replies += other.replies;
        self.refused += other.refused;
    }
}
