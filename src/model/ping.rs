//! Round trips as the asking side sees them: what `ping` is to do, how it goes, how it went.
//!
//! Serialized as it stands (`report/ping.schema.json`).

use super::delay::Distribution;
use super::environment::Environment;
use super::event::Event;
use super::group::Membership;
use super::limit::{Bound, Limit, LimitResult, Quantity};
use super::metrics::ClockRelation;
use super::report::BufferGrant;
use super::roundtrip::{Manner, RoundTrips};
use super::spec::StopWhen;
use super::verdict::{self, Measured};
use crate::stats::latency::Latency;
use crate::units::Nanos;
use crate::units::rate::Rate;
use serde::{Deserialize, Serialize};

/// Version of the JSON; a renamed or removed field is a new version.
pub const SCHEMA: &str = "mcast-bench-ping/1";

/// What `ping` is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PingSpec {
    /// Where to ask, and with `source` from where.
    pub group: Membership,
    /// Index of the interface.
    pub interface: u32,
    /// When to ask next.
    #[serde(flatten)]
    pub asking: Asking,
    /// When it is over.
    pub stop: StopWhen,
    /// UDP payload bytes of a request, and of its reply.
    pub payload_len: u16,
    /// What takes longer than this is late, and what has not come by then is lost.
    pub timeout_ns: Nanos,
    /// Port that replies come to; 0 is one that is free.
    pub reply_port: u16,
    /// How it sends, waits and tells.
    #[serde(flatten)]
    pub manner: Manner,
}

/// When to ask next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "loop", rename_all = "snake_case")]
pub enum Asking {
    /// When it is due, whatever came back: a responder that is slow is not spared.
    Open {
        /// Requests a second.
        rate: Rate,
    },
    /// When the last request is answered, or its timeout over. A responder that is slow is asked less often.
    Closed {
        /// By whom.
        answered_by: AnsweredBy,
    },
}

/// Who must have answered before the next request of a closed loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// All responders that are known and not silent.
    All,
    /// Any of them.
    First,
}

/// How it goes: one interval.
#[derive(Clone, Debug, Default)]
pub struct PingInterval {
    /// Since the start.
    pub start: Nanos,
    /// How long it lasted.
    pub length: Nanos,
    /// Requests sent.
    pub sent: u64,
    /// Replies in time, of all responders.
    pub answered: u64,
    /// Replies that have not come so far, of all responders, since the start; the last ones are on their way.
    pub missing: u64,
    /// Responders that are not silent.
    pub responders: u64,
    /// Round-trip times of the replies in time.
    pub rtt: Latency,
}

/// All there is to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PingReport {
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
    pub outcome: PingOutcome,
    /// The limits that were asked for and whether they held.
    pub limits: Vec<LimitResult>,
}

/// What was asked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PingOutcome {
    /// What was asked for.
    pub spec: PingSpec,
    /// Wall clock at the first request, RFC 3339 in UTC.
    pub started_at: String,
    /// From the first request to the end of asking.
    pub duration_ns: Nanos,
    /// Whether the user ended it.
    pub interrupted: bool,
    /// Whether the numbers may be used.
    pub valid: bool,
    /// Why not.
    pub invalid_reasons: Vec<PingInvalid>,
    /// What happened.
    pub events: Vec<Event>,
    /// Session in the requests, six hexadecimal digits.
    pub session: String,
    /// Port that replies came to.
    pub reply_port: u16,
    /// Requests that were due.
    pub intended: u64,
    /// Requests that the kernel took.
    pub sent: u64,
    /// Requests that the kernel refused.
    pub refused: u64,
    /// Requests a second that left.
    pub sent_pps: f64,
    /// From the due time of a request to the moment it was handed to the kernel; part of its round trip.
    pub lateness_ns: Distribution,
    /// What the socket got as receive buffer.
    pub receive_buffer: BufferGrant,
    /// Replies that this host's socket dropped.
    pub socket_drops: u64,
    /// Core that the thread ran on; `null`: not pinned.
    pub cpu: Option<usize>,
    /// A row a responder.
    pub responders: Vec<ResponderReport>,
    /// All responders added up.
    pub totals: PingTotals,
}

/// One responder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResponderReport {
    /// Identity, eight hexadecimal digits; new at every start of it.
    pub responder: String,
    /// Address and port that it answers from.
    pub source: String,
    /// Its first request: 0, or where it came in.
    pub first_seq: u64,
    /// Whether it did not answer any more at the end.
    pub silent: bool,
    /// How its clock compares to ours.
    pub clock: ClockRelation,
    /// Both clocks together are wrong by at most this; `null` when nobody knows.
    pub clock_error_ns: Option<Nanos>,
    /// What became of its requests.
    #[serde(flatten)]
    pub counts: PingCounts,
    /// Lost of sent, the late ones among them; `null` when nothing was sent.
    pub loss_ratio: Option<f64>,
    /// How long they took.
    #[serde(flatten)]
    pub times: RoundTrips,
}

