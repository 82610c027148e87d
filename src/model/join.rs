//! How long groups take to come and to go: what `join` is to do, how it goes, how it went.
//!
//! Serialized as it stands (`report/join.schema.json`). The words are those of RFC 2432 section 3.4 and RFC 3918 section 6.

use super::delay::Distribution;
use super::environment::Environment;
use super::event::Event;
use super::group::Membership;
use super::limit::{Bound, Limit, LimitResult, Quantity};
use super::report::BufferGrant;
use super::spec::StopWhen;
use super::verdict::{self, Measured};
use crate::stats::latency::Latency;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};

/// Version of the JSON; a renamed or removed field is a new version.
pub const SCHEMA: &str = "mcast-bench-join/1";

/// What `join` is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JoinSpec {
    /// Groups to join, each address once.
    pub groups: Vec<Membership>,
    /// Index of the interface.
    pub interface: u32,
    /// Which of them at a time.
    pub order: Order,
    /// When it is over; `count` is rounds.
    pub stop: StopWhen,
    /// How long a group stays joined: after its first datagram, or with `churn_ns` after it was joined.
    pub hold_ns: Nanos,
    /// From one round to the next, whatever comes; `None`: the next when the one before is done with.
    pub churn_ns: Option<Nanos>,
    /// A join without a datagram for so long is not answered.
    pub timeout_ns: Nanos,
    /// Silence after which a group that was left has stopped; longer than the gaps of its sender.
    pub quiet_ns: Nanos,
    /// A group that comes for so long after it was left does not stop.
    pub leave_timeout_ns: Nanos,
    /// Receive buffer to ask for, bytes.
    pub receive_buffer: usize,
    /// Length of a reporting interval; 0 is none.
    pub interval_ns: Nanos,
}

/// Which groups a round joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All, one right after the other; and leaves them all.
    AtOnce,
    /// The next one, right after it left the one before.
    Zap,
}

/// How it goes: one interval.
#[derive(Clone, Debug, Default)]
pub struct JoinInterval {
    /// Since the start.
    pub at: Nanos,
    /// Joins that were done with, since the start.
    pub joins: u64,
    /// Of these, a datagram came.
    pub answered: u64,
    /// Left groups that stopped, since the start; `None` when the interface is not watched.
    pub ended: Option<u64>,
    /// From the call to the first datagram, since the start.
    pub to_socket: Latency,
}

/// All there is to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JoinReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of this program.
    pub version: String,
    /// Command line, as a shell would take it.
    pub command: String,
    /// Where it was measured.
    pub environment: Environment,
    /// How it went.
    #[serde(flatten)]
    pub outcome: JoinOutcome,
    /// The limits that were asked for and whether they held.
    pub limits: Vec<LimitResult>,
}

/// Judges by `limit`. What was not measured does not hold. `loss` is the joins that were not answered, a delay goes from
/// the call to the first datagram, leaving from the call to the last one.
pub fn evaluate(limit: &Limit, report: &JoinOutcome) -> LimitResult {
    let JoinCounts { joins, unanswered, interface, .. } = report.totals;
    let measured = match limit.quantity {
        Quantity::Loss if joins > 0 => Some(Measured::Finite(match limit.bound {
            Bound::Ratio(_) => Bound::Ratio(unanswered as f64 / joins as f64),
            _ => Bound::Count(unanswered),
        })),
        Quantity::DelayPercentile(percent) => {
            verdict::percentile_with_lost(&report.join.to_socket_ns, unanswered, percent)
        }
        Quantity::LeavePercentile(percent) => {
            report.leave.as_ref().zip(interface).and_then(|(leave, seen)| {
                verdict::percentile_with_lost(&leave.to_last_ns, seen.not_ended, percent)
            })
        }
        _ => None,
    };
    verdict::judge(limit, measured)
}

/// What was asked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JoinOutcome {
    /// What was asked for.
    pub spec: JoinSpec,
    /// Wall clock at the start, RFC 3339 in UTC.
    pub started_at: String,
    /// From the start to the end.
    pub duration_ns: Nanos,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// Whether the numbers may be used.
    pub valid: bool,
    /// Why not.
    pub invalid_reasons: Vec<JoinInvalid>,
    /// What happened.
    pub events: Vec<Event>,
    /// Rounds that were begun.
    pub rounds: u64,
    /// Whether a packet socket watched the interface: without it nothing is known of reports, of what reached the
    /// interface, and of leave delays.
    pub watched: bool,
    /// What a socket got as receive buffer.
    pub receive_buffer: BufferGrant,
    /// Datagrams that the sockets dropped.
    pub socket_drops: u64,
    /// Frames that the packet socket dropped.
    pub watch_drops: u64,
    /// Joins of all groups.
    pub join: JoinDelays,
    /// Leaves of all groups; `null` when the interface is not watched.
    pub leave: Option<LeaveDelays>,
    /// From one group to the next; `null` if groups were joined at once.
    pub zap: Option<ZapDelays>,
    /// From the first call of a round to the time at which every group has come; a round in which one did not is
    /// infinitely late. `null` for a single group and for zapping.
    pub all_ns: Option<Distribution>,
    /// All groups added up.
    pub totals: JoinCounts,
    /// A row a group.
    pub groups: Vec<GroupRow>,
}

