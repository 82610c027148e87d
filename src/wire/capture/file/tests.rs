use super::super::frame::tests::ipv4;
use super::*;
use proptest::prelude::*;

const RAW: u32 = 101;

/// A pcap file of packets with seconds, parts of a second, original length and data.
fn pcap(magic: [u8; 4], link: u32, packets: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
    let is_little = magic[3] == 0xa1;
    let word = |word: u32| if is_little { word.to_le_bytes() } else { word.to_be_bytes() };
    let half = |half: u16| if is_little { half.to_le_bytes() } else { half.to_be_bytes() };
    let mut file = [&magic[..], &half(2), &half(4), &[0; 8], &word(65_535), &word(link)].concat();
    for (seconds, parts, original_len, data) in packets {
        for field in [*seconds, *parts, data.len() as u32, *original_len] {
            file.extend(word(field));
        }
        file.extend_from_slice(data);
    }
    file
}

const MICROS: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];
const NANOS: [u8; 4] = [0x4d, 0x3c, 0xb2, 0xa1];

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = (padded as u32 + 12).to_le_bytes();
    let mut block = [&kind.to_le_bytes()[..], &len, body].concat();
    block.resize(8 + padded, 0);
    block.extend(len);
    block
}

/// A pcapng file with an interface for each resolution, and packets of an interface at a time.
fn pcapng(resolutions: &[u8], packets: &[(u32, u64, u16)]) -> Vec<u8> {
    let section = [&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..], &[0xff; 8]].concat();
    let mut file = block(0x0a0d_0d0a, &section);
    for resolution in resolutions {
        let link = [RAW as u8, 0, 0, 0, 0, 0, 0, 0];
        let options = [9, 0, 1, 0, *resolution, 0, 0, 0, 0, 0, 0, 0];
        file.extend(block(1, &[link.as_slice(), &options].concat()));
    }
    for (interface, ticks, payload_len) in packets {
        let data = ipv4(*payload_len);
        let (high, low, len) = ((ticks >> 32) as u32, *ticks as u32, data.len() as u32);
        let fields = [*interface, high, low, len, len].map(u32::to_le_bytes).concat();
        file.extend(block(6, &[fields, data].concat()));
    }
    file
}

fn read(file: &[u8]) -> Result<Capture, String> {
    super::read(file, 1000)
}

#[test]
fn micro_and_nanoseconds_of_either_endianness() {
    let [a, b] = [ipv4(100), ipv4(1316)];
    let packets: &[(u32, u32, u32, &[u8])] = &[(7, 5, 128, &a), (8, 999, 1344, &b)];
    for (magic, parts) in [(MICROS, 1000), (NANOS, 1)] {
        let expected = Capture {
            datagrams: vec![
                (Nanos(7_000_000_000 + 5 * parts), 100),
                (Nanos(8_000_000_000 + 999 * parts), 1316),
            ],
            skipped: 0,
        };
        let mut reversed = magic;
        reversed.reverse();
        assert_eq!(read(&pcap(magic, RAW, packets)), Ok(expected.clone()));
        assert_eq!(read(&pcap(reversed, RAW, packets)), Ok(expected));
    }
}

#[test]
fn pcapng_of_several_clocks() {
    // 10^-6, 10^-9, and 2^-10 of a second.
    let file = pcapng(&[6, 9, 0x80 | 10], &[(0, 7, 18), (1, 8_000, 64), (2, 1024, 5)]);
    let expected = vec![(Nanos(7_000), 18), (Nanos(8_000), 64), (Nanos::SECOND, 5)];
    assert_eq!(read(&file).unwrap().datagrams, expected);
}

#[test]
fn truncated_and_other_packets() {
    let (udp, mut tcp) = (ipv4(1000), ipv4(10));
    tcp[9] = 6;
    let packets: &[(u32, u32, u32, &[u8])] =
        &[(1, 0, 1028, &udp[..20]), (2, 0, 38, &tcp), (3, 0, 1028, &udp[..28])];
    let capture = read(&pcap(MICROS, RAW, packets)).unwrap();
    let lens: Vec<_> = capture.datagrams.iter().map(|(_, len)| *len).collect();
    assert_eq!((lens, capture.skipped), (vec![1000, 1000], 1));
}

#[test]
fn many_packets_and_large_ones() {
    let large = ipv4(65_000);
    let packets: Vec<_> = (0..20).map(|n| (n, 0, 65_028, &large[..])).collect();
    assert_eq!(read(&pcap(MICROS, RAW, &packets)).unwrap().datagrams.len(), 20);
}

#[test]
fn bad_files_say_what_is_wrong() {
    let udp = ipv4(100);
    let good: &[(u32, u32, u32, &[u8])] = &[(9, 0, 128, &udp), (9, 0, 128, &udp)];
    let file = pcap(MICROS, RAW, good);
    let mut tcp = udp.clone();
    tcp[9] = 6;
    for (file, reason) in [
        (&b""[..], "it is empty"),
        (b"iperf Done. That is all there is.", "it is no pcap or pcapng file"),
        (&file[..10], "it is no pcap or pcapng file"),
        (&file[..24], "it has no packets"),
        (&file[..200], "it is cut off in packet 2"),
        (&pcap(MICROS, RAW, &[(9, 0, 128, &tcp)]), "none of its 1 packets is UDP over IP"),
        (
            &pcap(MICROS, RAW, &[(9, 0, 128, &udp), (8, 0, 128, &udp)]),
            "packet 2 is older than one before it",
        ),
        (&pcap(MICROS, 105, good), "packet 1 has link type 105, which is not known here"),
        (&pcapng(&[6], &[(1, 0, 18)]), "packet 1 is of an interface that is not described"),
    ] {
        assert_eq!(read(file), Err(reason.into()));
    }
    assert_eq!(super::read(&file[..], 1), Err("it has more than 1 UDP datagrams".into()));
}

proptest! {
    #[test]
    fn never_panics(mut file in prop::collection::vec(any::<u8>(), 24..300), kind in 0u8..3) {
        match kind {
            0 => file[..4].copy_from_slice(&MICROS),
            1 => file[..8].copy_from_slice(&[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0]),
            _ => file.splice(0..0, pcapng(&[6, 0xff], &[(0, 7, 18)])).for_each(drop),
        }
        let _ = read(&file);
    }
}
