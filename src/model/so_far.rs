//! A trial so far: its intervals added up, in memory that does not grow with them.

use super::drops::LostByInterval;
use super::snapshot::{ReceiverInterval, SenderInterval, Snapshot};
use crate::units::Nanos;

/// All intervals that were told.
#[derive(Clone, Debug, Default)]
pub struct SoFar {
    /// End of the last of them, since the trial started.
    pub until: Nanos,
    /// The sending side, if this process sends.
    pub sender: Option<SenderInterval>,
    /// The receiving side, if this process receives. What is outstanding, and how many streams there are, is as of
    /// the last interval.
    pub receiver: Option<ReceiverInterval>,
    /// Where the lost ones were lost.
    pub lost_by: LostByInterval,
}

impl SoFar {
    /// Adds an interval.
    pub fn add(&mut self, snapshot: &Snapshot) {
        self.until = snapshot.start + snapshot.length;
        if let Some(sender) = &snapshot.sender {
            self.sender.get_or_insert_default().add(sender);
        }
        if let Some(receiver) = &snapshot.receiver {
            let sum = self.receiver.get_or_insert_with(|| {
                ReceiverInterval::new(receiver.patterns.variation.is_some())
            });
            sum.add(receiver);
            (sum.outstanding, sum.streams) = (receiver.outstanding, receiver.streams);
        }
        self.lost_by.add(&snapshot.host.lost_by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::model::spec::Role;

    #[test]
    fn counts_add_up_and_what_is_outstanding_does_not() {
        let mut so_far = SoFar::default();
        let intervals = sample::intervals(Role::Run);
        let mut snapshot = intervals[0].clone();
        snapshot.receiver.as_mut().unwrap().outstanding = 7;
        (0..3).for_each(|_| so_far.add(&snapshot));
        let (sum, one) = (so_far.receiver.unwrap(), snapshot.receiver.unwrap());
        assert_eq!(sum.counts.received, 3 * one.counts.received);
        assert_eq!(sum.one_way_delay.count(), 3 * one.one_way_delay.count());
        assert_eq!((sum.outstanding, sum.streams), (7, one.streams));
        let (sent, once) = (so_far.sender.unwrap(), snapshot.sender.unwrap());
        assert_eq!(sent.counts.offered, 3 * once.counts.offered);
        assert_eq!(so_far.until, snapshot.start + snapshot.length);
    }
}
