//! Instructions of our own for each datagram, without a kernel: unlike times, the same on a busy machine.
//!
//! A million datagrams each, so that `Instructions: 40,123,456` are 40 a datagram. It needs valgrind, and
//! `cargo install gungraun-runner` in the version of `gungraun` in Cargo.lock; without them it says so and ends.
#![allow(missing_docs, unreachable_pub, clippy::print_stderr)] // Gungraun's macros make public items; what is skipped is said.

mod bed;

use std::process::{Command, Stdio};

/// The macros make a `main` of their own.
mod counted {
    use super::bed::{BATCH, Bed};
    use gungraun::prelude::*;
    use gungraun::{Callgrind, EntryPoint};

    /// Counts what happens in one function, which `name` ends with.
    fn only(name: &str) -> LibraryBenchmarkConfig {
        let mut callgrind = Callgrind::default();
        callgrind.entry_point(EntryPoint::Custom(name.to_owned()));
        let mut config = LibraryBenchmarkConfig::default();
        config.tool(callgrind);
        config
    }

    #[library_benchmark(config = only("*Bed::send"))]
    fn sending() {
        exchange(1_000_000);
    }

    #[library_benchmark(config = only("*Bed::receive"))]
    fn receiving() {
        exchange(1_000_000);
    }

    /// One group, 1,316 bytes, the metrics that are measured by default.
    pub(super) fn exchange(datagrams: usize) {
        let mut bed = Bed::new("239.1.1.1", 1316, false, false);
        for _ in 0..datagrams / BATCH {
            bed.send();
            bed.receive();
        }
    }

    library_benchmark_group!(name = own_cost, benchmarks = [sending, receiving]);
    main!(library_benchmark_groups = own_cost);

    pub(super) fn run() {
        main();
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    // The runner starts this program again, in valgrind.
    if args.any(|arg| arg.starts_with("--gungraun-run")) {
        return counted::run();
    }
    // `cargo test --benches`: that it works, once.
    if !std::env::args().any(|arg| arg == "--bench") {
        return counted::exchange(64);
    }
    let answers = |program: &str| {
        let output = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        output.is_ok_and(|status| status.success())
    };
    match ["valgrind", "gungraun-runner"].into_iter().find(|program| !answers(program)) {
        Some(missing) => eprintln!("SKIPPED: counting instructions: cannot run {missing}"),
        None => counted::run(),
    }
}
