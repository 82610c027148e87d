//! What the made-up reports are put together from.

use super::patterns;
use crate::model::delay::{Distribution, OneWayDelay};
use crate::model::drops::{HostDrops, LostBy, LostByInterval};
use crate::model::environment::{Environment, Interface, Offloads, Rings};
use crate::model::event::{Event, Happening};
use crate::model::group::Membership;
use crate::model::metrics::{ClockRelation, ClockReport, LossReport};
use crate::model::report::*;
use crate::model::senders::{SenderConduct, SenderGaps, SenderThread, SendersReport};
use crate::model::snapshot::{HostInterval, ReceiverInterval, RxCounts, SenderInterval, TxCounts};
use crate::model::spec::{Load, Pace, Timing};
use crate::stats::latency::Latency;
use crate::stats::loss_pattern::LossPattern;
use crate::stats::patterns::PatternHistograms;
use crate::units::Nanos;
use crate::units::rate::Rate;
use crate::units::size_mix::SizeMix;
use std::collections::BTreeMap;

/// UDP payload bytes a datagram.
pub(super) const PAYLOAD_LEN: u64 = 1316;

pub(super) fn group(last: u8) -> Membership {
    Membership { source: None, group: [239, 255, 77, last].into(), port: 5777 }
}

pub(super) fn load() -> Load {
    Load {
        rate: Some(Rate::MilliDatagrams(100_000_000)),
        schedule: Timing::Constant,
        sizes: SizeMix::of_one(1316),
        burst_len: 1,
        payload_checksum: false,
        pace: Pace::Auto,
        catch_up: false,
    }
}

pub(super) fn environment() -> Environment {
    Environment {
        commit: Some("39dcdae1f0a2".into()),
        host: Some("lab-1".into()),
        kernel: Some("Linux 6.8.0-60-generic".into()),
        cpu: Some("AMD EPYC 7763 64-Core Processor".into()),
        cpus: 8,
        governor: Some("performance".into()),
        isolated_cpus: Some("2-3".into()),
        clock_source: Some("tsc".into()),
        rmem_max: Some(212_992),
        wmem_max: Some(212_992),
        netdev_max_backlog: Some(1_000),
        sysctls: BTreeMap::from(
            [("net.ipv4.conf.all.rp_filter", "0"), ("net.ipv4.conf.eth1.rp_filter", "1")]
                .map(|(name, value)| (name.into(), value.into())),
        ),
        interface: Interface {
            name: "eth1".into(),
            index: 3,
            mtu: Some(1_500),
            driver: Some("ixgbe".into()),
            speed_mbps: Some(10_000),
            operstate: Some("up".into()),
            flags: ["UP", "BROADCAST", "MULTICAST"].map(String::from).into(),
            rx_queues: Some(8),
            tx_queues: Some(8),
            rings: Some(Rings { rx: 512, rx_max: 4_096, tx: 512, tx_max: 4_096 }),
            offloads: Offloads {
                gro: Some(true),
                gso: Some(true),
                rx_checksum: Some(true),
                tx_checksum: Some(false),
            },
            qdisc: Some("mq".into()),
        },
    }
}

pub(super) fn sender(intended: u64, offered: u64) -> SenderReport {
    SenderReport {
        engine: "mmsg".into(),
        session: "4f9c1a".into(),
        counts: TxLedger { intended, offered, refused: BTreeMap::new() },
        intended_load_pps: Some(100_000.0),
        offered_load_pps: offered as f64 / 10.0,
        offered_load_bps: (offered * PAYLOAD_LEN * 8) as f64 / 10.0,
        lateness_ns: distribution(offered, 900),
        gaps_ns: patterns::gaps(offered.saturating_sub(1)),
        train_max: offered.min(8),
        send_calls: offered / 64,
        super_packet_max: 0,
        dropped_after_taking: 0,
        qdisc: Some("mq".into()),
        host_drops: host_drops(&[("interface.tx_dropped", 0), ("qdisc.drops", 0)]),
        stalls: 0,
        longest_stall_ns: Nanos(0),
        cpus: vec![Some(2)],
    }
}

