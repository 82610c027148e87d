//! Steps of a trial as a picture can show them, and those that losses alone still tell of.

use crate::model::report::TrialReport;
use crate::model::timeline::{Step, joined};
use crate::units::Nanos;
use std::time::UNIX_EPOCH;

/// The same in at most `most` steps, without a last one that is too short to have a rate.
pub(super) fn at_most(steps: &[Step], most: usize) -> Vec<Step> {
    let each = steps.len().div_ceil(most.max(1)).max(1);
    let mut steps = joined(steps, each);
    if let [.., before, last] = &mut steps[..]
        && last.length_ns.0 < before.length_ns.0 / 4
    {
        before.join(last);
        steps.pop();
    }
    steps
}

/// When the first step begins: a receiver may have waited long for its sender.
pub(super) fn begin(steps: &[Step]) -> Nanos {
    steps.first().map(|step| step.start_ns).unwrap_or_default()
}

/// When the last step ends.
pub(super) fn end(steps: &[Step]) -> Nanos {
    steps.last().map(Step::end).unwrap_or_default()
}

/// What a result without steps still tells of when something was lost: when its absence was noticed, and whether by
/// the own socket.
pub(super) fn of_losses(trial: &TrialReport) -> Option<Vec<Step>> {
    let started = humantime::parse_rfc3339(&trial.started_at).ok()?;
    let started = Nanos::from(started.duration_since(UNIX_EPOCH).ok()?);
    let ranges = || trial.streams.iter().flat_map(|stream| &stream.lost_ranges);
    let is_complete = trial.streams.iter().all(|stream| stream.lost_ranges_complete);
    let last = ranges().map(|range| range.at_ns.saturating_sub(started)).max()?;
    let end = trial.duration_ns.max(last);
    // Of a file that is not honest; sums of times would not hold it.
    let is_honest = end.0 < u64::MAX / 2 && ranges().all(|range| range.at_ns >= started);
    if !is_complete || !is_honest || trial.duration_ns == Nanos(0) {
        return None;
    }
    const STEPS: u64 = 160;
    let length = (end.0 / STEPS).max(1);
    let step = |at: u64| Step::empty(Nanos(at * length), Nanos(length));
    let mut steps: Vec<_> = (0..=STEPS).map(step).collect();
    for range in ranges() {
        let at = range.at_ns.saturating_sub(started).0 / length;
        let Some(step) = steps.get_mut(at as usize) else { continue };
        let own = range.own_socket.min(range.len);
        step.lost_by.receiver_socket += own as i64;
        step.lost_by.elsewhere += (range.len - own) as i64;
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn fewer_steps_hold_the_same() {
        let step = |at: u64| Step { received: Some(at), ..Step::empty(Nanos(at * 10), Nanos(10)) };
        let steps: Vec<_> = (0..7).map(step).chain([Step::empty(Nanos(70), Nanos(1))]).collect();
        for most in [1, 3, 4, 100] {
            let fewer = at_most(&steps, most);
            assert!(fewer.len() <= most && fewer.last().unwrap().length_ns >= Nanos(10));
            assert_eq!(fewer.iter().filter_map(|step| step.received).sum::<u64>(), 21);
            assert_eq!((end(&fewer), end(&steps)), (Nanos(71), Nanos(71)));
        }
        assert_eq!((at_most(&[], 5), end(&[])), (vec![], Nanos(0)));
    }

    #[test]
    fn a_saved_result_knows_when_it_lost() {
        let report = sample::lossy();
        let steps = of_losses(&report.trial).unwrap();
        let sum = |part: fn(&Step) -> i64| steps.iter().map(part).sum::<i64>();
        let ranges = || report.trial.streams.iter().flat_map(|stream| &stream.lost_ranges);
        let own: u64 = ranges().map(|range| range.own_socket).sum();
        let all: u64 = ranges().map(|range| range.len).sum();
        assert_eq!(sum(|step| step.lost_by.receiver_socket), own as i64);
        assert_eq!(sum(|step| step.lost_by.elsewhere), (all - own) as i64);
        assert_eq!(of_losses(&sample::run().trial), None);
    }
}
