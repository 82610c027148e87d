//! `--state`: what a receiver has counted, in a file, so that the next one goes on from there.
//!
//! Totals and histograms go on; sequence books do not. A window of numbers as it was minutes ago could not tell lost
//! from away, so each trial begins new ones, and the numbers between are said to be away.

use super::file;
use crate::error::{Error, Result};
use crate::model::Observer;
use crate::model::continued::{Continued, Position, SCHEMA, Setup, State};
use crate::model::delay::Distribution;
use crate::model::report::{RunReport, StreamEnd, StreamReport};
use crate::model::snapshot::{RxCounts, Snapshot};
use crate::model::so_far::SoFar;
use crate::model::spec::TrialSpec;
use crate::stats::latency::{self, Delays, Latency};
use crate::units::Nanos;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a program that is killed loses at most.
const SAVE_EVERY: Nanos = Nanos(60 * Nanos::SECOND.0);

/// The file while a trial runs.
pub struct Keeper {
    path: PathBuf,
    setup: Setup,
    earlier: Option<State>,
    refused: Option<String>,
    so_far: SoFar,
    started_at: Nanos,
    next_save: Nanos,
    failure: Option<Error>,
}

/// One trial, as far as it is added to those before.
struct Trial {
    counts: RxCounts,
    lost: u64,
    payload_bytes: u64,
    one_way: Option<Delays>,
    relative: Option<Delays>,
    host: Option<Delays>,
}

impl Keeper {
    /// Reads the file, and makes sure that it can be written.
    ///
    /// # Errors
    /// It can be neither read nor written, or a file that cannot be gone on with cannot be put aside.
    pub fn open(path: &Path, setup: Setup) -> Result<Self> {
        let probe = file::partial_of(path);
        File::create(&probe)
            .and_then(|_| fs::remove_file(&probe))
            .map_err(|error| file::cannot_create("state", path, error))?;
        let (earlier, refused) = match read(path, &setup)? {
            None => (None, None),
            Some(Ok(state)) => (Some(state), None),
            Some(Err(reason)) => {
                fs::rename(path, aside(path)).map_err(|error| {
                    let aside = aside(path);
                    Error::os(
                        format!("cannot put the old state aside as {}", aside.display()),
                        error,
                    )
                })?;
                (None, Some(reason))
            }
        };
        Ok(Self {
            path: path.to_owned(),
            setup,
            earlier,
            refused,
            so_far: SoFar::default(),
            started_at: Nanos(0),
            next_save: SAVE_EVERY,
            failure: None,
        })
    }

    /// Why the file that was there is not gone on with, and where it is now.
    pub fn refused(&self) -> Option<(&str, PathBuf)> {
        self.refused.as_deref().map(|reason| (reason, aside(&self.path)))
    }

    /// Why it could not be written.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Adds the trials before to the report, and writes all down.
    pub fn finish(&mut self, report: &mut RunReport) {
        let now = wall_clock();
        let trial = &report.trial;
        let Some(totals) = &trial.totals else { return };
        let delays = |of: Option<&Distribution>| of.and_then(|of| delays(of).ok());
        let one_way = trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
        let this = Trial {
            counts: totals.counts,
            lost: totals.lost,
            payload_bytes: totals.payload_bytes,
            one_way: delays(one_way),
            relative: delays(trial.relative_delay_ns.as_ref()),
            host: delays(trial.host_delay_ns.as_ref()),
        };
        let mut continued = self.continued(this, now);
        if let Some(State { streams: Some(before), .. }) = &self.earlier {
            let (away, unknown) = away(before, &trial.streams);
            continued.away += away;
            continued.away_unknown += unknown;
        }
        let streams = Some(positions(&trial.streams));
        self.save(continued.clone(), streams, now);
        report.continued = Some(continued);
    }

    /// This trial and those before. What was away by their numbers is known at the end only.
    fn continued(&self, this: Trial, now: Nanos) -> Continued {
        let none = Continued { since: rfc3339(self.started_at), ..Continued::default() };
        let earlier = self.earlier.as_ref();
        let before = earlier.map_or(&none, |state| &state.continued);
        let gap = earlier.map_or(Nanos(0), |state| self.started_at.saturating_sub(state.until_ns));
        let cut_off =
            earlier.filter(|state| state.streams.is_none()).map_or(0, |state| state.heard);
        let mut counts = before.counts;
        counts.add(&this.counts);
        let lost = before.lost + this.lost;
        let known = counts.unique + lost;
        let sum = |before: &Option<Distribution>, this: Option<Delays>, lost| {
            let before = before.as_ref().and_then(|before| delays(before).ok());
            let sum = match (before, this) {
                (Some(mut sum), Some(this)) => {
                    sum.add(&this);
                    Some(sum)
                }
                (before, this) => before.or(this),
            };
            sum.map(|sum| Distribution::with_losses(&sum, lost))
        };
        Continued {
            since: before.since.clone(),
            trials: before.trials + 1,
            listened_ns: before.listened_ns + now.saturating_sub(self.started_at),
            away_ns: before.away_ns + gap,
            away: before.away,
            away_unknown: before.away_unknown + cut_off,
            counts,
            lost,
            loss_ratio: (known > 0).then(|| lost as f64 / known as f64),
            payload_bytes: before.payload_bytes + this.payload_bytes,
            one_way_delay_ns: sum(&before.one_way_delay_ns, this.one_way, lost),
            relative_delay_ns: sum(&before.relative_delay_ns, this.relative, lost),
            host_delay_ns: sum(&before.host_delay_ns, this.host, 0),
        }
    }

