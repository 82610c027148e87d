//! A datagram that came, and what its bytes say: what `dump` shows.

use crate::units::Nanos;
use crate::wire::echo;
use crate::wire::probe::{self, Kind, Probe};
use crate::wire::{mpegts, rtp};
use serde::{Serialize, Serializer};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// A datagram that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heard<'a> {
    /// When the kernel received it, since the Unix epoch.
    pub received_at_ns: Nanos,
    /// Name of the interface that it came over.
    pub interface: &'a str,
    /// Who sent it.
    pub source: SocketAddr,
    /// The group that it was sent to.
    pub group: IpAddr,
    /// The port that it was sent to.
    pub port: u16,
    /// Bytes of UDP payload.
    pub payload_len: usize,
    /// Time to live, or hop limit, that it still had.
    pub ttl: Option<u8>,
    /// Datagrams that this host dropped before it because they came faster than they were written.
    pub dropped_before: u32,
    /// What its bytes say; `None` if nobody knows.
    pub content: Option<Content>,
    /// The bytes, if they are wanted.
    #[serde(serialize_with = "as_hex", skip_serializing_if = "Option::is_none")]
    pub payload: Option<&'a [u8]>,
}

/// What the bytes of a datagram say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum Content {
    /// A datagram of this program.
    Probe {
        /// What it is.
        kind: &'static str,
        /// Session of the sender, six hexadecimal digits.
        session: String,
        /// Number of the stream in its session.
        stream: u16,
        /// Its number; in announcements, calls and statements, how many the stream has offered so far.
        seq: u64,
        /// When it should have left, since the Unix epoch; in a start, when the first one will.
        due_at_ns: Nanos,
        /// From there to its reception, by two clocks if it came from another host.
        delay_ns: i64,
        /// How late it was handed over, if it says so.
        lateness_ns: Option<Nanos>,
        /// Whether it passed its checksum, or has none.
        intact: bool,
        /// Who answers, eight hexadecimal digits.
        responder: Option<String>,
    },
    /// RTP, by the look of its header (RFC 3550).
    Rtp {
        /// Payload type.
        payload_type: u8,
        /// Marker.
        marker: bool,
        /// Sequence number.
        seq: u16,
        /// Timestamp.
        timestamp: u32,
        /// Synchronization source, eight hexadecimal digits.
        ssrc: String,
        /// Packets of a transport stream in it, by the look of their first bytes.
        mpeg_ts: Option<TransportStream>,
    },
    /// Packets of an MPEG transport stream, by the look of their first bytes (ISO/IEC 13818-1).
    MpegTs(TransportStream),
}

/// Packets of an MPEG transport stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransportStream {
    /// How many.
    pub packets: usize,
    /// Their identifiers, each once.
    pub pids: Vec<u16>,
}

impl Content {
    /// What a payload says that was received at this time of the wall clock.
    pub fn of(payload: &[u8], received_at: Nanos) -> Option<Self> {
        if let Some(probe) = probe::decode(payload, received_at) {
            return Some(Self::of_probe(&probe, payload, received_at));
        }
        if let Some(stream) = TransportStream::of(payload) {
            return Some(Self::MpegTs(stream));
        }
        rtp::decode(payload).map(|rtp| Self::Rtp {
            payload_type: rtp.payload_type,
            marker: rtp.marker,
            seq: rtp.seq,
            timestamp: rtp.timestamp,
            ssrc: format!("{:08x}", rtp.ssrc),
            mpeg_ts: TransportStream::of(&payload[rtp.payload]),
        })
    }

    fn of_probe(probe: &Probe, payload: &[u8], received_at: Nanos) -> Self {
        let answer = match probe.kind {
            Kind::Reply | Kind::Statement => echo::decode(payload),
            _ => None,
        };
        Self::Probe {
            kind: name(probe.kind),
            session: format!("{:06x}", probe.session),
            stream: probe.stream,
            seq: probe.seq,
            due_at_ns: probe.due_at,
            delay_ns: received_at.0.wrapping_sub(probe.due_at.0) as i64,
            lateness_ns: probe.lateness,
            intact: probe.intact,
            responder: answer.map(|answer| format!("{:08x}", answer.responder)),
        }
    }
}

impl TransportStream {
    fn of(payload: &[u8]) -> Option<Self> {
        let packets = mpegts::decode(payload)?;
        Some(Self { packets: packets.count, pids: packets.pids })
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Data => "data",
        Kind::Start => "start",
        Kind::Progress => "progress",
        Kind::End => "end",
        Kind::Request => "request",
        Kind::Reply => "reply",
        Kind::Call => "call",
        Kind::Statement => "statement",
    }
}

fn as_hex<S: Serializer>(payload: &Option<&[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(payload.map_or(0, |payload| 2 * payload.len()));
    for byte in payload.unwrap_or_default() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    serializer.serialize_str(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::probe::Encoder;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            first in prop::sample::select(vec![0x47u8, 0x80, 0xb1]),
            mut payload in prop::collection::vec(any::<u8>(), 1..400), at: u64,
        ) {
            payload[0] = first;
            if let Some(Content::MpegTs(stream)) = Content::of(&payload, Nanos(at)) {
                prop_assert_eq!(stream.packets * 188, payload.len());
            }
        }
    }

    #[test]
    fn our_own_come_first_then_transport_streams_then_rtp() {
        let at = Nanos(1_700_000_000_000_001_840);
        let mut slot = [0; 64];
        let due_at = Nanos(at.0 - 1840);
        Encoder::new(0x4f9c1a, 2, false).encode(&mut slot, Kind::Data, 17, due_at, Nanos(23));
        let probe = Content::Probe {
            kind: "data",
            session: "4f9c1a".into(),
            stream: 2,
            seq: 17,
            due_at_ns: due_at,
            delay_ns: 1840,
            lateness_ns: Some(Nanos(23)),
            intact: true,
            responder: None,
        };
        assert_eq!(Content::of(&slot, at), Some(probe));
        let mut packets = [0xff; 2 * 188];
        for packet in packets.chunks_mut(188) {
            packet[..3].copy_from_slice(&[0x47, 0x01, 0x00]);
        }
        let stream = TransportStream { packets: 2, pids: vec![0x100] };
        assert_eq!(Content::of(&packets, at), Some(Content::MpegTs(stream.clone())));
        let header = [0x80, 33, 0, 5, 0, 0, 0, 9, 0, 0, 0xbe, 0xef];
        let rtp = |mpeg_ts| Content::Rtp {
            payload_type: 33,
            marker: false,
            seq: 5,
            timestamp: 9,
            ssrc: "0000beef".into(),
            mpeg_ts,
        };
        let carried = [header.as_slice(), &packets].concat();
        assert_eq!(Content::of(&carried, at), Some(rtp(Some(stream))));
        assert_eq!(Content::of(&header, at), Some(rtp(None)));
        assert_eq!(Content::of(b"hello", at), None);
    }

    #[test]
    fn a_clock_that_is_behind_makes_a_negative_delay() {
        let mut slot = [0; 34];
        let at = Nanos(5_000_000);
        Encoder::new(1, 0, false).encode(&mut slot, Kind::End, 9, Nanos(5_000_700), Nanos(0));
        let Some(Content::Probe { kind, seq, delay_ns, .. }) = Content::of(&slot, at) else {
            panic!("it is ours");
        };
        assert_eq!((kind, seq, delay_ns), ("end", 9, -700));
    }
}
