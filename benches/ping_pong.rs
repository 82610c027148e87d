//! Half a round trip over multicast on the loopback interface, both ends spinning: a bare loop of `sendto` and `recv`
//! that looks at nothing, the same with the kernel's receive timestamps (what asking for them costs), and `ping` with
//! `echo`, both without those (`--timestamps application`). In turn, several rounds; the medians and their ratios are what counts.
#![allow(missing_docs)]

use mcast_bench::model::echo::{EchoSpec, ReplyTo};
use mcast_bench::model::group::Membership;
use mcast_bench::model::outside::Outside;
use mcast_bench::model::ping::{AnsweredBy, Asking, PingSpec};
use mcast_bench::model::report::TimestampKind;
use mcast_bench::model::roundtrip::Manner;
use mcast_bench::model::spec::StopWhen;
use mcast_bench::net::interface;
use mcast_bench::pingpong::{echo, ping};
use mcast_bench::stats::latency::Latency;
use mcast_bench::sys::message::Message;
use mcast_bench::sys::{clock, sched, sockopt};
use mcast_bench::units::Nanos;
use socket2::{Domain, Socket, Type};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 78);
const PORT: u16 = 5797;
const LEN: usize = 94;

/// Percentiles of a round trip.
#[derive(Clone, Copy)]
struct Round {
    p50: f64,
    p99: f64,
}

fn main() {
    // Once, to see that it works: `cargo test --benches`.
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let (rounds, count) = if is_test { (1, 100) } else { (9, 50_000) };
    let cpus = sched::allowed_cpus().expect("there are cores");
    let (first, last) = (cpus[0], cpus[cpus.len() - 1]);
    let (mut bare, mut stamped, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.push(bare_round(count, first, last, false));
        stamped.push(bare_round(count, first, last, true));
        ours.push(our_round(count, first, last));
    }
    let mut out = io::stdout();
    for (name, of) in
        [("p50", (|round| round.p50) as fn(&Round) -> f64), ("p99", |round| round.p99)]
    {
        let [bare, stamped, ours] = [&bare, &stamped, &ours].map(|rounds| median(rounds, of));
        let (to_bare, to_stamped) = (ours / bare, ours / stamped);
        let [bare, stamped, ours] = [bare, stamped, ours].map(|rtt| rtt / 2_000.0);
        writeln!(
            out,
            "RTT/2 {name}: bare {bare:.2} us, with timestamps {stamped:.2} us, ping {ours:.2} us: {to_bare:.3} and \
             {to_stamped:.3} times ({rounds} rounds of {count})"
        )
        .expect("somebody reads it");
    }
}

fn median(rounds: &[Round], of: fn(&Round) -> f64) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A socket that sends to groups over loopback and has joined the group.
fn member(bind: SocketAddr) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an option");
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).expect("loopback is there");
    socket.bind(&bind.into()).expect("the port is free");
    socket.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).expect("loopback is there");
    socket.set_nonblocking(true).expect("an option");
    socket.into()
}

fn bare_round(count: u64, first: usize, last: usize, stamped: bool) -> Round {
    let is_over = AtomicBool::new(false);
    let responder = member((GROUP, PORT).into());
    let asker = member((Ipv4Addr::UNSPECIFIED, 0).into());
    if stamped {
        for socket in [&responder, &asker] {
            sockopt::set_receive_timestamps(socket.as_fd()).expect("an option");
        }
    }
    let back = SocketAddr::from((GROUP, asker.local_addr().expect("it is bound").port()));
    let mut times = Latency::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = sched::keep_to(&[first]);
            let (mut payload, mut message) = ([0; LEN], Message::new());
            while !is_over.load(Ordering::Relaxed) {
                if receive(&responder, &mut message, &mut payload, stamped).is_ok() {
                    let _ = responder.send_to(&payload, back);
                }
            }
        });
        let asking = scope.spawn(|| {
            let _ = sched::keep_to(&[last]);
            let (mut payload, mut message) = ([0; LEN], Message::new());
            for _ in 0..count {
                let sent = clock::monotonic();
                asker.send_to(&payload, (GROUP, PORT)).expect("loopback takes it");
                while receive(&asker, &mut message, &mut payload, stamped).is_err() {}
                times.record(sent, clock::monotonic());
            }
        });
        let result = asking.join();
        is_over.store(true, Ordering::Relaxed);
        result.expect("it asks to the end");
    });
    let at = |percent| {
        times
            .percentile_with_losses(percent, 0)
            .and_then(|p| p.finite())
            .map_or(0.0, |p| p.0 as f64)
    };
    Round { p50: at(50_000), p99: at(99_000) }
}

/// With its timestamp a datagram comes by `recvmsg`.
fn receive(
    socket: &UdpSocket,
    message: &mut Message,
    payload: &mut [u8],
    stamped: bool,
) -> io::Result<usize> {
    if stamped { message.receive(socket.as_fd(), payload, false) } else { socket.recv(payload) }
}

fn our_round(count: u64, first: usize, last: usize) -> Round {
    let group = Membership { source: None, group: GROUP.into(), port: PORT + 1 };
    let interface = interface::loopback().expect("loopback is there").index;
    let stop = StopWhen { time_ns: None, count: None, with_senders: false };
    let manner = |cpu| Manner {
        ttl: 1,
        loopback: true,
        dscp: 0,
        spin: true,
        cpu: Some(cpu),
        timestamps: TimestampKind::Application,
        receive_buffer: 1 << 20,
        interval_ns: Nanos(0),
    };
    let answering =
        EchoSpec { group, interface, reply: ReplyTo::Group, stop, manner: manner(first) };
    let asking = PingSpec {
        group,
        interface,
        asking: Asking::Closed { answered_by: AnsweredBy::All },
        stop: StopWhen { count: Some(count), ..stop },
        payload_len: LEN as u16,
        timeout_ns: Nanos::SECOND,
        reply_port: 0,
        manner: manner(last),
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| echo(&answering, outside(&is_over)).expect("loopback is there"));
        let never = AtomicBool::new(false);
        let outcome = ping(&asking, outside(&never));
        is_over.store(true, Ordering::Relaxed);
        let rtt = outcome.expect("loopback is there").totals.times.rtt_ns;
        let [p50, p99] = [rtt.percentiles.p50, rtt.percentiles.p99]
            .map(|time| time.map_or(f64::NAN, |time| time.0 as f64));
        Round { p50, p99 }
    })
}

/// Nobody watches.
fn outside<'a, I>(interrupt: &'a AtomicBool) -> Outside<'a, I> {
    Outside {
        interrupt,
        ready: &|| Ok(()),
        interval: Box::leak(Box::new(|_: &I| {})),
        event: Box::leak(Box::new(|_: &_| {})),
    }
}
