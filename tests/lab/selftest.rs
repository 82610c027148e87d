//! The lab itself, tested without the program: what it says it did is what a receiver sees.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::*;

/// One arrival: the sequence number, and whether the checksum over the datagram is right.
type Arrival = (u64, bool);

const SESSION: u32 = 0x00c0_ffee;
const STREAM: u16 = 7;
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 255, 77, 77));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0, 0x77));
const PORT: u16 = 5777;
const COUNT: u64 = 10_000;
const SIZE: usize = 1316;
/// Time between two datagrams at 50 000 a second.
const GAP: Duration = Duration::from_micros(20);

/// A datagram of ours: the header, the magic, zeros, and a checksum over all of it.
fn datagram(kind: Kind, seq: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[2..5].copy_from_slice(&SESSION.to_be_bytes()[1..]);
    bytes[5..7].copy_from_slice(&STREAM.to_be_bytes());
    let kind_and_seq = ((kind as u64) << 45) | seq;
    bytes[7..13].copy_from_slice(&kind_and_seq.to_be_bytes()[2..]);
    if size >= 30 {
        bytes[18..22].copy_from_slice(b"mcb1");
    }
    let checksum = !sum(&bytes);
    bytes[..2].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The one's complement sum of RFC 1071; 0xffff over a datagram that is whole.
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|word| (u32::from(word[0]) << 8) | u32::from(*word.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

fn sender(lab: &Lab, group: IpAddr) -> Socket {
    lab.sender().run(|| {
        let address = SocketAddr::new(group, PORT);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None).unwrap();
        socket.connect(&address.into()).unwrap();
        socket
    })
}

fn receiver(lab: &Lab, group: IpAddr) -> Socket {
    lab.receiver().run(|| {
        let address = SocketAddr::new(group, PORT);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None).unwrap();
        sys::force_receive_buffer(&socket, 64 << 20).unwrap();
        socket.bind(&address.into()).unwrap();
        match group {
            IpAddr::V4(group) => socket.join_multicast_v4(&group, &lab.receiver().v4()).unwrap(),
            // A host's only device besides the loopback is the default for groups.
            IpAddr::V6(group) => socket.join_multicast_v6(&group, 0).unwrap(),
        }
        socket
    })
}

/// Sends `count` data datagrams and an end, and collects what arrives until the relay has settled
/// and the receiver's queue is empty.
fn exchange(lab: &mut Lab, group: IpAddr, count: u64) -> Vec<Arrival> {
    let (out, input) = (sender(lab, group), receiver(lab, group));
    input.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    // Where only root may have large buffers the sender must not run ahead of the receiver.
    let window = input.recv_buffer_size().unwrap() as u64 / 4096;
    let (heard, (sending, ended)) = (AtomicU64::new(0), mpsc::channel());
    thread::scope(|scope| {
        // Dropped by a panic too, so that the collector ends whatever happens.
        let sending: mpsc::Sender<()> = sending;
        let (input, count_heard) = (&input, &heard);
        let arrivals = scope.spawn(move || collect(input, count_heard, ended));
        let began = Instant::now();
        for seq in 0..count {
            while seq > heard.load(Ordering::Relaxed) + window || began.elapsed() < GAP * seq as u32
            {
                assert!(began.elapsed() < Duration::from_secs(20), "the receiver hears nothing");
                thread::yield_now();
            }
            out.send(&datagram(Kind::Data, seq, SIZE)).unwrap();
        }
        out.send(&datagram(Kind::End, count, SIZE)).unwrap();
        lab.relay().settle();
        drop(sending);
        arrivals.join().unwrap()
    })
}

