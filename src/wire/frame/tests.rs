use super::*;
use proptest::prelude::*;

const PAYLOAD: &[u8] = b"mcast!!";

fn v4() -> Addressing {
    Addressing {
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [0x01, 0x00, 0x5e, 0x7f, 0x4d, 0x4d],
        source: "10.99.1.1:40000".parse().unwrap(),
        destination: "239.255.77.77:5777".parse().unwrap(),
        ttl: 7,
        dscp: 46,
    }
}

fn v6() -> Addressing {
    Addressing {
        destination_mac: [0x33, 0x33, 0x00, 0x77, 0x4d, 0x4d],
        source: "[fe80::1:2]:40000".parse().unwrap(),
        destination: "[ff15::77:4d4d]:5777".parse().unwrap(),
        ..v4()
    }
}

fn build(addressing: &Addressing, payload: &[u8], checksum: UdpChecksum) -> Vec<u8> {
    let template = Template::new(addressing);
    // What was there before must not matter.
    let mut frame = vec![0xee; template.headers_len()];
    frame.extend(payload);
    template.write(&mut frame, checksum);
    frame
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |c: char| c.to_digit(16).unwrap() as u8;
    let digits: Vec<_> = text.chars().filter(|c| *c != ' ').map(digit).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The plain way over 16-bit words in network order, RFC 1071 section 4.1.
fn plain_sum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 =
        words.map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |&b| b.into())).sum();
    while sum >> 16 != 0 {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// Worked out by another program.
#[test]
fn frames_are_built_as_drawn() {
    let ethernet = "01005e7f4d4d 020000000001 0800";
    let ipv4 = "45b80023 00004000 07112a62 0a630101 efff4d4d";
    let frame = |head: &str, check: &str| {
        let mut frame = hex(&format!("{head} 9c401691 000f {check}"));
        frame.extend(PAYLOAD);
        frame
    };
    let head = format!("{ethernet} {ipv4}");
    assert_eq!(build(&v4(), PAYLOAD, UdpChecksum::Whole), frame(&head, "a055"));
    assert_eq!(build(&v4(), PAYLOAD, UdpChecksum::Partial), frame(&head, "48d1"));
    let ethernet = "333300774d4d 020000000001 86dd";
    let ipv6 =
        "6b800000 000f1107 fe800000000000000000000000010002 ff150000000000000000000000774d4d";
    let head = format!("{ethernet} {ipv6}");
    assert_eq!(build(&v6(), PAYLOAD, UdpChecksum::Whole), frame(&head, "9da8"));
    assert_eq!(build(&v6(), PAYLOAD, UdpChecksum::Partial), frame(&head, "4b7e"));
}

/// RFC 1071 section 3: the words 0001 f203 f4f5 f6f7 add up to ddf2.
#[test]
fn sums_agree_with_the_example_of_the_standard() {
    let bytes = hex("0001 f203 f4f5 f6f7");
    assert_eq!(fold(sum(&bytes)).to_ne_bytes(), [0xdd, 0xf2]);
}

#[test]
fn a_checksum_of_zero_is_sent_as_all_ones() {
    let partial = build(&v4(), &[0, 0], UdpChecksum::Whole);
    // The payload that makes the sum all ones is the checksum that a payload of zeroes has.
    let check = [partial[40], partial[41]];
    assert_eq!(build(&v4(), &check, UdpChecksum::Whole)[40..42], [0xff, 0xff]);
}

#[test]
fn an_absent_checksum_is_right_over_ipv4_only() {
    for (addressing, is_right) in [(v4(), true), (v6(), false)] {
        let mut frame = build(&addressing, PAYLOAD, UdpChecksum::Whole);
        let found = UdpFrame::parse(&frame).unwrap();
        assert!(found.has_right_checksum(&frame));
        let udp = found.payload.start - UDP_LEN;
        frame[udp + UDP_CHECKSUM_AT..udp + UDP_LEN].fill(0);
        assert_eq!(found.has_right_checksum(&frame), is_right);
    }
}

#[test]
fn padding_options_and_priority_tags_are_passed_over() {
    let mut padded = build(&v4(), PAYLOAD, UdpChecksum::Whole);
    let plain = UdpFrame::parse(&padded).unwrap();
    assert_eq!(plain.payload, 42..49);
    padded.resize(60, 0xff);
    assert_eq!(UdpFrame::parse(&padded), Some(plain.clone()));

    let mut tagged = padded.clone();
    tagged.splice(12..12, [0x81, 0x00, 0xe0, 0x00]);
    let found = UdpFrame::parse(&tagged).unwrap();
    assert_eq!((found.payload.clone(), found.source), (46..53, plain.source));
    assert!(found.has_right_checksum(&tagged));
    tagged[15] = 5;
    assert_eq!(UdpFrame::parse(&tagged), None, "another virtual network");

    let mut optioned = build(&v4(), PAYLOAD, UdpChecksum::Whole);
    optioned[14] = 0x46;
    optioned.splice(34..34, [1, 1, 1, 0]);
    optioned[17] += 4;
    optioned[24..26].fill(0);
    let check = !plain_sum(&[&optioned[14..38]]);
    optioned[24..26].copy_from_slice(&check.to_be_bytes());
    let found = UdpFrame::parse(&optioned).unwrap();
    assert_eq!((found.payload.clone(), found.destination), (46..53, plain.destination));
    assert!(found.has_right_checksum(&optioned));
}

#[test]
fn what_udp_would_not_be_given_is_not_found() {
    let differs = |addressing: &Addressing, at: usize, value: u8| {
        let mut frame = build(addressing, PAYLOAD, UdpChecksum::Whole);
        frame[at] = value;
        if addressing.source.is_ipv4() {
            // Only what differs is to be wrong.
            frame[24..26].fill(0);
            let check = !plain_sum(&[&frame[14..34]]);
            frame[24..26].copy_from_slice(&check.to_be_bytes());
        }
        UdpFrame::parse(&frame)
    };
    assert!(differs(&v4(), 22, 9).is_some(), "another time to live");
    for (at, value, why) in [
        (12, 0x09, "another protocol"),
        (14, 0x65, "version 6"),
        (14, 0x44, "a header too short"),
        (14, 0x4f, "a header longer than the packet"),
        (17, 0x24, "longer than the frame"),
        (17, 0x10, "shorter than its header"),
        (20, 0x20, "a first fragment"),
        (21, 0x01, "a later fragment"),
        (23, 6, "TCP"),
        (39, 0x10, "UDP longer than the packet"),
        (39, 0x07, "UDP shorter than its header"),
    ] {
        assert_eq!(differs(&v4(), at, value), None, "{why}");
    }
    for (at, value, why) in [
        (14, 0x40, "version 4"),
        (19, 0x10, "longer than the frame"),
        (20, 44, "a fragment"),
        (59, 0x10, "UDP longer than the packet"),
    ] {
        assert_eq!(differs(&v6(), at, value), None, "{why}");
    }
    let mut damaged = build(&v4(), PAYLOAD, UdpChecksum::Whole);
    damaged[22] ^= 1;
    assert_eq!(UdpFrame::parse(&damaged), None, "a damaged IPv4 header");
}

proptest! {
    #[test]
    fn what_is_built_is_read_and_its_checksums_are_right(
        is_v6: bool, payload in proptest::collection::vec(any::<u8>(), 0..2000), source: [u8; 16],
        ports: [u16; 2], ttl: u8, dscp in 0u8..64,
    ) {
        let (source, base): (IpAddr, _) = if is_v6 {
            (Ipv6Addr::from(source).into(), v6())
        } else {
            (Ipv4Addr::new(source[0], source[1], source[2], source[3]).into(), v4())
        };
        let source = SocketAddr::new(source, ports[0]);
        let destination = SocketAddr::new(base.destination.ip(), ports[1]);
        let addressing = Addressing { source, destination, ttl, dscp, ..base };
        let frame = build(&addressing, &payload, UdpChecksum::Whole);
        let found = UdpFrame::parse(&frame).unwrap();
        prop_assert_eq!((found.source, found.destination), (source, destination));
        prop_assert_eq!(&frame[found.payload.clone()], &payload[..]);
        prop_assert!(found.has_right_checksum(&frame));

        let udp = &frame[found.payload.start - UDP_LEN..];
        let addresses = if is_v6 { 22..54 } else { 26..34 };
        let pseudo = [[0, UDP], (udp.len() as u16).to_be_bytes()].concat();
        prop_assert_eq!(plain_sum(&[&frame[addresses], &pseudo, udp]), 0xffff);
        if is_v6 {
            prop_assert_eq!(frame[15] >> 6 | (frame[14] & 0xf) << 2, dscp);
        } else {
            prop_assert_eq!(plain_sum(&[&frame[14..34]]), 0xffff);
            prop_assert_eq!(frame[15] >> 2, dscp);
        }
    }

    /// A half sum with the rest added, as the card or the kernel adds it, is the whole.
    #[test]
    fn a_partial_checksum_is_the_beginning_of_the_whole(
        is_v6: bool, payload in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let addressing = if is_v6 { v6() } else { v4() };
        let mut frame = build(&addressing, &payload, UdpChecksum::Partial);
        let udp = Template::new(&addressing).udp_at();
        let check = !plain_sum(&[&frame[udp..]]);
        let check = if check == 0 { 0xffff } else { check };
        frame[udp + UDP_CHECKSUM_AT..udp + UDP_LEN].copy_from_slice(&check.to_be_bytes());
        prop_assert_eq!(frame, build(&addressing, &payload, UdpChecksum::Whole));
    }

    #[test]
    fn every_flipped_bit_of_a_datagram_is_noticed(is_v6: bool, bit in 0usize..(8 + 7) * 8) {
        let addressing = if is_v6 { v6() } else { v4() };
        let mut frame = build(&addressing, PAYLOAD, UdpChecksum::Whole);
        frame[Template::new(&addressing).udp_at() + bit / 8] ^= 1 << (bit % 8);
        let holds = UdpFrame::parse(&frame).is_some_and(|found| found.has_right_checksum(&frame));
        prop_assert!(!holds);
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0usize..4) {
        if let Some(ethertype) = bytes.get_mut(12..14) {
            let types = [[0x08, 0x00], [0x86, 0xdd], [0x81, 0x00], [0, 0]];
            ethertype.copy_from_slice(&types[kind]);
        }
        if let Some(found) = UdpFrame::parse(&bytes) {
            prop_assert!(found.payload.end <= bytes.len());
            found.has_right_checksum(&bytes);
        }
    }

    #[test]
    fn a_frame_cut_off_is_not_found(is_v6: bool, cut in 1usize..69) {
        let addressing = if is_v6 { v6() } else { v4() };
        let frame = build(&addressing, PAYLOAD, UdpChecksum::Whole);
        prop_assert_eq!(UdpFrame::parse(&frame[..frame.len().saturating_sub(cut)]), None);
    }
}
