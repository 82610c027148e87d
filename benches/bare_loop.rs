//! What a plain loop can do at most with each facility of the kernel, as a program for `scripts/compare_peers.sh`:
//! the same bytes again and again, nothing written into them and nothing looked at.
//!
//! ```text
//! bare_loop send KIND INTERFACE SIZE SECONDS RATE    RATE 0 is as fast as possible
//! bare_loop recv KIND INTERFACE SIZE BUFFER          ends when nothing comes any more
//! bare_loop ping MODE INTERFACE SIZE SECONDS         spinning or blocking
//! bare_loop echo MODE INTERFACE SIZE SECONDS
//! ```
//!
//! Without arguments it tries each of them once over loopback.
#![allow(unsafe_code, clippy::print_stdout)] // UDP_SEGMENT and UDP_GRO; what it measured is printed.

mod bare;

use mcast_bench::model::environment::Interface;
use mcast_bench::model::group::Membership;
use mcast_bench::net::interface;
use mcast_bench::stats::latency::Latency;
use mcast_bench::sys::clock::monotonic;
use mcast_bench::sys::poll::PollSet;
use socket2::{Domain, InterfaceIndexOrAddress, SockAddr, SockRef, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::{Duration, Instant};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 77);
const PORT: u16 = 5777;
const REPLY_PORT: u16 = 5778;
/// Datagrams a call, and in one super-packet.
const BATCH: usize = 64;
const SEGMENTS: usize = 40;
/// What a receiver waits for more, and for anything at all.
const SILENCE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["send", kind, interface, size, seconds, rate] => {
            let (seconds, rate) = (number(seconds), number(rate));
            let (sent, took) = send(kind, interface, number(size) as usize, seconds, rate);
            println!("sent {sent} datagrams in {took:.6} s");
        }
        ["recv", kind, interface, size, buffer] => {
            let socket = member(interface, PORT, number(buffer) as usize);
            println!("received {} datagrams", receive(kind, &socket, number(size) as usize));
        }
        ["ping", mode, interface, size, seconds] => {
            ping(mode == "spinning", interface, number(size) as usize, number(seconds));
        }
        ["echo", mode, interface, size, seconds] => {
            let socket = member(interface, PORT, 1 << 20).into();
            echo(mode == "spinning", &socket, number(size) as usize, number(seconds));
        }
        _ => try_all(),
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// All of it over loopback, as short as can be.
fn try_all() {
    for kind in ["mmsg", "gso"] {
        let socket = member("lo", PORT, 1 << 20);
        let receiver = thread::spawn(move || receive(kind, &socket, 64));
        let (sent, _) = send(kind, "lo", 64, 0.02, 10_000.0);
        let received = receiver.join().expect("it receives to the end");
        println!("{kind}: sent {sent}, received {received}");
    }
    let (sent, _) = send("io_uring", "lo", 64, 0.02, 10_000.0);
    println!("io_uring: sent {sent}");
    for is_spinning in [false, true] {
        let socket = member("lo", PORT, 1 << 20).into();
        let responder = thread::spawn(move || echo(is_spinning, &socket, 64, 0.2));
        ping(is_spinning, "lo", 64, 0.05);
        responder.join().expect("it answers to the end");
    }
}

/// A socket that sends to the group from `interface`.
fn sender(interface: &str) -> Socket {
    let index = device(interface).index;
    let address = interface::ipv4_address(index).expect("an interface with an address");
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an option");
    socket.set_multicast_if_v4(&address).expect("an interface for groups");
    socket.set_multicast_ttl_v4(1).expect("an option");
    // As sockperf does: nobody on this host listens, unless it is all there is.
    socket.set_multicast_loop_v4(interface == "lo").expect("an option");
    socket
}

/// A socket that also has joined the group, at `port`.
fn member(interface: &str, port: u16, buffer: usize) -> Socket {
    let socket = sender(interface);
    socket.set_recv_buffer_size(buffer).expect("an option");
    socket.bind(&SocketAddr::from((GROUP, port)).into()).expect("the port is free");
    let index = interface::resolve(interface).expect("an interface").index;
    let on = InterfaceIndexOrAddress::Index(index);
    socket.join_multicast_v4_n(&GROUP, &on).expect("a group to join");
    socket
}

fn device(interface: &str) -> Interface {
    interface::resolve(interface).expect("an interface")
}

fn flow() -> Membership {
    Membership { source: None, group: GROUP.into(), port: PORT }
}

/// One call of a kind: says how many datagrams left.
type Call = Box<dyn FnMut() -> io::Result<usize>>;

