//! Writes pcap files with nanoseconds, as tcpdump and Wireshark read them.
//!
//! Packets begin with their IP header (LINKTYPE_RAW, registry of tcpdump.org): what lay before it, a socket does not say.
//! The headers are made anew from what it does say; identification, flags and the code point of the original are not
//! known. The checksums are right.

use crate::units::Nanos;
use crate::wire::frame::{Addressing, ETHERNET_LEN, Template, UdpChecksum};
use std::io::{self, Write};
use std::net::SocketAddr;

/// pcap(5), draft-ietf-opsawg-pcap: the number that says nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
/// The longest packet; what tcpdump takes at most.
const LONGEST: u32 = 262_144;
const RAW: u32 = 101;

/// A capture that grows by a datagram a call.
pub struct CaptureWriter<W: Write> {
    out: W,
    frame: Vec<u8>,
}

/// A datagram to write.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// When it was received, since the Unix epoch.
    pub at: Nanos,
    /// Who sent it; of one family with the destination.
    pub source: SocketAddr,
    /// Group and port.
    pub destination: SocketAddr,
    /// Time to live, or hop limit; 0 if it is not known.
    pub ttl: u8,
    /// What it carries, at most 65,507 bytes over IPv4, 65,527 over IPv6.
    pub payload: &'a [u8],
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// What `out` says.
    pub fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC.to_le_bytes())?;
        out.write_all(&VERSION.map(u16::to_le_bytes).concat())?;
        // Two words that are always zero: the zone of the times and how exact they are.
        out.write_all(&[0, 0, LONGEST, RAW].map(u32::to_le_bytes).concat())?;
        Ok(Self { out, frame: Vec::new() })
    }

    /// Adds a datagram.
    ///
    /// # Errors
    /// What the file says.
    pub fn write(&mut self, captured: &Captured<'_>) -> io::Result<()> {
        let Captured { at, source, destination, ttl, payload } = *captured;
        let no_mac = [0; 6];
        let template = Template::new(&Addressing {
            source_mac: no_mac,
            destination_mac: no_mac,
            source,
            destination,
            ttl,
            dscp: 0,
        });
        self.frame.clear();
        self.frame.resize(template.headers_len(), 0);
        self.frame.extend_from_slice(payload);
        template.write(&mut self.frame, UdpChecksum::Whole);
        let packet = &self.frame[ETHERNET_LEN..];
        let seconds = (at.0 / Nanos::SECOND.0) as u32;
        let nanos = (at.0 % Nanos::SECOND.0) as u32;
        let len = packet.len() as u32;
        self.out.write_all(&[seconds, nanos, len, len].map(u32::to_le_bytes).concat())?;
        self.out.write_all(packet)
    }

    /// Hands over what is buffered.
    ///
    /// # Errors
    /// What the file says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{IPV4_TYPE, IPV6_TYPE, UdpFrame};

    fn capture(datagrams: &[Captured<'_>]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = CaptureWriter::begin(&mut file).unwrap();
        datagrams.iter().for_each(|datagram| writer.write(datagram).unwrap());
        file
    }

    fn captured(source: &str, destination: &str, payload: &'static [u8]) -> Captured<'static> {
        let at = Nanos(1_700_000_000_123_456_789);
        let [source, destination] = [source, destination].map(|text| text.parse().unwrap());
        Captured { at, source, destination, ttl: 3, payload }
    }

    #[test]
    fn a_capture_to_the_byte() {
        let file = capture(&[captured("10.0.0.1:4000", "233.252.0.7:5000", b"hi")]);
        let header =
            [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
        assert_eq!(file[..24], header);
        let times = [1_700_000_000u32, 123_456_789, 30, 30].map(u32::to_le_bytes).concat();
        assert_eq!(file[24..40], times);
        // An IPv4 header whose words add up to all ones, and the addresses where they belong (RFC 791).
        let ip = &file[40..];
        let sum: u32 =
            ip[..20].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        assert_eq!((ip[0], ip[3], ip[8], ip[9]), (0x45, 30, 3, 17));
        assert_eq!(ip[12..20], [10, 0, 0, 1, 233, 252, 0, 7]);
        assert_eq!(ip[20..26], [0x0f, 0xa0, 0x13, 0x88, 0, 10]);
        assert_eq!(&ip[28..], b"hi");
    }

    #[test]
    fn both_families_are_datagrams_again_when_they_are_read() {
        static LARGE: [u8; 65_527] = [7; 65_527];
        for (datagram, ether_type) in [
            (captured("10.0.0.1:4000", "233.252.0.7:5000", &LARGE[..65_507]), IPV4_TYPE),
            (captured("10.0.0.1:4000", "233.252.0.7:5000", b""), IPV4_TYPE),
            (captured("[fe80::1]:4000", "[ff15::7]:5000", &LARGE), IPV6_TYPE),
        ] {
            let file = capture(&[datagram]);
            let mut frame = vec![0; ETHERNET_LEN];
            frame[12..].copy_from_slice(&ether_type.to_be_bytes());
            frame.extend(&file[40..]);
            let udp = UdpFrame::parse(&frame).unwrap();
            assert!(udp.has_right_checksum(&frame));
            assert_eq!((udp.source, udp.destination), (datagram.source, datagram.destination));
            assert_eq!(&frame[udp.payload], datagram.payload);
        }
    }

    #[cfg(feature = "replay")]
    #[test]
    fn our_own_reader_takes_it() {
        let file = capture(&[
            captured("10.0.0.1:4000", "233.252.0.7:5000", &[1; 1316]),
            captured("[fe80::1]:4000", "[ff15::7]:5000", &[2; 18]),
        ]);
        let at = Nanos(1_700_000_000_123_456_789);
        let read = crate::wire::capture::read(&file[..], 10).unwrap();
        assert_eq!((read.datagrams, read.skipped), (vec![(at, 1316), (at, 18)], 0));
    }
}