    /// Writes it beside the old one, which it replaces when it is on the disk. One failure is told; it is tried again.
    fn save(&mut self, continued: Continued, streams: Option<Vec<Position>>, now: Nanos) {
        let heard = self.so_far.receiver.as_ref().map_or(0, |receiver| receiver.streams);
        let state = State {
            schema: SCHEMA.to_owned(),
            setup: self.setup.clone(),
            until_ns: now,
            continued,
            streams,
            heard,
        };
        let written = write(&self.path, &state);
        self.failure = written.err().map(|error| {
            let what = format!("cannot write state to {}", self.path.display());
            Error::os(what, error).hint("what was there before is still there")
        });
    }
}

impl Observer for Keeper {
    fn on_start(&mut self, _spec: &TrialSpec, started_at: Nanos) {
        self.started_at = started_at;
    }

    fn on_interval(&mut self, snapshot: &Snapshot) {
        self.so_far.add(snapshot);
        if self.so_far.until < self.next_save {
            return;
        }
        self.next_save = self.so_far.until + SAVE_EVERY;
        let Some(receiver) = &self.so_far.receiver else { return };
        let read = |latency: &Latency| (latency.count() > 0).then(|| latency.read());
        let this = Trial {
            counts: receiver.counts,
            lost: receiver.lost.try_into().unwrap_or(0),
            payload_bytes: receiver.payload_bytes,
            one_way: read(&receiver.one_way_delay),
            relative: read(&receiver.relative_delay),
            host: read(&receiver.host_delay),
        };
        let now = wall_clock();
        let mut continued = self.continued(this, now);
        // By which numbers it went on is known at the end only; if that never comes, it stays unknown.
        let before = self.earlier.as_ref().and_then(|state| state.streams.as_ref());
        continued.away_unknown += before.map_or(0, |streams| streams.len() as u64);
        self.save(continued, None, now);
    }
}

/// What is in the file; the reason why it is not gone on with; nothing, when there is none.
fn read(path: &Path, setup: &Setup) -> Result<Option<std::result::Result<State, String>>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Error::os(format!("cannot read state from {}", path.display()), error));
        }
    };
    Ok(Some(understood(&text, setup)))
}

fn understood(text: &[u8], setup: &Setup) -> std::result::Result<State, String> {
    let value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| format!("it is not whole: {error}"))?;
    match value["schema"].as_str() {
        Some(SCHEMA) => {}
        Some(other) => return Err(format!("it is of version {other}, and this is {SCHEMA}")),
        None => return Err("it is not a state of mcast-bench".into()),
    }
    let state: State =
        serde_json::from_value(value).map_err(|error| format!("it is damaged: {error}"))?;
    let theirs = &state.setup;
    let differs = [
        (theirs.groups != setup.groups, "groups"),
        (theirs.interfaces != setup.interfaces, "interfaces"),
        (theirs.loss_threshold_ns != setup.loss_threshold_ns, "loss threshold"),
    ];
    if let Some((_, what)) = differs.iter().find(|(differs, _)| *differs) {
        return Err(format!("it counts with other {what}"));
    }
    let Continued { one_way_delay_ns, relative_delay_ns, host_delay_ns, .. } = &state.continued;
    for distribution in [one_way_delay_ns, relative_delay_ns, host_delay_ns].into_iter().flatten() {
        delays(distribution).map_err(|reason| format!("a histogram in it is damaged: {reason}"))?;
    }
    Ok(state)
}

fn delays(of: &Distribution) -> std::result::Result<Delays, String> {
    let histogram = of.histogram()?;
    let own = latency::histogram();
    if (histogram.high(), histogram.sigfig()) != (own.high(), own.sigfig()) {
        return Err("it has other bounds".into());
    }
    Ok(Delays {
        histogram,
        negative: 0,
        negative_max: Nanos(0),
        clamped: of.percentiles.clamped,
        min: (of.percentiles.count > 0).then_some(of.percentiles.min),
        max: of.percentiles.max,
    })
}

/// How many datagrams of streams that went on were away; and how many streams there are of which nobody knows.
fn away(before: &[Position], now: &[StreamReport]) -> (u64, u64) {
    let mut sum = (0, 0);
    for position in before {
        let same = now.iter().find(|row| {
            (&row.session, row.stream, &row.source, &row.interface)
                == (&position.session, position.stream, &position.source, &position.interface)
        });
        match same {
            Some(row) => sum.0 += row.first_seq.saturating_sub(position.next_seq),
            None => sum.1 += 1,
        }
    }
    sum
}

/// Of the streams that had not ended.
fn positions(streams: &[StreamReport]) -> Vec<Position> {
    let open = streams.iter().filter(|row| row.end != StreamEnd::Announced);
    open.map(|row| Position {
        session: row.session.clone(),
        stream: row.stream,
        source: row.source.clone(),
        interface: row.interface.clone(),
        next_seq: row.highest_seq.map_or(row.first_seq, |highest| highest + 1),
    })
    .collect()
}

fn write(path: &Path, state: &State) -> io::Result<()> {
    let partial = file::partial_of(path);
    let mut out = File::create(&partial)?;
    let mut text = serde_json::to_vec_pretty(state)?;
    text.push(b'\n');
    out.write_all(&text)?;
    out.sync_all()?;
    fs::rename(&partial, path)
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".refused");
    path.with_file_name(name)
}

fn wall_clock() -> Nanos {
    SystemTime::now().duration_since(UNIX_EPOCH).map(Nanos::from).unwrap_or_default()
}

fn rfc3339(wall: Nanos) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from(wall)).to_string()
}

#[cfg(test)]
mod tests;
