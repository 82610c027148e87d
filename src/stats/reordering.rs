//! How far, how late and how often datagrams of one stream come behind their successors (RFC 4737).
//!
//! A datagram in order costs two additions. Everything else is told by its breaks: RFC 4737's sequence
//! discontinuities, and *runs* of arrivals whose sequence numbers follow one another. As every number comes once,
//! a reordered one lies below or above a run as a whole, never inside it; so a run is asked once, however long.
//!
//! Both are remembered in bounded lists, and what reaches beyond them is counted as unknown.

use super::coarse::{self, CoarseHistogram};
use super::latency;
use super::ratio::ratio;
use super::seq::Arrival;
use crate::units::Nanos;
use std::collections::VecDeque;

/// Longest extent that keeps its value in the histogram.
pub const EXTENT_HIGHEST: u64 = 1 << 24;

/// Runs that are remembered, and so the most that one reordered datagram has to look at.
const RUNS: usize = 256;

/// What one reordered datagram was (RFC 4737 sections 4.2 to 4.4 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reordered {
    /// Arrivals since the first one with a higher number (section 4.2.3); `None` when that is forgotten.
    pub extent: Option<u64>,
    /// Time since that arrival (section 4.3.3).
    pub late: Option<Nanos>,
    /// Payload that came with higher numbers, which a receiver would have to hold (section 4.4.3).
    pub byte_offset: Option<u64>,
    /// So many arrivals just before it all had higher numbers: it is n-reordered for all n up to this (section 5.3).
    pub n: u64,
}

/// What is known of the order of a stream (RFC 4737).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReorderingCounters {
    /// First copies received, RFC 4737's L.
    pub arrivals: u64,
    /// Those behind a higher number (section 3.3). Also the number of completed runs, section 4.6's x.
    pub reordered: u64,
    /// Those that came behind at least one, at least three with higher numbers (section 5.3): with the
    /// latter, a TCP would have sent again.
    pub n1_reordered: u64,
    /// See `n1_reordered`.
    pub n3_reordered: u64,
    /// Longest extent (section 4.2).
    pub extent_max: u64,
    /// Reordered ones whose extent and lateness reach further back than is remembered.
    pub extent_unknown: u64,
    /// Longest lateness (section 4.3).
    pub late_max: Nanos,
    /// Largest byte offset (section 4.4).
    pub byte_offset_max: u64,
    /// Reordered ones whose byte offset reaches further back than is remembered.
    pub byte_offset_unknown: u64,
    /// Jumps over missing numbers (section 3.4).
    pub discontinuities: u64,
    /// Numbers jumped over, come late or lost.
    pub discontinuity_size: u64,
    /// Jumps of which something came later (section 4.5).
    pub reordering_discontinuities: u64,
    /// Sum of the squared lengths of completed runs, section 4.6's q.
    pub run_squares: u128,
    /// Length of the run that has not ended.
    pub open_run: u64,
}

impl ReorderingCounters {
    /// Reordered of received (RFC 4737 section 4.1.3); `None` when nothing was.
    pub fn ratio(&self) -> Option<f64> {
        ratio(self.reordered, self.arrivals)
    }

    /// 1-reordered of received (RFC 4737 section 5.3 definition 2; the code of its appendix A divides by less).
    pub fn degree_1(&self) -> Option<f64> {
        ratio(self.n1_reordered, self.arrivals)
    }

    /// 3-reordered of received (RFC 4737 section 5.3 definition 2).
    pub fn degree_3(&self) -> Option<f64> {
        ratio(self.n3_reordered, self.arrivals)
    }

    /// Received in order, RFC 4737 section 4.6's a.
    pub fn in_order(&self) -> u64 {
        self.arrivals - self.reordered
    }

    /// Mean run of arrivals in order, a / x (RFC 4737 section 4.6.3); `None` when no run has ended.
    pub fn run_mean(&self) -> Option<f64> {
        ratio(self.in_order(), self.reordered)
    }

