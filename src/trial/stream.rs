//! One stream: what has come of it, and what that says.

use crate::engine::FlowIndex;
use crate::model::by_stream::{StreamInterval, StreamName};
use crate::model::group::Membership;
use crate::model::metrics::{CopiesReport, LossReport, MediaReport};
use crate::model::positions::{StreamPosition, session_name};
use crate::model::report::{LOST_RANGES, LostRange, StreamCounts, StreamEnd, StreamReport};
use crate::model::snapshot::{ReceiverInterval, RxCounts, VariationSums};
use crate::stats::density::{BufferOccupancyDensity, ReorderDensity};
use crate::stats::duplication::Duplication;
use crate::stats::gaps::{Gap, Gaps};
use crate::stats::loss_pattern::LossPattern;
use crate::stats::patterns::PatternHistograms;
use crate::stats::reordering::Reordering;
use crate::stats::seq::{Arrival, SeqTracker};
use crate::trial::clocks::Clock;
use crate::trial::on_request::{Media, Variation, density};
use crate::trial::shared::{MAX_NOTED, Shared};
use crate::units::Nanos;
use crate::wire::announcement::{Conduct, SenderClock};
use crate::wire::probe::{Kind, Probe};
use std::net::SocketAddr;

/// Sequence numbers that each stream remembers: 16 KiB, and 1.3 s at 100,000 datagrams a second.
const WINDOW: usize = 1 << 17;

/// Gaps of one stream that may be open at once, 32 bytes each; beyond it the oldest is given up early.
const MAX_GAPS: usize = 4096;

/// Discontinuities in which a reordered datagram finds the one that overtook it, 32 bytes each.
const DISCONTINUITIES: usize = 64;

/// Identity of a stream (RFC 5560 section 2.5): two senders may draw the same session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: SocketAddr,
    pub(super) session: u32,
    pub(super) stream: u16,
}

/// What is to be found out beside what always is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Only this session is ours, where the senders are known; whatever else comes is foreign.
    pub session: Option<u32>,
    /// Losses at most so far from the one before are noticeable (RFC 3357 section 6.1).
    pub loss_distance: u64,
    /// Threshold of the reorder density (RFC 5236), if wanted.
    pub reorder_density: Option<u16>,
    /// Bits of media a second of each stream (RFC 4445), if known.
    pub media_rate_bps: Option<u64>,
    /// Whether to follow how datagrams vary from one to the next. It costs as much again as all the rest.
    pub variation: bool,
    /// Whether to tell at the end of each interval how far each stream is.
    pub positions: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Ended,
    /// Ended so long ago that nothing more is expected of it.
    PutAway,
    Silent,
}

/// One sequence-number space of one sender.
pub(super) struct Stream {
    pub(super) key: Key,
    flow: FlowIndex,
    pub(super) state: State,
    pub(super) first_heard: Nanos,
    pub(super) last_heard: Nanos,
    /// The stream that came after this one the last time: senders go through their groups in turn.
    pub(super) successor: u32,
    /// All drops of the sockets when its last numbered datagram came: its next gap is of later ones.
    pub(super) drops_heard: u64,
    tracker: SeqTracker,
    gaps: Gaps,
    /// Offered in all, once the sender has said so.
    sent: Option<u64>,
    /// Lost in all, once the books are closed.
    lost: Option<u64>,
    /// Gaps that were given up, in ascending order.
    lost_ranges: Vec<LostRange>,
    is_lost_complete: bool,
    order: Reordering,
    loss: LossPattern,
    loss_distance: u64,
    /// Made when the first copy comes.
    copies: Option<Box<Duplication>>,
    clock: Clock,
    /// What intervals have told: counts, and how many were lost.
    told: (RxCounts, u64),
    /// What its sender told on itself, with it and its other streams.
    pub(super) conduct: Option<Conduct>,
    /// Whether any of the following is asked for.
    has_more: bool,
    variation: Option<Box<Variation>>,
    density: Option<Box<(ReorderDensity, BufferOccupancyDensity, u16)>>,
    media: Option<Box<Media>>,
}

