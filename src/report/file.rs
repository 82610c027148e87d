//! Files that get their name only when they are whole.

use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Where a file is to be written.
pub(super) enum Place {
    /// Into what is there already, a pipe or a device: a rename would replace it by a file.
    There(File),
    /// At this path, by [`Partial::create`].
    New(PathBuf),
}

/// Finds out where `what` is to be written that is called `path`; `example` is a name for it in a directory.
pub(super) fn find(what: &str, path: &Path, example: &str) -> Result<Place> {
    let name = path.display().to_string();
    let refused = |error| Error::os(format!("cannot write {what} to {name}"), error);
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(refused(ErrorKind::IsADirectory.into())
            .hint(format!("name a file in it: {}/{example}", name.trim_end_matches('/'))));
    }
    if existing.is_some_and(|existing| !existing.is_file()) {
        return OpenOptions::new().write(true).open(path).map(Place::There).map_err(refused);
    }
    resolved(path).map(Place::New).map_err(|error| cannot_create(what, path, error))
}

/// What to say when `what` cannot be written any more.
pub(super) fn failed(what: &str, name: &str, error: io::Error, partial: Option<&Partial>) -> Error {
    let error = Error::os(format!("cannot write {what} to {name}"), error);
    match partial {
        Some(partial) => {
            error.hint(format!("what was written is kept in {}", partial.partial.display()))
        }
        None => error,
    }
}

/// What to say when `what` cannot be created.
pub(super) fn cannot_create(what: &str, path: &Path, error: io::Error) -> Error {
    let kind = error.kind();
    let error = Error::os(format!("cannot write {what} to {}", path.display()), error);
    match (kind, path.parent()) {
        (ErrorKind::NotFound, Some(parent)) if !parent.exists() => {
            let hint = "the directory must be there before the trial: mkdir -p";
            error.hint(format!("{hint} {}", parent.display()))
        }
        (ErrorKind::ResourceBusy, _) => {
            error.hint("another program is writing it; give this one a file of its own")
        }
        _ => error.hint("choose a file in a directory that you may write to"),
    }
}

/// What is written before it may be called `path`.
pub(super) fn partial_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    path.with_file_name(name)
}

/// Opens what is written before it gets its name, unless another program has it: lines of both would mix. What is in it
/// stays. It is given up when it is closed, however the program ends.
pub(super) fn claim(partial: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(partial)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ErrorKind::ResourceBusy.into()),
        // Not every file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// A file that gets its name when it is whole.
pub(super) struct Partial {
    file: File,
    partial: PathBuf,
    path: PathBuf,
}

impl Partial {
    /// Creates it beside its final place: a rename works only within a file system.
    pub(super) fn create(path: PathBuf) -> io::Result<(Self, File)> {
        let partial = partial_of(&path);
        let file = claim(&partial)?;
        file.set_len(0)?;
        let out = file.try_clone()?;
        Ok((Self { file, partial, path }, out))
    }

    /// The same under another name in the end.
    pub(super) fn named(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    /// Whether it is to get this name.
    pub(super) fn is(&self, path: &Path) -> bool {
        self.path == path
    }

    /// Gives it its name.
    pub(super) fn complete(&self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.partial, &self.path)
    }

    /// What never began leaves nothing behind.
    pub(super) fn remove_if_empty(&self) {
        if self.file.metadata().is_ok_and(|file| file.len() == 0) {
            // Nobody is left who could be told that an empty file stays.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// The name of a file that is no report: taken before there is anything to write, and given when it is whole.
pub struct WholeFile {
    what: &'static str,
    name: String,
    partial: Option<Partial>,
}

impl WholeFile {
    /// Opens the file for `what`; `example` is a name for it, in case that `path` is a directory.
    ///
    /// # Errors
    /// Says why it cannot be written there.
    pub fn open(what: &'static str, path: &Path, example: &str) -> Result<(Self, File)> {
        let name = path.display().to_string();
        match find(what, path, example)? {
            Place::There(out) => Ok((Self { what, name, partial: None }, out)),
            Place::New(place) => {
                let created = Partial::create(place);
                let (partial, out) = created.map_err(|error| cannot_create(what, path, error))?;
                Ok((Self { what, name, partial: Some(partial) }, out))
            }
        }
    }

    /// Standard output, for `what`, without the buffer that ends with each line.
    ///
    /// # Errors
    /// It is closed.
    pub fn standard_output(what: &'static str) -> Result<(Self, File)> {
        let out = io::stdout().as_fd().try_clone_to_owned();
        let this = Self { what, name: "standard output".into(), partial: None };
        let out = out.map_err(|error| this.failed(error))?;
        Ok((this, out.into()))
    }

    /// Gives it its name. All must have been flushed before.
    ///
    /// # Errors
    /// It is kept under the name that it has, which the hint says.
    pub fn complete(&mut self) -> Result<()> {
        let completed = self.partial.as_ref().map_or(Ok(()), Partial::complete);
        completed.map_err(|error| self.failed(error))?;
        self.partial = None;
        Ok(())
    }

    /// What to say when it cannot be written any more.
    pub fn failed(&self, error: io::Error) -> Error {
        failed(self.what, &self.name, error, self.partial.as_ref())
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            partial.remove_if_empty();
        }
    }
}

/// The same path for the same file: absolute, and a link followed, so that it stays a link.
pub(super) fn resolved(path: &Path) -> io::Result<PathBuf> {
    if path.exists() {
        return path.canonicalize();
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new(".")).canonicalize()?;
    let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
    Ok(directory.join(name))
}
