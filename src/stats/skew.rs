//! How fast the sender's clock and ours drift apart, from one-way delays alone: the straight line that lies below all
//! delays and as close to them as can be (Moon, Skelly, Towsley; Zhang, Liu, Xia).
//!
//! Delays are those of the network plus the offset of the clocks. What the network adds is never negative, so the
//! lowest delays show the clocks. That line is the edge of the lower convex hull below the mean sending time.

use crate::units::Nanos;
use std::cmp::Ordering;

/// A delay and when its datagram was sent, on the sender's clock. Negative if that is ahead of ours by more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When it was sent.
    pub sent_at: Nanos,
    /// In nanoseconds.
    pub delay: i64,
}

/// A straight line under delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    from: Point,
    /// Later than `from`.
    to: Point,
}

impl Line {
    /// How much delays grow in a unit of time: by so much our clock is faster than the sender's. 1e-6 is 1 ppm.
    pub fn slope(&self) -> f64 {
        let rise = i128::from(self.to.delay) - i128::from(self.from.delay);
        rise as f64 / (self.to.sent_at - self.from.sent_at).0 as f64
    }

    /// Its height in nanoseconds at a sending time, rounded down.
    pub fn delay_at(&self, sent_at: Nanos) -> i64 {
        let rise = i128::from(self.to.delay) - i128::from(self.from.delay);
        let run = i128::from((self.to.sent_at - self.from.sent_at).0);
        let since = i128::from(sent_at.0) - i128::from(self.from.sent_at.0);
        let above = rise.saturating_mul(since).div_euclid(run);
        let delay = above.saturating_add(self.from.delay.into());
        i64::try_from(delay).unwrap_or(if delay < 0 { i64::MIN } else { i64::MAX })
    }
}

/// Lower convex hull of delays that come in order of sending.
#[derive(Clone, Debug)]
pub struct LowerHull {
    points: Vec<Point>,
    /// Bound of `points`.
    most: usize,
    pushed: u64,
    /// Sum of all sending times.
    times: u128,
}

impl LowerHull {
    /// No delays yet. Keeps `most` corners of 16 bytes, the only allocation. Delays that vary by chance make a few
    /// dozen; only clocks that drift evenly from one speed to another make many.
    pub fn new(most: usize) -> Self {
        assert!(most >= 4, "a hull of {most} corners");
        Self { points: Vec::with_capacity(most), most, pushed: 0, times: 0 }
    }

    /// Takes a delay. One that was sent before the last is ignored: a datagram that came out of order has waited,
    /// so it is not among the shortest. Constant time on average.
    ///
    /// When there are too many corners, every second one is forgotten, and the line may then lie above some delays.
    pub fn push(&mut self, point: Point) {
        self.pushed += 1;
        self.times += u128::from(point.sent_at.0);
        if let Some(last) = self.points.last() {
            match last.sent_at.cmp(&point.sent_at) {
                Ordering::Greater => return,
                Ordering::Equal if last.delay <= point.delay => return,
                Ordering::Equal => self.points.truncate(self.points.len() - 1),
                Ordering::Less => {}
            }
        }
        while let [.., before, last] = self.points[..]
            && !turns_upwards(before, last, point)
        {
            self.points.pop();
        }
        if self.points.len() == self.most {
            self.thin_out();
        }
        self.points.push(point);
    }

    /// The line below all delays whose distances from them have the smallest sum; `None` without two delays.
    pub fn line(&self) -> Option<Line> {
        if self.points.len() < 2 {
            return None;
        }
        let mean = (self.times / u128::from(self.pushed)) as u64;
        let after = self.points.partition_point(|point| point.sent_at.0 <= mean);
        let after = after.clamp(1, self.points.len() - 1);
        Some(Line { from: self.points[after - 1], to: self.points[after] })
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.points.clear();
        (self.pushed, self.times) = (0, 0);
    }

