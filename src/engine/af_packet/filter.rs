//! What the kernel keeps out of the ring: a program of classic BPF, asked once a frame.
//!
//! It keeps whole UDP datagrams to a port of ours that go to one of our groups or to this host alone. Ports and
//! groups are told apart by ranges, and groups by their last 32 bits; many that lie apart are merged to few ranges,
//! so that the program is short. So it may keep too much, but never too little, and the directory decides.

use crate::model::group::{Membership, last_word};
use crate::sys::filter::{
    KEEP, LEAVE, Step, if_above, if_any_bit, if_at_least, if_equal, leave_unless_in, load_byte,
    load_half, load_half_behind_ipv4, load_known, load_word,
};
use crate::wire::frame::ETHERNET_LEN;
use std::ops::RangeInclusive;

/// Most ranges of ports and of groups. A jump is at most 255 steps long, and a range takes two.
const MAX_RANGES: usize = 64;

/// Protocol number of UDP (RFC 768).
const UDP: u32 = 17;
/// First and last IPv4 group (RFC 1112 section 4).
const FIRST_GROUP: u32 = 0xe000_0000;
const LAST_GROUP: u32 = 0xefff_ffff;

/// The program for a receiver of `flows`, all of one family, on a socket bound to their protocol.
pub(super) fn program(flows: &[Membership]) -> Vec<Step> {
    let ip = ETHERNET_LEN as u32;
    let ports = ranges(flows.iter().map(|flow| flow.port.into()));
    let groups = ranges(flows.iter().map(|flow| last_word(flow.group)));
    let other_host = u32::from(libc::PACKET_OTHERHOST);
    let mut steps = vec![load_known(libc::SKF_AD_PKTTYPE), if_equal(other_host, 0, 1), LEAVE];
    if flows.first().is_some_and(|flow| flow.group.is_ipv6()) {
        steps.extend([load_byte(ip + 6), if_equal(UDP, 1, 0), LEAVE]);
        steps.push(load_half(ip + 40 + 2));
        leave_unless_in(&ports, &mut steps);
        // Groups begin with ff (RFC 4291 section 2.7).
        steps.extend([load_byte(ip + 24), if_equal(0xff, 1, 0), KEEP]);
        steps.push(load_word(ip + 36));
    } else {
        steps.extend([load_byte(ip + 9), if_equal(UDP, 1, 0), LEAVE]);
        // Fragments: more follow, or this is not the first.
        steps.extend([load_half(ip + 6), if_any_bit(0x3fff, 0, 1), LEAVE]);
        steps.extend(load_half_behind_ipv4(ip, 2));
        leave_unless_in(&ports, &mut steps);
        steps.push(load_word(ip + 16));
        steps.extend([if_at_least(FIRST_GROUP, 1, 0), KEEP]);
        steps.extend([if_above(LAST_GROUP, 0, 1), KEEP]);
    }
    leave_unless_in(&groups, &mut steps);
    steps.push(KEEP);
    steps
}

