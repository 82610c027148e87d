//! Delays of many datagrams, summed up.

use crate::stats::latency::{self, Delays};
use crate::stats::variation::pdv;
use crate::units::Nanos;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// Delays of many datagrams. A percentile is `null` when it reaches into those that are lost, whose delay is infinite
/// (RFC 7679 section 5.1), and when there are none; `min`, `mean` and `max` are of those that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many delays.
    pub count: u64,
    /// Shortest, exact.
    pub min: Nanos,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: Option<Nanos>,
    /// 90 % were at most this.
    pub p90: Option<Nanos>,
    /// 99 % were at most this.
    pub p99: Option<Nanos>,
    /// 99.9 % were at most this.
    pub p99_9: Option<Nanos>,
    /// 99.99 % were at most this.
    pub p99_99: Option<Nanos>,
    /// Longest, exact.
    pub max: Nanos,
    /// Longer than the histogram reaches (60 s); counted at its end.
    pub clamped: u64,
}

impl Percentiles {
    /// Of `delays` and so many `lost` datagrams, which are infinitely late (RFC 7679 section 5.1). In an interval
    /// that may be below zero, when some came that had been lost before: then nothing was.
    pub fn of(delays: &Delays, lost: impl TryInto<u64>) -> Self {
        let lost = lost.try_into().unwrap_or(0);
        let at = |percent| delays.percentile_with_losses(percent, lost)?.finite();
        Self {
            count: delays.histogram.len(),
            min: delays.min.unwrap_or_default(),
            mean: delays.histogram.mean(),
            p50: at(50_000),
            p90: at(90_000),
            p99: at(99_000),
            p99_9: at(99_900),
            p99_99: at(99_990),
            max: delays.max,
            clamped: delays.clamped,
        }
    }
}

/// Delays of many datagrams with their histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// What is shown of it.
    #[serde(flatten)]
    pub percentiles: Percentiles,
    /// The whole histogram: HdrHistogram V2, deflated, base64.
    pub hdr: String,
}

impl Distribution {
    /// Sums up `delays`, keeping its histogram. Nothing was lost.
    pub fn of(delays: &Delays) -> Self {
        Self::with_losses(delays, 0)
    }

    /// Sums up `delays` and so many `lost` datagrams, which are infinitely late (RFC 7679 section 5.1).
    pub fn with_losses(delays: &Delays, lost: u64) -> Self {
        Self { percentiles: Percentiles::of(delays, lost), hdr: encode(&delays.histogram) }
    }

    /// The histogram, decoded.
    ///
    /// # Errors
    /// Says what is wrong with a histogram that was not written by this program.
    pub fn histogram(&self) -> Result<Histogram<u64>, String> {
        if self.hdr.is_empty() { Ok(latency::histogram()) } else { decode(&self.hdr) }
    }
}

/// A histogram as reports hold it: HdrHistogram V2, deflated, base64.
pub(super) fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .expect("a histogram always fits into memory");
    BASE64_STANDARD.encode(bytes)
}

/// The same read back; says what is wrong with one that was not written by this program.
pub(super) fn decode(hdr: &str) -> Result<Histogram<u64>, String> {
    let bytes = BASE64_STANDARD.decode(hdr).map_err(|e| e.to_string())?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|e| e.to_string())
}

/// From the due time of a datagram to its receive time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneWayDelay {
    /// Which clocks it was taken between.
    pub clock: String,
    /// The delays that are not negative, and the lost datagrams.
    #[serde(flatten)]
    pub distribution: Distribution,
    /// How much they vary.
    pub pdv_ns: Pdv,
    /// Received before they were due: the clocks disagree.
    pub negative: u64,
    /// The most negative one, as a positive number.
    pub negative_max_ns: Nanos,
}

impl OneWayDelay {
    /// Sums up delays that were taken between the clocks that `clock` names, and so many `lost` datagrams.
    pub fn of(clock: String, delays: &Delays, lost: u64) -> Self {
        Self {
            clock,
            distribution: Distribution::with_losses(delays, lost),
            pdv_ns: Pdv::of(delays, lost),
            negative: delays.negative,
            negative_max_ns: delays.negative_max,
        }
    }
}

/// Packet delay variation: percentiles of the delay less the shortest delay (RFC 5481 section 4.2). `null` where the
/// percentile reaches into the lost ones, and when nothing came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pdv {
    /// Median.
    pub p50: Option<Nanos>,
    /// 99 % varied by at most this.
    pub p99: Option<Nanos>,
    /// 99.9 % varied by at most this: the number to compare (RFC 5481 section 6.5).
    pub p99_9: Option<Nanos>,
}

impl Pdv {
    /// Of `delays` and so many `lost` datagrams.
    pub fn of(delays: &Delays, lost: u64) -> Self {
        let at = |percent| pdv(delays, percent, lost);
        Self { p50: at(50_000), p99: at(99_000), p99_9: at(99_900) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::latency::Latency;

    fn delays(nanos: impl IntoIterator<Item = u64>) -> Delays {
        let mut latency = Latency::new();
        nanos.into_iter().for_each(|nanos| latency.record(Nanos(0), Nanos(nanos)));
        latency.read()
    }

    /// V32: of 1000, two are lost.
    #[test]
    fn a_percentile_that_reaches_into_the_lost_ones_is_no_number() {
        let delay = OneWayDelay::of(String::new(), &delays((0..998).map(|i| 1_000 + i % 10)), 2);
        let Percentiles { p50, p99, p99_9, p99_99, max, .. } = delay.distribution.percentiles;
        assert_eq!((p50, p99), (Some(Nanos(1_004)), Some(Nanos(1_009))));
        assert_eq!((p99_9, p99_99, max), (None, None, Nanos(1_009)));
        let pdv = Pdv { p50: Some(Nanos(4)), p99: Some(Nanos(9)), p99_9: None };
        assert_eq!(delay.pdv_ns, pdv);
    }

    #[test]
    fn of_nothing_there_are_no_percentiles() {
        for lost in [0, 7] {
            let delay = OneWayDelay::of(String::new(), &Latency::new().read(), lost);
            assert_eq!(
                (delay.distribution.percentiles.count, delay.distribution.percentiles.p50),
                (0, None)
            );
            assert_eq!(delay.pdv_ns, Pdv::default());
        }
    }
}
