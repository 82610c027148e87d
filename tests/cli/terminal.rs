//! Whatever happens under the live view, the terminal is whole afterwards.

use super::live::{GIVEN_BACK, OnTerminal, TAKEN};
use super::*;
use mcast_bench::live::tui::Tui;
use mcast_bench::model::Observer;
use mcast_bench::model::event::{Event, Happening};
use mcast_bench::units::Nanos;
use std::panic::resume_unwind;
use std::path::Path;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mcast-bench");

/// What the shell says when the terminal is set as it was before.
const WHOLE: &str = "as it was";

/// Erases the screen, which is the first thing that is drawn on one of a new size (xterm control sequences).
const ERASED: &str = "\x1b[2J";

/// A command on a terminal, where it and the terminal can be reached from outside.
struct Reached {
    terminal: OnTerminal,
    pid: String,
    tty: String,
}

impl Reached {
    /// `None`, and a line that says so, where there can be no terminal.
    fn start(size: (u16, u16), command: &str) -> Option<Self> {
        let told = "echo reached: $$ $(tty) end";
        let mut terminal = OnTerminal::start_command(
            size,
            &format!(
                "ulimit -c 0; was=$(stty -g); sh -c '{told}; exec {command}'; code=$?; \
                 [ \"$(stty -g)\" = \"$was\" ] && echo {WHOLE} || stty -a; exit $code"
            ),
        )?;
        let told = terminal.take_until(" end\r\n");
        let mut words = told.split_whitespace().skip_while(|word| *word != "reached:").skip(1);
        let mut word = || words.next().unwrap().to_owned();
        Some(Self { pid: word(), tty: word(), terminal })
    }

    /// The program with a trial that does not end soon by itself, once there is something to see of it.
    fn long(size: (u16, u16)) -> Option<Self> {
        let trial = "run -r 1k -t 60s -i 100ms --loss-threshold 60s --live=50ms";
        let mut reached = Self::start(size, &format!("{PROGRAM} {trial} -p {}", port()))?;
        reached.terminal.see(TAKEN);
        reached.terminal.see("sent");
        Some(reached)
    }

    fn signal(&self, name: &str) {
        // It may have ended already.
        let _ = Command::new("kill").args(["-s", name, &self.pid]).output().unwrap();
    }

    fn resize(&self, columns: &str, lines: &str) {
        run("stty", &["-F", &self.tty, "cols", columns, "rows", lines]);
    }

    /// Reads to the end: the code, and what was printed on the terminal that was given back.
    fn end(self) -> (Option<i32>, String) {
        let (code, after) = self.terminal.end();
        assert!(after.contains(WHOLE), "{code:?} {after}");
        assert!(!after.contains(TAKEN), "{after}");
        (code, after)
    }
}

fn run(command: &str, args: &[&str]) {
    let status = Command::new(command).args(args).status().unwrap();
    assert!(status.success(), "{command} {args:?}");
}

#[test]
fn the_second_signal_ends_the_program_and_not_the_terminal() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let Some(mut reached) = Reached::long((80, 24)) else { return };
        reached.signal(name);
        reached.terminal.see("waiting");
        reached.signal(name);
        let (ended, after) = reached.end();
        assert_eq!(ended, Some(code), "{after}");
        assert!(!after.contains("VALID"), "it ends at once: {after}");
    }
}

#[test]
fn keys_do_what_the_signals_do() {
    let Some(mut reached) = Reached::long((80, 24)) else { return };
    reached.terminal.press("q");
    reached.terminal.see("waiting");
    reached.terminal.press("\x03");
    assert_eq!(reached.end().0, Some(130));
}

#[test]
fn what_kills_it_gives_the_terminal_back() {
    for (name, code) in [("HUP", 129), ("QUIT", 131)] {
        let Some(reached) = Reached::long((80, 24)) else { return };
        reached.signal(name);
        assert_eq!(reached.end().0, Some(code), "SIG{name}");
    }
}

#[test]
fn after_the_view_signals_are_what_they_were() {
    let trial = "run -r 1k -c 100 -i 100ms --live=50ms --metrics 0 --metrics-linger 60s";
    let command = format!("{PROGRAM} {trial} -p {}", port());
    let Some(mut reached) = Reached::start((80, 24), &command) else { return };
    for text in [GIVEN_BACK, "Measured", "sysctls"] {
        reached.terminal.see(text);
    }
    reached.signal("HUP");
    assert_eq!(reached.end().0, Some(129));
}

#[test]
fn a_terminal_that_takes_no_more_cannot_hold_the_program() {
    let Some(reached) = Reached::long((200, 60)) else { return };
    let pid = &reached.pid;
    let reader = Standing::still(reached.terminal.reader());
    let writes = libc::SYS_write.to_string();
    until("the view waits for the terminal", || {
        let view = thread_of(pid, "live view");
        read(view.join("syscall")).split(' ').next() == Some(&writes)
    });
    until("whoever insists is heard", || {
        reached.signal("TERM");
        !Path::new("/proc").join(pid).exists()
    });
    drop(reader);
    let (code, seen) = reached.terminal.plain_end();
    assert_eq!(code, Some(143), "{seen}");
}

