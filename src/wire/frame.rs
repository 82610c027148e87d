//! UDP datagrams in Ethernet frames, for engines that build their frames themselves.
//!
//! ```text
//! 0            6         12   14                   34 or 54          42 or 62
//! destination | source  | type | IPv4 20 or IPv6 40 | UDP             | payload
//! MAC         | MAC     |      |                    | ports, length,  |
//!             |         |      |                    | checksum        |
//! ```
//!
//! Ethernet II as in RFC 894 and RFC 2464, IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768). All that is the same
//! for every datagram of a flow is made once, a [`Template`]; per datagram the lengths and the checksums are put in.
//! An IPv4 datagram that must not be fragmented needs no identification of its own (RFC 6864 section 4.1), so its
//! header is a function of its length alone.
//!
//! Checksums are summed over words as they lie in memory, whatever the order of their bytes: the sum is then in
//! the same order (RFC 1071 section 2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

/// Bytes of an Ethernet header without a tag.
pub const ETHERNET_LEN: usize = 14;
/// Bytes of a UDP header.
pub const UDP_LEN: usize = 8;
/// Where in the UDP header the checksum is.
pub const UDP_CHECKSUM_AT: usize = 6;

/// Bytes of an IPv4 header without options.
const IPV4_LEN: usize = 20;
/// Bytes of an IPv6 header.
const IPV6_LEN: usize = 40;
/// Bytes of a tag (IEEE 802.1Q): identifier of the tag, priority and network.
const TAG_LEN: usize = 4;

/// EtherType of IPv4 (RFC 894).
pub const IPV4_TYPE: u16 = 0x0800;
/// EtherType of IPv6 (RFC 2464 section 3).
pub const IPV6_TYPE: u16 = 0x86dd;
/// What a tag begins with (IEEE 802.1Q).
const TAG_TYPE: u16 = 0x8100;

/// Protocol number of UDP (RFC 768).
const UDP: u8 = 17;

/// Bytes of the headers before a payload, without a tag or options.
pub const fn headers_len(v6: bool) -> usize {
    ETHERNET_LEN + if v6 { IPV6_LEN } else { IPV4_LEN } + UDP_LEN
}

/// What the datagrams of a flow have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressing {
    /// Ethernet address of the interface that it leaves by.
    pub source_mac: [u8; 6],
    /// Ethernet address of the group.
    pub destination_mac: [u8; 6],
    /// Address and port of the sender; of one family with the destination.
    pub source: SocketAddr,
    /// Group and port.
    pub destination: SocketAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Differentiated services code point, 6 bits.
    pub dscp: u8,
}

/// What to put into the checksum field of the UDP header. Never zero, which is no checksum over IPv4 and forbidden
/// over IPv6 (RFC 768; RFC 8200 section 8.1): damage on the way must be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpChecksum {
    /// The checksum.
    Whole,
    /// The sum over the pseudo header, to which the network card or the kernel adds the rest
    /// (`VIRTIO_NET_HDR_F_NEEDS_CSUM`, virtio specification 1.2 section 5.1.6.2).
    Partial,
}

/// The headers of a flow, to be put before each of its payloads.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: [u8; ETHERNET_LEN + IPV6_LEN + UDP_LEN],
    len: usize,
    /// Sum of the IPv4 header but for its length and checksum; 0 for IPv6, whose header has no checksum.
    network_sum: u64,
    /// Sum of the pseudo header but for its length, and of the ports.
    pseudo_sum: u64,
    port_sum: u64,
}

