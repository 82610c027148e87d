//! What a test needs from the machine: the right to make namespaces, and sometimes silence.

use std::any::type_name;
use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::host::Namespace;
use super::sys;

/// Runs the body of a test that makes a [`Lab`](super::Lab).
///
/// Who may make network namespaces (root) runs it at once. For others the test is run again in a
/// user namespace, where they may, and its result taken over. Where that is forbidden too, the test
/// is skipped with a loud line on stderr; in continuous integration (`CI=true`) it fails instead.
///
/// The body must be a closure written in the test function itself: the test's name is taken from
/// its type. Everything the test does belongs inside, [`quiet`] too.
pub(crate) fn with_privileges<F: FnOnce()>(body: F) {
    let test = test_of::<F>();
    let obstacle = match (missing_program(), Namespace::new()) {
        (None, Ok(_)) => return body(),
        (Some(missing), _) => missing,
        (None, Err(error)) if env::var_os(INNER).is_some() => {
            format!("no network namespace even in a user namespace: {error}")
        }
        (None, Err(_)) => match run_in_user_namespace(test) {
            Ok(()) => return,
            Err(obstacle) => obstacle,
        },
    };
    assert!(env::var("CI").as_deref() != Ok("true"), "{test} cannot be skipped in CI: {obstacle}");
    // Not eprintln!, which the test harness hides while tests pass.
    let _ = writeln!(io::stderr(), "SKIPPED: {test}: {}", obstacle.trim());
}

/// What the lab calls and this machine has not, if anything.
fn missing_program() -> Option<String> {
    let ip = Command::new("ip").arg("-Version").stdout(Stdio::null()).status();
    ip.err().map(|error| format!("cannot run `ip` (iproute2): {error}"))
}

/// Runs this test again with all rights over namespaces of its own. Panics if it fails there.
fn run_in_user_namespace(test: &str) -> Result<(), String> {
    let unshare = |program: &std::ffi::OsStr| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--mount"]).arg(program);
        command
    };
    let probe = unshare("true".as_ref()).output();
    let probe = probe.map_err(|error| format!("cannot run `unshare` (util-linux): {error}"))?;
    if !probe.status.success() {
        let why = String::from_utf8_lossy(&probe.stderr);
        return Err(format!("not root, and no user namespace: {why}"));
    }
    let this = env::current_exe().map_err(|error| format!("where is this test binary? {error}"))?;
    let again = unshare(this.as_os_str())
        .args(["--exact", test, "--nocapture"])
        .env(INNER, "1")
        .output()
        .map_err(|error| format!("cannot run `unshare` (util-linux): {error}"))?;
    let told = String::from_utf8_lossy(&again.stdout);
    let complained = String::from_utf8_lossy(&again.stderr);
    // A name that matches no test is a success for the harness, but not for us.
    let passed = again.status.success() && told.contains("test result: ok. 1 passed");
    assert!(passed, "{test} failed in a user namespace:\n{told}\n{complained}");
    let _ = write!(io::stderr(), "{complained}");
    Ok(())
}

/// The test function in which the closure `F` is written, by the name that the harness knows.
fn test_of<F>() -> &'static str {
    let name = type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").map_or(name, |(_binary, path)| path)
}

/// Keeps the machine from other tests that ask for quiet, as long as it lives.
#[must_use]
pub(crate) struct Quiet {
    _file: File,
    _threads: MutexGuard<'static, ()>,
}

/// Waits until no other test has asked for quiet, neither in this process nor, since nextest gives
/// each test a process, in another.
pub(crate) fn quiet() -> Quiet {
    static THREADS: Mutex<()> = Mutex::new(());
    // A test that failed in silence has left nothing that this one could trip over.
    let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let path = env::temp_dir().join("mcast-bench-quiet.lock");
    // Another user's file can be opened, but in a shared directory not with O_CREAT.
    let file = File::open(&path).or_else(|_| File::create(&path));
    let file = file.unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()));
    sys::lock(&file).unwrap_or_else(|error| panic!("cannot lock {}: {error}", path.display()));
    Quiet { _file: file, _threads: threads }
}

/// Set for a test that already runs in a user namespace.
const INNER: &str = "MCAST_BENCH_IN_USER_NAMESPACE";
