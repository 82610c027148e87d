//! Loss, duplicates and reordering of one stream of sequence numbers (RFC 4737, 5560, 7680).
//!
//! The tracker remembers the last `window` sequence numbers in a ring of bits, so every arrival costs the same
//! small time and memory whatever the network did. What lies below the window is counted as too late: it may
//! be a straggler or a duplicate, and nobody can say which.
//!
//! A number that leaps ahead by a whole window or more is believed only when a second one confirms it. One
//! damaged or hostile datagram therefore moves nothing; it counts as corrupt.

use super::bits::Bits;

/// What one arrival was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next expected number (RFC 4737 section 3.3).
    InOrder,
    /// In order, but numbers before it are missing: a sequence discontinuity (RFC 4737 section 3.4).
    Gap {
        /// So many.
        missing: u64,
    },
    /// A first copy behind a higher number (RFC 4737 section 3.3).
    Reordered {
        /// Distance to the highest number seen.
        late_by: u64,
    },
    /// A further copy (RFC 5560).
    Duplicate,
    /// Below the window.
    TooLate,
    /// A leap that nothing has confirmed yet.
    Implausible,
}

/// What arrived. `received = unique + duplicates + too_late + corrupt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqCounters {
    /// All arrivals.
    pub received: u64,
    /// First copies.
    pub unique: u64,
    /// Further copies.
    pub duplicates: u64,
    /// First copies behind a higher number; part of `unique`.
    pub reordered: u64,
    /// Arrivals below the window.
    pub too_late: u64,
    /// Damaged payloads, and numbers that were never sent.
    pub corrupt: u64,
}

/// Follows one stream of sequence numbers.
///
/// ```
/// use mcast_bench::stats::seq::{Arrival, SeqTracker};
///
/// let mut tracker = SeqTracker::new(64);
/// assert_eq!(tracker.observe(1), Arrival::InOrder);
/// assert_eq!(tracker.observe(4), Arrival::Gap { missing: 2 });
/// assert_eq!(tracker.observe(2), Arrival::Reordered { late_by: 2 });
/// assert_eq!(tracker.observe(2), Arrival::Duplicate);
/// assert_eq!(tracker.finish(Some(6)), 2, "3 and 5 are lost");
/// ```
#[derive(Debug)]
pub struct SeqTracker {
    /// Whether `seq` came, for all of `next_expected - window .. next_expected`.
    seen: Bits,
    counters: SeqCounters,
    /// Lowest number that counts; `None` before anything is known.
    first: Option<u64>,
    /// Highest number seen + 1 (RFC 4737 section 3.3).
    next_expected: u64,
    /// A leap that waits for its confirmation.
    leap: Option<u64>,
    /// Where things stood before the first leap that was confirmed, in case the sender denies it at the end.
    before_leap: Option<(SeqCounters, u64)>,
}

impl SeqTracker {
    /// Remembers the last `window` numbers, a power of two of at least 64. The only allocation.
    pub fn new(window: usize) -> Self {
        Self {
            seen: Bits::new(window),
            counters: SeqCounters::default(),
            first: None,
            next_expected: 0,
            leap: None,
            before_leap: None,
        }
    }

