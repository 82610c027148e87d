//! The offset between two clocks from timestamps exchanged both ways (RFC 5905 section 8).

use crate::units::Nanos;

/// A request and its reply, each stamped by both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// T1: the request left, on our clock.
    pub requested_at: Nanos,
    /// T2: the request came, on the other clock.
    pub heard_at: Nanos,
    /// T3: the reply left, on the other clock.
    pub replied_at: Nanos,
    /// T4: the reply came, on our clock.
    pub answered_at: Nanos,
}

impl Exchange {
    /// Theta: by so many nanoseconds the other clock is ahead of ours, if both ways took equally long (RFC 5905
    /// section 8). Wrong by half of what they differ in, so by [`Exchange::uncertainty`] at most.
    pub fn offset(&self) -> i64 {
        let there = difference(self.heard_at, self.requested_at);
        let back = difference(self.answered_at, self.replied_at);
        narrow((there - back) / 2)
    }

    /// Delta: both ways together (RFC 5905 section 8). Never below `precision`, the resolution of the clocks: where
    /// they run at different speeds, a long wait at the other side would make it negative.
    pub fn delay(&self, precision: Nanos) -> Nanos {
        let away = difference(self.answered_at, self.requested_at);
        let waited = difference(self.replied_at, self.heard_at);
        Nanos(u64::try_from(away - waited).unwrap_or(0)).max(precision)
    }

    /// The true offset is at most so far from [`Exchange::offset`], as neither way can have taken less than no time
    /// (RFC 5905 section 10).
    pub fn uncertainty(&self, precision: Nanos) -> Nanos {
        Nanos(self.delay(precision).0.div_ceil(2))
    }
}

/// The exchange with the smallest delay, whose offset is the least uncertain (RFC 5905 section 10).
pub fn best(exchanges: &[Exchange]) -> Option<&Exchange> {
    exchanges.iter().min_by_key(|exchange| exchange.delay(Nanos(0)))
}

/// Signed, as the two may be of different clocks.
fn difference(later: Nanos, earlier: Nanos) -> i128 {
    i128::from(later.0) - i128::from(earlier.0)
}

fn narrow(nanos: i128) -> i64 {
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exchange([requested_at, heard_at, replied_at, answered_at]: [u64; 4]) -> Exchange {
        Exchange {
            requested_at: Nanos(requested_at),
            heard_at: Nanos(heard_at),
            replied_at: Nanos(replied_at),
            answered_at: Nanos(answered_at),
        }
    }

    /// V74.
    #[test]
    fn rfc_5905_section_8() {
        let exchange = exchange([1000, 1150, 1160, 1110]);
        assert_eq!((exchange.offset(), exchange.delay(Nanos(1))), (100, Nanos(100)));
    }

    /// V75: the other clock is 75 ahead; 30 there, 70 back.
    #[test]
    fn rfc_5905_section_10_asymmetry_is_within_the_uncertainty() {
        let exchange = exchange([1000, 1105, 1115, 1110]);
        assert_eq!((exchange.offset(), exchange.delay(Nanos(1))), (55, Nanos(100)));
        assert_eq!(exchange.uncertainty(Nanos(1)), Nanos(50));
        assert_eq!(exchange.offset() - 75, (30 - 70) / 2);
        // The datagram there took 105 by the clocks, 50 by the offset, and in truth 30: within 50 of 50.
        assert_eq!(105 - exchange.offset(), 50);
    }

    /// V76: a reply after 64 s, by a clock 100 ppm fast.
    #[test]
    fn rfc_5905_section_8_delay_is_never_below_the_precision() {
        let exchange = exchange([0, 0, 64_006_400_000, 64_000_000_000]);
        assert_eq!(difference(exchange.answered_at, exchange.replied_at), -6_400_000);
        assert_eq!(exchange.delay(Nanos(1000)), Nanos(1000));
    }

    #[test]
    fn the_quickest_is_the_best() {
        let slow = exchange([0, 900, 900, 1000]);
        let quick = exchange([2000, 2110, 2110, 2020]);
        assert_eq!(best(&[slow, quick, slow]), Some(&quick));
        assert_eq!(best(&[]), None);
    }

    proptest! {
        /// However long the ways and the wait, the true offset is within the uncertainty.
        #[test]
        fn the_true_offset_is_within_the_uncertainty(
            offset in -1_000_000i64..1_000_000, there in 0u64..1_000_000, wait in 0u64..1_000_000,
            back in 0u64..1_000_000, at in 1_000_000u64..1 << 60,
        ) {
            let other = |ours: u64| ours.saturating_add_signed(offset);
            let stamps = [at, other(at + there), other(at + there + wait), at + there + wait + back];
            let exchange = exchange(stamps);
            let error = exchange.offset().abs_diff(offset);
            prop_assert!(error <= exchange.uncertainty(Nanos(1)).0);
            prop_assert_eq!(exchange.delay(Nanos(0)), Nanos(there + back));
        }

        #[test]
        fn survives_anything(stamps in any::<[u64; 4]>()) {
            let exchange = exchange(stamps);
            exchange.offset();
            exchange.uncertainty(Nanos(1));
        }
    }
}
