//! What an IP packet that somebody else sent is: a datagram to a group, or a query who listens.
//!
//! IPv4 (RFC 791), IPv6 with its extension headers (RFC 8200), UDP (RFC 768); queries of IGMP (RFC 3376 section 7.1
//! tells the versions apart) and of MLD (RFC 3810 section 8.1).

use super::probe;
use crate::units::Nanos;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A packet that says something about multicast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// UDP to a group.
    Datagram(Datagram),
    /// Somebody asks who listens.
    Query(Query),
}

/// A UDP datagram to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub source: IpAddr,
    /// To which group.
    pub group: IpAddr,
    /// To which port.
    pub port: u16,
    /// Time to live, or hop limit, that was left.
    pub ttl: u8,
    /// Whether it begins with a header of ours.
    pub is_ours: bool,
}

/// A query of IGMP or MLD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Who asks; a switch without an address asks from 0.0.0.0.
    pub source: IpAddr,
    /// Of the protocol.
    pub version: u8,
}

impl Packet {
    /// Reads a packet from its IP header on; its end may be cut off. `None` is of no interest, or damaged.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => parse_v4(packet),
            6 => parse_v6(packet),
            _ => None,
        }
    }
}

fn parse_v4(packet: &[u8]) -> Option<Packet> {
    let header: &[u8; 20] = packet.first_chunk()?;
    let header_len = usize::from(header[0] & 0xf) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let offset = u16::from_be_bytes([header[6], header[7]]) & 0x1fff;
    // Only the first fragment has the header of what it carries.
    if header_len < header.len() || total < header_len || offset > 0 {
        return None;
    }
    let source = Ipv4Addr::from(*header[12..].first_chunk::<4>()?).into();
    let group = Ipv4Addr::from(*header[16..].first_chunk::<4>()?).into();
    let body = packet.get(header_len..)?;
    match header[9] {
        UDP => datagram(source, group, header[8], body),
        IGMP if body.first() == Some(&IGMP_QUERY) => {
            // Version 1 left the response time at zero, version 3 made the query longer.
            let version = match (total - header_len, body.get(1)?) {
                (12.., _) => 3,
                (_, 0) => 1,
                _ => 2,
            };
            Some(Packet::Query(Query { source, version }))
        }
        _ => None,
    }
}

fn parse_v6(packet: &[u8]) -> Option<Packet> {
    let header: &[u8; 40] = packet.first_chunk()?;
    let source = Ipv6Addr::from(*header[8..].first_chunk::<16>()?).into();
    let group = Ipv6Addr::from(*header[24..].first_chunk::<16>()?).into();
    let mut left = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let (mut next, mut body) = (header[6], &packet[header.len()..]);
    // MLD comes behind the router alert, which is such a header.
    while matches!(next, HOP_BY_HOP | DESTINATION_OPTIONS) {
        let len = (usize::from(*body.get(1)?) + 1) * 8;
        next = body[0];
        body = body.get(len..)?;
        left = left.checked_sub(len)?;
    }
    match next {
        UDP => datagram(source, group, header[7], body),
        ICMPV6 if body.first() == Some(&MLD_QUERY) => {
            Some(Packet::Query(Query { source, version: if left >= 28 { 2 } else { 1 } }))
        }
        _ => None,
    }
}

fn datagram(source: IpAddr, group: IpAddr, ttl: u8, udp: &[u8]) -> Option<Packet> {
    let header: &[u8; 8] = udp.first_chunk()?;
    if !group.is_multicast() {
        return None;
    }
    let port = u16::from_be_bytes([header[2], header[3]]);
    // Whatever its due time is.
    let is_ours = probe::decode(&udp[header.len()..], Nanos(0)).is_some();
    Some(Packet::Datagram(Datagram { source, group, port, ttl, is_ours }))
}

