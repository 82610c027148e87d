//! What a group of receivers got, out of the results of each (RFC 5644). Serialized as it stands
//! (`report/merged.schema.json`).

use super::delay::{Distribution, OneWayDelay};
use super::drops::LostBy;
use super::snapshot::RxCounts;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the JSON; a renamed or removed field is a new version.
pub const SCHEMA: &str = "mcast-bench-merged/1";

/// The delay variation reaches from the shortest delay to this quantile (RFC 5644 section 8.5).
pub const VARIATION_QUANTILE: f64 = 0.999;

/// Many results, one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of this program.
    pub version: String,
    /// Command line, as a shell would take it.
    pub command: String,
    /// Whether all results may be used (RFC 3918 section 5.1).
    pub valid: bool,
    /// Results that could not be read and are not in here.
    pub skipped: Vec<Skipped>,
    /// What a reader should know before using the numbers.
    pub warnings: Vec<MergeWarning>,
    /// The receivers as one.
    pub group: GroupReport,
    /// A row a receiver.
    pub receivers: Vec<MemberReport>,
    /// A row a sender.
    pub senders: Vec<MergedSender>,
    /// A row a stream that any receiver heard.
    pub streams: Vec<MergedStream>,
    /// The delays of all receivers in one histogram; `null` when no result has any.
    pub one_way_delay_ns: Option<OneWayDelay>,
    /// The lateness of all senders in one histogram; `null` when no result has any.
    pub lateness_ns: Option<Distribution>,
}

/// A file that is not in the merged report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The receivers as one (RFC 5644 section 8). What nobody measured is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupReport {
    /// How many there are (to be reported: section 10.2).
    pub receivers: usize,
    /// Sum of what was sent to each.
    pub sent: u64,
    /// Sum of what arrived at each.
    #[serde(flatten)]
    pub counts: RxCounts,
    /// Sum of what each lost.
    pub lost: u64,
    /// Where the lost ones were lost.
    pub lost_by: LostBy,
    /// Datagrams that every receiver lost which could hear them, each counted once: lost upstream of where the
    /// paths part.
    pub lost_by_all: u64,
    /// GLR: lost of sent to all (section 8.4).
    pub loss_ratio: Option<f64>,
    /// The receiver with the lowest loss ratio.
    pub loss_ratio_lowest: Option<Extreme>,
    /// The receiver with the highest loss ratio: the worst.
    pub loss_ratio_highest: Option<Extreme>,
    /// GMD: mean of the receivers' mean delays (section 8.3).
    pub mean_delay_ns: Option<f64>,
    /// GRMD: the highest mean delay less the lowest (section 8.3).
    pub mean_delay_range_ns: Option<f64>,
    /// The receiver with the lowest mean delay.
    pub mean_delay_lowest: Option<Extreme>,
    /// GMMD: the receiver with the highest mean delay (section 8.3).
    pub mean_delay_highest: Option<Extreme>,
    /// [`VARIATION_QUANTILE`] (to be recorded: section 8.5).
    pub delay_variation_quantile: f64,
    /// GRDV: the highest delay variation less the lowest (section 8.5).
    pub delay_variation_range_ns: Option<Nanos>,
}

/// The end of a range, and who stands there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extreme {
    /// Name of the receiver; the first one where several stand there.
    pub receiver: String,
    /// Its value.
    pub value: f64,
}

/// One receiver among the others. `sent = unique + lost` and `lost = lost_common + lost_own + lost_not_compared`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberReport {
    /// Its host where that is enough to tell it from the others, else its file.
    pub name: String,
    /// The file with its result.
    pub file: String,
    /// Its host.
    pub host: Option<String>,
    /// Whether its result may be used.
    pub valid: bool,
    /// Datagrams that it should have got, RFC 5644's K.
    pub sent: u64,
    /// What arrived.
    #[serde(flatten)]
    pub counts: RxCounts,
    /// What did not.
    pub lost: u64,
    /// Where the lost ones were lost, as its own counters say.
    pub lost_by: LostBy,
    /// Those that every receiver lost which could hear them.
    pub lost_common: u64,
    /// Those that another receiver got: lost on the branch to this one, or in it.
    pub lost_own: u64,
    /// Those whose numbers are not known, or that no other receiver could hear.
    pub lost_not_compared: u64,
    /// RnLR: lost of sent (section 8.4).
    pub loss_ratio: Option<f64>,
    /// RnCLR: lost of what the best receiver got (section 8.4).
    pub comparative_loss_ratio: Option<f64>,
    /// Streams that it heard.
    pub streams: usize,
    /// Streams that it joined and others heard, but not it. All of them counts as lost.
    pub streams_not_heard: usize,
    /// Its delays; `null` when it has none or no clock that compares with the sender's.
    pub delay: Option<MemberDelay>,
    /// RnDV: the [`VARIATION_QUANTILE`] of the delay less the shortest (section 8.5). Needs no common clock.
    pub delay_variation_ns: Option<Nanos>,
    /// Received before they were due, and not among its delays: its clock disagrees with the sender's.
    pub delay_negative: u64,
}

