//! Every report, in a file and on standard output.

use super::{Bench, Ran, assert_adds_up, assert_went_well, port};
use serde_json::Value;
use std::fs;

const FORMATS: [&str; 7] = ["human", "json", "jsonl", "csv", "hdr", "hlog", "html"];

/// All formats of one run.
fn reports() -> (Bench, Ran) {
    let bench = Bench::new();
    let port = port();
    let targets = FORMATS.map(|format| format!("{format}:x.{format}"));
    let mut args = vec!["run", "-q", "-c", "500", "-r", "1k", "-i", "100ms", "-p", &port];
    targets.iter().for_each(|target| args.extend(["--report", target]));
    let ran = bench.run(&args);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    (bench, ran)
}

#[test]
fn in_files() {
    let (bench, ran) = reports();
    assert_eq!(
        bench.files(),
        ["x.csv", "x.hdr", "x.hlog", "x.html", "x.human", "x.json", "x.jsonl"]
    );
    let report: Value = serde_json::from_str(&bench.read("x.json")).unwrap();
    assert_went_well(&ran, &report);
    check_json(&report);
    check_jsonl(&bench.read("x.jsonl"), &report);
    check_csv(&bench.read("x.csv"));
    check_hdr(&bench.read("x.hdr"));
    check_hlog(&bench.read("x.hlog"));
    check_html(&bench.read("x.html"));
    // What was saved makes the same page.
    bench.run(&["report", "show", "x.json", "--report", "html:y.html"]);
    assert!(bench.read("y.html") == bench.read("x.html"));
    let verdict = if report["valid"] == true { "VALID: nothing lost" } else { "INVALID: " };
    assert!(bench.read("x.human").starts_with(verdict));
}

#[test]
fn on_standard_output() {
    for format in FORMATS {
        let port = port();
        let ran = Bench::new()
            .run(&["run", "-q", "-c", "300", "-r", "1k", "-p", &port, "--report", format]);
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
        assert_eq!(ran.stderr, "");
        match format {
            "json" => check_json(&ran.json()),
            "jsonl" => assert_eq!(lines(&ran.stdout)[0]["type"], "start"),
            "csv" => check_csv(&ran.stdout),
            "hdr" => check_hdr(&ran.stdout),
            "hlog" => check_hlog(&ran.stdout),
            "html" => check_html(&ran.stdout),
            _ => assert!(ran.stdout.contains("VALID: "), "{}", ran.stdout),
        }
    }
}

#[test]
fn a_sender_alone_writes_every_format() {
    for format in FORMATS {
        let port = port();
        let ran = Bench::new()
            .run(&["send", "-q", "-c", "200", "-r", "1k", "-p", &port, "--report", format]);
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
        assert!(!ran.stdout.is_empty(), "{format}");
        if format == "json" {
            let report = ran.fine();
            assert_eq!(report["sender"]["offered"], 200);
            assert!(report["one_way_delay_ns"].is_null() && report["totals"].is_null());
        }
    }
}

#[test]
fn a_file_that_is_there_is_replaced_only_by_a_whole_one() {
    let bench = Bench::new();
    fs::write(bench.cwd.join("x.json"), "old").unwrap();
    let port = port();
    // It cannot start: what was there stays.
    let ran = bench.run(&["run", "-I", "nosuch0", "--report", "json:x.json"]);
    assert_eq!((ran.code, bench.read("x.json").as_str()), (Some(1), "old"));
    let ran =
        bench.run(&["run", "-q", "-c", "10", "-r", "1k", "-p", &port, "--report", "json:x.json"]);
    assert_eq!(ran.stderr, "");
    check_json(&serde_json::from_str(&bench.read("x.json")).unwrap());
    assert_eq!(bench.files(), ["x.json"]);
}

#[test]
fn the_command_in_a_report_can_be_pasted() {
    let port = port();
    let ran =
        Bench::new().run(&["run", "-q", "-J", "-c", "5", "-p", &port, "--fail-if", "loss > 1k"]);
    let command = format!("mcast-bench run -q -J -c 5 -p {port} --fail-if 'loss > 1k'");
    assert_eq!(ran.json()["command"], command);
}

