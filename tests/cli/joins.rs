//! `join` over loopback: what it refuses, codes, formats.

use super::refusals::check;
use super::{Bench, port};

#[test]
fn what_cannot_be_joined_so_is_refused() {
    for (words, stderr) in [
        ("--zap", "--zap through one group\nhint: name more groups with -g"),
        ("-c 0", "--count 0 is no round at all\nhint: leave it out for no limit"),
        (
            "-g 239.1.1.1:1 -g 239.1.1.1:2",
            "239.1.1.1 is named twice\nhint: a host reports a group once: name it with one port and one source",
        ),
        (
            "--churn 1Mbps",
            "--churn 1Mbps is no number of rounds a second\nhint: --churn is rounds a second: `200/s`",
        ),
        ("--churn 20k", "more than 10k rounds a second\nhint: --churn is rounds a second: `200/s`"),
        (
            "--churn 100/s --hold 10ms",
            "--hold 10ms in rounds of 10ms\nhint: --hold is shorter than a round of --churn",
        ),
        (
            "-g 239.1.1.1+1 --zap --churn 5/s --hold 1ms",
            "--hold with --churn and --zap\nhint: the next group is joined when this one is left: leave out --hold",
        ),
        (
            "--fail-if late-p99>1ms",
            "`join` cannot hold to --fail-if 'late-p99>1ms': it does not measure late-p99\n\
             hint: it measures loss, p99 and the like, and leave-p99 and the like",
        ),
        ("--timeout 1us", "--timeout 1us cannot be\nhint: --timeout is from 1ms to 24h"),
        ("--quiet-time 1ns", "--quiet-time 1ns cannot be\nhint: --quiet-time is from 1us to 24h"),
    ] {
        check(&format!("join {words}"), 2, &format!("error: {stderr}"));
    }
}

#[test]
fn how_long_leaving_takes_is_for_join_alone() {
    for verb in ["run", "send", "recv", "ping"] {
        let said = format!(
            "error: `{verb}` cannot hold to --fail-if 'leave-max>1s': it does not measure leave-max"
        );
        check(
            &format!("{verb} --fail-if leave-max>1s"),
            2,
            &format!("{said}\nhint: give it to `join`"),
        );
    }
}

#[test]
fn nothing_comes_is_4_and_says_what_may_be_missing() {
    let (bench, port) = (Bench::new(), port());
    let ran = bench.run(&["join", "-q", "-c", "1", "--timeout", "20ms", "-p", &port]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stdout.starts_with("INVALID: these numbers must not be used; 1 of 1 join not"));
    assert!(ran.stdout.contains("\n  - nothing came, to none of the groups\n    -> does somebody"));
}

#[test]
fn ctrl_c_writes_every_report() {
    let (bench, port) = (Bench::new(), port());
    let args = ["join", "-t", "0", "-p", &port, "--ready-file", "ready", "--timeout", "1h"];
    let reports = ["--report", "human:a", "--report", "json:b", "--report", "hdr:c"];
    let join = bench.start(&[&args[..], &reports[..]].concat());
    bench.wait_for("ready");
    join.signal("INT");
    let ran = join.wait();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stderr.contains("  interrupted\n"), "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&bench.read("b")).unwrap();
    assert_eq!((&json["interrupted"], &json["totals"]["joins"]), (&true.into(), &0.into()));
    assert!(bench.read("a").starts_with("VALID: nothing was joined to its end\n"));
    assert!(bench.read("c").contains("Total count    =            0]"), "{}", bench.read("c"));
}