/// The delays of one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberDelay {
    /// Between which clocks.
    pub clock: String,
    /// Shortest.
    pub min_ns: Nanos,
    /// RnMD: mean (section 8.3).
    pub mean_ns: f64,
    /// 99 % were at most this.
    pub p99_ns: Nanos,
    /// Longest.
    pub max_ns: Nanos,
}

/// What a sender says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedSender {
    /// Its host where that is enough to tell it from the others, else its file.
    pub name: String,
    /// The file with its result.
    pub file: String,
    /// Its host.
    pub host: Option<String>,
    /// Whether its result may be used.
    pub valid: bool,
    /// Session in its datagrams.
    pub session: String,
    /// Datagrams that were due.
    pub intended: u64,
    /// Those that the kernel took.
    pub offered: u64,
    /// Those that it refused, by the name of the errno.
    pub refused: BTreeMap<String, u64>,
    /// Datagrams a second that left.
    pub offered_load_pps: f64,
    /// Bits of UDP payload a second that left.
    pub offered_load_bps: f64,
    /// What the receivers say it sent; `null` when they did not hear all of its streams to the end.
    pub heard_sent: Option<u64>,
}

/// One stream as all its receivers heard it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedStream {
    /// Session of the sender.
    pub session: String,
    /// Number of the stream in its session.
    pub stream: u16,
    /// Group it was sent to.
    pub group: String,
    /// Port it was sent to.
    pub port: u16,
    /// Datagrams in it; `null` when no receiver was told.
    pub sent: Option<u64>,
    /// Receivers that heard it.
    pub heard_by: usize,
    /// Receivers that joined its group and did not hear it.
    pub not_heard_by: usize,
    /// Sum of what each receiver lost of it.
    pub lost: u64,
    /// Datagrams that every receiver lost which could hear them, each counted once.
    pub lost_by_all: u64,
    /// Which these are, in ascending order.
    pub lost_by_all_ranges: Vec<SeqRange>,
    /// Whether every receiver named all the numbers it lost.
    pub lost_ranges_complete: bool,
}

/// Consecutive sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeqRange {
    /// The first of them.
    pub first_seq: u64,
    /// How many.
    pub len: u64,
}

/// What a reader should know before using the numbers; the advice stands in `report/merge/warnings.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum MergeWarning {
    /// Some results must not be used.
    Invalid {
        /// Their files.
        files: Vec<String>,
    },
    /// Some files could not be read and are missing.
    Skipped {
        /// How many.
        files: usize,
    },
    /// A sender offered another number than its receivers say it sent.
    SentDiffers {
        /// Name of the sender.
        sender: String,
        /// What it says.
        offered: u64,
        /// What they say.
        heard_sent: u64,
    },
    /// Receivers did not hear streams that they joined and that others heard.
    NotHeard {
        /// Names of the receivers.
        receivers: Vec<String>,
    },
    /// Receivers were not sent the same number of datagrams: one came late, left early, or joined other groups.
    UnequalSent {
        /// The fewest.
        fewest: u64,
        /// The most.
        most: u64,
    },
    /// Receivers lost more ranges of numbers than a result names.
    LostRangesIncomplete {
        /// Names of the receivers.
        receivers: Vec<String>,
    },
    /// Receivers got datagrams before they were due.
    NegativeDelay {
        /// Names of the receivers.
        receivers: Vec<String>,
    },
    /// Receivers whose clocks do not compare with their senders': of their delays only the variation is known.
    VariationOnly {
        /// Names of the receivers.
        receivers: Vec<String>,
    },
    /// Delays of receivers on different hosts are compared.
    DifferentClocks,
}
