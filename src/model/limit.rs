//! Limits a trial must hold: `--fail-if 'loss>0.01%'`.

use crate::units::Nanos;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A condition under which a trial counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// What is looked at.
    pub quantity: Quantity,
    /// Fails above or below the bound.
    pub fails: Fails,
    /// The bound.
    pub bound: Bound,
}

/// What a limit looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// `loss`: datagrams lost, or their share of the sent ones.
    Loss,
    /// `duplicates`: further copies, or their share of the unique ones.
    Duplicates,
    /// `reordered`: datagrams, or their share of the unique ones (RFC 4737 section 4.1).
    Reordered,
    /// `corrupt`: datagrams, or their share of the received ones.
    Corrupt,
    /// `offered`: datagrams, or their share of the intended ones.
    Offered,
    /// `refused`: datagrams, or their share of the intended ones.
    Refused,
    /// `p50`, `p90`, `p99`, `p99.9`, `p99.99`, `max` of the one-way delay; in thousandths of a per cent.
    DelayPercentile(u32),
    /// `late-p99` and the like: the same of the sender's lateness.
    LatenessPercentile(u32),
}

/// Which side of the bound is a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fails {
    /// `>`
    Above,
    /// `<`
    Below,
}

/// A bound in the unit that the user chose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// So many datagrams.
    Count(u64),
    /// A share: `0.01%` is 0.0001.
    Ratio(f64),
    /// A time.
    Time(Nanos),
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Err(format!("`{text}` is not a limit"))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
