//! What stands behind the header of an announcement: the sender's clock, and what the sender tells on itself.
//!
//! ```text
//!  34         42      46       48       52      56              64
//!  +----------+-------+--------+--------+-------+---------------+
//!  |   host   | error | thread | stalls | train | longest stall |   all numbers big-endian
//!  |    64    |   32  |   16   |   32   |   32  |      64       |   bits
//!  +----------+-------+--------+--------+-------+---------------+
//!
//!  64         72        80        88                           120
//!  +----------+---------+---------+------+------+------+------+
//!  | intended | offered | refused | min  | p50  | p99  | max  |
//!  |    64    |    64   |    64   |  64  |  64  |  64  |  64  |
//!  +----------+---------+---------+------+------+------+------+
//! ```
//!
//! *host* is the same for all that share the clock of one running kernel. *error* bounds how far that clock is
//! from the true time, in microseconds; 2^32 - 1 is not known.
//!
//! From *thread* on it is about one thread of the sender, all its streams together, since it began: its number in
//! the session, how often and for how long its loop stood still, how many datagrams it handed over at once at
//! most, how many were due, were taken and were refused, and the gaps between them as it handed them over. Times
//! are in nanoseconds. *intended* is 2^64 - 1 for as fast as possible, and the gaps are while there are none.

use crate::units::Nanos;

/// Length of an announcement, bytes.
pub const ANNOUNCEMENT_LEN: usize = 120;

const CLOCK: usize = 34;
const CONDUCT: usize = 46;

/// The clock that a sender times its datagrams by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderClock {
    /// The same for all that share the clock of one running kernel.
    pub host: u64,
    /// How far it is from the true time at most; `None`: nobody knows.
    pub error: Option<Nanos>,
}

/// What one thread of a sender has done since it began, as it tells it itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// Its number in the session.
    pub thread: u16,
    /// How often its loop stood still although there was work.
    pub stalls: u32,
    /// Most datagrams that it handed over at once: the longest train.
    pub train_max: u32,
    /// Longest time that its loop stood still.
    pub longest_stall: Nanos,
    /// Datagrams that were due; until the end, of those that it came to. `None` for as fast as possible.
    pub intended: Option<u64>,
    /// Datagrams that its kernel took.
    pub offered: u64,
    /// Datagrams that its kernel refused.
    pub refused: u64,
    /// Between datagrams as it handed them over; `None` before the second.
    pub gaps: Option<GapSummary>,
}

/// Gaps between datagrams in four numbers; those of one train are 0 apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapSummary {
    /// Shortest.
    pub min: Nanos,
    /// Median.
    pub p50: Nanos,
    /// 99 % were at most this.
    pub p99: Nanos,
    /// Longest.
    pub max: Nanos,
}

impl SenderClock {
    /// Writes it into an announcement of at least [`ANNOUNCEMENT_LEN`] bytes.
    pub(super) fn write(&self, announcement: &mut [u8]) {
        let error = error_micros(self.error);
        announcement[CLOCK..CLOCK + 8].copy_from_slice(&self.host.to_be_bytes());
        announcement[CLOCK + 8..CONDUCT].copy_from_slice(&error.to_be_bytes());
    }

    /// Reads it from an announcement; `None` if that is cut short.
    pub fn read(announcement: &[u8]) -> Option<Self> {
        let host = u64::from_be_bytes(*announcement.get(CLOCK..)?.first_chunk()?);
        let micros = u32::from_be_bytes(*announcement.get(CLOCK + 8..)?.first_chunk()?);
        Some(Self { host, error: error_of_micros(micros) })
    }
}

impl Conduct {
    /// Writes it into an announcement of at least [`ANNOUNCEMENT_LEN`] bytes.
    pub(super) fn write(&self, announcement: &mut [u8]) {
        let none = Nanos(u64::MAX);
        let none = GapSummary { min: none, p50: none, p99: none, max: none };
        let GapSummary { min, p50, p99, max } = self.gaps.unwrap_or(none);
        let intended = self.intended.unwrap_or(u64::MAX);
        let long = [self.longest_stall.0, intended, self.offered, self.refused];
        let long = long.into_iter().chain([min, p50, p99, max].map(|gap| gap.0));
        let (head, rest) = announcement[CONDUCT..ANNOUNCEMENT_LEN].split_at_mut(10);
        head[..2].copy_from_slice(&self.thread.to_be_bytes());
        head[2..6].copy_from_slice(&self.stalls.to_be_bytes());
        head[6..].copy_from_slice(&self.train_max.to_be_bytes());
        for (place, number) in rest.chunks_exact_mut(8).zip(long) {
            place.copy_from_slice(&number.to_be_bytes());
        }
    }