/// Protocol numbers, <https://www.iana.org/assignments/protocol-numbers>.
const HOP_BY_HOP: u8 = 0;
const IGMP: u8 = 2;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const DESTINATION_OPTIONS: u8 = 60;

const IGMP_QUERY: u8 = 0x11;
const MLD_QUERY: u8 = 130;

#[cfg(test)]
mod tests {
    use super::super::frame::{Addressing, ETHERNET_LEN, Template, UdpChecksum};
    use super::super::probe::{Encoder, Kind};
    use super::*;

    fn of_ours(source: &str, group: &str) -> Vec<u8> {
        let template = Template::new(&Addressing {
            source_mac: [0; 6],
            destination_mac: [0; 6],
            source: source.parse().unwrap(),
            destination: group.parse().unwrap(),
            ttl: 3,
            dscp: 0,
        });
        let mut frame = vec![0; template.headers_len() + 64];
        let payload = &mut frame[template.headers_len()..];
        Encoder::new(1, 2, false).encode(payload, Kind::Data, 7, Nanos(9), Nanos(0));
        template.write(&mut frame, UdpChecksum::Whole);
        frame.split_off(ETHERNET_LEN)
    }

    #[test]
    fn datagrams_of_both_families() {
        for (source, group) in
            [("192.0.2.1:9", "233.252.0.7:5777"), ("[fd00::1]:9", "[ff15::7]:5777")]
        {
            let mut packet = of_ours(source, group);
            let [source, group]: [std::net::SocketAddr; 2] =
                [source, group].map(|text| text.parse().unwrap());
            let expected = Datagram {
                source: source.ip(),
                group: group.ip(),
                port: 5777,
                ttl: 3,
                is_ours: true,
            };
            assert_eq!(Packet::parse(&packet), Some(Packet::Datagram(expected)));
            let payload_at = packet.len() - 64;
            packet[payload_at] ^= 1;
            let expected = Some(Packet::Datagram(Datagram { is_ours: false, ..expected }));
            assert_eq!(Packet::parse(&packet), expected);
            assert_eq!(Packet::parse(&packet[..payload_at]), expected);
            for len in 0..payload_at {
                assert_eq!(Packet::parse(&packet[..len]), None, "{len}");
            }
        }
    }

    #[test]
    fn later_fragments_and_single_hosts_are_none() {
        let mut packet = of_ours("192.0.2.1:9", "233.252.0.7:5777");
        packet[7] = 1;
        assert_eq!(Packet::parse(&packet), None);
        assert_eq!(Packet::parse(&of_ours("192.0.2.1:9", "192.0.2.2:5777")), None);
    }

    #[test]
    fn versions_of_igmp() {
        let of = |len: usize, response_time: u8| {
            let mut packet = vec![0; 24 + len];
            packet[0] = 0x46;
            packet[2..4].copy_from_slice(&(24 + len as u16).to_be_bytes());
            packet[9] = IGMP;
            packet[12..16].copy_from_slice(&[192, 0, 2, 1]);
            (packet[24], packet[25]) = (IGMP_QUERY, response_time);
            // As Ethernet pads it.
            packet.resize(60, 0);
            match Packet::parse(&packet) {
                Some(Packet::Query(query)) => query.version,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((of(8, 0), of(8, 100), of(12, 100)), (1, 2, 3));
    }

    #[test]
    fn versions_of_mld() {
        let of = |len: u8, kind: u8| {
            let mut packet = vec![0; 48 + usize::from(len)];
            packet[0] = 0x60;
            (packet[5], packet[6]) = (8 + len, HOP_BY_HOP);
            packet[40] = ICMPV6;
            packet[48] = kind;
            Packet::parse(&packet)
        };
        let query =
            |version| Some(Packet::Query(Query { source: Ipv6Addr::UNSPECIFIED.into(), version }));
        assert_eq!((of(24, MLD_QUERY), of(28, MLD_QUERY)), (query(1), query(2)));
        assert_eq!(of(28, 143), None);
    }
}
