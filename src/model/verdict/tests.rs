//! Each quantity on a trial whose numbers are known.

use super::*;
use crate::model::delay::{OneWayDelay, Pdv};
use crate::model::drops::{HostDrops, LostBy};
use crate::model::metrics::{Buckets, ClockRelation};
use crate::model::report::{ReceiverReport, SenderReport, Totals, TxLedger};
use crate::model::sample;
use crate::model::snapshot::RxCounts;
use crate::model::spec::Role;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;

/// Delays as a trial would sum them up.
fn delays(nanos: impl IntoIterator<Item = u64>) -> Distribution {
    let mut latency = Latency::new();
    nanos.into_iter().for_each(|nanos| latency.record(Nanos(0), Nanos(nanos)));
    Distribution::of(&latency.read())
}

fn one_way_delay(distribution: Distribution) -> OneWayDelay {
    OneWayDelay {
        clock: "realtime".into(),
        distribution,
        pdv_ns: Pdv::default(),
        negative: 0,
        negative_max_ns: Nanos(0),
    }
}

/// 1010 intended, 1000 offered, 10 refused; 998 unique at 1 ms each and one corrupt, so two lost.
fn report() -> TrialReport {
    TrialReport {
        spec: sample::spec(Role::Run),
        started_at: "2024-01-01T00:00:00Z".into(),
        duration_ns: Nanos::SECOND,
        interrupted: false,
        valid: true,
        invalid_reasons: Vec::new(),
        warnings: Vec::new(),
        events: Vec::new(),
        sender: Some(sender()),
        receiver: None::<ReceiverReport>,
        streams: Vec::new(),
        totals: Some(Totals {
            sent: Some(1000),
            counts: RxCounts {
                received: 1_003,
                unique: 998,
                duplicates: 4,
                reordered: 499,
                corrupt: 1,
                ..RxCounts::default()
            },
            lost: 2,
            loss_ratio: Some(0.002),
            lost_by: LostBy { elsewhere: 2, ..LostBy::default() },
            payload_bytes: 0,
            forwarding_rate_pps: 1003.0,
            announcements: 0,
        }),
        one_way_delay_ns: Some(one_way_delay(delays([MS; 998]))),
        relative_delay_ns: None,
        host_delay_ns: None,
        sender_lateness_ns: None,
        senders: None,
        patterns: None,
    }
}

fn sender() -> SenderReport {
    SenderReport {
        dropped_after_taking: 0,
        qdisc: None,
        host_drops: HostDrops::default(),
        engine: "memory".into(),
        session: "0000ab".into(),
        counts: TxLedger {
            intended: 1_010,
            offered: 1_000,
            refused: BTreeMap::from([("ENOBUFS".into(), 9), ("EPERM".into(), 1)]),
        },
        intended_load_pps: Some(1010.0),
        offered_load_pps: 1000.0,
        offered_load_bps: 8e6,
        lateness_ns: delays((0..1_000).map(|i| if i < 999 { 10_000 } else { 3 * MS })),
        gaps_ns: Buckets::default(),
        train_max: 1,
        send_calls: 1_000,
        super_packet_max: 0,
        stalls: 0,
        longest_stall_ns: Nanos(0),
        cpus: vec![None],
    }
}

fn check(report: &TrialReport, limit: &str, measured: Option<&str>, held: bool) {
    let limit: Limit = limit.parse().unwrap();
    let expected = LimitResult { limit, measured: measured.map(Into::into), held };
    assert_eq!(evaluate(&limit, report), expected, "{limit}");
}

#[test]
fn datagrams_are_counted() {
    let report = report();
    check(&report, "loss>0", Some("2"), false);
    check(&report, "loss>2", Some("2"), true);
    check(&report, "loss<2", Some("2"), true);
    check(&report, "loss<3", Some("2"), false);
    check(&report, "duplicates>3", Some("4"), false);
    check(&report, "reordered>499", Some("499"), true);
    check(&report, "corrupt>0", Some("1"), false);
    check(&report, "refused>0", Some("10"), false);
    check(&report, "offered<1000", Some("1000"), true);
}

#[test]
fn shares_are_of_what_their_quantity_says() {
    let report = report();
    check(&report, "loss>0.2%", Some("0.2%"), true);
    check(&report, "loss>0.1%", Some("0.2%"), false);
    check(&report, "reordered>50%", Some("50%"), true);
    check(&report, "duplicates>1%", Some("0.400801603%"), true);
    check(&report, "corrupt>0.01%", Some("0.099700897%"), false);
    check(&report, "offered<99%", Some("99.00990099%"), true);
    check(&report, "offered<99.1%", Some("99.00990099%"), false);
    check(&report, "refused>0.9%", Some("0.99009901%"), false);
}

