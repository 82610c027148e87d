//! From the clock of a network card (PHC) to `CLOCK_REALTIME`, and how far that may be wrong.
//!
//! A card stamps by a clock of its own, which may count another time scale (PTP's is TAI, 37 s ahead), and which
//! nobody need keep in step. So one thread reads both clocks about once a second, draws a line through the last two
//! readings and shares it; receivers look for a new line once a batch, and convert every stamp by the one they have.
//!
//! The error is what the readings show: half of the bracket in which a reading was taken, and by how much the line
//! had missed it; the worst of all. Where the clock was set between two readings it misses by that much, and says so.

use crate::net::timestamp::Stamps;
use crate::sys::clock;
use crate::sys::ptp::{PtpClock, Reading};
use crate::units::Nanos;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

/// Between two looks at the clock.
const LOOK_EVERY: Nanos = Nanos::SECOND;

/// Between the first two, so that the first line knows the rate.
const FIRST_LOOK: Nanos = Nanos(50 * Nanos::MILLISECOND.0);

/// No oscillator is so far off: a faster change was a step, which says nothing of the rate.
const MOST_PPM: i64 = 1_000;

/// Both clocks at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    phc: Nanos,
    realtime: Nanos,
    /// Half of the time that the reading took, rounded up.
    error: Nanos,
}

impl Mark {
    /// That of the reading that took least.
    fn of(readings: &[Reading]) -> Option<Self> {
        let width = |reading: &Reading| reading.after.0.checked_sub(reading.before.0);
        let sound = readings.iter().filter_map(|reading| Some((width(reading)?, reading)));
        let (width, Reading { before, phc, .. }) = sound.min_by_key(|(width, _)| *width)?;
        let realtime = Nanos(before.0 + width / 2);
        Some(Self { phc: *phc, realtime, error: Nanos(width.div_ceil(2)) })
    }

    fn offset(&self) -> i64 {
        self.realtime.0.wrapping_sub(self.phc.0) as i64
    }
}

/// `CLOCK_REALTIME` less the PHC, as it changes with the PHC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    phc: u64,
    offset: i64,
    /// Change of the offset a nanosecond, in units of 2^-32.
    rate: i64,
}

impl Line {
    /// Through the second mark, as steep as the two say.
    fn through(earlier: &Mark, mark: &Mark) -> Self {
        let run = i128::from(mark.phc.0) - i128::from(earlier.phc.0);
        let rise = i128::from(mark.offset()) - i128::from(earlier.offset());
        let is_step = run <= 0 || rise.abs() * 1_000_000 > run * i128::from(MOST_PPM);
        let rate = if is_step { 0 } else { ((rise << 32) / run) as i64 };
        Self { phc: mark.phc.0, offset: mark.offset(), rate }
    }

    /// `CLOCK_REALTIME` when the card's clock showed `phc`.
    #[inline]
    pub fn realtime(&self, phc: Nanos) -> Nanos {
        let since = i128::from(phc.0.wrapping_sub(self.phc) as i64);
        let change = (since * i128::from(self.rate)) >> 32;
        Nanos(phc.0.wrapping_add_signed(self.offset).wrapping_add_signed(change as i64))
    }
}

/// The line, drawn by one thread and read by others, none of which waits for another.
#[derive(Debug)]
pub struct SharedLine {
    /// Odd while a line is being written; else it counts them.
    version: AtomicU64,
    phc: AtomicU64,
    offset: AtomicI64,
    rate: AtomicI64,
}

impl SharedLine {
    fn new(line: Line) -> Self {
        Self {
            version: AtomicU64::new(0),
            phc: line.phc.into(),
            offset: line.offset.into(),
            rate: line.rate.into(),
        }
    }