impl Stream {
    /// A stream heard for the first time. What only troubled streams need is taken when trouble comes.
    pub(super) fn new(key: Key, flow: FlowIndex, now: Nanos, own: u32, options: &Options) -> Self {
        Self {
            key,
            flow,
            state: State::Open,
            first_heard: now,
            last_heard: now,
            successor: own,
            drops_heard: 0,
            tracker: SeqTracker::new(WINDOW),
            gaps: Gaps::default(),
            sent: None,
            lost: None,
            lost_ranges: Vec::new(),
            is_lost_complete: true,
            order: Reordering::new(DISCONTINUITIES),
            loss: LossPattern::new(options.loss_distance),
            loss_distance: options.loss_distance,
            copies: None,
            clock: Clock::default(),
            told: Default::default(),
            conduct: None,
            has_more: options.variation
                || options.reorder_density.is_some()
                || options.media_rate_bps.is_some(),
            variation: options.variation.then(Box::default),
            density: options.reorder_density.map(|threshold| {
                let occupancy = BufferOccupancyDensity::new(threshold);
                Box::new((ReorderDensity::new(threshold), occupancy, threshold))
            }),
            media: options.media_rate_bps.map(|rate| Box::new(Media::new(rate))),
        }
    }

    /// Enters a numbered datagram.
    #[inline]
    pub(super) fn enter(
        &mut self,
        probe: &Probe,
        received_at: Nanos,
        payload_len: u32,
        interval: &mut ReceiverInterval,
        shared: &mut Shared,
    ) {
        if !probe.intact {
            self.tracker.observe_corrupt();
            return;
        }
        let Probe { seq, due_at, lateness, .. } = *probe;
        let arrival = self.tracker.observe(seq);
        if let Some(variation) = &mut self.variation {
            // RFC 3550 section 6.4.1 takes every arrival, also further copies.
            variation.jitter.observe(due_at + lateness.unwrap_or_default(), received_at);
        }
        if arrival != Arrival::InOrder {
            self.out_of_step(seq, arrival, received_at, shared, &mut interval.patterns);
        }
        if !matches!(arrival, Arrival::InOrder | Arrival::Gap { .. } | Arrival::Reordered { .. }) {
            return;
        }
        self.clock.record(due_at, received_at, interval);
        if let Some(lateness) = lateness {
            interval.sender_lateness.record(Nanos(0), lateness);
        }
        let patterns = &mut interval.patterns;
        self.order.observe(seq, arrival, received_at, payload_len, &mut patterns.order);
        if self.has_more {
            let left_at = due_at + lateness.unwrap_or_default();
            self.enter_more(seq, arrival, [due_at, left_at, received_at], payload_len, patterns);
        }
    }

    /// Enters an announcement. Says whether it ends the stream.
    pub(super) fn announced(&mut self, probe: &Probe, clocks: Option<[SenderClock; 2]>) -> bool {
        if let Some([own, theirs]) = clocks {
            self.clock.compare(&own, &theirs);
        }
        match probe.kind {
            // Only someone who was there before the first datagram can hear this.
            Kind::Start => {
                // Overtaken by datagrams, it makes the head lost in hindsight, where no gap was noted.
                self.is_lost_complete &= self.tracker.first().is_none_or(|first| first == 0);
                self.tracker.begin_at(0);
            }
            // A stream that is heard of only now has been running: what comes from here on counts.
            Kind::Progress if self.tracker.first().is_none() => self.tracker.begin_at(probe.seq),
            Kind::End if !matches!(self.state, State::Ended | State::PutAway) => {
                self.sent = Some(probe.seq);
                self.state = State::Ended;
                return true;
            }
            // The ledger lets no round trips through.
            _ => {}
        }
        false
    }

    /// Gives back what only a stream that goes on needs. One with open gaps still waits for what is in them.
    pub(super) fn put_away(&mut self) {
        if self.gaps.is_empty() {
            self.state = State::PutAway;
            self.tracker.forget();
        }
    }

    /// Gaps that were noticed at or before this time are lost for good.
    pub(super) fn settle(
        &mut self,
        until: Nanos,
        shared: &mut Shared,
        patterns: &mut PatternHistograms,
    ) {
        self.clock.draw_line();
        while let Some(gap) = self.gaps.settle(until) {
            shared.noted -= 1;
            self.lose(gap, shared, patterns);
        }
        // The number above a gap has come, so no loss prolongs it: the period is told when it is lost.
        self.loss.finish(&mut patterns.loss);
    }

