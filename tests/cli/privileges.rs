//! What works without any.

use super::{Bench, Ran, port};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// Runs commands as a user without any privileges; nothing where that is not to be had.
struct Nobody {
    bench: Bench,
    program: PathBuf,
}

const NOBODY: [&str; 5] = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];

impl Nobody {
    fn new() -> Option<Self> {
        let allowed = Command::new("setpriv").args(NOBODY).arg("true").status();
        if !allowed.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: only root can become nobody");
            return None;
        }
        let bench = Bench::new();
        // Where the program was built others may not look.
        let program = bench.root.join("mcast-bench");
        fs::copy(env!("CARGO_BIN_EXE_mcast-bench"), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { bench, program })
    }

    /// Runs the program with words before it, such as a limit.
    fn run(&self, before: &[&str], args: &[&str]) -> Ran {
        let mut command = Command::new("setpriv");
        command.args(NOBODY).args(before).arg(&self.program).args(args);
        self.bench.spawn(command).wait()
    }
}

#[test]
fn ports_of_root_are_refused() {
    let Some(nobody) = Nobody::new() else { return };
    let ran = nobody.run(&[], &["run", "--metrics", "80", "--ready-file", "ready"]);
    let said = "error: cannot serve metrics at 127.0.0.1:80: Permission denied (os error 13)\n\
                hint: ports below 1024 are for root; 9464 is usual\n";
    assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.as_str()), (Some(1), said, ""));
    assert_eq!(nobody.bench.files(), [""; 0]);
}

#[test]
fn nobody_can_run_it_and_is_told_what_was_not_granted() {
    let Some(nobody) = Nobody::new() else { return };
    let port = port();
    let as_nobody = |args: &[&str]| nobody.run(&[], args);
    let run = ["run", "-q", "-c", "100", "-r", "1k", "-w", "512MiB", "-p", &port];

    let ran = as_nobody(&run);
    let lines = ran.stdout.lines().filter(|line| line.contains("512 MiB asked for"));
    assert_eq!(lines.count(), 1, "{}", ran.stdout);
    assert_eq!(ran.stderr, "");

    let report = as_nobody(&[&run[..], &["-J"]].concat()).fine();
    assert_eq!(report["totals"]["unique"], 100);
    assert_eq!(report["receiver"]["receive_buffer"]["forced"], false);
    assert_eq!(report["warnings"][0]["warning"], "receive_buffer_small");

    let ran = as_nobody(&[&run[..], &["--report", "json:x.json"]].concat());
    assert_eq!(
        ran.stderr,
        "error: cannot write report to x.json: Permission denied (os error 13)\n\
         hint: choose a file in a directory that you may write to\n"
    );
    assert_eq!((ran.code, nobody.bench.files()), (Some(1), vec![]));
}

#[test]
fn nobody_is_fit_over_loopback_and_told_what_is_missing() {
    let Some(nobody) = Nobody::new() else { return };
    let ran = nobody.run(&[], &["doctor", "-J", "-p", &port()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json();
    let notes = report["findings"].as_array().unwrap().iter();
    let notes: Vec<_> = notes.filter(|found| found["verdict"] == "note").collect();
    let of = |check: &str, what: &str| {
        notes
            .iter()
            .any(|note| note["check"] == check && note["what"].as_str().unwrap().starts_with(what))
    };
    assert!(of("capabilities", "this process is without CAP_NET_ADMIN"), "{report:#}");
    assert!(of("engines", "af_packet: ") && of("engines", "af_xdp: "), "{report:#}");
}

#[test]
fn rings_that_are_too_large_for_the_memory_limit() {
    let Some(nobody) = Nobody::new() else { return };
    let port = port();
    let limit = ["prlimit", "--memlock=65536:65536"];
    let run = ["run", "-q", "-J", "-e", "io_uring", "-c", "100", "-r", "1k", "-p", &port];

    let report = nobody.run(&limit, &run).fine();
    assert_eq!(report["totals"]["unique"], 100);

    let ran = nobody.run(&limit, &[&run[..], &["--batch", "1024"]].concat());
    assert_eq!(
        ran.stderr,
        "error: cannot open an io_uring for polls of 1024 datagrams: Cannot allocate memory (os error 12)\n\
         hint: raise the limit of locked memory (ulimit -l), or take a smaller --batch\n"
    );
    assert_eq!(ran.code, Some(1));
}
