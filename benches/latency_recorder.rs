//! Recording one delay, and what the collector does with a full histogram.
#![allow(missing_docs)] // criterion's macros make public items

use criterion::{Criterion, criterion_group, criterion_main};
use mcast_bench::model::delay::Distribution;
use mcast_bench::stats::latency::Latency;
use mcast_bench::units::Nanos;
use std::hint::black_box;

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("latency_recorder");
    // Delays as they come: many short ones that differ, and a tail.
    let delays: Vec<Nanos> =
        (0..4096u64).map(|n| Nanos(1_500 + n * n % 7_919 * (1 + n % 64 / 60 * 50))).collect();
    let mut latency = Latency::new();
    group.bench_function("record", |bencher| {
        let mut turn = 0;
        bencher.iter(|| {
            turn = (turn + 1) % delays.len();
            latency.record(Nanos(0), black_box(delays[turn]));
        });
    });
    let mut sum = Latency::new();
    group.bench_function("add", |bencher| bencher.iter(|| sum.add(black_box(&latency))));
    let mut cleared = latency.clone();
    group.bench_function("clear", |bencher| bencher.iter(|| black_box(&mut cleared).clear()));
    group.bench_function("summarise", |bencher| {
        bencher.iter(|| Distribution::of(&black_box(&latency).read()))
    });
    group.finish();
}

criterion_group!(benches, record);
criterion_main!(benches);
