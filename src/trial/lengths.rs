//! How long one sender's datagrams are, one after the other, where they are not all alike.

use crate::stats::schedule::Turn;
use crate::units::size_mix::{SizeMix, gcd};
use std::sync::Arc;

/// UDP payload lengths that come again and again.
#[derive(Debug)]
pub(super) struct Lengths {
    lens: Arc<[u16]>,
    /// Place of the next one.
    at: usize,
    /// Distance to the one after it.
    step: usize,
    /// After so many one is left out.
    round: u64,
    left_in_round: u64,
}

impl Lengths {
    /// Those of a mix, of which each of so many flows gets every length in proportion.
    pub(super) fn mixed(sizes: &SizeMix, flows: usize, turn: Turn) -> Self {
        let lens: Arc<[u16]> = sizes.cycle().into();
        let (len, flows) = (lens.len() as u64, flows as u64);
        // Flows take turns, and so do lengths. Where the numbers of both have a divisor in common, each flow would get
        // only some of the lengths; one step aside after each round brings it the others.
        let round = len / gcd(len, flows).max(1) * flows;
        // Senders begin at different places, so that not all send the same at the same time.
        let at = lens.len() * turn.index as usize / turn.of as usize;
        Self { lens, at, step: 1, round, left_in_round: round }
    }

    /// Those of a list of all senders, of which each takes its turn.
    pub(super) fn listed(lens: Arc<[u16]>, turn: Turn) -> Self {
        let (at, step) = (turn.index as usize % lens.len(), turn.of as usize);
        Self { lens, at, step, round: u64::MAX, left_in_round: u64::MAX }
    }

    /// Length of the next datagram, bytes.
    #[inline]
    pub(super) fn next(&self) -> usize {
        self.lens[self.at].into()
    }

    /// That one is taken.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.left_in_round -= 1;
        self.at += self.step;
        if self.left_in_round == 0 {
            self.left_in_round = self.round;
            self.at += 1;
        }
        while self.at >= self.lens.len() {
            self.at -= self.lens.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::size_mix::SizeShare;
    use proptest::prelude::*;

    fn take(lengths: &mut Lengths) -> usize {
        let len = lengths.next();
        lengths.advance();
        len
    }

    #[test]
    fn lists_are_shared_as_due_times_are() {
        let of = |index, of| {
            let mut lengths = Lengths::listed([10, 20, 30].into(), Turn { index, of });
            [(); 4].map(|()| take(&mut lengths))
        };
        assert_eq!(of(0, 1), [10, 20, 30, 10]);
        assert_eq!(of(1, 2), [20, 10, 30, 20]);
        assert_eq!(of(4, 5), [20, 10, 30, 20]);
    }

    proptest! {
        /// Whatever the number of groups, each gets exact proportions in as many datagrams as the mix has.
        #[test]
        fn each_flow_gets_all_lengths(
            weights in prop::collection::vec(1u32..9, 1..5), flows in 1usize..30, index in 0u32..3,
        ) {
            let shares = (100..).zip(weights);
            let share = |(payload_len, weight)| SizeShare { payload_len, weight };
            let mix = SizeMix::new(shares.map(share).collect()).unwrap();
            let mut lengths = Lengths::mixed(&mix, flows, Turn { index, of: 3 });
            let sent: Vec<_> =
                (0..mix.datagrams() as usize * flows).map(|_| take(&mut lengths)).collect();
            for flow in 0..flows {
                for share in mix.shares() {
                    let own = sent.iter().skip(flow).step_by(flows);
                    let count = own.filter(|&&len| len == usize::from(share.payload_len)).count();
                    prop_assert_eq!(count, share.weight as usize);
                }
            }
        }
    }
}
