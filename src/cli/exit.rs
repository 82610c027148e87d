//! Exit codes, as scripts rely on them.

use crate::error::{Error, ErrorKind};
use crate::model::echo::EchoReport;
use crate::model::join::{JoinInvalid, JoinReport};
use crate::model::ping::{PingInvalid, PingReport};
use crate::model::report::{InvalidReason, RunReport};
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Ran, is valid, and every limit held.
    Fine = 0,
    /// Could not run, or could not write what it measured.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Ran, but the trial is invalid or a limit failed.
    NotGood = 3,
    /// A receiver heard nothing.
    NothingHeard = 4,
    /// The user ended it; the report was written.
    Interrupted = 130,
}

impl Exit {
    /// For an error that kept it from running.
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Usage => Self::Usage,
            ErrorKind::Environment => Self::Failed,
        }
    }

    /// For a run that was reported.
    pub(super) fn of_report(report: &RunReport) -> Self {
        let trial = &report.trial;
        if trial.interrupted {
            Self::Interrupted
        } else if trial.invalid_reasons.contains(&InvalidReason::NothingHeard) {
            Self::NothingHeard
        } else if !trial.valid || report.limits.iter().any(|limit| !limit.held) {
            Self::NotGood
        } else {
            Self::Fine
        }
    }
}

impl Exit {
    /// For round trips that were reported.
    pub(super) fn of_ping(report: &PingReport) -> Self {
        let outcome = &report.outcome;
        if outcome.interrupted {
            Self::Interrupted
        } else if outcome.invalid_reasons.contains(&PingInvalid::NobodyAnswered) {
            Self::NothingHeard
        } else if !outcome.valid || report.limits.iter().any(|limit| !limit.held) {
            Self::NotGood
        } else {
            Self::Fine
        }
    }

    /// For joins that were reported.
    pub(super) fn of_join(report: &JoinReport) -> Self {
        let outcome = &report.outcome;
        if outcome.interrupted {
            Self::Interrupted
        } else if outcome.invalid_reasons == [JoinInvalid::NothingCame] {
            Self::NothingHeard
        } else if !outcome.valid || report.limits.iter().any(|limit| !limit.held) {
            Self::NotGood
        } else {
            Self::Fine
        }
    }

    /// For answers that were reported.
    pub(super) fn of_echo(report: &EchoReport) -> Self {
        let outcome = &report.outcome;
        if outcome.interrupted {
            Self::Interrupted
        } else if outcome.failed.is_some() {
            Self::NotGood
        } else if outcome.askers.is_empty() {
            Self::NothingHeard
        } else {
            Self::Fine
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