fn collect(mut input: &Socket, heard: &AtomicU64, sending: mpsc::Receiver<()>) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        // Asked before the queue is: what the relay has forwarded by then is in the queue.
        let is_last_look = sending.try_recv() == Err(mpsc::TryRecvError::Disconnected);
        match input.read(&mut buffer) {
            Ok(SIZE) if buffer[7] >> 5 == Kind::Data as u8 => {
                let field = u64::from_be_bytes(buffer[5..13].try_into().unwrap());
                let seq = field & ((1 << 45) - 1);
                let whole = sum(&buffer[..SIZE]) == 0xffff;
                heard.fetch_max(if whole { seq } else { 0 }, Ordering::Relaxed);
                arrivals.push((seq, whole));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && is_last_look => return arrivals,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Lets [`COUNT`] datagrams pass such a plan; what must arrive, in order, and what must be counted.
#[track_caller]
fn check(plan: Plan, group: IpAddr, expected: &[Arrival], counts: RelayCounts) {
    let mut lab = Lab::two_hosts(plan);
    let arrivals = exchange(&mut lab, group, COUNT);
    let different = arrivals.iter().zip(expected).find(|(is, should)| is != should);
    assert_eq!(different, None, "the first that differs (is, should be)");
    assert_eq!(arrivals.len(), expected.len());
    let counted = lab.relay().counts();
    assert_eq!(counted, RelayCounts { announcements: 1, other: counted.other, ..counts });
}

fn intact(seqs: impl IntoIterator<Item = u64>) -> Vec<Arrival> {
    seqs.into_iter().map(|seq| (seq, true)).collect()
}

#[test]
fn all_arrives_over_a_clean_wire() {
    with_privileges(|| {
        let counts = RelayCounts { data_in: COUNT, forwarded: COUNT, ..Default::default() };
        check(Plan::clean(), GROUP, &intact(0..COUNT), counts);
        check(Plan::clean(), GROUP_V6, &intact(0..COUNT), counts);
    });
}

#[test]
fn chosen_datagrams_are_lost() {
    with_privileges(|| {
        let lost = [7, 100, 101, 102, 5000];
        let mut lab = Lab::two_hosts(Plan::clean().on(at(lost), Action::Drop));
        let arrivals = exchange(&mut lab, GROUP, COUNT);
        assert_eq!(arrivals, intact((0..COUNT).filter(|seq| !lost.contains(seq))));
        let dropped = lab.relay().dropped_seqs();
        assert_eq!(dropped.into_iter().collect::<Vec<_>>(), [((SESSION, STREAM), lost.to_vec())]);
    });
}

#[test]
fn every_twentieth_is_doubled() {
    with_privileges(|| {
        let expected = (0..COUNT).flat_map(|seq| vec![seq; if seq % 20 == 19 { 2 } else { 1 }]);
        let counts = RelayCounts {
            data_in: COUNT,
            forwarded: COUNT + COUNT / 20,
            doubled: COUNT / 20,
            ..Default::default()
        };
        check(Plan::clean().on(every(20), Action::Double), GROUP_V6, &intact(expected), counts);
    });
}

#[test]
fn neighbours_are_swapped() {
    with_privileges(|| {
        let mut expected: Vec<u64> = (0..COUNT).collect();
        // The last of all has no next: it leaves before the end is announced.
        (9..COUNT - 1).step_by(10).for_each(|seq| expected.swap(seq as usize, seq as usize + 1));
        let swapped = COUNT / 10 - 1;
        let counts =
            RelayCounts { data_in: COUNT, forwarded: COUNT, swapped, ..Default::default() };
        check(Plan::clean().on(every(10), Action::SwapWithNext), GROUP, &intact(expected), counts);
    });
}

#[test]
fn delayed_datagrams_come_late_and_in_order() {
    with_privileges(|| {
        // Later than the sending of all the others takes on any machine: they come last.
        let delay = Action::Delay(Duration::from_secs(2));
        let mut lab = Lab::two_hosts(Plan::clean().on(at([5, 6, 4000]), delay));
        let arrivals = exchange(&mut lab, GROUP, 5000);
        let in_time = (0..5000).filter(|seq| ![5, 6, 4000].contains(seq));
        assert_eq!(arrivals, intact(in_time.chain([5, 6, 4000])));
        let RelayCounts { forwarded, delayed, .. } = lab.relay().counts();
        assert_eq!((forwarded, delayed), (5000, 3));
    });
}

#[test]
fn only_our_checksum_notices_corruption() {
    with_privileges(|| {
        let corrupt = |seq: u64| seq % 100 == 99;
        let expected: Vec<Arrival> = (0..COUNT).map(|seq| (seq, !corrupt(seq))).collect();
        let corrupted = COUNT / 100;
        let counts =
            RelayCounts { data_in: COUNT, forwarded: COUNT, corrupted, ..Default::default() };
        check(Plan::seeded(5).on(every(100), Action::Corrupt), GROUP, &expected, counts);
        check(Plan::seeded(5).on(every(100), Action::Corrupt), GROUP_V6, &expected, counts);
    });
}

#[test]
fn corrupt_headers_arrive_too() {
    with_privileges(|| {
        let rule = (every(100), Action::CorruptHeader);
        let mut lab = Lab::two_hosts(Plan::seeded(6).on(rule.0, rule.1));
        // A flipped bit in the kind makes it no data for the collecting end.
        let arrivals = exchange(&mut lab, GROUP, 1000);
        assert_eq!(arrivals.iter().filter(|(_, whole)| *whole).count(), 990);
        let corrupted = lab.relay().corrupted_seqs();
        assert_eq!(corrupted[&(SESSION, STREAM)], (99..1000).step_by(100).collect::<Vec<_>>());
        assert_eq!(lab.relay().counts().forwarded, 1000);
    });
}

#[test]
fn chance_is_counted_too() {
    with_privileges(|| {
        let plan = Plan::seeded(7)
            .per_stream()
            .on(ratio(0.05), Action::Drop)
            .on(ratio(0.02), Action::Double)
            .on(ratio(0.03), Action::SwapWithNext);
        let mut lab = Lab::two_hosts(plan);
        let arrivals = exchange(&mut lab, GROUP, COUNT);
        let counts = lab.relay().counts();
        assert!(counts.dropped > 0 && counts.doubled > 0 && counts.swapped > 0, "{counts:?}");
        assert_eq!(arrivals.len() as u64, counts.forwarded);
        let mut seqs: Vec<u64> = arrivals.iter().map(|(seq, _)| *seq).collect();
        seqs.sort_unstable();
        seqs.dedup();
        let dropped = &lab.relay().dropped_seqs()[&(SESSION, STREAM)];
        assert_eq!(seqs, (0..COUNT).filter(|seq| !dropped.contains(seq)).collect::<Vec<_>>());
    });
}

#[test]
fn streams_are_counted_apart_when_asked() {
    with_privileges(|| {
        let plan = Plan::clean().per_stream().on(at([1]), Action::Drop);
        let mut lab = Lab::two_hosts(plan);
        let (first, second) = (sender(&lab, GROUP), sender(&lab, GROUP));
        for seq in 0..4 {
            first.send(&datagram(Kind::Data, seq, SIZE)).unwrap();
            second.send(&datagram(Kind::Data, 100 + seq, 18)).unwrap();
        }
        lab.relay().settle();
        assert_eq!(lab.relay().dropped_seqs()[&(SESSION, STREAM)], [1, 101]);
    });
}

#[test]
fn announcements_are_withheld_by_kind() {
    with_privileges(|| {
        let mut lab = Lab::two_hosts(Plan::clean().without(Kind::Start).without(Kind::End));
        let (out, input) = (sender(&lab, GROUP), receiver(&lab, GROUP));
        for kind in [Kind::Start, Kind::Data, Kind::Progress, Kind::End] {
            out.send(&datagram(kind, 0, SIZE)).unwrap();
        }
        out.send(b"foreign").unwrap();
        lab.relay().settle();
        let mut buffer = [0; 2048];
        let mut next = || (&input).read(&mut buffer).map(|len| (len, buffer[7] >> 5));
        assert_eq!(next().unwrap(), (SIZE, Kind::Data as u8));
        assert_eq!(next().unwrap(), (SIZE, Kind::Progress as u8));
        assert_eq!(next().unwrap().0, 7);
        let RelayCounts { data_in, announcements, announcements_dropped, .. } =
            lab.relay().counts();
        assert_eq!((data_in, announcements, announcements_dropped), (1, 3, 2));
    });
}

#[test]
fn super_packets_are_cut_before_the_relay() {
    with_privileges(|| {
        let mut lab = Lab::two_hosts(Plan::clean().on(at([3]), Action::Drop));
        let (out, input) = (sender(&lab, GROUP), receiver(&lab, GROUP));
        sys::set_option(&out, libc::SOL_UDP, libc::UDP_SEGMENT, SIZE as i32).unwrap();
        let parts: Vec<u8> = (0..10).flat_map(|seq| datagram(Kind::Data, seq, SIZE)).collect();
        out.send(&parts).unwrap();
        lab.relay().settle();
        input.set_nonblocking(true).unwrap();
        let mut buffer = [0; 2048];
        let read = std::iter::from_fn(|| (&input).read(&mut buffer).ok());
        assert_eq!(read.collect::<Vec<_>>(), [SIZE; 9]);
        assert_eq!(lab.relay().counts().data_in, 10);
    });
}

#[test]
fn direct_hosts_hear_each_other() {
    with_privileges(|| {
        let lab = Lab::direct();
        for group in [GROUP, GROUP_V6] {
            let (out, input) = (sender(&lab, group), receiver(&lab, group));
            out.send(b"hello").unwrap();
            let mut buffer = [0; 16];
            assert_eq!((&input).read(&mut buffer).unwrap(), 5);
        }
    });
}

#[test]
fn programs_see_their_own_host() {
    with_privileges(|| {
        let lab = Lab::direct();
        for host in [lab.sender(), lab.receiver()] {
            let mut list = host.command("sh");
            list.args(["-c", "ls -x /sys/class/net; cat /sys/class/net/eth0/operstate; ip -br a"]);
            let output = Child::spawn(&mut list).finish(Duration::from_secs(10));
            let told = String::from_utf8(output.stdout).unwrap();
            assert!(told.starts_with("eth0  lo\nup\n"), "{told}");
            assert!(told.contains(&host.v4().to_string()), "{told}");
            assert!(told.contains(&host.v6().to_string()), "{told}");
        }
    });
}

#[test]
fn quiet_outlives_a_test_that_failed_in_it() {
    let failed = thread::spawn(|| {
        let _quiet = quiet();
        panic!("this panic is meant");
    });
    assert!(failed.join().is_err());
    drop(quiet());
}

#[test]
fn child_is_waited_for_until_it_is_ready() {
    let file = std::env::temp_dir().join(format!("mcast-bench-ready-{}", std::process::id()));
    let mut child = Child::spawn(Command::new("sh").arg("-c").arg(format!(
        "trap 'rm {0}; echo 7; exit 0' TERM; : > {0}; while :; do sleep 0.01; done",
        file.display()
    )));
    child.wait_for_file(&file, Duration::from_secs(10));
    // Not SIGINT: a shell cannot trap what was ignored when it was started, as SIGINT is in background jobs of others.
    child.signal(libc::SIGTERM);
    assert_eq!(json(&child.finish(Duration::from_secs(10))), 7);
    assert!(!file.exists());
}

#[test]
#[should_panic(expected = "no wheels")]
fn child_that_fails_tells_why() {
    let mut child = Child::spawn(Command::new("sh").args(["-c", "echo no wheels >&2; exit 3"]));
    child.wait_for_file(Path::new("/nonexistent/ready"), Duration::from_secs(10));
}

#[test]
fn json_comes_from_stdout() {
    assert!(tool().is_absolute());
    let value = run_json(Command::new("sh").args(["-c", "echo noise >&2; echo '{\"lost\": 3}'"]));
    assert_eq!(value["lost"], 3);
}
