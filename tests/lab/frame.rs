//! Finds the datagrams of our protocol in Ethernet frames, and damages them so that only our own
//! checksum can tell.
//!
//! ```text
//! payload   0        2           5       7                       13          18       22
//!           checksum | session   | stream | kind:3, sequence:45  | due time  | "mcb1" ...
//! ```

use std::ops::Range;

/// What a datagram of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of those that are counted.
    Data,
    /// The stream begins.
    Start,
    /// The stream goes on.
    Progress,
    /// The stream has ended, and how many there were.
    End,
    /// A request of `ping`.
    Request,
    /// A reply to it.
    Reply,
    /// A question of `ping` who is there.
    Call,
    /// The answer to that.
    Statement,
}

impl Kind {
    /// Whether it is one of those that rules are for; the others are announcements.
    pub(super) fn is_data(self) -> bool {
        matches!(self, Self::Data | Self::Request | Self::Reply)
    }
}

/// Where a datagram of ours lies in its frame, and what its header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) kind: Kind,
    pub(super) source_port: u16,
    pub(super) session: u32,
    pub(super) stream: u16,
    pub(super) seq: u64,
    payload: Range<usize>,
}

impl Datagram {
    /// Looks for a whole, multicast UDP datagram of ours; fragments are foreign.
    pub(super) fn find(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET..)?;
        let udp = ETHERNET
            + match u16_at(frame, 12)? {
                0x0800 => ipv4_udp(packet)?,
                0x86dd => ipv6_udp(packet)?,
                _ => return None,
            };
        let payload = udp + UDP..udp + usize::from(u16_at(frame, udp + 4)?);
        let bytes = frame.get(payload.clone())?;
        let ours = match bytes.len() {
            ..HEADER => false,
            HEADER..MARKED => true,
            MARKED.. => bytes[HEADER..HEADER + 4] == *b"mcb1",
        };
        if !ours {
            return None;
        }
        let kind = match bytes[7] >> 5 {
            0 => Kind::Data,
            1 => Kind::Start,
            2 => Kind::Progress,
            3 => Kind::End,
            4 => Kind::Request,
            5 => Kind::Reply,
            6 => Kind::Call,
            _ => Kind::Statement,
        };
        Some(Self {
            kind,
            source_port: u16_at(frame, udp)?,
            session: big_endian(&bytes[2..5]) as u32,
            stream: big_endian(&bytes[5..7]) as u16,
            seq: big_endian(&bytes[7..13]) & ((1 << 45) - 1),
            payload,
        })
    }

    /// The bits that [`Action::Corrupt`](super::Action::Corrupt) may flip, numbered from the start
    /// of the payload; none if it is shorter than what it must spare.
    pub(super) fn body_bits(&self) -> Range<usize> {
        MARKED * 8..self.payload.len() * 8
    }

    /// The bits that [`Action::CorruptHeader`](super::Action::CorruptHeader) may flip.
    pub(super) fn header_bits(&self) -> Range<usize> {
        2 * 8..HEADER * 8
    }

    /// Flips one bit of the payload. The UDP checksum is brought to agree with it, unless it stays:
    /// because the hardware would have filled it in (it is not there yet, and nobody will verify
    /// it), or because it is meant to be wrong. If the sender has sent none it stays too.
    pub(super) fn flip(&self, frame: &mut [u8], bit: usize, checksum_stays: bool) {
        let byte = self.payload.start + bit / 8;
        let udp = self.payload.start - UDP;
        // The sum is over 16-bit words from the UDP header on; an odd last byte is a high half.
        let start = byte - (byte - udp) % 2;
        let word = start..(start + 2).min(self.payload.end);
        let old = word_at(&frame[word.clone()]);
        frame[byte] ^= 0x80 >> (bit % 8);
        let new = word_at(&frame[word]);

        let checksum = u16_at(frame, udp + 6).unwrap_or(0);
        if checksum_stays || checksum == 0 {
            return;
        }
        // RFC 1624 section 3: HC' = ~(~HC + ~m + m').
        let sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
        let sum = (sum & 0xffff) + (sum >> 16);
        let folded = !((sum + (sum >> 16)) as u16);
        let repaired = if folded == 0 { 0xffff } else { folded };
        frame[udp + 6..udp + 8].copy_from_slice(&repaired.to_be_bytes());
    }
}

/// Offset of the UDP header if this is a whole multicast UDP packet.
fn ipv4_udp(packet: &[u8]) -> Option<usize> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let fragmented = u16_at(packet, 6)? & 0x3fff != 0;
    let multicast = packet.get(16)? >> 4 == 0xe;
    (packet[9] == UDP_PROTOCOL && multicast && !fragmented).then_some(header)
}

