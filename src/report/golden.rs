//! Whole outputs as files under `snapshots/`; `INSTA_UPDATE=always cargo test` renews them.

use super::{ReportFormat, Subject};
use crate::model::report::RunReport;
use crate::model::sample::{self, Written};
use crate::model::snapshot::Snapshot;
use crate::report::paper::Paper;
use crate::report::{csv, hdr, hlog, human, json, jsonl};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// What `format` writes of a whole trial.
fn written(format: &dyn ReportFormat, report: &RunReport) -> String {
    written_with(format, report, &sample::intervals(report.trial.spec.role))
}

fn written_with(format: &dyn ReportFormat, report: &RunReport, intervals: &[Snapshot]) -> String {
    let out = Written::default();
    let mut writer = format.begin(Paper::endless(Box::new(out.clone())));
    writer.start(&report.trial.spec, sample::STARTED_AT).unwrap();
    intervals.iter().for_each(|snapshot| writer.interval(snapshot).unwrap());
    sample::events().iter().for_each(|event| writer.event(event).unwrap());
    writer.finish(report).unwrap();
    out.text()
}

fn check(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// What a format makes of `subject`, which is over.
pub(super) fn written_at_end<T: Subject>(format: &str, subject: &T) -> String {
    let out = Written::default();
    written_on(Paper::endless(Box::new(out.clone())), format, subject);
    out.text()
}

fn written_on<T: Subject>(paper: Paper, format: &str, subject: &T) {
    let format = T::formats().iter().find(|known| known.name() == format).unwrap();
    format.begin(paper).finish(subject).unwrap();
}

/// Checks what a format makes of something that is no single run.
pub(super) fn check_written<T: Subject>(name: &str, format: &str, subject: &T) {
    check(name, &written_at_end(format, subject));
}

/// Checks what is written for people of something that is no single run.
pub(super) fn check_human<T: Subject>(name: &str, subject: &T) {
    for (name, columns) in [(name, 80), (&format!("{name}_narrow"), 60)] {
        let out = Written::default();
        written_on(Paper::of_columns(Box::new(out.clone()), columns), "human", subject);
        let text = out.text();
        for line in text.lines() {
            assert!(line.chars().count() <= columns && line.trim_end() == line, "{line}");
        }
        check(name, &text);
    }
}

/// Deflated bytes differ between versions of zlib; what they hold does not.
fn decoded(base64: &str) -> String {
    let bytes = BASE64_STANDARD.decode(base64).unwrap();
    let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
    let counts = histogram
        .iter_recorded()
        .map(|value| format!("{}x{}", value.count_at_value(), value.value_iterated_to()));
    format!("<{}>", counts.collect::<Vec<_>>().join(" "))
}

/// JSON as it is written, but for its histograms, which stand between `head` and a quote.
fn with_decoded_histograms(text: &str, head: &str) -> String {
    let mut parts = text.split(head);
    let mut result = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (base64, rest) = part.split_once('"').unwrap();
        result += &format!("{head}{}\"{rest}", decoded(base64));
    }
    result
}

#[test]
fn human_for_every_way_a_run_can_go() {
    for (name, report) in [
        ("run", sample::run()),
        ("lossy", sample::lossy()),
        ("sender_only", sample::sender_only()),
        ("receiver_only", sample::receiver_only()),
        ("apart", sample::apart()),
        ("nothing", sample::nothing()),
        ("one", sample::one()),
        ("all_lost", sample::all_lost()),
        ("many_streams", sample::many_streams()),
    ] {
        check(&format!("human_{name}"), &written(&human::Human, &report));
    }
}

#[test]
fn human_of_a_receiver_that_goes_on() {
    let mut report = sample::receiver_only();
    report.continued = Some(sample::continued());
    check("human_continued", &written(&human::Human, &report));
}

#[test]
fn csv_of_both_sides() {
    check("csv_lossy", &written(&csv::Csv, &sample::lossy()));
    check("csv_sender_only", &written(&csv::Csv, &sample::sender_only()));
}

#[test]
fn json_of_a_lossy_run() {
    let text = written(&json::Json, &sample::lossy());
    check("json_lossy", &with_decoded_histograms(&text, "\"hdr\": \""));
}

#[test]
fn jsonl_of_a_run() {
    let text = written(&jsonl::JsonLines, &sample::run());
    check("jsonl_run", &with_decoded_histograms(&text, "\"hdr\":\""));
}

#[test]
fn hdr_of_delay_or_lateness() {
    check("hdr_run", &written(&hdr::Hdr, &sample::run()));
    check("hdr_nothing", &written(&hdr::Hdr, &sample::nothing()));
}

#[test]
fn hlog_with_and_without_intervals() {
    let line = |line: &str| match line.rsplit_once(',') {
        Some((before, histogram)) if line.starts_with("Tag=") => {
            format!("{before},{}\n", decoded(histogram))
        }
        _ => format!("{line}\n"),
    };
    let run = sample::run();
    let text = written(&hlog::Hlog, &run);
    check("hlog_run", &text.lines().map(line).collect::<String>());
    let text = written_with(&hlog::Hlog, &run, &[]);
    check("hlog_without_intervals", &text.lines().map(line).collect::<String>());
}
