//! What users ask for is what is done: counts, threads, groups, sizes, engines, launching.

use super::{Bench, Running, assert_adds_up, port};
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Runs on loopback, quietly, and returns the report of a trial that went well.
fn run(args: &[&str]) -> Value {
    let port = port();
    let args = [&["run", "-q", "-J", "-p", &port, "--loss-threshold", "300ms"], args].concat();
    let ran = Bench::new().run(&args);
    let report = ran.fine();
    assert_adds_up(&report);
    report
}

/// All of `count` were sent, and all arrived.
fn assert_whole(report: &Value, count: u64) {
    assert_eq!(report["sender"]["intended"], count);
    assert_eq!(report["sender"]["offered"], count);
    assert_eq!(report["totals"]["sent"], count);
    assert_eq!(report["totals"]["unique"], count);
    for name in ["duplicates", "corrupt", "too_late", "foreign"] {
        assert_eq!(report["totals"][name], 0, "{name}");
    }
}

#[test]
fn counts_are_exact() {
    let report = run(&["-c", "12345", "-r", "50k", "-s", "64"]);
    assert_whole(&report, 12_345);
}

#[test]
fn whichever_comes_first_ends_it() {
    assert_whole(&run(&["-c", "50", "-t", "30s", "-r", "1k"]), 50);
    let port = port();
    let args = ["run", "-q", "-J", "-c", "1000000", "-t", "0.2", "-r", "1k", "-p", &port];
    let report = Bench::new().run(&args).json();
    assert_eq!(report["sender"]["intended"], 200);
    assert_adds_up(&report);
}

#[test]
fn bursts() {
    let report = run(&["-c", "490", "-r", "2k", "--burst", "7"]);
    assert_whole(&report, 490);
    assert_eq!(report["spec"]["load"]["burst_len"], 7);
}

#[test]
fn threads_and_groups() {
    let report =
        run(&["-g", "239.1.1.1+2", "-g", "239.2.0.0", "-P", "2", "-c", "1001", "-r", "5k"]);
    assert_whole(&report, 1_001);
    assert_eq!(report["streams"].as_array().unwrap().len(), 8, "two senders to four groups");
    assert_eq!(report["spec"]["receiver_threads"], 2);
}

#[test]
fn more_threads_than_groups_send() {
    let report = run(&["-P", "3", "-c", "100", "-r", "1k"]);
    assert_whole(&report, 100);
    assert_eq!(report["spec"]["receiver_threads"], 1);
}

#[test]
fn checksums() {
    assert_whole(&run(&["--checksum", "-c", "200", "-r", "2k"]), 200);
}

#[test]
fn smallest_and_largest_datagrams() {
    assert_whole(&run(&["-s", "18", "-c", "200", "-r", "2k"]), 200);
    let report = run(&["-s", "65507", "-c", "50", "-r", "200"]);
    assert_whole(&report, 50);
    assert_eq!(report["totals"]["payload_bytes"], 50 * 65_507);
}

#[test]
fn one_datagram() {
    assert_whole(&run(&["-c", "1"]), 1);
}

#[test]
fn a_source_specific_group() {
    let group = "127.0.0.1@232.1.1.1";
    let report = run(&["-g", group, "-c", "100", "-r", "1k"]);
    assert_whole(&report, 100);
    let source = report["streams"][0]["source"].as_str().unwrap();
    assert!(source.starts_with("127.0.0.1:"), "{source}");
}

#[test]
fn memory_needs_no_network() {
    // Slow enough for a receiver that is held up for a tenth of a second: the queue between the two is not long.
    let report = run(&["-e", "memory", "-c", "2500", "-r", "5k"]);
    assert_whole(&report, 2_500);
    assert_eq!(report["sender"]["engine"], "memory");
    assert_eq!(report["spec"]["interface"], 0);
}

#[test]
fn ipv6() {
    // Linux has no multicast route over its loopback interface. In a namespace of its own it gets one.
    let script = "ip link set lo up && ip -6 route add local ff00::/8 dev lo && exec \"$@\"";
    let namespace = ["--net", "--map-root-user", "sh", "-c"];
    let allowed = Command::new("unshare").args(namespace).args([script, "sh", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: this host allows no network namespace with IPv6");
        assert!(std::env::var_os("CI").is_none(), "CI must run this");
        return;
    }
    let mut command = Command::new("unshare");
    command.args(namespace).args([script, "sh", env!("CARGO_BIN_EXE_mcast-bench")]);
    command.args(["run", "-q", "-J", "-g", "[ff15::77]:5777", "-c", "100", "-r", "1k"]);
    let report = Bench::new().spawn(command).wait().fine();
    assert_adds_up(&report);
    assert_whole(&report, 100);
    assert_eq!(report["streams"][0]["group"], "ff15::77");
}

#[test]
fn cores_that_are_named_are_used() {
    let report = run(&["--cpu", "0", "-c", "50", "-r", "1k"]);
    assert_eq!(report["sender"]["cpus"], serde_json::json!([0]));
    assert_eq!(report["receiver"]["cpus"], serde_json::json!([0]));
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning["warning"] == "shared_core"), "{warnings:?}");
}