#[test]
fn lateness_has_no_losses() {
    let report = report();
    check(&report, "late-p99>20us", Some("10.007us"), true);
    check(&report, "late-p99.9>20us", Some("10.007us"), true);
    check(&report, "late-p99.901>1ms", Some("3ms"), false);
    check(&report, "late-max>1ms", Some("3ms"), false);
    check(&report, "late-max>3ms", Some("3ms"), true);
}

/// 1000 sent, 2 lost, the rest took 1 ms.
#[test]
fn lost_datagrams_are_infinitely_late() {
    let mut report = report();
    check(&report, "p99>1ms", Some("1ms"), true);
    check(&report, "p99.8>1ms", Some("1ms"), true);
    check(&report, "p99.9>1s", Some("infinite (lost)"), false);
    check(&report, "max>1s", Some("infinite (lost)"), false);
    check(&report, "p99.9<1s", Some("infinite (lost)"), true);

    report.totals.as_mut().unwrap().lost = 0;
    check(&report, "p99.9>1ms", Some("1ms"), true);
    check(&report, "max>1ms", Some("1ms"), true);
}

/// RFC 7679 section 5.1: 100, 110, lost, 90 and 500 ms have a median of 110 ms.
#[test]
fn the_median_counts_lost_datagrams() {
    let mut report = report();
    report.one_way_delay_ns =
        Some(one_way_delay(delays([100, 110, 90, 500].map(|delay| delay * MS))));
    report.totals.as_mut().unwrap().lost = 1;
    check(&report, "p50<110ms", Some("110.034943ms"), true);
    check(&report, "p50>111ms", Some("110.034943ms"), true);
    check(&report, "p80>500ms", Some("500ms"), true);
    check(&report, "p80.001>500ms", Some("infinite (lost)"), false);
}

/// Without losses, as the report itself says it.
#[test]
fn percentiles_agree_with_the_report() {
    let mut report = report();
    let delays = delays((0..100_000_u64).map(|i| i * i % 99_991 * 100));
    report.totals.as_mut().unwrap().lost = 0;
    report.one_way_delay_ns = Some(one_way_delay(delays.clone()));
    for (word, expected) in [
        ("p50", delays.percentiles.p50),
        ("p90", delays.percentiles.p90),
        ("p99", delays.percentiles.p99),
        ("p99.9", delays.percentiles.p99_9),
        ("p99.99", delays.percentiles.p99_99),
        ("max", Some(delays.percentiles.max)),
    ] {
        let expected = Bound::Time(expected.unwrap()).to_string();
        check(&report, &format!("{word}>1m"), Some(&expected), true);
    }
}

#[test]
fn what_was_not_measured_does_not_hold() {
    let receiver_limits = ["loss>0", "loss>1%", "duplicates>1%", "reordered<1", "p99>1s", "max>1s"];
    let mut deaf = report();
    deaf.totals.as_mut().unwrap().counts = RxCounts::default();
    deaf.totals.as_mut().unwrap().lost = 0;
    deaf.totals.as_mut().unwrap().loss_ratio = None;
    deaf.one_way_delay_ns = Some(one_way_delay(Distribution::default()));
    let absent = TrialReport { totals: None, one_way_delay_ns: None, ..report() };
    for limit in receiver_limits {
        check(&deaf, limit, None, false);
        check(&absent, limit, None, false);
    }

    let mut idle = report();
    idle.sender.as_mut().unwrap().counts = TxLedger::default();
    idle.sender.as_mut().unwrap().lateness_ns = Distribution::default();
    let absent = TrialReport { sender: None, ..report() };
    for limit in ["offered<99%", "refused>0", "late-p99>1s", "late-max>1s"] {
        check(&idle, limit, None, false);
        check(&absent, limit, None, false);
    }
}

#[test]
fn a_bound_of_the_wrong_kind_measures_nothing() {
    let limit =
        Limit { quantity: Quantity::Loss, fails: Fails::Above, bound: Bound::Time(Nanos::SECOND) };
    assert_eq!(evaluate(&limit, &report()), LimitResult { limit, measured: None, held: false });
}

/// The stream that lost has another clock: it has no part in the delay.
#[test]
fn losses_of_streams_without_an_absolute_delay_do_not_lengthen_it() {
    let mut stream = sample::run().trial.streams.remove(0);
    stream.lost = 2;
    stream.clock.relation = ClockRelation::Apart;
    let mut report = TrialReport { streams: vec![stream], ..report() };
    check(&report, "p99.9>1ms", Some("1ms"), true);
    report.streams[0].clock.relation = ClockRelation::Disciplined;
    check(&report, "p99.9>1ms", Some("infinite (lost)"), false);
}
