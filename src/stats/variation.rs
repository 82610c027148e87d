//! How much delays vary: against the shortest (PDV), against the datagram sent before (IPDV), and as RTP estimates
//! it (RFC 3393, 5481, 3550). A constant error of the clocks cancels in all of them; a skew does not.

use super::coarse::{self, CoarseHistogram};
use super::latency::{self, Delays};
use crate::units::Nanos;

/// Numbers within which both datagrams of a pair must come to be paired.
const REMEMBERED: usize = 64;

/// Packet delay variation: how much longer than the shortest delay those of `percent`, in thousandths of a per cent,
/// of the datagrams are at most (RFC 5481 section 4.2), over all `delays` and `lost` ones. `None` when
/// that is nothing, or when it reaches into the lost ones. With 99.9 %, it is the one number that RFC 5481 section
/// 6.5 recommends.
pub fn pdv(delays: &Delays, percent: u32, lost: u64) -> Option<Nanos> {
    let delay = delays.percentile_with_losses(percent, lost)?.finite()?;
    delays.min.map(|min| delay.saturating_sub(min))
}

/// An empty histogram of magnitudes in nanoseconds, 15 KiB.
pub fn magnitudes() -> CoarseHistogram {
    coarse::coarse_histogram(latency::HIGHEST.0)
}

/// Inter-packet delay variation: each delay less that of the datagram sent before (RFC 5481 section 4.1).
///
/// Pairs go by sequence numbers, so by sending order, whatever the order of arrival. A pair counts when both come;
/// a reordered datagram completes its two pairs when it comes less than 64 numbers late, later ones complete none.
#[derive(Debug)]
pub struct Ipdv {
    /// Delays of the last numbers, that of `seq` at `seq % REMEMBERED`.
    recent: Box<[(u64, i64); REMEMBERED]>,
    /// Of the interval that has not ended.
    now: IpdvSums,
    /// Of all intervals before it.
    before: IpdvSums,
}

/// Inter-packet delay variations, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpdvSums {
    pairs: u64,
    sum: i128,
    min: i64,
    max: i64,
}

impl Default for IpdvSums {
    fn default() -> Self {
        Self { pairs: 0, sum: 0, min: i64::MAX, max: i64::MIN }
    }
}

impl IpdvSums {
    /// How many pairs there were.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// The smallest and the largest, signed, in nanoseconds; `None` without pairs.
    pub fn range(&self) -> Option<(i64, i64)> {
        (self.pairs > 0).then_some((self.min, self.max))
    }

    /// Mean in nanoseconds; `None` without pairs. Where delays are otherwise constant, it is the skew of the
    /// clocks over the time between two datagrams (RFC 3393 section 5.2).
    pub fn mean(&self) -> Option<f64> {
        (self.pairs > 0).then(|| self.sum as f64 / self.pairs as f64)
    }

    /// Adds those of another stream, or of another time.
    pub fn add(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    #[inline]
    fn note(&mut self, ipdv: i64) {
        self.pairs += 1;
        self.sum += i128::from(ipdv);
        self.min = self.min.min(ipdv);
        self.max = self.max.max(ipdv);
    }
}

impl Default for Ipdv {
    fn default() -> Self {
        Self::new()
    }
}

impl Ipdv {
    /// No delays yet. Holds 1 KiB; the only allocation.
    pub fn new() -> Self {
        Self {
            recent: Box::new([NOTHING; REMEMBERED]),
            now: IpdvSums::default(),
            before: IpdvSums::default(),
        }
    }

    /// Takes the first copy of `seq`. Magnitudes, without their signs, go into `magnitudes`, which many streams can
    /// share.
    #[inline]
    pub fn observe(
        &mut self,
        seq: u64,
        due_at: Nanos,
        received_at: Nanos,
        magnitudes: &mut CoarseHistogram,
    ) {
        let delay = difference(received_at, due_at);
        let slot = &mut self.recent[seq as usize % REMEMBERED];
        if slot.0 > seq && *slot != NOTHING {
            return;
        }
        *slot = (seq, delay);
        if let Some(before) = seq.checked_sub(1).and_then(|seq| self.delay_of(seq)) {
            self.record(delay.wrapping_sub(before), magnitudes);
        }
        if let Some(after) = self.delay_of(seq.wrapping_add(1)) {
            self.record(after.wrapping_sub(delay), magnitudes);
        }
    }

    /// All variations so far.
    pub fn sums(&self) -> IpdvSums {
        let mut all = self.before;
        all.add(&self.now);
        all
    }

    /// Ends an interval; says what there was in it. A pair belongs to the interval in which its second one came.
    pub fn end_interval(&mut self) -> IpdvSums {
        self.before.add(&self.now);
        std::mem::take(&mut self.now)
    }

    #[inline]
    fn delay_of(&self, seq: u64) -> Option<i64> {
        let (other, delay) = self.recent[seq as usize % REMEMBERED];
        (other == seq).then_some(delay)
    }

    #[inline]
    fn record(&mut self, ipdv: i64, magnitudes: &mut CoarseHistogram) {
        self.now.note(ipdv);
        magnitudes.saturating_record(ipdv.unsigned_abs());
    }
}

/// An empty place; its number is never sent.
const NOTHING: (u64, i64) = (u64::MAX, 0);

/// Interarrival jitter, the estimator of RTP (RFC 3550 section 6.4.1). Not a measure: RFC 3550 section 6.4.4 says
/// that it is not to be taken quantitatively.
#[derive(Clone, Copy, Debug, Default)]
pub struct RtpJitter {
    last_transit: Option<i64>,
    jitter: f64,
    /// 16 times the jitter, as RFC 3550 section A.8 keeps it.
    scaled: u64,
}

impl RtpJitter {
    /// Takes the next arrival, in order of arrival and whether it is a duplicate or not. Both times may be in any
    /// unit and on any clock.
    #[inline]
    pub fn observe(&mut self, sent_at: Nanos, received_at: Nanos) {
        let transit = difference(received_at, sent_at);
        if let Some(last) = self.last_transit {
            let change = transit.wrapping_sub(last).unsigned_abs();
            self.jitter += (change as f64 - self.jitter) / 16.0;
            let decay = self.scaled.saturating_add(8) >> 4;
            self.scaled = self.scaled.saturating_add(change) - decay;
        }
        self.last_transit = Some(transit);
    }

    /// J of RFC 3550 section 6.4.1, exact.
    pub fn exact(&self) -> f64 {
        self.jitter
    }

    /// What an RTP receiver would report: the integer arithmetic of RFC 3550 section A.8.
    pub fn reported(&self) -> u64 {
        self.scaled >> 4
    }
}

/// From `earlier` to `later`, which may be of two clocks and so the other way round.
#[inline]
fn difference(later: Nanos, earlier: Nanos) -> i64 {
    later.0.wrapping_sub(earlier.0).cast_signed()
}

#[cfg(test)]
mod tests;
