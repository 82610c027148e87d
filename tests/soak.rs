//! Trials that last: memory that stays flat, reports in many files, a receiver that goes on where it was, and news while
//! it runs.
#![allow(clippy::unwrap_used)] // Clippy takes only functions with #[test] for tests.

use crate::lab::Action::Drop;
use crate::lab::{self, Child, DEVICE, Lab, Plan, every, json, with_privileges};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const PATIENCE: Duration = Duration::from_secs(60);
const FLOW: &str = "-I eth0 -g 233.252.0.7:5777";

/// A lab, and a directory beside it.
struct Bed {
    lab: Lab,
    directory: PathBuf,
}

impl Bed {
    fn new(lab: Lab) -> Self {
        assert_eq!(DEVICE, "eth0");
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcast-bench-soak-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Self { lab, directory }
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// A receiver without end that is ready.
    fn receiver(&self, more: &str) -> Child {
        let ready = self.directory.join("ready");
        // That of a receiver before this one.
        let _ = fs::remove_file(&ready);
        let mut recv = self.lab.receiver().command(lab::tool());
        let words = format!("recv -q -J -t 0 -i 50ms --loss-threshold 100ms {FLOW} {more}");
        recv.args(words.split_whitespace()).arg("--ready-file").arg(&ready);
        let mut child = Child::spawn(&mut recv);
        child.wait_for_file(&ready, PATIENCE);
        child
    }

    fn sender(&self, words: &str) -> Command {
        let mut send = self.lab.sender().command(lab::tool());
        send.args(format!("send -q -J {FLOW} {words}").split_whitespace());
        send
    }

    /// Waits until the intervals that were told to `told` have so many.
    fn wait_for_unique(&self, wanted: u64) {
        let path = self.directory.join("told.partial");
        let began = Instant::now();
        let of = |line: &Value| line["receiver"]["unique"].as_u64().unwrap_or(0);
        while {
            let text = fs::read_to_string(&path).unwrap_or_default();
            // The last line may not be whole yet.
            let whole = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            whole.map(|line| of(&line)).sum::<u64>() < wanted
        } {
            assert!(began.elapsed() < PATIENCE, "waited in vain for {wanted} datagrams");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The files that begin like this, the oldest first.
    fn files(&self, begin: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path());
        let is_one =
            |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(begin);
        let mut files: Vec<_> = entries.filter(is_one).collect();
        files.sort();
        files
    }
}

impl std::ops::Drop for Bed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Ends it and reads its report.
fn report(mut child: Child) -> Value {
    child.interrupt();
    json(&child.finish(PATIENCE))
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn resident_kib(pid: u32) -> i64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_files_of_a_long_report_add_up_to_it() {
    with_privileges(|| {
        let bed = Bed::new(Lab::two_hosts(Plan::seeded(3).on(every(10), Drop)));
        let path = bed.path("soak");
        let receiver =
            bed.receiver(&format!("--report jsonl:{path} --rotate 20kB --rotate-keep 1000"));
        Child::spawn(&mut bed.sender("-r 1k -c 2000")).finish(PATIENCE);
        let report = report(receiver);
        let files = bed.files("soak.");
        assert!(files.len() > 3, "{files:?}");
        let is_whole = |file: &PathBuf| file.extension().unwrap() != "partial";
        assert!(files.iter().all(is_whole), "{files:?}");
        let mut unique = 0;
        for file in &files {
            let lines = lines(file);
            assert_eq!(lines[0]["type"], "start", "{}", file.display());
            let intervals = lines.iter().filter(|line| line["type"] == "interval");
            unique +=
                intervals.map(|line| line["receiver"]["unique"].as_u64().unwrap()).sum::<u64>();
        }
        assert_eq!(report["totals"]["unique"], unique);
        assert_eq!(lines(files.last().unwrap()).last().unwrap()["type"], "report");
    });
}

/// When an interval was is told by its begin since the start of the trial, which is a time of the wall clock.
#[test]
fn a_receiver_that_waits_for_its_sender_knows_what_time_it_is() {
    with_privileges(|| {
        let bed = Bed::new(Lab::direct());
        let paths = ["jsonl", "hlog"].map(|format| bed.path(format));
        let receiver =
            bed.receiver(&format!("--report jsonl:{} --report hlog:{}", paths[0], paths[1]));
        thread::sleep(Duration::from_secs(2));
        let before = SystemTime::now();
        Child::spawn(&mut bed.sender("-r 1k -c 200")).finish(PATIENCE);
        let after = SystemTime::now();
        report(receiver);
        let interval = Duration::from_millis(50);
        let is_right = |at: SystemTime| at + interval >= before && at <= after;

        let lines = lines(Path::new(&paths[0]));
        let started_at =
            humantime::parse_rfc3339(lines[0]["started_at"].as_str().unwrap()).unwrap();
        let heard = lines.iter().filter(|line| line["receiver"]["unique"].as_u64() > Some(0));
        let starts = heard.map(|line| Duration::from_nanos(line["start_ns"].as_u64().unwrap()));
        let times: Vec<_> = starts.map(|start| started_at + start).collect();
        assert!(times.len() > 2 && times.iter().all(|at| is_right(*at)), "{before:?}: {times:?}");

        let log = fs::read_to_string(&paths[1]).unwrap();
        let number = |text: &str| Duration::from_secs_f64(text.parse().unwrap());
        let base = log.lines().find_map(|line| line.strip_prefix("#[BaseTime: ")).unwrap();
        let base = SystemTime::UNIX_EPOCH + number(base.split(' ').next().unwrap());
        // A worker that stood still before the first datagram is told, with no delays.
        let delays = log.lines().filter_map(|line| line.strip_prefix("Tag=delay,"));
        let delays = delays.map(|line| line.split(',').collect::<Vec<_>>());
        let first = delays.into_iter().find(|line| line[2] != "0.000").unwrap();
        let first = base + number(first[0]);
        assert!(is_right(first), "{before:?}: {first:?}");
    });
}

/// In the middle of a stream, `end` ends a receiver that keeps a state, and another one goes on. Returns what the first
/// left behind, as `end` says it, the report of the second, and how many datagrams the sender has sent.
fn goes_on(end: impl FnOnce(&Bed, Child) -> Value) -> (Value, Value, u64) {
    let mut bed = Bed::new(Lab::two_hosts(Plan::seeded(3).on(every(10), Drop)));
    let flags = format!("--state {}", bed.path("state"));
    let first = bed.receiver(&format!("{flags} --report jsonl:{}", bed.path("told")));
    let sender = Child::spawn(&mut bed.sender("-r 500 -t 4s"));
    bed.wait_for_unique(500);
    let first = end(&bed, first);
    let second = bed.receiver(&flags);
    sender.finish(PATIENCE);
    bed.lab.relay().settle();
    let second = report(second);
    (first, second, bed.lab.relay().counts().data_in)
}

fn number(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap_or_else(|| panic!("{name}: {of}"))
}

#[test]
fn a_receiver_goes_on_and_what_came_meanwhile_is_away() {
    with_privileges(|| {
        let (first, second, sent) = goes_on(|_, first| report(first));
        let all = &second["continued"];
        assert_eq!(number(all, "trials"), 2);
        for name in ["received", "unique", "lost", "duplicates"] {
            let sum = number(&first["totals"], name) + number(&second["totals"], name);
            assert_eq!(number(all, name), sum, "{name}");
        }
        assert!(number(&first["totals"], "unique") > 0 && number(&second["totals"], "lost") > 0);
        // What the sender sent is received, lost, or away: nothing is told twice, and nothing is missing.
        let (away, away_ns) = (number(all, "away"), number(all, "away_ns"));
        assert!(away > 0 && away_ns > 0 && all["away_unknown"] == 0, "{all}");
        assert_eq!(number(all, "unique") + number(all, "lost") + away, sent);
    });
}

/// What came after the last time that it was written down is away, like what was sent when it was gone.
#[test]
fn a_receiver_that_is_killed_goes_on_and_knows_what_it_missed() {
    with_privileges(|| {
        let (saved, second, sent) = goes_on(|bed, mut first| {
            let state = bed.directory.join("state");
            first.wait_for_file(&state, PATIENCE);
            first.signal(libc::SIGKILL);
            first.finish(PATIENCE);
            serde_json::from_str(&fs::read_to_string(state).unwrap()).unwrap()
        });
        let (all, first) = (&second["continued"], &saved["continued"]);
        for name in ["received", "unique", "lost"] {
            let sum = number(first, name) + number(&second["totals"], name);
            assert_eq!(number(all, name), sum, "{name}");
        }
        assert!(number(first, "unique") > 0 && number(first, "unique") < 500, "{first}");
        assert!(number(all, "away") > 0 && all["away_unknown"] == 0, "{all}");
        let sum = number(all, "unique") + number(all, "lost") + number(all, "away");
        assert_eq!(sum, sent, "{all}");
        let by = &all["lost_by"];
        let parts = ["receiver_socket", "receiver_host", "elsewhere"];
        assert_eq!(parts.map(|part| number(by, part)).iter().sum::<u64>(), number(all, "lost"));
        assert_eq!(number(by, "elsewhere"), number(all, "lost"), "the relay dropped them");
    });
}

#[test]
fn two_receivers_do_not_count_into_one_file_unless_the_first_is_gone() {
    with_privileges(|| {
        let bed = Bed::new(Lab::direct());
        let flags = format!("--state {}", bed.path("state"));
        let mut first = bed.receiver(&flags);
        let mut recv = bed.lab.receiver().command(lab::tool());
        recv.args(format!("recv -q -t 0 {FLOW} {flags}").split_whitespace());
        let output = Child::spawn(&mut recv).finish(PATIENCE);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = format!(
            "error: another receiver counts into {}\n\
             hint: end that one, or give this one a state of its own\n",
            bed.path("state")
        );
        assert_eq!(said, expected);
        first.signal(libc::SIGKILL);
        first.finish(PATIENCE);
        assert_eq!(report(bed.receiver(&flags))["continued"]["trials"], 1);
    });
}

#[test]
fn a_full_disk_ends_the_report_in_files_and_nothing_else() {
    with_privileges(|| {
        let bed = Bed::new(Lab::direct());
        for name in ["disk", "copy"] {
            fs::create_dir(bed.directory.join(name)).unwrap();
        }
        let ready = bed.directory.join("ready");
        let mut recv = bed.lab.receiver().command("unshare");
        recv.current_dir(&bed.directory).args(["--mount", "sh", "-c"]);
        recv.arg(
            "mount -t tmpfs -o size=64k soak disk && \"$@\"; code=$?; cp disk/* copy; exit $code",
        );
        recv.arg("sh").arg(lab::tool()).arg("recv");
        let flags = format!("-q -J -t 4s -i 10ms {FLOW} --ready-file ready");
        recv.args(flags.split(' ')).args(["--report", "jsonl:disk/x", "--rotate", "20kB"]);
        let mut receiver = Child::spawn(&mut recv);
        receiver.wait_for_file(&ready, PATIENCE);
        Child::spawn(&mut bed.sender("-r 1k -c 1000")).finish(PATIENCE);
        let output = receiver.finish(PATIENCE);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("No space left on device"), "{said}");
        assert!(said.contains("what was written is kept in disk/x.*"), "{said}");
        assert_eq!(output.status.code(), Some(1), "{said}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["totals"]["unique"], 1000);
        let events = report["events"].as_array().unwrap();
        assert!(events.iter().any(|event| event["event"] == "output_failed"), "{events:?}");
        let kept = fs::read_dir(bed.directory.join("copy")).unwrap();
        let full = kept
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().unwrap() != "partial");
        let full: Vec<_> = full.collect();
        assert!(full.len() >= 2, "{full:?}");
        assert!(full.iter().all(|path| lines(path)[0]["type"] == "start"));
    });
}

#[test]
fn another_state_is_put_aside_with_an_event() {
    with_privileges(|| {
        let bed = Bed::new(Lab::direct());
        let flags = format!("--state {}", bed.path("state"));
        report(bed.receiver(&flags));
        let report = report(bed.receiver(&format!("{flags} -g 233.252.0.8")));
        let event = &report["events"][0];
        assert_eq!(
            (&event["event"], &event["reason"]),
            (&"degraded".into(), &"it counts with other groups".into())
        );
        assert_eq!(report["continued"]["trials"], 1);
        assert_eq!(bed.files("state").len(), 2);
    });
}

#[test]
fn a_signal_asks_how_it_goes_and_changes_nothing() {
    with_privileges(|| {
        let bed = Bed::new(Lab::direct());
        let mut receiver = bed.receiver(&format!("--report jsonl:{}", bed.path("told")));
        Child::spawn(&mut bed.sender("-r 1k -c 500")).finish(PATIENCE);
        bed.wait_for_unique(500);
        for _ in 0..3 {
            receiver.signal(libc::SIGUSR1);
        }
        receiver.interrupt();
        let output = receiver.finish(PATIENCE);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("\nSo far ") && said.contains("not judged before the end"), "{said}");
        let squeezed = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains("unique 500"), "{said}");
        assert_eq!(json(&output)["totals"]["unique"], 500);
    });
}

