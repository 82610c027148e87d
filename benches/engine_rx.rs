//! Receiving through the kernel: each engine, and bare loops of their kinds beside them, over loopback.
//!
//! Each round fills the socket, untimed, and then reads it empty.
#![allow(missing_docs, clippy::print_stderr)] // Criterion's macros make public items; what is skipped is said.

mod bare;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mcast_bench::engine::{Departure, ENGINES, RxPlan, Support, TxEngine, TxPlan};
use mcast_bench::model::group::Membership;
use mcast_bench::model::spec::Bind;
use mcast_bench::net::interface;
use mcast_bench::net::membership::join;
use mcast_bench::net::socket::{Launch, open_receiver};
use mcast_bench::net::timestamp::{Stamps, Timestamps};
use std::time::{Duration, Instant};

const PAYLOAD_LEN: usize = 1316;
const ROUND: usize = 512;
const BUFFER: usize = 8 << 20;

/// Fills the socket, then times `read`, which says how many it got.
fn time(rounds: u64, tx: &mut dyn TxEngine, mut read: impl FnMut() -> usize) -> Duration {
    let departures = [Departure::to(0); 64];
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        for _ in 0..ROUND / departures.len() {
            let mut left = departures.len();
            while left > 0 {
                let lent = tx.reserve(left, PAYLOAD_LEN).iter_mut().len();
                assert_eq!(tx.commit(&departures[..lent]).taken, lent);
                left -= lent;
            }
        }
        let mut left = ROUND;
        let before = Instant::now();
        while left > 0 {
            left -= read();
        }
        total += before.elapsed();
    }
    total
}

fn receive(criterion: &mut Criterion) {
    let _timestamps = Timestamps::warm_up().expect("receive timestamps");
    let interface = interface::loopback().expect("a loopback interface").index;
    let flow =
        Membership { source: None, group: "239.255.77.77".parse().expect("a group"), port: 5778 };
    let tx_plan = TxPlan {
        flows: vec![flow],
        interface,
        source_port: 0,
        ttl: 1,
        loopback: true,
        dscp: 0,
        payload_len: PAYLOAD_LEN,
        batch: 64,
        launch: Launch::AtOnce,
    };
    let rx_plan = RxPlan {
        flows: vec![flow],
        interface,
        bind: Bind::Group,
        receive_buffer: BUFFER,
        batch: 64,
        stamps: Stamps::Kernel,
        busy_poll_us: None,
    };
    let mut group = criterion.benchmark_group("engine_rx");
    group.throughput(Throughput::Elements(ROUND as u64));
    let tx_plans = std::slice::from_ref(&tx_plan);
    {
        let mut halves = ENGINES[0].open(tx_plans, &[]).expect("an engine");
        let tx = &mut *halves.tx[0];
        let (socket, _) = open_receiver(flow.destination(), BUFFER, false).expect("a socket");
        join(&socket, interface, &flow).expect("a group to join");
        let mut bare = bare::Batch::new(&socket, 64, PAYLOAD_LEN, None);
        group.bench_function(BenchmarkId::new("bare", 64), |bencher| {
            bencher.iter_custom(|rounds| time(rounds, tx, || bare.receive().unwrap_or(0)));
        });
        if let Ok(mut bare) = bare::uring::Receiver::new(&socket, PAYLOAD_LEN) {
            group.bench_function(BenchmarkId::new("bare_io_uring", 64), |bencher| {
                bencher.iter_custom(|rounds| time(rounds, tx, || bare.receive().unwrap_or(0)));
            });
        }
    }
    for engine in ENGINES.iter().filter(|engine| engine.has_network()) {
        if !engine.has_loopback() {
            eprintln!("SKIPPED: {}: it does not work on loopback", engine.name());
            continue;
        }
        if let Support::Missing { why, .. } = engine.probe() {
            eprintln!("SKIPPED: engine {}: {why}", engine.name());
            continue;
        }
        let mut halves = engine.open(tx_plans, std::slice::from_ref(&rx_plan)).expect("an engine");
        let (tx, rx) = (&mut halves.tx[0], &mut halves.rx[0]);
        group.bench_function(BenchmarkId::new(engine.name(), 64), |bencher| {
            bencher.iter_custom(|rounds| {
                time(rounds, &mut **tx, || {
                    let batch = rx.poll(Duration::ZERO).expect("a socket that works");
                    batch.datagrams().filter(|datagram| datagram.flow.is_some()).count()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, receive);
criterion_main!(benches);
