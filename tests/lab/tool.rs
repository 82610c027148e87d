//! Runs the tool under test, never longer than it should.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::sys;

/// The program under test.
pub(crate) fn tool() -> PathBuf {
    env!("CARGO_BIN_EXE_mcast-bench").into()
}

/// A process that does not outlive the test.
pub(crate) struct Child {
    process: process::Child,
    name: String,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Child {
    /// Starts it and collects what it writes.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = format!("{command:?}");
        let mut process =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let stdout = process.stdout.take().map(collect);
        let stderr = process.stderr.take().map(collect);
        Self { process, name, stdout, stderr }
    }

    /// Waits until it has made this file, which says that it is ready. Panics with what it wrote to
    /// stderr if it ends first or takes longer.
    pub(crate) fn wait_for_file(&mut self, path: &Path, timeout: Duration) {
        let ready = self.poll(timeout, |_| path.exists().then_some(()));
        if ready.is_none() {
            let path = path.display();
            self.fail(&format!("has not made {path} in {timeout:?}"));
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        self.status().is_none()
    }

    /// Sends what Ctrl-C sends.
    pub(crate) fn interrupt(&mut self) {
        self.signal(libc::SIGINT);
    }

    /// Sends a signal; one that has ended gets none.
    pub(crate) fn signal(&mut self, signal: i32) {
        // A child that has ended and was waited for has given its number away.
        if self.is_running() {
            sys::signal(self.process.id(), signal).expect("a child of ours can be signalled");
        }
    }

    /// Waits for its end. Panics with what it wrote to stderr if it takes longer.
    pub(crate) fn finish(mut self, timeout: Duration) -> Output {
        let Some(status) = self.poll(timeout, Self::status) else {
            self.fail(&format!("has not ended in {timeout:?}"));
        };
        Output { status, stdout: gather(&mut self.stdout), stderr: gather(&mut self.stderr) }
    }

    /// Asks until there is an answer, the process has ended or the time is over.
    fn poll<T>(&mut self, timeout: Duration, ask: impl Fn(&mut Self) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        loop {
            // Looked at before asking: what a process that has ended did is done by now.
            let ended = self.status().is_some();
            let answer = ask(self);
            if answer.is_some() || ended || Instant::now() >= deadline {
                return answer;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("a child of ours can be waited for")
    }

    fn fail(&mut self, what: &str) -> ! {
        let ended = self.status().map_or("still running".to_owned(), |status| status.to_string());
        self.kill();
        let complaint = String::from_utf8_lossy(&gather(&mut self.stderr)).into_owned();
        panic!("{} {what} ({ended}):\n{complaint}", self.name)
    }

    fn kill(&mut self) {
        // Both fail only when it has ended already and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command that must succeed, and reads its JSON from stdout.
pub(crate) fn run_json(command: &mut Command) -> Value {
    let name = format!("{command:?}");
    let output = Child::spawn(command).finish(Duration::from_secs(60));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{complaint}", output.status);
    json(&output)
}

/// The JSON that a process has written to stdout.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let told = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        panic!("no JSON on stdout ({error}):\n{told}\n{complained}")
    })
}

/// Reads a pipe to its end, so that the process never waits for us.
fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is kept.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn gather(pipe: &mut Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    pipe.take().and_then(|reader| reader.join().ok()).unwrap_or_default()
}
