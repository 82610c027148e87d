//! What receivers found out about order, loss, copies and variation, beyond the counts.

use super::report::LostRange;
use crate::stats::coarse::{CoarseHistogram, coarse_histogram, record};
use crate::stats::patterns::PatternHistograms;
use crate::stats::reordering::ReorderingCounters;
use crate::stats::variation::IpdvSums;
use crate::units::Nanos;
use crate::wire::announcement::SenderClock;
use serde::{Deserialize, Serialize};

/// Order of one stream (RFC 4737). Ratios are of the first copies received; `null` when none came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderReport {
    /// Reordered of received (section 4.1).
    pub ratio: Option<f64>,
    /// Behind at least one with a higher number just before (section 5.3).
    pub degree_1: Option<f64>,
    /// Behind at least three: with these a TCP would have sent again (section 5.3).
    pub degree_3: Option<f64>,
    /// Longest extent, in arrivals (section 4.2).
    pub extent_max: u64,
    /// Reordered ones whose extent reaches further back than is remembered.
    pub extent_unknown: u64,
    /// Longest lateness (section 4.3).
    pub late_max_ns: Nanos,
    /// Most payload bytes that would have had to be held to restore the order (section 4.4).
    pub byte_offset_max: u64,
    /// Jumps over missing numbers (section 3.4).
    pub discontinuities: u64,
    /// Numbers jumped over.
    pub discontinuity_size: u64,
    /// Jumps of which something came later (section 4.5).
    pub reordering_discontinuities: u64,
    /// Mean run of arrivals in order (section 4.6); `null` when no run has ended.
    pub run_mean: Option<f64>,
    /// How unequal runs are; 1 is all equal (section 4.6).
    pub run_variation: Option<f64>,
}

impl From<ReorderingCounters> for OrderReport {
    fn from(counters: ReorderingCounters) -> Self {
        Self {
            ratio: counters.ratio(),
            degree_1: counters.degree_1(),
            degree_3: counters.degree_3(),
            extent_max: counters.extent_max,
            extent_unknown: counters.extent_unknown,
            late_max_ns: counters.late_max,
            byte_offset_max: counters.byte_offset_max,
            discontinuities: counters.discontinuities,
            discontinuity_size: counters.discontinuity_size,
            reordering_discontinuities: counters.reordering_discontinuities,
            run_mean: counters.run_mean(),
            run_variation: counters.run_variation(),
        }
    }
}

/// Losses of one stream (RFC 3357).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossReport {
    /// Loss periods: series of consecutive losses (section 4).
    pub periods: u64,
    /// Length of the longest.
    pub period_max: u64,
    /// Mean length; `null` when nothing is lost.
    pub period_mean: Option<f64>,
    /// Losses at most this far from the one before are noticeable (section 6.1).
    pub noticeable_distance: u64,
    /// Their share of all losses; `null` when nothing is lost.
    pub noticeable_rate: Option<f64>,
    /// The longest periods, longest first.
    pub longest: Vec<LostRange>,
}

/// Copies of one stream (RFC 5560); `null` when nothing came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CopiesReport {
    /// Further copies for each datagram that came (section 5.1).
    pub fraction: Option<f64>,
    /// Share of the datagrams of which more than one copy came (section 5.2).
    pub replicated_rate: Option<f64>,
}

/// Variation of one stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VariationReport {
    /// Datagrams whose predecessor in sending order came too.
    pub ipdv_pairs: u64,
    /// Smallest inter-packet delay variation (RFC 5481 section 4.1), signed; `null` without pairs.
    pub ipdv_min_ns: Option<i64>,
    /// Largest.
    pub ipdv_max_ns: Option<i64>,
    /// Mean; where delays are constant, the skew of the clocks (RFC 3393 section 5.2).
    pub ipdv_mean_ns: Option<f64>,
    /// Interarrival jitter as RTP estimates it; not to be taken quantitatively (RFC 3550 section 6.4.1).
    pub rtp_jitter_ns: f64,
    /// Most datagrams that the sender handed to its kernel at one instant: the longest train.
    pub sent_train_max: u64,
}

impl VariationReport {
    /// Of these variations.
    pub fn of(ipdv: &IpdvSums, rtp_jitter_ns: f64, sent_train_max: u64) -> Self {
        let range = ipdv.range();
        Self {
            ipdv_pairs: ipdv.pairs(),
            ipdv_min_ns: range.map(|(min, _)| min),
            ipdv_max_ns: range.map(|(_, max)| max),
            ipdv_mean_ns: ipdv.mean(),
            rtp_jitter_ns,
            sent_train_max,
        }
    }
}

/// How the clock of a stream's sender compares to the receiver's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockReport {
    /// Whether delays between the two mean anything.
    pub relation: ClockRelation,
    /// Both clocks together are wrong by at most this (RFC 7679 section 3.7); `null` when nobody knows.
    pub error_ns: Option<Nanos>,
    /// By so much this host's clock is faster, in millionths; `null` on one host, or when too little was seen.
    pub skew_ppm: Option<f64>,
    /// How often one of the clocks was set (or the route changed: from here it looks the same).
    pub steps: u64,
    /// By how much at most, with the sign of the change of this host's clock.
    pub step_max_ns: i64,
}

