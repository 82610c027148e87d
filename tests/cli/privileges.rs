//! What works without any.

use super::{Bench, port};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn nobody_can_run_it_and_is_told_what_was_not_granted() {
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let allowed = Command::new("setpriv").args(nobody).arg("true").status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: only root can become nobody");
        return;
    }
    let bench = Bench::new();
    // Where the program was built others may not look.
    let program = bench.root.join("mcast-bench");
    fs::copy(env!("CARGO_BIN_EXE_mcast-bench"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let port = port();
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(nobody).arg(&program).args(args);
        bench.spawn(command).wait()
    };
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
    assert_eq!((ran.code, bench.files()), (Some(1), vec![]));
}