    /// Ends an interval of so long in what is measured by intervals, and says what it was.
    pub(super) fn end_interval(
        &mut self,
        length: Nanos,
    ) -> (Option<VariationSums>, Option<MediaReport>) {
        let troubled = self.tracker.missing() + self.tracker.counters().reordered;
        let variation = self.variation.as_mut().map(|variation| variation.end_interval());
        (variation, self.media.as_mut().map(|media| media.end_interval(troubled, length)))
    }

    /// Datagrams of which more than one copy came.
    pub(super) fn replicated(&self) -> u64 {
        self.copies.as_ref().map_or(0, |copies| copies.replicated())
    }

    /// No more will come. What is missing is lost, and what was sent after the last that came.
    pub(super) fn finish(
        &mut self,
        noticed_at: Nanos,
        shared: &mut Shared,
        patterns: &mut PatternHistograms,
    ) {
        self.lost = Some(self.tracker.finish(self.sent));
        self.settle(Nanos(u64::MAX), shared, patterns);
        if let (Some(first_seq), len @ 1..) = (self.next_seq(), self.tail()) {
            self.lose(Gap { first_seq, len, noticed_at, own: 0 }, shared, patterns);
        }
        self.loss.finish(&mut patterns.loss);
        if let Some(density) = &mut self.density {
            density.0.finish();
        }
    }

    /// What has arrived.
    pub(super) fn counts(&self) -> StreamCounts {
        let counters = self.tracker.counters();
        StreamCounts {
            received: counters.received,
            unique: counters.unique,
            duplicates: counters.duplicates,
            reordered: counters.reordered,
            too_late: counters.too_late,
            corrupt: counters.corrupt,
        }
    }

    /// Missing and given up. What was sent after the last that came is so when nothing more is expected of the stream.
    pub(super) fn lost(&self) -> u64 {
        let tail = if self.state == State::PutAway { self.tail() } else { 0 };
        let missing = || self.tracker.missing().saturating_sub(self.gaps.outstanding()) + tail;
        self.lost.unwrap_or_else(missing)
    }

    /// How far it is.
    pub(super) fn position(&self) -> StreamPosition {
        let Key { source, session, stream } = self.key;
        let tail = if self.state == State::Ended { self.tail() } else { 0 };
        StreamPosition {
            session,
            stream,
            source,
            first_seq: self.tracker.first().or(self.sent).unwrap_or(0),
            next_seq: self.next_seq().or(self.sent).unwrap_or(0),
            awaited: self.gaps.outstanding() + tail,
            has_ended: self.sent.is_some(),
        }
    }

    /// The lowest number that was not looked at; `None` before anything is known.
    fn next_seq(&self) -> Option<u64> {
        self.tracker.highest().map(|highest| highest + 1).or(self.tracker.first())
    }

    /// How many were sent after the last that came, once the sender has said so.
    fn tail(&self) -> u64 {
        self.sent.zip(self.next_seq()).map_or(0, |(sent, next)| sent.saturating_sub(next))
    }

    /// What has been counted since this was last asked. `flows` are the receiver's groups.
    pub(super) fn tell(&mut self, flows: &[Membership]) -> StreamInterval {
        let (counts, lost) = (self.counts().counts(), self.lost());
        let before = std::mem::replace(&mut self.told, (counts, lost));
        let name = StreamName {
            source: self.key.source.ip(),
            group: flows[self.flow as usize],
            stream: self.key.stream,
        };
        let lost = lost as i64 - before.1 as i64;
        StreamInterval { name, counts: counts.since(&before.0), lost }
    }

    /// Missing, and may still come.
    pub(super) fn outstanding(&self) -> u64 {
        self.gaps.outstanding()
    }

    /// The row of a stream whose books are closed.
    pub(super) fn row(self, flows: &[Membership]) -> StreamReport {
        let counts = self.counts();
        let lost = self.lost();
        let first_seq = self.tracker.first().unwrap_or(0);
        let known = counts.unique + lost;
        let flow = &flows[self.flow as usize];
        StreamReport {
            session: session_name(self.key.session),
            stream: self.key.stream,
            source: self.key.source.to_string(),
            group: flow.group.to_string(),
            port: flow.port,
            interface: None,
            sent: self.sent.map(|sent| sent.saturating_sub(first_seq)),
            first_seq,
            highest_seq: self.tracker.highest(),
            counts,
            lost,
            loss_ratio: (known > 0).then(|| lost as f64 / known as f64),
            before_join: first_seq,
            end: match self.state {
                State::Ended | State::PutAway => StreamEnd::Announced,
                State::Silent => StreamEnd::Silent,
                State::Open => StreamEnd::ReceiverStopped,
            },
            order: self.order.counters().into(),
            loss: self.loss_report(),
            copies: self.copies_report(),
            variation: self.variation.as_deref().map(Variation::report),
            clock: self.clock.report(),
            density: self.density.as_deref().map(|(d, o, threshold)| density(d, o, *threshold)),
            media: self.media.map(|media| media.report),
            lost_ranges: self.lost_ranges,
            lost_ranges_complete: self.is_lost_complete,
        }
    }

