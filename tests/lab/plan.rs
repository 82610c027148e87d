//! What the relay does to the datagrams of our protocol: rules by index, and by the same seed the
//! same fate for the same datagram, however busy the machine is.

use std::collections::BTreeSet;
use std::time::Duration;

use super::frame::Kind;

/// The fate of a datagram that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It never arrives.
    Drop,
    /// It arrives twice, the copies one behind the other.
    Double,
    /// It arrives right behind the next one that leaves at once.
    SwapWithNext,
    /// It arrives so much later; those behind it overtake it.
    Delay(Duration),
    /// One bit behind the first 30 bytes of payload is flipped, and the UDP checksum made to agree.
    Corrupt,
    /// One bit behind the first 30 bytes of payload is flipped, and the UDP checksum does not agree.
    Spoil,
    /// One bit of our header is flipped (not of its checksum), and the UDP checksum made to agree.
    CorruptHeader,
}

/// Which datagrams a rule matches, by their index in the order of arrival at the relay, from 0.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    /// These indexes.
    At(BTreeSet<u64>),
    /// The last of each `n`: `n - 1`, `2n - 1` and so on.
    Every(u64),
    /// Each with this probability.
    Ratio(f64),
}

/// The datagrams with these indexes: `at([7, 5000])`, `at(100..=102)`.
pub(crate) fn at(indexes: impl IntoIterator<Item = u64>) -> Which {
    Which::At(indexes.into_iter().collect())
}

/// The last datagram of each `n`.
pub(crate) fn every(n: u64) -> Which {
    Which::Every(n)
}

/// Each datagram with this probability.
pub(crate) fn ratio(probability: f64) -> Which {
    Which::Ratio(probability)
}

/// The rules of a relay. The first rule that matches a datagram decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    seed: u64,
    rules: Vec<(Which, Action)>,
    withheld: Vec<Kind>,
    per_stream: bool,
}

impl Plan {
    /// Everything passes.
    pub(crate) fn clean() -> Self {
        Self::default()
    }

    /// Everything passes, and what rules added leave to chance is decided by this seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Adds a rule for data datagrams.
    #[must_use]
    pub(crate) fn on(mut self, which: Which, action: Action) -> Self {
        self.rules.push((which, action));
        self
    }

    /// Withholds every announcement of this kind.
    #[must_use]
    pub(crate) fn without(mut self, kind: Kind) -> Self {
        assert!(!kind.is_data(), "data datagrams are withheld by rules");
        self.withheld.push(kind);
        self
    }

    /// Counts indexes (and swaps neighbours) in each source port's stream for itself, instead of
    /// over all data.
    #[must_use]
    pub(crate) fn per_stream(mut self) -> Self {
        self.per_stream = true;
        self
    }

    pub(super) fn is_per_stream(&self) -> bool {
        self.per_stream
    }

    pub(super) fn withholds(&self, kind: Kind) -> bool {
        self.withheld.contains(&kind)
    }

    /// The fate of the data datagram `index` of `stream` (0 where the plan counts over all).
    ///
    /// The source port has no say: the kernel chooses it anew each time.
    pub(super) fn action(&self, stream: u16, index: u64) -> Option<Action> {
        let matches = |number: usize, which: &Which| match which {
            Which::At(indexes) => indexes.contains(&index),
            Which::Every(n) => index % n == n - 1,
            Which::Ratio(probability) => {
                let drawn = self.draw(number as u64 + 1, stream, index) >> 11;
                (drawn as f64) < probability * (1u64 << 53) as f64
            }
        };
        let rule =
            self.rules.iter().enumerate().find(|(number, (which, _))| matches(*number, which));
        rule.map(|(_, (_, action))| *action)
    }

    /// Which bit to flip out of `bits`.
    pub(super) fn bit(&self, stream: u16, index: u64, bits: usize) -> usize {
        (self.draw(0, stream, index) % bits as u64) as usize
    }

    fn draw(&self, purpose: u64, stream: u16, index: u64) -> u64 {
        let mixed = split_mix(split_mix(self.seed) ^ purpose);
        split_mix(split_mix(mixed ^ u64::from(stream)) ^ index)
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
fn split_mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_rule_that_matches_decides() {
        let plan = Plan::clean().on(at([3]), Action::Drop).on(every(4), Action::Double);
        let fates: Vec<_> = (0..8).map(|index| plan.action(0, index)).collect();
        let [none, drop, double] = [None, Some(Action::Drop), Some(Action::Double)];
        assert_eq!(fates, [none, none, none, drop, none, none, none, double]);
    }

    #[test]
    fn ratio_is_decided_by_seed_stream_and_index() {
        let drops = |seed, stream| -> Vec<u64> {
            let plan = Plan::seeded(seed).on(ratio(0.1), Action::Drop);
            (0..100_000).filter(|&index| plan.action(stream, index).is_some()).collect()
        };
        assert_eq!(drops(1, 0), drops(1, 0));
        assert_ne!(drops(1, 0), drops(2, 0));
        assert_ne!(drops(1, 0), drops(1, 1));
        // Five standard deviations of a binomial with n = 100 000 and p = 0.1 are 474.
        assert!(drops(1, 0).len().abs_diff(10_000) < 474);
    }
}