/// Delays of joining. Times of datagrams are those at which this host's kernel received them, of reports those at which
/// the kernel gave them to the interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JoinDelays {
    /// From the call (`setsockopt`) to the first datagram that came up to the socket. Joins that were not answered are
    /// infinitely late.
    pub to_socket_ns: Distribution,
    /// How long the call itself took.
    pub call_ns: Distribution,
    /// From the call to the report (IGMP or MLD) on the wire; `null` when the interface is not watched.
    pub to_report_ns: Option<Distribution>,
    /// Group join delay (RFC 3918 section 6.1): from the report on the wire to the next datagram that reaches the
    /// interface, of joins that found the group not flowing. Those that no datagram followed are infinitely late. `null`
    /// when the interface is not watched.
    pub from_report_ns: Option<Distribution>,
}

/// Delays of leaving, of joins that were answered. Groups that did not stop are infinitely late.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeaveDelays {
    /// From the call to the last datagram at the interface; 0 when none came after the call.
    pub to_last_ns: Distribution,
    /// How long the call itself took.
    pub call_ns: Distribution,
    /// From the call to the report on the wire.
    pub to_report_ns: Distribution,
    /// Group leave delay (RFC 3918 section 6.2): from the report on the wire to the last datagram at the interface; 0
    /// when none came after it.
    pub from_report_ns: Distribution,
}

/// Delays of zapping from one group to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ZapDelays {
    /// Without data: from the last datagram of the group that was left to the first of the one that was joined, both
    /// at the socket. Infinite where the new one was not answered.
    pub gap_ns: Distribution,
    /// Both at the interface: from the first datagram of the new group to the last of the old one, 0 when they did not
    /// overlap. Infinite where the old one did not stop. `null` when the interface is not watched.
    pub overlap_ns: Option<Distribution>,
}

/// Joins and what came of them. `joins = answered + unanswered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinCounts {
    /// Joins that were done with: answered, timed out, or left.
    pub joins: u64,
    /// A datagram came up to the socket.
    pub answered: u64,
    /// Nothing came up.
    pub unanswered: u64,
    /// Datagrams at the sockets, ours and others.
    pub received: u64,
    /// Of these, not ours: they have no sequence numbers to look at.
    pub foreign: u64,
    /// Numbers of our streams that are missing between two datagrams of one membership.
    pub missed_joined: u64,
    /// Numbers of our streams that are missing between the last datagram of a membership and the first of the next.
    pub missed_away: u64,
    /// What a packet socket saw; `null` when the interface is not watched.
    pub interface: Option<InterfaceCounts>,
}

/// What was seen at the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceCounts {
    /// Joins whose group reached the interface but did not come up to the socket.
    pub kept_back: u64,
    /// Joins that the host reported.
    pub join_reports: u64,
    /// Joins that found the group flowing, before any report: they show what this host takes, not what the network does.
    pub already_flowing: u64,
    /// Leaves, of joins that were answered, that were watched to their end.
    pub leaves: u64,
    /// Of these, the host reported them.
    pub leave_reports: u64,
    /// Of these, the group stopped.
    pub ended: u64,
    /// Of these, it still came when its time was over or it was joined again.
    pub not_ended: u64,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// The group, with its source and port.
    pub group: String,
    /// What came of its joins.
    #[serde(flatten)]
    pub counts: JoinCounts,
    /// Shortest time from the call to the first datagram; `null` when nothing came.
    pub min_ns: Option<Nanos>,
    /// Longest such time.
    pub max_ns: Option<Nanos>,
    /// Longest time between two datagrams at the interface while the group was joined, which the silence after a leave
    /// must exceed; `null` when it is not known.
    pub longest_gap_ns: Option<Nanos>,
}

/// Why the numbers must not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum JoinInvalid {
    /// A group could not be joined or left, or a socket failed.
    Failed {
        /// Why.
        cause: String,
    },
    /// Nothing came, to none of the groups.
    NothingCame,
}

impl JoinCounts {
    /// Adds those of another group.
    pub fn add(&mut self, other: &Self) {
        self.joins += other.joins;
        self.answered += other.answered;
        self.unanswered += other.unanswered;
        self.received += other.received;
        self.foreign += other.foreign;
        self.missed_joined += other.missed_joined;
        self.missed_away += other.missed_away;
        if let Some(other) = &other.interface {
            let own = self.interface.get_or_insert_default();
            own.kept_back += other.kept_back;
            own.join_reports += other.join_reports;
            own.already_flowing += other.already_flowing;
            own.leaves += other.leaves;
            own.leave_reports += other.leave_reports;
            own.ended += other.ended;
            own.not_ended += other.not_ended;
        }
    }
}
