//! Made-up reports with fixed values, for the tests of whatever writes reports.

mod parts;
pub(crate) mod join;
pub(crate) mod checkup;
pub(crate) mod heard;
pub(crate) mod interfaces;
pub(crate) mod roundtrip;
mod patterns;
mod written;

use super::Observer;
use super::continued::Continued;
use super::delay::{Distribution, OneWayDelay};
use super::drops::LostBy;
use super::event::{Event, Happening};
use super::limit::{Bound, Fails, Limit, LimitResult, Quantity};
use super::metrics::{ClockRelation, ClockReport};
use super::report::*;
use super::senders::SendersReport;
use super::snapshot::{RxCounts, Snapshot};
use super::spec::{Bind, Load, Role, StopWhen, Timestamps, TrialSpec};
use super::timeline::{Step, Timeline};
use crate::stats::latency::Latency;
use crate::units::Nanos;
use crate::units::rate::Rate;
use parts::*;
use patterns::buckets;
use std::collections::BTreeMap;

pub(crate) use written::Written;

/// 2023-11-14 22:13:20 UTC.
pub(crate) const STARTED_AT: Nanos = Nanos(1_700_000_000_000_000_000);

/// A million datagrams in ten seconds, all of which arrived.
pub(crate) fn run() -> RunReport {
    let mut report = nothing();
    report.command = "mcast-bench run --rate 100k --time 10s".into();
    let trial = &mut report.trial;
    trial.spec = spec(Role::Run);
    trial.duration_ns = Nanos(10_000_000_000);
    (trial.valid, trial.invalid_reasons) = (true, vec![]);
    trial.sender = Some(sender(1_000_000, 1_000_000));
    heard(&mut report, vec![stream(0, 1_000_000, 0)]);
    report
}

/// Four streams, with everything that can go wrong on the way.
pub(crate) fn lossy() -> RunReport {
    let mut report = run();
    report.command = "mcast-bench run --group 239.255.77.77+3 --rate 100k --time 10s".into();
    let trial = &mut report.trial;
    trial.spec.groups = (77..81).map(group).collect();
    (trial.spec.reorder_density, trial.spec.media_rate_bps) = (Some(8), Some(3_750_000));
    trial.valid = false;
    trial.invalid_reasons = vec![
        InvalidReason::ApparatusDropped { receiver_socket: 91, receiver_host: 0 },
        InvalidReason::Stalled { worker: "receiver".into(), length_ns: Nanos(112_000_000) },
    ];
    let grant = BufferGrant { asked: 8 << 20, granted: 425_984, forced: false };
    trial.warnings = vec![
        Warning::ReceiveBufferSmall { grant },
        Warning::Refused { errno: "ENOBUFS".into(), datagrams: 1_000 },
        Warning::SendingHostDropped { place: "qdisc mq".into(), packets: 1_000, after_taking: 0 },
        Warning::NegativeDelay { datagrams: 17 },
    ];
    trial.events = vec![
        event(0, Happening::NotPinned { worker: "receiver 0".into(), cpu: 3 }),
        event(1_000_000, heard_from("4f9c1a")),
        event(
            2_300_000_000,
            Happening::Stalled { worker: "receiver 0".into(), length_ns: Nanos(112_000_000) },
        ),
    ];
    let mut sender = sender(1_000_000, 998_976);
    sender.counts.refused = BTreeMap::from([("ENOBUFS".into(), 1_000), ("EPERM".into(), 24)]);
    sender.host_drops = host_drops(&[("interface.tx_dropped", 0), ("qdisc.drops", 1_000)]);
    trial.sender = Some(sender);
    let mut receiver = receiver();
    receiver.receive_buffer = grant;
    receiver.host_drops = host_drops(&[
        ("UdpInErrors", 91),
        ("UdpMemErrors", 0),
        ("UdpRcvbufErrors", 91),
        ("interface.rx_dropped", 3),
        ("softnet.time_squeeze", 12),
    ]);
    trial.receiver = Some(receiver);
    let mut streams: Vec<_> = (0..4).map(|n| stream(n, 249_744, 90)).collect();
    for stream in &mut streams {
        (stream.density, stream.media) = (Some(patterns::density()), Some(patterns::media()));
    }
    streams[2].counts = StreamCounts {
        received: 249_672,
        unique: 249_654,
        duplicates: 12,
        reordered: 40,
        too_late: 5,
        corrupt: 1,
    };
    patterns::disturb(&mut streams[2]);
    heard(&mut report, streams);
    let trial = &mut report.trial;
    let totals = trial.totals.as_mut().expect("just made");
    totals.lost_by = LostBy { receiver_socket: 91, receiver_host: 0, elsewhere: 269 };
    totals.counts.foreign = 3;
    let delay = trial.one_way_delay_ns.as_mut().expect("just made");
    (delay.negative, delay.negative_max_ns) = (17, Nanos(4_200));
    let patterns = trial.patterns.as_mut().expect("just made");
    patterns.reordering_extent = buckets(&[(1, 30), (4, 9), (12, 1)]);
    patterns.reordering_late_ns = buckets(&[(20_000, 39), (1_250_000, 1)]);
    patterns.reordering_gap = buckets(&[(600, 30), (9_000, 3)]);
    patterns.loss_period = buckets(&[(1, 104), (64, 4)]);
    patterns.loss_distance = buckets(&[(1, 252), (100, 104)]);
    patterns.inter_arrival_ns = buckets(&[(2_000, 500_000), (24_000, 450_000), (112_000_000, 2)]);
    report
}

