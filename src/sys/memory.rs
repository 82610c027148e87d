//! Memory that stays where it is: `mlockall(2)`.

use super::check;
use std::io;

/// Keeps all memory of this process, now and later, from being paged out.
///
/// # Errors
/// `EPERM` or `ENOMEM` without `CAP_IPC_LOCK` and beyond `RLIMIT_MEMLOCK`.
pub fn lock_all() -> io::Result<()> {
    // SAFETY: mlockall takes flags and no pointer.
    check(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) }).map(drop)
}
