//! Whether a host is fit to measure: what was looked at, and what was found.

use serde::{Deserialize, Serialize};

/// Name and version of the JSON form of a [`Checkup`].
pub const SCHEMA: &str = "mcast-bench-doctor/1";

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of this program.
    pub version: String,
    /// The command line, as a shell would take it.
    pub command: String,
    /// Name of the interface that was looked at.
    pub interface: String,
    /// Groups that were asked about.
    pub groups: Vec<String>,
    /// Whether there is no problem among the findings.
    pub fit: bool,
    /// In the order of the checks; a check that does not apply has none.
    pub findings: Vec<Finding>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Name of the check.
    pub check: String,
    /// How grave it is.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What it spoils; nothing if all is well.
    pub spoils: Option<String>,
    /// The command that mends it, or the way to do so.
    pub fix: Option<String>,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Worth knowing; this program works all the same.
    Note,
    /// A measurement would fail or mislead.
    Problem,
}

impl Finding {
    /// All is well, and this is how it is.
    pub fn fine(check: &str, what: impl Into<String>) -> Self {
        let (spoils, fix) = (None, None);
        Self { check: check.to_owned(), verdict: Verdict::Fine, what: what.into(), spoils, fix }
    }

    /// Something worth knowing, what it may spoil, and how to change it.
    pub fn note(
        check: &str,
        what: impl Into<String>,
        spoils: &str,
        fix: impl Into<String>,
    ) -> Self {
        Self::bad(check, Verdict::Note, what.into(), spoils, fix.into())
    }

    /// Something that spoils measurements, and what to do about it.
    pub fn problem(
        check: &str,
        what: impl Into<String>,
        spoils: &str,
        fix: impl Into<String>,
    ) -> Self {
        Self::bad(check, Verdict::Problem, what.into(), spoils, fix.into())
    }

    fn bad(check: &str, verdict: Verdict, what: String, spoils: &str, fix: String) -> Self {
        let (check, spoils) = (check.to_owned(), Some(spoils.to_owned()));
        Self { check, verdict, what, spoils, fix: Some(fix).filter(|fix| !fix.is_empty()) }
    }
}
