//! Help as users read it, in a terminal 100 columns wide. `INSTA_UPDATE=always cargo test` renews the files.

use super::Bench;

fn check(name: &str, args: &[&str]) {
    let ran = Bench::new().run(args);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for line in ran.stdout.lines() {
        assert!(line.chars().count() <= 100, "too wide: {line}");
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, ran.stdout));
}

#[test]
fn of_the_program() {
    check("help_short", &["-h"]);
    check("help_long", &["--help"]);
}

#[test]
fn of_run() {
    check("help_run_short", &["run", "-h"]);
    check("help_run_long", &["run", "--help"]);
}

#[test]
fn of_send() {
    check("help_send_short", &["send", "-h"]);
    check("help_send_long", &["send", "--help"]);
}

#[test]
fn of_recv() {
    check("help_recv_short", &["recv", "-h"]);
    check("help_recv_long", &["recv", "--help"]);
}

#[test]
fn of_ping() {
    check("help_ping_short", &["ping", "-h"]);
    check("help_ping_long", &["ping", "--help"]);
}

#[test]
fn of_echo() {
    check("help_echo_short", &["echo", "-h"]);
    check("help_echo_long", &["echo", "--help"]);
}

#[test]
fn of_join() {
    check("help_join_short", &["join", "-h"]);
    check("help_join_long", &["join", "--help"]);
}

#[test]
fn of_doctor() {
    check("help_doctor_short", &["doctor", "-h"]);
    check("help_doctor_long", &["doctor", "--help"]);
}

#[test]
fn of_dump() {
    check("help_dump_short", &["dump", "-h"]);
    check("help_dump_long", &["dump", "--help"]);
}

#[test]
fn of_what_installing_wants() {
    check("help_completions", &["completions", "--help"]);
    check("help_man", &["man", "--help"]);
}

#[test]
fn of_interfaces() {
    check("help_interfaces", &["interfaces", "--help"]);
}

#[test]
fn a_flag_takes_one_line_of_the_short_help() {
    for verb in ["run", "send", "recv", "ping", "echo", "join", "doctor", "dump"] {
        let help = Bench::new().run(&[verb, "-h"]).stdout;
        let flags = help.split("\nExamples:").next().unwrap().split("\nGroups:").nth(1).unwrap();
        for line in flags.lines() {
            let is_flag = line.trim_start().starts_with('-');
            assert!(is_flag || line.is_empty() || line.ends_with(':'), "wrapped: {line}");
        }
    }
}

#[test]
fn no_verb_at_all_shows_the_help_and_is_wrong_usage() {
    let bench = Bench::new();
    let ran = bench.run(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert_eq!(ran.stderr, bench.run(&["-h"]).stdout);
}

#[test]
fn version() {
    let ran = Bench::new().run(&["--version"]);
    let version = format!("mcast-bench {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ran.code, ran.stdout, ran.stderr), (Some(0), version, String::new()));
}

#[test]
fn of_presets() {
    check("help_presets", &["presets", "--help"]);
}
