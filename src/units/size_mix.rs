//! How long datagrams are: all alike, or of several lengths in fixed proportions.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Datagrams of several lengths in fixed proportions; of one length where there is only one share. Without any,
/// something else says how long each is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SizeMix {
    shares: Vec<SizeShare>,
}

/// One of the lengths, and how often it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeShare {
    /// UDP payload bytes a datagram.
    pub payload_len: u16,
    /// Datagrams of this length in each cycle of the mix.
    pub weight: u32,
}

/// Longest cycle, datagrams.
pub const MAX_CYCLE: u64 = 10_000;

impl SizeMix {
    /// All alike.
    pub fn of_one(payload_len: u16) -> Self {
        Self { shares: vec![SizeShare { payload_len, weight: 1 }] }
    }

    /// The lengths of `shares`, in the smallest numbers that have their proportions.
    ///
    /// # Errors
    /// Says which weight cannot be, or that a cycle would be longer than [`MAX_CYCLE`].
    pub fn new(mut shares: Vec<SizeShare>) -> Result<Self, String> {
        if let Some(share) = shares.iter().find(|share| share.weight == 0) {
            return Err(format!(
                "{} bytes have weight 0: they would never be sent",
                share.payload_len
            ));
        }
        let divisor = shares.iter().fold(0, |divisor, share| gcd(divisor, share.weight.into()));
        shares.iter_mut().for_each(|share| share.weight /= divisor.max(1) as u32);
        let mix = Self { shares };
        match mix.datagrams() {
            0 => Err("no size is given".into()),
            1..=MAX_CYCLE => Ok(mix),
            all => Err(format!("its weights add up to {all}, and the most is {MAX_CYCLE}")),
        }
    }

    /// The lengths and how often each comes.
    pub fn shares(&self) -> &[SizeShare] {
        &self.shares
    }

    /// The length of all, if they are alike.
    pub fn only(&self) -> Option<u16> {
        match self.shares[..] {
            [share] => Some(share.payload_len),
            _ => None,
        }
    }

    /// The longest; 0 without any.
    pub fn longest(&self) -> u16 {
        self.shares.iter().map(|share| share.payload_len).max().unwrap_or(0)
    }

    /// Datagrams in a cycle.
    pub fn datagrams(&self) -> u64 {
        self.shares.iter().map(|share| u64::from(share.weight)).sum()
    }

    /// UDP payload bytes in a cycle.
    pub fn bytes(&self) -> u64 {
        let bytes = |share: &SizeShare| u64::from(share.weight) * u64::from(share.payload_len);
        self.shares.iter().map(bytes).sum()
    }

    /// The lengths in the order in which they are sent, one cycle: each as evenly spread as its weight allows.
    ///
    /// Each turn every length earns its weight, and the one that has most pays for all and is sent. So each is sent
    /// exactly its weight in datagrams a cycle.
    pub fn cycle(&self) -> Box<[u16]> {
        let all = self.datagrams() as i64;
        let mut earned = vec![0_i64; self.shares.len()];
        let next = |_| {
            for (earned, share) in earned.iter_mut().zip(&self.shares) {
                *earned += i64::from(share.weight);
            }
            // Of equals the first.
            let most = (0..earned.len()).rev().max_by_key(|&index| earned[index])?;
            earned[most] -= all;
            Some(self.shares[most].payload_len)
        };
        (0..all).filter_map(next).collect()
    }
}

/// As typed: `1316`, `64:7,594:4,1518:1`.
impl fmt::Display for SizeMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(payload_len) = self.only() {
            return write!(f, "{payload_len}");
        }
        for (index, SizeShare { payload_len, weight }) in self.shares.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{payload_len}:{weight}")?;
        }
        Ok(())
    }
}

/// Greatest common divisor; of 0 and a number, that number.
pub fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mix(shares: &[(u16, u32)]) -> Result<SizeMix, String> {
        let share = |&(payload_len, weight)| SizeShare { payload_len, weight };
        SizeMix::new(shares.iter().map(share).collect())
    }

    #[test]
    fn the_internet_mix_is_spread() {
        let mix = mix(&[(64, 7), (594, 4), (1518, 1)]).unwrap();
        assert_eq!(mix.cycle()[..], [64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64]);
        assert_eq!((mix.datagrams(), mix.bytes(), mix.longest()), (12, 4342, 1518));
        assert_eq!((mix.only(), mix.to_string().as_str()), (None, "64:7,594:4,1518:1"));
    }

    #[test]
    fn one_length_is_a_mix_too() {
        let one = SizeMix::of_one(1316);
        assert_eq!(mix(&[(1316, 40)]), Ok(one.clone()));
        assert_eq!((one.cycle()[..].to_vec(), one.to_string().as_str()), (vec![1316], "1316"));
        assert_eq!(SizeMix::default().longest(), 0);
    }

    #[test]
    fn refusals_say_why() {
        assert_eq!(mix(&[]), Err("no size is given".into()));
        let never = "64 bytes have weight 0: they would never be sent";
        assert_eq!(mix(&[(1316, 1), (64, 0)]), Err(never.into()));
        let long = "its weights add up to 10001, and the most is 10000";
        assert_eq!(mix(&[(64, 10_000), (65, 1)]), Err(long.into()));
        assert_eq!(mix(&[(64, 1_000_000), (65, 2_000_000)]).unwrap().datagrams(), 3);
    }

    proptest! {
        #[test]
        fn proportions_are_exact_and_spread(weights in prop::collection::vec(1u32..50, 1..6)) {
            let shares: Vec<_> = (1000..).zip(weights).collect();
            let mix = mix(&shares).unwrap();
            let cycle = mix.cycle();
            for share in mix.shares() {
                let places = cycle.iter().filter(|&&len| len == share.payload_len).count();
                prop_assert_eq!(places, share.weight as usize);
                // Nowhere is one more than its share of the datagrams so far, and as many as there are lengths.
                let mut sent = 0;
                for (turn, &len) in (1..).zip(&cycle) {
                    sent += i64::from(len == share.payload_len);
                    let ideal = i64::from(share.weight) * turn;
                    let off = (sent * cycle.len() as i64 - ideal).abs();
                    prop_assert!(off < (cycle.len() * mix.shares().len()) as i64);
                }
            }
        }
    }
}
