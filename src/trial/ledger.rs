//! Whose datagram is it: the books that a receiver keeps, a page for each stream.

use super::senders::Senders;
use super::shared::Shared;
use super::stream::{Key, Options, State, Stream};
use crate::engine::{Datagram, FlowIndex};
use crate::model::by_stream::{ByStream, MOST_TOLD};
use crate::model::event::{Event, Happening};
use crate::model::group::Membership;
use crate::model::metrics::MediaReport;
use crate::model::positions::{Positions, session_name};
use crate::model::report::StreamReport;
use crate::model::snapshot::{ReceiverInterval, RxCounts};
use crate::units::Nanos;
use crate::wire::announcement::{Conduct, SenderClock};
use crate::wire::probe::{self, Kind};
use std::collections::HashMap;
use std::net::SocketAddr;

/// Most streams that are told apart; datagrams of further ones are foreign. Bounds the memory that spoofed
/// streams can take to 512 MiB: none can make its own take more than 48 KiB, besides what all may note together.
pub const MAX_STREAMS: usize = 10_000;

/// The books of one receiver.
pub struct Ledger {
    options: Options,
    own_clock: SenderClock,
    streams: Vec<Stream>,
    by_key: HashMap<Key, u32>,
    /// Stream of the last datagram.
    last: u32,
    open: usize,
    shared: Shared,
    foreign: u64,
    announcements: u64,
    numbered: u64,
    payload_bytes: u64,
    is_over_limit: bool,
    /// Receive times of the first and the last numbered datagram.
    first_received: Option<Nanos>,
    last_received: Nanos,
    /// What has happened since it was last asked.
    happened: Vec<Event>,
}

/// What closed books say.
pub struct Closed {
    /// One row a stream.
    pub streams: Vec<StreamReport>,
    /// What the senders told on themselves.
    pub senders: Senders,
    /// Senders that fell silent, and those that came back.
    pub happened: Vec<Event>,
}

impl Ledger {
    /// Empty books. Each new stream takes memory once, when it is first heard.
    /// `own_clock` is the one by which datagrams are received.
    pub fn new(options: Options, own_clock: SenderClock) -> Self {
        Self {
            options,
            own_clock,
            streams: Vec::new(),
            by_key: HashMap::new(),
            last: 0,
            open: 0,
            shared: Shared::default(),
            foreign: 0,
            announcements: 0,
            numbered: 0,
            payload_bytes: 0,
            is_over_limit: false,
            first_received: None,
            last_received: Nanos(0),
            happened: Vec::new(),
        }
    }

    /// Enters one datagram; `now` is the time of the trial. What there is to find out by
    /// intervals goes into `interval`.
    #[inline]
    pub fn enter(&mut self, datagram: &Datagram<'_>, now: Nanos, interval: &mut ReceiverInterval) {
        let Datagram { payload, received_at, source, flow, dropped_before } = *datagram;
        self.shared.dropped += u64::from(dropped_before);
        self.shared.dropped_in_all += u64::from(dropped_before);
        let probe = probe::decode(payload, received_at)
            .filter(|probe| self.options.session.is_none_or(|own| own == probe.session));
        let (Some(probe), Some(flow)) = (probe, flow) else {
            self.foreign += 1;
            return;
        };
        if probe.kind.is_of_round_trips() {
            self.announcements += 1;
            return;
        }
        let key = Key { source, session: probe.session, stream: probe.stream };
        let Some(index) = self.find(key, flow, now) else {
            self.foreign += 1;
            return;
        };
        let stream = &mut self.streams[index as usize];
        stream.last_heard = now;
        if stream.state == State::Silent {
            stream.state = State::Open;
            self.open += 1;
        }
        if probe.kind != Kind::Data {
            self.announcements += 1;
            // The header has a check of its own; what stands behind it must have come whole.
            let body = if probe.intact { payload } else { &[] };
            let clocks = SenderClock::read(body).map(|theirs| [self.own_clock, theirs]);
            let told = [stream.conduct, Conduct::read(body)].into_iter().flatten();
            stream.conduct = told.max_by_key(Conduct::progress);
            self.open -= usize::from(stream.announced(&probe, clocks));
            return;
        }
        stream.enter(&probe, received_at, payload.len() as u32, interval, &mut self.shared);
        stream.drops_heard = self.shared.dropped_in_all;
        self.numbered += 1;
        self.payload_bytes += payload.len() as u64;
        self.first_received.get_or_insert(received_at);
        self.last_received = self.last_received.max(received_at);
    }

