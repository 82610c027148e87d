//! Reads saved results back: what `--report json` has written, and nothing else.

use crate::error::{Error, Result};
use crate::model::delay::Distribution;
use crate::model::drops::LostByInterval;
use crate::model::report::{RunReport, SCHEMA, StreamReport};
use crate::model::timeline::Step;
use crate::model::{compared, echo, merged, ping};
use crate::units::Nanos;
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::error::Category;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A result and the file it came from.
#[derive(Debug)]
pub struct Saved {
    /// The file, for people.
    pub file: String,
    /// What is in it.
    pub report: RunReport,
}

/// No honest count reaches this: a thousand years at a million a second. Below it sums cannot overflow.
const MAX_COUNT: u64 = 1 << 55;

/// Reads one result; `-` is standard input.
///
/// # Errors
/// Says in one line which file it is and what is wrong with it.
pub fn read(path: &Path) -> Result<Saved> {
    let is_stdin = path == Path::new("-");
    let file = if is_stdin { "standard input".into() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let result = if is_stdin {
        io::stdin().lock().read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    result.map_err(|error| Error::os(format!("cannot read {file}"), error))?;
    let report = parse(&bytes).map_err(|problem| problem.of(&file))?;
    check(&report).map_err(|reason| Problem::Broken(reason).of(&file))?;
    Ok(Saved { file, report })
}

/// The histogram of `distribution`, which is in `file`.
///
/// # Errors
/// Says which file it is and what is wrong with the histogram.
pub fn histogram(file: &str, distribution: &Distribution) -> Result<Histogram<u64>> {
    let broken = |reason| Problem::Broken(format!("a histogram is damaged ({reason})")).of(file);
    let histogram = distribution.histogram().map_err(broken)?;
    let count = distribution.percentiles.count;
    if histogram.len() == count {
        return Ok(histogram);
    }
    Err(broken(format!("{} values where {count} are named", histogram.len())))
}

/// Whether a file was written by this program and is no result of a run: merged or compared ones, or round trips.
pub fn is_summary(path: &Path) -> bool {
    let head = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Head>(&bytes).ok());
    let schema = head.and_then(|head| head.schema);
    schema.is_some_and(|schema| {
        [merged::SCHEMA, compared::SCHEMA, ping::SCHEMA, echo::SCHEMA].contains(&&*schema)
    })
}

/// Result files at `path`: the file itself, or all `*.json` in and below a directory.
///
/// # Errors
/// Says that the path is not there, or that the directory holds no result.
pub fn find(path: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error| Error::os(format!("cannot read {}", path.display()), error);
    if path == Path::new("-") || !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    search(path, &mut files)?;
    if files.is_empty() {
        return Err(Error::environment(format!("no *.json in {}", path.display()))
            .hint("results are saved with --report json:FILE"));
    }
    Ok(files)
}

/// Leaves each file in `files` once, however its path is written.
pub fn once(files: &mut Vec<PathBuf>) {
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
}

fn search(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = |error| Error::os(format!("cannot read {}", directory.display()), error);
    let entries = fs::read_dir(directory).map_err(unreadable)?;
    let mut entries: Vec<_> = entries.collect::<io::Result<_>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        // A link to a directory is not followed: it may lead back up.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            search(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}

/// What can be wrong with a file that can be read.
#[derive(Debug)]
enum Problem {
    Empty,
    NotJson(String),
    Truncated,
    Foreign,
    OtherSchema(String),
    /// Claims to be ours and does not keep to it.
    Broken(String),
}

impl Problem {
    fn of(self, file: &str) -> Error {
        let about = |what: String| Error::environment(format!("{file} {what}"));
        match self {
            Self::Empty => about("is empty".into()),
            Self::NotJson(reason) => about(format!("is not a JSON object: {reason}"))
                .hint("results are saved with --report json:FILE"),
            Self::Truncated => about("is truncated: its JSON ends too early".into()),
            Self::Foreign => about("is JSON, but no result of mcast-bench".into()),
            Self::OtherSchema(schema) if schema == merged::SCHEMA => {
                about("is merged already".into()).hint("merge the results that it was made of")
            }
            Self::OtherSchema(schema) if schema == compared::SCHEMA => {
                about("is a comparison, not a result".into())
            }
            Self::OtherSchema(schema) => {
                about(format!("has schema `{schema}`, and this mcast-bench reads `{SCHEMA}`"))
                    .hint("use the version of mcast-bench that wrote it")
            }
            Self::Broken(reason) => about(format!("does not keep to schema `{SCHEMA}`: {reason}")),
        }
    }
}

/// All that is known of a file that is not a result.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

fn parse(bytes: &[u8]) -> std::result::Result<RunReport, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::Empty);
    }
    // Whoever reads a schema that it does not know misreads it, even where all fields seem to fit.
    let head: Head = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Eof => Problem::Truncated,
        Category::Data => Problem::Foreign,
        _ => Problem::NotJson(error.to_string()),
    })?;
    match head.schema {
        None => Err(Problem::Foreign),
        Some(schema) if schema == SCHEMA => {
            serde_json::from_slice(bytes).map_err(|error| Problem::Broken(error.to_string()))
        }
        Some(schema) if schema.starts_with("mcast-bench") => Err(Problem::OtherSchema(schema)),
        Some(_) => Err(Problem::Foreign),
    }
}

