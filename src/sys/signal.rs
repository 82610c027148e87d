//! What a signal does on the spot, in its handler: `sigaction(2)`, as signal-hook keeps it.

use signal_hook::low_level::{exit, register};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// From now on `signal` sets `is_asked`. Where that is set already it ends the program at once, with the exit code that
/// shells give to this signal, 128 and its number; but not while `is_held`, when somebody else has to see to that.
///
/// # Errors
/// Those of sigaction(2).
pub fn ask_first_then_end(
    signal: libc::c_int,
    is_asked: Arc<AtomicBool>,
    is_held: Arc<AtomicBool>,
) -> io::Result<()> {
    let act = move || {
        if is_asked.swap(true, Ordering::SeqCst) && !is_held.load(Ordering::SeqCst) {
            exit(128 + signal);
        }
    };
    // SAFETY: `act` touches two atomics that it owns a share of, and calls _exit(2). signal-safety(7): "An async-signal-safe
    // function is one that can be safely called from within a signal handler", which _exit is among.
    unsafe { register(signal, act) }.map(drop)
}
