//! Waits until a datagram is due: sleeps before long waits, spins for short ones.

use super::control::{Control, TrialClock};
use crate::sys::clock;
use crate::units::Nanos;

/// A sleep ends late by the time the kernel needs to wake a thread: tens of microseconds on an idle core. So
/// much of every wait is spun.
const SPIN: Nanos = Nanos(100_000);

/// A stop sign is seen at least so often.
const LOOK_UP: Nanos = Nanos(20_000_000);

/// Waits until `until`, or until the senders are to stop. Returns the time.
#[inline]
pub(super) fn wait_until(trial: &TrialClock, until: Nanos, control: &Control) -> Nanos {
    loop {
        let now = trial.now();
        if now >= until || control.senders_stopped() {
            return now;
        }
        let left = until - now;
        if left > SPIN {
            let sleep = (left - SPIN).min(LOOK_UP);
            clock::sleep_until(trial.monotonic(now + sleep));
        } else {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::ClockPair;

    #[test]
    fn never_returns_early_but_for_a_stop_sign() {
        let clocks = ClockPair::read();
        let trial = TrialClock::starting_at(clocks.monotonic, clocks);
        let control = Control::new(0);
        for wait in [0, 10_000, 150_000, 2_000_000] {
            let until = trial.now() + Nanos(wait);
            assert!(wait_until(&trial, until, &control) >= until);
        }
        control.stop_senders();
        let until = trial.now() + Nanos(60 * Nanos::SECOND.0);
        assert!(wait_until(&trial, until, &control) < until);
    }
}