    /// The stream is known to begin at `first`: what does not come from there on is lost.
    /// Without this, counting begins at the lowest number that comes.
    pub fn begin_at(&mut self, first: u64) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.next_expected = self.next_expected.max(first);
    }

    /// Classifies one arrival.
    #[inline]
    pub fn observe(&mut self, seq: u64) -> Arrival {
        self.counters.received += 1;
        if seq == self.next_expected && self.first.is_some() {
            self.take_as_highest(seq);
            return Arrival::InOrder;
        }
        self.observe_unexpected(seq)
    }

    /// Counts a datagram of this stream whose content cannot be believed.
    pub fn observe_corrupt(&mut self) {
        self.counters.received += 1;
        self.counters.corrupt += 1;
    }

    /// What has arrived so far.
    pub fn counters(&self) -> SeqCounters {
        self.counters
    }

    /// Lowest number that counts; `None` before anything is known.
    pub fn first(&self) -> Option<u64> {
        self.first
    }

    /// Highest number that came; `None` when none did.
    pub fn highest(&self) -> Option<u64> {
        (self.counters.unique > 0).then(|| self.next_expected - 1)
    }

    /// Numbers that are missing up to the highest that came.
    pub fn missing(&self) -> u64 {
        self.next_expected - self.first.unwrap_or(self.next_expected) - self.counters.unique
    }

    /// Gives memory back: from now on only the last 64 numbers are remembered. What is further behind is too late.
    pub fn forget(&mut self) {
        self.seen = self.seen.last_word(self.next_expected);
    }

    /// The stream is over. `sent` is one more than the last number sent, if the sender said so: whatever came
    /// from beyond it was never sent and is corrupt. Returns how many are lost; without `sent` those after
    /// the highest that came are unknown and not in it.
    pub fn finish(&mut self, sent: Option<u64>) -> u64 {
        let Some(sent) = sent else { return self.missing() };
        if let Some((before, next_expected)) = self.before_leap.take()
            && self.next_expected > sent
        {
            let received = self.counters.received;
            let corrupt = received - before.unique - before.duplicates - before.too_late;
            self.counters = SeqCounters { received, corrupt, ..before };
            self.next_expected = next_expected;
            self.leap = None;
        }
        let first = *self.first.get_or_insert(sent);
        self.deny_from(sent);
        if let Some(leap) = self.leap.take()
            && leap < sent
        {
            self.counters.unique += 1;
            self.counters.corrupt -= 1;
            self.next_expected = leap + 1;
        }
        sent.saturating_sub(first) - self.counters.unique
    }

    /// Numbers from `sent` on were never sent: those that came were corrupt. Looks no further than the window;
    /// of what came above it before, no more can have been true than there is room for.
    fn deny_from(&mut self, sent: u64) {
        if self.next_expected <= sent {
            return;
        }
        let first = self.first.unwrap_or(sent);
        let remembered = self.next_expected.saturating_sub(self.seen.len());
        let denied = (sent.max(remembered)..self.next_expected)
            .filter(|&seq| self.seen.get(seq))
            .count() as u64;
        let room = sent.saturating_sub(first);
        let unique = (self.counters.unique - denied).min(room);
        self.counters.corrupt += self.counters.unique - unique;
        self.counters.reordered = self.counters.reordered.min(unique);
        self.counters.unique = unique;
        self.next_expected = sent;
    }

    fn observe_unexpected(&mut self, seq: u64) -> Arrival {
        if self.first.is_none() {
            self.first = Some(seq);
            self.next_expected = seq;
            self.advance_to(seq);
            return Arrival::InOrder;
        }
        if seq >= self.next_expected {
            let missing = seq - self.next_expected;
            if missing >= self.seen.len() {
                return self.leap_to(seq);
            }
            self.advance_to(seq);
            return Arrival::Gap { missing };
        }
        let late_by = self.next_expected - 1 - seq;
        if late_by >= self.seen.len() {
            return self.fall_back_to(seq);
        }
        if self.seen.get(seq) {
            self.counters.duplicates += 1;
            return Arrival::Duplicate;
        }
        self.seen.set(seq);
        self.counters.unique += 1;
        self.counters.reordered += 1;
        self.first = self.first.map(|first| first.min(seq));
        Arrival::Reordered { late_by }
    }

    /// Takes `seq`, less than a window above all others, as the highest so far.
    fn advance_to(&mut self, seq: u64) {
        if seq > self.next_expected {
            self.seen.clear(self.next_expected, seq - 1);
        }
        self.take_as_highest(seq);
    }

    /// The bit of `seq` is the one of `seq - window`; setting it is all the forgetting there is to do.
    #[inline]
    fn take_as_highest(&mut self, seq: u64) {
        self.seen.set(seq);
        self.next_expected = seq + 1;
        self.counters.unique += 1;
    }

    /// A number at least a window ahead: an outage, or nonsense. Two that lie close together are an outage.
    fn leap_to(&mut self, seq: u64) -> Arrival {
        let window = self.seen.len();
        let Some(earlier) = self.leap.take_if(|leap| leap.abs_diff(seq) < window && *leap != seq)
        else {
            self.leap = Some(seq);
            self.counters.corrupt += 1;
            return Arrival::Implausible;
        };
        self.counters.corrupt -= 1;
        self.before_leap.get_or_insert((self.counters, self.next_expected));
        let missing = earlier - self.next_expected;
        self.seen.clear_all();
        self.next_expected = earlier;
        self.advance_to(earlier);
        match self.observe_unexpected(seq) {
            Arrival::Gap { missing: more } => Arrival::Gap { missing: missing + more },
            other => other,
        }
    }

    /// A number at least a window behind. Only when the very first datagram was nonsense is it worth going back.
    fn fall_back_to(&mut self, seq: u64) -> Arrival {
        if self.counters.unique > 1 || self.first != Some(self.next_expected - 1) {
            self.counters.too_late += 1;
            return Arrival::TooLate;
        }
        self.seen.clear_all();
        self.counters.corrupt += 1;
        self.counters.unique -= 1;
        self.first = Some(seq);
        self.next_expected = seq;
        self.advance_to(seq);
        Arrival::InOrder
    }
}

#[cfg(test)]
mod tests;
