//! The nouns that all floors share: what a trial is to do, how it goes, how it went.
//!
//! Plain data with public fields; the only types that are written to and read from JSON.

pub mod group;
pub mod spec;
pub mod by_stream;
pub mod positions;
pub mod snapshot;
pub mod so_far;
pub mod timeline;
pub mod event;
pub mod environment;
pub mod delay;
pub mod drops;
pub mod metrics;
pub mod senders;
pub mod report;
pub mod answer;
pub mod continued;
pub mod merged;
pub mod compared;
pub mod outside;
pub mod roundtrip;
pub mod ping;
pub mod echo;
pub mod join;
pub mod checkup;
pub mod heard;
pub mod interfaces;
pub mod limit;
pub mod verdict;
#[cfg(test)]
pub(crate) mod sample;

use crate::units::Nanos;
use event::Event;
use report::RunReport;
use snapshot::Snapshot;
use spec::TrialSpec;

/// Someone who is told how a trial goes. Called by the collector's thread, never by a worker.
pub trait Observer: Send {
    /// Everything is open and joined; the trial starts, at `started_at` of the wall clock (since the Unix epoch).
    fn on_start(&mut self, _spec: &TrialSpec, _started_at: Nanos) {}
    /// The first stream is heard. It is told at once, and its event only when the interval ends.
    fn on_heard(&mut self) {}
    /// An interval has ended.
    fn on_interval(&mut self, _snapshot: &Snapshot) {}
    /// Whether it wants intervals to say how far each stream is, which takes time with many. Asked once, after the start.
    fn follows_streams(&self) -> bool {
        false
    }
    /// Something happened that a reader of the result should know.
    fn on_event(&mut self, _event: &Event) {}
    /// The run is over and judged.
    fn on_finish(&mut self, _report: &RunReport) {}
}
