//! The comparison with other tools, with none of them: our own engine beside a bare loop.
#![allow(clippy::unwrap_used)] // Clippy takes only functions with #[test] for tests.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{self, Child, tool};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/compare_peers.sh");

#[test]
fn a_short_comparison_leaves_all_its_files_and_nothing_else() {
    if let Some(obstacle) = obstacle() {
        // Not eprintln!, which the test harness hides while tests pass.
        let _ = writeln!(io::stderr(), "SKIPPED: the comparison with other tools: {obstacle}");
        return;
    }
    let bare = bare_loop();
    let _quiet = lab::quiet();
    let out = std::env::temp_dir().join(format!("mcast-bench-peers-{}", std::process::id()));
    let mut command = Command::new(SCRIPT);
    command.args(["--rounds", "1", "--seconds", "1", "--tools", "bare:mmsg ours:mmsg", "--out"]);
    command.arg(&out).args(["cpu", "rtt"]);
    command.env("MCAST_BENCH", tool()).env("BARE_LOOP", bare);
    let child = Child::spawn(&mut command);
    let namespaces = format!("mb{}-", child.pid());
    let output = child.finish(Duration::from_secs(60));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{complaint}", output.status);

    let read = |name: &str| {
        fs::read_to_string(out.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let values = read("values.tsv");
    for mode in ["blocking", "spinning"] {
        let line =
            values.lines().find(|line| line.starts_with(&format!("rtt-p50\t{mode}\tbare\t")));
        let line = line.unwrap_or_else(|| panic!("no round trips, {mode}:\n{values}\n{complaint}"));
        let half_trip: f64 = line.rsplit('\t').next().unwrap().parse().unwrap();
        assert!(half_trip > 0.0, "{line}");
        assert!(read("README.md").contains(&format!("## Half a round trip, median, {mode}")));
    }
    for tool in ["bare_mmsg", "ours_mmsg"] {
        let trial = read(&format!("raw/1-cpu-{tool}.txt"));
        let sent = trial.rsplit_once("asked 50000 sent ").unwrap().1.split_once(' ').unwrap().0;
        assert!(sent.parse::<u64>().unwrap() > 1000, "{tool}: {trial}");
        assert!(trial.contains(&format!("== 1-cpu-{tool}-send.cmd\n")), "{tool}: {trial}");
    }
    assert!(read("chart.svg").ends_with("</svg>\n"));
    assert!(read("environment.txt").contains("ours:mmsg   mcast-bench "));
    assert!(read("README.md").contains("## BIAS"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("| What | Ours | Best peer |"));
    let left = Command::new("ip").args(["netns", "list"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&left.stdout).contains(&namespaces), "{left:?}");
    fs::remove_dir_all(&out).unwrap();
}

#[test]
fn wrong_usage_of_the_comparison_says_what_is_wrong() {
    for (args, what) in [
        (&["--rounds", "none"][..], "--rounds wants a whole number, not 'none'"),
        (&["--seconds", "0"], "--seconds wants a whole number, not '0'"),
        (&["--out"], "--out wants a value"),
        (&["latency"], "no such argument: latency"),
    ] {
        let output = Child::spawn(Command::new(SCRIPT).args(args)).finish(Duration::from_secs(10));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {complaint}");
        assert!(complaint.ends_with(&format!("error: {what}\n")), "{args:?}: {complaint}");
        assert!(complaint.starts_with("Gives the same work"), "{args:?}: {complaint}");
    }
}

/// What this machine lacks for a comparison, if anything.
fn obstacle() -> Option<String> {
    for program in ["ip", "jq", "python3", "taskset"] {
        let answers = Command::new(program).arg("-V").output();
        if answers.is_err() {
            return Some(format!("cannot run {program}"));
        }
    }
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let why = [(!is_root, "not root"), (cores < 2, "only one core")];
    why.into_iter().find(|(is_so, _)| *is_so).map(|(_, why)| why.to_owned())
}

/// Builds the bare loops, which cargo builds for no test.
fn bare_loop() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["build", "--quiet", "--locked", "--offline", "--bench", "bare_loop"]);
    let output = Child::spawn(cargo.arg("--message-format=json")).finish(Duration::from_secs(120));
    let told = String::from_utf8_lossy(&output.stdout);
    let mut artifacts = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = artifacts.find_map(|artifact| {
        let is_bare_loop = artifact["target"]["name"] == "bare_loop";
        artifact["executable"].as_str().filter(|_| is_bare_loop).map(PathBuf::from)
    });
    let complaint = String::from_utf8_lossy(&output.stderr);
    let program = program.unwrap_or_else(|| panic!("cargo built no bare loop:\n{complaint}"));
    assert!(Path::new(&program).exists());
    program
}