    /// By the one thread that draws.
    fn publish(&self, line: Line) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.phc.store(line.phc, Ordering::Relaxed);
        self.offset.store(line.offset, Ordering::Relaxed);
        self.rate.store(line.rate, Ordering::Relaxed);
        self.version.store(version + 2, Ordering::Release);
    }

    /// The line as last drawn; `None` just while it is being replaced, when the one before will do.
    #[inline]
    pub fn line(&self) -> Option<Line> {
        let version = self.version.load(Ordering::Acquire);
        let line = Line {
            phc: self.phc.load(Ordering::Relaxed),
            offset: self.offset.load(Ordering::Relaxed),
            rate: self.rate.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let is_whole = version.is_multiple_of(2) && version == self.version.load(Ordering::Relaxed);
        is_whole.then_some(line)
    }
}

/// Follows the clock from mark to mark.
#[derive(Debug)]
struct Follower {
    last: Mark,
    line: Line,
    worst: Nanos,
}

impl Follower {
    fn new(first: &Mark, second: Mark) -> Self {
        let line = Line::through(first, &second);
        Self { last: second, line, worst: first.error.max(second.error) }
    }

    fn observe(&mut self, mark: Mark) {
        let missed = self.line.realtime(mark.phc).0.abs_diff(mark.realtime.0);
        self.worst = self.worst.max(Nanos(missed.saturating_add(mark.error.0)));
        self.line = Line::through(&self.last, &mark);
        self.last = mark;
    }
}

/// The clock of a network card, followed.
#[derive(Debug)]
pub struct Phc {
    clock: PtpClock,
    index: u32,
    follower: Follower,
    shared: Arc<SharedLine>,
    next_look: Nanos,
    /// Whether the last look failed: how far the line may be off is then not known.
    is_lost: bool,
}

impl Phc {
    /// Opens `/dev/ptpN` and draws the first line. Takes `FIRST_LOOK`.
    ///
    /// # Errors
    /// The device cannot be opened or read.
    pub fn open(index: u32) -> io::Result<Self> {
        let clock = PtpClock::open(index)?;
        let first = mark(&clock)?;
        clock::sleep_until(clock::monotonic() + FIRST_LOOK);
        let follower = Follower::new(&first, mark(&clock)?);
        let shared = Arc::new(SharedLine::new(follower.line));
        let next_look = clock::monotonic() + LOOK_EVERY;
        Ok(Self { clock, index, follower, shared, next_look, is_lost: false })
    }

    /// Looks at the clock if it is time to. Not for those who receive: the card may take its time to answer.
    pub fn follow(&mut self) {
        let now = clock::monotonic();
        if now >= self.next_look {
            self.next_look = now + LOOK_EVERY;
            self.look();
        }
    }

    /// Looks at the clock.
    pub fn look(&mut self) {
        let mark = mark(&self.clock);
        self.is_lost = mark.is_err();
        if let Ok(mark) = mark {
            self.follower.observe(mark);
            self.shared.publish(self.follower.line);
        }
    }

    /// N of `/dev/ptpN`.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// So far a converted stamp may be from `CLOCK_REALTIME`, as the looks showed; `None` when the clock was lost.
    pub fn error(&self) -> Option<Nanos> {
        (!self.is_lost).then_some(self.follower.worst)
    }

    /// For those who read stamps of this clock.
    pub fn stamps(&self) -> Stamps {
        Stamps::Hardware { line: self.follower.line, shared: Arc::clone(&self.shared) }
    }
}

fn mark(clock: &PtpClock) -> io::Result<Mark> {
    Mark::of(&clock.readings()?).ok_or_else(|| io::Error::other("its readings make no sense"))
}

/// Stamps of a clock that shows `CLOCK_REALTIME`, for tests of those who read them.
#[cfg(test)]
pub(crate) fn stamps_without_offset() -> Stamps {
    let line = Line { phc: 0, offset: 0, rate: 0 };
    Stamps::Hardware { line, shared: Arc::new(SharedLine::new(line)) }
}

#[cfg(test)]
mod tests;
