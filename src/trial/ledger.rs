//! Whose datagram is it, and what became of its stream: the books that a receiver keeps.

use crate::engine::{Datagram, FlowIndex};
use crate::model::event::{Event, Happening};
use crate::model::group::Membership;
use crate::model::report::{StreamCounts, StreamEnd, StreamReport};
use crate::model::snapshot::RxCounts;
use crate::stats::latency::Latency;
use crate::stats::seq::{Arrival, SeqTracker};
use crate::units::Nanos;
use crate::wire::probe::{self, Kind, Probe};
use std::collections::HashMap;
use std::net::SocketAddr;

/// Sequence numbers that each stream remembers: 16 KiB, and 1.3 s at 100,000 datagrams a second.
const WINDOW: usize = 1 << 17;

/// Most streams that are told apart; datagrams of further ones are foreign. Bounds the memory that spoofed
/// streams can take to 256 MiB.
pub const MAX_STREAMS: usize = 16_384;

/// Identity of a stream (RFC 5560 section 2.5): two senders may draw the same session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: SocketAddr,
    session: u32,
    stream: u16,
}

struct Stream {
    key: Key,
    flow: FlowIndex,
    tracker: SeqTracker,
    first_heard: Nanos,
    last_heard: Nanos,
    /// Offered in all, once the sender has said so.
    sent: Option<u64>,
    state: State,
    /// The stream that came after this one the last time: senders go through their groups in turn.
    successor: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Silent,
}