    /// How unequal runs are, (q / a) / (a / x) (RFC 4737 section 4.6.3): 1 when all are equal, more when
    /// reordering comes in clusters.
    pub fn run_variation(&self) -> Option<f64> {
        let in_order = self.in_order() as f64;
        Some(self.run_squares as f64 / in_order / self.run_mean()?)
    }

    /// Adds what is known of another stream, or of another time.
    pub fn add(&mut self, other: &Self) {
        self.arrivals += other.arrivals;
        self.reordered += other.reordered;
        self.n1_reordered += other.n1_reordered;
        self.n3_reordered += other.n3_reordered;
        self.extent_max = self.extent_max.max(other.extent_max);
        self.extent_unknown += other.extent_unknown;
        self.late_max = self.late_max.max(other.late_max);
        self.byte_offset_max = self.byte_offset_max.max(other.byte_offset_max);
        self.byte_offset_unknown += other.byte_offset_unknown;
        self.discontinuities += other.discontinuities;
        self.discontinuity_size += other.discontinuity_size;
        self.reordering_discontinuities += other.reordering_discontinuities;
        self.run_squares += other.run_squares;
        self.open_run += other.open_run;
    }

    fn jumped(&mut self, missing: u64) {
        self.discontinuities += 1;
        self.discontinuity_size += missing;
    }

    /// Counts a reordered one that ended a run of this length.
    fn count(&mut self, reordered: &Reordered, run: u64) {
        self.run_squares += u128::from(run) * u128::from(run);
        self.reordered += 1;
        self.n1_reordered += u64::from(reordered.n >= 1);
        self.n3_reordered += u64::from(reordered.n >= 3);
        match (reordered.extent, reordered.late) {
            (Some(extent), Some(late)) => {
                self.extent_max = self.extent_max.max(extent);
                self.late_max = self.late_max.max(late);
            }
            _ => self.extent_unknown += 1,
        }
        match reordered.byte_offset {
            Some(bytes) => self.byte_offset_max = self.byte_offset_max.max(bytes),
            None => self.byte_offset_unknown += 1,
        }
    }
}

/// Follows the order of one stream.
#[derive(Debug)]
pub struct Reordering {
    counters: ReorderingCounters,
    /// Payload of all arrivals.
    bytes: u64,
    /// Index of the last reordered arrival; indices count from 1.
    last_reordered: u64,
    /// In ascending order of both number and index.
    jumps: VecDeque<Jump>,
    /// Bound of `jumps`.
    remembered: usize,
    /// The newest jump that `jumps` has forgotten.
    forgotten: Option<Jump>,
    /// Index of the newest reordering discontinuity among the forgotten.
    forgotten_reordering: Option<u64>,
    /// The last one is always in order, grows silently and may still be empty.
    runs: VecDeque<Run>,
}

/// Counts and histograms of the order of streams. They are apart from [`Reordering`] so that many streams can share
/// them, and so that they can be had by intervals.
#[derive(Clone, Debug)]
pub struct OrderHistograms {
    /// All but the arrivals and the run that has not ended: what comes in order does not touch them.
    pub counters: ReorderingCounters,
    /// Extents of the reordered ones (RFC 4737 section 4.2.3).
    pub extents: CoarseHistogram,
    /// Lateness of the reordered ones in nanoseconds (RFC 4737 section 4.3.3).
    pub late: CoarseHistogram,
    /// Arrivals between successive reordering discontinuities (RFC 4737 section 4.5.4).
    pub gaps: CoarseHistogram,
}

impl Default for OrderHistograms {
    fn default() -> Self {
        Self::new()
    }
}

impl OrderHistograms {
    /// Empty ones, 34 KiB.
    pub fn new() -> Self {
        Self {
            counters: ReorderingCounters::default(),
            extents: coarse::coarse_histogram(EXTENT_HIGHEST),
            late: coarse::coarse_histogram(latency::HIGHEST.0),
            gaps: coarse::coarse_histogram(EXTENT_HIGHEST),
        }
    }

    /// The counters, where so many first copies came.
    pub fn counters_of(&self, arrivals: u64) -> ReorderingCounters {
        ReorderingCounters { arrivals, ..self.counters }
    }