    /// Enters what was not simply the next number.
    #[cold]
    fn out_of_step(
        &mut self,
        seq: u64,
        arrival: Arrival,
        received_at: Nanos,
        shared: &mut Shared,
        patterns: &mut PatternHistograms,
    ) {
        let before = self.gaps.len();
        match arrival {
            Arrival::Gap { missing } => {
                let since = shared.dropped_in_all - self.drops_heard;
                let own = missing.min(shared.dropped).min(since);
                shared.dropped -= own;
                let first_seq = seq - missing;
                self.gaps.open(Gap { first_seq, len: missing, noticed_at: received_at, own });
            }
            Arrival::Reordered { .. } => drop(self.gaps.fill(seq)),
            Arrival::Duplicate => {
                let copies = self.copies.get_or_insert_with(|| Box::new(Duplication::new(WINDOW)));
                copies.observe(seq, self.tracker.highest().unwrap_or(seq));
            }
            _ => {}
        }
        shared.noted = shared.noted + self.gaps.len() - before;
        while (self.gaps.len() > MAX_GAPS || shared.noted > MAX_NOTED)
            && let Some(oldest) = self.gaps.give_up_oldest()
        {
            shared.noted -= 1;
            self.lose(oldest, shared, patterns);
        }
    }

    /// What was asked for beside what is always found out. `times` are when it was due, left and came.
    fn enter_more(
        &mut self,
        seq: u64,
        arrival: Arrival,
        times: [Nanos; 3],
        payload_len: u32,
        patterns: &mut PatternHistograms,
    ) {
        if let Some((variation, into)) = self.variation.as_mut().zip(patterns.variation.as_mut()) {
            variation.enter(seq, arrival, times, into);
        }
        if let Some(density) = &mut self.density {
            density.0.observe(seq);
            density.1.observe(seq);
        }
        if let Some(media) = &mut self.media {
            media.index.observe(times[2], payload_len);
        }
    }

    fn lose(&mut self, gap: Gap, shared: &mut Shared, patterns: &mut PatternHistograms) {
        let Gap { first_seq, len, noticed_at, own } = gap;
        self.loss.lost_range(first_seq, len, noticed_at, &mut patterns.loss);
        let is_full = self.lost_ranges.len() == LOST_RANGES || shared.noted >= MAX_NOTED;
        match self.lost_ranges.last_mut() {
            Some(last) if last.first_seq + last.len == first_seq => {
                last.len += len;
                last.own_socket += own;
            }
            _ if is_full => self.is_lost_complete = false,
            _ => {
                shared.noted += 1;
                let at_ns = noticed_at;
                self.lost_ranges.push(LostRange { first_seq, len, at_ns, own_socket: own });
            }
        }
    }

    fn loss_report(&self) -> LossReport {
        let own_of = |first_seq| {
            let range = self.lost_ranges.iter().find(|range| range.first_seq == first_seq);
            range.map_or(0, |range| range.own_socket)
        };
        let longest = self.loss.longest().iter().map(|period| LostRange {
            first_seq: period.first_seq,
            len: period.len,
            at_ns: period.at,
            own_socket: own_of(period.first_seq),
        });
        LossReport {
            periods: self.loss.periods(),
            period_max: self.loss.longest().first().map_or(0, |period| period.len),
            period_mean: self.loss.mean_period(),
            noticeable_distance: self.loss_distance,
            noticeable_rate: self.loss.noticeable_rate(),
            longest: longest.collect(),
        }
    }

    fn copies_report(&self) -> CopiesReport {
        let unique = self.counts().unique;
        let none = (unique > 0).then_some(0.0);
        self.copies.as_ref().map_or(
            CopiesReport { fraction: none, replicated_rate: none },
            |copies| CopiesReport {
                fraction: copies.fraction(unique),
                replicated_rate: copies.replicated_rate(unique),
            },
        )
    }
}