    /// Reads it from an announcement; `None` if that is cut short.
    pub fn read(announcement: &[u8]) -> Option<Self> {
        let body = announcement.get(CONDUCT..ANNOUNCEMENT_LEN)?;
        let mut long = [0; 8];
        for (number, place) in long.iter_mut().zip(body[10..].chunks_exact(8)) {
            *number = u64::from_be_bytes(*place.first_chunk()?);
        }
        let [longest_stall, intended, offered, refused, gaps @ ..] = long;
        let [min, p50, p99, max] = gaps.map(Nanos);
        Some(Self {
            thread: u16::from_be_bytes(*body.first_chunk()?),
            stalls: u32::from_be_bytes(*body[2..].first_chunk()?),
            train_max: u32::from_be_bytes(*body[6..].first_chunk()?),
            longest_stall: Nanos(longest_stall),
            intended: (intended != u64::MAX).then_some(intended),
            offered,
            refused,
            gaps: (min != Nanos(u64::MAX)).then_some(GapSummary { min, p50, p99, max }),
        })
    }

    /// How far its sender had come when it said so: of two of one thread, the larger one is newer.
    pub fn progress(&self) -> u64 {
        let Self { intended, offered, refused, stalls, .. } = *self;
        let counts = [intended.unwrap_or_default(), offered, refused, stalls.into()];
        counts.into_iter().fold(0, u64::saturating_add)
    }
}

/// The error of a clock as it is written: microseconds, rounded up; 2^32 - 1 is not known.
#[inline]
pub(super) fn error_micros(error: Option<Nanos>) -> u32 {
    let micros = error.map_or(u64::MAX, |error| error.0.div_ceil(1000));
    u32::try_from(micros).unwrap_or(u32::MAX)
}

/// The error of a clock as it is read.
#[inline]
pub(super) fn error_of_micros(micros: u32) -> Option<Nanos> {
    (micros != u32::MAX).then(|| Nanos(u64::from(micros) * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_clock_is_told_with_its_error() {
        for (error, read) in [
            (None, None),
            (Some(Nanos(1)), Some(Nanos(1000))),
            (Some(Nanos(5_000_000)), Some(Nanos(5_000_000))),
            (Some(Nanos(u64::MAX)), None),
        ] {
            let mut announcement = [0; ANNOUNCEMENT_LEN];
            let clock = SenderClock { host: 0x0123_4567_89ab_cdef, error };
            clock.write(&mut announcement);
            assert_eq!(
                SenderClock::read(&announcement),
                Some(SenderClock { error: read, ..clock })
            );
            assert_eq!(SenderClock::read(&announcement[..45]), None);
        }
    }

    #[test]
    fn the_conduct_stands_as_drawn() {
        let gaps = GapSummary { min: Nanos(9), p50: Nanos(10), p99: Nanos(11), max: Nanos(12) };
        let conduct = Conduct {
            thread: 0x0102,
            stalls: 3,
            train_max: 4,
            longest_stall: Nanos(5),
            intended: Some(6),
            offered: 7,
            refused: 8,
            gaps: Some(gaps),
        };
        let mut announcement = [0xaa; ANNOUNCEMENT_LEN];
        conduct.write(&mut announcement);
        assert_eq!(announcement[..CONDUCT], [0xaa; CONDUCT]);
        assert_eq!(announcement[46..48], [1, 2]);
        assert_eq!((announcement[51], announcement[55]), (3, 4));
        let long: Vec<_> = announcement[56..].chunks(8).map(|long| long[7]).collect();
        assert_eq!(long, [5, 6, 7, 8, 9, 10, 11, 12]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            thread: u16, stalls: u32, train_max: u32, longest_stall: u64, intended in prop::option::of(0..u64::MAX),
            offered: u64, refused: u64, gaps in prop::option::of(prop::array::uniform4(0..u64::MAX)),
        ) {
            let longest_stall = Nanos(longest_stall);
            let gaps = gaps.map(|gaps| {
                let [min, p50, p99, max] = gaps.map(Nanos);
                GapSummary { min, p50, p99, max }
            });
            let conduct =
                Conduct { thread, stalls, train_max, longest_stall, intended, offered, refused, gaps };
            let mut announcement = [0; ANNOUNCEMENT_LEN];
            conduct.write(&mut announcement);
            prop_assert_eq!(Conduct::read(&announcement), Some(conduct));
            prop_assert_eq!(Conduct::read(&announcement[..ANNOUNCEMENT_LEN - 1]), None);
        }
    }
}