    /// Marks streams as silent that nobody has heard of for `timeout`, and puts those away that have ended by then:
    /// in days, senders that start again and again would take all memory.
    pub fn look_for_silence(&mut self, now: Nanos, timeout: Nanos) {
        for stream in &mut self.streams {
            if now.saturating_sub(stream.last_heard) <= timeout {
                continue;
            }
            match stream.state {
                State::Open => {
                    stream.state = State::Silent;
                    self.open -= 1;
                }
                State::Ended => stream.put_away(),
                State::PutAway | State::Silent => {}
            }
        }
    }

    /// Gaps that were noticed at or before this time of the wall clock are lost for good.
    pub fn settle(&mut self, until: Nanos, interval: &mut ReceiverInterval) {
        for stream in &mut self.streams {
            stream.settle(until, &mut self.shared, &mut interval.patterns);
        }
    }

    /// Ends an interval, from `since` to `now`, in what is measured by intervals.
    pub fn end_interval(&mut self, since: Nanos, now: Nanos, interval: &mut ReceiverInterval) {
        if self.options.media_rate_bps.is_some() || self.options.variation {
            let length = now.saturating_sub(since);
            for stream in &mut self.streams {
                let (variation, media) = stream.end_interval(length);
                // Of a stream that was not there, jitter and delay factor only repeat what they were.
                let was_there = stream.last_heard >= since;
                if let Some(variation) = variation.filter(|_| was_there) {
                    interval.variation.add(&variation);
                }
                let is_told = |media: &MediaReport| was_there || media.media_loss_rate_max > 0.0;
                if let Some(media) = media.filter(is_told) {
                    interval.note_media(&media);
                }
            }
        }
    }

    /// Notes what was counted of each stream since this was last done. `flows` are the receiver's groups.
    pub fn tell_streams(&mut self, flows: &[Membership], told: &mut ByStream) {
        // With ten thousand streams it would take long to find out of each that there is no room for it.
        let mut room = MOST_TOLD;
        for stream in &mut self.streams {
            let more = stream.tell(flows);
            if room > 0 && !more.is_nothing() {
                told.note(&more);
                room -= 1;
            }
        }
    }

    /// Notes how far each stream is, if that is to be told, as those of this receiver on this interface.
    pub fn tell_positions(&self, receiver: usize, interface: Option<&str>, told: &mut Positions) {
        if self.options.positions && !self.streams.is_empty() {
            told.note(receiver, interface, self.streams.iter().map(Stream::position));
        }
    }

    /// No more will come: what is missing is lost.
    pub fn finish(&mut self, interval: &mut ReceiverInterval) {
        for stream in &mut self.streams {
            stream.finish(self.last_received, &mut self.shared, &mut interval.patterns);
        }
    }

