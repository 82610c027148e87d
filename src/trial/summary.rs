//! What the workers found becomes one report.

use super::collector::{Collector, SenderSums};
use super::crew::Done;
use super::ledger::session_name;
use super::rx_worker::RxResult;
use super::tx_worker::TxResult;
use super::validity::{self, Evidence};
use crate::model::event::{Event, Happening};
use crate::model::report::{
    BufferGrant, Distribution, LostBy, OneWayDelay, ReceiverReport, SenderReport, StreamReport,
    Totals, TrialReport, TxLedger,
};
use crate::model::snapshot::RxCounts;
use crate::model::spec::{Role, TrialSpec};
use crate::net::counters::HostDrops;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use crate::units::rate::DatagramRate;
use std::time::UNIX_EPOCH;

/// Everything a trial gathered beside the intervals.
pub(super) struct Gathered<'a> {
    pub(super) spec: &'a TrialSpec,
    pub(super) session: u32,
    pub(super) wall_start: Nanos,
    /// Time of the trial at its end.
    pub(super) now: Nanos,
    pub(super) interrupted: bool,
    pub(super) tx: Vec<Done<TxResult>>,
    pub(super) rx: Vec<Done<RxResult>>,
    /// Dropped by this host while the trial ran.
    pub(super) host_drops: HostDrops,
}

/// Adds up, judges, and says it.
pub(super) fn report(mut gathered: Gathered<'_>, mut collector: Collector<'_>) -> TrialReport {
    for (name, cpu) in gathered.not_pinned() {
        collector.note(Nanos(0), Happening::NotPinned { worker: name, cpu });
    }
    for rx in &mut gathered.rx {
        collector.happened(std::mem::take(&mut rx.result.happened));
    }
    let unstamped = gathered.rx.iter().map(|rx| rx.result.counters.unstamped).sum();
    if unstamped > 0 {
        collector.note(gathered.now, Happening::NoKernelTimestamp { datagrams: unstamped });
    }
    let (sent, one_way_delay, events) = collector.into_sums();
    let sender = gathered.sender(&sent);
    let receiver = gathered.receiver();
    let streams = gathered.streams();
    let totals = receiver.as_ref().map(|_| gathered.totals(&streams));
    let one_way_delay = receiver.as_ref().map(|_| gathered.one_way_delay(&one_way_delay));
    let evidence = Evidence {
        rate: gathered.spec.load.map(|load| load.rate),
        sender: sender.as_ref(),
        receiver: receiver.as_ref(),
        totals: totals.as_ref(),
        streams: &streams,
        one_way_delay: one_way_delay.as_ref(),
        events: &events,
    };
    let invalid_reasons = validity::invalid_reasons(&evidence);
    let warnings = validity::warnings(&evidence);
    TrialReport {
        started_at: rfc3339(gathered.wall_start),
        duration_ns: gathered.duration(),
        interrupted: gathered.interrupted,
        valid: invalid_reasons.is_empty(),
        invalid_reasons,
        warnings,
        events: in_order(events),
        sender,
        receiver,
        streams,
        totals,
        one_way_delay_ns: one_way_delay,
        spec: gathered.spec.clone(),
    }
}

