//! What the kernel keeps out of the ring: a program of classic BPF, asked once a frame.
//!
//! It keeps whole UDP datagrams to a port of ours that go to one of our groups or to this host alone. Ports and
//! groups are told apart by ranges, and groups by their last 32 bits; many that lie apart are merged to few ranges,
//! so that the program is short. So it may keep too much, but never too little, and the directory decides.

use crate::model::group::Membership;
use crate::sys::packet::{FilterStep, KEEP, LEAVE, step};
use crate::wire::frame::ETHERNET_LEN;
use libc::{BPF_ABS, BPF_B, BPF_H, BPF_IND, BPF_LD, BPF_LDX, BPF_MSH, BPF_W};
use libc::{BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K};
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// Most ranges of ports and of groups. A jump is at most 255 steps long, and a range takes two.
const MAX_RANGES: usize = 64;

/// Protocol number of UDP (RFC 768).
const UDP: u32 = 17;
/// First and last IPv4 group (RFC 1112 section 4).
const FIRST_GROUP: u32 = 0xe000_0000;
const LAST_GROUP: u32 = 0xefff_ffff;

const LOAD_BYTE: u32 = BPF_LD | BPF_B | BPF_ABS;
const LOAD_HALF: u32 = BPF_LD | BPF_H | BPF_ABS;
const LOAD_WORD: u32 = BPF_LD | BPF_W | BPF_ABS;
const IF_EQUAL: u32 = BPF_JMP | BPF_JEQ | BPF_K;
const IF_GREATER: u32 = BPF_JMP | BPF_JGT | BPF_K;
const IF_AT_LEAST: u32 = BPF_JMP | BPF_JGE | BPF_K;
const IF_ANY_BIT: u32 = BPF_JMP | BPF_JSET | BPF_K;

/// The program for a receiver of `flows`, all of one family, on a socket bound to their protocol.
pub(super) fn program(flows: &[Membership]) -> Vec<FilterStep> {
    let ip = ETHERNET_LEN as u32;
    let ports = ranges(flows.iter().map(|flow| flow.port.into()));
    let groups = ranges(flows.iter().map(|flow| last_word(flow.group)));
    // What the kind of a frame is: an extension of Linux, <linux/filter.h>.
    let kind = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE) as u32;
    let other_host = u32::from(libc::PACKET_OTHERHOST);
    let mut steps = vec![step(LOAD_BYTE, 0, 0, kind), step(IF_EQUAL, 0, 1, other_host), LEAVE];
    if flows.first().is_some_and(|flow| flow.group.is_ipv6()) {
        steps.extend([step(LOAD_BYTE, 0, 0, ip + 6), step(IF_EQUAL, 1, 0, UDP), LEAVE]);
        steps.push(step(LOAD_HALF, 0, 0, ip + 40 + 2));
        leave_unless_in(&ports, &mut steps);
        // Groups begin with ff (RFC 4291 section 2.7).
        steps.extend([step(LOAD_BYTE, 0, 0, ip + 24), step(IF_EQUAL, 1, 0, 0xff), KEEP]);
        steps.push(step(LOAD_WORD, 0, 0, ip + 36));
    } else {
        steps.extend([step(LOAD_BYTE, 0, 0, ip + 9), step(IF_EQUAL, 1, 0, UDP), LEAVE]);
        // Fragments: more follow, or this is not the first.
        steps.extend([step(LOAD_HALF, 0, 0, ip + 6), step(IF_ANY_BIT, 0, 1, 0x3fff), LEAVE]);
        // Four times the low half of the first byte is the length of the header.
        steps.push(step(BPF_LDX | BPF_B | BPF_MSH, 0, 0, ip));
        steps.push(step(BPF_LD | BPF_H | BPF_IND, 0, 0, ip + 2));
        leave_unless_in(&ports, &mut steps);
        steps.push(step(LOAD_WORD, 0, 0, ip + 16));
        steps.extend([step(IF_AT_LEAST, 1, 0, FIRST_GROUP), KEEP]);
        steps.extend([step(IF_GREATER, 0, 1, LAST_GROUP), KEEP]);
    }
    leave_unless_in(&groups, &mut steps);
    steps.push(KEEP);
    steps
}

/// Goes on behind these steps if what was loaded is in one of the ranges.
fn leave_unless_in(ranges: &[RangeInclusive<u32>], steps: &mut Vec<FilterStep>) {
    for (behind, range) in (0..ranges.len()).rev().zip(ranges) {
        steps.push(step(IF_AT_LEAST, 0, 1, *range.start()));
        let found = 2 * behind as u8 + 1;
        steps.push(step(IF_GREATER, 0, found, *range.end()));
    }
    steps.push(LEAVE);
}

fn last_word(group: IpAddr) -> u32 {
    match group {
        IpAddr::V4(group) => group.to_bits(),
        IpAddr::V6(group) => group.to_bits() as u32,
    }
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
    use crate::sys::packet::attach_filter;
    use crate::wire::frame::{Addressing, Template, UdpChecksum};
    use proptest::prelude::*;
    use std::net::SocketAddr;
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
            attach_filter(to.as_fd(), &program(flows)).unwrap();
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
