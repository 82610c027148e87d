//! What is found out of a stream on request: variation, media delivery index, reorder density.

use crate::model::metrics::{DensityReport, MediaReport, VariationReport};
use crate::model::snapshot::VariationSums;
use crate::stats::density::{BufferOccupancyDensity, ReorderDensity};
use crate::stats::mdi::Mdi;
use crate::stats::patterns::VariationHistograms;
use crate::stats::seq::Arrival;
use crate::stats::variation::{Ipdv, RtpJitter};
use crate::units::Nanos;

/// How datagrams vary from one to the next.
#[derive(Default)]
pub(super) struct Variation {
    ipdv: Ipdv,
    pub(super) jitter: RtpJitter,
    /// When the last datagram had left, and when it came.
    last: Option<(Nanos, Nanos)>,
    train: u64,
    /// The longest train of the interval that has not ended, and of those before.
    train_max: u64,
    train_max_before: u64,
}

/// Media delivery index of the intervals so far.
pub(super) struct Media {
    pub(super) index: Mdi,
    pub(super) report: MediaReport,
    /// Lost and reordered when the last interval ended.
    told: u64,
}

impl Variation {
    /// Enters a first copy. The times are when it was due, left and came.
    pub(super) fn enter(
        &mut self,
        seq: u64,
        arrival: Arrival,
        [due_at, left_at, received_at]: [Nanos; 3],
        into: &mut VariationHistograms,
    ) {
        self.ipdv.observe(seq, due_at, received_at, &mut into.ipdv);
        if let (Arrival::InOrder, Some((last_left, last_received))) = (arrival, self.last) {
            let departed = left_at.saturating_sub(last_left);
            into.note_gap(departed, received_at.saturating_sub(last_received));
            self.train = if departed == Nanos(0) { self.train + 1 } else { 0 };
            self.train_max = self.train_max.max(self.train);
        }
        self.last = Some((left_at, received_at));
    }

    pub(super) fn end_interval(&mut self) -> VariationSums {
        let sent_train_max = self.train_len(self.train_max);
        self.train_max_before = self.train_max_before.max(std::mem::take(&mut self.train_max));
        let rtp_jitter_ns = self.jitter.exact();
        VariationSums { ipdv: self.ipdv.end_interval(), rtp_jitter_ns, sent_train_max }
    }

    pub(super) fn report(&self) -> VariationReport {
        let train_max = self.train_len(self.train_max.max(self.train_max_before));
        VariationReport::of(&self.ipdv.sums(), self.jitter.exact(), train_max)
    }

    /// `train` counts the followers of a first datagram.
    fn train_len(&self, followers: u64) -> u64 {
        if self.last.is_some() { followers + 1 } else { 0 }
    }
}

impl Media {
    /// Nothing yet.
    pub(super) fn new(media_rate_bps: u64) -> Self {
        // A media packet of a transport stream has 188 bytes (ISO 13818-1); seven fill a datagram.
        let index = Mdi::new(media_rate_bps, 7);
        Self { index, report: MediaReport { media_rate_bps, ..MediaReport::default() }, told: 0 }
    }

    pub(super) fn end_interval(&mut self, troubled: u64, length: Nanos) -> MediaReport {
        let index = self.index.end_interval(troubled.saturating_sub(self.told), length);
        self.told = troubled;
        let report = &mut self.report;
        report.delay_factor_max_ns = report.delay_factor_max_ns.max(index.delay_factor);
        report.media_loss_rate_max = report.media_loss_rate_max.max(index.media_loss_rate);
        MediaReport {
            delay_factor_max_ns: index.delay_factor,
            media_loss_rate_max: index.media_loss_rate,
            ..*report
        }
    }
}

/// Where datagrams were displaced to, and how full a buffer that restores the order was.
pub(super) fn density(
    d: &ReorderDensity,
    o: &BufferOccupancyDensity,
    threshold: u16,
) -> DensityReport {
    let places = -i32::from(threshold)..=i32::from(threshold);
    let displacement = places.filter_map(|k| Some((k, d.density(k).filter(|share| *share > 0.0)?)));
    let held =
        (0..=threshold).filter_map(|k| Some((k, o.density(k).filter(|share| *share > 0.0)?)));
    DensityReport {
        threshold,
        displacement: displacement.collect(),
        occupancy: held.collect(),
        occupancy_mean: o.mean(),
    }
}
