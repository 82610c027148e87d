//! Joins and leaves against the truth: a real `join` of groups that flow, behind a gate that opens and shuts when it is
//! told to, and behind a bridge of the kernel that snoops.
#![cfg(test)]

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{self, Child, DEVICE, Gate, Host, Lab, Slowness, Taken, with_privileges};

const PATIENCE: Duration = Duration::from_secs(60);
/// What a busy machine adds until a thread runs that was woken up: half of the times, and all of them.
const SLACK: Duration = Duration::from_millis(25);
const WORST: Duration = Duration::from_millis(250);

const OPENS: Duration = Duration::from_millis(60);
const SHUTS: Duration = Duration::from_millis(150);
const SLOW: Slowness = Slowness { opens_after: OPENS, shuts_after: SHUTS };

fn command(host: &Host, words: &str) -> Command {
    let mut command = host.command(lab::tool());
    command.args(words.split_whitespace()).args(["-q", "-I", DEVICE]);
    command
}

/// A sender that flows until it is dropped, a minute at most.
fn flow(lab: &Lab, words: &str) -> Child {
    Child::spawn(&mut command(
        lab.sender(),
        &format!("send -t 60s -r 2k -s 100 --pace sleep {words}"),
    ))
}

/// The report of `join`, and the exit code.
fn join(lab: &Lab, words: &str) -> (Value, Option<i32>) {
    let words = format!("join -J {words}");
    let output = Child::spawn(&mut command(lab.receiver(), &words)).finish(PATIENCE);
    (lab::json(&output), output.status.code())
}

fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no number {pointer} in {value}"))
}

fn time(value: &Value, pointer: &str) -> Duration {
    Duration::from_nanos(number(value, pointer))
}

/// Joins `groups` behind a gate, while somebody sends to them.
fn through_gate(groups: &str, words: &str) -> (Value, Taken) {
    let (lab, gate): (Lab, Gate) = Lab::gated(SLOW);
    let _flow = flow(&lab, groups);
    let (json, code) = join(&lab, &format!("{groups} {words}"));
    assert_eq!(code, Some(0), "{json}");
    (json, gate.finish())
}

/// No delay is below what the gate took, which had the report later and the datagram earlier; and none is much above.
fn check(json: &Value, taken: &Taken, rounds: u64) {
    let interface = &json["totals"]["interface"];
    assert_eq!(number(json, "/totals/answered"), rounds, "{json}");
    for name in ["join_reports", "leaves", "leave_reports", "ended"] {
        assert_eq!(number(interface, &format!("/{name}")), rounds, "{name} of {json}");
    }
    for name in ["kept_back", "already_flowing", "not_ended"] {
        assert_eq!(number(interface, &format!("/{name}")), 0, "{name} of {json}");
    }
    let within = |pointer: &str, truth: &[Duration]| {
        let mut truth = truth.to_vec();
        truth.sort_unstable();
        assert_eq!(truth.len() as u64, rounds, "{truth:?}");
        assert_eq!(number(json, &format!("{pointer}/count")), rounds, "{json}");
        let median = truth[truth.len().div_ceil(2) - 1];
        for (what, truth, slack) in [
            ("min", truth[0], WORST),
            ("p50", median, SLACK),
            ("max", truth[truth.len() - 1], WORST),
        ] {
            let told = time(json, &format!("{pointer}/{what}"));
            // Percentiles are those of a histogram of three digits.
            let least = truth - truth / 1000;
            assert!(told >= least, "{what} of {pointer}: {told:?} instead of {truth:?}");
            assert!(told <= truth + slack, "{what} of {pointer}: {told:?} instead of {truth:?}");
        }
    };
    within("/join/from_report_ns", &taken.to_open);
    within("/leave/from_report_ns", &taken.to_shut);
    let call = time(json, "/join/to_socket_ns/min");
    let report = time(json, "/join/to_report_ns/min");
    assert!(call >= OPENS + report, "the call was before the report, by {report:?}: {call:?}");
}

#[test]
fn delays_are_those_of_the_gate() {
    with_privileges(|| {
        let (json, taken) = through_gate("-g 239.7.1.1:5000", "-c 4");
        check(&json, &taken, 4);
        assert!(taken.to_open.iter().all(|took| *took >= OPENS), "{taken:?}");
        assert!(taken.to_shut.iter().max() >= Some(&(SHUTS - SLACK)), "{taken:?}");
        assert_eq!(json["schema"], "mcast-bench-join/1");
        assert!(number(&json, "/totals/missed_away") > 1000, "{json}");
        assert_eq!(number(&json, "/totals/foreign"), 0);
    });
}