    /// Adds those of another receiver, or of another time.
    pub fn add(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        coarse::add(&mut self.extents, &other.extents);
        coarse::add(&mut self.late, &other.late);
        coarse::add(&mut self.gaps, &other.gaps);
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.counters = ReorderingCounters::default();
        coarse::clear(&mut self.extents);
        coarse::clear(&mut self.late);
        coarse::clear(&mut self.gaps);
    }
}

/// An arrival that may have overtaken others: the first of all, and those that jumped over missing numbers.
#[derive(Clone, Copy, Debug)]
struct Jump {
    seq: u64,
    index: u64,
    received_at: Nanos,
    /// Something that it jumped over came later (RFC 4737 section 4.5).
    reordering: bool,
}

/// Arrivals one after the other whose numbers follow one another.
#[derive(Clone, Copy, Debug)]
struct Run {
    first_seq: u64,
    first_index: u64,
    /// Payload of all arrivals before it.
    bytes_before: u64,
}

impl Reordering {
    /// Remembers the last `discontinuities`, 32 bytes each, beside 6 KiB of runs. The memory is taken when a stream
    /// first falls out of step.
    pub fn new(discontinuities: usize) -> Self {
        assert!(discontinuities > 0, "one discontinuity at least");
        Self {
            counters: ReorderingCounters::default(),
            bytes: 0,
            last_reordered: 0,
            jumps: VecDeque::new(),
            remembered: discontinuities,
            forgotten: None,
            forgotten_reordering: None,
            runs: VecDeque::new(),
        }
    }

    /// Takes one first copy: `arrival` is what the sequence tracker said of `seq`. What it did not take for a first
    /// copy is ignored here. Says how a reordered one was reordered.
    #[inline]
    pub fn observe(
        &mut self,
        seq: u64,
        arrival: Arrival,
        received_at: Nanos,
        payload_len: u32,
        histograms: &mut OrderHistograms,
    ) -> Option<Reordered> {
        if arrival == Arrival::InOrder && self.counters.arrivals > 0 {
            self.counters.arrivals += 1;
            self.bytes += u64::from(payload_len);
            return None;
        }
        self.observe_break(seq, arrival, received_at, payload_len, histograms)
    }

    /// What is known so far.
    pub fn counters(&self) -> ReorderingCounters {
        let open_run = self.counters.arrivals - self.last_reordered;
        ReorderingCounters { open_run, ..self.counters }
    }

    #[cold]
    fn observe_break(
        &mut self,
        seq: u64,
        arrival: Arrival,
        received_at: Nanos,
        payload_len: u32,
        histograms: &mut OrderHistograms,
    ) -> Option<Reordered> {
        let next_expected = match arrival {
            Arrival::InOrder => seq,
            Arrival::Gap { missing } => seq.saturating_sub(missing),
            Arrival::Reordered { late_by } => seq.saturating_add(late_by).saturating_add(1),
            _ => return None,
        };
        self.counters.arrivals += 1;
        let index = self.counters.arrivals;
        self.end_run(next_expected);
        let run = Run { first_seq: seq, first_index: index, bytes_before: self.bytes };
        self.bytes += u64::from(payload_len);
        if !matches!(arrival, Arrival::Reordered { .. }) {
            if let Arrival::Gap { missing } = arrival {
                self.counters.jumped(missing);
                histograms.counters.jumped(missing);
            }
            self.push_run(run);
            self.push_jump(Jump { seq, index, received_at, reordering: false });
            return None;
        }
        let reordered = self.measure(run, received_at, histograms);
        self.count(&reordered, histograms);
        if !self.continues(run) {
            self.push_run(run);
        }
        self.last_reordered = index;
        let bytes_before = self.bytes;
        self.push_run(Run { first_seq: next_expected, first_index: index + 1, bytes_before });
        Some(reordered)
    }

