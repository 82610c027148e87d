//! One trial from its beginning to its end: join, warm up, offer, drain, leave, judge.

mod runner;
mod plan;
mod granted;
mod lengths;
mod replay;
mod crew;
mod control;
mod tx_worker;
pub mod pacer;
mod rx_worker;
pub mod ledger;
pub mod senders;
mod shared;
pub mod stream;
mod on_request;
mod clocks;
mod handover;
mod collector;
mod errno;
mod blame;
mod summary;
pub mod validity;

pub use runner::LocalRunner;

use crate::error::Result;
use crate::model::Observer;
use crate::model::report::TrialReport;
use crate::model::spec::TrialSpec;

/// Something that can carry out trials: this machine, or a made-up one in a test of those who ask for trials.
pub trait TrialRunner {
    /// Carries out one trial and tells `observer` how it goes.
    ///
    /// # Errors
    /// It could not start. Whatever happens after the start is in the report.
    fn run(&mut self, spec: &TrialSpec, observer: &mut dyn Observer) -> Result<TrialReport>;
}