impl Gathered<'_> {
    fn not_pinned(&self) -> Vec<(String, usize)> {
        let tx = self.tx.iter().map(|done| (&done.name, done.wanted_cpu, done.cpu));
        let rx = self.rx.iter().map(|done| (&done.name, done.wanted_cpu, done.cpu));
        tx.chain(rx)
            .filter_map(|(name, wanted, cpu)| {
                let wanted = wanted.filter(|_| cpu.is_none())?;
                Some((name.clone(), wanted))
            })
            .collect()
    }

    /// The senders' own; for receivers alone from the first datagram to the last.
    fn duration(&self) -> Nanos {
        let sent = self.tx.iter().map(|tx| tx.result.duration).max();
        sent.unwrap_or_else(|| self.receiving())
    }

    /// From the first numbered datagram to the last.
    fn receiving(&self) -> Nanos {
        let between = || self.rx.iter().filter_map(|rx| rx.result.received_between);
        let first = between().map(|(first, _)| first).min();
        let last = between().map(|(_, last)| last).max();
        first.zip(last).map_or(Nanos(0), |(first, last)| last.saturating_sub(first))
    }

    fn sender(&self, sent: &SenderSums) -> Option<SenderReport> {
        let load = self.spec.load?;
        let mut counts = TxLedger {
            intended: sent.counts.intended,
            offered: sent.counts.offered,
            ..TxLedger::default()
        };
        for (&errno, &datagrams) in self.tx.iter().flat_map(|tx| &tx.result.refused) {
            *counts.refused.entry(errno_name(errno)).or_default() += datagrams;
        }
        let results = || self.tx.iter().map(|tx| &tx.result);
        let duration = self.duration();
        Some(SenderReport {
            engine: self.spec.engine.clone(),
            session: session_name(self.session),
            intended_load_pps: load
                .rate
                .datagram_rate(load.payload_len)
                .map(DatagramRate::per_second),
            offered_load_pps: per_second(counts.offered, duration),
            offered_load_bps: per_second(sent.payload_bytes * 8, duration),
            counts,
            lateness_ns: Distribution::of(&sent.lateness),
            send_calls: results().map(|tx| tx.calls).sum(),
            longest_stall_ns: results().map(|tx| tx.longest_stall).max().unwrap_or_default(),
            cpus: self.tx.iter().map(|tx| tx.cpu).collect(),
        })
    }

    fn receiver(&self) -> Option<ReceiverReport> {
        let results = || self.rx.iter().map(|rx| &rx.result);
        let least = results().map(|rx| rx.buffer.0).min_by_key(|grant| grant.granted);
        (self.spec.role != Role::Send).then(|| ReceiverReport {
            engine: self.spec.engine.clone(),
            receive_buffer: least.unwrap_or(BufferGrant::default()),
            sockets: results().map(|rx| rx.buffer.1).sum(),
            receive_calls: results().map(|rx| rx.counters.calls).sum(),
            longest_stall_ns: results().map(|rx| rx.longest_stall).max().unwrap_or_default(),
            cpus: self.rx.iter().map(|rx| rx.cpu).collect(),
        })
    }

    fn streams(&mut self) -> Vec<StreamReport> {
        let rows = self.rx.iter_mut().map(|rx| std::mem::take(&mut rx.result.streams));
        let mut rows: Vec<_> = rows.flatten().collect();
        rows.sort_by(|a, b| (&a.session, a.stream).cmp(&(&b.session, b.stream)));
        rows
    }

    fn totals(&self, streams: &[StreamReport]) -> Totals {
        let results = || self.rx.iter().map(|rx| &rx.result);
        let mut counts =
            RxCounts { foreign: results().map(|rx| rx.foreign).sum(), ..RxCounts::default() };
        streams.iter().for_each(|stream| counts.add(&stream.counts.counts()));
        let lost: u64 = streams.iter().map(|stream| stream.lost).sum();
        let known = counts.unique + lost;
        Totals {
            sent: streams.iter().map(|stream| stream.sent).sum(),
            counts,
            lost,
            loss_ratio: (known > 0).then(|| lost as f64 / known as f64),
            lost_by: self.lost_by(lost),
            payload_bytes: results().map(|rx| rx.payload_bytes).sum(),
            forwarding_rate_pps: per_second(counts.received, self.receiving()),
            announcements: results().map(|rx| rx.announcements).sum(),
        }
    }

    /// What a counter of this host claims is taken first. It may have dropped what was not ours too, so never
    /// more than was lost. A socket also drops what was damaged on the way: that is nothing it had no room for.
    fn lost_by(&self, lost: u64) -> LostBy {
        let HostDrops { backlog, damaged } = self.host_drops;
        let socket: u64 = self.rx.iter().map(|rx| rx.result.counters.dropped).sum();
        let receiver_socket = socket.saturating_sub(damaged).min(lost);
        let receiver_host = backlog.min(lost - receiver_socket);
        let elsewhere = lost - receiver_socket - receiver_host;
        LostBy { receiver_socket, receiver_host, elsewhere }
    }

    fn one_way_delay(&self, delay: &Latency) -> OneWayDelay {
        let clock = match self.spec.role {
            Role::Run => "one host, CLOCK_REALTIME, kernel receive time",
            _ => "two hosts' CLOCK_REALTIME, not compared; kernel receive time",
        };
        OneWayDelay {
            clock: clock.to_owned(),
            distribution: Distribution::of(delay),
            negative: delay.negative,
            negative_max_ns: delay.negative_max,
        }
    }
}

fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| event.at_ns);
    events
}

fn per_second(count: u64, time: Nanos) -> f64 {
    if time == Nanos(0) { 0.0 } else { count as f64 / time.as_secs_f64() }
}

fn rfc3339(wall: Nanos) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + std::time::Duration::from(wall)).to_string()
}

/// Name of an error number that sending may give, send(2), udp(7); others by number.
fn errno_name(errno: i32) -> String {
    let name = match errno {
        libc::EACCES => "EACCES",
        libc::EAGAIN => "EAGAIN",
        libc::EDESTADDRREQ => "EDESTADDRREQ",
        libc::EHOSTUNREACH => "EHOSTUNREACH",
        libc::EINVAL => "EINVAL",
        libc::EIO => "EIO",
        libc::EMSGSIZE => "EMSGSIZE",
        libc::ENETDOWN => "ENETDOWN",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ENOBUFS => "ENOBUFS",
        libc::ENODEV => "ENODEV",
        libc::ENOMEM => "ENOMEM",
        libc::ENXIO => "ENXIO",
        libc::EPERM => "EPERM",
        other => return format!("errno {other}"),
    };
    name.to_owned()
}