/// Whether delays between two clocks mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockRelation {
    /// One kernel, one clock.
    SameHost,
    /// Two clocks, both kept by a time service: delays are true but for `error_ns`.
    Disciplined,
    /// At least one clock that nobody keeps: only differences of delays mean anything.
    Apart,
    /// The sender was not heard to say what clock it has; taken for `apart`.
    #[default]
    Unknown,
}

impl ClockRelation {
    /// How two clocks compare, and by how much they are wrong together at most.
    pub fn between(own: &SenderClock, theirs: &SenderClock) -> (Self, Option<Nanos>) {
        match own.error.zip(theirs.error) {
            _ if own.host == theirs.host => (Self::SameHost, Some(Nanos(0))),
            Some((own, theirs)) => (Self::Disciplined, Some(own + theirs)),
            None => (Self::Apart, None),
        }
    }

    /// Whether a delay between the two clocks is a delay.
    pub fn is_comparable(self) -> bool {
        matches!(self, Self::SameHost | Self::Disciplined)
    }
}

/// Reorder density of one stream (RFC 5236), when asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DensityReport {
    /// Largest displacement and occupancy that are counted.
    pub threshold: u16,
    /// Share of the datagrams displaced by so many places; negative is early (section 4).
    pub displacement: Vec<(i32, f64)>,
    /// Share of the arrivals after which a reorder buffer held so many (section 5).
    pub occupancy: Vec<(u16, f64)>,
    /// Mean of it; `null` when nothing came.
    pub occupancy_mean: Option<f64>,
}

/// Media delivery index of one stream (RFC 4445), when its media rate is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaReport {
    /// Bits of media a second.
    pub media_rate_bps: u64,
    /// Largest delay factor of an interval (section 3.1); `null` when no interval had one.
    pub delay_factor_max_ns: Option<Nanos>,
    /// Most media packets lost or out of order a second in an interval (section 3.2).
    pub media_loss_rate_max: f64,
}

/// Everything about all streams of a receiver that is a histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Patterns {
    /// Extents of reordered datagrams, in arrivals (RFC 4737 section 4.2).
    pub reordering_extent: Buckets,
    /// Lateness of reordered datagrams (RFC 4737 section 4.3).
    pub reordering_late_ns: Buckets,
    /// Arrivals between reordering discontinuities (RFC 4737 section 4.5.4).
    pub reordering_gap: Buckets,
    /// Lengths of loss periods (RFC 3357 section 6.3).
    pub loss_period: Buckets,
    /// Loss distances (RFC 3357 section 5.4.1).
    pub loss_distance: Buckets,
    /// Magnitudes of inter-packet delay variation (RFC 5481 section 4.1).
    pub ipdv_ns: Buckets,
    /// Between datagrams that came one after the other, of each stream.
    pub inter_arrival_ns: Buckets,
    /// Between the same datagrams when the sender handed them to its kernel.
    pub inter_departure_ns: Buckets,
}

impl From<&PatternHistograms> for Patterns {
    fn from(of: &PatternHistograms) -> Self {
        let variation = of.variation.as_ref();
        let if_asked = |histogram| Option::map_or(histogram, Buckets::default(), Buckets::of);
        Self {
            reordering_extent: Buckets::of(&of.order.extents),
            reordering_late_ns: Buckets::of(&of.order.late),
            reordering_gap: Buckets::of(&of.order.gaps),
            loss_period: Buckets::of(&of.loss.lengths),
            loss_distance: Buckets::of(&of.loss.distances),
            ipdv_ns: if_asked(variation.map(|of| &of.ipdv)),
            inter_arrival_ns: if_asked(variation.map(|of| &of.inter_arrival)),
            inter_departure_ns: if_asked(variation.map(|of| &of.inter_departure)),
        }
    }
}

/// A histogram of few digits, written out. Values are the highest of their bucket: at most 0.8 % too high.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Buckets {
    /// How many values.
    pub count: u64,
    /// Median; `null` without values.
    pub p50: Option<u64>,
    /// 99 % were at most this.
    pub p99: Option<u64>,
    /// The highest.
    pub max: Option<u64>,
    /// Values and how often they came.
    pub buckets: Vec<(u64, u64)>,
}

impl Buckets {
    /// Writes a histogram out.
    pub fn of(histogram: &CoarseHistogram) -> Self {
        let at = |quantile| (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            p50: at(0.5),
            p99: at(0.99),
            // Not a quantile: counters that are full would let it fall short.
            max: (!histogram.is_empty()).then(|| histogram.max()),
            buckets: histogram
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_at_value().into()))
                .collect(),
        }
    }

    /// The histogram again, up to `highest`.
    pub fn histogram(&self, highest: u64) -> CoarseHistogram {
        let mut histogram = coarse_histogram(highest);
        self.buckets.iter().for_each(|&(value, count)| record(&mut histogram, value, count));
        histogram
    }
}