#[test]
fn the_environment_is_that_of_the_machine_and_not_of_a_thread() {
    let report = run(&["-c", "5", "-r", "1k"]);
    let cpus = std::thread::available_parallelism().unwrap().get();
    assert_eq!(report["environment"]["cpus"], cpus);
}

#[test]
fn two_processes() {
    let port = port();
    let (here, there) = (Bench::new(), Bench::new());
    let receiver = here.start(&["recv", "-q", "-p", &port, "-J", "--ready-file", "ready"]);
    here.wait_for("ready");
    let sent = there.run(&["send", "-q", "-p", &port, "-c", "500", "-r", "2k", "-J"]).fine();
    let received = receiver.wait().fine();
    assert_eq!(sent["sender"]["offered"], 500);
    assert_adds_up(&received);
    assert_eq!(received["totals"]["sent"], 500);
    assert_eq!(received["totals"]["unique"], 500);
    assert_eq!(received["streams"][0]["session"], sent["sender"]["session"]);
    assert_eq!(received["streams"][0]["end"], "announced");
}

#[test]
fn two_senders_that_share_a_group_are_told_apart() {
    let port = port();
    let bench = Bench::new();
    let receiver =
        bench.start(&["recv", "-i", "100ms", "-p", &port, "-J", "--ready-file", "ready"]);
    bench.wait_for("ready");
    let send = ["send", "-i", "50ms", "-p", &port, "-t", "0", "-r", "500", "-J"];
    let senders = [bench.start(&send), bench.start(&send)];
    // The receiver ends when all that it heard have ended, so it must have heard both.
    receiver.wait_until("both are heard", |stderr| stderr.matches("is heard").count() == 2);
    // They are heard before they send what is counted.
    senders.iter().for_each(Running::wait_until_busy);
    senders.iter().for_each(|sender| sender.signal("INT"));
    let sent = senders.map(|sender| sender.wait().json());
    let received = receiver.wait().fine();
    assert_adds_up(&received);
    assert_eq!(received["streams"].as_array().unwrap().len(), 2);
    let offered = sent.iter().map(|sent| sent["sender"]["offered"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(received["totals"]["unique"], offered);
}

#[test]
fn a_receiver_ends_after_its_count() {
    let port = port();
    let (here, there) = (Bench::new(), Bench::new());
    let receiver =
        here.start(&["recv", "-q", "-p", &port, "-c", "50", "-J", "--ready-file", "ready"]);
    here.wait_for("ready");
    let sender = there.start(&["send", "-q", "-p", &port, "-t", "0", "-r", "1k"]);
    let ran = receiver.wait();
    let report = ran.json();
    assert!(report["totals"]["received"].as_u64().unwrap() >= 50, "{report}");
    assert!(report["totals"]["sent"].is_null(), "the sender has not ended: its total is unknown");
    sender.signal("INT");
    assert_eq!(sender.wait().code, Some(130));
}

#[test]
fn an_old_ready_file_is_not_taken_for_a_new_one() {
    let bench = Bench::new();
    let port = port();
    std::fs::write(bench.cwd.join("ready"), "ready\n").unwrap();
    let args = ["run", "-q", "-p", &port, "--ready-file", "ready", "-g", "192.0.2.1@232.1.1.1"];
    assert_eq!(bench.run(&args).code, Some(1));
    assert_eq!(bench.files(), [""; 0]);
}

#[test]
fn it_starts_when_it_is_told() {
    let start_at = SystemTime::now() + Duration::from_secs(2);
    let report = run(&[
        "--start-at",
        &humantime::format_rfc3339_millis(start_at).to_string(),
        "-c",
        "100",
        "-r",
        "1k",
    ]);
    assert_whole(&report, 100);
    let started_at = humantime::parse_rfc3339(report["started_at"].as_str().unwrap()).unwrap();
    assert!(started_at + Duration::from_millis(1) >= start_at, "too early");
}
