//! An interval by the words of the report: its counts, and percentiles without their histograms.

use crate::model::delay::{Pdv, Percentiles};
use crate::model::drops::{HostDrops, LostByInterval};
use crate::model::metrics::{MediaReport, OrderReport, VariationReport};
use crate::model::snapshot::{ReceiverInterval, RxCounts, SenderInterval, Snapshot, TxCounts};
use crate::stats::coarse::CoarseHistogram;
use crate::stats::latency::Latency;
use crate::stats::patterns::PatternHistograms;
use crate::units::Nanos;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is written of a snapshot.
#[derive(Serialize)]
pub(super) struct Interval<'a> {
    index: u64,
    start_ns: Nanos,
    length_ns: Nanos,
    sender: Option<Sender<'a>>,
    receiver: Option<Receiver<'a>>,
}

#[derive(Serialize)]
struct Sender<'a> {
    #[serde(flatten)]
    counts: TxCounts,
    refused_by: &'a BTreeMap<String, u64>,
    payload_bytes: u64,
    offered_load_pps: f64,
    lateness_ns: Percentiles,
    gaps_ns: Quantiles,
    train_max: u64,
    send_calls: u64,
    super_packet_max: u64,
    dropped_after_taking: i64,
    host_drops: Risen<'a>,
    stalls: u64,
    longest_stall_ns: Nanos,
}

#[derive(Serialize)]
struct Receiver<'a> {
    #[serde(flatten)]
    counts: RxCounts,
    payload_bytes: u64,
    lost: i64,
    outstanding: u64,
    lost_by: LostByInterval,
    socket_drops: u64,
    host_drops: Risen<'a>,
    streams: u64,
    announcements: u64,
    receive_calls: u64,
    without_timestamp: u64,
    stalls: u64,
    longest_stall_ns: Nanos,
    forwarding_rate_pps: f64,
    one_way_delay_ns: Delay,
    relative_delay_ns: Percentiles,
    host_delay_ns: Percentiles,
    sender_lateness_ns: Percentiles,
    order: OrderReport,
    loss: Loss,
    copies: Copies,
    variation: Option<VariationReport>,
    media: Option<MediaReport>,
    patterns: Patterns,
}

/// Only the counters that rose: with all of them, most of every line would be zeros.
#[derive(Serialize)]
#[serde(transparent)]
struct Risen<'a>(BTreeMap<&'a str, u64>);

#[derive(Serialize)]
struct Delay {
    #[serde(flatten)]
    percentiles: Percentiles,
    pdv_ns: Pdv,
    negative: u64,
    negative_max_ns: Nanos,
}

#[derive(Serialize)]
struct Loss {
    periods: u64,
    period_max: u64,
    period_mean: Option<f64>,
    noticeable_rate: Option<f64>,
}

#[derive(Serialize)]
struct Copies {
    replicated: u64,
    fraction: Option<f64>,
    replicated_rate: Option<f64>,
}

#[derive(Serialize)]
struct Patterns {
    reordering_extent: Quantiles,
    reordering_late_ns: Quantiles,
    reordering_gap: Quantiles,
    loss_period: Quantiles,
    loss_distance: Quantiles,
    ipdv_ns: Option<Quantiles>,
    inter_arrival_ns: Option<Quantiles>,
    inter_departure_ns: Option<Quantiles>,
}

/// Values of a histogram of few digits, as in the report.
#[derive(Clone, Copy, Debug, Serialize)]
struct Quantiles {
    count: u64,
    p50: Option<u64>,
    p99: Option<u64>,
    max: Option<u64>,
}

impl From<&CoarseHistogram> for Quantiles {
    fn from(of: &CoarseHistogram) -> Self {
        let known = |value: u64| (!of.is_empty()).then_some(value);
        Self {
            count: of.len(),
            p50: known(of.value_at_quantile(0.5)),
            p99: known(of.value_at_quantile(0.99)),
            max: known(of.max()),
        }
    }
}

impl<'a> Interval<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            index: snapshot.index,
            start_ns: snapshot.start,
            length_ns: snapshot.length,
            sender: snapshot.sender.as_ref().map(|sender| Sender::of(sender, snapshot)),
            receiver: snapshot.receiver.as_ref().map(|receiver| Receiver::of(receiver, snapshot)),
        }
    }
}

