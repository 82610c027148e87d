//! What this program itself costs a datagram, without a kernel: batches of 64 through the memory engine.
#![allow(missing_docs)] // criterion's macros make public items

mod bed;

use bed::{BATCH, Bed};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::{Duration, Instant};

/// Times one of the two halves, of as many batches as asked for.
fn time(
    bed: &mut Bed,
    batches: u64,
    half: impl Fn(&mut Bed),
    other: impl Fn(&mut Bed),
    first: bool,
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..batches {
        if !first {
            other(bed);
        }
        let before = Instant::now();
        half(bed);
        total += before.elapsed();
        if first {
            other(bed);
        }
    }
    total
}

fn own_cost(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("own_cost");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (groups, payload_len) in [
        ("239.1.1.1", 64),
        ("239.1.1.1", 1316),
        ("239.1.1.1+99", 1316),
        ("239.1.1.1+999", 1316),
        ("239.1.1.1+9999", 1316),
    ] {
        let name = format!("{groups} x {payload_len} B");
        let mut bed = Bed::new(groups, payload_len, false, false);
        group.bench_function(BenchmarkId::new("sending", &name), |bencher| {
            bencher.iter_custom(|n| time(&mut bed, n, Bed::send, Bed::receive, true));
        });
        group.bench_function(BenchmarkId::new("receiving", &name), |bencher| {
            bencher.iter_custom(|n| time(&mut bed, n, Bed::receive, Bed::send, false));
        });
    }
    for (name, is_troubled, has_all) in [
        ("all metrics", false, true),
        ("1 % lost and 1 % reordered", true, false),
        ("1 % lost and 1 % reordered, all metrics", true, true),
    ] {
        let mut bed = Bed::new("239.1.1.1", 1316, is_troubled, has_all);
        group.bench_function(BenchmarkId::new("receiving", name), |bencher| {
            bencher.iter_custom(|n| time(&mut bed, n, Bed::receive, Bed::send, false));
        });
    }
    group.finish();
}

criterion_group!(benches, own_cost);
criterion_main!(benches);
