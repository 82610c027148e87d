//! Our header: 18 bytes, so that a 64-byte Ethernet frame can carry it; 34 where there is room.
//!
//! ```text
//!  0     2        5     7                13            18
//!  +-----+--------+-----+---+------------+-------------+
//!  |check| session|strm |knd|  sequence  |  due (low)  |   all numbers big-endian
//!  | 16  |   24   | 16  | 3 |     45     |     40      |   bits
//!  +-----+--------+-----+---+------------+-------------+
//!
//!  18       22         26          29      30      34
//!  +--------+----------+-----------+-------+-------+- - - -
//!  | "mcb1" | lateness | due (high)| flags | crc32 | payload     from 34 bytes on
//!  |   32   |    32    |    24     |   8   |  32   |
//!  +--------+----------+-----------+-------+-------+- - - -
//! ```
//!
//! *check* is the Internet checksum (RFC 1071) over bytes 2 to 18 and the text `mcb1`: it names protocol and
//! version and notices a damaged header. *session* is new at every start of a sender, *stream* counts the
//! sequence-number spaces within it. 45 bits of sequence number wrap after 40 days at 10 million datagrams a
//! second. *due* is the time at which the datagram should have left, in nanoseconds since the Unix epoch; its
//! low 40 bits (18 minutes) are completed from the receive time where the high ones are missing. *lateness*
//! says how much later it was handed to the kernel, in nanoseconds, at most 2^32 - 1. *crc32* (IEEE 802.3)
//! covers bytes 18 to 30 and all from 34 on, if bit 0 of *flags* is set.
//!
//! Round trips have kinds of their own ([`super::echo`]). Announcements are datagrams of their own outside the
//! sequence numbers; in them *sequence* is the number of datagrams that the stream has offered so far, the checksum is
//! always there, and behind the header stands what [`super::announcement`] draws.

use super::announcement::{Conduct, SenderClock};
use crate::units::Nanos;

/// Shortest payload that can carry the header, bytes.
pub const MIN_LEN: usize = 18;

/// Shortest payload that also carries lateness, the whole due time and the checksum, bytes.
pub const EXTENDED_LEN: usize = 34;

/// First sequence number that does not fit.
pub const SEQ_END: u64 = 1 << 45;

const MAGIC: [u8; 4] = *b"mcb1";
const DUE_BITS: u32 = 40;
const DUE_LOW: u64 = (1 << DUE_BITS) - 1;
const HAS_CRC: u8 = 1;

/// What a datagram of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbered datagram of the offered load.
    Data,
    /// Announcement: the stream is about to start; nothing has been offered.
    Start,
    /// Announcement: so much has been offered so far.
    Progress,
    /// Announcement: so much has been offered, and no more will be.
    End,
    /// Round trips: numbered, and to be answered ([`super::echo`]).
    Request,
    /// Round trips: the answer to a request.
    Reply,
    /// Round trips: so many requests have been sent so far; who is there, and what has come?
    Call,
    /// Round trips: the answer to a call.
    Statement,
}

impl Kind {
    /// Of three bits, all of which mean something.
    fn from_bits(bits: u8) -> Self {
        const KINDS: [Kind; 8] = [
            Kind::Data,
            Kind::Start,
            Kind::Progress,
            Kind::End,
            Kind::Request,
            Kind::Reply,
            Kind::Call,
            Kind::Statement,
        ];
        KINDS[usize::from(bits & 7)]
    }

    /// Whether it belongs to round trips: ours, but no part of any offered load.
    #[inline]
    pub fn is_of_round_trips(self) -> bool {
        matches!(self, Self::Request | Self::Reply | Self::Call | Self::Statement)
    }
}

/// One of our headers, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What the datagram is.
    pub kind: Kind,
    /// Start of a sender, 24 bits.
    pub session: u32,
    /// Sequence-number space within the session.
    pub stream: u16,
    /// Sequence number, or in an announcement the number of datagrams offered so far.
    pub seq: u64,
    /// When it should have left, since the Unix epoch.
    pub due_at: Nanos,
    /// How late it was handed to the kernel; short datagrams do not say.
    pub lateness: Option<Nanos>,
    /// Whether the payload passed its checksum, or has none.
    pub intact: bool,
}

/// Writes the headers of one stream.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// Session and stream at their place in bytes 2 to 10.
    identity: u64,
    payload_checksum: bool,
}

impl Encoder {
    /// For one stream; the upper 8 bits of `session` are ignored. With `payload_checksum`, each datagram of at
    /// least [`EXTENDED_LEN`] bytes carries a checksum over its payload.
    pub fn new(session: u32, stream: u16, payload_checksum: bool) -> Self {
        Self { identity: u64::from(session) << 40 | u64::from(stream) << 24, payload_checksum }
    }