pub(super) fn receiver() -> ReceiverReport {
    ReceiverReport {
        engine: "mmsg".into(),
        receive_buffer: BufferGrant { asked: 8 << 20, granted: 16 << 20, forced: true },
        sockets: 1,
        timestamps: TimestampReport::new(TimestampKind::Kernel),
        receive_calls: 400_000,
        host_drops: host_drops(&[("UdpInErrors", 0), ("UdpRcvbufErrors", 0)]),
        longest_stall_ns: Nanos(530_000),
        cpus: vec![Some(3)],
    }
}

pub(super) fn host_drops(counters: &[(&str, u64)]) -> HostDrops {
    HostDrops(counters.iter().map(|&(name, count)| (name.to_owned(), count)).collect())
}

pub(super) fn stream(number: u16, sent: u64, lost: u64) -> StreamReport {
    let unique = sent - lost;
    let mut stream = StreamReport {
        session: "4f9c1a".into(),
        stream: number,
        source: "192.0.2.1:40000".into(),
        group: format!("239.255.77.{}", 77 + number),
        port: 5777,
        interface: Some("eth1".to_owned()),
        sent: Some(sent),
        first_seq: 0,
        highest_seq: sent.checked_sub(1),
        counts: StreamCounts { received: unique, unique, ..StreamCounts::default() },
        lost,
        loss_ratio: (sent > 0).then(|| lost as f64 / sent as f64),
        before_join: 0,
        lost_ranges: Vec::new(),
        lost_ranges_complete: true,
        end: StreamEnd::Announced,
        order: patterns::order(unique),
        loss: LossReport { noticeable_distance: 99, ..LossReport::default() },
        copies: patterns::copies(unique),
        variation: Some(patterns::variation(unique)),
        clock: ClockReport {
            relation: ClockRelation::SameHost,
            error_ns: Some(Nanos(0)),
            ..ClockReport::default()
        },
        density: None,
        media: None,
    };
    if lost > 0 {
        patterns::lose(&mut stream);
    }
    stream
}

pub(super) fn totals(streams: &[StreamReport], duration_ns: u64) -> Totals {
    let mut counts = RxCounts::default();
    streams.iter().for_each(|stream| counts.add(&stream.counts.counts()));
    let lost = streams.iter().map(|stream| stream.lost).sum();
    let known = counts.unique + lost;
    Totals {
        sent: streams.iter().map(|stream| stream.sent).sum(),
        counts,
        lost,
        loss_ratio: (known > 0).then(|| lost as f64 / known as f64),
        lost_by: LostBy { receiver_socket: 0, receiver_host: 0, elsewhere: lost },
        payload_bytes: counts.received * PAYLOAD_LEN,
        forwarding_rate_pps: counts.received as f64 * 1e9 / duration_ns.max(1_000_000_000) as f64,
        announcements: 13 * streams.len() as u64,
    }
}

/// Gives a report its streams, and all that is measured on them.
pub(super) fn heard(report: &mut RunReport, streams: Vec<StreamReport>) {
    let trial = &mut report.trial;
    let totals = totals(&streams, trial.duration_ns.0);
    let unique = totals.counts.unique;
    trial.one_way_delay_ns = Some(delay(unique, totals.lost));
    trial.host_delay_ns = Some(distribution(unique, 2_100));
    trial.sender_lateness_ns = Some(distribution(unique, 900));
    trial.patterns = Some(patterns::patterns(unique));
    trial.totals = Some(totals);
    trial.senders = senders(&streams);
    trial.streams = streams;
}

/// What those who sent `streams` say of themselves: each has one thread, and nothing is wrong with it.
fn senders(streams: &[StreamReport]) -> Option<SendersReport> {
    let mut sent = BTreeMap::new();
    for stream in streams {
        let known = stream.counts.unique + stream.lost;
        *sent.entry((stream.session.clone(), stream.source.clone())).or_default() += known;
    }
    let threads = sent.into_iter().map(|((session, source), sent)| {
        let (thread, conduct) = (0, conduct(sent));
        SenderThread { session, source, thread, conduct }
    });
    SendersReport::of(threads.collect())
}

