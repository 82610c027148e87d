//! Datagrams that do not know of each other: a Poisson stream.

use super::{Schedule, Turn};
use crate::units::Nanos;
use crate::units::rate::DatagramRate;

/// Gaps are exponentially distributed and independent of each other (RFC 2330 section 11.1).
///
/// Several senders are independent of each other too, each with its part of the rate: the sum of Poisson streams is
/// one. The same seed gives the same due times.
#[derive(Debug)]
pub struct Poisson {
    random: SplitMix64,
    /// Nanoseconds; of one sender.
    mean_gap: f64,
    due: Nanos,
    /// Of a nanosecond that the true due time is above `due`.
    rest: f64,
}

/// So many are counted one by one in the end; what a sender left undone beyond them is as many as the mean says, so
/// that the end of a trial does not take minutes.
const COUNTED: u64 = 10_000_000;

impl Poisson {
    /// `rate` for all senders together; `turn` says which of them this is.
    pub fn new(rate: DatagramRate, seed: u32, turn: Turn) -> Self {
        // Each sender has the seed of its place in the sequence that `seed` begins.
        let mut seeds = SplitMix64(seed.into());
        let own = (0..turn.index).fold(seeds.next(), |_, _| seeds.next());
        let mean_gap = 1e9 / rate.per_second() * f64::from(turn.of);
        let mut poisson = Self { random: SplitMix64(own), mean_gap, due: Nanos(0), rest: 0.0 };
        poisson.advance();
        poisson
    }

    #[inline]
    fn advance(&mut self) {
        let time = self.rest - self.random.uniform().ln() * self.mean_gap;
        self.due = Nanos(self.due.0.saturating_add(time as u64));
        self.rest = time.fract();
    }
}

impl Schedule for Poisson {
    #[inline]
    fn next_due(&mut self, _now: Nanos) -> Nanos {
        let due = self.due;
        self.advance();
        due
    }

    /// Exact up to ten million, which takes a moment; beyond them as many as the mean says.
    fn remaining_before(&mut self, end: Nanos) -> u64 {
        for count in 0..COUNTED {
            if self.due >= end {
                return count;
            }
            self.advance();
        }
        COUNTED + (end.saturating_sub(self.due).0 as f64 / self.mean_gap) as u64
    }
}

/// Random numbers that are the same everywhere (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
/// OOPSLA 2014).
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    #[inline]
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0, at most 1, in steps of 2^-53.
    #[inline]
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counted, dues};
    use super::*;
    use proptest::prelude::*;

    fn poisson(datagrams: u64, seed: u32, turn: Turn) -> Poisson {
        Poisson::new(DatagramRate { datagrams, seconds: 1 }, seed, turn)
    }

    const ALONE: Turn = Turn { index: 0, of: 1 };

    /// The first outputs that its authors' C code gives for the seed 1234567.
    #[test]
    fn the_generator_is_the_known_one() {
        let mut random = SplitMix64(1_234_567);
        let expected =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([(); 3].map(|()| random.next()), expected);
    }

    /// Gaps of an exponential distribution: mean and standard deviation are equal, 1 - 1/e of them are below the
    /// mean, and one does not tell the next.
    #[test]
    fn gaps_are_exponential_and_independent() {
        let due = dues(poisson(1_000_000, 42, ALONE), 200_001);
        let gaps: Vec<_> = due.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = |values: &dyn Fn(usize) -> f64| {
            (0..gaps.len() - 1).map(values).sum::<f64>() / (gaps.len() - 1) as f64
        };
        assert!((mean(&|n| gaps[n]) - 1000.0).abs() < 10.0);
        let variance = mean(&|n| (gaps[n] - 1000.0).powi(2));
        assert!((variance.sqrt() - 1000.0).abs() < 15.0);
        let below = mean(&|n| f64::from(u8::from(gaps[n] < 1000.0)));
        assert!((below - 0.632).abs() < 0.005, "{below}");
        let covariance = mean(&|n| (gaps[n] - 1000.0) * (gaps[n + 1] - 1000.0));
        assert!((covariance / variance).abs() < 0.01);
    }

    #[test]
    fn a_seed_says_it_all() {
        assert_eq!(dues(poisson(1000, 7, ALONE), 100), dues(poisson(1000, 7, ALONE), 100));
        assert_ne!(dues(poisson(1000, 7, ALONE), 100), dues(poisson(1000, 8, ALONE), 100));
    }

    #[test]
    fn senders_are_independent_and_their_sum_has_the_rate() {
        let end = Nanos(100 * Nanos::SECOND.0);
        let senders = [0, 1, 2].map(|index| Turn { index, of: 3 });
        let counts = senders.map(|turn| poisson(10_000, 7, turn).remaining_before(end));
        let all: u64 = counts.iter().sum();
        // The standard deviation of a million is a thousand.
        assert!((997_000..=1_003_000).contains(&all), "{all}");
        let firsts = senders.map(|turn| dues(poisson(10_000, 7, turn), 1)[0]);
        assert!(firsts[0] != firsts[1] && firsts[1] != firsts[2], "{firsts:?}");
    }

    #[test]
    fn counting_does_not_take_for_ever() {
        let hour = Nanos(3_600 * Nanos::SECOND.0);
        let remaining = poisson(1_000_000_000, 7, ALONE).remaining_before(hour);
        let off = remaining.abs_diff(3_600_000_000_000);
        assert!(off < 100_000, "{remaining}");
    }

    proptest! {
        #[test]
        fn remaining_equals_counting(
            datagrams in 1u64..5_000, seed: u32, of in 1u32..4, index in 0u32..4,
            asked in 0usize..50, end in 0u64..2_000_000_000,
        ) {
            let schedule = || poisson(datagrams, seed, Turn { index: index % of, of });
            let (remaining, counted) = counted(schedule, asked, Nanos(end));
            prop_assert_eq!(remaining, counted);
        }
    }
}
