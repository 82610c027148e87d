//! Reorder density and reorder buffer-occupancy density (RFC 5236): how far datagrams are displaced, and how many
//! of them a receiver would have to hold to deliver them in order.
//!
//! Both take first copies only, in the order in which they came, and give up on a number after a threshold: what
//! has not come by then is lost to them, and ignored when it comes.

use super::ratio::ratio;
use std::collections::VecDeque;

/// Reorder density, RD (RFC 5236 sections 5 and 7.1).
///
/// The receive index counts what arrives and skips what is lost. The displacement of a datagram is its receive index
/// less its sequence number, negative when it is early.
#[derive(Debug)]
pub struct ReorderDensity {
    /// The next receive index.
    receive_index: u64,
    /// Arrivals that wait until `threshold` more are known, so that what is lost can be told.
    window: VecDeque<u64>,
    /// Early ones whose receive index has not come.
    early: VecDeque<u64>,
    /// Largest displacement that counts, RFC 5236's DT.
    threshold: usize,
    /// For displacements from `-threshold` to `threshold`.
    frequencies: Box<[u64]>,
}

impl ReorderDensity {
    /// Takes displacements up to `threshold`. Holds 4 * `threshold` numbers, the only allocation. An arrival in
    /// order costs the same whatever the threshold; others search through up to 2 * `threshold` numbers.
    pub fn new(threshold: u16) -> Self {
        let threshold = usize::from(threshold);
        Self {
            receive_index: 0,
            window: VecDeque::with_capacity(threshold + 1),
            early: VecDeque::with_capacity(threshold),
            threshold,
            frequencies: vec![0; 2 * threshold + 1].into(),
        }
    }

    /// Takes a first copy.
    #[inline]
    pub fn observe(&mut self, seq: u64) {
        if self.window.len() > self.threshold {
            self.place_one();
        }
        // What lies below was given up as lost.
        if seq >= self.receive_index {
            self.window.push_back(seq);
        }
    }

    /// The stream is over: nothing can become early or late any more.
    pub fn finish(&mut self) {
        while !self.window.is_empty() {
            self.place_one();
        }
    }

    /// How many datagrams had this displacement.
    pub fn frequency(&self, displacement: i32) -> u64 {
        let at = self.threshold as i64 + i64::from(displacement);
        usize::try_from(at).ok().and_then(|at| self.frequencies.get(at)).copied().unwrap_or(0)
    }

    /// The share of datagrams that had this displacement (RFC 5236 section 5); `None` when there were none.
    pub fn density(&self, displacement: i32) -> Option<f64> {
        density(&self.frequencies, self.frequency(displacement))
    }

    /// Gives the oldest arrival in the window its receive index.
    fn place_one(&mut self) {
        let Some(seq) = self.window.front().copied() else { return };
        if seq != self.receive_index {
            self.skip_lost();
        }
        self.window.pop_front();
        let index = self.receive_index;
        let distance = seq.abs_diff(index);
        if distance > self.threshold as u64 {
            return;
        }
        if let Some(at) = self.early.iter().position(|&early| early == index) {
            self.early.swap_remove_back(at);
        }
        if seq > index {
            self.early.push_back(seq);
        }
        let at = if seq > index {
            self.threshold - distance as usize
        } else {
            self.threshold + distance as usize
        };
        self.frequencies[at] += 1;
        self.receive_index += 1;
    }

    /// Moves the receive index up to the next number that came.
    fn skip_lost(&mut self) {
        let came = self.window.iter().chain(&self.early).copied();
        if let Some(next) = came.filter(|&seq| seq >= self.receive_index).min() {
            self.receive_index = next;
        }
    }
}

/// Reorder buffer-occupancy density, RBD (RFC 5236 sections 6 and 7.2).
///
/// Early arrivals wait in a buffer for what is missing before them. When the buffer would have to hold more than its
/// threshold, what is missing is given up.
#[derive(Debug)]
pub struct BufferOccupancyDensity {
    /// The number that would leave the buffer empty; `None` before anything is known.
    next_expected: Option<u64>,
    /// The buffer, ascending.
    held: VecDeque<u64>,
    /// Largest occupancy, RFC 5236's BT.
    threshold: usize,
    /// For occupancies from 0 to `threshold`.
    frequencies: Box<[u64]>,
}

impl BufferOccupancyDensity {
    /// A buffer for `threshold` datagrams. Holds 2 * `threshold` numbers, the only allocation.
    pub fn new(threshold: u16) -> Self {
        let threshold = usize::from(threshold);
        Self {
            next_expected: None,
            held: VecDeque::with_capacity(threshold + 1),
            threshold,
            frequencies: vec![0; threshold + 1].into(),
        }
    }

    /// The stream is known to begin at `first`; without this, at the first arrival.
    pub fn begin_at(&mut self, first: u64) {
        self.next_expected.get_or_insert(first);
    }

    /// Takes a first copy.
    #[inline]
    pub fn observe(&mut self, seq: u64) {
        let next_expected = *self.next_expected.get_or_insert(seq);
        if seq < next_expected {
            return;
        }
        if seq == next_expected && self.held.is_empty() {
            self.next_expected = Some(seq + 1);
        } else {
            self.hold(seq, next_expected);
        }
        self.frequencies[self.held.len()] += 1;
    }

    /// After how many arrivals the buffer held so many.
    pub fn frequency(&self, occupancy: u16) -> u64 {
        self.frequencies.get(usize::from(occupancy)).copied().unwrap_or(0)
    }

    /// After which share of the arrivals the buffer held so many (RFC 5236 section 6); `None` when there were none.
    pub fn density(&self, occupancy: u16) -> Option<f64> {
        density(&self.frequencies, self.frequency(occupancy))
    }

    /// Mean occupancy, the recovery buffer of RFC 5236 section 9; `None` when nothing came.
    pub fn mean(&self) -> Option<f64> {
        let held: u64 = self.frequencies.iter().zip(0..).map(|(&count, k)| count * k).sum();
        density(&self.frequencies, held)
    }

    /// Puts `seq` into the buffer and takes out what can be delivered.
    fn hold(&mut self, seq: u64, mut next_expected: u64) {
        let at = self.held.partition_point(|&held| held < seq);
        self.held.insert(at, seq);
        if self.held.len() > self.threshold {
            next_expected = self.held[0];
        }
        while self.held.front() == Some(&next_expected) {
            self.held.pop_front();
            next_expected += 1;
        }
        self.next_expected = Some(next_expected);
    }
}

fn density(frequencies: &[u64], part: u64) -> Option<f64> {
    ratio(part, frequencies.iter().sum())
}

#[cfg(test)]
mod tests;