impl<'a> Sender<'a> {
    fn of(sender: &SenderInterval, snapshot: &'a Snapshot) -> Self {
        Self {
            counts: sender.counts,
            refused_by: &snapshot.host.refused,
            payload_bytes: sender.payload_bytes,
            offered_load_pps: snapshot.per_second(sender.counts.offered),
            lateness_ns: Percentiles::of(&sender.lateness.read(), 0),
            gaps_ns: Quantiles::from(&sender.trains.gaps),
            train_max: sender.trains.longest,
            send_calls: sender.send_calls,
            super_packet_max: sender.super_packet_max,
            dropped_after_taking: snapshot.host.dropped_after_taking,
            host_drops: Risen::of(&snapshot.host.sending),
            stalls: sender.stalls.count,
            longest_stall_ns: sender.stalls.longest,
        }
    }
}

impl<'a> Receiver<'a> {
    fn of(receiver: &ReceiverInterval, snapshot: &'a Snapshot) -> Self {
        let ReceiverInterval { counts, patterns, variation, .. } = receiver;
        Self {
            counts: *counts,
            payload_bytes: receiver.payload_bytes,
            lost: receiver.lost,
            outstanding: receiver.outstanding,
            lost_by: snapshot.host.lost_by,
            socket_drops: receiver.socket_drops,
            host_drops: Risen::of(&snapshot.host.receiving),
            streams: receiver.streams,
            announcements: receiver.announcements,
            receive_calls: receiver.receive_calls,
            without_timestamp: receiver.without_timestamp,
            stalls: receiver.stalls.count,
            longest_stall_ns: receiver.stalls.longest,
            forwarding_rate_pps: snapshot.per_second(counts.received),
            one_way_delay_ns: Delay::of(&receiver.one_way_delay, receiver.lost),
            relative_delay_ns: Percentiles::of(&receiver.relative_delay.read(), receiver.lost),
            host_delay_ns: Percentiles::of(&receiver.host_delay.read(), 0),
            sender_lateness_ns: Percentiles::of(&receiver.sender_lateness.read(), 0),
            order: patterns.order.counters_of(counts.unique).into(),
            loss: Loss {
                periods: patterns.loss.periods,
                period_max: patterns.loss.period_max,
                period_mean: patterns.loss.mean_period(),
                noticeable_rate: patterns.loss.noticeable_rate(),
            },
            copies: Copies::of(receiver),
            variation: patterns.variation.as_ref().map(|_| {
                let (jitter, train_max) = (variation.rtp_jitter_ns, variation.sent_train_max);
                VariationReport::of(&variation.ipdv, jitter, train_max)
            }),
            media: receiver.media,
            patterns: Patterns::of(patterns),
        }
    }
}

impl<'a> Risen<'a> {
    fn of(drops: &'a HostDrops) -> Self {
        Self(drops.risen().collect())
    }
}

impl Delay {
    fn of(latency: &Latency, lost: i64) -> Self {
        let delays = latency.read();
        Self {
            percentiles: Percentiles::of(&delays, lost),
            pdv_ns: Pdv::of(&delays, lost.try_into().unwrap_or(0)),
            negative: delays.negative,
            negative_max_ns: delays.negative_max,
        }
    }
}

impl Copies {
    fn of(receiver: &ReceiverInterval) -> Self {
        let RxCounts { unique, duplicates, .. } = receiver.counts;
        let of_unique = |count: u64| (unique > 0).then(|| count as f64 / unique as f64);
        Self {
            replicated: receiver.replicated,
            fraction: of_unique(duplicates),
            replicated_rate: of_unique(receiver.replicated),
        }
    }
}

impl Patterns {
    fn of(patterns: &PatternHistograms) -> Self {
        let variation = patterns.variation.as_ref();
        Self {
            reordering_extent: Quantiles::from(&patterns.order.extents),
            reordering_late_ns: Quantiles::from(&patterns.order.late),
            reordering_gap: Quantiles::from(&patterns.order.gaps),
            loss_period: Quantiles::from(&patterns.loss.lengths),
            loss_distance: Quantiles::from(&patterns.loss.distances),
            ipdv_ns: variation.map(|of| Quantiles::from(&of.ipdv)),
            inter_arrival_ns: variation.map(|of| Quantiles::from(&of.inter_arrival)),
            inter_departure_ns: variation.map(|of| Quantiles::from(&of.inter_departure)),
        }
    }
}
