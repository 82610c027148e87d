//! The header of RTP, so far as it tells what a datagram is.
//!
//! ```text
//!  0         1         2          4           8      12
//!  +---------+---------+----------+-----------+------+- - - - - - - - - - - - -
//!  |V2 P X CC| M  type | sequence | timestamp | SSRC | CSRCs, extension, payload   all numbers big-endian
//!  +---------+---------+----------+-----------+------+- - - - - - - - - - - - -
//! ```
//!
//! RFC 3550 section 5.1. Nothing in it names the protocol: what has version 2, a payload type that is in use and a
//! header that fits is taken for RTP.

use std::ops::Range;

/// Bytes of a header without CSRCs and extension.
const HEADER: usize = 12;

/// Payload types of RFC 3551 section 6 that are assigned, and those that are for negotiation. Between them lie those that
/// RTCP would be taken for.
const STATIC: Range<u8> = 0..35;
const DYNAMIC: Range<u8> = 96..128;

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtp {
    /// Payload type; 33 is MPEG-TS.
    pub payload_type: u8,
    /// Marker; the end of a frame in most video.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp, in units of the payload type.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// Where the payload lies.
    pub payload: Range<usize>,
}

/// Reads the header; `None` if this can be no RTP.
pub fn decode(datagram: &[u8]) -> Option<Rtp> {
    let header: &[u8; HEADER] = datagram.first_chunk()?;
    let [flags, kind, seq @ ..] = header;
    let payload_type = kind & 0x7f;
    let is_used = STATIC.contains(&payload_type) || DYNAMIC.contains(&payload_type);
    if flags >> 6 != 2 || !is_used {
        return None;
    }
    let mut start = HEADER + usize::from(flags & 0x0f) * 4;
    if flags & 0x10 != 0 {
        // A word of the profile, and how many words follow.
        let words: &[u8; 4] = datagram.get(start..)?.first_chunk()?;
        start += 4 + usize::from(u16::from_be_bytes([words[2], words[3]])) * 4;
    }
    // The last byte of padding says how many they are, itself among them.
    let is_padded = flags & 0x20 != 0;
    let padding = if is_padded { usize::from(*datagram.last()?) } else { 0 };
    let end = datagram.len().checked_sub(padding).filter(|end| start <= *end)?;
    (is_padded == (padding > 0)).then_some(Rtp {
        payload_type,
        marker: kind & 0x80 != 0,
        seq: u16::from_be_bytes(*seq.first_chunk()?),
        timestamp: u32::from_be_bytes(*header[4..].first_chunk()?),
        ssrc: u32::from_be_bytes(*header[8..].first_chunk()?),
        payload: start..end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: [u8; 14] = [0x80, 0xa1, 1, 2, 0, 0, 0, 9, 0xde, 0xad, 0xbe, 0xef, 0x47, 0];

    #[test]
    fn a_plain_header() {
        let rtp = decode(&PLAIN).unwrap();
        let expected = Rtp {
            payload_type: 33,
            marker: true,
            seq: 0x0102,
            timestamp: 9,
            ssrc: 0xdead_beef,
            payload: 12..14,
        };
        assert_eq!(rtp, expected);
    }

    #[test]
    fn csrcs_extension_and_padding_lie_around_the_payload() {
        let mut datagram = PLAIN[..12].to_vec();
        datagram[0] = 0x80 | 0x20 | 0x10 | 1;
        datagram.extend([0; 4]); // a CSRC
        datagram.extend([0xbe, 0xde, 0, 1, 0, 0, 0, 0]); // an extension of one word
        datagram.extend([7, 8, 0, 0, 3]);
        assert_eq!(decode(&datagram).unwrap().payload, 24..26);
        for (at, byte) in [(28, 0), (28, 9), (19, 9)] {
            let mut bad = datagram.clone();
            bad[at] = byte;
            assert_eq!(decode(&bad), None, "byte {at} is {byte}");
        }
    }

    #[test]
    fn others_are_not_taken_for_it() {
        for (at, byte) in [(0, 0x40), (0, 0xc0), (1, 72), (1, 200), (1, 95), (0, 0x84)] {
            let mut other = PLAIN;
            other[at] = byte;
            assert_eq!(decode(&other), None, "byte {at} is {byte}");
        }
        assert_eq!(decode(&PLAIN[..11]), None);
    }

    proptest! {
        #[test]
        fn the_payload_lies_in_the_datagram(datagram in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(rtp) = decode(&datagram) {
                prop_assert!(datagram.get(rtp.payload).is_some());
            }
        }
    }
}
