//! What got better and what worse between two sets of runs. Serialized as it stands
//! (`report/compared.schema.json`).

use serde::{Deserialize, Serialize};

/// Version of the JSON; a renamed or removed field is a new version.
pub const SCHEMA: &str = "mcast-bench-compared/1";

/// Two sets of runs, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of this program.
    pub version: String,
    /// Command line, as a shell would take it.
    pub command: String,
    /// What it was before.
    pub a: RunSet,
    /// What it is now.
    pub b: RunSet,
    /// What counts as a difference where a single run has no spread, as a ratio.
    pub tolerance: f64,
    /// In what the runs differ that may be why.
    pub differences: Vec<Difference>,
    /// A row a quantity.
    pub lines: Vec<ComparedLine>,
    /// Whether any quantity got worse.
    pub worse: bool,
}

/// Repeated runs of one trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSet {
    /// The file or directory.
    pub path: String,
    /// How many runs.
    pub runs: usize,
    /// How many of them must not be used.
    pub invalid: usize,
}

/// Something about the runs that is not the same in all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What.
    pub what: String,
    /// Its values in A.
    pub a: Vec<String>,
    /// Its values in B.
    pub b: Vec<String>,
}

/// One quantity in both sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedLine {
    /// Its name.
    pub quantity: String,
    /// Its unit.
    pub unit: Unit,
    /// In A; `null` when no run has it.
    pub a: Option<Spread>,
    /// In B; `null` when no run has it.
    pub b: Option<Spread>,
    /// Median of B divided by that of A; `null` when A's is zero or one of them is infinite.
    pub ratio: Option<f64>,
    /// What to think of it.
    pub verdict: Change,
}

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Datagrams a second.
    Pps,
    /// A part of a whole.
    Ratio,
    /// Nanoseconds.
    Ns,
}

/// A quantity over repeated runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Runs that have it.
    pub runs: usize,
    /// The median.
    pub median: Value,
    /// The lowest.
    pub min: Value,
    /// The highest.
    pub max: Value,
}

/// A number, or `"infinite"`: a percentile that reaches into what was lost (RFC 7679 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Finite(f64),
    /// More than any number.
    Infinite(Infinite),
}

/// The word for what is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Infinite {
    /// Beyond all numbers.
    Infinite,
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        if number.is_finite() { Self::Finite(number) } else { Self::Infinite(Infinite::Infinite) }
    }
}

/// What became of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// B is better than all of A.
    Better,
    /// B is worse than all of A.
    Worse,
    /// The runs overlap, or differ less than can be told.
    Same,
    /// Not measured on both sides, or infinite on both.
    CannotTell,
}