    /// Writes the header into `slot`, which has at least [`MIN_LEN`] bytes. What follows the header is left
    /// as it is. `seq` is below [`SEQ_END`].
    #[inline]
    pub fn encode(&self, slot: &mut [u8], kind: Kind, seq: u64, due_at: Nanos, lateness: Nanos) {
        let kind_and_seq = (kind as u64) << 45 | seq;
        let first = self.identity | kind_and_seq >> 24;
        let second = kind_and_seq << 40 | due_at.0 & DUE_LOW;
        slot[..2].copy_from_slice(&checksum(first, second).to_be_bytes());
        slot[2..10].copy_from_slice(&first.to_be_bytes());
        slot[10..18].copy_from_slice(&second.to_be_bytes());
        if let Some(extension) = slot.get_mut(MIN_LEN..EXTENDED_LEN) {
            let lateness = u32::try_from(lateness.0).unwrap_or(u32::MAX);
            let due_high = (due_at.0 >> DUE_BITS) as u32;
            extension[..4].copy_from_slice(&MAGIC);
            extension[4..8].copy_from_slice(&lateness.to_be_bytes());
            extension[8..12].copy_from_slice(&(due_high << 8).to_be_bytes());
            extension[12..16].fill(0);
            if self.payload_checksum {
                slot[29] = HAS_CRC;
                let crc = payload_checksum(slot);
                slot[30..34].copy_from_slice(&crc.to_be_bytes());
            }
        }
    }

    /// Writes an announcement of at least [`super::announcement::ANNOUNCEMENT_LEN`] bytes into `slot`: `offered`
    /// datagrams so far.
    pub fn announce(
        &self,
        slot: &mut [u8],
        kind: Kind,
        offered: u64,
        now: Nanos,
        (clock, conduct): (&SenderClock, &Conduct),
    ) {
        clock.write(slot);
        conduct.write(slot);
        Self { payload_checksum: true, ..*self }.encode(slot, kind, offered, now, Nanos(0));
    }
}

/// Reads our header; `None` is a datagram of somebody else. `received_at` completes a short due time.
#[inline]
pub fn decode(payload: &[u8], received_at: Nanos) -> Option<Probe> {
    let header: &[u8; MIN_LEN] = payload.first_chunk()?;
    let first = u64::from_be_bytes(*header[2..].first_chunk()?);
    let second = u64::from_be_bytes(*header[10..].first_chunk()?);
    if header[..2] != checksum(first, second).to_be_bytes() {
        return None;
    }
    let kind_and_seq = (first & 0xff_ffff) << 24 | second >> 40;
    let mut probe = Probe {
        kind: Kind::from_bits((kind_and_seq >> 45) as u8),
        session: (first >> 40) as u32,
        stream: (first >> 24) as u16,
        seq: kind_and_seq & (SEQ_END - 1),
        due_at: Nanos(second & DUE_LOW),
        lateness: None,
        intact: true,
    };
    let Some(extended) = payload.first_chunk::<EXTENDED_LEN>() else {
        probe.due_at = nearest(probe.due_at, received_at);
        return Some(probe);
    };
    if extended[18..22] != MAGIC {
        return None;
    }
    let due_high = u32::from_be_bytes(*extended[26..].first_chunk()?);
    probe.due_at.0 |= u64::from(due_high >> 8) << DUE_BITS;
    probe.lateness = Some(Nanos(u32::from_be_bytes(*extended[22..].first_chunk()?).into()));
    if extended[29] & HAS_CRC != 0 {
        probe.intact = extended[30..34] == payload_checksum(payload).to_be_bytes();
    }
    Some(probe)
}

/// Internet checksum (RFC 1071) over the header without its first two bytes, seeded with [`MAGIC`].
#[inline]
fn checksum(first: u64, second: u64) -> u16 {
    const SEED: u64 = u32::from_be_bytes(MAGIC) as u64;
    let (sum, carry) = first.overflowing_add(second);
    let sum = (sum >> 32) + (sum & 0xffff_ffff) + u64::from(carry) + SEED;
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    !(((sum >> 16) + sum) as u16)
}

/// All of an extended payload but the check of the header, which covers the rest, and the place of the CRC.
fn payload_checksum(payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&payload[18..30]);
    crc.update(&payload[34..]);
    crc.finalize()
}

