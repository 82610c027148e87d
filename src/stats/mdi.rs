//! Media delivery index: how large a buffer a stream of constant media rate needs, and what it loses (RFC 4445).

use crate::units::Nanos;

/// One interval of a stream (RFC 4445 section 3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MediaDeliveryIndex {
    /// DF: what a buffer must hold to play without pause, as the time in which the media rate drains it (section
    /// 3.1); `None` until an interval has begun with a datagram before it.
    pub delay_factor: Option<Nanos>,
    /// MLR: media packets lost or out of order, a second (section 3.2).
    pub media_loss_rate: f64,
}

/// Follows the virtual buffer of one stream.
#[derive(Debug)]
pub struct Mdi {
    /// Nominal rate of the media, in bits a second.
    media_rate: u64,
    /// Media packets in a datagram: 7 for transport streams.
    packets_in_datagram: u32,
    /// The last datagram of the interval before; the virtual buffer is empty then.
    began_at: Option<Nanos>,
    last_received_at: Option<Nanos>,
    /// Payload since `began_at`, in bits.
    bits: u64,
    /// Extremes of the virtual buffer since `began_at`, in bits times nanoseconds a second, so exact.
    lowest: i128,
    highest: i128,
    /// That of the last interval in which anything came.
    delay_factor: Option<Nanos>,
}

impl Mdi {
    /// A stream whose media plays at `media_rate` bits of payload a second, with so many media packets in each
    /// datagram. Constant memory.
    pub fn new(media_rate: u64, packets_in_datagram: u32) -> Self {
        assert!(media_rate > 0, "media without a rate");
        Self {
            media_rate,
            packets_in_datagram,
            began_at: None,
            last_received_at: None,
            bits: 0,
            lowest: 0,
            highest: 0,
            delay_factor: None,
        }
    }

    /// The virtual buffer is known to be empty at this time. Without this, it is so from the last datagram of the
    /// first interval on, which itself has no delay factor.
    pub fn begin_at(&mut self, at: Nanos) {
        self.began_at = Some(at);
    }

    /// Takes a datagram with this length of media.
    #[inline]
    pub fn observe(&mut self, received_at: Nanos, payload_len: u32) {
        self.last_received_at = Some(received_at);
        let Some(began_at) = self.began_at else { return };
        let drained =
            i128::from(self.media_rate) * i128::from(received_at.saturating_sub(began_at).0);
        let filled = |bits: u64| i128::from(bits) * i128::from(Nanos::SECOND.0) - drained;
        self.lowest = self.lowest.min(filled(self.bits));
        self.bits += u64::from(payload_len) * 8;
        self.highest = self.highest.max(filled(self.bits));
    }

    /// Ends the interval, which was so long and in which `missing` datagrams were lost or out of order. An empty
    /// interval repeats the last delay factor.
    pub fn end_interval(&mut self, missing: u64, length: Nanos) -> MediaDeliveryIndex {
        if self.bits > 0 {
            let drain_time = (self.highest - self.lowest) / i128::from(self.media_rate);
            self.delay_factor = Some(Nanos(u64::try_from(drain_time).unwrap_or(u64::MAX)));
        }
        if let Some(last) = self.last_received_at.take() {
            self.began_at = Some(last);
            (self.bits, self.lowest, self.highest) = (0, 0, 0);
        }
        let packets = missing as f64 * f64::from(self.packets_in_datagram);
        let media_loss_rate = if length.0 == 0 { 0.0 } else { packets / length.as_secs_f64() };
        MediaDeliveryIndex { delay_factor: self.delay_factor, media_loss_rate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// V47: 1000 bytes a second, 100 in each datagram.
    #[test]
    fn rfc_4445_section_3_1() {
        let mut mdi = Mdi::new(8000, 7);
        mdi.begin_at(Nanos(0));
        for at_ms in [100, 200, 500, 500, 600] {
            mdi.observe(Nanos(at_ms * 1_000_000), 100);
        }
        let index = mdi.end_interval(0, Nanos::SECOND);
        assert_eq!(index.delay_factor, Some(Nanos(300_000_000)));
    }

    /// V48: at a constant rate it is one datagram's worth.
    #[test]
    fn rfc_4445_section_3_1_perfect_stream() {
        let mut mdi = Mdi::new(3_750_000, 7);
        let mut delay_factors = Vec::new();
        let mut due = (0u64..).map(|n| Nanos(n * 1316 * 8 * 1_000_000_000 / 3_750_000));
        for _ in 0..3 {
            due.by_ref().take(356).for_each(|at| mdi.observe(at, 1316));
            let delay_factor = mdi.end_interval(0, Nanos::SECOND).delay_factor;
            delay_factors.push(delay_factor.map(|delay_factor| delay_factor.0 / 1000));
        }
        assert_eq!(delay_factors, [None, Some(2807), Some(2807)]);
    }

    /// V50: one lost datagram of seven transport stream packets.
    #[test]
    fn rfc_4445_section_3_2() {
        let mut mdi = Mdi::new(3_750_000, 7);
        assert_eq!(mdi.end_interval(1, Nanos::SECOND).media_loss_rate, 7.0);
        assert_eq!(mdi.end_interval(1, Nanos(2_000_000_000)).media_loss_rate, 3.5);
    }

    #[test]
    fn an_empty_interval_repeats_the_last() {
        let mut mdi = Mdi::new(8000, 1);
        mdi.begin_at(Nanos(0));
        mdi.observe(Nanos(50_000_000), 100);
        let first = mdi.end_interval(0, Nanos::SECOND);
        assert_eq!(first.delay_factor, Some(Nanos(100_000_000)));
        assert_eq!(mdi.end_interval(0, Nanos::SECOND), first);
        mdi.observe(Nanos(2_050_000_000), 100);
        let after = mdi.end_interval(0, Nanos::SECOND);
        assert_eq!(after.delay_factor, Some(Nanos(2_000_000_000)), "it ran dry meanwhile");
    }

    proptest! {
        /// The 2k + 1 samples of RFC 4445 section 3.1, all of them.
        #[test]
        fn agrees_with_the_samples(arrivals in prop::collection::vec((0u64..50, 1u32..1500), 1..100)) {
            let mut mdi = Mdi::new(8_000_000, 7);
            mdi.begin_at(Nanos(0));
            let (mut at_ms, mut bytes) = (0, 0);
            let mut samples = vec![0];
            for (gap_ms, len) in arrivals {
                at_ms += gap_ms;
                mdi.observe(Nanos(at_ms * 1_000_000), len);
                // A thousand bytes drain in a millisecond.
                samples.push(bytes - at_ms as i64 * 1000);
                bytes += i64::from(len);
                samples.push(bytes - at_ms as i64 * 1000);
            }
            let range = samples.iter().max().unwrap() - samples.iter().min().unwrap();
            let index = mdi.end_interval(0, Nanos::SECOND);
            prop_assert_eq!(index.delay_factor, Some(Nanos(range as u64 * 1000)));
        }
    }
}
