//! `doctor` over loopback: codes, streams, formats.

use super::{Bench, port};
use std::process::Command;

#[test]
fn loopback_is_fit_and_says_so_without_colours() {
    let ran = Bench::new().run(&["doctor", "-p", &port()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("FIT: lo with 239.255.77.77:"), "{ran:?}");
    assert!(!ran.stdout.contains('\x1b'), "{ran:?}");
    assert_eq!(ran.stderr, "no --iface: using lo, so all traffic stays on this host\n");
}

#[test]
fn json_says_the_same() {
    let report = Bench::new().run(&["doctor", "-J", "-p", &port()]).json();
    assert_eq!(report["schema"], "mcast-bench-doctor/1");
    assert_eq!((&report["fit"], &report["interface"]), (&true.into(), &"lo".into()));
    let findings = report["findings"].as_array().unwrap();
    let of = |check: &str| findings.iter().filter(|found| found["check"] == check).count();
    assert_eq!(of("engines"), mcast_bench::engine::ENGINES.len());
    assert_eq!((of("link"), of("self_test"), of("listen")), (1, 1, 0));
}

#[test]
fn too_small_a_buffer_ends_with_3() {
    let bench = Bench::new();
    let ran = bench.run(&["doctor", "-r", "1M", "-w", "4096", "-p", &port()]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.starts_with("NOT FIT: "), "{ran:?}");
    assert!(ran.stdout.contains("fix:    sysctl -w net.core.rmem_max="), "{ran:?}");
    let problems = ran.stdout.lines().filter(|line| line.trim_start().starts_with("PROBLEM"));
    assert_eq!(problems.count(), 1, "{ran:?}");
}

#[test]
fn what_cannot_be_meant_or_looked_at() {
    let bench = Bench::new();
    let refused = |args: &[&str]| {
        let ran = bench.run(&[&["doctor"], args].concat());
        assert_eq!(ran.stdout, "", "{ran:?}");
        (ran.code, ran.stderr)
    };
    let (code, said) = refused(&["-e", "nosuch"]);
    assert_eq!(code, Some(2));
    assert!(
        said.starts_with("error: there is no engine `nosuch`\nhint: these are: mmsg"),
        "{said}"
    );
    let (code, said) = refused(&["-r", "max"]);
    assert_eq!(code, Some(2));
    assert!(said.starts_with("error: no buffer is large enough for --rate max\nhint: "), "{said}");
    let (code, said) = refused(&["-s", "70000"]);
    assert_eq!(code, Some(2));
    assert!(said.starts_with("error: a datagram cannot carry 70000 bytes\nhint: "), "{said}");
    let (code, said) = refused(&["--listen=0"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("--listen is from 1ms to 24h"), "{said}");
    let (code, said) = refused(&["-I", "nosuch0"]);
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("error: no interface has the name, index or address `nosuch0`\n"),
        "{said}"
    );
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let script = format!(
        "{} doctor -p {} 2>/dev/null | true; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_mcast-bench"),
        port()
    );
    let status = Command::new("bash").args(["-c", &script]).status().unwrap();
    assert_eq!(status.code(), Some(0));
}