/// A sender alone, as fast as possible.
pub(crate) fn sender_only() -> RunReport {
    let mut report = nothing();
    report.command = "mcast-bench send --rate max --time 10s".into();
    let trial = &mut report.trial;
    trial.spec = spec(Role::Send);
    trial.spec.load = Some(Load { rate: Some(Rate::Max), ..load() });
    trial.duration_ns = Nanos(10_000_000_000);
    (trial.valid, trial.invalid_reasons) = (true, vec![]);
    trial.warnings = vec![Warning::Refused { errno: "ENOBUFS".into(), datagrams: 2_048 }];
    let mut sender = sender(8_002_048, 8_000_000);
    sender.intended_load_pps = None;
    sender.counts.refused = BTreeMap::from([("ENOBUFS".into(), 2_048)]);
    sender.lateness_ns = Distribution::of(&Latency::new().read());
    trial.sender = Some(sender);
    (trial.receiver, trial.totals, trial.one_way_delay_ns) = (None, None, None);
    (trial.host_delay_ns, trial.sender_lateness_ns, trial.patterns) = (None, None, None);
    report
}

/// A receiver alone that was stopped before one of its two senders had ended.
pub(crate) fn receiver_only() -> RunReport {
    let mut report = run();
    report.command = "mcast-bench recv --iface eth1".into();
    let trial = &mut report.trial;
    trial.spec = spec(Role::Recv);
    trial.interrupted = true;
    trial.duration_ns = Nanos(7_250_000_000);
    trial.sender = None;
    trial.warnings = vec![
        Warning::SenderStalled {
            session: "b00c55".into(),
            stalls: 2,
            length_ns: Nanos(312_000_000),
        },
        Warning::TailUnknown { streams: 1 },
    ];
    trial.events = vec![event(7_250_000_000, Happening::Interrupted)];
    let mut silent = stream(0, 325_000, 12);
    silent.session = "b00c55".into();
    silent.source = "192.0.2.2:40001".into();
    (silent.sent, silent.end) = (None, StreamEnd::ReceiverStopped);
    let ended = StreamReport { before_join: 50, first_seq: 50, ..stream(0, 400_012, 0) };
    heard(&mut report, vec![ended, silent]);
    let mut threads = report.trial.senders.take().expect("it has heard them").threads;
    let stalled = &mut threads[1].conduct;
    (stalled.stalls, stalled.longest_stall_ns) = (2, Nanos(312_000_000));
    report.trial.senders = SendersReport::of(threads);
    report
}

/// A receiver alone of one stream of `sent` datagrams, of which those numbered `lost` did not come.
pub(crate) fn received(sent: u64, lost: &[u64]) -> RunReport {
    let mut report = run();
    report.command = "mcast-bench recv --iface eth1".into();
    report.trial.spec = spec(Role::Recv);
    report.trial.sender = None;
    let mut stream = stream(0, sent, lost.len() as u64);
    stream.lost_ranges.clear();
    for &seq in lost {
        match stream.lost_ranges.last_mut() {
            Some(last) if last.first_seq + last.len == seq => last.len += 1,
            _ => stream.lost_ranges.push(LostRange {
                first_seq: seq,
                len: 1,
                at_ns: STARTED_AT,
                own_socket: 0,
            }),
        }
    }
    report.trial.one_way_delay_ns = Some(delay(stream.counts.unique, stream.lost));
    heard(&mut report, vec![stream]);
    report
}

