//! Made-up order, loss, copies and variation.

use super::STARTED_AT;
use crate::model::metrics::*;
use crate::model::report::{LostRange, StreamReport};
use crate::stats::coarse::{coarse_histogram, record};
use crate::stats::latency;
use crate::units::Nanos;

/// A stream without trouble: a datagram every 10 µs, in trains of eight at most.
pub(super) fn variation(received: u64) -> VariationReport {
    let pairs = received.saturating_sub(1);
    let if_paired = |value| (pairs > 0).then_some(value);
    VariationReport {
        ipdv_pairs: pairs,
        ipdv_min_ns: if_paired(-398_000),
        ipdv_max_ns: if_paired(401_000),
        ipdv_mean_ns: (pairs > 0).then_some(0.25),
        rtp_jitter_ns: if pairs > 0 { 4_210.5 } else { 0.0 },
        sent_train_max: received.min(8),
    }
}

pub(super) fn order(received: u64) -> OrderReport {
    let none = (received > 0).then_some(0.0);
    OrderReport { ratio: none, degree_1: none, degree_3: none, ..OrderReport::default() }
}

pub(super) fn copies(received: u64) -> CopiesReport {
    let none = (received > 0).then_some(0.0);
    CopiesReport { fraction: none, replicated_rate: none }
}

/// Histograms of as many datagrams as were `received`, nothing being wrong with them.
pub(super) fn patterns(received: u64) -> Patterns {
    let pairs = received.saturating_sub(1);
    Patterns {
        ipdv_ns: typical(pairs, 6_400),
        inter_arrival_ns: typical(pairs, 10_000),
        inter_departure_ns: gaps(pairs),
        ..Patterns::default()
    }
}

/// Gaps of a sender that wakes up for a few datagrams at a time.
pub(super) fn gaps(count: u64) -> Buckets {
    let late = count / 100;
    buckets(&[(0, late), (10_000, count - 2 * late), (20_400, late)])
}

fn typical(count: u64, typical: u64) -> Buckets {
    let (few, fewer) = (count / 50, count / 5_000);
    buckets(&[(typical, count - few - fewer), (3 * typical / 2, few), (40 * typical, fewer)])
}

/// Values and how often they came.
pub(super) fn buckets(values: &[(u64, u64)]) -> Buckets {
    let mut histogram = coarse_histogram(latency::HIGHEST.0);
    let values = values.iter().filter(|(_, count)| *count > 0);
    values.for_each(|&(value, count)| record(&mut histogram, value, count));
    Buckets::of(&histogram)
}

/// Loses 64 in a burst, two seconds after the start, and the others one by one; or all at once.
pub(super) fn lose(stream: &mut StreamReport) {
    let is_all = stream.counts.unique == 0;
    let burst = if is_all { stream.lost } else { stream.lost.min(64) };
    let first_seq = if is_all { 0 } else { 4_711 };
    let at = |nanos| STARTED_AT + Nanos(2_000_000_000 + nanos);
    let first = LostRange { first_seq, len: burst, at_ns: at(123_456_789), own_socket: 0 };
    let single = |i: u64| LostRange {
        first_seq: 10_000 + 100 * i,
        len: 1,
        at_ns: at(200_000_000 + 1_000_000 * i),
        own_socket: 0,
    };
    let ranges: Vec<_> = std::iter::once(first).chain((burst..stream.lost).map(single)).collect();
    stream.loss = LossReport {
        periods: ranges.len() as u64,
        period_max: burst,
        period_mean: Some(stream.lost as f64 / ranges.len() as f64),
        noticeable_distance: 99,
        noticeable_rate: Some(burst.saturating_sub(1) as f64 / stream.lost as f64),
        longest: ranges.iter().take(16).copied().collect(),
    };
    stream.lost_ranges = ranges;
}

/// Gives a stream 40 that came late and 12 that came twice.
pub(super) fn disturb(stream: &mut StreamReport) {
    let received = stream.counts.unique as f64;
    stream.order = OrderReport {
        ratio: Some(40.0 / received),
        degree_1: Some(38.0 / received),
        degree_3: Some(6.0 / received),
        extent_max: 12,
        extent_unknown: 0,
        late_max_ns: Nanos(1_250_000),
        byte_offset_max: 15_792,
        discontinuities: 61,
        discontinuity_size: 130,
        reordering_discontinuities: 34,
        run_mean: Some((received - 40.0) / 40.0),
        run_variation: Some(1.8),
    };
    stream.copies =
        CopiesReport { fraction: Some(12.0 / received), replicated_rate: Some(11.0 / received) };
}

pub(super) fn density() -> DensityReport {
    DensityReport {
        threshold: 8,
        displacement: vec![(-2, 0.000_01), (-1, 0.000_03), (0, 0.999_92), (2, 0.000_04)],
        occupancy: vec![(0, 0.999_9), (1, 0.000_08), (2, 0.000_02)],
        occupancy_mean: Some(0.000_12),
    }
}

pub(super) fn media() -> MediaReport {
    MediaReport {
        media_rate_bps: 3_750_000,
        delay_factor_max_ns: Some(Nanos(12_300_000)),
        media_loss_rate_max: 448.0,
    }
}
