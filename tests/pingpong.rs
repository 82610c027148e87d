//! Round trips against the truth: a real `ping` and a real `echo` on two hosts, and between them a relay that knows what
//! it did to what went one way.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::lab::Action::{Delay, Double, Drop, SwapWithNext};
use crate::lab::{self, Child, DEVICE, Host, Kind, Lab, Plan, at, with_privileges};

const PATIENCE: Duration = Duration::from_secs(120);

/// Requests of [`LOAD`].
const COUNT: u64 = 500;
/// They take half a second; no machine is so busy that an answer takes longer than the timeout.
const LOAD: &str = "-r 1k -c 500 --timeout 3s";

/// Two hosts, and a directory for files.
struct Bed {
    lab: Lab,
    directory: PathBuf,
}

/// On which side who asks is, and so what the plan is about.
#[derive(Clone, Copy, PartialEq)]
enum Impaired {
    Requests,
    Replies,
}

impl Bed {
    fn over(plan: Plan) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcast-bench-pingpong-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).expect("the temporary directory can be written");
        Self { lab: Lab::two_hosts(plan), directory }
    }

    /// Who asks, and who answers.
    fn hosts(&self, impaired: Impaired) -> (&Host, &Host) {
        match impaired {
            Impaired::Requests => (self.lab.sender(), self.lab.receiver()),
            Impaired::Replies => (self.lab.receiver(), self.lab.sender()),
        }
    }

    /// Starts the tool and waits until it has joined.
    fn start(&self, host: &Host, words: &str) -> Child {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let file = self.directory.join(format!("{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let mut child = Child::spawn(command(host, words).arg("--ready-file").arg(&file));
        child.wait_for_file(&file, PATIENCE);
        child
    }
}

impl std::ops::Drop for Bed {
    fn drop(&mut self) {
        // Its absence is the only thing that matters.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn command(host: &Host, words: &str) -> Command {
    let mut command = host.command(lab::tool());
    command.args(words.split_whitespace()).args(["-J", "-q", "-I", DEVICE]);
    command
}

/// A report on standard output, and the exit code.
fn report(child: Child) -> (Value, Option<i32>) {
    let output = child.finish(PATIENCE);
    (lab::json(&output), output.status.code())
}

/// Ends a responder by Ctrl-C.
fn ended(mut echo: Child) -> Value {
    echo.interrupt();
    let (json, code) = report(echo);
    assert_eq!(code, Some(130), "{json}");
    json
}

fn number(row: &Value, name: &str) -> u64 {
    row[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {row}"))
}

/// All that a row counts must add up, and a round trip that was answered has times.
fn check(row: &Value) {
    let of = |name| number(row, name);
    assert_eq!(of("sent"), of("answered") + of("late") + of("lost"), "{row}");
    assert_eq!(of("lost"), of("lost_there") + of("lost_back") + of("lost_unknown"), "{row}");
    assert_eq!(
        of("received"),
        of("answered") + of("late") + of("duplicates") + of("stray"),
        "{row}"
    );
    let count = |times: &str| number(&row[times], "count");
    for times in ["rtt_ns", "kernel_rtt_ns", "turnaround_ns"] {
        assert_eq!(count(times), of("answered"), "{times} of {row}");
    }
    // Both hosts of the lab have one kernel, and so one clock.
    assert_eq!(count("forward_ns"), of("answered"), "{row}");
}

/// The counts of a row that are not zero, but for those that follow from others.
fn counts(row: &Value) -> Vec<(&str, u64)> {
    let names = [
        "sent",
        "late",
        "lost_there",
        "lost_back",
        "lost_unknown",
        "duplicates",
        "duplicates_there",
        "reordered",
        "stray",
    ];
    names
        .into_iter()
        .map(|name| (name, number(row, name)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// One responder, one asker. Returns the responder's row, the report of `echo`, and what the relay has done.
fn exchange(
    plan: Plan,
    impaired: Impaired,
    ping: &str,
    echo: &str,
) -> (Value, Value, lab::RelayCounts) {
    let mut bed = Bed::over(plan);
    let (asking, answering) = bed.hosts(impaired);
    let responder = bed.start(answering, &format!("echo {echo}"));
    let (json, code) = report(Child::spawn(&mut command(asking, &format!("ping {ping}"))));
    let echo = ended(responder);
    assert_eq!(code, Some(0), "{json}");
    let rows = json["responders"].as_array().expect("rows are a list");
    rows.iter().for_each(check);
    check(&json["totals"]);
    assert_eq!((rows.len(), number(&json["totals"], "foreign")), (1, 0), "{json}");
    assert_eq!(rows[0]["responder"], echo["responder"]);
    bed.lab.relay().settle();
    let row = rows[0].clone();
    (row, echo, bed.lab.relay().counts())
}

#[test]
fn nothing_wrong_is_all_zeros() {
    with_privileges(|| {
        for (ping, echo) in [
            (LOAD.to_owned(), ""),
            (LOAD.to_owned(), "--reply unicast"),
            (format!("{LOAD} -g [ff15::7]:5000"), "-g [ff15::7]:5000"),
            (format!("{LOAD} -g [ff12::7]:5000"), "-g [ff12::7]:5000 --reply unicast"),
            (format!("{LOAD} -g 10.99.1.1@232.1.1.1"), "-g 10.99.1.1@232.1.1.1 --reply unicast"),
            (format!("{LOAD} -s 1400 --reply-port 6000"), ""),
            (format!("{LOAD} --spin"), "--spin"),
            ("-c 500 --closed".to_owned(), ""),
            ("-c 500 --closed=first --spin --timestamps application".to_owned(), "--spin"),
            ("-c 500 --closed".to_owned(), "--timestamps application"),
        ] {
            let (row, answered, _) = exchange(Plan::clean(), Impaired::Requests, &ping, echo);
            assert_eq!(counts(&row), [("sent", COUNT)], "{ping} {echo}");
            let address: IpAddr = "10.99.1.2".parse().expect("it is one");
            let source = row["source"].as_str().expect("it is text");
            assert!(
                source.starts_with(&address.to_string()) || source.starts_with('['),
                "{source}"
            );
            let totals = &answered["totals"];
            assert_eq!((number(totals, "unique"), number(totals, "missing")), (COUNT, 0));
            assert_eq!(row["clock"], "same_host");
        }
    });
}

#[test]
fn lost_requests_are_lost_on_the_way_there() {
    with_privileges(|| {
        let lost: BTreeSet<u64> = (0..3).chain(100..120).chain(COUNT - 5..COUNT).collect();
        let plan = || Plan::clean().on(at(lost.clone()), Drop);
        for echo in ["", "--reply unicast"] {
            let (row, answered, relay) = exchange(plan(), Impaired::Requests, LOAD, echo);
            assert_eq!(relay.dropped, 28);
            assert_eq!(counts(&row), [("sent", COUNT), ("lost_there", 28)], "{row}");
            assert_eq!(number(&answered["totals"], "unique"), COUNT - 28);
        }
    });
}

#[test]
fn lost_replies_are_lost_on_the_way_back() {
    with_privileges(|| {
        let lost = (0..3).chain(100..120).chain(COUNT - 5..COUNT);
        let plan = Plan::clean().on(at(lost), Drop);
        let (row, answered, relay) = exchange(plan, Impaired::Replies, LOAD, "");
        assert_eq!(relay.dropped, 28);
        assert_eq!(counts(&row), [("sent", COUNT), ("lost_back", 28)], "{row}");
        assert_eq!(
            number(&answered["totals"], "replies") - number(&answered["totals"], "calls"),
            COUNT
        );
    });
}

/// Without statements nobody knows about the last ones; what was said beside replies still holds.
#[test]
fn without_statements_the_tail_is_unknown() {
    with_privileges(|| {
        let lost = (100..120).chain(COUNT - 5..COUNT);
        let plan = Plan::clean().on(at(lost), Drop).without(Kind::Statement);
        let (row, _, _) = exchange(plan, Impaired::Replies, LOAD, "");
        assert_eq!(
            counts(&row),
            [("sent", COUNT), ("lost_back", 20), ("lost_unknown", 5)],
            "{row}"
        );
    });
}

#[test]
fn duplicates_say_on_which_way_they_were_made() {
    with_privileges(|| {
        // Not the last ones: who has all answers does not wait for copies.
        let plan = || Plan::clean().on(at((9..COUNT - 10).step_by(10)), Double);
        let (row, answered, relay) = exchange(plan(), Impaired::Requests, LOAD, "");
        assert_eq!(relay.doubled, 49);
        let expected = [("sent", COUNT), ("duplicates", 49), ("duplicates_there", 49)];
        assert_eq!(counts(&row), expected, "{row}");
        assert_eq!(number(&answered["totals"], "duplicates"), 49);
        let (row, answered, relay) = exchange(plan(), Impaired::Replies, LOAD, "");
        assert_eq!(relay.doubled, 49);
        assert_eq!(counts(&row), [("sent", COUNT), ("duplicates", 49)], "{row}");
        assert_eq!(number(&answered["totals"], "duplicates"), 0);
    });
}

#[test]
fn neighbours_that_change_places_are_reordered_and_not_lost() {
    with_privileges(|| {
        let plan = || Plan::clean().on(at((10..COUNT - 10).step_by(20)), SwapWithNext);
        for (impaired, at_responder) in [(Impaired::Requests, 24), (Impaired::Replies, 0)] {
            let (row, answered, relay) = exchange(plan(), impaired, LOAD, "");
            assert_eq!(relay.swapped, 24);
            assert_eq!(counts(&row), [("sent", COUNT), ("reordered", 24)], "{row}");
            assert_eq!(number(&answered["totals"], "reordered"), at_responder);
        }
    });
}

#[test]
fn what_takes_longer_than_the_timeout_is_late() {
    with_privileges(|| {
        let plan = Plan::clean().on(at([7, 300]), Delay(Duration::from_millis(2_000)));
        let ping = "-r 200 -c 600 --timeout 1s";
        let (row, _, relay) = exchange(plan, Impaired::Replies, ping, "");
        assert_eq!(relay.delayed, 2);
        assert_eq!(counts(&row), [("sent", 600), ("late", 2), ("reordered", 2)], "{row}");
        assert_eq!(row["rtt_ns"]["p99_99"], Value::Null, "the late ones are infinitely late");
    });
}

#[test]
fn a_closed_loop_goes_on_after_a_loss() {
    with_privileges(|| {
        let ping = "-c 200 --closed --timeout 500ms";
        let plan = || Plan::clean().on(at([0, 10, 20]), Drop);
        for (impaired, name) in
            [(Impaired::Requests, "lost_there"), (Impaired::Replies, "lost_back")]
        {
            let (row, _, relay) = exchange(plan(), impaired, ping, "");
            assert_eq!((relay.dropped, relay.data_in), (3, 200));
            assert_eq!(counts(&row), [("sent", 200), (name, 3)], "{row}");
        }
    });
}

#[test]
fn two_responders_are_told_apart_and_one_that_stops_is_noticed() {
    with_privileges(|| {
        let bed = Bed::over(Plan::clean().per_stream().on(at([5, 6, 7]), Drop));
        let (asking, answering) = bed.hosts(Impaired::Replies);
        let first = bed.start(answering, "echo");
        let mut second = bed.start(answering, "echo");
        let mut ping = bed.start(asking, "ping -r 500 -t 3s --timeout 200ms");
        assert!(ping.is_running());
        // Some time after it has begun, and long before it ends.
        let mut bed = bed;
        let begun = std::time::Instant::now();
        while bed.lab.relay().counts().data_in < 400 {
            assert!(begun.elapsed() < PATIENCE, "nobody answers");
            std::thread::sleep(Duration::from_millis(1));
        }
        second.signal(libc::SIGKILL);
        let (json, code) = report(ping);
        assert_eq!(code, Some(0), "{json}");
        let rows = json["responders"].as_array().expect("rows are a list");
        rows.iter().for_each(check);
        let alive = ended(first);
        let is_alive = |row: &&Value| row["responder"] == alive["responder"];
        let (alive, dead) = (
            rows.iter().find(is_alive).expect("it answered"),
            rows.iter().find(|row| !is_alive(row)).expect("it answered at first"),
        );
        let sent = number(&json, "sent");
        assert_eq!(counts(alive), [("sent", sent), ("lost_back", 3)], "{alive}");
        assert_eq!((&alive["silent"], &dead["silent"]), (&false.into(), &true.into()));
        let answered = number(dead, "answered");
        let unknown = sent - answered - 3;
        assert!(unknown > 0 && answered > 0);
        assert_eq!(counts(dead), [("sent", sent), ("lost_back", 3), ("lost_unknown", unknown)]);
        assert_eq!(number(&json["totals"], "sent"), 2 * sent);
        let events = json["events"].as_array().expect("events are a list");
        let silent = events.iter().filter(|event| event["event"] == "responder_silent");
        assert!(silent.map(|event| &event["responder"]).eq([&dead["responder"]]), "{json}");
    });
}

#[test]
fn a_responder_that_comes_late_has_lost_nothing_before() {
    with_privileges(|| {
        let mut bed = Bed::over(Plan::clean());
        let (asking, answering) = bed.hosts(Impaired::Requests);
        let mut ping = bed.start(asking, "ping -r 500 -t 0");
        let wait = |bed: &mut Bed, more: u64| {
            let (before, begun) = (bed.lab.relay().counts().data_in, std::time::Instant::now());
            while bed.lab.relay().counts().data_in < before + more {
                assert!(begun.elapsed() < PATIENCE, "nobody asks");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        let asks_already = bed.start(answering, "recv -t 1s");
        let (heard, _) = report(asks_already);
        assert_eq!(
            (number(&heard["totals"], "foreign"), number(&heard["totals"], "received")),
            (0, 0)
        );
        assert!(number(&heard["totals"], "announcements") > 0, "{heard}");
        let (_, answering) = bed.hosts(Impaired::Requests);
        let responder = bed.start(answering, "echo");
        wait(&mut bed, 200);
        ping.interrupt();
        let (json, code) = report(ping);
        assert_eq!((code, &json["interrupted"]), (Some(130), &true.into()));
        let row = &json["responders"][0];
        check(row);
        let first = number(row, "first_seq");
        assert!(first > 0, "{json}");
        assert_eq!(counts(row), [("sent", number(&json, "sent") - first)]);
        assert_eq!(json["events"][0]["event"], "nobody_answers");
        ended(responder);
    });
}

#[test]
fn nobody_answers_is_4() {
    with_privileges(|| {
        let bed = Bed::over(Plan::clean());
        let (asking, _) = bed.hosts(Impaired::Requests);
        for how in ["-r 1k", "--closed"] {
            let ping = format!("ping {how} -c 5 --timeout 20ms");
            let (json, code) = report(Child::spawn(&mut command(asking, &ping)));
            assert_eq!((code, number(&json, "sent")), (Some(4), 5), "{json}");
            assert_eq!(json["invalid_reasons"][0]["reason"], "nobody_answered");
        }
    });
}
