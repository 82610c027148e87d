//! Classifying one sequence number: in order, with loss, with reordering, and after leaps.
#![allow(missing_docs)] // criterion's macros make public items

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mcast_bench::stats::seq::SeqTracker;
use std::hint::black_box;

const WINDOW: usize = 1 << 17;
const LEN: u64 = 100_000;

fn observe(criterion: &mut Criterion) {
    let every_100th = |seq: &u64| seq % 100 == 99;
    let in_order: Vec<u64> = (0..LEN).collect();
    let lossy: Vec<u64> = (0..LEN).filter(|seq| !every_100th(seq)).collect();
    let mut reordered = in_order.clone();
    reordered.chunks_exact_mut(100).for_each(|chunk| chunk.swap(90, 99));
    let mut heavy = in_order.clone();
    heavy.chunks_mut(64).for_each(<[u64]>::reverse);
    let leaps: Vec<u64> = (0..LEN).map(|n| n * 100_000).collect();
    let mut group = criterion.benchmark_group("seq_tracker");
    for (name, arrivals) in [
        ("in order", in_order),
        ("1 % lost", lossy),
        ("1 % reordered", reordered),
        ("all reordered", heavy),
        ("leaps of 100,000", leaps),
    ] {
        group.throughput(Throughput::Elements(arrivals.len() as u64));
        group.bench_function(name, |bencher| {
            let mut tracker = SeqTracker::new(WINDOW);
            let mut offset = 0;
            bencher.iter(|| {
                for seq in &arrivals {
                    black_box(tracker.observe(offset + seq));
                }
                offset += arrivals.last().map_or(0, |last| last + 1);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, observe);
criterion_main!(benches);
