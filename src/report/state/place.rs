//! The state on the disk: read once, replaced in one step, and nobody else's while a trial runs.

use crate::error::{Error, Result};
use crate::model::continued::{Continued, SCHEMA, Setup, State};
use crate::report::file;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Where the file is.
pub(super) struct Place {
    path: PathBuf,
    /// Of a file beside it: the file itself is replaced by each that is written. The kernel gives it up with the process,
    /// however that ends (flock(2)).
    _lock: File,
}

/// What is in the file, or the reason why it is not gone on with.
type Understood = std::result::Result<State, String>;

impl Place {
    /// Makes sure that it can be written, and that nobody else does.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let cannot = |error| file::cannot_create("state", path, error);
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            let what = format!("cannot keep state in {}: it is no file", path.display());
            return Err(
                Error::environment(what).hint("name a file in a directory that you may write to")
            );
        }
        let place = file::resolved(path).map_err(cannot)?;
        let lock = file::claim(&lock_of(&place)).map_err(|error| match error.kind() {
            ErrorKind::ResourceBusy => {
                let what = format!("another receiver counts into {}", path.display());
                Error::environment(what).hint("end that one, or give this one a state of its own")
            }
            _ => cannot(error),
        })?;
        let probe = file::partial_of(&place);
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(cannot)?;
        Ok(Self { path: place, _lock: lock })
    }

    /// What is in it; nothing, when there is none.
    pub(super) fn read(&self, setup: &Setup) -> Result<Option<Understood>> {
        match fs::read(&self.path) {
            Ok(text) => Ok(Some(understood(&text, setup))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Error::os(format!("cannot read state from {}", self.path.display()), error))
            }
        }
    }

    /// Writes it beside the old one, which it replaces when it is on the disk.
    pub(super) fn write(&self, state: &State) -> Result<()> {
        let partial = file::partial_of(&self.path);
        let write = || -> io::Result<()> {
            let mut out = File::create(&partial)?;
            let mut text = serde_json::to_vec(state)?;
            text.push(b'\n');
            out.write_all(&text)?;
            out.sync_all()?;
            fs::rename(&partial, &self.path)
        };
        write().map_err(|error| {
            // A part of it is of use to nobody, and takes room from a disk that has none.
            let _ = fs::remove_file(&partial);
            Error::os(format!("cannot write state to {}", self.path.display()), error)
                .hint("what was there before is still there")
        })
    }

    /// Where a file goes that cannot be gone on with.
    pub(super) fn aside(&self) -> PathBuf {
        beside(&self.path, "", ".refused")
    }

    /// Puts it there.
    pub(super) fn put_aside(&self) -> Result<()> {
        let aside = self.aside();
        fs::rename(&self.path, &aside).map_err(|error| {
            Error::os(format!("cannot put the old state aside as {}", aside.display()), error)
        })
    }
}

fn lock_of(path: &Path) -> PathBuf {
    beside(path, ".", ".lock")
}

fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(after);
    path.with_file_name(name)
}

fn understood(text: &[u8], setup: &Setup) -> Understood {
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
        super::sum::delays(distribution)
            .map_err(|reason| format!("a histogram in it is damaged: {reason}"))?;
    }
    Ok(state)
}
