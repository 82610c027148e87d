//! When a datagram that is due may leave, and how its sender waits for that.

use super::control::{Control, TrialClock};
use crate::model::spec::Pace;
use crate::stats::schedule::in_rhythm;
use crate::sys::clock;
use crate::units::Nanos;

/// A sleep ends late by the time the kernel needs to wake a thread: tens of microseconds on an idle core. So
/// much of every wait is spun.
const SPIN: Nanos = Nanos(100_000);

/// A stop sign is seen at least so often.
const LOOK_UP: Nanos = Nanos(20_000_000);

/// So much before it is due a datagram is given to a queueing discipline that lets it go in time.
const AHEAD: Nanos = Nanos(1_000_000);

/// Holds datagrams back until they are due, and after a stall from leaving in a train.
///
/// What became due while the sender stood still leaves in a rhythm that is little faster than the schedule's, see
/// [`in_rhythm`]: nothing is left out, and nothing leaves back to back that was not meant to. With `catch_up` it leaves
/// at once. A sender that takes longer to send a datagram than the schedule gives it sends several at a time,
/// as many as become due while it sends.
#[derive(Debug)]
pub struct Pacer {
    spin: Nanos,
    ahead: Nanos,
    catch_up: bool,
    /// When the first handover of the last datagrams that were due at once began, and when those were due.
    left: Nanos,
    due: Nanos,
    /// How long the last two handovers took.
    took: [Nanos; 2],
}

impl Pacer {
    /// Nothing has left. `catch_up` lets leave at once what became due during a stall.
    pub fn new(pace: Pace, catch_up: bool) -> Self {
        let spin = match pace {
            Pace::Auto | Pace::Fq => SPIN,
            Pace::Spin => Nanos(u64::MAX),
            Pace::Sleep | Pace::Txtime => Nanos(0),
        };
        let ahead = if pace == Pace::Txtime { AHEAD } else { Nanos(0) };
        // Due never, and so with none that come.
        let due = Nanos(u64::MAX);
        Self { spin, ahead, catch_up, left: Nanos(0), due, took: [Nanos(0); 2] }
    }

    /// The earliest time at which a datagram may leave that is due at `due` and the next after all that have left.
    #[inline]
    pub(super) fn earliest(&self, due: Nanos) -> Nanos {
        let due_here = due.saturating_sub(self.ahead);
        if self.catch_up || self.ahead > Nanos(0) {
            return due_here;
        }
        in_rhythm(due, self.due, self.left)
    }

    /// Whether a datagram that is due at `due` may leave now; together with those that may leave already, of which the
    /// first was due at `first`.
    #[inline]
    pub fn may_leave(&self, due: Nanos, now: Nanos, first: Option<Nanos>) -> bool {
        let Some(first) = first else { return self.earliest(due) <= now };
        let due_here = due.saturating_sub(self.ahead);
        let after_first = due.saturating_sub(first);
        let sent_in = self.took[0].min(self.took[1]);
        due_here <= now && (self.catch_up || self.ahead > Nanos(0) || after_first <= sent_in)
    }

    /// Datagrams were handed over from `now` until `then`, the first of which was due at `first`.
    ///
    /// A burst that takes several handovers left with the first of them: the time that the others take is that of the
    /// burst, and the next one is no later for it.
    #[inline]
    pub fn left(&mut self, first: Nanos, now: Nanos, then: Nanos) {
        if first != self.due {
            (self.left, self.due) = (now, first);
        }
        self.took = [then.saturating_sub(now), self.took[0]];
    }