/// All responders together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PingTotals {
    /// What became of all requests.
    #[serde(flatten)]
    pub counts: PingCounts,
    /// Lost of sent, the late ones among them; `null` when nothing was sent.
    pub loss_ratio: Option<f64>,
    /// Arrived at the reply port and is no answer to this session.
    pub foreign: u64,
    /// How long they took.
    #[serde(flatten)]
    pub times: RoundTrips,
}

/// What became of the requests to a responder. `sent = answered + late + lost` and `lost = lost_there + lost_back +
/// lost_unknown`; `received = answered + late + duplicates + stray`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingCounts {
    /// Requests since it came in.
    pub sent: u64,
    /// Replies that came.
    pub received: u64,
    /// Requests answered in time.
    pub answered: u64,
    /// Requests answered after the timeout.
    pub late: u64,
    /// Requests never answered.
    pub lost: u64,
    /// Of these, the responder never got them, as it says.
    pub lost_there: u64,
    /// Of these, the responder got them, so the reply was lost.
    pub lost_back: u64,
    /// Of these, nobody said which.
    pub lost_unknown: u64,
    /// Further replies to the same request.
    pub duplicates: u64,
    /// Requests that reached the responder again, as it says; each makes a duplicate, if that is not lost.
    pub duplicates_there: u64,
    /// First replies that came behind one to a later request.
    pub reordered: u64,
    /// Replies to requests too long ago to be told from duplicates, or never sent.
    pub stray: u64,
}

impl PingCounts {
    /// Adds those of another responder.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.answered += other.answered;
        self.late += other.late;
        self.lost += other.lost;
        self.lost_there += other.lost_there;
        self.lost_back += other.lost_back;
        self.lost_unknown += other.lost_unknown;
        self.duplicates += other.duplicates;
        self.duplicates_there += other.duplicates_there;
        self.reordered += other.reordered;
        self.stray += other.stray;
    }

    /// Requests not answered in time.
    pub fn unanswered(&self) -> u64 {
        self.late + self.lost
    }

    /// Their share; `None` when nothing was sent.
    pub fn loss_ratio(&self) -> Option<f64> {
        (self.sent > 0).then(|| self.unanswered() as f64 / self.sent as f64)
    }
}

/// Why the numbers must not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum PingInvalid {
    /// Fewer requests left than were due.
    RateMissed {
        /// Requests that were due.
        intended: u64,
        /// Requests that left.
        sent: u64,
    },
    /// This host's socket dropped replies: what the network did is not known.
    SocketDropped {
        /// How many.
        replies: u64,
    },
    /// The socket failed.
    Failed {
        /// Why.
        cause: String,
    },
    /// No responder answered.
    NobodyAnswered,
}

/// Judges by `limit`. What was not measured does not hold. `loss` is what was not answered in time.
pub fn evaluate(limit: &Limit, report: &PingOutcome) -> LimitResult {
    let counts = &report.totals.counts;
    let share = |part: u64, whole: u64| match limit.bound {
        Bound::Ratio(_) => (whole > 0).then(|| Bound::Ratio(part as f64 / whole as f64)),
        _ => Some(Bound::Count(part)),
    };
    let unique = counts.answered + counts.late;
    let measured = match limit.quantity {
        Quantity::Loss if counts.sent > 0 => share(counts.unanswered(), counts.sent),
        Quantity::Duplicates if counts.sent > 0 => share(counts.duplicates, unique),
        Quantity::Reordered if counts.sent > 0 => share(counts.reordered, unique),
        Quantity::Offered if report.intended > 0 => share(report.sent, report.intended),
        Quantity::Refused if report.intended > 0 => share(report.refused, report.intended),
        Quantity::DelayPercentile(percent) => {
            let (rtt, lost) = (&report.totals.times.rtt_ns, counts.unanswered());
            return verdict::judge(limit, verdict::percentile_with_lost(rtt, lost, percent));
        }
        Quantity::LatenessPercentile(percent) => {
            let lateness = &report.lateness_ns;
            return verdict::judge(limit, verdict::percentile_with_lost(lateness, 0, percent));
        }
        _ => None,
    };
    verdict::judge(limit, measured.map(Measured::Finite))
}
