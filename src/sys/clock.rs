//! Clocks: `clock_gettime(2)`, `clock_nanosleep(2)`.

use crate::units::Nanos;
use std::time::Duration;

/// Since an arbitrary point, never set: for pacing and for lengths of time.
#[inline]
pub fn monotonic() -> Nanos {
    read(libc::CLOCK_MONOTONIC)
}

/// Since the Unix epoch: the clock of the kernel's receive timestamps, the one that other hosts share.
#[inline]
pub fn realtime() -> Nanos {
    read(libc::CLOCK_REALTIME)
}

/// From the monotonic clock to International Atomic Time, in nanoseconds modulo 2^64.
pub fn monotonic_to_tai() -> u64 {
    read(libc::CLOCK_TAI).0.wrapping_sub(monotonic().0)
}

/// How far International Atomic Time, as the kernel has it, is ahead of the wall clock: whole seconds, none if nobody
/// told it of leap seconds, clock_gettime(2).
#[inline]
pub fn tai_offset() -> Nanos {
    let (wall, tai) = (realtime(), read(libc::CLOCK_TAI));
    let seconds = (tai.saturating_sub(wall).0 + Nanos::SECOND.0 / 2) / Nanos::SECOND.0;
    Nanos(seconds * Nanos::SECOND.0)
}

/// Wall clock and monotonic clock run at one pace; a difference of more nanoseconds than this is a step.
const STEP: u64 = 20_000;

/// Both clocks at the same instant.
#[derive(Clone, Copy, Debug)]
pub struct ClockPair {
    /// [`monotonic`].
    pub monotonic: Nanos,
    /// [`realtime`].
    pub realtime: Nanos,
}

impl ClockPair {
    /// Reads one clock between two readings of the other, and of five tries takes the closest.
    pub fn read() -> Self {
        let mut best = (u64::MAX, Self { monotonic: Nanos(0), realtime: Nanos(0) });
        for _ in 0..5 {
            let before = monotonic();
            let realtime = realtime();
            let width = (monotonic() - before).0;
            if width < best.0 {
                best = (width, Self { monotonic: Nanos(before.0 + width / 2), realtime });
            }
        }
        best.1
    }

    /// The wall clock at an instant of the monotonic one.
    pub fn realtime_at(&self, monotonic: Nanos) -> Nanos {
        Nanos((self.realtime.0 + monotonic.0).saturating_sub(self.monotonic.0))
    }

    /// By how many nanoseconds the wall clock has been set since, against the monotonic one; positive is forward. `None`
    /// if it was not.
    pub fn step(&self) -> Option<i64> {
        let now = Self::read();
        let by = now.realtime.0.wrapping_sub(self.realtime_at(now.monotonic).0) as i64;
        (by.unsigned_abs() > STEP).then_some(by)
    }
}

/// How far the wall clock may be from the true time, as the kernel keeps book of it (`maxerror`, ntp_adjtime(3));
/// `None` if nobody disciplines it.
pub fn max_error() -> Option<Nanos> {
    // SAFETY: timex is plain integers, for which all zeroes is a value; modes of zero change nothing.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `state` is a valid timex to write to; with modes of zero no privilege is needed.
    let result = unsafe { libc::ntp_adjtime(&raw mut state) };
    let is_disciplined = result >= 0 && state.status & libc::STA_UNSYNC == 0;
    let micros = u64::try_from(state.maxerror).ok().filter(|_| is_disciplined)?;
    Some(Nanos(micros * 1000))
}

/// Sleeps until the monotonic clock shows `until`, or a signal comes.
pub fn sleep_until(until: Nanos) {
    let until = timespec(until);
    // SAFETY: `until` is a valid timespec that outlives the call; with TIMER_ABSTIME the last argument may be
    // null ("If remain is not NULL ... ", clock_nanosleep(2)).
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const until,
            std::ptr::null_mut(),
        );
    }
}

/// A length of time as the kernel takes it.
pub(super) fn duration_timespec(duration: Duration) -> libc::timespec {
    timespec(Nanos::from(duration))
}

fn timespec(time: Nanos) -> libc::timespec {
    libc::timespec {
        tv_sec: (time.0 / Nanos::SECOND.0) as libc::time_t,
        tv_nsec: (time.0 % Nanos::SECOND.0) as libc::c_long,
    }
}

#[inline]
fn read(clock: libc::clockid_t) -> Nanos {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to. The call fails only for unknown clocks (EINVAL) or bad
    // pointers (EFAULT), clock_gettime(2); those asked for here exist on every Linux since 3.10.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Nanos(time.tv_sec as u64 * Nanos::SECOND.0 + time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_ends_after_its_time() {
        let until = monotonic() + Nanos::MILLISECOND;
        sleep_until(until);
        assert!(monotonic() >= until);
    }

    #[test]
    fn an_undisciplined_clock_has_no_bound() {
        // Whatever this machine has: a bound is one that a time service would give, or there is none.
        assert!(max_error().is_none_or(|error| error < Nanos(60 * Nanos::SECOND.0)));
    }

    #[test]
    fn nobody_sets_the_clock_here() {
        let pair = ClockPair::read();
        assert!(pair.step().is_none_or(|by| by.abs() < 1_000_000));
        let later = Nanos(pair.monotonic.0 + 5);
        assert_eq!(pair.realtime_at(later), Nanos(pair.realtime.0 + 5));
    }
}
