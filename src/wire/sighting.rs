//! What a watcher of an interface makes of a frame: a datagram that comes to a group, or a report that a host has joined
//! or left one: IGMP (RFC 2236, RFC 3376), MLD (RFC 2710, RFC 3810).
//!
//! The beginning of a frame with a datagram is enough; a report is wanted whole.

use super::frame::{ETHERNET_LEN, IPV4_TYPE, IPV6_TYPE, UDP_LEN};
use super::ip::{ICMPV6, IGMP, Ip, UDP};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a frame that show all there is to see of a datagram: Ethernet, the longest IPv4 header or that of IPv6, UDP.
pub const DATAGRAM_LEN: usize = ETHERNET_LEN + 60 + UDP_LEN;

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting<'a> {
    /// A UDP datagram, or the first fragment of one.
    Datagram {
        /// Address it comes from.
        source: IpAddr,
        /// Group, or another address, it goes to.
        destination: IpAddr,
        /// Port it goes to.
        port: u16,
    },
    /// Memberships that changed.
    Changes(Changes<'a>),
}

/// What became of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The group, or a source of it, is wanted.
    Joined,
    /// The group, or a source of it, is not wanted any more.
    Left,
}

/// The changes that a report tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes<'a> {
    /// IGMPv2 and MLDv1 have a message for each.
    One(Option<(IpAddr, Change)>),
    /// Records of IGMPv3 or MLDv2 that are left to read.
    Records {
        /// Beginning with a record.
        rest: &'a [u8],
        /// How many they are at most.
        left: u16,
        /// Whether their addresses are IPv6.
        v6: bool,
    },
}

/// Reads an Ethernet frame. `None` is a frame that says nothing about groups.
pub fn read(frame: &[u8]) -> Option<Sighting<'_>> {
    if !matches!(u16_at(frame, 12)?, IPV4_TYPE | IPV6_TYPE) {
        return None;
    }
    let Ip { source, destination, protocol, body, .. } = Ip::read(frame.get(ETHERNET_LEN..)?)?;
    match protocol {
        UDP => Some(Sighting::Datagram { source, destination, port: u16_at(body, 2)? }),
        IGMP => igmp(body).map(Sighting::Changes),
        ICMPV6 => mld(body).map(Sighting::Changes),
        _ => None,
    }
}

/// RFC 2236 section 2; RFC 3376 section 4.
fn igmp(message: &[u8]) -> Option<Changes<'_>> {
    let one = |change| Some(Changes::One(Some((v4_at(message, 4)?, change))));
    match message.first()? {
        0x12 | 0x16 => one(Change::Joined),
        0x17 => one(Change::Left),
        0x22 => {
            Some(Changes::Records { rest: message.get(8..)?, left: u16_at(message, 6)?, v6: false })
        }
        _ => None,
    }
}

/// RFC 2710 section 3; RFC 3810 section 5.2.
fn mld(message: &[u8]) -> Option<Changes<'_>> {
    let one = |change| Some(Changes::One(Some((v6_at(message, 8)?, change))));
    match message.first()? {
        131 => one(Change::Joined),
        132 => one(Change::Left),
        143 => {
            Some(Changes::Records { rest: message.get(8..)?, left: u16_at(message, 6)?, v6: true })
        }
        _ => None,
    }
}

impl Iterator for Changes<'_> {
    type Item = (IpAddr, Change);

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, left, v6) = match self {
            Self::One(change) => return change.take(),
            Self::Records { rest, left, v6 } => (rest, left, *v6),
        };
        let address_len = if v6 { 16 } else { 4 };
        while *left > 0 {
            *left -= 1;
            let record = *rest;
            let sources = u16_at(record, 2)?;
            let group = if v6 { v6_at(record, 4) } else { v4_at(record, 4) }?;
            let aux = usize::from(*record.get(1)?) * 4;
            *rest = record.get(4 + address_len * (1 + usize::from(sources)) + aux..)?;
            if let Some(change) = change_of(record[0], sources) {
                return Some((group, change));
            }
        }
        None
    }
}