    /// What has happened since this was last asked.
    pub fn happened(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.happened)
    }

    /// Streams that were heard.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Streams that were heard and have not ended.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Streams that were heard since a time of the trial.
    pub fn heard_since(&self, since: Nanos) -> usize {
        self.streams.iter().filter(|stream| stream.last_heard >= since).count()
    }

    /// All streams added up. Takes time proportional to their number.
    pub fn counts(&self) -> RxCounts {
        let mut sum = RxCounts { foreign: self.foreign, ..RxCounts::default() };
        self.streams.iter().for_each(|stream| sum.add(&stream.counts().counts()));
        sum
    }

    /// Lost for good, of all streams. Takes time proportional to their number.
    pub fn lost(&self) -> u64 {
        self.streams.iter().map(Stream::lost).sum()
    }

    /// Missing numbers that may still come, of all streams.
    pub fn outstanding(&self) -> u64 {
        self.streams.iter().map(Stream::outstanding).sum()
    }

    /// Datagrams of which more than one copy came, of all streams. Takes time proportional to their number.
    pub fn replicated(&self) -> u64 {
        self.streams.iter().map(Stream::replicated).sum()
    }

    /// Numbered datagrams entered.
    pub fn numbered(&self) -> u64 {
        self.numbered
    }

    /// UDP payload bytes in numbered datagrams.
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Announcements of start, progress and end, and round trips of others.
    pub fn announcements(&self) -> u64 {
        self.announcements
    }

    /// Receive times of the first and the last numbered datagram, on the wall clock.
    pub fn received_between(&self) -> Option<(Nanos, Nanos)> {
        self.first_received.map(|first| (first, self.last_received))
    }

    /// Closes the finished books. `flows` are the receiver's groups.
    pub fn close(self, flows: &[Membership]) -> Closed {
        let happened = self.silences();
        let mut senders = Senders::default();
        for stream in &self.streams {
            let Key { source, session, .. } = stream.key;
            stream.conduct.into_iter().for_each(|told| senders.heard(session, source, told));
        }
        let streams = self.streams.into_iter().map(|stream| stream.row(flows)).collect();
        Closed { streams, senders, happened }
    }

    /// Number of the stream of a key; a new one if it is the first time. `None`: too many.
    #[inline]
    fn find(&mut self, key: Key, flow: FlowIndex, now: Nanos) -> Option<u32> {
        let hint = match self.streams.get(self.last as usize) {
            Some(last) if last.key == key => return Some(self.last),
            Some(last) => last.successor,
            None => 0,
        };
        let index = match self.streams.get(hint as usize) {
            Some(stream) if stream.key == key => hint,
            _ => {
                let index = self.look_up(key, flow, now)?;
                self.streams[self.last as usize].successor = index;
                index
            }
        };
        self.last = index;
        Some(index)
    }

    #[cold]
    fn look_up(&mut self, key: Key, flow: FlowIndex, now: Nanos) -> Option<u32> {
        if let Some(&index) = self.by_key.get(&key) {
            return Some(index);
        }
        if self.streams.len() == MAX_STREAMS {
            if !std::mem::replace(&mut self.is_over_limit, true) {
                let what = Happening::TooManyStreams { limit: MAX_STREAMS as u64 };
                self.happened.push(Event { at_ns: now, what });
            }
            return None;
        }
        let is_new_sender = !self
            .streams
            .iter()
            .rev()
            .take(64)
            .any(|known| known.key.session == key.session && known.key.source == key.source);
        if is_new_sender {
            let what = Happening::StreamHeard {
                session: session_name(key.session),
                stream: key.stream,
                source: key.source.to_string(),
            };
            self.happened.push(Event { at_ns: now, what });
        }
        let index = self.streams.len() as u32;
        self.streams.push(Stream::new(key, flow, now, index, &self.options));
        self.by_key.insert(key, index);
        self.open += 1;
        Some(index)
    }

    /// Senders that fell silent, each once, and those of them whose host came back with a new session: one
    /// that was not there before.
    fn silences(&self) -> Vec<Event> {
        let mut happened = Vec::new();
        let mut told: Vec<(u32, SocketAddr)> = Vec::new();
        for gone in self.streams.iter().filter(|stream| stream.state == State::Silent) {
            let Key { source, session, .. } = gone.key;
            if told.contains(&(session, source)) {
                continue;
            }
            told.push((session, source));
            let (session, address) = (session_name(session), source.to_string());
            let what = Happening::SenderSilent { session, source: address };
            happened.push(Event { at_ns: gone.last_heard, what });
            let back = self.streams.iter().find(|other| {
                other.key.session != gone.key.session
                    && other.key.source.ip() == source.ip()
                    && other.first_heard > gone.last_heard
            });
            if let Some(Stream { key: Key { source, session, .. }, first_heard, .. }) = back {
                let (session, source) = (session_name(*session), source.to_string());
                let what = Happening::SenderRestarted { session, source };
                happened.push(Event { at_ns: *first_heard, what });
            }
        }
        happened
    }
}

#[cfg(test)]
mod tests;