fn check_json(report: &Value) {
    assert_eq!(report["schema"], "mcast-bench/2");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert!(report["environment"]["kernel"].is_string());
    assert!(report["environment"]["cpus"].as_u64().unwrap() as usize >= 1);
    assert_eq!(report["spec"]["role"], "run");
    assert!(report["started_at"].is_string());
    for list in ["invalid_reasons", "warnings", "events", "streams", "limits"] {
        assert!(report[list].is_array(), "{list}");
    }
    assert_eq!(report["sender"]["intended"], report["sender"]["offered"]);
    assert_eq!(report["sender"]["offered"], report["totals"]["sent"]);
    assert_eq!(report["totals"]["unique"], report["one_way_delay_ns"]["count"]);
    assert!(report["one_way_delay_ns"]["hdr"].as_str().unwrap().starts_with("HISTF"));
    let lost_by = &report["totals"]["lost_by"];
    let lost =
        ["receiver_socket", "receiver_host", "elsewhere"].map(|by| lost_by[by].as_u64().unwrap());
    assert_eq!(report["totals"]["lost"], lost.iter().sum::<u64>());
    assert_adds_up(report);
}

fn lines(jsonl: &str) -> Vec<Value> {
    jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check_jsonl(text: &str, report: &Value) {
    let lines = lines(text);
    assert_eq!(lines[0]["type"], "start");
    let last = lines.last().unwrap();
    assert_eq!(last["type"], "report");
    assert_eq!(last["totals"], report["totals"]);
    let intervals = || lines.iter().filter(|line| line["type"] == "interval");
    for (side, name, total) in [
        ("sender", "offered", &report["sender"]["offered"]),
        ("receiver", "received", &report["totals"]["received"]),
    ] {
        let sum: u64 = intervals().map(|line| line[side][name].as_u64().unwrap()).sum();
        assert_eq!(*total, sum, "{name} of all intervals");
    }
    let events = lines.iter().filter(|line| line["type"] == "event");
    assert!(events.clone().any(|event| event["event"] == "stream_heard"));
}

fn check_csv(text: &str) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|title| title == name).unwrap();
    // The reader refuses rows that are not as long as the header.
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let of = |kind: &str| rows.iter().filter(|row| &row[0] == kind).collect::<Vec<_>>();
    let [total] = of("total")[..] else { panic!("one row is the total: {text}") };
    assert_eq!(of("stream").len(), 1);
    for name in ["offered", "received"] {
        let sum: u64 =
            of("interval").iter().map(|row| row[column(name)].parse::<u64>().unwrap()).sum();
        assert_eq!(total[column(name)], sum.to_string(), "{name} of all intervals");
    }
}

fn check_hdr(text: &str) {
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("       Value     Percentile TotalCount"));
    let rows: Vec<_> =
        lines.clone().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(rows.len() > 2, "{text}");
    for row in &rows {
        assert!(row.split_whitespace().all(|cell| cell.parse::<f64>().is_ok()), "{row}");
    }
    assert!(text.lines().any(|line| line.starts_with("#[Buckets = ")), "{text}");
}

fn check_hlog(text: &str) {
    assert!(text.starts_with("#[Histogram log format version 1."), "{text}");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("Tag=")).collect();
    for tag in ["Tag=delay,", "Tag=lateness,"] {
        assert!(rows.iter().any(|row| row.starts_with(tag)), "{tag} {text}");
    }
    assert!(rows.iter().all(|row| row.split(',').nth(4).unwrap().starts_with("HISTF")), "{text}");
}

/// Whole, with charts, and nothing in it that would be loaded.
fn check_html(text: &str) {
    assert!(text.starts_with("<!DOCTYPE html>\n") && text.ends_with("</html>\n"), "{text}");
    for part in ["<h2>Ledger</h2>", "<h2>Over time</h2>", "<h2>Take it again</h2>", "<polyline"] {
        assert!(text.contains(part), "no {part}");
    }
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!text.contains(outside), "{outside}");
    }
}
