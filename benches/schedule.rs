//! What it costs to ask when the next datagram is due.
#![allow(missing_docs)] // criterion's macros make public items

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mcast_bench::stats::schedule::{
    AsFastAsPossible, Constant, OnOff, Poisson, Ramp, Replay, Schedule, Turn,
};
use mcast_bench::units::Nanos;
use mcast_bench::units::rate::DatagramRate;
use std::hint::black_box;

fn next_due(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(1));
    let rate = DatagramRate { datagrams: 29_970, seconds: 1_001 };
    let turn = Turn { index: 0, of: 1 };
    let twice = DatagramRate { datagrams: 59_940, seconds: 1_001 };
    let day = Nanos(86_400 * Nanos::SECOND.0);
    let trace = (0..1_000).map(|n| Nanos(n * 33_000)).collect();
    let on_off = OnOff::new(Constant::new(rate, 1, turn), Nanos::MILLISECOND, Nanos::MILLISECOND);
    let schedules: [(&str, Box<dyn Schedule>); 7] = [
        ("constant", Box::new(Constant::new(rate, 1, turn))),
        ("bursts of 7", Box::new(Constant::new(rate, 7, turn))),
        ("Poisson", Box::new(Poisson::new(rate, 7, turn))),
        ("on and off", Box::new(on_off)),
        ("ramp", Box::new(Ramp::new(rate, twice, day, turn))),
        ("replay", Box::new(Replay::new(trace, Nanos(33_000_000), turn))),
        ("as fast as possible", Box::new(AsFastAsPossible)),
    ];
    for (name, mut schedule) in schedules {
        group.bench_function(name, |bencher| {
            bencher.iter(|| schedule.next_due(black_box(Nanos(5))));
        });
    }
    group.finish();
}

criterion_group!(benches, next_due);
criterion_main!(benches);