fn conduct(sent: u64) -> SenderConduct {
    let gaps = || {
        let [min, p50, p99, max] = [0, 10_000, 10_000, 20_400].map(Nanos);
        SenderGaps { min, p50, p99, max }
    };
    SenderConduct {
        intended: Some(sent),
        offered: sent,
        train_max: sent.min(8),
        gaps_ns: (sent > 1).then(gaps),
        ..SenderConduct::default()
    }
}

pub(super) fn delay(count: u64, lost: u64) -> OneWayDelay {
    let clock = "one host, CLOCK_REALTIME, kernel receive time";
    OneWayDelay::of(clock.into(), &latency(count, 12_300).read(), lost)
}

pub(super) fn distribution(count: u64, typical: u64) -> Distribution {
    Distribution::of(&latency(count, typical).read())
}

/// Most around `typical`, with a tail as real ones have it.
pub(super) fn latency(count: u64, typical: u64) -> Latency {
    let mut latency = Latency::new();
    let mut left = count;
    for (share, factor) in
        [(100_000, 34.0), (5_000, 9.8), (1_000, 5.2), (50, 3.66), (4, 1.6), (2, 1.0), (1, 0.7)]
    {
        let (delay, datagrams) = ((typical as f64 * factor) as u64, left.div_ceil(share));
        if datagrams == 0 || (left == 1 && share > 2) {
            continue;
        }
        left -= datagrams;
        latency.record_many(Nanos(0), Nanos(delay), datagrams);
    }
    latency
}

pub(super) fn sender_interval(due: u64) -> SenderInterval {
    let mut sender = SenderInterval {
        counts: TxCounts { intended: due, offered: due, refused: 0 },
        payload_bytes: due * PAYLOAD_LEN,
        lateness: latency(due, 900),
        send_calls: due / 3,
        ..SenderInterval::default()
    };
    sender.trains.note(3, Some(Nanos(30_000)));
    sender.stalls.note(Nanos(12_000_000));
    sender
}

/// Of the lost ones, a tenth was dropped by the own socket.
pub(super) fn host_interval(lost: i64) -> HostInterval {
    let drops = lost.unsigned_abs() / 10;
    HostInterval {
        refused: BTreeMap::from([("EPERM".into(), 2)]),
        sending: host_drops(&[("interface.tx_dropped", 0), ("qdisc.drops", 5)]),
        dropped_after_taking: 5,
        receiving: host_drops(&[("UdpRcvbufErrors", drops), ("interface.rx_dropped", 0)]),
        lost_by: LostByInterval {
            receiver_socket: drops as i64,
            receiver_host: 0,
            elsewhere: lost - drops as i64,
        },
    }
}

pub(super) fn receiver_interval(due: u64, lost: i64) -> ReceiverInterval {
    let arrived = due.saturating_add_signed(-lost);
    let mut patterns =
        PatternHistograms { variation: Some(Default::default()), ..Default::default() };
    let mut loss = LossPattern::new(99);
    loss.lost_range(7, u64::try_from(lost).unwrap_or(0), Nanos(0), &mut patterns.loss);
    loss.finish(&mut patterns.loss);
    patterns.variation.iter_mut().for_each(|of| of.note_gap(Nanos(10_000), Nanos(12_000)));
    ReceiverInterval {
        announcements: 4,
        receive_calls: arrived / 2,
        patterns,
        media: Some(patterns::media()),
        counts: RxCounts { received: arrived, unique: arrived, ..RxCounts::default() },
        payload_bytes: arrived * PAYLOAD_LEN,
        lost,
        outstanding: lost.unsigned_abs() / 4,
        socket_drops: lost.unsigned_abs() / 10,
        streams: 1,
        one_way_delay: latency(arrived, 12_300),
        relative_delay: Latency::new(),
        host_delay: latency(arrived, 2_100),
        sender_lateness: latency(arrived, 900),
        ..ReceiverInterval::default()
    }
}

pub(super) fn heard_from(session: &str) -> Happening {
    Happening::StreamHeard { session: session.into(), stream: 0, source: "192.0.2.1:40000".into() }
}

pub(super) fn event(at: u64, what: Happening) -> Event {
    Event { at_ns: Nanos(at), what }
}