/// Offset of the UDP header if it follows at once on the header of a multicast packet.
fn ipv6_udp(packet: &[u8]) -> Option<usize> {
    let multicast = *packet.get(24)? == 0xff;
    (packet[6] == UDP_PROTOCOL && multicast).then_some(40)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset + 2).map(word_at)
}

fn word_at(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes.get(1).copied().unwrap_or(0)])
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

const ETHERNET: usize = 14;
const UDP: usize = 8;
const UDP_PROTOCOL: u8 = 17;
/// Length of our header.
const HEADER: usize = 18;
/// Payloads of this length and more carry the magic.
const MARKED: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 frame to 239.1.1.1 with a payload of `len` bytes and a right UDP checksum.
    fn frame(len: usize) -> Vec<u8> {
        let mut frame = vec![0; ETHERNET + 20];
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        frame[14] = 0x45;
        frame[23] = UDP_PROTOCOL;
        frame[26..34].copy_from_slice(&[10, 99, 1, 1, 239, 1, 1, 1]);
        let udp_len = (UDP + len) as u16;
        for word in [4000, 5777, udp_len, 0] {
            frame.extend(u16::to_be_bytes(word));
        }
        frame.extend([0, 0, 0xaa, 0xbb, 0xcc, 0x12, 0x34, 0x60, 0, 0, 0, 0x01, 0x02]);
        frame.extend([9; 5]);
        frame.extend(b"mcb1");
        frame.extend((0..=255u8).cycle().take(len.saturating_sub(22)));
        frame.truncate(ETHERNET + 20 + UDP + len);
        let sum = !udp_sum(&frame);
        frame[40..42].copy_from_slice(&sum.to_be_bytes());
        frame
    }

    /// RFC 768: over the pseudo header, the UDP header and the data; 0xffff when it is right.
    fn udp_sum(frame: &[u8]) -> u16 {
        let udp = &frame[ETHERNET + 20..];
        let pseudo = frame[26..34].chunks(2).map(word_at);
        let length = [u16::from(UDP_PROTOCOL), udp.len() as u16];
        let words = pseudo.chain(length).chain(udp.chunks(2).map(word_at));
        let sum: u32 = words.map(u32::from).sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        ((sum & 0xffff) + (sum >> 16)) as u16
    }

    #[test]
    fn header_is_read() {
        for len in [18, 29, 30, 1316] {
            let found = Datagram::find(&frame(len)).unwrap();
            let Datagram { kind, source_port, session, stream, seq, payload } = found;
            assert_eq!((kind, source_port, session, stream), (Kind::End, 4000, 0xaa_bbcc, 0x1234));
            assert_eq!((seq, payload), (0x102, 42..42 + len));
        }
    }

    #[test]
    fn foreign_frames_are_not_ours() {
        let differs = |offset: usize, value: u8| {
            let mut frame = frame(1316);
            frame[offset] = value;
            Datagram::find(&frame)
        };
        assert_eq!(differs(12, 0x86), None, "another protocol");
        assert_eq!(differs(20, 0x20), None, "a first fragment");
        assert_eq!(differs(23, 6), None, "TCP");
        assert_eq!(differs(30, 10), None, "unicast");
        assert_eq!(differs(42 + 18, b'M'), None, "no magic");
        assert_eq!(Datagram::find(&frame(17)), None, "too short");
        assert_eq!(Datagram::find(&frame(64)[..50]), None, "cut off");
    }

    #[test]
    fn checksum_agrees_with_every_flipped_bit() {
        for len in [31, 64] {
            let good = frame(len);
            let datagram = Datagram::find(&good).unwrap();
            for bit in datagram.header_bits().chain(datagram.body_bits()) {
                let mut bad = good.clone();
                datagram.flip(&mut bad, bit, false);
                assert_eq!(udp_sum(&bad), 0xffff, "bit {bit} of {len} bytes");
                assert_ne!(bad[42 + bit / 8], good[42 + bit / 8]);
                assert_eq!(bad.iter().zip(&good).skip(42).filter(|(a, b)| a != b).count(), 1);
            }
        }
    }

    #[test]
    fn checksum_that_is_pending_or_absent_stays() {
        let good = frame(64);
        let datagram = Datagram::find(&good).unwrap();
        let mut bad = good.clone();
        datagram.flip(&mut bad, 300, true);
        assert_eq!(bad[40..42], good[40..42]);
        bad[40..42].fill(0);
        datagram.flip(&mut bad, 300, false);
        assert_eq!(bad[40..42], [0, 0]);
    }
}
