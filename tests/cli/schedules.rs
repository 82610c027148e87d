//! Schedules, size mixes and replays from the command line: what is refused, and what the report says of them.

#[cfg(feature = "replay")]
use super::refusals::check_in;
use super::refusals::{check, check_value};
use super::{Bench, port};
use serde_json::{Value, json};
#[cfg(feature = "replay")]
use std::fs;

/// Runs without a network, quietly.
fn run(args: &str) -> Value {
    let port = port();
    let args = format!("run -q -J -e memory -p {port} --loss-threshold 0 {args}");
    Bench::new().run(&args.split_whitespace().collect::<Vec<_>>()).json()
}

#[test]
fn values_that_cannot_be() {
    check_value("--schedule", "often", "it is constant, poisson, poisson:SEED, on-off:ON/OFF");
    check_value("--schedule", "poisson:x", "`x` is not a seed: it is a whole number below 2^32");
    check_value("--schedule", "on-off:1s", "it looks like `on-off:100ms/900ms`");
    check_value("--schedule", "ramp:1k", "it looks like `ramp:10k..200k`");
    check_value("--schedule", "ramp:0..1k", "`0` is not a rate: nothing would be sent");
    check_value("--size", "64:many", "`many` is not a count");
    check(
        "run --replay a.pcap --replay-speed 0",
        2,
        "error: invalid value '0' for '--replay-speed <X>': `0` is not a speed: it is from 0.001x to 1000x, \
         in steps of 0.001; speeds look like `2x` or `0.5x`",
    );
}

#[test]
fn combinations_that_make_no_sense() {
    for (words, stderr) in [
        (
            "run --rate max --schedule poisson",
            "error: --rate max leaves nothing to --schedule poisson\n\
             hint: give a rate, or no --schedule",
        ),
        (
            "run --burst 4 --schedule ramp:1..2",
            "error: --burst does not go with --schedule ramp\nhint: it goes with constant and on-off",
        ),
        (
            "run --rate 5 --schedule ramp:1k..2k",
            "error: --schedule ramp says the rate, and --rate does too\nhint: leave out --rate",
        ),
        (
            "run --schedule ramp:1k..2Mbps",
            "error: there is no way from 1kpps to 2Mbps\n\
             hint: a ramp goes between two rates of one unit: ramp:10k..200k",
        ),
        ("run -t 0 --schedule ramp:1k..2k", "error: a ramp without an end\nhint: give a --time"),
        (
            "run --schedule on-off:0/1s",
            "error: the time on of --schedule on-off 0s cannot be\n\
             hint: the time on of --schedule on-off is from 1ns to 24h",
        ),
        (
            "run --size 64:7,70000:1",
            "error: a datagram cannot carry 70000 bytes\nhint: --size is from 18 to 65507",
        ),
        (
            "run --size 64:0,100:1",
            "error: a size mix that cannot be: 64 bytes have weight 0: they would never be sent\n\
             hint: mixes look like --size 64:7,594:4,1518:1",
        ),
    ] {
        check(words, 2, stderr);
    }
}

#[test]
fn captures_that_cannot_be_replayed() {
    check(
        "run -q --replay missing.pcap",
        1,
        "error: cannot open the capture missing.pcap: No such file or directory (os error 2)",
    );
    let with = Bench::new().run(&["run", "--replay", "a.pcap", "--rate", "5"]);
    assert_eq!(with.code, Some(2));
    assert!(with.stderr.contains("cannot be used with"), "{}", with.stderr);
}