    /// Keeps both ends.
    fn thin_out(&mut self) {
        let last = self.points.len() - 1;
        let mut at = 0..;
        self.points.retain(|_| at.next().is_some_and(|at| at % 2 == 0 || at == last));
    }
}

/// Whether the way from `a` to `c` bends upwards at `b`, so that `b` is a corner of the hull.
fn turns_upwards(a: Point, b: Point, c: Point) -> bool {
    let run = |to: Point| i128::from((to.sent_at - a.sent_at).0);
    let rise = |to: Point| i128::from(to.delay) - i128::from(a.delay);
    run(b).saturating_mul(rise(c)) > rise(b).saturating_mul(run(c))
}

/// Estimates the skew of the clocks of a running stream.
///
/// Only the shortest delay of each bin of time goes into the hull, so most datagrams cost two comparisons. When the
/// shortest delays jump and stay, a clock was set (or the route changed: nobody can tell), and the estimate begins
/// anew.
#[derive(Clone, Debug)]
pub struct SkewEstimator {
    bin: Nanos,
    /// Jump of the shortest delay that is no skew, in nanoseconds.
    step: u64,
    bin_end: Nanos,
    /// The shortest delay of this bin.
    shortest: Option<Point>,
    /// That of the last bin in the hull.
    last: Option<Point>,
    /// That of the last bin, if it is too far from the one in the hull.
    jumped: Option<Point>,
    hull: LowerHull,
    steps: u64,
    largest_step: i64,
}

impl SkewEstimator {
    /// Bins of this length. A jump of the shortest delay by more than `step` is a step of a clock if the next bin
    /// agrees; it must be more than the skew of a bin. Holds 4 KiB; the only allocation.
    pub fn new(bin: Nanos, step: Nanos) -> Self {
        assert!(bin.0 > 0, "bins of no length");
        Self {
            bin,
            step: step.0,
            bin_end: Nanos(0),
            shortest: None,
            last: None,
            jumped: None,
            hull: LowerHull::new(256),
            steps: 0,
            largest_step: 0,
        }
    }

    /// Takes the delay of one datagram.
    #[inline]
    pub fn observe(&mut self, point: Point) {
        if point.sent_at >= self.bin_end {
            self.end_bin();
            self.bin_end = Nanos(point.sent_at.0.saturating_add(self.bin.0));
        } else if self.shortest.is_some_and(|shortest| point.delay >= shortest.delay) {
            return;
        }
        self.shortest = Some(point);
    }

    /// No more delays: takes the last bin.
    pub fn finish(&mut self) {
        self.end_bin();
    }

    /// The line under all complete bins since the last step; `None` before there are two.
    pub fn line(&self) -> Option<Line> {
        self.hull.line()
    }

    /// How often a clock was set, and by how much at most (as the delays saw it, so with the sign of the change
    /// of our clock against the sender's).
    pub fn steps(&self) -> (u64, i64) {
        (self.steps, self.largest_step)
    }

    fn end_bin(&mut self) {
        let Some(point) = self.shortest.take() else { return };
        let near = |other: Point| point.delay.abs_diff(other.delay) <= self.step;
        if self.last.is_some_and(|last| !near(last)) {
            match self.jumped.take_if(|jumped| near(*jumped)) {
                Some(jumped) => self.step_to(jumped),
                None => {
                    self.jumped = Some(point);
                    return;
                }
            }
        }
        self.jumped = None;
        self.last = Some(point);
        self.hull.push(point);
    }

    /// A clock was set: what was learned before `first` belongs to another line.
    fn step_to(&mut self, first: Point) {
        let before = self.last.map_or(first.delay, |last| last.delay);
        let by = first.delay.saturating_sub(before);
        self.steps += 1;
        if by.unsigned_abs() > self.largest_step.unsigned_abs() {
            self.largest_step = by;
        }
        self.hull.clear();
        self.hull.push(first);
    }
}

#[cfg(test)]
mod tests;
