//! SIGUSR1: how the trial goes, without ending it.

use super::preflight::Say;
use crate::error::{Error, Result};
use crate::model::Observer;
use crate::model::snapshot::Snapshot;
use crate::model::so_far::SoFar;
use crate::report::human::interim;
use signal_hook::SigId;
use signal_hook::consts::SIGUSR1;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Adds up what it is told, and says it when the signal comes. Only the collector and the thread that prints ever wait
/// for each other.
pub(super) struct Interim {
    so_far: Arc<Mutex<SoFar>>,
    signal: SigId,
    thread: Option<JoinHandle<()>>,
}

impl Interim {
    /// As [`Interim::listen`], said on standard error.
    pub(super) fn on_stderr() -> Result<Self> {
        Self::listen(Box::new(|text| drop(io::stderr().write_all(text.as_bytes()))))
    }

    /// From now on the signal does not end the program.
    pub(super) fn listen(say: Say) -> Result<Self> {
        let so_far = Arc::new(Mutex::new(SoFar::default()));
        let cannot = |error| Error::os("cannot listen for SIGUSR1", error);
        let (mut asked, ask) = UnixStream::pair().map_err(cannot)?;
        let signal = pipe::register(SIGUSR1, ask).map_err(cannot)?;
        let known = so_far.clone();
        let answer = move || {
            while asked.read_exact(&mut [0]).is_ok() {
                let so_far = lock(&known).clone();
                say(&interim::text(&so_far));
            }
        };
        let thread = Builder::new().name("interim".to_owned()).spawn(answer).map_err(cannot)?;
        Ok(Self { so_far, signal, thread: Some(thread) })
    }
}

impl Observer for Interim {
    fn on_interval(&mut self, snapshot: &Snapshot) {
        lock(&self.so_far).add(snapshot);
    }
}

impl Drop for Interim {
    /// The thread answers what was asked, finds the end of its pipe, and ends.
    fn drop(&mut self) {
        unregister(self.signal);
        // What it had to say it has said by then.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Sums are whole even if whoever printed them panicked.
fn lock(so_far: &Mutex<SoFar>) -> MutexGuard<'_, SoFar> {
    so_far.lock().unwrap_or_else(PoisonError::into_inner)
}