/// Of a record's type and its number of sources (RFC 3376 section 4.2.12). Those that answer a query change nothing.
fn change_of(kind: u8, sources: u16) -> Option<Change> {
    match (kind, sources) {
        (3, 0) | (6, _) => Some(Change::Left),
        (3..=5, _) => Some(Change::Joined),
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

fn v4_at(bytes: &[u8], at: usize) -> Option<IpAddr> {
    bytes.get(at..)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into())
}

fn v6_at(bytes: &[u8], at: usize) -> Option<IpAddr> {
    bytes.get(at..)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{Addressing, Template, UdpChecksum, headers_len};
    use proptest::prelude::*;

    fn ethernet(kind: u16, packet: &[&[u8]]) -> Vec<u8> {
        [&[0; 12][..], &kind.to_be_bytes(), &packet.concat()].concat()
    }

    /// With a Router Alert, as reports have it.
    fn igmp(message: &[u8]) -> Vec<u8> {
        let mut header = [0; 24];
        header[0] = 0x46;
        header[2..4].copy_from_slice(&(24 + message.len() as u16).to_be_bytes());
        header[9] = IGMP;
        ethernet(IPV4_TYPE, &[&header, message])
    }

    fn mld(message: &[u8]) -> Vec<u8> {
        let mut header = [0; 40];
        header[0] = 0x60;
        header[4..6].copy_from_slice(&(8 + message.len() as u16).to_be_bytes());
        ethernet(IPV6_TYPE, &[&header, &[ICMPV6, 0, 5, 2, 0, 0, 1, 0], message])
    }

    fn changes(frame: &[u8]) -> Vec<(String, Change)> {
        match read(frame) {
            Some(Sighting::Changes(changes)) => {
                changes.map(|(group, change)| (group.to_string(), change)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_message_a_change() {
        let group = [239, 1, 2, 3];
        for (kind, change) in [(0x12, Change::Joined), (0x16, Change::Joined), (0x17, Change::Left)]
        {
            let frame = igmp(&[&[kind, 0, 0, 0][..], &group].concat());
            assert_eq!(changes(&frame), [("239.1.2.3".into(), change)]);
        }
        let group: Ipv6Addr = "ff15::7".parse().unwrap();
        for (kind, change) in [(131, Change::Joined), (132, Change::Left)] {
            let frame = mld(&[&[kind, 0, 0, 0, 0, 0, 0, 0][..], &group.octets()].concat());
            assert_eq!(changes(&frame), [("ff15::7".into(), change)]);
        }
        assert_eq!(read(&igmp(&[0x11, 0, 0, 0, 0, 0, 0, 0])), None, "a query");
    }

    #[test]
    fn records_of_every_type() {
        let record = |kind: u8, last: u8, sources: u16, aux: u8| {
            let mut record = vec![kind, aux];
            record.extend(sources.to_be_bytes());
            record.extend([232, 0, 0, last]);
            record.resize(8 + 4 * usize::from(sources) + 4 * usize::from(aux), 9);
            record
        };
        let records = [
            record(1, 1, 1, 0),
            record(2, 2, 0, 0),
            record(3, 3, 0, 0),
            record(3, 4, 2, 0),
            record(4, 5, 0, 1),
            record(5, 6, 1, 2),
            record(6, 7, 3, 0),
            record(7, 8, 0, 0),
        ];
        let mut message = vec![0x22, 0, 0, 0, 0, 0, 0, records.len() as u8];
        message.extend(records.concat());
        let expected =
            [(3, false), (4, true), (5, true), (6, true), (7, false)].map(|(last, joined)| {
                (format!("232.0.0.{last}"), if joined { Change::Joined } else { Change::Left })
            });
        assert_eq!(changes(&igmp(&message)), expected);
        // One that is cut off ends the list.
        assert_eq!(changes(&igmp(&message[..message.len() - 9])).len(), 4);
        let mut message = vec![143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0];
        message.extend("ff15::9".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(changes(&mld(&message)), [("ff15::9".into(), Change::Joined)]);
    }

    #[test]
    fn the_beginning_of_a_datagram_is_enough() {
        for (source, destination) in
            [("192.0.2.1:7", "239.1.2.3:5000"), ("[2001:db8::1]:7", "[ff15::3]:5000")]
        {
            let addressing = Addressing {
                source_mac: [0; 6],
                destination_mac: [0; 6],
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                ttl: 1,
                dscp: 0,
            };
            let headers = headers_len(addressing.destination.is_ipv6());
            let mut frame = vec![0; headers + 1000];
            Template::new(&addressing).write(&mut frame, UdpChecksum::Partial);
            let seen = Sighting::Datagram {
                source: addressing.source.ip(),
                destination: addressing.destination.ip(),
                port: 5000,
            };
            assert_eq!(read(&frame[..headers]), Some(seen));
            assert!(headers <= DATAGRAM_LEN);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), kind: u8) {
            for frame in [bytes.clone(), igmp(&[&[kind], &bytes[..]].concat()), mld(&bytes)] {
                if let Some(Sighting::Changes(changes)) = read(&frame) {
                    prop_assert!(changes.count() < 100);
                }
            }
        }
    }
}
