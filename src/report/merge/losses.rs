//! One stream at all its receivers: which losses they share.
//!
//! No receiver knows the fate of every number: one came late, another left early, a third lost more ranges than its
//! result names. Each has a range of numbers that it knows about, and what lies outside takes no part. The ranges of
//! one receiver are forgotten when the next one is added, so that a thousand results cost the memory of one.

use crate::model::report::StreamReport;
use crate::stats::receivers::{intersection, joined};
use std::ops::Range;
use std::{iter, slice};

/// A stream while receivers are added.
pub(super) struct Losses {
    /// Numbers that no receiver so far got of those it knows about, and all that none knows about.
    got_by_none: Vec<Range<u64>>,
    rows: Vec<Row>,
}

struct Row {
    /// Index of the receiver; rows come in ascending order.
    receiver: usize,
    /// Numbers whose fate it knows.
    known: Range<u64>,
    /// How many of them it lost.
    named: u64,
    /// How many it lost in all.
    lost: u64,
}

/// What one receiver lost: the parts add up to its `lost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parted {
    pub(super) receiver: usize,
    pub(super) lost: u64,
    /// Lost by all that know about them.
    pub(super) common: u64,
    /// Got by another one.
    pub(super) own: u64,
    /// Not known, or known to this receiver only.
    pub(super) not_compared: u64,
}

impl Losses {
    pub(super) fn new() -> Self {
        Self { got_by_none: iter::once(0..u64::MAX).collect(), rows: Vec::new() }
    }

    /// Adds what `receiver` heard. Receivers are added in ascending order.
    pub(super) fn add(&mut self, receiver: usize, stream: &StreamReport) {
        let ranges = stream.lost_ranges.iter();
        let ranges = ranges.map(|range| range.first_seq..range.first_seq + range.len);
        self.add_ranges(receiver, known(stream), &ranges.collect::<Vec<_>>(), stream.lost);
    }

    /// Adds those that joined and got none of the `sent` datagrams.
    pub(super) fn add_deaf(&mut self, receivers: &[usize], sent: u64) {
        for &receiver in receivers {
            self.add_ranges(receiver, 0..sent, slice::from_ref(&(0..sent)), sent);
        }
        self.rows.sort_by_key(|row| row.receiver);
    }

    fn add_ranges(
        &mut self,
        receiver: usize,
        known: Range<u64>,
        lost_ranges: &[Range<u64>],
        lost: u64,
    ) {
        let ranges = intersection(lost_ranges, slice::from_ref(&known));
        self.rows.push(Row { receiver, known: known.clone(), named: total(&ranges), lost });
        let (before, behind) = (0..known.start, known.end..u64::MAX);
        let not_got: Vec<_> = iter::once(before).chain(ranges).chain([behind]).collect();
        self.got_by_none = joined(&intersection(&self.got_by_none, &not_got));
    }

    pub(super) fn heard_by(&self, receiver: usize) -> bool {
        self.rows.binary_search_by_key(&receiver, |row| row.receiver).is_ok()
    }

    /// The number after the last one that anybody knows about.
    pub(super) fn end(&self) -> u64 {
        self.rows.iter().map(|row| row.known.end).max().unwrap_or(0)
    }

    /// What was lost by all that know about it, where these are at least two; and the share of each receiver.
    pub(super) fn part(&self) -> (Vec<Range<u64>>, Vec<Parted>) {
        let common = intersection(&self.got_by_none, &self.shared());
        let parted = self.rows.iter().map(|row| {
            let known = slice::from_ref(&row.known);
            let got_by_none = total(&intersection(&self.got_by_none, known));
            let common = total(&intersection(&common, known));
            let own = row.named.saturating_sub(got_by_none);
            // A damaged result may name more than it counts.
            let common = common.min(row.lost.saturating_sub(own));
            let not_compared = row.lost.saturating_sub(own + common);
            Parted { receiver: row.receiver, lost: row.lost, common, own, not_compared }
        });
        let parted = parted.collect();
        (common, parted)
    }

    /// The numbers that at least two receivers know about.
    fn shared(&self) -> Vec<Range<u64>> {
        let edges = self.rows.iter().filter(|row| !row.known.is_empty());
        let mut edges: Vec<_> =
            edges.flat_map(|row| [(row.known.start, 1), (row.known.end, -1)]).collect();
        edges.sort_unstable();
        let (mut shared, mut receivers, mut start) = (Vec::new(), 0, 0);
        for (at, step) in edges {
            if receivers >= 2 && at > start {
                shared.push(start..at);
            }
            (receivers, start) = (receivers + step, at);
        }
        joined(&shared)
    }
}

