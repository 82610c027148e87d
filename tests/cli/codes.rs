//! Exit codes, signals, and what goes to which stream.

use super::{Bench, assert_adds_up, port};
use serde_json::Value;
use std::fs::OpenOptions;
use std::process::{Command, Stdio};

const NOTICE: &str = "no --iface: using lo, so all traffic stays on this host; \
                      sending through lo from 127.0.0.1; receiving on lo (127.0.0.1)";

#[test]
fn a_good_run_ends_with_0_and_results_are_all_there_is_on_stdout() {
    let bench = Bench::new();
    let port = port();
    let ran = bench.run(&["run", "-c", "300", "-r", "1k", "-p", &port]);
    // A worker that was held up by others spoils a trial; the verdict must be that of the code.
    let verdict = if ran.code == Some(0) { "VALID: " } else { "INVALID: " };
    assert!(ran.stdout.starts_with(verdict), "{ran:?}");
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    let mut notices = ran.stderr.lines();
    assert_eq!(notices.next(), Some(NOTICE));
    assert!(notices.next().unwrap().starts_with("    time       sent"), "{}", ran.stderr);
    assert_eq!(bench.files(), [""; 0]);
}

#[test]
fn a_quiet_run_says_nothing_beside_its_result() {
    let port = port();
    let ran = Bench::new().run(&["run", "-q", "-J", "-c", "200", "-r", "1k", "-p", &port]);
    ran.fine();
    assert_eq!(ran.stderr, "");
}

#[test]
fn without_intervals_there_is_only_the_notice() {
    let port = port();
    let ran = Bench::new().run(&["run", "-J", "-i", "0", "-c", "200", "-r", "1k", "-p", &port]);
    ran.fine();
    assert_eq!(ran.stderr, format!("{NOTICE}\n"));
    let ran = Bench::new().run(&["run", "-J", "-i", "0", "-c", "200", "-r", "1k", "-e", "memory"]);
    ran.fine();
    assert_eq!(ran.stderr, "", "memory uses no interface");
}

#[test]
fn a_limit_that_fails_is_3_and_the_report_is_written() {
    let bench = Bench::new();
    let port = port();
    let limits = ["--fail-if", "offered>0", "--fail-if", "loss>100%"];
    let args = ["run", "-q", "-c", "200", "-r", "1k", "-p", &port, "--report", "json:x.json"];
    let ran = bench.run(&[&args[..], &limits[..]].concat());
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(3), "", ""));
    let report: Value = serde_json::from_str(&bench.read("x.json")).unwrap();
    assert_eq!(report["limits"][0]["limit"], "offered>0");
    assert_eq!(report["limits"][0]["held"], false);
    assert_eq!(report["limits"][1]["held"], true);
}

#[test]
fn a_receiver_that_hears_nothing_is_4() {
    let port = port();
    let ran = Bench::new().run(&["recv", "-q", "-t", "0.5", "-p", &port, "-J"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(4), ""));
    let report = ran.json();
    assert_eq!(report["valid"], false);
    assert_eq!(report["invalid_reasons"][0]["reason"], "nothing_heard");
    assert_eq!(report["totals"]["received"], 0);
}

#[test]
fn ctrl_c_and_a_polite_kill_are_130_and_the_report_is_written() {
    for signal in ["INT", "TERM"] {
        let bench = Bench::new();
        let port = port();
        let running = bench.start(&[
            "run",
            "-t",
            "0",
            "-r",
            "1k",
            "-i",
            "100ms",
            "-p",
            &port,
            "-J",
            "--ready-file",
            "ready",
        ]);
        bench.wait_for("ready");
        running.wait_until_busy();
        running.signal(signal);
        let ran = running.wait();
        assert_eq!(ran.code, Some(130), "{ran:?}");
        let report = ran.json();
        assert_eq!(report["interrupted"], true);
        assert!(report["sender"]["offered"].as_u64().unwrap() > 0);
        assert_adds_up(&report);
    }
}

#[test]
fn ctrl_c_ends_each_verb() {
    for verb in ["send", "recv"] {
        let bench = Bench::new();
        let port = port();
        let running = bench.start(&[verb, "-t", "0", "-p", &port, "-J", "--ready-file", "ready"]);
        bench.wait_for("ready");
        running.signal("INT");
        let ran = running.wait();
        assert_eq!(ran.code, Some(130), "{ran:?}");
        assert_eq!(ran.json()["interrupted"], true);
    }
}

#[test]
fn ctrl_c_ends_the_wait_for_the_start() {
    let bench = Bench::new();
    let port = port();
    let start = "2200-01-01T00:00:00Z";
    let running =
        bench.start(&["run", "-p", &port, "-J", "--start-at", start, "--ready-file", "ready"]);
    bench.wait_for("ready");
    running.signal("INT");
    let ran = running.wait();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(ran.json()["sender"]["offered"], 0);
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let bench = Bench::new();
    let port = port();
    let args = ["-r", "1k", "-i", "100ms", "--loss-threshold", "24h", "--report", "json:x.json"];
    let running = bench.start(&[&["run", "-t", "0", "-p", &port][..], &args].concat());
    running.wait_until_busy();
    running.signal("INT");
    running.wait_until("it heeds the first", |stderr| stderr.contains("interrupted"));
    running.signal("INT");
    let ran = running.wait();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{ran:?}");
    assert!(
        !bench.files().contains(&"x.json".to_owned()),
        "half a report has the name of a whole one"
    );
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let port = port();
    let run: &[&str] = &["run", "-q", "-c", "200", "-r", "1k", "-p", &port, "--report"];
    let cases = [
        &["--help"][..],
        &["run", "--help"],
        &[run, &["human"]].concat(),
        &[run, &["jsonl"]].concat(),
    ];
    for args in cases {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcast-bench"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        // Held up by others, a trial may be invalid; that is no error either.
        assert!(matches!(output.status.code(), Some(0 | 3)), "{args:?}: {}", output.status);
    }
}

#[test]
fn a_full_disk_is_1_and_the_other_reports_are_written() {
    let bench = Bench::new();
    let port = port();
    let run = ["run", "-q", "-c", "200", "-r", "1k", "-p", &port, "--loss-threshold", "100ms"];
    let full = "/dev/full: No space left on device (os error 28)";
    for format in ["human", "json", "jsonl", "csv", "hdr", "hlog", "html"] {
        let target = format!("{format}:/dev/full");
        let ran =
            bench.run(&[&run[..], &["--report", &target, "--report", "json:x.json"]].concat());
        assert_eq!(ran.stderr, format!("error: cannot write report to {full}\n"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
        let report: Value = serde_json::from_str(&bench.read("x.json")).unwrap();
        assert_adds_up(&report);
        let events = report["events"].as_array().unwrap();
        let failed = events.iter().any(|event| event["event"] == "output_failed");
        assert_eq!(failed, format == "jsonl" || format == "hlog" || format == "csv", "{format}");
        assert_eq!(bench.files(), ["x.json"]);
    }
}

#[test]
fn standard_output_on_a_full_disk_is_1() {
    let port = port();
    let output = Command::new(env!("CARGO_BIN_EXE_mcast-bench"))
        .args(["run", "-q", "-c", "200", "-r", "1k", "-p", &port])
        .stdout(OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: cannot write report to standard output: No space left on device (os error 28)\n"
    );
    assert_eq!(output.status.code(), Some(1));
}
