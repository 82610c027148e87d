//! The state of a running trial for Prometheus: counters, gauges and histograms, at `/metrics`.
//!
//! An observer adds snapshots up, as often as they come; a thread of its own answers scrapes from the sums. Workers
//! know nothing of it: what a scrape may have to wait for, and keep waiting, is the collector at most.

mod page;
mod server;
mod totals;

use crate::error::Result;
use crate::model::Observer;
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;
use server::{Listening, Server};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use totals::Totals;

/// Lets itself be scraped from the start of a trial until it is dropped.
pub struct Prometheus {
    totals: Arc<Mutex<Totals>>,
    address: SocketAddr,
    server: State,
}

/// How far the server is.
enum State {
    Listening(Listening),
    Answering { _until_dropped: Server },
    Failed(crate::error::Error),
}

impl Prometheus {
    /// Listens at an address; nobody is answered before the trial starts.
    ///
    /// # Errors
    /// The port is in use, or the address is not of this host.
    pub fn listen(at: SocketAddr) -> Result<Self> {
        let listening = Listening::at(at)?;
        let address = listening.address();
        Ok(Self { totals: Arc::default(), address, server: State::Listening(listening) })
    }

    /// Where it listens: with the port that was found, if any was to do.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why nobody is answered, if that is so.
    pub fn failure(&self) -> Option<&crate::error::Error> {
        match &self.server {
            State::Failed(error) => Some(error),
            State::Listening(_) | State::Answering { .. } => None,
        }
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        lock(&self.totals)
    }
}

impl Observer for Prometheus {
    fn on_start(&mut self, spec: &TrialSpec, started_at: Nanos) {
        self.totals().start(spec, started_at);
        let State::Listening(listening) = &mut self.server else { return };
        let totals = self.totals.clone();
        // Not before now: this thread is where it may run without getting in a sender's way.
        self.server = match listening.answer(move || page::page(&lock(&totals))) {
            Ok(server) => State::Answering { _until_dropped: server },
            Err(error) => State::Failed(error),
        };
    }

    fn on_interval(&mut self, snapshot: &Snapshot) {
        self.totals().add(snapshot);
    }

    fn on_finish(&mut self, report: &RunReport) {
        self.totals().finish(report);
    }
}

/// Sums are whole between any two statements that could panic, so those of a thread that did are still right.
fn lock(totals: &Mutex<Totals>) -> MutexGuard<'_, Totals> {
    totals.lock().unwrap_or_else(PoisonError::into_inner)
}
