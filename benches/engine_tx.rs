//! Sending through the kernel: each engine, and bare loops of their kinds beside them.
//!
//! Over loopback to a group that nobody has joined, or over the interface in `MCAST_BENCH_IFACE`; in a network
//! namespace of `scripts/netns.sh` that is a veth pair with another host behind it.
#![allow(missing_docs, clippy::print_stderr)] // Criterion's macros make public items; what is skipped is said.

mod bare;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use mcast_bench::engine::{Departure, ENGINES, Support, TxPlan};
use mcast_bench::model::environment::Interface;
use mcast_bench::model::group::Membership;
use mcast_bench::net::interface;
use mcast_bench::net::socket::{Launch, open_sender};
use mcast_bench::units::Nanos;
use mcast_bench::wire::probe::{Encoder, Kind};

const PAYLOAD_LEN: usize = 1316;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn send(criterion: &mut Criterion) {
    let interface = match std::env::var("MCAST_BENCH_IFACE") {
        Ok(name) => interface::resolve(&name).expect("MCAST_BENCH_IFACE names an interface"),
        Err(_) => interface::loopback().expect("a loopback interface"),
    };
    let flow =
        Membership { source: None, group: "239.255.77.77".parse().expect("a group"), port: 5777 };
    let mut group = criterion.benchmark_group("engine_tx");
    for batch in [1, 8, 64] {
        group.throughput(Throughput::Elements(batch as u64));
        bare_loops(&mut group, &interface, flow, batch);
        engines(&mut group, &interface, flow, batch);
    }
    group.finish();
}

fn bare_loops(group: &mut Group<'_>, interface: &Interface, flow: Membership, batch: usize) {
    let socket = open_sender(&bare::options(interface.index)).expect("a socket");
    let mut bare = bare::Batch::new(&socket, batch, PAYLOAD_LEN, Some(flow.destination().into()));
    group.bench_function(BenchmarkId::new("bare", batch), |bencher| {
        bencher.iter(|| bare.send().expect("the kernel takes it"));
    });
    let to = flow.destination().into();
    if let Ok(mut bare) = bare::uring::Sender::new(&socket, batch, PAYLOAD_LEN, to) {
        group.bench_function(BenchmarkId::new("bare_io_uring", batch), |bencher| {
            bencher.iter(|| assert_eq!(bare.send().expect("the kernel takes it"), batch));
        });
    }
    match bare::packet::Ring::new(interface, flow, batch, PAYLOAD_LEN) {
        Ok(mut ring) => {
            group.bench_function(BenchmarkId::new("bare_packet", batch), |bencher| {
                bencher.iter(|| ring.send().expect("the kernel takes it"));
            });
        }
        Err(why) => eprintln!("SKIPPED: bare_packet: {why}"),
    }
    match bare::xdp::Queue::new(interface, flow, batch, PAYLOAD_LEN) {
        Ok(mut queue) => {
            group.bench_function(BenchmarkId::new("bare_xdp", batch), |bencher| {
                bencher.iter(|| queue.send().expect("the kernel takes it"));
            });
        }
        Err(why) => eprintln!("SKIPPED: bare_xdp: {why}"),
    }
}

fn engines(group: &mut Group<'_>, interface: &Interface, flow: Membership, batch: usize) {
    for engine in ENGINES.iter().filter(|engine| engine.has_network()) {
        if let Support::Missing { why, .. } = engine.probe() {
            eprintln!("SKIPPED: engine {}: {why}", engine.name());
            continue;
        }
        let plan = TxPlan {
            flows: vec![flow],
            interface: interface.index,
            source_port: 0,
            ttl: 1,
            loopback: true,
            dscp: 0,
            payload_len: PAYLOAD_LEN,
            batch,
            launch: Launch::AtOnce,
        };
        let mut halves = match engine.open(&[plan], &[]) {
            Ok(halves) => halves,
            Err(why) => {
                eprintln!("SKIPPED: {}: {}", engine.name(), why.reason());
                continue;
            }
        };
        let tx = &mut *halves.tx[0];
        let encoder = Encoder::new(7, 0, false);
        let departures = vec![Departure::to(0); batch];
        let mut seq = 0;
        group.bench_function(BenchmarkId::new(engine.name(), batch), |bencher| {
            bencher.iter(|| {
                let mut left = batch;
                while left > 0 {
                    let mut slots = tx.reserve(left, PAYLOAD_LEN);
                    let slots = slots.iter_mut();
                    let lent = slots.len();
                    for slot in slots {
                        encoder.encode(slot, Kind::Data, seq, Nanos(1 << 60), Nanos(0));
                        seq += 1;
                    }
                    let committed = tx.commit(&departures[..lent]);
                    assert_eq!(committed.taken, lent, "{committed:?}");
                    left -= lent;
                }
            });
        });
    }
}

criterion_group!(benches, send);
criterion_main!(benches);
