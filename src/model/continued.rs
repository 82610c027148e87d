//! What a receiver has counted since before it was started again, and what it keeps to go on with.

use super::delay::Distribution;
use super::drops::LostBy;
use super::group::Membership;
use super::snapshot::RxCounts;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};

/// Version of the file; another one is not gone on with.
pub const SCHEMA: &str = "mcast-bench-state/2";

/// Trials of one receiver, one after the other, added up. Each began with new books: what came after the last look at a
/// stream and before the first of the next trial is away, neither received nor lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Continued {
    /// Wall clock at the start of the first, RFC 3339 in UTC.
    pub since: String,
    /// How many, the last among them.
    pub trials: u64,
    /// How long they were, in all.
    pub listened_ns: Nanos,
    /// How long nobody was there, between what was counted and the start of the next trial, in all. A trial that was
    /// cut off counts up to where it was last written down.
    pub away_ns: Nanos,
    /// Datagrams that were sent meanwhile, by the numbers of streams that went on. If a trial was cut off, also those
    /// of which it had still to be found out whether they were lost: what came after it was last written down counts as
    /// if nobody had been there. So `unique + lost + away` is what such a stream has sent.
    pub away: u64,
    /// Streams of which that is not known: they were not heard again, and had not said that they had ended.
    pub away_unknown: u64,
    /// What arrived.
    #[serde(flatten)]
    pub counts: RxCounts,
    /// Lost while somebody was there.
    pub lost: u64,
    /// Of those, the ones of streams whose clocks do not compare.
    #[serde(default)]
    pub lost_relative: u64,
    /// Where they were lost.
    pub lost_by: LostBy,
    /// Lost of what is known to have been sent meanwhile; `null` when nothing is.
    pub loss_ratio: Option<f64>,
    /// UDP payload bytes in received datagrams.
    pub payload_bytes: u64,
    /// From due to received. The lost ones of streams whose clocks compare are in its percentiles.
    pub one_way_delay_ns: Option<Distribution>,
    /// Above the shortest, of streams whose clocks do not compare. Their lost ones are in its percentiles.
    pub relative_delay_ns: Option<Distribution>,
    /// From the kernel's receive time to the application.
    pub host_delay_ns: Option<Distribution>,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// [`SCHEMA`].
    pub schema: String,
    /// What must stay the same.
    pub setup: Setup,
    /// Up to when it counts: wall clock, since the Unix epoch.
    pub until_ns: Nanos,
    /// What was counted.
    pub continued: Continued,
    /// Streams of which there may be more to come, or of which something is missing that may still come. If the trial was
    /// cut off, also those of trials before that it had not heard again.
    pub streams: Vec<Position>,
}

/// What decides whether two trials can be added up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// What is joined.
    pub groups: Vec<Membership>,
    /// Through which interfaces.
    pub interfaces: Vec<String>,
    /// After how long a datagram is lost.
    pub loss_threshold_ns: Nanos,
}

/// How far a stream was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Its session, as in its row.
    pub session: String,
    /// Its number in it.
    pub stream: u16,
    /// Address and port it came from.
    pub source: String,
    /// Interface it came in by.
    pub interface: Option<String>,
    /// The lowest number that was not looked at.
    pub next_seq: u64,
    /// Numbers that were missing and might still have come; none when the trial ended in order.
    pub awaited: u64,
    /// Whether its sender had said that no more would come.
    pub has_ended: bool,
}
