//! The thread that writes a running trial down: a disk may take its time, and nobody else should wait for it.

use crate::error::{Error, Result};
use crate::model::so_far::SoFar;
use crate::units::Nanos;
use crossbeam_channel::{Sender, bounded};
use std::thread::{Builder, JoinHandle};

/// Its other end. Ends the thread when it is dropped, and waits for what is being written.
pub(super) struct Saver {
    to_thread: Option<Sender<Box<Told>>>,
    thread: Option<JoinHandle<()>>,
}

/// The trial so far, when it started, and what time it was.
type Told = (SoFar, Nanos, Nanos);

impl Saver {
    /// Starts the thread, which does this with what it is offered.
    pub(super) fn start(save: impl Fn(SoFar, Nanos, Nanos) + Send + 'static) -> Result<Self> {
        let (to_thread, told) = bounded::<Box<Told>>(1);
        let work = move || {
            for told in told {
                let (so_far, started_at, now) = *told;
                save(so_far, started_at, now);
            }
        };
        let thread = Builder::new().name("state".to_owned()).spawn(work);
        let thread = thread.map_err(|error| {
            Error::os("cannot start the thread that writes the state down", error)
        })?;
        Ok(Self { to_thread: Some(to_thread), thread: Some(thread) })
    }

    /// Has it written, unless something that was offered before is still waiting to be. Says whether.
    pub(super) fn offer(&self, so_far: &SoFar, started_at: Nanos, now: Nanos) -> bool {
        let Some(to_thread) = self.to_thread.as_ref().filter(|to| to.is_empty()) else {
            return false;
        };
        to_thread.try_send(Box::new((so_far.clone(), started_at, now))).is_ok()
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.to_thread = None;
        // If it panicked, the panic has been told.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
