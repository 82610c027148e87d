//! The state of a running trial for Prometheus: counters, gauges and histograms, at `/metrics`.
//!
//! An observer adds snapshots up, as often as they come; a thread of its own answers scrapes from the sums. Workers
//! know nothing of it: what a scrape may have to wait for, and keep waiting, is the collector at most.

mod page;
mod server;
mod totals;

use crate::error::{Error, Result};
use crate::model::Observer;
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;
use server::Server;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use totals::Totals;

/// Lets itself be scraped until it is dropped.
pub struct Prometheus {
    totals: Arc<Mutex<Totals>>,
    server: Server,
    failure: Option<Error>,
}

impl Prometheus {
    /// Answers at an address from now on, also while the trial waits for its start.
    ///
    /// # Errors
    /// The port is in use or not for this user, or the address is not of this host.
    pub fn listen(at: SocketAddr, spec: &TrialSpec) -> Result<Self> {
        let totals = Arc::new(Mutex::new(Totals::new(spec)));
        let told = totals.clone();
        let server = Server::at(at, move || page::page(&lock(&told)))?;
        Ok(Self { totals, server, failure: None })
    }

    /// Where it listens: with the port that was found, if any was to do.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Why nobody is answered, if that is so.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        lock(&self.totals)
    }
}

impl Observer for Prometheus {
    fn on_start(&mut self, _spec: &TrialSpec, started_at: Nanos) {
        self.totals().start(started_at);
        // This thread is where it may run without getting in a sender's way, and threads that it starts are, too.
        self.failure = self.server.restart().err();
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
