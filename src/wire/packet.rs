//! What an IP packet that somebody else sent is: a datagram to a group, or a query who listens.
//!
//! UDP (RFC 768); queries of IGMP (RFC 3376 section 7.1 tells the versions apart) and of MLD (RFC 3810 section 8.1).

use super::ip::{ICMPV6, IGMP, Ip, UDP};
use super::probe;
use crate::units::Nanos;
use std::net::IpAddr;

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
        let ip = Ip::read(packet)?;
        let Ip { source, body, body_len, .. } = ip;
        let version = match (ip.protocol, body.first()) {
            (UDP, _) => return datagram(&ip),
            // Version 1 left the response time at zero, version 3 made the query longer.
            (IGMP, Some(&IGMP_QUERY)) => match (body_len, body.get(1)?) {
                (12.., _) => 3,
                (_, 0) => 1,
                _ => 2,
            },
            (ICMPV6, Some(&MLD_QUERY)) => 1 + u8::from(body_len >= 28),
            _ => return None,
        };
        Some(Self::Query(Query { source, version }))
    }
}

fn datagram(ip: &Ip<'_>) -> Option<Packet> {
    let Ip { source, destination: group, ttl, body, .. } = *ip;
    let header: &[u8; 8] = body.first_chunk()?;
    if !group.is_multicast() {
        return None;
    }
    let port = u16::from_be_bytes([header[2], header[3]]);
    // Whatever its due time is.
    let is_ours = probe::decode(&body[header.len()..], Nanos(0)).is_some();
    Some(Packet::Datagram(Datagram { source, group, port, ttl, is_ours }))
}

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
            packet[5] = 8 + len;
            packet[40] = ICMPV6;
            packet[48] = kind;
            Packet::parse(&packet)
        };
        let query = |version| {
            Some(Packet::Query(Query { source: std::net::Ipv6Addr::UNSPECIFIED.into(), version }))
        };
        assert_eq!((of(24, MLD_QUERY), of(28, MLD_QUERY)), (query(1), query(2)));
        assert_eq!(of(28, 143), None);
    }
}