#[test]
fn delays_of_ipv6_are_those_of_the_gate() {
    with_privileges(|| {
        let (json, taken) = through_gate("-g [ff15::7:1]:5000", "-c 3");
        check(&json, &taken, 3);
    });
}

#[test]
fn delays_of_a_source_are_those_of_the_gate() {
    with_privileges(|| {
        let (json, taken) = through_gate("-g 10.99.1.1@232.7.1.1:5000", "-c 3");
        check(&json, &taken, 3);
        let (json, taken) = through_gate("-g fd00:99::1@ff35::7:1", "-c 3");
        check(&json, &taken, 3);
    });
}

#[test]
fn zapping_has_a_gap_and_an_overlap() {
    with_privileges(|| {
        // Held for longer than the old group takes to stop and to be silent.
        let words = "-c 4 --zap --hold 500ms --quiet-time 100ms";
        let (json, taken) = through_gate("-g 239.7.2.1+2:5000", words);
        check(&json, &taken, 4);
        let (gap, overlap) = (&json["zap"]["gap_ns"], &json["zap"]["overlap_ns"]);
        assert_eq!((number(gap, "/count"), number(overlap, "/count")), (3, 3), "{json}");
        assert!(time(gap, "/min") >= OPENS, "{gap}");
        // Both reports leave together, or a few jiffies apart.
        let both = SHUTS - OPENS;
        let median = time(overlap, "/p50");
        assert!((both - SLACK..both + SLACK).contains(&median), "{median:?} instead of {both:?}");
    });
}

#[test]
fn a_storm_ends_when_the_last_group_has_come() {
    with_privileges(|| {
        let (json, taken) = through_gate("-g 239.7.3.1+63:5000", "-c 2 --quiet-time 500ms");
        check(&json, &taken, 128);
        assert_eq!(json["groups"].as_array().map(Vec::len), Some(64));
        let [all, slowest] = ["/all_ns/max", "/join/to_socket_ns/max"].map(|at| time(&json, at));
        assert_eq!(number(&json, "/all_ns/count"), 2);
        assert!(all >= slowest && all >= OPENS, "{all:?} for all, {slowest:?} for one");
    });
}

/// The gate takes longer than two of them allow, and every join is answered.
#[test]
fn limits_that_do_not_hold_are_code_3() {
    with_privileges(|| {
        let (lab, gate): (Lab, Gate) = Lab::gated(SLOW);
        let _flow = flow(&lab, "-g 233.252.0.1:5000");
        let limits = ["loss>0", "p50>10ms", "leave-p50>10ms", "leave-max>60s"];
        let asked = limits.map(|limit| format!("--fail-if {limit}")).join(" ");
        let (json, code) = join(&lab, &format!("-g 233.252.0.1:5000 -c 3 {asked}"));
        gate.finish();
        assert_eq!((code, &json["valid"]), (Some(3), &true.into()), "{json}");
        let told = json["limits"].as_array().unwrap().iter();
        let told: Vec<_> = told.map(|of| (of["limit"].as_str(), of["held"].as_bool())).collect();
        let held = [true, false, false, true];
        let expected: Vec<_> =
            limits.iter().zip(held).map(|(limit, held)| (Some(*limit), Some(held))).collect();
        assert_eq!(told, expected, "{json}");
    });
}

#[test]
fn a_bridge_that_snoops_stops_after_two_questions() {
    with_privileges(|| {
        let interval = Duration::from_millis(150);
        let lab = Lab::bridged(interval);
        let _flow = flow(&lab, "");
        // It floods until its first question was answered or half a second has passed.
        let (json, code) = join(&lab, "-c 4 --quiet-time 600ms");
        assert_eq!(code, Some(0), "{json}");
        let seen = &json["totals"]["interface"];
        assert_eq!((number(seen, "/leaves"), number(seen, "/ended")), (4, 4), "{json}");
        assert!(number(seen, "/already_flowing") <= 1, "{json}");
        // A sender that stalls sends its last datagram earlier, but not always.
        let stopped = time(&json, "/leave/from_report_ns/max");
        assert!((2 * interval - SLACK..2 * interval + WORST).contains(&stopped), "{stopped:?}");
        let came = time(&json, "/join/from_report_ns/p50");
        assert!(came < SLACK, "the bridge opens at once: {came:?}");
    });
}

