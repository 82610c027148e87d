//! Round trips with one of everything that can go wrong.

use crate::model::delay::Distribution;
use crate::model::echo::{SCHEMA as ECHO, *};
use crate::model::event::{Event, Happening};
use crate::model::group::Membership;
use crate::model::limit::Limit;
use crate::model::metrics::ClockRelation;
use crate::model::ping::{SCHEMA as PING, *};
use crate::model::report::{BufferGrant, TimestampKind};
use crate::model::roundtrip::{Manner, RoundTrips, Times};
use crate::model::spec::StopWhen;
use crate::units::Nanos;
use crate::units::rate::Rate;

const GROUP: &str = "239.255.77.77:5777";
const STOP: StopWhen =
    StopWhen { time_ns: Some(Nanos(10_000_000_000)), count: None, with_senders: false };
const GRANT: BufferGrant = BufferGrant { asked: 1 << 20, granted: 2 << 20, forced: false };
const STARTED: &str = "2026-01-31T12:00:00.000Z";

fn group() -> Membership {
    Membership { source: None, group: [239, 255, 77, 77].into(), port: 5777 }
}

fn times(count: u64, from: u64, has_ways: bool) -> Times {
    let mut times = Times::default();
    for n in 0..count {
        let rtt = from + n * 7;
        times.rtt.record(Nanos(0), Nanos(rtt));
        times.kernel.record(Nanos(0), Nanos(rtt - 900));
        times.turnaround.record(Nanos(0), Nanos(2_000 + n % 5));
        times.path.record(Nanos(2_000 + n % 5), Nanos(rtt));
        if has_ways {
            times.forward.record(Nanos(0), Nanos(rtt / 2 - 1_500));
            times.back.record(Nanos(0), Nanos(rtt / 2 - 1_400));
        }
    }
    times
}

fn row(
    responder: &str,
    counts: PingCounts,
    times: &Times,
    clock: ClockRelation,
) -> ResponderReport {
    let is_near = clock == ClockRelation::SameHost;
    ResponderReport {
        responder: responder.into(),
        source: "192.0.2.7:40123".into(),
        first_seq: 10_000 - counts.sent,
        silent: counts.lost_unknown > 0,
        clock,
        clock_error_ns: is_near.then_some(Nanos(0)),
        counts,
        loss_ratio: counts.loss_ratio(),
        times: RoundTrips::of(times, counts.unanswered(), is_near.then(|| "one host".into())),
    }
}

/// What `ping` says of two responders, of which one came late and went.
pub(crate) fn ping() -> PingReport {
    let outcome = outcome();
    let limit: Limit = "loss>0".parse().expect("it is one");
    PingReport {
        schema: PING.into(),
        version: "0.1.0".into(),
        command: "mcast-bench ping --fail-if 'loss>0'".into(),
        environment: super::run().environment,
        limits: vec![evaluate(&limit, &outcome)],
        outcome,
    }
}

fn outcome() -> PingOutcome {
    let (near, far) = (times(10_000, 24_000, true), times(5_000, 180_000, false));
    let responders = vec![
        row("01234567", good(), &near, ClockRelation::SameHost),
        row("89abcdef", bad(), &far, ClockRelation::Apart),
    ];
    let (mut counts, mut all) = (good(), near);
    counts.add(&bad());
    all.add(&far);
    let source = "192.0.2.7:40123".to_owned();
    let heard = Happening::ResponderHeard { responder: "01234567".into(), source: source.clone() };
    let silent = Happening::ResponderSilent { responder: "89abcdef".into(), source };
    PingOutcome {
        spec: spec(),
        started_at: STARTED.into(),
        duration_ns: Nanos(9_999_000_000),
        interrupted: false,
        valid: false,
        invalid_reasons: vec![PingInvalid::SocketDropped { replies: 3 }],
        events: vec![
            Event { at_ns: Nanos(0), what: heard },
            Event { at_ns: Nanos(8_200_000_000), what: silent },
        ],
        session: "4f9c1a".into(),
        reply_port: 51_925,
        intended: 10_000,
        sent: 10_000,
        refused: 0,
        sent_pps: 1_000.1,
        lateness_ns: Distribution::of(&times(100, 1_000, false).rtt.read()),
        receive_buffer: GRANT,
        socket_drops: 3,
        cpu: Some(3),
        responders,
        totals: PingTotals {
            counts,
            loss_ratio: counts.loss_ratio(),
            foreign: 5,
            times: RoundTrips::of(&all, counts.unanswered(), None),
        },
    }
}