/// The books of one receiver.
pub struct Ledger {
    streams: Vec<Stream>,
    by_key: HashMap<Key, u32>,
    /// Stream of the last datagram.
    last: u32,
    open: usize,
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

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// Empty books. Each new stream takes memory once, when it is first heard.
    pub fn new() -> Self {
        Self {
            streams: Vec::new(),
            by_key: HashMap::new(),
            last: 0,
            open: 0,
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

    /// Enters one datagram; `now` is the time of the trial. Delays of first copies go into `one_way_delay`.
    #[inline]
    pub fn enter(&mut self, datagram: &Datagram<'_>, now: Nanos, one_way_delay: &mut Latency) {
        let decoded = probe::decode(datagram.payload, datagram.received_at);
        let (Some(probe), Some(flow)) = (decoded, datagram.flow) else {
            self.foreign += 1;
            return;
        };
        let key = Key { source: datagram.source, session: probe.session, stream: probe.stream };
        let Some(stream) = self.find(key, flow, now) else {
            self.foreign += 1;
            return;
        };
        stream.last_heard = now;
        if probe.kind != Kind::Data {
            self.announced(&probe);
            return;
        }
        if !probe.intact {
            stream.tracker.observe_corrupt();
        } else if let Arrival::InOrder | Arrival::Gap { .. } | Arrival::Reordered { .. } =
            stream.tracker.observe(probe.seq)
        {
            one_way_delay.record(probe.due_at, datagram.received_at);
        }
        self.numbered += 1;
        self.payload_bytes += datagram.payload.len() as u64;
        self.first_received.get_or_insert(datagram.received_at);
        self.last_received = self.last_received.max(datagram.received_at);
    }

    /// Marks streams as silent that nobody has heard of for `timeout`.
    pub fn look_for_silence(&mut self, now: Nanos, timeout: Nanos) {
        for stream in &mut self.streams {
            if stream.state == State::Open && now.saturating_sub(stream.last_heard) > timeout {
                stream.state = State::Silent;
                self.open -= 1;
            }
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
        for stream in &self.streams {
            sum.add(&stream_counts(&stream.tracker).counts());
        }
        sum
    }

    /// Missing up to the highest number of each stream. Takes time proportional to their number.
    pub fn missing(&self) -> u64 {
        self.streams.iter().map(|stream| stream.tracker.missing()).sum()
    }

    /// Numbered datagrams entered.
    pub fn numbered(&self) -> u64 {
        self.numbered
    }

    /// UDP payload bytes in numbered datagrams.
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Announcements of start, progress and end.
    pub fn announcements(&self) -> u64 {
        self.announcements
    }

    /// Receive times of the first and the last numbered datagram, on the wall clock.
    pub fn received_between(&self) -> Option<(Nanos, Nanos)> {
        self.first_received.map(|first| (first, self.last_received))
    }

    /// Closes the books: one row a stream. `flows` are the receiver's groups.
    pub fn close(self, flows: &[Membership]) -> (Vec<StreamReport>, Vec<Event>) {
        let happened = self.silences();
        let rows = self.streams.into_iter().map(|stream| row(stream, flows)).collect();
        (rows, happened)
    }

    /// The stream of a key; a new one if it is the first time. `None`: too many.
    #[inline]
    fn find(&mut self, key: Key, flow: FlowIndex, now: Nanos) -> Option<&mut Stream> {
        let last = self.streams.get(self.last as usize);
        let hint = last.map_or(0, |last| if last.key == key { self.last } else { last.successor });
        let index = match self.streams.get(hint as usize) {
            Some(stream) if stream.key == key => hint,
            _ => self.look_up(key, flow, now)?,
        };
        if index != self.last {
            self.streams[self.last as usize].successor = index;
            self.last = index;
        }
        let stream = &mut self.streams[index as usize];
        if stream.state == State::Silent {
            stream.state = State::Open;
            self.open += 1;
        }
        Some(stream)
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
        self.streams.push(Stream {
            key,
            flow,
            tracker: SeqTracker::new(WINDOW),
            first_heard: now,
            last_heard: now,
            sent: None,
            state: State::Open,
            successor: index,
        });
        self.by_key.insert(key, index);
        self.open += 1;
        Some(index)
    }

    /// Enters an announcement of the stream found last.
    #[cold]
    fn announced(&mut self, probe: &Probe) {
        self.announcements += 1;
        let stream = &mut self.streams[self.last as usize];
        match probe.kind {
            // Only someone who was there before the first datagram can hear this.
            Kind::Start => stream.tracker.begin_at(0),
            // A stream that is heard of only now has been running: what comes from here on counts.
            Kind::Progress if stream.tracker.first().is_none() => {
                stream.tracker.begin_at(probe.seq);
            }
            Kind::End if stream.state != State::Ended => {
                stream.sent = Some(probe.seq);
                stream.state = State::Ended;
                self.open -= 1;
            }
            Kind::Progress | Kind::End | Kind::Data => {}
        }
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

/// A session as it is printed.
pub fn session_name(session: u32) -> String {
    format!("{session:06x}")
}

fn row(mut stream: Stream, flows: &[Membership]) -> StreamReport {
    let lost = stream.tracker.finish(stream.sent);
    let counts = stream_counts(&stream.tracker);
    let first_seq = stream.tracker.first().unwrap_or(0);
    let sent = stream.sent.map(|sent| sent.saturating_sub(first_seq));
    let known = counts.unique + lost;
    let flow = &flows[stream.flow as usize];
    StreamReport {
        session: session_name(stream.key.session),
        stream: stream.key.stream,
        source: stream.key.source.to_string(),
        group: flow.group.to_string(),
        port: flow.port,
        sent,
        first_seq,
        highest_seq: stream.tracker.highest(),
        counts,
        lost,
        loss_ratio: (known > 0).then(|| lost as f64 / known as f64),
        before_join: first_seq,
        end: match stream.state {
            State::Ended => StreamEnd::Announced,
            State::Silent => StreamEnd::Silent,
            State::Open => StreamEnd::ReceiverStopped,
        },
    }
}

fn stream_counts(tracker: &SeqTracker) -> StreamCounts {
    let counters = tracker.counters();
    StreamCounts {
        received: counters.received,
        unique: counters.unique,
        duplicates: counters.duplicates,
        reordered: counters.reordered,
        too_late: counters.too_late,
        corrupt: counters.corrupt,
    }
}

#[cfg(test)]
mod tests;