#[cfg(feature = "replay")]
#[test]
fn files_that_are_no_captures() {
    check(
        "run -q --replay /dev/null",
        1,
        "error: cannot replay /dev/null: it is empty\nhint: tcpdump -w writes captures",
    );
    check(
        "run -q --replay /proc/version",
        1,
        "error: cannot replay /proc/version: it is no pcap or pcapng file\n\
         hint: tcpdump -w writes captures",
    );
    // One packet has no rhythm that could be repeated.
    let header = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101, 7, 0, 28, 28];
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 1, 17];
    packet.resize(24, 0);
    packet.extend([0, 8, 0, 0]);
    let bench = Bench::new();
    let file = [header.map(u32::to_le_bytes).concat(), packet].concat();
    fs::write(bench.cwd.join("one.pcap"), file).unwrap();
    check_in(
        &bench,
        &["run", "-q", "--replay", "one.pcap", "-t", "1s"],
        1,
        "error: cannot replay one.pcap: it takes no time, so it cannot be repeated\n\
         hint: leave out --time and --count",
    );
    let ran = bench.run(&["run", "-q", "-J", "-e", "memory", "--replay", "one.pcap"]);
    assert_eq!(ran.json()["totals"]["payload_bytes"], 18);
}

#[cfg(not(feature = "replay"))]
#[test]
fn a_build_without_the_feature_says_so() {
    check(
        "run -q --replay /dev/null",
        1,
        "error: cannot replay /dev/null: this build does not read captures; the feature `replay` does\n\
         hint: build it with --features replay, which is on by default",
    );
}

/// The same seed is the same load; without one it is drawn, and the report says it.
#[test]
fn a_poisson_stream_can_be_sent_again() {
    let first = run("-r 5k -t 0.2 --schedule poisson");
    let seed = &first["spec"]["load"]["schedule"]["seed"];
    let again = run(&format!("-r 5k -t 0.2 --schedule poisson:{seed}"));
    assert_eq!(first["spec"]["load"], again["spec"]["load"]);
    assert_eq!(first["sender"]["intended"], again["sender"]["intended"]);
    assert_eq!(first["sender"]["intended_load_pps"], 5000.0);
}

#[test]
fn the_report_says_what_was_offered() {
    let report = run("-r 1k -t 0.2 --schedule on-off:50ms/50ms -s 100:3,200:1");
    let load = &report["spec"]["load"];
    let schedule = json!({"kind": "on_off", "on_ns": 50_000_000, "off_ns": 50_000_000});
    let sizes = json!([{"payload_len": 100, "weight": 3}, {"payload_len": 200, "weight": 1}]);
    assert_eq!((&load["schedule"], &load["sizes"]), (&schedule, &sizes));
    assert_eq!(report["sender"]["intended"], 100);
    assert_eq!(report["totals"]["payload_bytes"], 25 * 500);
    let report = run("-t 0.2 --schedule ramp:1k..3k");
    assert_eq!(report["spec"]["load"]["rate"], Value::Null);
    assert_eq!(report["sender"]["intended"], 400);
}

/// At the exact mean size, a bit rate with a mix has as many datagrams as it should.
#[test]
fn bit_rates_count_the_mean_size() {
    // 12 datagrams of 4,342 bytes in all: 34,736 bits.
    let report = run("-t 0.1 -s 64:7,594:4,1518:1 -r 347360bps");
    assert_eq!(report["sender"]["intended_load_pps"], 120.0);
    assert_eq!(report["totals"]["payload_bytes"], 4342);
}

#[test]
fn trains_cannot_carry_a_mix() {
    let port = port();
    let args = ["run", "-q", "-J", "-e", "gso", "-p", &port, "-c", "120", "-r", "5k"];
    let args = [&args[..], &["-s", "64:7,594:4,1316:1", "--loss-threshold", "300ms"]].concat();
    let report = Bench::new().run(&args).fine();
    let degraded: Vec<_> = report["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event"] == "degraded")
        .collect();
    assert_eq!(degraded.len(), 1, "{report}");
    assert_eq!(degraded[0]["asked"], "--engine gso with datagrams of several lengths");
    assert_eq!(report["totals"]["unique"], 120);
    assert_eq!(report["totals"]["payload_bytes"], 10 * 4140);
}
