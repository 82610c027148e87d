//! One interval of a running trial.
//!
//! Intervals add up to the report. Two things are not told by intervals: reorder density (RFC 5236), which is a
//! distribution that needs the whole stream, and how clocks compare, which is a line through all of it. Calls to the
//! kernel and announcements after the load, where nothing else happens any more, are in the report alone.

use super::by_stream::ByStream;
use super::drops::{HostDrops, LostByInterval, OwnDrops, PacketSize};
use super::metrics::MediaReport;
use super::positions::Positions;
use crate::stats::latency::Latency;
use crate::stats::patterns::PatternHistograms;
use crate::stats::trains::Trains;
use crate::stats::variation::IpdvSums;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What happened between two instants of a trial, all workers together.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts from 0, which is the first interval in which anything was heard.
    pub index: u64,
    /// Begin of the interval, since the trial started: with a silence before the first datagram.
    pub start: Nanos,
    /// Length of the interval.
    pub length: Nanos,
    /// The sending side, if this process sends.
    pub sender: Option<SenderInterval>,
    /// The receiving side, if this process receives.
    pub receiver: Option<ReceiverInterval>,
    /// What this host's own counters say.
    pub host: HostInterval,
}

impl Snapshot {
    /// `count` of something in this interval as a rate a second; 0 for an interval without length.
    pub fn per_second(&self, count: u64) -> f64 {
        if self.length == Nanos(0) { 0.0 } else { count as f64 / self.length.as_secs_f64() }
    }
}

/// What the senders did in one interval.
#[derive(Clone, Debug, Default)]
pub struct SenderInterval {
    /// Datagrams, and what became of them.
    pub counts: TxCounts,
    /// UDP payload bytes offered.
    pub payload_bytes: u64,
    /// From the due time of each datagram to the moment its batch was handed to the kernel.
    pub lateness: Latency,
    /// Refused, by error number.
    pub refused: Refusals,
    /// Refusals beside those: of announcements, and of datagrams that were taken, or refused, when tried again.
    pub also_refused: u64,
    /// Calls to the kernel that sent something.
    pub send_calls: u64,
    /// Where several datagrams left as one: how many in how many.
    pub packet_size: PacketSize,
    /// Most datagrams that left as one.
    pub super_packet_max: u64,
    /// How datagrams were handed over.
    pub trains: Trains,
    /// Times at which a sender did nothing although something was due.
    pub stalls: Stalls,
}

/// What the receivers saw in one interval.
#[derive(Clone, Debug, Default)]
pub struct ReceiverInterval {
    /// Datagrams by what they were.
    pub counts: RxCounts,
    /// UDP payload bytes received in our datagrams.
    pub payload_bytes: u64,
    /// Lost for good, as the loss threshold says: below zero when some came even later than that.
    pub lost: i64,
    /// Missing at the end of the interval, and may still come.
    pub outstanding: u64,
    /// Dropped by our own sockets because their buffers were full.
    pub socket_drops: u64,
    /// The same in packets, as the kernel counts them.
    pub own_drops: OwnDrops,
    /// Streams that were heard in the interval.
    pub streams: u64,
    /// What was counted of each.
    pub by_stream: ByStream,
    /// How far each stream is at its end; nothing unless an observer follows them.
    pub positions: Positions,
    /// Announcements of start, progress and end.
    pub announcements: u64,
    /// Calls to the kernel that received something.
    pub receive_calls: u64,
    /// Datagrams without a receive time of the kind that was wanted.
    pub without_timestamp: u64,
    /// Datagrams of which more than one copy came, as far as the interval found out.
    pub replicated: u64,
    /// Order, and the losses that became certain in the interval.
    pub patterns: PatternHistograms,
    /// How datagrams varied from one to the next.
    pub variation: VariationSums,
    /// The largest of each of all streams; `None` unless the media rate is known.
    pub media: Option<MediaReport>,
    /// Times at which a receiver did not look at its sockets.
    pub stalls: Stalls,
    /// From the due time to the kernel's receive time.
    pub one_way_delay: Latency,
    /// Above the shortest, of streams whose clocks do not compare to ours.
    pub relative_delay: Latency,
    /// From the kernel's receive time to the application.
    pub host_delay: Latency,
    /// How late the senders were, as their datagrams say.
    pub sender_lateness: Latency,
}

/// What of the variation is no histogram.
#[derive(Clone, Copy, Debug, Default)]
pub struct VariationSums {
    /// Inter-packet delay variation.
    pub ipdv: IpdvSums,
    /// Interarrival jitter as RTP estimates it, at the end: the largest of the streams that were heard.
    pub rtp_jitter_ns: f64,
    /// Most datagrams that a sender handed to its kernel at one instant.
    pub sent_train_max: u64,
}