/// A process that does nothing until this is dropped.
struct Standing(String);

impl Standing {
    fn still(pid: String) -> Self {
        run("kill", &["-s", "STOP", &pid]);
        Self(pid)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        run("kill", &["-s", "CONT", &self.0]);
    }
}

fn thread_of(pid: &str, name: &str) -> PathBuf {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut paths = threads.map(|thread| thread.unwrap().path());
    paths.find(|path| read(path.join("comm")).trim_end() == name).expect("such a thread")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn ctrl_z_lends_the_terminal_to_the_shell() {
    let trial = format!("{PROGRAM} recv -t 60s --live -p {}", port());
    // A shell with job control: the command that follows is carried out once the program has stopped.
    let command = format!("bash --norc -ic \"{trial}; stty -a; echo stopped; fg\"");
    let Some(mut reached) = Reached::start((80, 24), &command) else { return };
    reached.terminal.see("ends");
    reached.terminal.press("\x1a");
    let shell = reached.terminal.take_until("stopped\r\n");
    let (_, lent) = shell.split_once(GIVEN_BACK).expect("the terminal is given back");
    for set in ["isig", "icanon", "echo"] {
        assert!(lent.split_whitespace().any(|word| word == set), "not {set}: {lent}");
    }
    // All of it is drawn anew, not only what changed.
    for text in [TAKEN, "Events", "ends"] {
        reached.terminal.see(text);
    }
    reached.terminal.press("q");
    assert_eq!(reached.end().0, Some(130));
}

#[test]
fn without_a_shell_ctrl_z_stops_nothing() {
    let Some(mut reached) = Reached::long((80, 24)) else { return };
    reached.terminal.press("\x1aq");
    reached.terminal.see("waiting");
    reached.terminal.press("q");
    assert_eq!(reached.end().0, Some(130));
}

#[test]
fn a_terminal_may_shrink_to_nothing_and_grow_again() {
    let Some(mut reached) = Reached::long((80, 24)) else { return };
    for (columns, lines) in [("1", "1"), ("0", "0"), ("1", "24"), ("80", "1")] {
        reached.terminal.look_anew();
        reached.resize(columns, lines);
        reached.terminal.see(ERASED);
    }
    reached.terminal.look_anew();
    reached.resize("80", "24");
    for text in [ERASED, "received", "scroll"] {
        reached.terminal.see(text);
    }
    reached.terminal.press("qq");
    assert_eq!(reached.end().0, Some(130));
}

#[test]
fn a_terminal_of_one_column_holds_a_whole_trial() {
    let trial = format!("{PROGRAM} run -r 1k -c 500 -i 100ms --live=50ms -p {} -J", port());
    for size in [(1, 24), (1, 1), (0, 0)] {
        let Some(reached) = Reached::start(size, &trial) else { return };
        let (_, after) = reached.end();
        let (_, report) = after.split_once('{').unwrap_or_else(|| panic!("{size:?}: {after}"));
        let (report, _) = report.rsplit_once('}').unwrap();
        let report: Value = serde_json::from_str(&format!("{{{report}}}")).unwrap();
        assert_eq!(report["sender"]["intended"].as_u64(), Some(500), "{size:?}");
    }
}

/// Set where [`what_a_panic_says_can_be_read`] is the program that panics.
const PANICS: &str = "MCAST_BENCH_TEST_PANICS";

/// No trial can be made to panic from outside, so this test starts itself a second time as a program that does.
#[test]
fn what_a_panic_says_can_be_read() {
    if std::env::var_os(PANICS).is_some() {
        return panic_in_a_thread_under_the_view();
    }
    let tests = std::env::current_exe().unwrap();
    let own = module_path!().split_once("::").unwrap().1;
    let command = format!(
        "env {PANICS}=1 {} --nocapture --exact {own}::what_a_panic_says_can_be_read",
        tests.display()
    );
    let Some(mut reached) = Reached::start((80, 24), &command) else { return };
    reached.terminal.see(TAKEN);
    let (code, after) = reached.end();
    assert_ne!(code, Some(0), "{after}");
    let said = after.lines().find(|line| line.contains("panicked")).expect("a panic says so");
    assert!(said.contains("receiver 7"), "{after}");
    let reason = "no datagram has such a number\r\n";
    assert!(after.contains(reason), "whole, and on a line of its own: {after:?}");
}

fn panic_in_a_thread_under_the_view() {
    let mut view = Tui::open(Nanos::MILLISECOND, true, Default::default()).unwrap();
    let event = Event { at_ns: Nanos(0), what: Happening::Interrupted };
    view.on_event(&event);
    // As a trial does it with its workers.
    let worker = thread::Builder::new().name("receiver 7".into());
    let worker = worker.spawn(|| panic!("no datagram has such a number")).unwrap();
    worker.join().unwrap_or_else(|panic| resume_unwind(panic));
}
