//! Where reports go: standard output, or files that get their name only when they are whole.

use super::{FORMATS, ReportFormat, ReportWriter};
use crate::error::{Error, Result};
use crate::model::Observer;
use crate::model::event::Event;
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One `--report`: what to write, and where.
#[derive(Clone)]
pub struct Target {
    /// What to write.
    pub format: &'static dyn ReportFormat,
    /// The file; `None` is standard output.
    pub path: Option<PathBuf>,
}

impl FromStr for Target {
    type Err = String;

    /// `FORMAT`, `FORMAT:-` or `FORMAT:PATH`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, path) = text.split_once(':').unwrap_or((text, "-"));
        let Some(format) = FORMATS.iter().find(|format| format.name() == name) else {
            let names: Vec<_> = FORMATS.iter().map(|format| format.name()).collect();
            return Err(format!(
                "`{name}` is not a report format; these are: {}",
                names.join(", ")
            ));
        };
        match path {
            "" => Err(format!("`{text}` names no file; `{name}` alone goes to standard output")),
            "-" => Ok(Self { format: *format, path: None }),
            _ => Ok(Self { format: *format, path: Some(path.into()) }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format.name())?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, ":{}", path.display()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All reports of a run. One that fails gets no more data; the others go on.
pub struct Outputs {
    outputs: Vec<Output>,
    failures: Vec<Error>,
}

impl Outputs {
    /// Opens all targets, so that a bad path is known before the trial and not after it.
    ///
    /// # Errors
    /// Says which target cannot be written, or that two of them would overwrite each other.
    pub fn open(targets: &[Target], stdout: Box<dyn Write + Send>) -> Result<Self> {
        let mut outputs = Self { outputs: Vec::new(), failures: Vec::new() };
        let mut stdout = Some(stdout);
        for target in targets {
            let output = match &target.path {
                Some(path) => Output::to_file(target.format, path, &outputs.outputs)?,
                None => {
                    let out = stdout.take().ok_or_else(|| {
                        Error::usage("two reports on standard output would mix")
                            .hint(format!("give one of them a file: --report {target}:PATH"))
                    })?;
                    Output::new(target.format, "standard output".into(), out, None)
                }
            };
            outputs.outputs.push(output);
        }
        Ok(outputs)
    }

    /// The reports that could not be written, in the order in which they failed.
    pub fn failures(&self) -> &[Error] {
        &self.failures
    }

    fn tell(&mut self, write: impl Fn(&mut dyn ReportWriter) -> io::Result<()>) {
        for output in &mut self.outputs {
            let result = output.writer.as_mut().map_or(Ok(()), |writer| write(writer.as_mut()));
            self.failures.extend(result.err().and_then(|error| output.fail(error)));
        }
    }
}

impl Observer for Outputs {
    fn on_start(&mut self, spec: &TrialSpec, started_at: Nanos) {
        self.tell(|writer| writer.start(spec, started_at));
    }

    fn on_interval(&mut self, snapshot: &Snapshot) {
        self.tell(|writer| writer.interval(snapshot));
    }

    fn on_event(&mut self, event: &Event) {
        self.tell(|writer| writer.event(event));
    }

    fn on_finish(&mut self, report: &RunReport) {
        self.tell(|writer| writer.finish(report));
        for output in &mut self.outputs {
            self.failures.extend(output.complete().err().and_then(|error| output.fail(error)));
        }
    }
}

struct Output {
    /// For people.
    name: String,
    /// `None` once it has finished or failed.
    writer: Option<Box<dyn ReportWriter>>,
    /// `None` when it is written in place, and once it has finished or failed.
    partial: Option<Partial>,
}

impl Output {
    fn new(
        format: &dyn ReportFormat,
        name: String,
        out: Box<dyn Write + Send>,
        partial: Option<Partial>,
    ) -> Self {
        Self { name, writer: Some(format.begin(Box::new(BufWriter::new(out)))), partial }
    }

    fn to_file(format: &dyn ReportFormat, path: &Path, others: &[Self]) -> Result<Self> {
        let name = path.display().to_string();
        let refused = |error| Error::os(format!("cannot write report to {name}"), error);
        let existing = fs::metadata(path).ok();
        if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(refused(ErrorKind::IsADirectory.into()).hint(format!(
                "name a file in it: {}/run.{}",
                name.trim_end_matches('/'),
                format.name()
            )));
        }
        // A pipe or a device is written in place: a rename would replace it by a file.
        if existing.is_some_and(|existing| !existing.is_file()) {
            let out = OpenOptions::new().write(true).open(path).map_err(refused)?;
            return Ok(Self::new(format, name, Box::new(out), None));
        }
        let hinted = |error: io::Error| match (error.kind(), path.parent()) {
            (ErrorKind::NotFound, Some(parent)) if !parent.exists() => {
                let hint = "the directory must be there before the trial: mkdir -p";
                refused(error).hint(format!("{hint} {}", parent.display()))
            }
            _ => refused(error).hint("choose a file in a directory that you may write to"),
        };
        let path = resolved(path).map_err(hinted)?;
        if others.iter().filter_map(|other| other.partial.as_ref()).any(|other| other.path == path)
        {
            return Err(Error::usage(format!("two reports would both be written to {name}"))
                .hint("give each of them its own file"));
        }
        let (partial, out) = Partial::create(path).map_err(hinted)?;
        Ok(Self::new(format, name, Box::new(out), Some(partial)))
    }

    /// Closes the file and gives it its name.
    fn complete(&mut self) -> io::Result<()> {
        self.writer = None;
        self.partial.as_ref().map_or(Ok(()), Partial::complete)?;
        self.partial = None;
        Ok(())
    }

    /// Ends the output. Nobody listening at the other end of a pipe is no failure.
    fn fail(&mut self, error: io::Error) -> Option<Error> {
        self.writer = None;
        let partial = self.partial.take();
        if error.kind() == ErrorKind::BrokenPipe {
            return None;
        }
        let error = Error::os(format!("cannot write report to {}", self.name), error);
        Some(match partial {
            Some(partial) => {
                error.hint(format!("what was written is kept in {}", partial.partial.display()))
            }
            None => error,
        })
    }
}

impl Drop for Output {
    /// A trial that never started leaves nothing behind; one that was cut off leaves what it measured.
    fn drop(&mut self) {
        self.writer = None;
        if let Some(partial) = &self.partial
            && partial.file.metadata().is_ok_and(|file| file.len() == 0)
        {
            // Nobody is left who could be told that an empty file stays.
            let _ = fs::remove_file(&partial.partial);
        }
    }
}

/// A file that gets its name when it is whole.
struct Partial {
    file: File,
    partial: PathBuf,
    path: PathBuf,
}

impl Partial {
    /// Creates it beside its final place: a rename works only within a file system.
    fn create(path: PathBuf) -> io::Result<(Self, File)> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = File::create(&partial)?;
        let out = file.try_clone()?;
        Ok((Self { file, partial, path }, out))
    }

    fn complete(&self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.partial, &self.path)
    }
}

/// The same path for the same file: absolute, and a link followed, so that it stays a link.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    if path.exists() {
        return path.canonicalize();
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new(".")).canonicalize()?;
    let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
    Ok(directory.join(name))
}

#[cfg(test)]
mod tests;