/// The fewest ranges that hold all numbers and nothing else; if those are too many, ranges are merged where they are
/// closest.
fn ranges(numbers: impl Iterator<Item = u32>) -> Vec<RangeInclusive<u32>> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    let mut gaps: Vec<_> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    // The widest gaps part the ranges.
    let narrow = gaps.len().checked_sub(MAX_RANGES).map_or(1, |last| gaps[last].max(1));
    let mut ranges: Vec<RangeInclusive<u32>> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(last) if number - last.end() <= narrow => *last = *last.start()..=number,
            _ => ranges.push(number..=number),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::filter::attach;
    use crate::wire::frame::{Addressing, Template, UdpChecksum};
    use proptest::prelude::*;
    use std::net::{IpAddr, SocketAddr};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    fn flows(destinations: &[&str]) -> Vec<Membership> {
        let flow = |text: &&str| {
            let to: SocketAddr = text.parse().unwrap();
            Membership { source: None, group: to.ip(), port: to.port() }
        };
        destinations.iter().map(flow).collect()
    }

    fn frame(to: &str) -> Vec<u8> {
        let destination: SocketAddr = to.parse().unwrap();
        let source = if destination.is_ipv4() { "10.0.0.1:9" } else { "[fe80::1]:9" };
        let template = Template::new(&Addressing {
            source_mac: [2; 6],
            destination_mac: [4; 6],
            source: source.parse().unwrap(),
            destination,
            ttl: 1,
            dscp: 0,
        });
        let mut frame = vec![7; template.headers_len() + 20];
        template.write(&mut frame, UdpChecksum::Whole);
        frame
    }

    /// Asks the kernel: messages between two local sockets are filtered by the same machine, and need no privilege.
    struct Judge(UnixDatagram, UnixDatagram);

    impl Judge {
        fn new(flows: &[Membership]) -> Self {
            let (from, to) = UnixDatagram::pair().unwrap();
            attach(to.as_fd(), &program(flows)).unwrap();
            to.set_nonblocking(true).unwrap();
            Self(from, to)
        }

        fn keeps(&self, frame: &[u8]) -> bool {
            self.0.send(frame).unwrap();
            let mut kept = [0; 2000];
            match self.1.recv(&mut kept) {
                Ok(len) => {
                    assert_eq!(&kept[..len], frame, "kept whole");
                    true
                }
                Err(_) => false,
            }
        }
    }

    #[test]
    fn groups_and_what_is_for_this_host_alone_are_kept() {
        let judge = Judge::new(&flows(&["239.1.1.1:5000", "239.1.1.2:5000", "239.1.2.9:5001"]));
        for to in ["239.1.1.1:5000", "239.1.1.2:5000", "239.1.2.9:5001", "10.0.0.9:5000"] {
            assert!(judge.keeps(&frame(to)), "{to}");
        }
        assert!(judge.keeps(&frame("255.255.255.255:5000")));
        for to in ["239.1.1.3:5000", "239.1.1.0:5000", "239.1.1.1:4999", "239.1.2.9:5002"] {
            assert!(!judge.keeps(&frame(to)), "{to}");
        }
        assert!(!judge.keeps(&frame("10.0.0.9:80")));
        let judge = Judge::new(&flows(&["[ff15::1]:5000", "[ff15::2:0]:5000"]));
        for to in ["[ff15::1]:5000", "[ff15::2:0]:5000", "[fe80::9]:5000"] {
            assert!(judge.keeps(&frame(to)), "{to}");
        }
        for to in ["[ff15::2]:5000", "[ff15::1]:5001", "[fe80::9]:5001"] {
            assert!(!judge.keeps(&frame(to)), "{to}");
        }
    }

    #[test]
    fn what_is_no_whole_datagram_is_left() {
        let judge = Judge::new(&flows(&["239.1.1.1:5000"]));
        let good = frame("239.1.1.1:5000");
        let differs = |at: usize, value: u8| {
            let mut frame = good.clone();
            frame[at] = value;
            judge.keeps(&frame)
        };
        assert!(differs(22, 9), "another time to live");
        assert!(!differs(23, 6), "TCP");
        assert!(!differs(20, 0x20), "a first fragment");
        assert!(!differs(21, 1), "a later fragment");
        assert!(!judge.keeps(&good[..33]), "cut off");
        let mut optioned = good.clone();
        optioned[14] = 0x46;
        optioned.splice(34..34, [1, 1, 1, 0]);
        assert!(judge.keeps(&optioned), "options");
    }

    #[test]
    fn many_groups_make_few_ranges() {
        assert_eq!(ranges([5, 3, 4, 4, 9].into_iter()), [3..=5, 9..=9]);
        assert_eq!(ranges([u32::MAX, 0].into_iter()), [0..=0, u32::MAX..=u32::MAX]);
        let apart: Vec<_> = (0..1000).map(|n| n * 10 + if n >= 500 { 1000 } else { 0 }).collect();
        assert_eq!(ranges(apart.into_iter()), [0..=4990, 6000..=10_990]);
    }

    proptest! {
        #[test]
        fn ranges_are_few_and_hold_all(numbers in proptest::collection::vec(any::<u32>(), 1..300)) {
            let ranges = ranges(numbers.iter().copied());
            prop_assert!(ranges.len() <= MAX_RANGES);
            for number in &numbers {
                prop_assert!(ranges.iter().any(|range| range.contains(number)));
            }
            if numbers.len() <= MAX_RANGES {
                let width = |range: &RangeInclusive<u32>| u64::from(range.end() - range.start()) + 1;
                prop_assert!(ranges.iter().map(width).sum::<u64>() <= numbers.len() as u64);
            }
        }

        /// However many there are, the kernel takes the program and keeps every group.
        #[test]
        fn no_group_is_left(last in proptest::collection::vec(0u32..1 << 27, 1..400)) {
            let group = |last: u32| IpAddr::V4((0xe800_0000 + last).into());
            let port = |last: u32| 1 + (last % 60_000) as u16;
            let flow = |&last: &u32| Membership { source: None, group: group(last), port: port(last) };
            let flows: Vec<_> = last.iter().map(flow).collect();
            let judge = Judge::new(&flows);
            for flow in flows {
                prop_assert!(judge.keeps(&frame(&flow.destination().to_string())));
            }
        }
    }
}