/// The numbers whose fate a receiver knows.
fn known(stream: &StreamReport) -> Range<u64> {
    let first = stream.first_seq;
    let end = match (stream.lost_ranges_complete, stream.sent, stream.highest_seq) {
        // The ranges are the earliest ones; behind the last, some are missing.
        (false, ..) => stream.lost_ranges.last().map_or(first, |range| range.first_seq + range.len),
        (true, Some(sent), _) => first + sent,
        (true, None, highest) => highest.map_or(first, |highest| highest + 1),
    };
    first..end.max(first)
}

/// How many numbers there are in `ranges`.
pub(super) fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // A list of one range is what is meant.
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn part(receivers: &[(Range<u64>, Vec<Range<u64>>)]) -> (Vec<Range<u64>>, Vec<[u64; 3]>) {
        let mut losses = Losses::new();
        for (receiver, (known, lost)) in receivers.iter().enumerate() {
            losses.add_ranges(receiver, known.clone(), lost, total(lost));
        }
        let (common, parted) = losses.part();
        let parts = parted.iter().map(|row| [row.common, row.own, row.not_compared]);
        (common, parts.collect())
    }

    #[test]
    fn what_all_lost_is_common() {
        let (common, parts) =
            part(&[(0..10, vec![3..6]), (0..10, vec![5..7]), (0..10, vec![5..6])]);
        assert_eq!((common, parts), (vec![5..6], vec![[1, 2, 0], [1, 1, 0], [1, 0, 0]]));
    }

    #[test]
    fn who_was_not_there_takes_no_part() {
        // The second comes late and the third leaves early: 1 and 8 are known to two.
        let all = vec![1..2, 5..6, 8..9];
        let (common, parts) = part(&[(0..10, all), (4..10, vec![8..9]), (0..6, vec![1..2])]);
        assert_eq!((common, parts), (vec![1..2, 8..9], vec![[2, 1, 0], [1, 0, 0], [1, 0, 0]]));
    }

    #[test]
    fn what_one_alone_knows_is_not_compared() {
        let (common, parts) = part(&[(0..10, vec![1..3]), (20..30, vec![20..21])]);
        assert_eq!((common, parts), (vec![], vec![[0, 0, 2], [0, 0, 1]]));
    }

    #[test]
    fn nothing_heard_is_lost_on_the_own_branch() {
        let mut losses = Losses::new();
        losses.add_ranges(1, 0..10, &[4..5], 1);
        assert!(losses.heard_by(1) && !losses.heard_by(0));
        losses.add_deaf(&[0], losses.end());
        let (common, parted) = losses.part();
        assert_eq!(common, [4..5]);
        let deaf = Parted { receiver: 0, lost: 10, common: 1, own: 9, not_compared: 0 };
        assert_eq!(parted[0], deaf);
    }

    fn receiver() -> impl Strategy<Value = (Range<u64>, Vec<Range<u64>>)> {
        let seqs = prop::collection::btree_set(0u64..30, 0..15);
        (0u64..30, 0u64..30, seqs).prop_map(|(a, b, lost)| {
            let known = a.min(b)..a.max(b);
            let lost = lost.into_iter().filter(|seq| known.contains(seq));
            (known.clone(), lost.map(|seq| seq..seq + 1).collect())
        })
    }

    proptest! {
        #[test]
        fn agrees_with_asking_each_number(receivers in prop::collection::vec(receiver(), 1..6)) {
            let sets: Vec<(_, BTreeSet<u64>)> = receivers
                .iter()
                .map(|(known, lost)| (known, lost.iter().cloned().flatten().collect()))
                .collect();
            let knowing = |seq| sets.iter().filter(move |(known, _)| known.contains(&seq));
            let by_all = |seq| knowing(seq).all(|(_, lost)| lost.contains(&seq));
            let (common, parts) = part(&receivers);
            let expected: Vec<u64> =
                (0..30).filter(|&seq| knowing(seq).count() >= 2 && by_all(seq)).collect();
            prop_assert_eq!(common.into_iter().flatten().collect::<Vec<_>>(), expected);
            for ((_, lost), parts) in sets.iter().zip(parts) {
                let count = |of: &dyn Fn(u64) -> bool| lost.iter().filter(|&&seq| of(seq)).count();
                let alone = |seq| knowing(seq).count() == 1;
                let expected = [
                    count(&|seq| !alone(seq) && by_all(seq)),
                    count(&|seq| !by_all(seq)),
                    count(&alone),
                ];
                prop_assert_eq!(parts, expected.map(|count| count as u64));
            }
        }
    }
}
