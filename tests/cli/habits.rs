//! What people are used to: colours when they want them, and terminals of any width.

use super::live::OnTerminal;
use super::{Bench, port};

#[test]
fn colours_as_asked() {
    let bench = Bench::new();
    let of = |args: &[&str]| bench.run(args).stdout.contains('\x1b');
    let port = port();
    assert!(of(&["doctor", "-p", &port, "--color", "always"]));
    assert!(of(&["--color=always", "doctor", "-p", &port]));
    assert!(of(&["--color", "always", "run", "--help"]));
    assert!(!of(&["doctor", "-p", &port, "--color", "never"]));
    let refused = bench.run(&["run", "--color", "pink"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("it is auto, always or never"), "{refused:?}");
}

#[test]
fn what_is_read_fits_into_sixty_columns() {
    for args in [
        format!("run -p {} -t 1s -r 1k -g 239.1.1.1+1 --quiet", port()),
        format!("doctor -p {}", port()),
        "interfaces".into(),
        "run --help".into(),
    ] {
        let Some(terminal) = OnTerminal::start((60, 30), &args) else { return };
        let (_, seen) = terminal.plain_end();
        assert!(seen.lines().count() > 3, "{args}: {seen}");
        // Commands stay on one line, to be copied.
        let lines = seen.lines().filter(|line| !line.trim_start().starts_with("fix: "));
        for line in lines {
            assert!(line.trim_end().chars().count() <= 60, "{args}: {line}");
        }
    }
}

#[test]
fn why_nothing_is_heard_fits_into_sixty_columns() {
    // Other tests send to the default group.
    let args = format!("recv -g 239.255.60.60 -p {} -t 6s -i 0", port());
    let Some(terminal) = OnTerminal::start((60, 30), &args) else { return };
    let (code, seen) = terminal.plain_end();
    assert_eq!(code, Some(4), "{seen}");
    let (_, findings) = seen.split_once("looking for the cause").expect("it wondered");
    assert!(findings.contains("  note    on_wire         nothing for"), "{findings}");
    for line in findings.lines().filter(|line| !line.trim_start().starts_with("fix: ")) {
        assert!(line.trim_end().chars().count() <= 60, "{line}");
    }
}

#[test]
fn a_terminal_of_one_column_gets_its_report() {
    let args = format!("run -p {} -r 1k -t 300ms --live=100ms -i 100ms", port());
    let Some(terminal) = OnTerminal::start((1, 1), &args) else { return };
    let (_, after) = terminal.end();
    assert!(after.contains("VALID: ") && after.contains("Receiver "), "{after}");
}

#[test]
fn verbose_says_all_that_the_trial_will_be() {
    let bench = Bench::new();
    let args = ["run", "-p", &port(), "-r", "1k", "-t", "200ms", "-i", "0"];
    let ran = bench.run(&[&args[..], &["--verbose", "-J"]].concat());
    let (plan, report) = (&ran.stderr, &ran.stdout);
    assert!(plan.contains("# mcast-bench run\n"), "{plan}");
    assert!(plan.contains("rate = \"1k\"") || plan.contains("rate = 1000"), "{plan}");
    assert!(plan.contains("rcvbuf = \"8MiB\""), "what was not asked for too: {plan}");
    assert!(report.starts_with('{'), "{report}");
    assert_eq!(bench.run(&[&args[..], &["--verbose", "--quiet"]].concat()).code, Some(2));
}