    /// Waits until `until`, or until the senders are to stop. Returns the time.
    #[inline]
    pub(super) fn wait_until(&self, trial: &TrialClock, until: Nanos, control: &Control) -> Nanos {
        loop {
            let now = trial.now();
            if now >= until || control.senders_stopped() {
                return now;
            }
            let left = until - now;
            if left > self.spin {
                let sleep = (left - self.spin).min(LOOK_UP);
                clock::sleep_until(trial.monotonic(now + sleep));
            } else {
                std::hint::spin_loop();
            }
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
        for pace in [Pace::Auto, Pace::Spin, Pace::Sleep] {
            for wait in [0, 10_000, 150_000, 2_000_000] {
                let until = trial.now() + Nanos(wait);
                assert!(Pacer::new(pace, false).wait_until(&trial, until, &control) >= until);
            }
        }
        control.stop_senders();
        let until = trial.now() + Nanos(60 * Nanos::SECOND.0);
        assert!(Pacer::new(Pace::Auto, false).wait_until(&trial, until, &control) < until);
    }

    /// Plays a sender that takes `cost` for a handover and stands still once. Returns when each handover began and
    /// how many datagrams it had.
    fn play(
        mut pacer: Pacer,
        gap: u64,
        cost: u64,
        stall: (u64, u64),
        until: u64,
    ) -> Vec<(u64, u64)> {
        let (mut now, mut next, mut stalled) = (0, 0, false);
        let mut left = Vec::new();
        while now < until {
            let (mut count, mut first) = (0, None);
            while next <= now && pacer.may_leave(Nanos(next), Nanos(now), first) {
                first.get_or_insert(Nanos(next));
                next += gap;
                count += 1;
            }
            if count == 0 {
                now = pacer.earliest(Nanos(next)).0;
                continue;
            }
            left.push((now, count));
            let then = now + cost;
            pacer.left(first.unwrap(), Nanos(now), Nanos(then));
            now = then;
            if now >= stall.0 && !std::mem::replace(&mut stalled, true) {
                now += stall.1;
            }
        }
        left
    }

    #[test]
    fn on_time_each_leaves_when_it_is_due() {
        let left = play(Pacer::new(Pace::Auto, false), 10_000, 2_700, (u64::MAX, 0), 1_000_000);
        let expected: Vec<_> = (0..100).map(|n| (n * 10_000, 1)).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn after_a_stall_the_rhythm_is_faster_until_it_is_caught_up_with() {
        let left =
            play(Pacer::new(Pace::Auto, false), 10_000, 2_700, (100_000, 200_000), 1_000_000);
        assert!(left.iter().all(|&(_, count)| count == 1));
        let gaps: Vec<_> = left.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        let (halves, least) = (gaps.iter().filter(|&&gap| gap == 5_000).count(), gaps.iter().min());
        assert_eq!(least, Some(&5_000));
        // As long as it is more than eight gaps behind, of which it makes up for half a one each.
        assert!((22..=26).contains(&halves), "{halves}");
        // Nothing was left out.
        assert_eq!(left.len(), 100);
        assert_eq!(left.last(), Some(&(990_000, 1)));
    }

    #[test]
    fn asked_to_catch_up_it_sends_the_backlog_at_once() {
        let left = play(Pacer::new(Pace::Auto, true), 10_000, 2_700, (100_000, 200_000), 1_000_000);
        assert_eq!(left.iter().map(|&(_, count)| count).max(), Some(20));
        assert_eq!(left.iter().map(|&(_, count)| count).sum::<u64>(), 100);
    }

    #[test]
    fn a_rate_that_takes_several_at_a_time_is_kept() {
        // A million a second, where each handover takes 2.7 us.
        let left = play(Pacer::new(Pace::Auto, false), 1_000, 2_700, (u64::MAX, 0), 1_000_000);
        let sent: u64 = left.iter().map(|&(_, count)| count).sum();
        let longest = left.iter().map(|&(_, count)| count).max();
        assert!(sent >= 990, "{sent}");
        assert!(longest <= Some(3), "{longest:?}");
    }

    #[test]
    fn a_burst_leaves_together() {
        let pacer = Pacer::new(Pace::Auto, false);
        assert!(pacer.may_leave(Nanos(50), Nanos(60), None));
        assert!(pacer.may_leave(Nanos(50), Nanos(60), Some(Nanos(50))));
        assert!(!pacer.may_leave(Nanos(51), Nanos(60), Some(Nanos(50))));
    }

    #[test]
    fn a_burst_of_many_handovers_does_not_delay_the_next() {
        let mut pacer = Pacer::new(Pace::Auto, false);
        for burst in 1..100 {
            let due = Nanos(burst * 200_000);
            assert_eq!(pacer.earliest(due), due);
            for handover in 0..20 {
                let now = due + Nanos(handover * 3_700);
                assert!(pacer.earliest(due) <= now);
                pacer.left(due, now, now + Nanos(3_700));
            }
        }
    }

    #[test]
    fn a_queueing_discipline_gets_them_ahead_of_time() {
        let pacer = Pacer::new(Pace::Txtime, false);
        assert!(pacer.may_leave(Nanos(1_000_500), Nanos(600), None));
        assert!(!pacer.may_leave(Nanos(1_000_700), Nanos(600), Some(Nanos(1_000_500))));
        assert_eq!(pacer.earliest(Nanos(5_000_000)), Nanos(4_000_000));
    }
}
