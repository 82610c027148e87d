//! The metrics by name, and the text that Prometheus reads.
//!
//! Names follow <https://prometheus.io/docs/practices/naming/>: base units, `_total` on what only rises.

use super::totals::{Heard, Lost, Sent, StreamTotals, Totals, Trial, Verdict};
use crate::model::spec::Role;
use crate::stats::latency::Latency;
use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use std::collections::BTreeMap;

/// Label of whatever is too many to have a label of its own.
pub(super) const OTHER: &str = "other";

/// Upper bounds of the buckets, nanoseconds: 1 µs to 10 s, as fine as alerts want it.
const BOUNDS: [u64; 22] = {
    let mut bounds = [0; 22];
    let (mut at, mut decade) = (0, 1_000);
    while at < bounds.len() {
        bounds[at] = [decade, decade / 10 * 25, decade * 5][at % 3];
        if at % 3 == 2 {
            decade *= 10;
        }
        at += 1;
    }
    bounds
};

/// All there is to tell.
pub(super) fn page(totals: &Totals) -> String {
    let mut page = Page(Vec::new());
    page.gauge(
        "build_info",
        "Version of mcast-bench; always 1.",
        [(vec![("version", env!("CARGO_PKG_VERSION").into())], 1.0)],
    );
    page.trial(&totals.trial, totals.verdict.as_ref());
    if let Some(sent) = &totals.sent {
        page.sent(sent);
    }
    if let Some(heard) = &totals.heard {
        page.streams(heard);
        page.heard(heard);
    }
    page.host_drops(totals);
    let text = TextEncoder::new().encode_to_string(&page.0);
    text.expect("a family without metrics is never added, and text is no device that fails")
}

/// A count of a stream.
type CountOf = fn(&StreamTotals) -> u64;