    /// The arrival being observed ends the last run, which is in order: all of it lies below `next_expected`.
    /// (It may have been noted higher if the first datagram was nonsense that the tracker took back.)
    fn end_run(&mut self, next_expected: u64) {
        if let Some(run) = self.runs.back_mut() {
            let len = self.counters.arrivals - run.first_index;
            run.first_seq = run.first_seq.min(next_expected.saturating_sub(len));
            if len == 0 {
                self.runs.pop_back();
            }
        }
        if self.jumps.back().is_some_and(|jump| jump.seq >= next_expected) {
            self.jumps.pop_back();
        }
    }

    /// Whether this reordered arrival belongs to the run of the reordered one just before: a block came late.
    fn continues(&self, Run { first_seq, first_index, .. }: Run) -> bool {
        self.runs.back().is_some_and(|last| {
            last.first_index <= self.last_reordered
                && first_seq.wrapping_sub(last.first_seq) == first_index - last.first_index
        })
    }

    /// How the arrival being observed, not in `runs` yet, is reordered.
    fn measure(
        &mut self,
        arrival: Run,
        received_at: Nanos,
        histograms: &mut OrderHistograms,
    ) -> Reordered {
        let Run { first_seq: seq, first_index: index, .. } = arrival;
        let higher = self.runs.iter().rev().take_while(|run| run.first_seq > seq).last();
        let n = higher.map_or(0, |run| index - run.first_index);
        let overtaker = self.designate(seq, histograms);
        Reordered {
            extent: overtaker.map(|overtaker| index - overtaker.index),
            late: overtaker.map(|overtaker| received_at.saturating_sub(overtaker.received_at)),
            byte_offset: overtaker.and_then(|overtaker| self.bytes_above(arrival, overtaker.index)),
            n,
        }
    }

    /// Payload of the numbers above `arrival` that came from index `since` on.
    fn bytes_above(&self, arrival: Run, since: u64) -> Option<u64> {
        let mut bytes = 0;
        let mut end = arrival.bytes_before;
        for run in self.runs.iter().rev() {
            if run.first_seq > arrival.first_seq {
                bytes += end - run.bytes_before;
            }
            if run.first_index <= since {
                return Some(bytes);
            }
            end = run.bytes_before;
        }
        None
    }

    fn count(&mut self, reordered: &Reordered, histograms: &mut OrderHistograms) {
        let run = self.counters.arrivals - self.last_reordered - 1;
        self.counters.count(reordered, run);
        histograms.counters.count(reordered, run);
        if let (Some(extent), Some(late)) = (reordered.extent, reordered.late) {
            coarse::record(&mut histograms.extents, extent, 1);
            coarse::record(&mut histograms.late, late.0, 1);
        }
    }

    /// The first arrival with a higher number than `seq`, which is always a jump (RFC 4737 section 4.5.3); `None`
    /// when it is forgotten. It is a reordering discontinuity from now on.
    fn designate(&mut self, seq: u64, histograms: &mut OrderHistograms) -> Option<Jump> {
        if self.forgotten.is_some_and(|forgotten| forgotten.seq > seq) {
            return None;
        }
        let at = self.jumps.partition_point(|jump| jump.seq < seq);
        let overtaker = *self.jumps.get(at)?;
        if !overtaker.reordering {
            self.jumps[at].reordering = true;
            self.counters.reordering_discontinuities += 1;
            histograms.counters.reordering_discontinuities += 1;
            let before = self.jumps.iter().take(at).rev().find(|jump| jump.reordering);
            let before = before.map(|jump| jump.index).or(self.forgotten_reordering);
            if let Some(before) = before {
                coarse::record(&mut histograms.gaps, overtaker.index - before, 1);
            }
        }
        Some(overtaker)
    }

    fn push_jump(&mut self, jump: Jump) {
        if self.jumps.len() == self.remembered {
            self.forgotten = self.jumps.pop_front();
            if let Some(forgotten) = self.forgotten.filter(|forgotten| forgotten.reordering) {
                self.forgotten_reordering = Some(forgotten.index);
            }
        }
        self.jumps.push_back(jump);
    }

    fn push_run(&mut self, run: Run) {
        if self.runs.len() == RUNS {
            self.runs.pop_front();
        }
        self.runs.push_back(run);
    }
}

#[cfg(test)]
mod tests;