/// What types do not hold: counts that may be added up, and ranges in order.
fn check(report: &RunReport) -> std::result::Result<(), String> {
    let sender = report.trial.sender.as_ref().map(|sender| sender.counts.counts());
    let sender = sender.iter().flat_map(|tx| [tx.intended, tx.offered, tx.refused]);
    let totals = report.trial.totals.as_ref();
    let totals = totals.iter().flat_map(|totals| {
        [totals.counts.received, totals.counts.unique, totals.counts.foreign, totals.lost]
    });
    if sender.chain(totals).any(|count| count > MAX_COUNT) {
        return Err("a count is beyond belief".into());
    }
    check_steps(&report.timeline)?;
    report.trial.streams.iter().try_for_each(check_stream)
}

fn check_steps(steps: &[Step]) -> std::result::Result<(), String> {
    let mut next = Nanos(0);
    for step in steps {
        let LostByInterval { receiver_socket, receiver_host, elsewhere } = step.lost_by;
        let lost = [receiver_socket, receiver_host, elsewhere].map(i64::unsigned_abs);
        let counts = step.offered.into_iter().chain(step.received).chain(lost);
        if counts.chain([step.delays_hdr.len()]).any(|count| count > MAX_COUNT) {
            return Err("a count of the timeline is beyond belief".into());
        }
        if step.start_ns < next || step.end() == Nanos(u64::MAX) {
            return Err("the timeline is not in order".into());
        }
        next = step.end();
    }
    Ok(())
}

fn check_stream(stream: &StreamReport) -> std::result::Result<(), String> {
    let name = || format!("stream {}/{}", stream.session, stream.stream);
    let counts = [Some(stream.first_seq), stream.sent, stream.highest_seq, Some(stream.lost)];
    if counts.into_iter().flatten().any(|count| count > MAX_COUNT) {
        return Err(format!("a count of {} is beyond belief", name()));
    }
    let mut next = 0;
    for range in &stream.lost_ranges {
        if range.first_seq < next || range.first_seq > MAX_COUNT || range.len > MAX_COUNT {
            return Err(format!("the lost_ranges of {} are not in order", name()));
        }
        next = range.first_seq + range.len;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::LostRange;
    use crate::model::sample;
    use crate::model::spec::Role;

    fn complaint(bytes: &[u8]) -> String {
        parse(bytes).unwrap_err().of("rx.json").to_string()
    }

    #[test]
    fn what_was_written_is_read() {
        let report = sample::lossy();
        let bytes = serde_json::to_vec(&report).unwrap();
        assert_eq!(parse(&bytes).unwrap(), report);
        assert_eq!(check(&report), Ok(()));
    }

    #[test]
    fn each_kind_of_bad_input_has_its_own_line() {
        let good = serde_json::to_string(&sample::run()).unwrap();
        let other = good.replace("mcast-bench/2", "mcast-bench/1");
        let merged = good.replace("mcast-bench/2", merged::SCHEMA);
        let short = good.replace("\"valid\":true,", "");
        for (bytes, expected) in [
            (&b" \n"[..], "rx.json is empty"),
            (b"iperf Done.\n", "rx.json is not a JSON object: expected value at line 1 column 1"),
            (&good.as_bytes()[..good.len() / 2], "rx.json is truncated: its JSON ends too early"),
            (b"{\"name\": \"left-pad\"}", "rx.json is JSON, but no result of mcast-bench"),
            (b"[1]", "rx.json is JSON, but no result of mcast-bench"),
            (
                other.as_bytes(),
                "rx.json has schema `mcast-bench/1`, and this mcast-bench reads `mcast-bench/2`",
            ),
            (merged.as_bytes(), "rx.json is merged already"),
            (
                short.as_bytes(),
                "rx.json does not keep to schema `mcast-bench/2`: missing field `valid`",
            ),
        ] {
            let complaint = complaint(bytes);
            assert!(complaint.starts_with(expected), "{complaint}");
        }
    }

    #[test]
    fn a_histogram_that_lost_values_is_noticed() {
        let mut report = sample::run();
        let delay = &mut report.trial.one_way_delay_ns.as_mut().unwrap().distribution;
        assert_eq!(histogram("rx.json", delay).unwrap().len(), 1_000_000);
        delay.percentiles.count += 1;
        let error = histogram("rx.json", delay).unwrap_err().to_string();
        assert!(error.contains("1000000 values where 1000001 are named"), "{error}");
        delay.hdr = "AAAA".into();
        let error = histogram("rx.json", delay).unwrap_err().to_string();
        assert!(error.starts_with("rx.json does not keep to schema"), "{error}");
    }

    #[test]
    fn steps_out_of_order_are_noticed() {
        let mut report = sample::run();
        report.timeline = sample::timeline(Role::Run);
        assert_eq!(check(&report), Ok(()));
        report.timeline.swap(0, 1);
        assert_eq!(check(&report).unwrap_err(), "the timeline is not in order");
        report.timeline.swap(0, 1);
        report.timeline[2].length_ns = Nanos(u64::MAX);
        assert_eq!(check(&report).unwrap_err(), "the timeline is not in order");
        report.timeline[1].lost_by.elsewhere = i64::MIN;
        assert_eq!(check(&report).unwrap_err(), "a count of the timeline is beyond belief");
    }

    #[test]
    fn ranges_that_overlap_are_noticed() {
        let mut report = sample::run();
        let range = |first_seq| LostRange { first_seq, len: 2, at_ns: Nanos(0), own_socket: 0 };
        report.trial.streams[0].lost_ranges = vec![range(5), range(7)];
        assert_eq!(check(&report), Ok(()));
        report.trial.streams[0].lost_ranges = vec![range(5), range(6)];
        let error = check(&report).unwrap_err();
        assert_eq!(error, "the lost_ranges of stream 4f9c1a/0 are not in order");
        report.trial.streams[0].lost_ranges = vec![range(u64::MAX)];
        assert!(check(&report).is_err());
    }
}