/// The time nearest to `near` whose low 40 bits are `low`.
fn nearest(low: Nanos, near: Nanos) -> Nanos {
    let ahead = low.0.wrapping_sub(near.0) & DUE_LOW;
    if ahead <= DUE_LOW / 2 {
        Nanos(near.0.saturating_add(ahead))
    } else {
        Nanos(near.0.saturating_sub(DUE_LOW + 1 - ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::super::announcement::ANNOUNCEMENT_LEN;
    use super::*;
    use proptest::prelude::*;

    fn any_kind() -> impl Strategy<Value = Kind> {
        (0u8..8).prop_map(Kind::from_bits)
    }

    #[test]
    fn header_of_64_byte_frame_is_written_as_drawn() {
        let mut slot = [0xaa; 18];
        let due_at = Nanos(0x0012_3456_789a_bcde);
        Encoder::new(0x00a1_b2c3, 0x0102, false).encode(&mut slot, Kind::End, 5, due_at, Nanos(0));
        assert_eq!(slot[2..5], [0xa1, 0xb2, 0xc3]);
        assert_eq!(slot[5..7], [0x01, 0x02]);
        assert_eq!(slot[7..13], [0x60, 0, 0, 0, 0, 5]);
        assert_eq!(slot[13..18], [0x56, 0x78, 0x9a, 0xbc, 0xde]);
        // RFC 1071 section 1: the sum of all words, check and seed included, is all ones.
        let words = slot.chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
        let seed = u32::from(u16::from_be_bytes(*b"mc")) + u32::from(u16::from_be_bytes(*b"b1"));
        let sum = words.sum::<u32>() + seed;
        assert_eq!((sum >> 16) + (sum & 0xffff), 0xffff);
    }

    #[test]
    fn a_short_datagram_has_no_room_for_more() {
        let mut slot = [0; 33];
        Encoder::new(1, 2, true).encode(&mut slot, Kind::Data, 3, Nanos(4), Nanos(5));
        assert_eq!(slot[18..], [0; 15]);
        assert_eq!(decode(&slot[..17], Nanos(0)), None);
        assert_eq!(decode(&[], Nanos(0)), None);
        assert!(decode(&slot[..18], Nanos(0)).is_some());
    }

    #[test]
    fn announcements_are_always_checked() {
        let mut slot = [0; ANNOUNCEMENT_LEN];
        let clock = SenderClock { host: 3, error: None };
        let told = (&clock, &Conduct::default());
        Encoder::new(1, 2, false).announce(&mut slot, Kind::End, 9, Nanos(7), told);
        let probe = decode(&slot, Nanos(0)).unwrap();
        assert_eq!((probe.kind, probe.seq, probe.intact), (Kind::End, 9, true));
        assert_eq!(SenderClock::read(&slot), Some(clock));
        slot[ANNOUNCEMENT_LEN - 1] ^= 1;
        assert!(!decode(&slot, Nanos(0)).unwrap().intact);
    }

    #[test]
    fn lateness_saturates() {
        let mut slot = [0; 40];
        Encoder::new(1, 2, false).encode(&mut slot, Kind::Data, 3, Nanos(4), Nanos(u64::MAX));
        let lateness = decode(&slot, Nanos(0)).and_then(|probe| probe.lateness);
        assert_eq!(lateness, Some(Nanos(u64::from(u32::MAX))));
    }

    #[test]
    fn every_flipped_bit_behind_the_checksum_is_noticed() {
        let mut slot = [0x55; 200];
        Encoder::new(7, 8, true).encode(&mut slot, Kind::Data, 9, Nanos(1 << 60), Nanos(10));
        assert!(decode(&slot, Nanos(0)).unwrap().intact);
        for bit in 0..slot.len() * 8 {
            let mut damaged = slot;
            damaged[bit / 8] ^= 1 << (bit % 8);
            // The flag itself may be the damaged bit: then the datagram has no checksum to fail.
            let flag = bit == 29 * 8;
            let noticed = decode(&damaged, Nanos(0)).is_none_or(|probe| !probe.intact);
            assert!(noticed != flag, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            kind in any_kind(), session in 0u32..1 << 24, stream: u16, seq in 0..SEQ_END,
            due_at in 0u64..1 << 63, lateness: u32, len in MIN_LEN..2000, payload_checksum: bool,
            delay in -500_000_000_000i64..500_000_000_000,
        ) {
            let mut slot = vec![0x5a; len];
            let encoder = Encoder::new(session, stream, payload_checksum);
            encoder.encode(&mut slot, kind, seq, Nanos(due_at), Nanos(lateness.into()));
            let received_at = Nanos(due_at.saturating_add_signed(delay));
            let probe = decode(&slot, received_at).unwrap();
            let lateness = (len >= EXTENDED_LEN).then_some(Nanos(lateness.into()));
            let expected =
                Probe { kind, session, stream, seq, due_at: Nanos(due_at), lateness, intact: true };
            prop_assert_eq!(probe, expected);
        }
    }

    /// A million payloads of somebody else: none may panic, and those long enough for the magic are never ours.
    #[test]
    fn random_bytes_are_foreign() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut bytes = [0u8; 64];
        let mut short_hits = 0;
        for _ in 0..1_000_000 {
            for chunk in bytes.chunks_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                chunk.copy_from_slice(&state.to_ne_bytes());
            }
            let len = (state % 65) as usize;
            let ours = decode(&bytes[..len], Nanos(state)).is_some();
            assert!(!ours || len < EXTENDED_LEN, "{:?}", &bytes[..len]);
            short_hits += u32::from(ours);
        }
        // About 250,000 had 18 to 33 bytes; 16 bits of check let one in 65,536 pass.
        assert!(short_hits < 20, "{short_hits}");
    }
}
