//! Where reports go: standard output, or files that get their name only when they are whole.

use super::file::{self, Partial, Place};
use super::paper::Paper;
use super::rotate::{Rotating, Rotation};
use super::{ReportFormat, ReportWriter, Subject};
use crate::error::{Error, Result};
use crate::model::Observer;
use crate::model::event::Event;
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;
use std::fmt;
use std::io::{self, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One `--report`: what to write, and where.
#[derive(Clone)]
pub struct Target<T: 'static = RunReport> {
    /// What to write.
    pub format: &'static dyn ReportFormat<T>,
    /// The file; `None` is standard output.
    pub path: Option<PathBuf>,
}

impl<T> Target<T> {
    /// Whether it is a file that grows while the trial runs.
    fn grows(&self) -> bool {
        self.path.is_some() && self.format.grows()
    }
}

impl<T: Subject> FromStr for Target<T> {
    type Err = String;

    /// `FORMAT`, `FORMAT:-` or `FORMAT:PATH`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, path) = text.split_once(':').unwrap_or((text, "-"));
        let formats = T::formats();
        let Some(format) = formats.iter().find(|format| format.name() == name) else {
            let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
            let names = names.join(", ");
            return Err(match T::who_has(name) {
                Some(command) => format!("`{name}` is what `{command}` writes; here: {names}"),
                None => format!("`{name}` is not a report format; these are: {names}"),
            });
        };
        match path {
            "" => Err(format!("`{text}` names no file; `{name}` alone goes to standard output")),
            "-" => Ok(Self { format: *format, path: None }),
            _ => Ok(Self { format: *format, path: Some(path.into()) }),
        }
    }
}

impl<T> fmt::Display for Target<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format.name())?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, ":{}", path.display()))
    }
}

impl<T> fmt::Debug for Target<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All reports of a run. One that fails gets no more data; the others go on.
pub struct Outputs<T: 'static = RunReport> {
    outputs: Vec<Output<T>>,
    failures: Vec<Error>,
}

impl<T> Outputs<T> {
    /// Opens all targets, so that a bad path is known before the trial and not after it.
    ///
    /// # Errors
    /// Says which target cannot be written, or that two of them would overwrite each other.
    pub fn open(targets: &[Target<T>], stdout: Paper) -> Result<Self> {
        Self::open_rotating(targets, None, stdout)
    }

    /// The same; files that grow while the trial runs are spread as `rotation` says.
    ///
    /// # Errors
    /// As those of [`Self::open`]; and none of the targets is such a file.
    pub fn open_rotating(
        targets: &[Target<T>],
        rotation: Option<Rotation>,
        stdout: Paper,
    ) -> Result<Self> {
        if rotation.is_some() && !targets.iter().any(Target::grows) {
            return Err(Error::usage("--rotate has no file that grows while the trial runs")
                .hint("these do: --report jsonl:PATH, csv:PATH, hlog:PATH"));
        }
        let mut outputs = Self { outputs: Vec::new(), failures: Vec::new() };
        let mut stdout = Some(stdout);
        for target in targets {
            let output = match &target.path {
                Some(path) => {
                    let rotation = rotation.filter(|_| target.grows());
                    Output::to_file(target.format, path, rotation, &outputs.outputs)?
                }
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

    /// Ends all reports with what they are about.
    pub fn finish(&mut self, report: &T) {
        self.tell(|writer| writer.finish(report));
        for output in &mut self.outputs {
            self.failures.extend(output.complete().err().and_then(|error| output.fail(error)));
        }
    }

    fn tell(&mut self, write: impl Fn(&mut dyn ReportWriter<T>) -> io::Result<()>) {
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
        self.finish(report);
    }
}

struct Output<T: 'static> {
    /// For people.
    name: String,
    /// `None` once it has finished or failed.
    writer: Option<Box<dyn ReportWriter<T>>>,
    /// `None` when it is written in place or in several files, and once it has finished or failed.
    partial: Option<Partial>,
    /// The file that others are beside, if it is written in several.
    rotating: Option<PathBuf>,
}

impl<T> Output<T> {
    fn new(
        format: &dyn ReportFormat<T>,
        name: String,
        Paper { out, width }: Paper,
        partial: Option<Partial>,
    ) -> Self {
        let paper = Paper { out: Box::new(BufWriter::new(out)), width };
        Self { name, writer: Some(format.begin(paper)), partial, rotating: None }
    }

    fn to_file(
        format: &'static dyn ReportFormat<T>,
        path: &Path,
        rotation: Option<Rotation>,
        others: &[Self],
    ) -> Result<Self> {
        let name = path.display().to_string();
        let example = format!("run.{}", format.name());
        let place = match file::find("report", path, &example)? {
            Place::There(_) if rotation.is_some() => {
                return Err(Error::usage(format!("--rotate cannot rename {name}: it is no file"))
                    .hint("name a file in a directory that you may write to"));
            }
            Place::There(out) => {
                return Ok(Self::new(format, name, Paper::endless(Box::new(out)), None));
            }
            Place::New(place) => place,
        };
        if others.iter().any(|other| other.is(&place)) {
            return Err(Error::usage(format!("two reports would both be written to {name}"))
                .hint("give each of them its own file"));
        }
        if let Some(rotation) = rotation {
            let writer = Rotating::begin(format, place.clone(), rotation);
            let writer = writer.map_err(|error| file::cannot_create("report", path, error))?;
            let writer: Box<dyn ReportWriter<T>> = Box::new(writer);
            return Ok(Self { name, writer: Some(writer), partial: None, rotating: Some(place) });
        }
        let created = Partial::create(place);
        let (partial, out) = created.map_err(|error| file::cannot_create("report", path, error))?;
        Ok(Self::new(format, name, Paper::endless(Box::new(out)), Some(partial)))
    }

    fn is(&self, place: &Path) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.is(place))
            || self.rotating.as_deref() == Some(place)
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
        let failed = file::failed("report", &self.name, error, partial.as_ref());
        Some(match &self.rotating {
            Some(_) => failed.hint(format!("what was written is kept in {}.*", self.name)),
            None => failed,
        })
    }
}

impl<T> Drop for Output<T> {
    /// A trial that never started leaves nothing behind; one that was cut off leaves what it measured.
    fn drop(&mut self) {
        self.writer = None;
        if let Some(partial) = &self.partial {
            partial.remove_if_empty();
        }
    }
}

#[cfg(test)]
mod tests;
