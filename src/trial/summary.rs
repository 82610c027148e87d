//! What the workers found becomes one report.

use super::blame::{self, HostCounted};
use super::collector::Collector;
use super::crew::Done;
use super::errno;
use super::rx_worker::RxResult;
use super::senders::Senders;
use super::tx_worker::TxResult;
use super::validity::{self, Evidence};
use crate::model::delay::{Distribution, OneWayDelay};
use crate::model::drops::{LostBy, OwnDrops};
use crate::model::event::{Event, Happening};
use crate::model::metrics::{Buckets, ClockRelation, Patterns};
use crate::model::positions::session_name;
use crate::model::report::{
    BufferGrant, ReceiverReport, SenderReport, StreamReport, TimestampKind, TimestampReport,
    Totals, TrialReport, TxLedger,
};
use crate::model::senders::SendersReport;
use crate::model::snapshot::{ReceiverInterval, RxCounts, SenderInterval};
use crate::model::spec::{Role, TrialSpec};
use crate::net::hardware::Choice;
use crate::stats::latency::Latency;
use crate::units::Nanos;
use crate::units::rate::Rate;
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
    /// Who stamped what was received.
    pub(super) timestamps: Choice,
    /// What this host counted meanwhile.
    pub(super) host: HostCounted,
}

/// Adds up, judges, and says it.
pub(super) fn report(mut gathered: Gathered<'_>, mut collector: Collector<'_>) -> TrialReport {
    for (name, cpu) in gathered.not_pinned() {
        collector.note(Nanos(0), Happening::NotPinned { worker: name, cpu });
    }
    for rx in &mut gathered.rx {
        collector.happened(std::mem::take(&mut rx.result.closed.happened));
    }
    let stamped_by = gathered.stamped_by(&mut collector);
    let (sent, received, events) = collector.into_sums();
    let sender = gathered.sender(&sent);
    let receiver = gathered.receiver(&received, stamped_by);
    let streams = gathered.streams(&stamped_by);
    let totals = receiver.as_ref().map(|_| gathered.totals(&streams));
    let has_receiver = receiver.is_some();
    let relative = &received.relative_delay;
    let is_relative = relative.count() > 0;
    let absolute = &received.one_way_delay;
    let is_absolute = !is_relative || absolute.count() + absolute.negative > 0;
    let one_way_delay = (has_receiver && is_absolute)
        .then(|| gathered.one_way_delay(absolute, &streams, stamped_by.kind));
    let relative_delay = (has_receiver && is_relative)
        .then(|| Distribution::with_losses(&relative.read(), lost(&streams, false)));
    let sender_lateness = has_receiver.then(|| Distribution::of(&received.sender_lateness.read()));
    let senders = gathered.senders();
    let evidence = Evidence {
        has_rate: !gathered.spec.offered().iter().all(|flow| flow.load.rate == Some(Rate::Max)),
        sender: sender.as_ref(),
        receiver: receiver.as_ref(),
        totals: totals.as_ref(),
        streams: &streams,
        senders: senders.as_ref(),
        sender_lateness: sender_lateness.as_ref(),
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
        relative_delay_ns: relative_delay,
        host_delay_ns: has_receiver.then(|| Distribution::of(&received.host_delay.read())),
        sender_lateness_ns: sender_lateness,
        senders,
        patterns: has_receiver.then(|| Patterns::from(&received.patterns)),
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

    /// Whose receive times these are. That some were not as wanted is worth an event.
    fn stamped_by(&mut self, collector: &mut Collector<'_>) -> TimestampReport {
        let counters = || self.rx.iter().map(|rx| &rx.result.counters);
        let unstamped = counters().map(|counters| counters.unstamped).sum();
        let without_hardware = counters().map(|counters| counters.without_hardware).sum();
        if let Some(reason) = self.timestamps.degraded() {
            collector.note(Nanos(0), Happening::KernelTimestamps { reason });
        }
        if without_hardware > 0 {
            let datagrams = without_hardware;
            collector.note(self.now, Happening::NoHardwareTimestamp { datagrams });
        }
        if unstamped > 0 {
            collector.note(self.now, Happening::NoKernelTimestamp { datagrams: unstamped });
        }
        self.timestamps.report(unstamped.max(without_hardware))
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

    fn sender(&self, sent: &SenderInterval) -> Option<SenderReport> {
        let flows = self.spec.offered();
        if flows.is_empty() {
            return None;
        }
        let counts = TxLedger {
            intended: sent.counts.intended,
            offered: sent.counts.offered,
            refused: errno::by_name(&sent.refused),
        };
        let duration = self.duration();
        Some(SenderReport {
            engine: self.spec.engine.clone(),
            session: session_name(self.session),
            intended_load_pps: match flows.iter().all(|flow| flow.load.is_steady()) {
                true => flows.iter().map(|flow| flow.load.datagram_rate()).sum(),
                // Depends on how much of it there was time for.
                false => Some(per_second(counts.intended, duration)),
            },
            offered_load_pps: per_second(counts.offered, duration),
            offered_load_bps: per_second(sent.payload_bytes * 8, duration),
            counts,
            lateness_ns: Distribution::of(&sent.lateness.read()),
            gaps_ns: Buckets::of(&sent.trains.gaps),
            train_max: sent.trains.longest,
            send_calls: sent.send_calls,
            super_packet_max: sent.super_packet_max,
            dropped_after_taking: self.dropped_after_taking(sent),
            qdisc: self.host.qdisc.clone(),
            host_drops: self.host.sending.clone(),
            stalls: sent.stalls.count,
            longest_stall_ns: sent.stalls.longest,
            cpus: self.tx.iter().map(|tx| tx.cpu).collect(),
        })
    }

    fn receiver(
        &self,
        received: &ReceiverInterval,
        timestamps: TimestampReport,
    ) -> Option<ReceiverReport> {
        let results = || self.rx.iter().map(|rx| &rx.result);
        let least = results().map(|rx| rx.buffer.0).min_by_key(|grant| grant.granted);
        (self.spec.role != Role::Send).then(|| ReceiverReport {
            engine: self.spec.engine.clone(),
            receive_buffer: least.unwrap_or(BufferGrant::default()),
            sockets: results().map(|rx| rx.buffer.1).sum(),
            timestamps,
            receive_calls: results().map(|rx| rx.counters.calls).sum(),
            host_drops: self.host.receiving.clone(),
            longest_stall_ns: received.stalls.longest,
            cpus: self.rx.iter().map(|rx| rx.cpu).collect(),
        })
    }

    fn streams(&mut self, stamped_by: &TimestampReport) -> Vec<StreamReport> {
        let rows = self.rx.iter_mut().map(|rx| std::mem::take(&mut rx.result.closed.streams));
        let mut rows: Vec<_> = rows.flatten().collect();
        let key = |row: &StreamReport| (row.session.clone(), row.stream, row.interface.clone());
        rows.sort_by_cached_key(key);
        if stamped_by.kind == TimestampKind::Hardware {
            // Stamps of another clock are wrong by what their conversion is, too.
            for clock in rows.iter_mut().map(|row| &mut row.clock) {
                let errors = clock.error_ns.zip(stamped_by.error_ns);
                clock.error_ns = errors.map(|(of_clock, of_stamps)| of_clock + of_stamps);
            }
        }
        rows
    }

    fn senders(&self) -> Option<SendersReport> {
        let mut heard = Senders::default();
        self.rx.iter().for_each(|rx| heard.add(&rx.result.closed.senders));
        heard.report()
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

    fn lost_by(&self, lost: u64) -> LostBy {
        let counters = || self.rx.iter().map(|rx| &rx.result.counters);
        let mut own = OwnDrops::default();
        counters().for_each(|counters| own.add(&counters.own));
        blame::lost_by(lost, &own, &self.host.receiving)
    }

    fn dropped_after_taking(&self, sent: &SenderInterval) -> u64 {
        let refused = sent.refused.of(libc::ENOBUFS) + sent.also_refused;
        blame::dropped_after_taking(&self.host.sending, refused, sent.packet_size)
    }

    fn one_way_delay(
        &self,
        delay: &Latency,
        streams: &[StreamReport],
        stamps: TimestampKind,
    ) -> OneWayDelay {
        let clocks = || streams.iter().map(|stream| stream.clock);
        let comparable = || clocks().filter(|clock| clock.relation.is_comparable());
        let error = comparable().filter_map(|clock| clock.error_ns).max().unwrap_or_default();
        let stamps = match stamps {
            TimestampKind::Hardware => "hardware receive time",
            TimestampKind::Kernel => "kernel receive time",
            TimestampKind::Application => "application receive time",
        };
        let clock = match comparable().map(|clock| clock.relation).max() {
            Some(ClockRelation::Disciplined) => {
                format!("two hosts' CLOCK_REALTIME, both disciplined, ±{error}; {stamps}")
            }
            _ if error > Nanos(0) => format!("one host, CLOCK_REALTIME, {stamps} ±{error}"),
            _ => format!("one host, CLOCK_REALTIME, {stamps}"),
        };
        OneWayDelay::of(clock, &delay.read(), lost(streams, true))
    }
}

/// Lost of the streams whose clocks compare to ours, or of the others.
fn lost(streams: &[StreamReport], is_comparable: bool) -> u64 {
    let streams =
        streams.iter().filter(|stream| stream.clock.relation.is_comparable() == is_comparable);
    streams.map(|stream| stream.lost).sum()
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
