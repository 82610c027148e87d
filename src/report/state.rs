//! `--state`: what a receiver has counted, in a file, so that the next one goes on from there.
//!
//! Totals and histograms go on, and how far each stream was; sequence books do not. A window of numbers as it was minutes
//! ago could not tell lost from away, so each trial begins new ones, and the numbers between are said to be away.
//!
//! A trial is written down every few seconds, with the positions as of the counts: what came later, and is lost with a
//! program that is killed, is away like what was sent after it.

mod place;
mod saver;
mod sum;

use crate::error::{Error, Result};
use crate::model::Observer;
use crate::model::continued::{Setup, State};
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::so_far::SoFar;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;
use place::Place;
use saver::Saver;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use sum::{Series, Trial};

/// How much a program that is killed loses at most, beside an interval: a thousand streams are 130 kB and some milliseconds
/// of a thread of its own.
const SAVE_EVERY: Nanos = Nanos(10 * Nanos::SECOND.0);

/// The file while a trial runs.
pub struct Keeper {
    kept: Arc<Kept>,
    refused: Option<String>,
    saver: Option<Saver>,
    so_far: SoFar,
    started_at: Nanos,
    next_save: Nanos,
    failure: Option<Error>,
}

/// Where to write, and what it is added to.
struct Kept {
    place: Place,
    series: Series,
}

impl Keeper {
    /// Reads the file, and makes sure that it can be written and that nobody else does.
    ///
    /// # Errors
    /// It can be neither read nor written, another program counts into it, or a file that cannot be gone on with cannot be
    /// put aside.
    pub fn open(path: &Path, setup: Setup) -> Result<Self> {
        let place = Place::open(path)?;
        let (earlier, refused) = match place.read(&setup)? {
            None => (None, None),
            Some(Ok(state)) => (Some(state), None),
            Some(Err(reason)) => {
                place.put_aside()?;
                (None, Some(reason))
            }
        };
        let kept = Arc::new(Kept { place, series: Series { setup, earlier } });
        let to_save = kept.clone();
        let saver = Saver::start(move |so_far, started_at, now| {
            let Some(trial) = Trial::so_far(&so_far) else { return };
            // Whether the last one succeeds is what counts; until then it is tried again and again.
            drop(to_save.save(&trial, started_at, now));
        })?;
        Ok(Self {
            kept,
            refused,
            saver: Some(saver),
            so_far: SoFar::default(),
            started_at: Nanos(0),
            next_save: Nanos(0),
            failure: None,
        })
    }

    /// Why the file that was there is not gone on with, and where it is now.
    pub fn refused(&self) -> Option<(&str, PathBuf)> {
        self.refused.as_deref().map(|reason| (reason, self.kept.place.aside()))
    }

    /// Why it could not be written.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Adds the trials before to the report, and writes all down.
    pub fn finish(&mut self, report: &mut RunReport) {
        // It must not come after this.
        self.saver = None;
        let Some(trial) = Trial::whole(&report.trial) else { return };
        let (state, failure) = self.kept.save(&trial, self.started_at, wall_clock());
        self.failure = failure;
        report.continued = Some(state.continued);
    }
}

impl Kept {
    /// Adds a trial to those before, and writes it down. Says what was to be written, and why it was not.
    fn save(&self, trial: &Trial, started_at: Nanos, now: Nanos) -> (State, Option<Error>) {
        let state = self.series.with(trial, started_at, now);
        let failure = self.place.write(&state).err();
        (state, failure)
    }
}

impl Observer for Keeper {
    fn on_start(&mut self, _spec: &TrialSpec, started_at: Nanos) {
        self.started_at = started_at;
    }

    fn follows_streams(&self) -> bool {
        true
    }

    fn on_interval(&mut self, snapshot: &Snapshot) {
        self.so_far.add(snapshot);
        if self.so_far.until < self.next_save {
            return;
        }
        let has_counted = self.so_far.receiver.as_ref().is_some_and(|rx| rx.counts.received > 0);
        let Some(saver) = self.saver.as_ref().filter(|_| has_counted) else { return };
        if saver.offer(&self.so_far, self.started_at, wall_clock()) {
            self.next_save = self.so_far.until + SAVE_EVERY;
        }
    }
}

fn wall_clock() -> Nanos {
    SystemTime::now().duration_since(UNIX_EPOCH).map(Nanos::from).unwrap_or_default()
}

#[cfg(test)]
mod tests;