#[test]
fn a_signal_asks_several_receivers_how_it_goes_and_ends_none() {
    with_privileges(|| {
        let bed = Bed::new(Lab::direct());
        let mut receivers = bed.receiver("--receivers 2");
        receivers.signal(libc::SIGUSR1);
        Child::spawn(&mut bed.sender("-r 1k -c 500")).finish(PATIENCE);
        receivers.interrupt();
        let output = receivers.finish(PATIENCE);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.matches("\nSo far ").count(), 1, "{said}");
        let report = json(&output);
        let receivers = report["receivers"].as_array().unwrap();
        assert!(receivers.iter().all(|one| one["unique"] == 500), "{report}");
    });
}

/// Each start of a sender is fifty streams of its own, with windows of 16 KiB: 16 MiB in all, if they stayed. What stays
/// is a row each, and pages of histograms that are touched late.
#[test]
fn senders_that_start_again_and_again_take_no_memory() {
    with_privileges(|| {
        let bed = Bed::new(Lab::direct());
        let groups = "-g 233.252.0.8+48";
        let receiver = bed.receiver(&format!("--idle-timeout 50ms {groups}"));
        let start = |times: u32| {
            for _ in 0..times {
                Child::spawn(&mut bed.sender(&format!("-r 10k -c 100 {groups}"))).finish(PATIENCE);
            }
            resident_kib(receiver.pid())
        };
        let early = start(4);
        let late = start(20);
        assert!(late - early < 10 << 10, "from {early} KiB to {late} KiB");
        let report = report(receiver);
        assert_eq!(report["streams"].as_array().unwrap().len(), 24 * 50);
        assert_eq!(report["totals"]["unique"], 2400);
    });
}