impl Template {
    /// The headers of a flow.
    ///
    /// # Panics
    /// If source and destination are not of one family.
    pub fn new(addressing: &Addressing) -> Self {
        let Addressing { source_mac, destination_mac, source, destination, ttl, dscp } =
            *addressing;
        let mut bytes = [0; ETHERNET_LEN + IPV6_LEN + UDP_LEN];
        bytes[..6].copy_from_slice(&destination_mac);
        bytes[6..12].copy_from_slice(&source_mac);
        let network = &mut bytes[ETHERNET_LEN..];
        let (ethertype, udp, addresses) = match (source.ip(), destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                network[0] = 0x45;
                network[1] = dscp << 2;
                // "Don't fragment".
                network[6] = 0x40;
                network[8] = ttl;
                network[9] = UDP;
                network[12..16].copy_from_slice(&source.octets());
                network[16..20].copy_from_slice(&destination.octets());
                (IPV4_TYPE, ETHERNET_LEN + IPV4_LEN, 12..20)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                // Version 6, eight bits of traffic class, no flow label.
                network[0] = 0x60 | dscp >> 2;
                network[1] = dscp << 6;
                network[6] = UDP;
                network[7] = ttl;
                network[8..24].copy_from_slice(&source.octets());
                network[24..40].copy_from_slice(&destination.octets());
                (IPV6_TYPE, ETHERNET_LEN + IPV6_LEN, 8..40)
            }
            _ => panic!("{source} and {destination} are of two families"),
        };
        let pseudo_sum = sum(&network[addresses]) + sum(&[0, UDP]);
        let network_sum = if destination.is_ipv4() { sum(&network[..IPV4_LEN]) } else { 0 };
        bytes[12..14].copy_from_slice(&ethertype.to_be_bytes());
        bytes[udp..udp + 2].copy_from_slice(&source.port().to_be_bytes());
        bytes[udp + 2..udp + 4].copy_from_slice(&destination.port().to_be_bytes());
        let port_sum = sum(&bytes[udp..udp + 4]);
        Self { bytes, len: udp + UDP_LEN, network_sum, pseudo_sum, port_sum }
    }

    /// Bytes before the payload.
    pub fn headers_len(&self) -> usize {
        self.len
    }

    /// Where the UDP header begins.
    pub fn udp_at(&self) -> usize {
        self.len - UDP_LEN
    }

    /// Puts the headers before the payload that fills the rest of `frame`.
    ///
    /// # Panics
    /// If the frame is shorter than its headers. A frame must not be longer than 65,535 bytes either, or its
    /// lengths will be wrong.
    #[inline]
    pub fn write(&self, frame: &mut [u8], checksum: UdpChecksum) {
        let (headers, payload) = frame.split_at_mut(self.len);
        headers.copy_from_slice(&self.bytes[..self.len]);
        let udp_len = be(UDP_LEN + payload.len());
        let network = &mut headers[ETHERNET_LEN..];
        if self.udp_at() == ETHERNET_LEN + IPV4_LEN {
            let len = be(IPV4_LEN + UDP_LEN + payload.len());
            network[2..4].copy_from_slice(&len.to_ne_bytes());
            let check = !fold(self.network_sum + u64::from(len));
            network[10..12].copy_from_slice(&check.to_ne_bytes());
        } else {
            network[4..6].copy_from_slice(&udp_len.to_ne_bytes());
        }
        let udp = &mut headers[self.len - UDP_LEN..];
        udp[4..6].copy_from_slice(&udp_len.to_ne_bytes());
        let pseudo_sum = self.pseudo_sum + u64::from(udp_len);
        let check = match checksum {
            UdpChecksum::Partial => fold(pseudo_sum),
            UdpChecksum::Whole => {
                match !fold(pseudo_sum + self.port_sum + u64::from(udp_len) + sum(payload)) {
                    // "If the computed checksum is zero, it is transmitted as all ones", RFC 768.
                    0 => 0xffff,
                    check => check,
                }
            }
        };
        udp[UDP_CHECKSUM_AT..].copy_from_slice(&check.to_ne_bytes());
    }
}

/// Where a UDP datagram lies in a frame, and from where to where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpFrame {
    /// Who sent it. A link-local address has no scope here: a frame does not say on which link it is.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// The payload.
    pub payload: Range<usize>,
}