#[test]
fn a_bare_link_answers_every_join_at_once_and_never_stops() {
    with_privileges(|| {
        let lab = Lab::direct();
        let _flow = flow(&lab, "");
        let (json, code) = join(&lab, "-t 2s --churn 50/s");
        assert_eq!(code, Some(0), "{json}");
        let joins = number(&json, "/totals/joins");
        assert!(joins >= 20, "{json}");
        assert_eq!(number(&json, "/totals/answered") + number(&json, "/totals/unanswered"), joins);
        assert!(number(&json, "/totals/answered") >= joins / 2, "{json}");
        assert!(time(&json, "/join/to_socket_ns/min") < Duration::from_millis(1), "{json}");
        let (json, _) = join(&lab, "-c 1 --leave-timeout 300ms");
        let seen = &json["totals"]["interface"];
        assert_eq!([&seen["already_flowing"], &seen["not_ended"]], [1, 1], "{json}");
        assert_eq!(json["leave"]["to_last_ns"]["p50"], Value::Null, "it never stopped");
    });
}

#[test]
fn a_group_that_nobody_sends_to_is_no_delay() {
    with_privileges(|| {
        let lab = Lab::direct();
        let (json, code) = join(&lab, "-c 2 --timeout 50ms");
        assert_eq!(code, Some(4), "{json}");
        assert_eq!(number(&json, "/totals/unanswered"), 2);
        assert_eq!(number(&json, "/join/to_socket_ns/count"), 0);
        assert_eq!(json["invalid_reasons"][0]["reason"], "nothing_came");
    });
}

#[test]
fn without_the_right_to_watch_it_says_what_it_cannot_know() {
    with_privileges(|| {
        let lab = Lab::direct();
        let _flow = flow(&lab, "");
        let mut command = lab.receiver().command("setpriv");
        command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw", "--"]);
        command.arg(lab::tool()).args(["join", "-J", "-q", "-c", "3", "-I", DEVICE]);
        let output = Child::spawn(&mut command).finish(PATIENCE);
        let json = lab::json(&output);
        assert_eq!((output.status.code(), &json["watched"]), (Some(0), &false.into()), "{json}");
        assert_eq!(number(&json, "/totals/answered"), 3);
        assert_eq!((&json["leave"], &json["totals"]["interface"]), (&Value::Null, &Value::Null));
        let reason = json["events"][0]["reason"].as_str().expect("an event says why");
        assert!(reason.contains("it wants CAP_NET_RAW"), "{reason}");
    });
}

#[test]
fn a_limit_of_memberships_is_named_and_the_report_is_written() {
    with_privileges(|| {
        let lab = Lab::direct();
        lab.receiver()
            .run(|| std::fs::write("/proc/sys/net/ipv4/igmp_max_memberships", "5"))
            .expect("the limit is one of the namespace");
        let (json, code) = join(&lab, "-g 239.7.4.1+9:5000 -c 1");
        assert_eq!(code, Some(4), "more sockets join them, and nobody sends: {json}");
        assert_eq!(number(&json, "/totals/joins"), 10, "{json}");
        lab.receiver()
            .run(|| std::fs::write("/proc/sys/net/ipv4/igmp_max_memberships", "0"))
            .expect("the limit is one of the namespace");
        let (json, code) = join(&lab, "-g 239.7.4.1+9:5000 -c 1");
        assert_eq!(code, Some(3), "{json}");
        let cause = json["invalid_reasons"][0]["cause"].as_str().expect("it says why");
        assert!(cause.starts_with(&format!("cannot join 239.7.4.1 on {DEVICE}: ")), "{cause}");
        assert!(cause.contains("sysctl -w net.ipv4.igmp_max_memberships=20"), "{cause}");
    });
}

#[test]
fn an_interface_that_goes_ends_it_with_a_report() {
    with_privileges(|| {
        let lab = Lab::direct();
        let _flow = flow(&lab, "");
        let mut child = Child::spawn(&mut command(lab.receiver(), "join -J --hold 30s"));
        // It is joined once the kernel says so.
        let is_joined = || {
            let table =
                lab.receiver().run(|| std::fs::read_to_string("/proc/thread-self/net/igmp"));
            table.expect("proc is mounted").contains("4D4DFFEF")
        };
        let begun = std::time::Instant::now();
        while !is_joined() {
            assert!(child.is_running() && begun.elapsed() < PATIENCE, "it does not join");
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut ip = lab.receiver().command("ip");
        ip.args(["link", "delete", DEVICE]);
        assert!(ip.status().expect("ip can be run").success());
        let output = child.finish(PATIENCE);
        let json = lab::json(&output);
        assert_eq!(output.status.code(), Some(3), "{json}");
        assert_eq!(json["invalid_reasons"][0]["reason"], "failed");
        let cause = json["invalid_reasons"][0]["cause"].as_str().expect("it says why");
        assert!(cause.starts_with("cannot watch the interface any more: "), "{cause}");
    });
}