/// Exactly these delays.
pub(crate) fn delays(delays: &[u64]) -> OneWayDelay {
    let mut latency = Latency::new();
    delays.iter().for_each(|&delay| latency.record(Nanos(0), Nanos(delay)));
    OneWayDelay { distribution: Distribution::of(&latency.read()), ..delay(0, 0) }
}

/// So many delays around `typical`, in nanoseconds.
pub(crate) fn typical_delay(count: u64, typical: u64) -> OneWayDelay {
    OneWayDelay { distribution: distribution(count, typical), ..delay(0, 0) }
}

/// A receiver that heard nothing.
pub(crate) fn nothing() -> RunReport {
    RunReport {
        schema: SCHEMA.into(),
        version: "0.1.0".into(),
        command: "mcast-bench recv --iface eth1".into(),
        environment: environment(),
        trial: TrialReport {
            spec: spec(Role::Recv),
            started_at: "2023-11-14T22:13:20Z".into(),
            duration_ns: Nanos(0),
            interrupted: false,
            valid: false,
            invalid_reasons: vec![InvalidReason::NothingHeard],
            warnings: vec![],
            events: vec![],
            sender: None,
            receiver: Some(receiver()),
            streams: vec![],
            totals: Some(totals(&[], 0)),
            one_way_delay_ns: Some(delay(0, 0)),
            relative_delay_ns: None,
            host_delay_ns: Some(distribution(0, 0)),
            sender_lateness_ns: Some(distribution(0, 0)),
            senders: None,
            patterns: Some(patterns::patterns(0)),
        },
        continued: None,
        limits: vec![],
        answer: None,
        timeline: vec![],
    }
}

/// Three trials of a receiver, one of them cut off.
pub(crate) fn continued() -> Continued {
    let counts =
        RxCounts { received: 29_990, unique: 29_980, duplicates: 10, ..RxCounts::default() };
    Continued {
        since: "2023-11-13T22:13:20Z".into(),
        trials: 3,
        listened_ns: Nanos(86_400 * Nanos::SECOND.0),
        away_ns: Nanos(12 * Nanos::SECOND.0),
        away: 1_200,
        away_unknown: 2,
        counts,
        lost: 20,
        lost_relative: 0,
        lost_by: LostBy { receiver_socket: 12, receiver_host: 3, elsewhere: 5 },
        loss_ratio: Some(20.0 / 30_000.0),
        payload_bytes: 29_990 * 1_400,
        one_way_delay_ns: Some(distribution(29_980, 20)),
        relative_delay_ns: None,
        host_delay_ns: Some(distribution(29_980, 0)),
    }
}

/// One datagram, which arrived.
pub(crate) fn one() -> RunReport {
    let mut report = run();
    report.trial.duration_ns = Nanos(0);
    let sender = report.trial.sender.as_mut().expect("a run sends");
    (sender.counts.intended, sender.counts.offered) = (1, 1);
    (sender.offered_load_pps, sender.offered_load_bps) = (0.0, 0.0);
    sender.lateness_ns = distribution(1, 900);
    (sender.gaps_ns, sender.train_max) = (patterns::gaps(0), 1);
    heard(&mut report, vec![stream(0, 1, 0)]);
    report
}

/// Everything was offered and nothing arrived.
pub(crate) fn all_lost() -> RunReport {
    let mut report = run();
    (report.trial.valid, report.trial.invalid_reasons) = (false, vec![InvalidReason::NothingHeard]);
    let mut stream = stream(0, 1_000_000, 1_000_000);
    stream.highest_seq = None;
    heard(&mut report, vec![stream]);
    report
}

/// A receiver whose clock and the sender's do not compare.
pub(crate) fn apart() -> RunReport {
    let mut report = receiver_only();
    let trial = &mut report.trial;
    for stream in &mut trial.streams {
        stream.clock = ClockReport {
            relation: ClockRelation::Apart,
            error_ns: None,
            skew_ppm: Some(11.5),
            steps: 1,
            step_max_ns: -2_000_000,
        };
    }
    trial.one_way_delay_ns = None;
    trial.relative_delay_ns = Some(Distribution::with_losses(&latency(725_000, 3_900).read(), 12));
    report
}