impl UdpFrame {
    /// Finds the datagram in an Ethernet frame. `None` for whatever the UDP of this host would not be given or
    /// would not take: other protocols, fragments, another virtual network's frame (a tag of network 0 only
    /// carries a priority, IEEE 802.1Q), headers that are damaged or longer than the frame. The checksum of UDP is
    /// not looked at. IPv6 extension headers before UDP are not followed.
    #[inline]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (ethertype, network) = match u16_at(frame, 12)? {
            TAG_TYPE if u16_at(frame, ETHERNET_LEN)? & 0x0fff == 0 => {
                (u16_at(frame, ETHERNET_LEN + 2)?, ETHERNET_LEN + TAG_LEN)
            }
            ethertype => (ethertype, ETHERNET_LEN),
        };
        let packet = frame.get(network..)?;
        let (source, destination, udp): (IpAddr, IpAddr, _) = match ethertype {
            IPV4_TYPE => {
                let (source, destination, udp) = parse_ipv4(packet)?;
                (source.into(), destination.into(), udp)
            }
            IPV6_TYPE => {
                let (source, destination, udp) = parse_ipv6(packet)?;
                (source.into(), destination.into(), udp)
            }
            _ => return None,
        };
        let datagram = packet.get(udp.clone())?;
        let len = usize::from(u16_at(datagram, 4)?);
        if len < UDP_LEN || len > datagram.len() {
            return None;
        }
        let start = network + udp.start;
        Some(Self {
            source: SocketAddr::new(source, u16_at(datagram, 0)?),
            destination: SocketAddr::new(destination, u16_at(datagram, 2)?),
            payload: start + UDP_LEN..start + len,
        })
    }

    /// Whether the UDP checksum is right, in the frame that this was parsed from. None at all is right over IPv4
    /// and wrong over IPv6.
    pub fn has_right_checksum(&self, frame: &[u8]) -> bool {
        let datagram = &frame[self.payload.start - UDP_LEN..self.payload.end];
        let addresses = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                if datagram[UDP_CHECKSUM_AT..UDP_LEN] == [0, 0] {
                    return true;
                }
                sum(&source.octets()) + sum(&destination.octets())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                if datagram[UDP_CHECKSUM_AT..UDP_LEN] == [0, 0] {
                    return false;
                }
                sum(&source.octets()) + sum(&destination.octets())
            }
            _ => return false,
        };
        let pseudo = addresses + sum(&[0, UDP]) + u64::from(be(datagram.len()));
        fold(pseudo + sum(datagram)) == 0xffff
    }
}

/// Source, destination and where UDP is in an IPv4 packet.
#[inline]
fn parse_ipv4(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr, Range<usize>)> {
    let fixed: &[u8; IPV4_LEN] = packet.first_chunk()?;
    let header_len = usize::from(fixed[0] & 0x0f) * 4;
    let total_len = usize::from(u16_at(fixed, 2)?);
    let header = packet.get(..header_len)?;
    // More fragments follow, or this is not the first.
    let is_fragment = u16_at(fixed, 6)? & 0x3fff != 0;
    if fixed[0] >> 4 != 4
        || header_len < IPV4_LEN
        || total_len < header_len
        || is_fragment
        || fixed[9] != UDP
        || fold(sum(header)) != 0xffff
    {
        return None;
    }
    let [.., a, b, c, d, e, f, g, h] = *fixed;
    Some((Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h), header_len..total_len))
}

/// Source, destination and where UDP is in an IPv6 packet.
#[inline]
fn parse_ipv6(packet: &[u8]) -> Option<(Ipv6Addr, Ipv6Addr, Range<usize>)> {
    let fixed: &[u8; IPV6_LEN] = packet.first_chunk()?;
    if fixed[0] >> 4 != 6 || fixed[6] != UDP {
        return None;
    }
    let end = IPV6_LEN + usize::from(u16_at(fixed, 4)?);
    let source: [u8; 16] = *fixed[8..].first_chunk()?;
    let destination: [u8; 16] = *fixed[24..].first_chunk()?;
    Some((source.into(), destination.into(), IPV6_LEN..end))
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

/// A length as it lies in a header, read as a word of memory.
#[inline]
fn be(len: usize) -> u16 {
    (len as u16).to_be()
}

/// The words of `bytes` added up as they lie in memory, not yet folded. An odd byte at the end is followed by a zero
/// (RFC 1071 section 1), so only the last part of what is summed may be odd. Words of 32 bits fold to the same.
#[inline]
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).map(|word| u64::from(u32::from_ne_bytes(*word))).sum()
}

/// Adds the carries back in until 16 bits are left: the sum of ones' complements (RFC 1071 section 1).
#[inline]
fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

#[cfg(test)]
mod tests;
