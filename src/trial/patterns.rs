//! Histograms that all streams of a receiver share.

use crate::model::metrics::{Buckets, Patterns};
use crate::stats::coarse::{CoarseHistogram, coarse_histogram};
use crate::stats::latency;
use crate::stats::loss_pattern::LossHistograms;
use crate::stats::reordering::OrderHistograms;
use crate::stats::variation;
use crate::units::Nanos;

/// The histograms of one receiver, about 120 KiB.
#[derive(Debug)]
pub struct PatternHistograms {
    pub(super) order: OrderHistograms,
    pub(super) loss: LossHistograms,
    pub(super) ipdv: CoarseHistogram,
    inter_arrival: CoarseHistogram,
    inter_departure: CoarseHistogram,
}

impl Default for PatternHistograms {
    fn default() -> Self {
        Self::new()
    }
}

impl PatternHistograms {
    /// Empty ones. Takes all the memory they will ever need.
    pub fn new() -> Self {
        Self {
            order: OrderHistograms::new(),
            loss: LossHistograms::new(),
            ipdv: variation::magnitudes(),
            inter_arrival: coarse_histogram(latency::HIGHEST.0),
            inter_departure: coarse_histogram(latency::HIGHEST.0),
        }
    }

    /// Two datagrams that follow one another left and came so far apart.
    #[inline]
    pub(super) fn note_gap(&mut self, departed: Nanos, arrived: Nanos) {
        self.inter_departure.saturating_record(departed.0);
        self.inter_arrival.saturating_record(arrived.0);
    }

    /// Adds those of another receiver.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in self.all_mut().into_iter().zip(other.all()) {
            own.add(other).expect("the bounds are the same everywhere");
        }
    }

    /// Writes them out.
    pub(super) fn report(&self) -> Patterns {
        let [extent, late, gap, period, distance, ipdv, arrival, departure] =
            self.all().map(Buckets::of);
        Patterns {
            reordering_extent: extent,
            reordering_late_ns: late,
            reordering_gap: gap,
            loss_period: period,
            loss_distance: distance,
            ipdv_ns: ipdv,
            inter_arrival_ns: arrival,
            inter_departure_ns: departure,
        }
    }

    fn all(&self) -> [&CoarseHistogram; 8] {
        [
            &self.order.extents,
            &self.order.late,
            &self.order.gaps,
            &self.loss.lengths,
            &self.loss.distances,
            &self.ipdv,
            &self.inter_arrival,
            &self.inter_departure,
        ]
    }

    fn all_mut(&mut self) -> [&mut CoarseHistogram; 8] {
        [
            &mut self.order.extents,
            &mut self.order.late,
            &mut self.order.gaps,
            &mut self.loss.lengths,
            &mut self.loss.distances,
            &mut self.ipdv,
            &mut self.inter_arrival,
            &mut self.inter_departure,
        ]
    }
}
