//! Order, loss and variation of all streams of a receiver, over an interval or longer.

use super::coarse::{self, CoarseHistogram, coarse_histogram};
use super::latency;
use super::loss_pattern::LossHistograms;
use super::reordering::OrderHistograms;
use super::variation;
use crate::units::Nanos;

/// What is found out about the streams of one receiver, 60 KiB, and as much again with variation.
#[derive(Clone, Debug, Default)]
pub struct PatternHistograms {
    /// Order.
    pub order: OrderHistograms,
    /// Losses.
    pub loss: LossHistograms,
    /// How datagrams vary from one to the next, if that is to be found out.
    pub variation: Option<VariationHistograms>,
}

/// How datagrams vary from one to the next, 45 KiB.
#[derive(Clone, Debug)]
pub struct VariationHistograms {
    /// Magnitudes of inter-packet delay variation (RFC 5481 section 4.1).
    pub ipdv: CoarseHistogram,
    /// Between datagrams that came one after the other, of each stream.
    pub inter_arrival: CoarseHistogram,
    /// Between the same datagrams when the sender handed them to its kernel.
    pub inter_departure: CoarseHistogram,
}

impl Default for VariationHistograms {
    fn default() -> Self {
        Self {
            ipdv: variation::magnitudes(),
            inter_arrival: coarse_histogram(latency::HIGHEST.0),
            inter_departure: coarse_histogram(latency::HIGHEST.0),
        }
    }
}

impl PatternHistograms {
    /// Adds those of another receiver, or of another time.
    pub fn add(&mut self, other: &Self) {
        self.order.add(&other.order);
        self.loss.add(&other.loss);
        if let Some(other) = &other.variation {
            self.variation.get_or_insert_default().add(other);
        }
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.order.clear();
        self.loss.clear();
        self.variation.iter_mut().for_each(VariationHistograms::clear);
    }
}

impl VariationHistograms {
    /// Two datagrams that follow one another left and came so far apart.
    #[inline]
    pub fn note_gap(&mut self, departed: Nanos, arrived: Nanos) {
        self.inter_departure.saturating_record(departed.0);
        self.inter_arrival.saturating_record(arrived.0);
    }

    fn add(&mut self, other: &Self) {
        coarse::add(&mut self.ipdv, &other.ipdv);
        coarse::add(&mut self.inter_arrival, &other.inter_arrival);
        coarse::add(&mut self.inter_departure, &other.inter_departure);
    }

    fn clear(&mut self) {
        coarse::clear(&mut self.ipdv);
        coarse::clear(&mut self.inter_arrival);
        coarse::clear(&mut self.inter_departure);
    }
}
