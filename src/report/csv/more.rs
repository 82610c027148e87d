//! The columns that are taken from the JSON of an interval, of a stream, and of the whole.

use serde_json::Value;

/// Name of a column; where an interval has it (`report/interval.rs`), where a stream has it, and where the whole.
type Column = (&'static str, &'static str, &'static str, Total);

/// Where the whole has a column.
enum Total {
    /// At a place of its own in the report.
    At(&'static str),
    /// The sum of all streams.
    Sum,
    /// The lowest of all streams.
    Lowest,
    /// The highest of all streams.
    Highest,
    /// Nowhere: the report has a ratio for each stream, or no such number.
    Unknown,
}

/// The names, in order.
pub(super) fn header() -> impl Iterator<Item = String> {
    COLUMNS.iter().map(|(name, ..)| (*name).to_owned())
}

/// Of a sender thread, which has none of them.
pub(super) fn none() -> Vec<Value> {
    vec![Value::Null; COLUMNS.len()]
}

/// Of an interval.
pub(super) fn interval(interval: &Value) -> Vec<Value> {
    COLUMNS.iter().map(|(_, at, ..)| cell(interval, at)).collect()
}

/// Of a stream.
pub(super) fn stream(stream: &Value) -> Vec<Value> {
    COLUMNS.iter().map(|(_, _, at, _)| cell(stream, at)).collect()
}

/// Of the whole.
pub(super) fn total(report: &Value) -> Vec<Value> {
    COLUMNS.iter().map(|(_, _, of_stream, total)| total.of(report, of_stream)).collect()
}

impl Total {
    fn of(&self, report: &Value, of_stream: &str) -> Value {
        let streams = report["streams"].as_array().into_iter().flatten();
        let values = streams.filter_map(|stream| stream.pointer(of_stream));
        let order = |a: &&Value, b: &&Value| number(a).total_cmp(&number(b));
        let extreme = match self {
            Self::At(place) => return cell(report, place),
            Self::Sum => return values.filter_map(Value::as_u64).reduce(|a, b| a + b).into(),
            Self::Unknown => return Value::Null,
            Self::Lowest => values.filter(|value| value.is_number()).min_by(order),
            Self::Highest => values.filter(|value| value.is_number()).max_by(order),
        };
        extreme.cloned().unwrap_or_default()
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// What stands at a place; counters by name as `name=count`, those that are not zero.
fn cell(object: &Value, place: &str) -> Value {
    let known = object.pointer(place).filter(|_| !place.is_empty());
    match known {
        Some(Value::Object(counters)) => {
            let counters = counters.iter().filter(|(_, count)| count.as_u64() != Some(0));
            let named: Vec<_> = counters.map(|(name, count)| format!("{name}={count}")).collect();
            named.join(" ").into()
        }
        known => known.cloned().unwrap_or_default(),
    }
}

use Total::{At, Highest, Lowest, Sum, Unknown};

#[rustfmt::skip] // A line each, as in a table.
const COLUMNS: &[Column] = &[
    ("refused_by", "/sender/refused_by", "", At("/sender/refused")),
    ("super_packet_max", "/sender/super_packet_max", "", At("/sender/super_packet_max")),
    ("send_calls", "/sender/send_calls", "", At("/sender/send_calls")),
    ("dropped_after_taking", "/sender/dropped_after_taking", "", At("/sender/dropped_after_taking")),
    ("sender_host_drops", "/sender/host_drops", "", At("/sender/host_drops")),
    ("lost_by_receiver_socket", "/receiver/lost_by/receiver_socket", "", At("/totals/lost_by/receiver_socket")),
    ("lost_by_receiver_host", "/receiver/lost_by/receiver_host", "", At("/totals/lost_by/receiver_host")),
    ("lost_by_elsewhere", "/receiver/lost_by/elsewhere", "", At("/totals/lost_by/elsewhere")),
    ("receiver_host_drops", "/receiver/host_drops", "", At("/receiver/host_drops")),
    ("announcements", "/receiver/announcements", "", At("/totals/announcements")),
    ("receive_calls", "/receiver/receive_calls", "", At("/receiver/receive_calls")),
    ("without_timestamp", "/receiver/without_timestamp", "", At("/receiver/timestamps/without")),
    ("receiver_stalls", "/receiver/stalls", "", Unknown),
    ("receiver_longest_stall_ns", "/receiver/longest_stall_ns", "", At("/receiver/longest_stall_ns")),
    ("pdv_p50_ns", "/receiver/one_way_delay_ns/pdv_ns/p50", "", At("/one_way_delay_ns/pdv_ns/p50")),
    ("pdv_p99_ns", "/receiver/one_way_delay_ns/pdv_ns/p99", "", At("/one_way_delay_ns/pdv_ns/p99")),
    ("pdv_p99_9_ns", "/receiver/one_way_delay_ns/pdv_ns/p99_9", "", At("/one_way_delay_ns/pdv_ns/p99_9")),
    ("reordered_ratio", "/receiver/order/ratio", "/order/ratio", Unknown),
    ("degree_1", "/receiver/order/degree_1", "/order/degree_1", Unknown),
    ("degree_3", "/receiver/order/degree_3", "/order/degree_3", Unknown),
    ("extent_max", "/receiver/order/extent_max", "/order/extent_max", Highest),
    ("extent_unknown", "/receiver/order/extent_unknown", "/order/extent_unknown", Sum),
    ("late_max_ns", "/receiver/order/late_max_ns", "/order/late_max_ns", Highest),
    ("byte_offset_max", "/receiver/order/byte_offset_max", "/order/byte_offset_max", Highest),
    ("discontinuities", "/receiver/order/discontinuities", "/order/discontinuities", Sum),
    ("discontinuity_size", "/receiver/order/discontinuity_size", "/order/discontinuity_size", Sum),
    ("reordering_discontinuities", "/receiver/order/reordering_discontinuities", "/order/reordering_discontinuities", Sum),
    ("run_mean", "/receiver/order/run_mean", "/order/run_mean", Unknown),
    ("run_variation", "/receiver/order/run_variation", "/order/run_variation", Unknown),
    ("loss_periods", "/receiver/loss/periods", "/loss/periods", Sum),
    ("loss_period_longest", "/receiver/loss/period_max", "/loss/period_max", Highest),
    ("loss_period_mean", "/receiver/loss/period_mean", "/loss/period_mean", Unknown),
    ("noticeable_rate", "/receiver/loss/noticeable_rate", "/loss/noticeable_rate", Unknown),
    ("duplicates_ratio", "/receiver/copies/fraction", "/copies/fraction", Unknown),
    ("replicated_rate", "/receiver/copies/replicated_rate", "/copies/replicated_rate", Unknown),
    ("ipdv_pairs", "/receiver/variation/ipdv_pairs", "/variation/ipdv_pairs", Sum),
    ("ipdv_lowest_ns", "/receiver/variation/ipdv_min_ns", "/variation/ipdv_min_ns", Lowest),
    ("ipdv_highest_ns", "/receiver/variation/ipdv_max_ns", "/variation/ipdv_max_ns", Highest),
    ("ipdv_mean_ns", "/receiver/variation/ipdv_mean_ns", "/variation/ipdv_mean_ns", Unknown),
    ("rtp_jitter_ns", "/receiver/variation/rtp_jitter_ns", "/variation/rtp_jitter_ns", Highest),
    ("sent_train_max", "/receiver/variation/sent_train_max", "/variation/sent_train_max", Highest),
    ("delay_factor_max_ns", "/receiver/media/delay_factor_max_ns", "/media/delay_factor_max_ns", Highest),
    ("media_loss_rate_max", "/receiver/media/media_loss_rate_max", "/media/media_loss_rate_max", Highest),
    ("reordering_extent_p50", "/receiver/patterns/reordering_extent/p50", "", At("/patterns/reordering_extent/p50")),
    ("reordering_extent_p99", "/receiver/patterns/reordering_extent/p99", "", At("/patterns/reordering_extent/p99")),
    ("reordering_extent_max", "/receiver/patterns/reordering_extent/max", "", At("/patterns/reordering_extent/max")),
    ("reordering_late_p50_ns", "/receiver/patterns/reordering_late_ns/p50", "", At("/patterns/reordering_late_ns/p50")),
    ("reordering_late_p99_ns", "/receiver/patterns/reordering_late_ns/p99", "", At("/patterns/reordering_late_ns/p99")),
    ("reordering_late_max_ns", "/receiver/patterns/reordering_late_ns/max", "", At("/patterns/reordering_late_ns/max")),
    ("reordering_gap_p50", "/receiver/patterns/reordering_gap/p50", "", At("/patterns/reordering_gap/p50")),
    ("reordering_gap_p99", "/receiver/patterns/reordering_gap/p99", "", At("/patterns/reordering_gap/p99")),
    ("reordering_gap_max", "/receiver/patterns/reordering_gap/max", "", At("/patterns/reordering_gap/max")),
    ("loss_period_p50", "/receiver/patterns/loss_period/p50", "", At("/patterns/loss_period/p50")),
    ("loss_period_p99", "/receiver/patterns/loss_period/p99", "", At("/patterns/loss_period/p99")),
    ("loss_period_max", "/receiver/patterns/loss_period/max", "", At("/patterns/loss_period/max")),
    ("loss_distance_p50", "/receiver/patterns/loss_distance/p50", "", At("/patterns/loss_distance/p50")),
    ("loss_distance_p99", "/receiver/patterns/loss_distance/p99", "", At("/patterns/loss_distance/p99")),
    ("loss_distance_max", "/receiver/patterns/loss_distance/max", "", At("/patterns/loss_distance/max")),
    ("ipdv_p50_ns", "/receiver/patterns/ipdv_ns/p50", "", At("/patterns/ipdv_ns/p50")),
    ("ipdv_p99_ns", "/receiver/patterns/ipdv_ns/p99", "", At("/patterns/ipdv_ns/p99")),
    ("ipdv_max_ns", "/receiver/patterns/ipdv_ns/max", "", At("/patterns/ipdv_ns/max")),
    ("inter_arrival_p50_ns", "/receiver/patterns/inter_arrival_ns/p50", "", At("/patterns/inter_arrival_ns/p50")),
    ("inter_arrival_p99_ns", "/receiver/patterns/inter_arrival_ns/p99", "", At("/patterns/inter_arrival_ns/p99")),
    ("inter_arrival_max_ns", "/receiver/patterns/inter_arrival_ns/max", "", At("/patterns/inter_arrival_ns/max")),
    ("inter_departure_p50_ns", "/receiver/patterns/inter_departure_ns/p50", "", At("/patterns/inter_departure_ns/p50")),
    ("inter_departure_p99_ns", "/receiver/patterns/inter_departure_ns/p99", "", At("/patterns/inter_departure_ns/p99")),
    ("inter_departure_max_ns", "/receiver/patterns/inter_departure_ns/max", "", At("/patterns/inter_departure_ns/max")),
    ("interface", "", "/interface", Unknown),
];
