use super::*;
use crate::net::interface;
use crate::sys::xsk::{Place, Receiver};
use crate::wire::frame::{Addressing, Template, UdpChecksum};
use std::io::Write;
use std::os::fd::AsFd;

const PORT: u16 = 5777;
/// Another answer of `enum xdp_action`.
const REDIRECT: u32 = 4;

/// A frame of a datagram with a payload of 18 bytes, as it leaves an engine.
fn frame(source: &str, destination: &str) -> Vec<u8> {
    let template = Template::new(&Addressing {
        source_mac: [2; 6],
        destination_mac: [1, 0, 0x5e, 1, 1, 1],
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        ttl: 1,
        dscp: 0,
    });
    let mut frame = vec![0; template.headers_len() + 18];
    template.write(&mut frame, UdpChecksum::Whole);
    frame
}

fn changed(mut frame: Vec<u8>, at: usize, to: u8) -> Vec<u8> {
    frame[at] = to;
    frame
}

#[test]
fn takes_datagrams_to_its_ports_and_nothing_else() {
    let filter = match Filter::load() {
        Ok(filter) => filter,
        Err(error) => {
            // Not eprintln!, which the test harness hides while tests pass.
            let _ = writeln!(io::stderr(), "SKIPPED: the program of af_xdp: {error}");
            return;
        }
    };
    let v4 = frame("10.0.0.1:9", "239.1.1.1:5777");
    let v6 = frame("[fe80::1]:9", "[ff15::1]:5777");
    let answer = |frame: &[u8]| filter.program().run_on(frame).unwrap();
    filter.take_port(PORT).unwrap();
    assert_eq!(answer(&v4), PASS as u32, "without a socket all frames go their way");

    // The kernel runs a program on frames of nobody as if they came by the first queue of the loopback interface.
    let place = Place {
        interface: interface::loopback().unwrap().index,
        queue: 0,
        frames: 64,
        frame_len: 2048,
        copy: true,
    };
    let socket = Receiver::open(place).unwrap();
    filter.give_queue(0, socket.as_fd()).unwrap();
    for ours in [&v4, &v6, &frame("10.0.0.1:9", "10.0.0.2:5777")] {
        assert_eq!(answer(ours), REDIRECT, "{ours:02x?}");
    }
    let (igmp, icmp6) = (2, 58);
    let passed = [
        ("another port", frame("10.0.0.1:9", "239.1.1.1:5778")),
        ("another port", frame("[fe80::1]:9", "[ff15::1]:5778")),
        ("IGMP", changed(v4.clone(), 23, igmp)),
        ("MLD", changed(v6.clone(), 20, icmp6)),
        ("MLD behind hop-by-hop options", changed(v6.clone(), 20, 0)),
        ("options", changed(v4.clone(), 14, 0x46)),
        ("a first fragment", changed(v4.clone(), 20, 0x20)),
        ("a later fragment", changed(v4.clone(), 21, 1)),
        ("a fragment header", changed(v6.clone(), 20, 44)),
        ("ARP", changed(v4.clone(), 13, 0x06)),
        ("a tag", changed(v4.clone(), 12, 0x81)),
        ("a short frame", v4[..41].to_vec()),
        ("a short frame", v6[..61].to_vec()),
    ];
    for (what, frame) in passed {
        assert_eq!(answer(&frame), PASS as u32, "{what}");
    }
}

#[test]
fn only_marked_stamps_count() {
    let mut memory = vec![0; 100];
    memory[24..32].copy_from_slice(&MARK.to_ne_bytes());
    memory[32..40].copy_from_slice(&77u64.to_ne_bytes());
    assert_eq!(stamp_before(&memory, 40), Some(Nanos(77)));
    assert_eq!(stamp_before(&memory, 41), None);
    assert_eq!(stamp_before(&memory, 15), None);
    assert_eq!(stamp_before(&memory, 101), None);
}