/// Sends what is due, with as few calls as the kind can. Says how many, and in how many seconds.
fn send(kind: &str, interface: &str, size: usize, seconds: f64, rate: f64) -> (usize, f64) {
    let socket = sender(interface);
    let to = SockAddr::from(SocketAddr::from((GROUP, PORT)));
    let (most, mut many, mut one): (usize, Call, Option<Call>) = match kind {
        "mmsg" => {
            let mut many = bare::Batch::new(&socket, BATCH, size, Some(to.clone()));
            let mut one = bare::Batch::new(&socket, 1, size, Some(to));
            (BATCH, Box::new(move || many.send()), Some(Box::new(move || one.send())))
        }
        "io_uring" => {
            let ring = |count| bare::uring::Sender::new(&socket, count, size, to.clone());
            let mut many = ring(BATCH).expect("a ring");
            let mut one = ring(1).expect("a ring");
            (BATCH, Box::new(move || many.send()), Some(Box::new(move || one.send())))
        }
        "gso" => {
            set(&socket, libc::UDP_SEGMENT, size as i32);
            let payload = vec![0; SEGMENTS * size];
            let call = move || socket.send_to(&payload, &to).map(|_| SEGMENTS);
            (SEGMENTS, Box::new(call), None)
        }
        "af_packet" => {
            let mut ring = bare::packet::Ring::new(&device(interface), flow(), BATCH, size)
                .unwrap_or_else(|error| panic!("no ring: {error}"));
            (BATCH, Box::new(move || ring.send().map(|()| BATCH)), None)
        }
        "af_xdp" => {
            let mut queue = bare::xdp::Queue::new(&device(interface), flow(), BATCH, size)
                .unwrap_or_else(|error| panic!("no queue: {error}"));
            (BATCH, Box::new(move || queue.send().map(|()| BATCH)), None)
        }
        other => panic!("no kind {other}: mmsg, io_uring, gso, af_packet, af_xdp"),
    };
    let (began, mut sent) = (Instant::now(), 0);
    loop {
        let passed = began.elapsed().as_secs_f64();
        if passed >= seconds {
            return (sent, passed);
        }
        let due = if rate > 0.0 { (passed * rate) as usize + 1 } else { usize::MAX };
        let call = if due - sent.min(due) >= most {
            &mut many
        } else if let Some(one) = one.as_mut().filter(|_| due > sent) {
            one
        } else {
            continue;
        };
        // A full queue is none of the kernel's mistakes: the same goes again.
        sent += call().unwrap_or(0);
    }
}

/// Counts what comes until nothing does.
fn receive(kind: &str, socket: &Socket, size: usize) -> usize {
    let mut call: Call = match kind {
        "mmsg" => {
            let mut batch = bare::Batch::new(socket, BATCH, size, None);
            Box::new(move || batch.receive())
        }
        "gso" => {
            set(socket, libc::UDP_GRO, 1);
            socket.set_nonblocking(true).expect("an option");
            let socket: UdpSocket = socket.try_clone().expect("a socket can be doubled").into();
            let mut payload = vec![0; 1 << 16];
            Box::new(move || socket.recv(&mut payload).map(|len| len.div_ceil(size)))
        }
        other => panic!("no kind {other}: mmsg, gso"),
    };
    let mut input = PollSet::new(std::iter::once(socket.as_fd()));
    let mut received = 0;
    loop {
        match call() {
            Ok(count) => received += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                input.wait(if received > 0 { SILENCE } else { PATIENCE }).expect("it can wait");
                if !input.is_ready(0) {
                    return received;
                }
            }
            Err(error) => panic!("cannot receive: {error}"),
        }
    }
}

/// Asks again as soon as it is answered, and prints half the time that took.
fn ping(is_spinning: bool, interface: &str, size: usize, seconds: f64) {
    let socket: UdpSocket = member(interface, REPLY_PORT, 1 << 20).into();
    wait_how(&socket, is_spinning);
    let (mut payload, mut times, mut lost) = (vec![0; size], Latency::new(), 0);
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < seconds {
        let sent = monotonic();
        socket.send_to(&payload, (GROUP, PORT)).expect("the kernel takes it");
        let asked = Instant::now();
        loop {
            match socket.recv(&mut payload) {
                Ok(_) => break times.record(sent, monotonic()),
                Err(_) if asked.elapsed() > SILENCE => break lost += 1,
                Err(_) => {}
            }
        }
    }
    let half = |percent| {
        let time = times.percentile_with_losses(percent, lost).and_then(|p| p.finite());
        time.map_or(f64::NAN, |time| time.0 as f64 / 2_000.0)
    };
    println!(
        "half a round trip: p50 {:.3} us, p99 {:.3} us, {} answered, {lost} lost",
        half(50_000),
        half(99_000),
        times.count()
    );
}

/// Sends back what comes.
fn echo(is_spinning: bool, socket: &UdpSocket, size: usize, seconds: f64) {
    wait_how(socket, is_spinning);
    let (mut payload, began) = (vec![0; size], Instant::now());
    while began.elapsed().as_secs_f64() < seconds {
        if socket.recv(&mut payload).is_ok() {
            socket.send_to(&payload, (GROUP, REPLY_PORT)).expect("the kernel takes it");
        }
    }
}

fn wait_how(socket: &UdpSocket, is_spinning: bool) {
    socket.set_nonblocking(is_spinning).expect("an option");
    SockRef::from(socket).set_read_timeout(Some(SILENCE / 3)).expect("an option");
}

/// Sets an option of UDP, udp(7).
fn set(socket: &Socket, option: i32, value: i32) {
    // SAFETY: the kernel reads an integer, whose length is given and which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as u32,
        )
    };
    assert_eq!(result, 0, "UDP option {option}: {}", io::Error::last_os_error());
}
