//! Writing and reading our header.
#![allow(missing_docs)] // criterion's macros make public items

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mcast_bench::units::Nanos;
use mcast_bench::wire::probe::{Encoder, Kind, decode};
use std::hint::black_box;

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire_codec");
    group.throughput(Throughput::Elements(1));
    for (name, len, checksum) in
        [("18", 18, false), ("1316", 1316, false), ("1316+crc", 1316, true)]
    {
        let encoder = Encoder::new(0x0012_3456, 7, checksum);
        let mut payload = vec![0; len];
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            let mut seq = 0;
            bencher.iter(|| {
                seq += 1;
                let slot = black_box(payload.as_mut_slice());
                encoder.encode(slot, Kind::Data, seq, Nanos(1 << 60), Nanos(100));
            });
        });
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            bencher.iter(|| decode(black_box(&payload), Nanos(1 << 60)));
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
