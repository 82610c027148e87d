//! How the clock of a sender compares to ours, and what its delays may be called.

use crate::model::metrics::{ClockRelation, ClockReport};
use crate::model::snapshot::ReceiverInterval;
use crate::stats::skew::{Line, Point, SkewEstimator};
use crate::units::Nanos;
use crate::wire::announcement::SenderClock;

/// The shortest delay of so long a time says where the clocks stand.
const BIN: Nanos = Nanos::SECOND;

/// From one such time to the next, no skew moves clocks so far: 500 ppm is the most that a kernel slews.
const STEP: Nanos = Nanos(1_000_000);

/// The clock of one stream's sender.
#[derive(Default)]
pub(super) struct Clock {
    relation: ClockRelation,
    error: Option<Nanos>,
    /// Follows clocks that may run apart. 4 KiB, so only where they may.
    skew: Option<Box<SkewEstimator>>,
    /// The shortest delay so far, in nanoseconds.
    shortest: Option<i64>,
    /// The line under the delays so far.
    floor: Option<Line>,
}

impl Clock {
    /// Learns what clock the sender has.
    pub(super) fn compare(&mut self, own: &SenderClock, theirs: &SenderClock) {
        (self.relation, self.error) = ClockRelation::between(own, theirs);
    }

    /// Records the delay of a first copy as what it is: a delay, or only how much longer than the shortest.
    #[inline]
    pub(super) fn record(
        &mut self,
        due_at: Nanos,
        received_at: Nanos,
        interval: &mut ReceiverInterval,
    ) {
        if self.relation.is_comparable() {
            interval.one_way_delay.record(due_at, received_at);
        }
        if self.relation != ClockRelation::SameHost {
            self.follow(due_at, received_at, interval);
        }
    }

    fn follow(&mut self, due_at: Nanos, received_at: Nanos, interval: &mut ReceiverInterval) {
        let delay = received_at.0.wrapping_sub(due_at.0) as i64;
        let point = Point { sent_at: due_at, delay };
        self.skew.get_or_insert_with(|| Box::new(SkewEstimator::new(BIN, STEP))).observe(point);
        if !self.relation.is_comparable() {
            let shortest = self.shortest.map_or(delay, |shortest| shortest.min(delay));
            self.shortest = Some(shortest);
            let floor = self.floor.map_or(shortest, |line| line.delay_at(due_at));
            let above = u64::try_from(delay.saturating_sub(floor)).unwrap_or(0);
            interval.relative_delay.record(Nanos(0), Nanos(above));
        }
    }

    /// Draws the line under the delays so far anew. Not for every datagram.
    pub(super) fn draw_line(&mut self) {
        self.floor = self.skew.as_ref().and_then(|skew| skew.line());
    }

    /// What there is to say.
    pub(super) fn report(&self) -> ClockReport {
        let (steps, step_max_ns) = self.skew.as_ref().map_or((0, 0), |skew| skew.steps());
        ClockReport {
            relation: self.relation,
            error_ns: self.error,
            skew_ppm: self
                .skew
                .as_ref()
                .and_then(|skew| skew.line())
                .map(|line| line.slope() * 1e6),
            steps,
            step_max_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: SenderClock = SenderClock { host: 1, error: Some(Nanos(2_000)) };

    fn clock(theirs: SenderClock) -> Clock {
        let mut clock = Clock::default();
        clock.compare(&OWN, &theirs);
        clock
    }

    #[test]
    fn one_host_has_one_clock_whatever_its_error() {
        let report = clock(SenderClock { host: 1, error: None }).report();
        assert_eq!((report.relation, report.error_ns), (ClockRelation::SameHost, Some(Nanos(0))));
    }

    #[test]
    fn two_disciplined_clocks_are_wrong_by_both_their_errors() {
        let mut clock = clock(SenderClock { host: 2, error: Some(Nanos(3_000)) });
        let report = clock.report();
        assert_eq!(report.relation, ClockRelation::Disciplined);
        assert_eq!(report.error_ns, Some(Nanos(5_000)));
        let mut interval = ReceiverInterval::default();
        clock.record(Nanos(10), Nanos(30), &mut interval);
        assert_eq!((interval.one_way_delay.count(), interval.relative_delay.count()), (1, 0));
    }

    /// Offset of an hour, 50 ppm of skew, delays of 10 to 13 us: what is left is what the network added.
    #[test]
    fn without_a_common_clock_only_the_variation_is_left() {
        let mut clock = clock(SenderClock { host: 2, error: None });
        let mut interval = ReceiverInterval::default();
        let mut late = ReceiverInterval::default();
        for n in 0..60_000u64 {
            let due_at = Nanos(1 << 50) + Nanos(n * 1_000_000);
            let skewed = n * 1_000_000 * 50 / 1_000_000;
            let delay = Nanos(3_600_000_000_000 + 10_000 + n % 4 * 1_000 + skewed);
            let into = if n < 10_000 { &mut interval } else { &mut late };
            clock.record(due_at, due_at + delay, into);
            if n % 250 == 0 {
                clock.draw_line();
            }
        }
        assert_eq!(interval.one_way_delay.count() + late.one_way_delay.count(), 0);
        assert_eq!(late.relative_delay.count(), 50_000);
        assert!(late.relative_delay.max() <= Nanos(3_100), "{}", late.relative_delay.max());
        let skew = clock.report().skew_ppm.unwrap();
        assert!((skew - 50.0).abs() < 0.1, "{skew}");
        assert_eq!(clock.report().steps, 0);
    }

    #[test]
    fn a_clock_that_was_set_is_noticed() {
        let mut clock = clock(SenderClock { host: 2, error: None });
        let mut interval = ReceiverInterval::default();
        for n in 0..10_000u64 {
            let due_at = Nanos(1 << 50) + Nanos(n * 1_000_000);
            let delay = if n < 5_000 { 10_000 } else { 50_010_000 };
            clock.record(due_at, due_at + Nanos(delay), &mut interval);
        }
        let report = clock.report();
        assert_eq!((report.steps, report.step_max_ns), (1, 50_000_000));
    }
}
