//! The UDP datagram in a captured frame.

/// Link types: LINKTYPE_... in the registry of tcpdump.org.
const NULL: u32 = 0;
const ETHERNET: u32 = 1;
const RAW: [u32; 4] = [12, 101, 228, 229];
const LINUX_SLL: u32 = 113;
const LINUX_SLL2: u32 = 276;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// IEEE 802.1Q and 802.1ad.
const VLANS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;

/// Whether frames of this link type can be read.
pub(super) fn is_known(link: u32) -> bool {
    [NULL, ETHERNET, LINUX_SLL, LINUX_SLL2].contains(&link) || RAW.contains(&link)
}

/// Length of the UDP payload in a frame of which `data` was captured and that had `original_len` bytes; `None` if
/// there is no UDP header in it.
///
/// The UDP header says how long the payload is (RFC 768), however little of it was captured. Where it was not
/// captured either, or says 0 (RFC 2675), what was left of the frame is the payload.
pub(super) fn payload_len(link: u32, data: &[u8], original_len: usize) -> Option<u16> {
    let (offset, ether_type) = network(link, data)?;
    let ip = data.get(offset..)?;
    let header_len = match ether_type {
        IPV4 => ipv4_header(ip)?,
        IPV6 => ipv6_header(ip)?,
        _ => return None,
    };
    let len = match u16_at(ip, header_len + 4) {
        Some(len) if len > 0 => usize::from(len),
        _ => original_len.checked_sub(offset + header_len)?,
    };
    len.checked_sub(UDP_HEADER)?.try_into().ok()
}

/// Where the IP header begins, and its EtherType.
fn network(link: u32, data: &[u8]) -> Option<(usize, u16)> {
    let of_version = |offset: usize| match data.get(offset)? >> 4 {
        4 => Some((offset, IPV4)),
        6 => Some((offset, IPV6)),
        _ => None,
    };
    match link {
        // Its protocol numbers differ from system to system; the version does not.
        NULL => of_version(4),
        link if RAW.contains(&link) => of_version(0),
        LINUX_SLL => Some((16, u16_at(data, 14)?)),
        LINUX_SLL2 => Some((20, u16_at(data, 0)?)),
        _ => {
            let mut at = 12;
            while VLANS.contains(&u16_at(data, at)?) {
                at += 4;
            }
            Some((at + 2, u16_at(data, at)?))
        }
    }
}

/// Length of the header of an IPv4 packet with the beginning of a UDP datagram (RFC 791).
fn ipv4_header(ip: &[u8]) -> Option<usize> {
    let is_first = u16_at(ip, 6)? & 0x1fff == 0;
    let len = usize::from(ip[0] & 0x0f) * 4;
    (is_first && *ip.get(9)? == UDP && len >= 20).then_some(len)
}

/// Length of all headers of an IPv6 packet with the beginning of a UDP datagram (RFC 8200).
fn ipv6_header(ip: &[u8]) -> Option<usize> {
    let (mut next, mut len) = (*ip.get(6)?, 40);
    loop {
        match next {
            UDP => return Some(len),
            // Hop-by-hop options, routing, destination options: in units of 8 bytes, without the first.
            0 | 43 | 60 => {
                next = *ip.get(len)?;
                len += 8 + usize::from(*ip.get(len + 1)?) * 8;
            }
            // Fragment: only the first has the header of the datagram.
            44 if u16_at(ip, len + 2)? & 0xfff8 == 0 => {
                next = ip[len];
                len += 8;
            }
            _ => return None,
        }
    }
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..at + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An IPv4 packet with a UDP datagram of so much payload.
    pub(in super::super) fn ipv4(payload_len: u16) -> Vec<u8> {
        let udp_len = payload_len + 8;
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 1, UDP];
        packet[2..4].copy_from_slice(&(udp_len + 20).to_be_bytes());
        packet.resize(20 + 4, 0);
        packet.extend(udp_len.to_be_bytes());
        packet.resize(20 + usize::from(udp_len), 0);
        packet
    }

    fn ipv6(extensions: &[&[u8]], first: u8, payload_len: u16) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, first, 1];
        packet.resize(40, 0);
        extensions.iter().for_each(|extension| packet.extend_from_slice(extension));
        packet.extend([0, 0, 0, 0]);
        packet.extend((payload_len + 8).to_be_bytes());
        packet.resize(packet.len() + 2 + usize::from(payload_len), 0);
        packet
    }

    fn behind(header: &[u8], packet: &[u8]) -> Vec<u8> {
        [header, packet].concat()
    }

    #[test]
    fn all_link_types() {
        let mac = [0; 12];
        let of = |link, frame: Vec<u8>| payload_len(link, &frame, frame.len());
        assert_eq!(of(ETHERNET, behind(&[&mac[..], &[8, 0]].concat(), &ipv4(100))), Some(100));
        let vlans = [&mac[..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0]].concat();
        assert_eq!(of(ETHERNET, behind(&vlans, &ipv4(101))), Some(101));
        assert_eq!(of(LINUX_SLL, behind(&[&[0; 14][..], &[8, 0]].concat(), &ipv4(5))), Some(5));
        assert_eq!(of(LINUX_SLL2, behind(&[&[8, 0][..], &[0; 18]].concat(), &ipv4(6))), Some(6));
        assert_eq!(of(NULL, behind(&[2, 0, 0, 0], &ipv4(7))), Some(7));
        for link in RAW {
            assert_eq!(of(link, ipv6(&[], UDP, 8)), Some(8));
        }
        assert_eq!(of(ETHERNET, behind(&[&mac[..], &[8, 6]].concat(), &[0; 28])), None);
        assert!(is_known(LINUX_SLL2) && !is_known(127));
    }

    #[test]
    fn little_of_a_frame_is_enough() {
        let packet = ipv4(1000);
        assert_eq!(payload_len(101, &packet[..26], 1028), Some(1000));
        // Without the UDP header the rest of the frame counts.
        assert_eq!(payload_len(101, &packet[..20], 1028), Some(1000));
        assert_eq!(payload_len(101, &packet[..9], 1028), None);
    }

    #[test]
    fn only_the_first_fragment_counts() {
        let mut packet = ipv4(1472);
        packet[6] = 0x20;
        assert_eq!(payload_len(101, &packet, 1500), Some(1472));
        packet[7] = 185;
        assert_eq!(payload_len(101, &packet, 1500), None);
        let fragment = |offset| ipv6(&[&[UDP, 0, 0, offset, 0, 0, 0, 1]], 44, 99);
        assert_eq!(payload_len(101, &fragment(1), 155), Some(99));
        assert_eq!(payload_len(101, &fragment(8), 155), None);
    }

    #[test]
    fn headers_between_ipv6_and_udp() {
        let hop: &[u8] = &[60, 0, 0, 0, 0, 0, 0, 0];
        let destination: &[u8] = &[UDP, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(payload_len(229, &ipv6(&[hop, destination], 0, 33), 105), Some(33));
        assert_eq!(payload_len(229, &ipv6(&[], 6, 33), 81), None);
    }

    proptest! {
        #[test]
        fn never_panics(
            link in prop::sample::select(vec![0u32, 1, 12, 101, 113, 228, 229, 276]),
            data in prop::collection::vec(any::<u8>(), 0..120), original_len in 0usize..70_000,
        ) {
            let _ = payload_len(link, &data, original_len);
        }
    }
}
