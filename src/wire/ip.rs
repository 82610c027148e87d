//! The header of an IP packet that somebody else sent, and what comes behind it: IPv4 (RFC 791), IPv6 with the extension
//! headers that multicast comes with (RFC 8200).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Protocol numbers, <https://www.iana.org/assignments/protocol-numbers>.
pub const IGMP: u8 = 2;
/// See [`IGMP`].
pub const UDP: u8 = 17;
/// See [`IGMP`].
pub const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;
const DESTINATION_OPTIONS: u8 = 60;

/// A packet, or the first fragment of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip<'a> {
    /// Address it comes from.
    pub source: IpAddr,
    /// Group, or another address, it goes to.
    pub destination: IpAddr,
    /// Time to live, or hop limit, that is left.
    pub ttl: u8,
    /// What the body is.
    pub protocol: u8,
    /// As far as it was captured.
    pub body: &'a [u8],
    /// Its length as the header says.
    pub body_len: usize,
}

impl<'a> Ip<'a> {
    /// Reads a packet, whose end may be cut off. `None` for a later fragment, which has no header of what it carries, and
    /// for what is damaged. Checksums are not looked at: this is for what the kernel has taken or made.
    pub fn read(packet: &'a [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::read_v4(packet),
            6 => Self::read_v6(packet),
            _ => None,
        }
    }

    fn read_v4(packet: &'a [u8]) -> Option<Self> {
        let header: &[u8; 20] = packet.first_chunk()?;
        let header_len = usize::from(header[0] & 0xf) * 4;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let offset = u16::from_be_bytes([header[6], header[7]]) & 0x1fff;
        if header_len < header.len() || offset > 0 {
            return None;
        }
        Some(Self {
            source: Ipv4Addr::from(*header[12..].first_chunk::<4>()?).into(),
            destination: Ipv4Addr::from(*header[16..].first_chunk::<4>()?).into(),
            ttl: header[8],
            protocol: header[9],
            body: packet.get(header_len..)?,
            body_len: total.checked_sub(header_len)?,
        })
    }

    fn read_v6(packet: &'a [u8]) -> Option<Self> {
        let header: &[u8; 40] = packet.first_chunk()?;
        let mut body_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let (mut protocol, mut body) = (header[6], &packet[header.len()..]);
        // MLD comes behind the Router Alert (RFC 2711), which stands in such a header. "Hdr Ext Len: length ... in
        // 8-octet units, not including the first 8 octets", RFC 8200 section 4.3.
        while matches!(protocol, HOP_BY_HOP | DESTINATION_OPTIONS) {
            let len = (usize::from(*body.get(1)?) + 1) * 8;
            protocol = body[0];
            body = body.get(len..)?;
            body_len = body_len.checked_sub(len)?;
        }
        Some(Self {
            source: Ipv6Addr::from(*header[8..].first_chunk::<16>()?).into(),
            destination: Ipv6Addr::from(*header[24..].first_chunk::<16>()?).into(),
            ttl: header[7],
            protocol,
            body,
            body_len,
        })
    }
}
