//! What comes from outside to a measurement that is no trial, and goes there.

use super::event::Event;
use crate::error::Result;
use std::sync::atomic::AtomicBool;

/// Who began it, and watches.
pub struct Outside<'a, I> {
    /// Set to end it.
    pub interrupt: &'a AtomicBool,
    /// Called when everything is open and joined; an error of it ends it before it starts.
    pub ready: &'a dyn Fn() -> Result<()>,
    /// Told of each interval. Called by the calling thread, as the next one.
    pub interval: &'a mut dyn FnMut(&I),
    /// Told of each event.
    pub event: &'a mut dyn FnMut(&Event),
}
