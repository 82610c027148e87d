//! Signals that end or stop the program: the terminal is given back first.

use super::state::News;
use super::terminal::Screen;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::{emulate_default_handler, exit};
use std::fs;
use std::io;
use std::os::unix::process::parent_id;
use std::sync::mpsc::Sender;
use std::thread::{Builder, JoinHandle};

/// Those that mean the program, not the view, and are heeded by others, too: the first of them ends the trial.
const ASK: [i32; 2] = [SIGINT, SIGTERM];

/// Those that are about nobody else.
const KILL_OR_STOP: [i32; 3] = [SIGHUP, SIGQUIT, SIGTSTP];

/// A thread that waits for signals, until it is dropped.
pub(super) struct Watch {
    signals: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// From now on none of the signals leaves the terminal as the view has it.
    ///
    /// # Errors
    /// Those of sigaction(2), and of a thread that cannot be started.
    pub(super) fn begin(screen: Screen, news: Sender<News>) -> io::Result<Self> {
        for signal in KILL_OR_STOP {
            // Once listened to, a signal never again does by itself what it did.
            register_conditional_default(signal, screen.over())?;
        }
        let mut signals = Signals::new(ASK.iter().chain(&KILL_OR_STOP).chain(&[SIGCONT]))?;
        let handle = signals.handle();
        let watch = move || {
            let mut is_asked = false;
            for signal in signals.forever() {
                if ASK.contains(&signal) && std::mem::replace(&mut is_asked, true) {
                    screen.end();
                    // As shells say it.
                    exit(128 + signal);
                }
                heed(signal, &screen, &news);
            }
        };
        let thread = Builder::new().name("signals".into()).spawn(watch)?;
        Ok(Self { signals: handle, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.signals.close();
        // If it panicked, it has said so itself.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn heed(signal: i32, screen: &Screen, news: &Sender<News>) {
    match signal {
        SIGHUP | SIGQUIT => {
            screen.end();
            // It ends the program; both are known to it.
            let _ = emulate_default_handler(signal);
        }
        SIGTSTP if can_go_on() => {
            screen.give_back();
            // Returns when the program goes on.
            let _ = emulate_default_handler(signal);
        }
        // Where the terminal cannot be had, nothing is drawn, and the trial goes on.
        SIGCONT => drop(screen.take_again()),
        // The view may be over already.
        _ if ASK.contains(&signal) => drop(news.send(News::Ending)),
        _ => {}
    }
}

/// Whether there is somebody to let a stopped program go on: a shell, in the same session with a group of its own
/// (`_exit(2)` of POSIX calls a group without one orphaned, and the kernel does not stop it).
fn can_go_on() -> bool {
    let own = group_and_session("self".into());
    let parent = group_and_session(parent_id().to_string());
    own.zip(parent).is_some_and(|(own, parent)| own.0 != parent.0 && own.1 == parent.1)
}

/// Those of a process (proc_pid_stat(5), the fields after the name, which may contain anything).
fn group_and_session(process: String) -> Option<(i32, i32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut numbers = after_name.split_whitespace().skip(2).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
