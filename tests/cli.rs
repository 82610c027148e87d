//! The program from outside: what it is told, what it prints where, how it exits.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // Clippy takes only functions with #[test] for tests.

use serde_json::Value;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

mod codes;
mod doctor;
mod dump;
mod groups;
mod habits;
mod help;
mod joins;
mod live;
mod metrics;
mod privileges;
mod refusals;
mod reports;
mod roundtrips;
mod scenarios;
mod schedules;
mod terminal;
mod trials;

/// Far more than anything here takes; what lasts longer hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Numbers what tests must not share.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that no other test uses, below those that the kernel gives to senders.
fn port() -> String {
    let base = 10_000 + (std::process::id() % 200) as u16 * 100;
    (base + NEXT.fetch_add(1, Ordering::Relaxed) % 100).to_string()
}

/// A directory of a test's own, removed after it. The program runs in `cwd`, and what it prints is beside that.
struct Bench {
    root: PathBuf,
    cwd: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcast-bench-cli-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let cwd = root.join("cwd");
        fs::create_dir_all(&cwd).unwrap();
        Self { root, cwd }
    }

    /// Runs the program to its end.
    fn run(&self, args: &[&str]) -> Ran {
        self.start(args).wait()
    }

    /// Starts the program.
    fn start(&self, args: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcast-bench"));
        command.args(args);
        self.spawn(command)
    }

    fn spawn(&self, mut command: Command) -> Running {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let [stdout, stderr] =
            ["stdout", "stderr"].map(|name| self.root.join(format!("{name}-{number}")));
        let child = command
            .current_dir(&self.cwd)
            .env_remove("MCAST_BENCH_IFACE")
            .env("COLUMNS", "100")
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Running { child, stdout, stderr }
    }

    /// A file that the program wrote.
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.cwd.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// What the program left behind.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.cwd).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Waits until the program has written its ready file.
    fn wait_for(&self, name: &str) {
        let path = self.cwd.join(name);
        until(&format!("{name} is there"), || fs::read(&path).is_ok_and(|text| text == b"ready\n"));
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The program while it runs.
struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until what it has said on standard error so far is as wanted.
    fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        until(what, || is_so(&fs::read_to_string(&self.stderr).unwrap()));
    }

    /// Whether its report on standard output is whole.
    fn has_reported(&self) -> bool {
        fs::read_to_string(&self.stdout).unwrap().ends_with("}\n")
    }

    /// Waits until an interval line shows datagrams.
    fn wait_until_busy(&self) {
        let third_word = |line: &str| line.split_whitespace().nth(2)?.replace(',', "").parse().ok();
        self.wait_until("datagrams come", |stderr| {
            stderr.lines().filter_map(third_word).any(|datagrams: u64| datagrams > 0)
        });
    }

    fn wait(mut self) -> Ran {
        let mut status = None;
        until("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        Ran {
            code: status.unwrap().code(),
            stdout: fs::read_to_string(&self.stdout).unwrap(),
            stderr: fs::read_to_string(&self.stderr).unwrap(),
        }
    }
}

impl Drop for Running {
    /// A test that failed leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program after it ended; `code` is `None` if a signal killed it.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// The JSON report on standard output, of a trial that went well.
    fn fine(&self) -> Value {
        let report = self.json();
        assert_went_well(self, &report);
        report
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Exit code 0. On a host with other work a worker may be held up or the clock be set, which is no fault of the
/// program: then it must have said just that. For the same reason tests ask for a count of datagrams rather than
/// for a time, after which a sender that was held up would have missed its load.
fn assert_went_well(ran: &Ran, report: &Value) {
    let reasons = report["invalid_reasons"].as_array().unwrap();
    let reasons: Vec<_> = reasons.iter().map(|reason| reason["reason"].as_str().unwrap()).collect();
    if reasons.is_empty() {
        assert_eq!(ran.code, Some(0), "{ran:?}");
    } else {
        assert!(
            reasons.iter().all(|reason| ["stalled", "clock_stepped"].contains(reason)),
            "{reasons:?}"
        );
        assert_eq!(ran.code, Some(3), "{ran:?}");
    }
    assert_eq!(report["valid"], reasons.is_empty());
}

/// Every datagram is accounted for, in each stream and in all.
fn assert_adds_up(report: &Value) {
    let streams = report["streams"].as_array().unwrap();
    let of =
        |row: &Value, name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name} of {row}"));
    for row in streams.iter().chain([&report["totals"]]) {
        assert_eq!(of(row, "sent"), of(row, "unique") + of(row, "lost"), "{row}");
        let arrived = ["unique", "duplicates", "too_late", "corrupt"].map(|name| of(row, name));
        assert_eq!(of(row, "received"), arrived.iter().sum::<u64>(), "{row}");
    }
    for name in
        ["sent", "received", "unique", "lost", "duplicates", "reordered", "too_late", "corrupt"]
    {
        let sum: u64 = streams.iter().map(|stream| of(stream, name)).sum();
        assert_eq!(of(&report["totals"], name), sum, "{name}");
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
