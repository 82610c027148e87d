//! A report in several files, each whole and readable alone, for trials that last for days.
//!
//! What is being written is `PATH.partial`. A file that is full is `PATH.` and the time of the wall clock at which it was
//! begun, such as `PATH.20260131T120000.250Z`: names never change, sort by age, and no restart overwrites one.

use super::file::{self, Partial};
use super::paper::Paper;
use super::{ReportFormat, ReportWriter};
use crate::model::event::Event;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;
use crate::units::duration::parse_duration;
use crate::units::size::Bytes;
use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// When a file is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// With the interval that reaches this size.
    Size(Bytes),
    /// With the interval that ends so long after its first began.
    Age(Nanos),
}

/// How a report is spread over files.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// When the next is begun.
    pub full: Full,
    /// Full files that stay; `None`: all.
    pub keep: Option<usize>,
}

impl FromStr for Full {
    type Err = String;

    /// A size with its `B` or prefix, or a time with its unit. `1m` is a minute, `1M` a megabyte.
    fn from_str(text: &str) -> Result<Self, String> {
        let has_unit = text.ends_with(char::is_alphabetic);
        let age = parse_duration(text).map(Self::Age);
        match age.or_else(|_| text.parse().map(Self::Size)) {
            _ if !has_unit => {
                Err(format!("`{text}` has no unit; files are full at `100MB` or after `1h`"))
            }
            Ok(Self::Size(Bytes(0..1000))) => Err("a file has at least 1kB".into()),
            Ok(Self::Age(Nanos(0..1_000_000_000))) => Err("a file has at least 1s".into()),
            Ok(full) => Ok(full),
            Err(_) => Err(format!("`{text}` is neither a size like `100MB` nor a time like `1h`")),
        }
    }
}

/// A report on its way into several files.
pub(super) struct Rotating<T: 'static> {
    format: &'static dyn ReportFormat<T>,
    place: PathBuf,
    rotation: Rotation,
    /// What each file begins with.
    start: Option<(TrialSpec, Nanos)>,
    current: Current<T>,
}

/// The file that is being written.
struct Current<T> {
    writer: Box<dyn ReportWriter<T>>,
    partial: Partial,
    bytes: Arc<AtomicU64>,
    /// When its first interval began.
    since: Option<Nanos>,
}

impl<T> Rotating<T> {
    /// Begins the first file. What a program that was killed has left of its last one gets a name of its own.
    pub(super) fn begin(
        format: &'static dyn ReportFormat<T>,
        place: PathBuf,
        rotation: Rotation,
    ) -> io::Result<Self> {
        let left = file::partial_of(&place);
        let claimed = file::claim(&left)?.metadata()?;
        if claimed.len() > 0 {
            let name = free(&place, claimed.modified()?, ".partial");
            fs::rename(&left, name)?;
        }
        let current = Current::begin(format, &place)?;
        Ok(Self { format, place, rotation, start: None, current })
    }

    fn is_full(&self, start: Nanos) -> bool {
        let Some(since) = self.current.since else { return false };
        match self.rotation.full {
            Full::Size(Bytes(size)) => self.current.bytes.load(Ordering::Relaxed) >= size,
            Full::Age(age) => start.saturating_sub(since) >= age,
        }
    }

    /// Names the full file, and begins the next.
    fn turn(&mut self) -> io::Result<()> {
        self.current.partial.complete()?;
        self.forget()?;
        self.current = Current::begin(self.format, &self.place)?;
        match &self.start {
            Some((spec, started_at)) => self.current.writer.start(spec, *started_at),
            None => Ok(()),
        }
    }

    /// Removes the oldest of the full files that are too many.
    fn forget(&self) -> io::Result<()> {
        let Some(keep) = self.rotation.keep else { return Ok(()) };
        let files = full_files(&self.place)?;
        let surplus = files.len().saturating_sub(keep);
        files[..surplus].iter().try_for_each(|file| match fs::remove_file(file) {
            // Somebody else tidied up meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }
}

impl<T> ReportWriter<T> for Rotating<T> {
    fn start(&mut self, spec: &TrialSpec, started_at: Nanos) -> io::Result<()> {
        self.start = Some((spec.clone(), started_at));
        self.current.writer.start(spec, started_at)
    }

    /// Turns to the next file only when there is something to write into it.
    fn interval(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        if self.is_full(snapshot.start) {
            self.turn()?;
        }
        self.current.since.get_or_insert(snapshot.start);
        self.current.writer.interval(snapshot)
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.current.writer.event(event)
    }

    fn finish(&mut self, report: &T) -> io::Result<()> {
        self.current.writer.finish(report)?;
        self.current.partial.complete()?;
        self.forget()
    }
}

impl<T> Current<T> {
    fn begin(format: &dyn ReportFormat<T>, place: &Path) -> io::Result<Self> {
        let (partial, out) = Partial::create(place.to_owned())?;
        let partial = partial.named(free(place, SystemTime::now(), ""));
        let bytes = Arc::new(AtomicU64::new(0));
        let out = Counting { out, bytes: bytes.clone() };
        let writer = format.begin(Paper::endless(Box::new(BufWriter::new(out))));
        Ok(Self { writer, partial, bytes, since: None })
    }
}

impl<T> Drop for Current<T> {
    fn drop(&mut self) {
        self.partial.remove_if_empty();
    }
}

/// A file that knows how much was written to it.
struct Counting<W> {
    out: W,
    bytes: Arc<AtomicU64>,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A name for this time that nothing has yet; a millisecond later if need be.
fn free(place: &Path, mut time: SystemTime, suffix: &str) -> PathBuf {
    loop {
        let mut name = place.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}{suffix}", stamp(time)));
        let path = place.with_file_name(name);
        if !path.exists() {
            return path;
        }
        time += Duration::from_millis(1);
    }
}

/// `20260131T120000.250Z`
fn stamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string().replace(['-', ':'], "")
}

/// What is called as [`free`] would call it, the oldest first.
fn full_files(place: &Path) -> io::Result<Vec<PathBuf>> {
    let own = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_full = |name: &str| {
        let stamp = name.strip_prefix(&own).and_then(|rest| rest.strip_prefix('.'));
        stamp.is_some_and(|stamp| is_stamp(stamp.strip_suffix(".partial").unwrap_or(stamp)))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(place.parent().unwrap_or(Path::new(".")))? {
        let entry = entry?;
        if is_full(&entry.file_name().to_string_lossy()) && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn is_stamp(text: &str) -> bool {
    let digits =
        |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let shape: String = digits(text);
    shape == "00000000T000000.000Z"
}

#[cfg(test)]
mod tests;