fn good() -> PingCounts {
    PingCounts { sent: 10_000, received: 10_000, answered: 10_000, ..PingCounts::default() }
}

fn bad() -> PingCounts {
    PingCounts {
        sent: 6_000,
        received: 5_013,
        answered: 5_000,
        late: 2,
        lost: 998,
        lost_there: 17,
        lost_back: 21,
        lost_unknown: 960,
        duplicates: 10,
        duplicates_there: 4,
        reordered: 3,
        stray: 1,
    }
}

fn spec() -> PingSpec {
    PingSpec {
        group: group(),
        interface: 2,
        asking: Asking::Open { rate: Rate::MilliDatagrams(1_000_000) },
        stop: STOP,
        payload_len: 94,
        timeout_ns: Nanos::SECOND,
        reply_port: 0,
        manner: manner(),
    }
}

fn manner() -> Manner {
    Manner {
        ttl: 1,
        loopback: true,
        dscp: 0,
        spin: false,
        cpu: None,
        timestamps: TimestampKind::Kernel,
        receive_buffer: 1 << 20,
        interval_ns: Nanos::SECOND,
    }
}

/// A closed loop that nobody answered, with all other events and reasons.
pub(crate) fn ping_alone() -> PingReport {
    let mut report = ping();
    let outcome = &mut report.outcome;
    outcome.spec.asking = Asking::Closed { answered_by: AnsweredBy::All };
    outcome.spec.manner.spin = true;
    outcome.responders.clear();
    outcome.totals = PingTotals {
        counts: PingCounts::default(),
        loss_ratio: None,
        foreign: 0,
        times: RoundTrips::of(&Times::default(), 0, None),
    };
    outcome.invalid_reasons = vec![
        PingInvalid::RateMissed { intended: 10, sent: 2 },
        PingInvalid::Failed { cause: "Network is down (os error 100)".into() },
        PingInvalid::NobodyAnswered,
    ];
    outcome.events = [
        Happening::NobodyAnswers { group: GROUP.into() },
        Happening::NotPinned { worker: "the thread".into(), cpu: 1 },
        Happening::ClockStepped { by_ns: -7 },
        Happening::NoKernelTimestamp { datagrams: 1 },
        Happening::Interrupted,
    ]
    .map(|what| Event { at_ns: Nanos(0), what })
    .into();
    let limit: Limit = "p99>1ms".parse().expect("it is one");
    report.limits = vec![evaluate(&limit, &report.outcome)];
    report
}

/// What `echo` says of two sessions.
pub(crate) fn echo() -> EchoReport {
    let counts = EchoCounts {
        received: 10_010,
        unique: 10_000,
        missing: 2,
        duplicates: 9,
        reordered: 3,
        too_late: 1,
        corrupt: 0,
        calls: 10,
        replies: 10_019,
        refused: 1,
    };
    let asker = |session: &str, port: u16| AskerReport {
        session: session.into(),
        source: format!("192.0.2.9:{port}"),
        counts,
    };
    let mut totals = EchoTotals { counts, foreign: 4 };
    totals.counts.add(&counts);
    let heard =
        Happening::AskerHeard { session: "4f9c1a".into(), source: "192.0.2.9:40000".into() };
    let happened = [
        heard,
        Happening::NotPinned { worker: "the thread".into(), cpu: 1 },
        Happening::ClockStepped { by_ns: 9 },
        Happening::NoKernelTimestamp { datagrams: 1 },
        Happening::Interrupted,
    ];
    EchoReport {
        schema: ECHO.into(),
        version: "0.1.0".into(),
        command: "mcast-bench echo".into(),
        environment: super::run().environment,
        outcome: EchoOutcome {
            spec: EchoSpec {
                group: group(),
                interface: 2,
                reply: ReplyTo::Group,
                stop: StopWhen { time_ns: None, ..STOP },
                manner: Manner { spin: true, cpu: Some(2), ..manner() },
            },
            started_at: STARTED.into(),
            duration_ns: Nanos(12_000_000_000),
            interrupted: true,
            events: happened.map(|what| Event { at_ns: Nanos(1_000_000), what }).into(),
            responder: "01234567".into(),
            receive_buffer: GRANT,
            socket_drops: 2,
            cpu: None,
            failed: None,
            askers: vec![asker("4f9c1a", 40_000), asker("77aa01", 40_001)],
            totals,
        },
    }
}
