//! Where and how promptly a thread runs: `sched_getaffinity(2)`, `sched_setscheduler(2)`, `prctl(2)`.

use super::check;
use std::io;
use std::mem::{size_of, zeroed};

/// Lets the calling thread's sleeps end within a nanosecond instead of the usual 50 microseconds.
///
/// # Errors
/// Those of `PR_SET_TIMERSLACK`, prctl(2).
pub fn set_timer_slack_least() -> io::Result<()> {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and no pointer.
    check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) }).map(drop)
}

/// Gives the calling thread a table of descriptors of its own, with all that are open. In a table that threads share,
/// every system call on a descriptor takes and drops a reference to its file, some 20 nanoseconds each.
///
/// What is opened, closed or replaced from now on is so for the calling thread alone, or for all others; a socket is closed
/// when nobody has it.
///
/// # Errors
/// Those of `CLONE_FILES`, unshare(2): the call may be forbidden in a container.
pub fn own_descriptors() -> io::Result<()> {
    // SAFETY: CLONE_FILES takes no pointer; every descriptor that this thread knows means the same file as before.
    check(unsafe { libc::unshare(libc::CLONE_FILES) }).map(drop)
}

/// Has the calling thread go before all that is not real-time (`SCHED_FIFO`), at the least priority of those.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` and beyond `RLIMIT_RTPRIO`, sched_setscheduler(2).
pub fn set_realtime() -> io::Result<()> {
    set_policy(libc::SCHED_FIFO, 1)
}

/// Tries whether [`set_realtime`] is granted, and leaves the calling thread as it was.
///
/// # Errors
/// As for [`set_realtime`].
pub fn try_realtime() -> io::Result<()> {
    // SAFETY: pid 0 is the calling thread; no memory is passed.
    let before = check(unsafe { libc::sched_getscheduler(0) })?;
    if before != libc::SCHED_OTHER {
        return set_realtime();
    }
    set_realtime().and_then(|()| set_policy(before, 0))
}

fn set_policy(policy: libc::c_int, priority: libc::c_int) -> io::Result<()> {
    let param = libc::sched_param { sched_priority: priority };
    // SAFETY: `param` is a valid sched_param to read; pid 0 is the calling thread.
    check(unsafe { libc::sched_setscheduler(0, policy, &raw const param) }).map(drop)
}

/// Cores that the calling thread may run on, in ascending order.
///
/// # Errors
/// Those of sched_getaffinity(2).
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    // SAFETY: cpu_set_t is an array of integers, for which all zeroes is a value.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    // SAFETY: the set is ours and of the size given; pid 0 is the calling thread.
    check(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) })?;
    let cpus = 0..libc::CPU_SETSIZE as usize;
    // SAFETY: CPU_ISSET reads the set within its size, and `cpu` is below CPU_SETSIZE.
    Ok(cpus.filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect())
}

/// Keeps the calling thread off some cores, if it may run on others.
///
/// # Errors
/// Those of sched_setaffinity(2).
pub fn keep_off(cpus: &[usize]) -> io::Result<()> {
    let mut rest = allowed_cpus()?;
    rest.retain(|cpu| !cpus.contains(cpu));
    if rest.is_empty() {
        return Ok(());
    }
    keep_to(&rest)
}

/// Lets the calling thread run on these cores only.
///
/// # Errors
/// Those of sched_setaffinity(2).
pub fn keep_to(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: cpu_set_t is an array of integers, for which all zeroes is a value.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    for &cpu in cpus.iter().filter(|&&cpu| cpu < libc::CPU_SETSIZE as usize) {
        // SAFETY: CPU_SET writes the set within its size, and `cpu` is below CPU_SETSIZE.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: the set is ours and of the size given; pid 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) })
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_runs_somewhere_and_may_sleep_briefly() {
        assert!(!allowed_cpus().unwrap().is_empty());
        set_timer_slack_least().unwrap();
    }

    #[test]
    fn a_thread_keeps_off_cores_but_runs() {
        let all = allowed_cpus().unwrap();
        keep_off(&all).unwrap();
        assert_eq!(allowed_cpus().unwrap(), all, "there was nowhere else to go");
        let (kept, rest) = all.split_first().unwrap();
        keep_off(&[*kept]).unwrap();
        let expected = if rest.is_empty() { all.as_slice() } else { rest };
        assert_eq!(allowed_cpus().unwrap(), expected);
        keep_to(&all).unwrap();
        assert_eq!(allowed_cpus().unwrap(), all);
    }
}