type Labels = Vec<(&'static str, String)>;

struct Page(Vec<MetricFamily>);

impl Page {
    fn trial(&mut self, trial: &Trial, verdict: Option<&Verdict>) {
        let role = match trial.role {
            Role::Run => "run",
            Role::Send => "send",
            Role::Recv => "recv",
        };
        let about = vec![("role", role.into()), ("engine", trial.engine.clone())];
        self.gauge("trial_info", "What is measured, and with what; always 1.", [(about, 1.0)]);
        let start = trial.start.map(|start| (vec![], start.as_secs_f64()));
        self.gauge("trial_start_time_seconds", "When the trial starts or did, Unix time.", start);
        let flag = |is_so| f64::from(u8::from(is_so));
        let is_running = trial.has_started && verdict.is_none();
        self.number("trial_waiting", "1 until the trial starts.", flag(!trial.has_started));
        self.number("trial_running", "1 from its start until the trial is over.", flag(is_running));
        let Some(verdict) = verdict else { return };
        self.number("trial_valid", "Whether the trial may be used.", flag(verdict.is_valid));
        self.gauge(
            "trial_invalid_reason",
            "Why the trial may not be used; always 1.",
            verdict.invalid_reasons.iter().map(|&why| (vec![("reason", why.into())], 1.0)),
        );
        let limits = verdict.limits.iter();
        self.gauge(
            "limit_held",
            "Whether a limit of --fail-if held.",
            limits.map(|(limit, held)| (vec![("limit", limit.clone())], flag(*held))),
        );
    }

    fn sent(&mut self, sent: &Sent) {
        let counts = &sent.counts;
        self.count("intended_datagrams_total", "Due by the schedule.", counts.intended);
        self.count("offered_datagrams_total", "Taken by the kernel.", counts.offered);
        self.count("offered_payload_bytes_total", "UDP payload of those.", sent.payload_bytes);
        self.counter(
            "refused_datagrams_total",
            "Refused by the kernel, by errno.",
            by_name("errno", &sent.refused),
        );
        self.count("send_calls_total", "System calls that sent something.", sent.calls);
        self.count("sender_stalls_total", "Times a sender stood still.", sent.stalls);
        let help = "From the due time of a datagram to handing it to the kernel.";
        self.histogram("lateness_seconds", help, &sent.lateness);
    }

    fn streams(&mut self, heard: &Heard) {
        let families: [(&str, &str, CountOf); 8] = [
            ("received_datagrams_total", "Carried our header.", |s| s.counts.received),
            ("unique_datagrams_total", "First copies.", |s| s.counts.unique),
            ("duplicate_datagrams_total", "Further copies.", |s| s.counts.duplicates),
            (
                "reordered_datagrams_total",
                "First copies that came after a higher number; part of the unique ones.",
                |s| s.counts.reordered,
            ),
            (
                "too_late_datagrams_total",
                "So far behind that they may be first or further copies.",
                |s| s.counts.too_late,
            ),
            (
                "corrupt_datagrams_total",
                "Failed the checksum, or carried a number never sent; they count as lost.",
                |s| s.counts.corrupt,
            ),
            ("lost_datagrams_total", "Not there within the loss threshold.", |s| s.lost.found),
            ("lost_taken_back_datagrams_total", "Counted as lost, and came after all.", |s| {
                s.lost.taken_back
            }),
        ];
        for (name, help, of) in families {
            let named = heard.streams.iter().map(|(name, totals)| {
                let stream = name.stream.to_string();
                (stream_labels(name.source.to_string(), name.group.to_string(), stream), totals)
            });
            let other = stream_labels(OTHER.into(), OTHER.into(), OTHER.into());
            let all = named.chain([(other, &heard.other)]);
            self.counter(name, help, all.map(|(labels, totals)| (labels, of(totals))));
        }
    }

    fn heard(&mut self, heard: &Heard) {
        let lost_by = &heard.lost_by;
        let places = [
            ("receiver_socket", lost_by.receiver_socket),
            ("receiver_host", lost_by.receiver_host),
            ("elsewhere", lost_by.elsewhere),
        ];
        let by_place = |of: fn(&Lost) -> u64| {
            places.iter().map(move |(place, lost)| (vec![("place", (*place).into())], of(lost)))
        };
        self.counter(
            "lost_by_place_datagrams_total",
            "Lost, by place: our sockets, this host before them, or neither.",
            by_place(|lost| lost.found),
        );
        self.counter(
            "lost_by_place_taken_back_datagrams_total",
            "Laid to a place and came after all, or was lost at another.",
            by_place(|lost| lost.taken_back),
        );
        self.count("foreign_datagrams_total", "Arrived and were not ours.", heard.foreign);
        self.count("received_payload_bytes_total", "UDP payload received.", heard.payload_bytes);
        self.count("receive_calls_total", "System calls that received something.", heard.calls);
        self.count("receiver_stalls_total", "Times a receiver stood still.", heard.stalls);
        self.count(
            "negative_delay_datagrams_total",
            "Received before they were due, as two clocks have it; in no histogram.",
            heard.negative_delays,
        );
        let streams = heard.streams_now as f64;
        self.number("heard_streams", "Streams heard in the last interval.", streams);
        let outstanding = heard.outstanding as f64;
        self.number("outstanding_datagrams", "Missing, and may still come.", outstanding);
        let help = "From the due time of a datagram to the receive time; lost ones are in none.";
        self.histogram("one_way_delay_seconds", help, &heard.one_way_delay);
        let help = "Above the shortest delay, of streams whose clocks do not compare.";
        self.histogram("relative_delay_seconds", help, &heard.relative_delay);
        let help = "From the receive time to the application.";
        self.histogram("host_delay_seconds", help, &heard.host_delay);
    }

    fn host_drops(&mut self, totals: &Totals) {
        let sides = [
            ("sending", totals.sent.as_ref().map(|sent| &sent.host_drops)),
            ("receiving", totals.heard.as_ref().map(|heard| &heard.host_drops)),
        ];
        let drops = sides.into_iter().flat_map(|(side, drops)| {
            drops.into_iter().flatten().map(move |(counter, &count)| {
                (vec![("side", side.into()), ("counter", counter.clone())], count)
            })
        });
        self.counter(
            "host_dropped_packets_total",
            "Rise of this host's own counters of drops, whoever's packets they were.",
            drops,
        );
    }

    fn number(&mut self, name: &str, help: &str, value: f64) {
        self.gauge(name, help, [(vec![], value)]);
    }

    fn count(&mut self, name: &str, help: &str, count: u64) {
        self.counter(name, help, [(vec![], count)]);
    }

    fn gauge(&mut self, name: &str, help: &str, of: impl IntoIterator<Item = (Labels, f64)>) {
        let metric = |(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = labelled(labels);
            metric.set_gauge(gauge);
            metric
        };
        self.family(name, help, MetricType::GAUGE, of.into_iter().map(metric).collect());
    }

    fn counter(&mut self, name: &str, help: &str, of: impl IntoIterator<Item = (Labels, u64)>) {
        let metric = |(labels, count)| {
            let mut counter = Counter::default();
            counter.set_value(count as f64);
            let mut metric = labelled(labels);
            metric.set_counter(counter);
            metric
        };
        self.family(name, help, MetricType::COUNTER, of.into_iter().map(metric).collect());
    }

    fn histogram(&mut self, name: &str, help: &str, latency: &Latency) {
        let mut metric = Metric::default();
        metric.set_histogram(buckets(latency));
        self.family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(format!("mcast_bench_{name}"));
        family.set_help(help.into());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }
}

fn stream_labels(source: String, group: String, stream: String) -> Labels {
    vec![("source", source), ("group", group), ("stream", stream)]
}

fn by_name(
    label: &'static str,
    counts: &BTreeMap<String, u64>,
) -> impl Iterator<Item = (Labels, u64)> {
    counts.iter().map(move |(name, &count)| (vec![(label, name.clone())], count))
}

fn labelled(labels: Labels) -> Metric {
    let pair = |(name, value): (&str, String)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.into());
        pair.set_value(value);
        pair
    };
    Metric::from_label(labels.into_iter().map(pair).collect())
}

/// Classic buckets, which add up over hosts where percentiles do not. Exact to the three digits of the histogram.
fn buckets(latency: &Latency) -> Histogram {
    let delays = latency.read().histogram;
    let mut counts = [0; BOUNDS.len()];
    let mut sum = 0.0;
    for step in delays.iter_recorded() {
        let value = delays.lowest_equivalent(step.value_iterated_to());
        let count = step.count_at_value();
        sum += delays.median_equivalent(value) as f64 * count as f64;
        let at = BOUNDS.partition_point(|&bound| bound < value);
        counts.iter_mut().skip(at).for_each(|below| *below += count);
    }
    let bucket = |(&bound, &count): (&u64, &u64)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound as f64 / 1e9);
        bucket.set_cumulative_count(count);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(BOUNDS.iter().zip(&counts).map(bucket).collect());
    histogram.set_sample_count(delays.len());
    histogram.set_sample_sum(sum / 1e9);
    histogram
}

#[cfg(test)]
mod tests;
