//! Scenarios and presets from the command line: what they mean, what is refused, and what is said at the end.

use super::Bench;
use super::refusals::{check, check_in};
use serde_json::Value;
use std::fs;
use std::process::Command;

fn written(text: &str) -> Bench {
    let bench = Bench::new();
    fs::write(bench.cwd.join("trial.toml"), text).unwrap();
    bench
}

#[test]
fn a_trial_as_its_file_says_it() {
    let bench = written("engine = 'memory'\ncount = 70\nsize = 100\nrate = '7k'\nquiet = true\n");
    let report = bench.run(&["run", "--scenario", "trial.toml", "-J", "--size", "200"]).json();
    assert_eq!(report["sender"]["offered"], 70);
    assert_eq!(report["spec"]["load"]["sizes"][0]["payload_len"], 200);
    assert_eq!(report["command"], "mcast-bench run --scenario trial.toml -J --size 200");
    assert_eq!(report["answer"], Value::Null);
}

/// `--dry-run` writes a scenario; a trial by that is the one that was meant.
#[test]
fn what_would_be_done_is_printed_and_not_done() {
    let bench = written("engine = 'memory'\ncount = 70\n[[flow]]\nburst = 7\n[[flow]]\nrate = 5\n");
    let args = ["run", "--scenario", "trial.toml", "--report", "json:a.json", "--dry-run"];
    let dry = bench.run(&args);
    assert_eq!((dry.code, dry.stderr.as_str()), (Some(0), ""));
    assert_eq!(bench.files(), ["trial.toml"]);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("dry_run", dry.stdout));
    fs::write(bench.cwd.join("trial.toml"), &dry.stdout).unwrap();
    assert_eq!(bench.run(&args).stdout, dry.stdout);
}

/// What is read once is read once, wherever the flags stand.
#[test]
fn a_scenario_comes_through_a_pipe_and_behind_flags_of_the_program() {
    let told = "printf 'ttl = 3\\nvariation = true\\n'";
    let tool = env!("CARGO_BIN_EXE_mcast-bench");
    let line = format!("{told} | {tool} --color never run --scenario /dev/stdin --dry-run");
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    for words in ["\nttl = 3\n", "\nvariation = true\n"] {
        assert!(printed.contains(words), "{words:?}: {printed}");
    }
}

#[test]
fn what_is_refused() {
    let bench = written("rate = 5\n\nraet = 6\n");
    check_in(
        &bench,
        &["run", "--scenario", "trial.toml"],
        2,
        "error: trial.toml:3:1: there is no key `raet` here\nhint: `rate` is similar",
    );
    check(
        "run --scenario none.toml",
        1,
        "error: cannot read the scenario none.toml: No such file or directory (os error 2)",
    );
    check("run --scenario .", 1, "error: cannot read the scenario .: Is a directory (os error 21)");
    check(
        "run --preset stress --scenario none.toml",
        2,
        "error: the argument '--preset <NAME>' cannot be used with '--scenario <FILE>'\n\
         hint: --help shows what there is",
    );
    let names = "these are: connectivity, market-data, iptv-sd, iptv-hd, iptv-uhd, st2110-1080p60, \
                 dds-telemetry, stress";
    check(
        "run --preset fish",
        2,
        &format!("error: invalid value 'fish' for '--preset <NAME>': {names}"),
    );
    check("presets fish", 2, &format!("error: invalid value 'fish' for '[NAME]': {names}"));
    check_in(
        &Bench::new(),
        &["run", "--flow", "-g 239.1.1.1 --fish"],
        2,
        "error: invalid value '-g 239.1.1.1 --fish' for '--flow <FLAGS>': unexpected argument '--fish' found",
    );
    check_in(
        &Bench::new(),
        &["run", "--flow=-r5", "--replay", "a.pcap"],
        2,
        "error: --replay with --flow\n\
         hint: a capture says the load of all senders: start another `send` for it",
    );
    check_in(
        &Bench::new(),
        &["run", "--flow=-r5", "--pace", "fq"],
        2,
        "error: a queueing discipline paces one flow, and --flow makes several\n\
         hint: leave out --pace, or start a `send` for each flow",
    );
}

#[test]
fn presets_are_listed_and_shown() {
    let list = Bench::new().run(&["presets"]);
    assert_eq!((list.code, list.stderr.as_str()), (Some(0), ""));
    assert!(list.stdout.lines().all(|line| line.len() <= 80), "{}", list.stdout);
    for name in list.stdout.lines().map(|line| line.split(' ').next().unwrap()) {
        let shown = Bench::new().run(&["presets", name]);
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
        let about = shown.stdout.lines().next().unwrap().trim_start_matches("# ");
        assert!(list.stdout.contains(about), "{about}");
        // What it prints is a scenario.
        let bench = written(&shown.stdout);
        assert_eq!(bench.run(&["recv", "--scenario", "trial.toml", "--dry-run"]).code, Some(0));
    }
}

/// In the report, and beside one that is for programs, unless nobody is to be told.
#[test]
fn the_end_is_in_plain_words() {
    let args = ["run", "--preset", "iptv-sd", "-e", "memory", "-c", "50", "--loss-threshold", "0"];
    let with = |more: &[&str]| Bench::new().run(&[&args[..], more].concat());
    let json = with(&["-J"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    let words = report["answer"]["words"].as_str().unwrap();
    assert!(words.starts_with("Every datagram came, at "), "{words}");
    assert!(words.contains("television in standard definition"), "{words}");
    assert!(json.stderr.ends_with(&format!("iptv-sd: {words}\n")), "{}", json.stderr);
    assert_eq!(with(&["-J", "-q"]).stderr, "");
    let human = with(&[]);
    assert!(human.stdout.contains("\nIn words       Every datagram came, at "), "{}", human.stdout);
    assert!(!human.stderr.contains("iptv-sd:"), "{}", human.stderr);
}
