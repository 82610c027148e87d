//! The live view on a terminal of its own, which script(1) makes.

use super::*;
use std::io::{Read, Write};

/// What a terminal is told at the beginning and at the end of a screen of its own (xterm control sequences).
pub(super) const TAKEN: &str = "\x1b[?1049h";
pub(super) const GIVEN_BACK: &str = "\x1b[?1049l";

/// The program on a terminal of so many columns and lines.
pub(super) struct OnTerminal {
    child: Child,
    seen: String,
}

impl OnTerminal {
    /// `None`, and a line that says so, where there is no script(1).
    pub(super) fn start(size: (u16, u16), args: &str) -> Option<Self> {
        Self::start_command(size, &format!("exec {} {args}", env!("CARGO_BIN_EXE_mcast-bench")))
    }

    /// A command of the shell on such a terminal.
    pub(super) fn start_command(size: (u16, u16), command: &str) -> Option<Self> {
        let (columns, lines) = size;
        let command = format!("stty cols {columns} rows {lines}; {command}");
        let child = Command::new("script")
            .args(["-q", "-e", "-f", "-c", &command, "/dev/null"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, seen: String::new() }),
            Err(error) => {
                eprintln!("SKIPPED: the live view on a terminal: cannot run script: {error}");
                None
            }
        }
    }

    /// Reads until `text` has been seen; a word, since a screen has no blanks where nothing is.
    pub(super) fn see(&mut self, text: &str) {
        let mut byte = [0; 4096];
        while !self.seen.contains(text) {
            let count = self.child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert!(count > 0, "it ended without {text:?}: {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&byte[..count]));
        }
    }

    /// Reads until `text` has been seen, and returns all up to its end. What follows is to be seen anew.
    pub(super) fn take_until(&mut self, text: &str) -> String {
        self.see(text);
        let end = self.seen.find(text).unwrap() + text.len();
        let rest = self.seen.split_off(end);
        std::mem::replace(&mut self.seen, rest)
    }

    /// What was seen so far does not count any more.
    pub(super) fn look_anew(&mut self) {
        self.seen.clear();
    }

    /// The process that takes what is drawn.
    pub(super) fn reader(&self) -> String {
        self.child.id().to_string()
    }

    pub(super) fn press(&mut self, keys: &str) {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn read_to_end(&mut self) -> Option<i32> {
        // What was read before may have ended in the middle of a character.
        let mut rest = vec![];
        self.child.stdout.as_mut().unwrap().read_to_end(&mut rest).unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        self.child.wait().unwrap().code()
    }

    /// Reads to the end of a program that draws nothing. Returns the exit code, and all that was printed.
    pub(super) fn plain_end(mut self) -> (Option<i32>, String) {
        (self.read_to_end(), self.seen)
    }

    /// Reads to the end. Returns the exit code, and what was printed after the terminal was given back.
    pub(super) fn end(mut self) -> (Option<i32>, String) {
        let code = self.read_to_end();
        let (_, after) = self.seen.split_once(GIVEN_BACK).expect("the terminal is given back");
        (code, after.to_owned())
    }
}

#[test]
fn the_terminal_is_whole_again_before_the_report() {
    let args = format!("run -p {} -r 1k -t 1s --live=100ms -i 100ms --report json", port());
    let Some(mut terminal) = OnTerminal::start((100, 40), &args) else { return };
    for text in [TAKEN, "Datagrams", "Lost,", "Streams"] {
        terminal.see(text);
    }
    let (_, after) = terminal.end();
    let report: Value = serde_json::from_str(&after[after.find('{').unwrap()..]).unwrap();
    assert_eq!(report["sender"]["intended"].as_u64(), Some(1_000), "{after}");
}

#[test]
fn keys_sort_and_end_it() {
    let args = format!("recv -p {} -t 30s --live", port());
    let Some(mut terminal) = OnTerminal::start((80, 30), &args) else { return };
    terminal.see("ends");
    terminal.press("s\x1b[B\x1b[Aq");
    let (code, after) = terminal.end();
    assert_eq!(code, Some(130), "{after}");
    let args = format!("run -p {} -r 1k -t 30s --live", port());
    let Some(mut terminal) = OnTerminal::start((80, 30), &args) else { return };
    terminal.see("ends");
    terminal.press("\x03");
    let (code, after) = terminal.end();
    assert_eq!(code, Some(130), "{after}");
    assert!(after.contains("nterrupted"), "{after}");
}

#[test]
fn round_trips_have_one_too() {
    let args = format!("ping -p {} -t 1s --live=100ms -i 100ms", port());
    let Some(mut terminal) = OnTerminal::start((80, 30), &args) else { return };
    terminal.see("Round");
    let (code, _) = terminal.end();
    assert_eq!(code, Some(4), "nobody answers");
}

#[test]
fn without_a_terminal_there_are_lines() {
    let bench = Bench::new();
    let ran =
        bench.run(&["run", "-p", &port(), "-r", "1k", "-t", "500ms", "-i", "100ms", "--live"]);
    assert!(ran.stderr.contains("--live: standard error is not a terminal; it goes on with lines"));
    assert!(ran.stderr.contains("per second"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\x1b'));
}