/// More streams than anybody wants to read, each having lost as many as its number says.
pub(crate) fn many_streams() -> RunReport {
    let mut report = run();
    heard(&mut report, (0..25).map(|n| stream(n, 40_000, n.into())).collect());
    report
}

/// Limits: one held, one broken, one not measured.
pub(crate) fn limited() -> RunReport {
    let limit = |quantity, bound| Limit { quantity, fails: Fails::Above, bound };
    let result = |limit, measured: Option<&str>, held| LimitResult {
        limit,
        measured: measured.map(Into::into),
        held,
    };
    let p99 = limit(Quantity::DelayPercentile(99_000), Bound::Time(Nanos(40_000)));
    let late = limit(Quantity::LatenessPercentile(50_000), Bound::Time(Nanos(1_000)));
    let mut report = run();
    report.limits = vec![
        result(limit(Quantity::Loss, Bound::Ratio(0.000_1)), Some("0 %"), true),
        result(limit(Quantity::Reordered, Bound::Count(0)), Some("0"), true),
        result(p99, Some("45.0 µs"), false),
        result(late, None, false),
    ];
    report
}

/// All of them.
pub(crate) fn all() -> Vec<RunReport> {
    vec![
        run(),
        lossy(),
        sender_only(),
        receiver_only(),
        apart(),
        nothing(),
        one(),
        all_lost(),
        many_streams(),
        limited(),
    ]
}

/// Three intervals of a trial; the last is shorter, and reordered datagrams fill gaps in it.
pub(crate) fn intervals(role: Role) -> Vec<Snapshot> {
    [(0, 1_000_000_000, 10), (1, 1_000_000_000, 0), (2, 500_000_000, -3)]
        .map(|(index, length, lost): (u64, u64, i64)| {
            let due = length / 10_000;
            Snapshot {
                index,
                start: Nanos(index * 1_000_000_000),
                length: Nanos(length),
                sender: (role != Role::Recv).then(|| sender_interval(due)),
                receiver: (role != Role::Send).then(|| receiver_interval(due, lost)),
                host: host_interval(lost),
            }
        })
        .into()
}

/// The same intervals as a report keeps them.
pub(crate) fn timeline(role: Role) -> Vec<Step> {
    let mut timeline = Timeline::default();
    intervals(role).iter().for_each(|interval| timeline.on_interval(interval));
    timeline.into_steps()
}

/// What the live view and the logs are told besides the intervals.
pub(crate) fn events() -> Vec<Event> {
    vec![
        event(1_000_000, heard_from("4f9c1a")),
        event(
            1_300_000_000,
            Happening::Stalled { worker: "sender 0".into(), length_ns: Nanos(12_000_000) },
        ),
    ]
}

/// Stamps of a network card, all but three.
pub(crate) fn hardware_timestamps() -> TimestampReport {
    let (kind, error_ns) = (TimestampKind::Hardware, Some(Nanos(52)));
    TimestampReport { kind, phc: Some(0), error_ns, without: 3 }
}

/// What was asked for.
pub(crate) fn spec(role: Role) -> TrialSpec {
    TrialSpec {
        role,
        groups: vec![group(77)],
        interface: 1,
        further_interfaces: vec![],
        bind: (role != Role::Send).then_some(Bind::Group),
        source_port: None,
        load: (role != Role::Recv).then(load),
        flows: vec![],
        stop: StopWhen { time_ns: Some(Nanos(10_000_000_000)), count: None, with_senders: false },
        ttl: 1,
        loopback: true,
        dscp: 0,
        sender_threads: usize::from(role != Role::Recv),
        receiver_threads: usize::from(role != Role::Send),
        cpus: vec![2, 3],
        engine: "mmsg".into(),
        engine_reason: None,
        batch: 64,
        receive_buffer: 8 << 20,
        timestamps: Timestamps::Auto,
        interval_ns: Nanos::SECOND,
        loss_threshold_ns: Nanos::SECOND,
        idle_timeout_ns: Nanos(3_000_000_000),
        loss_distance: 99,
        reorder_density: None,
        media_rate_bps: None,
        variation: false,
        spin: false,
        busy_poll_us: None,
        realtime: false,
        lock_memory: false,
        start_at_ns: None,
    }
}
