//! `ping` and `echo` over loopback: codes, streams, formats.

use super::{Bench, Running, port};
use serde_json::Value;

/// A responder that has joined.
fn responder(bench: &Bench, port: &str) -> Running {
    let running = bench.start(&["echo", "-p", port, "-J", "--ready-file", "ready"]);
    bench.wait_for("ready");
    running
}

#[test]
fn a_good_one_ends_with_0_and_its_result_is_all_there_is_on_stdout() {
    let (bench, port) = (Bench::new(), port());
    let echo = responder(&bench, &port);
    // So slow a reply makes it late, and the code 0 all the same: that is a result.
    let ran = bench.run(&["ping", "-c", "50", "-p", &port]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("VALID: 1 responder, "), "{ran:?}");
    let mut notices = ran.stderr.lines();
    assert_eq!(notices.next(), Some("no --iface: using lo, so all traffic stays on this host"));
    assert!(notices.next().unwrap().ends_with(" is there"), "{}", ran.stderr);
    echo.signal("INT");
    let echo = echo.wait();
    assert_eq!(echo.code, Some(130), "{echo:?}");
    let report = echo.json();
    assert_eq!((&report["totals"]["unique"], &report["interrupted"]), (&50.into(), &true.into()));
    assert_eq!(report["events"][0]["event"], "asker_heard");
    assert!(echo.stderr.contains(" asks\n"), "{}", echo.stderr);
}

#[test]
fn limits_and_every_format() {
    let (bench, port) = (Bench::new(), port());
    let echo = responder(&bench, &port);
    let limits = ["--fail-if", "max<1h", "--fail-if", "loss>100%", "--fail-if", "offered<1%"];
    let reports = ["human:a", "json:b", "csv:c", "hdr:d", "hlog:e"]
        .map(|report| ["--report", report])
        .concat();
    let args = ["ping", "-q", "-c", "50", "--closed", "-p", &port];
    let ran = bench.run(&[&args[..], &limits[..], &reports[..]].concat());
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(3), "", ""), "{ran:?}");
    let json: Value = serde_json::from_str(&bench.read("b")).unwrap();
    assert_eq!(json["schema"], "mcast-bench-ping/1");
    let held: Vec<_> =
        json["limits"].as_array().unwrap().iter().map(|limit| limit["held"].as_bool()).collect();
    assert_eq!(held, [Some(false), Some(true), Some(true)]);
    assert!(bench.read("a").starts_with("FAILED: 1 of 3 limits failed; "), "{}", bench.read("a"));
    assert_eq!(bench.read("c").lines().count(), 3);
    assert!(bench.read("d").contains("Total count    =           50]"), "{}", bench.read("d"));
    assert!(bench.read("e").contains("\nTag=turnaround,"), "{}", bench.read("e"));
    echo.signal("TERM");
    assert_eq!(echo.wait().code, Some(130));
}

#[test]
fn ctrl_c_writes_the_report() {
    let (bench, port) = (Bench::new(), port());
    let echo = responder(&bench, &port);
    let ping = bench.start(&["ping", "-t", "0", "-i", "100ms", "-p", &port, "-J"]);
    ping.wait_until_busy();
    ping.signal("INT");
    let ran = ping.wait();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let report = ran.json();
    assert_eq!(report["interrupted"], true);
    let counts = &report["totals"];
    assert!(counts["answered"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(counts["lost"], 0, "those on their way were waited for: {report}");
    drop(echo);
}

#[test]
fn nobody_there_is_4_at_either_end() {
    let (bench, port) = (Bench::new(), port());
    let ran = bench.run(&["ping", "-c", "3", "-p", &port, "--timeout", "10ms"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.stderr.contains(": start `mcast-bench echo` with the same group"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("\n  - no responder answered\n    -> start `mcast-bench echo -g "));
    let ran = bench.run(&["echo", "-q", "-t", "100ms", "-p", &port]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stdout.starts_with("nobody asked\n"), "{ran:?}");
}

#[test]
fn so_many_requests_are_enough_for_a_responder() {
    let (bench, port) = (Bench::new(), port());
    let echo = bench.start(&["echo", "-c", "20", "-p", &port, "-J", "--ready-file", "ready"]);
    bench.wait_for("ready");
    let ran = bench.run(&["ping", "-q", "-c", "20", "-p", &port, "-J"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let echo = echo.wait();
    assert_eq!((echo.code, &echo.json()["totals"]["received"]), (Some(0), &20.into()));
}
