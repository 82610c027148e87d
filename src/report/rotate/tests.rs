use super::*;
use crate::model::report::RunReport;
use crate::model::sample;
use crate::report::scratch::Scratch;
use crate::report::{csv, hlog, jsonl};
use proptest::prelude::*;

/// All files, the oldest first, and what is in them.
fn read(scratch: &Scratch) -> Vec<(String, String)> {
    let with_text = |name: String| (name.clone(), scratch.read(&name));
    scratch.names().into_iter().map(with_text).collect()
}

/// Writes so many intervals of a second each, and the report.
fn write(
    scratch: &Scratch,
    format: &'static dyn ReportFormat<RunReport>,
    rotation: Rotation,
    intervals: u64,
) {
    let report = sample::run();
    let place = scratch.0.join("soak");
    let mut writer = Rotating::begin(format, place, rotation).unwrap();
    writer.start(&report.trial.spec, sample::STARTED_AT).unwrap();
    for index in 0..intervals {
        let start = Nanos(index * Nanos::SECOND.0);
        let snapshot = sample::intervals(report.trial.spec.role).swap_remove(0);
        writer.interval(&Snapshot { index, start, ..snapshot }).unwrap();
    }
    writer.finish(&report).unwrap();
}

fn by_age(seconds: u64, keep: Option<usize>) -> Rotation {
    Rotation { full: Full::Age(Nanos(seconds * Nanos::SECOND.0)), keep }
}

#[test]
fn each_file_of_jsonl_begins_with_the_trial_and_all_intervals_are_in_one_of_them() {
    let scratch = Scratch::new();
    write(&scratch, &jsonl::JsonLines, by_age(3, None), 10);
    let files = read(&scratch);
    let types = |text: &str| -> Vec<String> {
        let lines =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["type"].as_str().unwrap().into()).collect()
    };
    let all: Vec<_> = files.iter().map(|(_, text)| types(text)).collect();
    let full = ["start", "interval", "interval", "interval"];
    assert_eq!(all, [&full[..], &full, &full, &["start", "interval", "report"]]);
    let indices = files.iter().flat_map(|(_, text)| text.lines()).filter_map(|line| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["index"].as_u64()
    });
    assert!(indices.eq(0..10));
}

#[test]
fn each_file_of_hlog_and_csv_has_its_header() {
    let scratch = Scratch::new();
    write(&scratch, &hlog::Hlog, by_age(2, None), 4);
    let files = read(&scratch);
    assert_eq!(files.len(), 2);
    for (name, text) in &files {
        assert!(text.starts_with("#[") && text.contains("Tag=delay,"), "{name}: {text}");
        assert_eq!(text.matches("Tag=delay,").count(), 2, "{name}");
    }
    let scratch = Scratch::new();
    write(&scratch, &csv::Csv, by_age(2, None), 4);
    let files = read(&scratch);
    assert_eq!(files.len(), 2);
    let totals = files.iter().map(|(_, text)| {
        assert!(text.starts_with("kind,index,"), "{text}");
        text.lines().filter(|line| line.starts_with("total,")).count()
    });
    assert_eq!(totals.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_file_is_full_by_its_size_and_only_so_many_stay() {
    let scratch = Scratch::new();
    let rotation = Rotation { full: Full::Size(Bytes(10_000)), keep: None };
    write(&scratch, &jsonl::JsonLines, rotation, 40);
    let all = read(&scratch);
    assert!(all.len() > 3, "{}", all.len());
    let longest = all.iter().flat_map(|(_, text)| text.lines()).map(str::len).max().unwrap();
    let full = &all[..all.len() - 1];
    assert!(full.iter().all(|(_, text)| (10_000..10_000 + longest).contains(&text.len())));

    fs::write(scratch.0.join("soak.old"), "somebody else's").unwrap();
    write(&scratch, &jsonl::JsonLines, Rotation { keep: Some(2), ..rotation }, 40);
    let kept = read(&scratch);
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert_eq!(kept[2].1, "somebody else's");
    assert!(kept[1].1.contains("\"type\":\"report\"") && kept[0] > all[all.len() - 1]);
}

#[test]
fn what_a_killed_program_left_is_kept() {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("soak.partial"), "half a li").unwrap();
    write(&scratch, &jsonl::JsonLines, by_age(60, None), 2);
    let files = read(&scratch);
    let left: Vec<_> = files.iter().filter(|(name, _)| name.ends_with("Z.partial")).collect();
    assert_eq!((files.len(), left.len(), left[0].1.as_str()), (2, 1, "half a li"));
}

/// It would take the lines of the first one for those of a program that was killed.
#[test]
fn a_file_belongs_to_one_program_at_a_time() {
    let scratch = Scratch::new();
    let begin = || Rotating::begin(&jsonl::JsonLines, scratch.0.join("soak"), by_age(60, None));
    let mut first = begin().unwrap();
    let report = sample::run();
    first.start(&report.trial.spec, sample::STARTED_AT).unwrap();
    assert_eq!(begin().err().unwrap().kind(), ErrorKind::ResourceBusy);
    first.finish(&report).unwrap();
    let files = read(&scratch);
    assert_eq!((files.len(), files[0].1.lines().count()), (1, 2));
    drop(first);
    begin().unwrap();
}

/// Only files that this program would call so.
#[test]
fn what_is_removed_is_its_own() {
    let scratch = Scratch::new();
    let theirs = [
        "soak",
        "soak.20200101T000000.000Z.gz",
        "soak.20200101T000000.000Z.partial.old",
        "soak.2020",
        "soak.hlog.20200101T000000.000Z",
        "other.20200101T000000.000Z",
    ];
    theirs.iter().for_each(|name| fs::write(scratch.0.join(name), "somebody else's").unwrap());
    fs::create_dir(scratch.0.join("soak.20200101T000000.000Z")).unwrap();
    write(&scratch, &jsonl::JsonLines, by_age(1, Some(1)), 5);
    assert!(theirs.iter().all(|name| scratch.0.join(name).is_file()));
    assert!(scratch.0.join("soak.20200101T000000.000Z").is_dir());
    let all = fs::read_dir(&scratch.0).unwrap().count();
    assert_eq!(all, theirs.len() + 1 + 1, "one of five files stays");
}

#[test]
fn words() {
    let full = |text: &str| text.parse::<Full>();
    assert_eq!(full("100MB"), Ok(Full::Size(Bytes(100_000_000))));
    assert_eq!(full("1Mi"), Ok(Full::Size(Bytes(1 << 20))));
    assert_eq!(full("1h"), Ok(Full::Age(Nanos(3_600_000_000_000))));
    assert_eq!(full("1m"), Ok(Full::Age(Nanos(60_000_000_000))));
    assert_eq!(full("1M"), Ok(Full::Size(Bytes(1_000_000))));
    for text in ["", "5", "0s", "999B", "20ms", "1x", "soon", "-1h"] {
        assert!(full(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn names_sort_by_time(a in 0u64..4_000_000_000_000, b in 0u64..4_000_000_000_000) {
        let stamp = |millis| stamp(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        prop_assert!(is_stamp(&stamp(a)));
        prop_assert_eq!(stamp(a).cmp(&stamp(b)), a.cmp(&b));
    }
}