/// Datagrams that the kernel refused, by error number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals(Vec<(i32, u64)>);

/// Times at which a worker stood still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// How many.
    pub count: u64,
    /// The longest.
    pub longest: Nanos,
}

/// What a host tells of an interval, beside what its workers gathered.
#[derive(Clone, Debug, Default)]
pub struct HostInterval {
    /// Refused by the kernel, by the name of the errno.
    pub refused: BTreeMap<String, u64>,
    /// How far the sending side's counters of drops rose.
    pub sending: HostDrops,
    /// Datagrams that a queue of this host dropped after the kernel had taken them. Below zero when drops that had
    /// been counted before turn out to be refusals.
    pub dropped_after_taking: i64,
    /// How far the receiving side's counters of drops rose.
    pub receiving: HostDrops,
    /// Where the lost ones were lost.
    pub lost_by: LostByInterval,
}

impl SenderInterval {
    /// Adds what another sender did, or what was done in another interval.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.payload_bytes += other.payload_bytes;
        self.lateness.add(&other.lateness);
        other.refused.iter().for_each(|(errno, count)| self.refused.note(errno, count));
        self.also_refused += other.also_refused;
        self.send_calls += other.send_calls;
        self.packet_size.add(other.packet_size);
        self.super_packet_max = self.super_packet_max.max(other.super_packet_max);
        self.trains.add(&other.trains);
        self.stalls.add(&other.stalls);
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.counts = TxCounts::default();
        self.payload_bytes = 0;
        self.lateness.clear();
        self.refused.0.clear();
        (self.also_refused, self.send_calls) = (0, 0);
        (self.packet_size, self.super_packet_max) = (PacketSize::default(), 0);
        self.trains.clear();
        self.stalls = Stalls::default();
    }
}

impl ReceiverInterval {
    /// The lost ones by the delay in which they are infinitely late: one-way, and relative. An interval does not tell whose
    /// they were; where there are both delays, they count as those of streams whose clocks compare.
    pub fn lost_by_delay(&self) -> [i64; 2] {
        match self.one_way_delay.count() > 0 || self.relative_delay.count() == 0 {
            true => [self.lost, 0],
            false => [0, self.lost],
        }
    }

    /// Nothing yet. Takes the memory for variation, too, if that is to be found out.
    pub fn new(variation: bool) -> Self {
        let mut empty = Self::default();
        empty.patterns.variation = variation.then(Default::default);
        empty
    }

    /// Adds what another receiver saw, or what was seen in another interval.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.payload_bytes += other.payload_bytes;
        self.lost += other.lost;
        self.outstanding += other.outstanding;
        self.socket_drops += other.socket_drops;
        self.own_drops.add(&other.own_drops);
        self.streams += other.streams;
        self.by_stream.add(&other.by_stream);
        self.positions.follow(&other.positions);
        self.announcements += other.announcements;
        self.receive_calls += other.receive_calls;
        self.without_timestamp += other.without_timestamp;
        self.replicated += other.replicated;
        self.patterns.add(&other.patterns);
        self.variation.add(&other.variation);
        if let Some(other) = &other.media {
            self.note_media(other);
        }
        self.stalls.add(&other.stalls);
        self.one_way_delay.add(&other.one_way_delay);
        self.relative_delay.add(&other.relative_delay);
        self.host_delay.add(&other.host_delay);
        self.sender_lateness.add(&other.sender_lateness);
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.counts = RxCounts::default();
        (self.payload_bytes, self.lost, self.outstanding) = (0, 0, 0);
        (self.socket_drops, self.streams, self.announcements) = (0, 0, 0);
        self.by_stream.clear();
        self.positions.clear();
        self.own_drops = OwnDrops::default();
        (self.receive_calls, self.without_timestamp, self.replicated) = (0, 0, 0);
        self.patterns.clear();
        self.variation = VariationSums::default();
        self.media = None;
        self.stalls = Stalls::default();
        self.one_way_delay.clear();
        self.relative_delay.clear();
        self.host_delay.clear();
        self.sender_lateness.clear();
    }

    /// Takes the media delivery index of a further stream.
    pub fn note_media(&mut self, other: &MediaReport) {
        let media = self.media.get_or_insert(*other);
        media.delay_factor_max_ns = media.delay_factor_max_ns.max(other.delay_factor_max_ns);
        media.media_loss_rate_max = media.media_loss_rate_max.max(other.media_loss_rate_max);
    }
}

impl VariationSums {
    /// Adds those of another stream, or of another time.
    pub fn add(&mut self, other: &Self) {
        self.ipdv.add(&other.ipdv);
        self.rtp_jitter_ns = self.rtp_jitter_ns.max(other.rtp_jitter_ns);
        self.sent_train_max = self.sent_train_max.max(other.sent_train_max);
    }
}

impl Default for Refusals {
    /// With room for more error numbers than sending gives, so that noting one takes no memory.
    fn default() -> Self {
        Self(Vec::with_capacity(32))
    }
}

impl Refusals {
    /// Notes so many refusals with this error number.
    pub fn note(&mut self, errno: i32, count: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == errno) {
            Some((_, sum)) => *sum += count,
            None => self.0.push((errno, count)),
        }
    }

    /// Error numbers, and how often each was given.
    pub fn iter(&self) -> impl Iterator<Item = (i32, u64)> {
        self.0.iter().copied()
    }

    /// How often this one was given.
    pub fn of(&self, errno: i32) -> u64 {
        self.iter().filter(|(known, _)| *known == errno).map(|(_, count)| count).sum()
    }
}

impl Stalls {
    /// Notes one.
    pub fn note(&mut self, length: Nanos) {
        self.add(&Self { count: 1, longest: length });
    }

    /// Adds those of another worker, or of another time.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }
}

/// Datagrams on the sending side: three numbers that tools like to mix up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxCounts {
    /// Were due by the schedule (intended load, RFC 2285 section 3.5.1). As fast as possible: were tried.
    pub intended: u64,
    /// Were taken by the kernel (offered load, RFC 2285 section 3.5.2).
    pub offered: u64,
    /// Were refused by the kernel, with an errno.
    pub refused: u64,
}

/// Datagrams on the receiving side. `received = unique + duplicates + too_late + corrupt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RxCounts {
    /// Carried our header, whatever became of them.
    pub received: u64,
    /// First copies.
    pub unique: u64,
    /// Further copies (RFC 5560).
    pub duplicates: u64,
    /// First copies that came after a higher sequence number (RFC 4737 section 3.3). Part of `unique`.
    pub reordered: u64,
    /// So far behind that nobody can say any more whether they are duplicates.
    pub too_late: u64,
    /// Payload that failed its checksum, or a sequence number that was never sent. Count as lost (RFC 7680).
    pub corrupt: u64,
    /// Arrived on the port and are not ours. Not part of `received`.
    pub foreign: u64,
}

impl TxCounts {
    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.intended += other.intended;
        self.offered += other.offered;
        self.refused += other.refused;
    }
}

impl RxCounts {
    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.unique += other.unique;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.too_late += other.too_late;
        self.corrupt += other.corrupt;
        self.foreign += other.foreign;
    }

    /// What has been counted since `earlier`. A number that turns out to have been believed too early is
    /// taken back; the interval in which that happens shows zero, not less.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            received: self.received.saturating_sub(earlier.received),
            unique: self.unique.saturating_sub(earlier.unique),
            duplicates: self.duplicates.saturating_sub(earlier.duplicates),
            reordered: self.reordered.saturating_sub(earlier.reordered),
            too_late: self.too_late.saturating_sub(earlier.too_late),
            corrupt: self.corrupt.saturating_sub(earlier.corrupt),
            foreign: self.foreign.saturating_sub(earlier.foreign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPERM: i32 = 1;
    const ENOBUFS: i32 = 105;

    #[test]
    fn what_is_cleared_adds_nothing() {
        let mut sender = SenderInterval::default();
        sender.refused.note(ENOBUFS, 2);
        sender.refused.note(EPERM, 1);
        sender.trains.note(3, None);
        sender.stalls.note(Nanos(7));
        (sender.also_refused, sender.send_calls) = (4, 5);
        let mut sum = sender.clone();
        sum.add(&sender);
        assert_eq!([ENOBUFS, EPERM, 0].map(|errno| sum.refused.of(errno)), [4, 2, 0]);
        assert_eq!((sum.also_refused, sum.send_calls, sum.trains.gaps.len()), (8, 10, 4));
        assert_eq!(sum.stalls, Stalls { count: 2, longest: Nanos(7) });
        sender.clear();
        let before = format!("{sum:?}");
        sum.add(&sender);
        assert_eq!(format!("{sum:?}"), before);
    }

    #[test]
    fn variation_is_there_only_if_asked_for() {
        let mut sum = ReceiverInterval::new(false);
        assert!(sum.patterns.variation.is_none());
        sum.add(&ReceiverInterval::new(true));
        assert!(sum.patterns.variation.is_some());
        let media = |delay, media_loss_rate_max| MediaReport {
            media_rate_bps: 1,
            delay_factor_max_ns: delay,
            media_loss_rate_max,
        };
        sum.note_media(&media(None, 7.0));
        sum.note_media(&media(Some(Nanos(3)), 2.0));
        assert_eq!(sum.media, Some(media(Some(Nanos(3)), 7.0)));
        sum.clear();
        assert_eq!(sum.media, None);
    }
}
