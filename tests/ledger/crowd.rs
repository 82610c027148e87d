//! More streams than anybody has: memory stays within what was promised, and beyond the cap they are only counted.

use mcast_bench::trial::ledger::MAX_STREAMS;
use mcast_bench::units::Nanos;
use mcast_bench::wire::probe::{Encoder, Kind as What};

use super::*;
use crate::lab::with_privileges;

/// Numbers are lost, come late and come twice, all over the window of what is remembered: so every page of it is
/// taken, and what only troubled streams need as well.
const TROUBLED: [u64; 5] = [0, 100_000, 130_000, 130_000, 99_000];
/// As much as a receiver can be asked for.
const EVERYTHING: &str = "--variation --reorder-density 16 --media-rate 1Mbps";

/// Lets a receiver hear a crowd of streams whose sender says nothing of its clock. Returns what it reported and the
/// most memory it has had resident, in KiB.
fn crowd(streams: u64, flags: &str) -> (Report, u64) {
    let trial = Trial::new(Lab::direct());
    let heard = streams.min(MAX_STREAMS as u64) * TROUBLED.len() as u64;
    let mut receiver = trial.recv(&format!("-c {heard} -t 60s --rcvbuf 64M -i 1s {flags}"));
    let socket = trial.sender().run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    socket.connect((GROUP, PORT)).unwrap();
    // Who is beyond the cap comes before the receiver has what it waits for.
    for (turn, seq) in TROUBLED.into_iter().enumerate() {
        let order: Vec<u64> = match turn {
            0 => (0..streams).collect(),
            _ => (0..streams).rev().collect(),
        };
        for number in order {
            let encoder = Encoder::new((number >> 4) as u32, (number & 15) as u16, false);
            let mut slot = [0; 60];
            encoder.encode(&mut slot, What::Data, seq, Nanos::from(now()), Nanos(0));
            socket.send(&slot).unwrap();
            if number % 16 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    let mut peak = 0;
    while receiver.is_running() {
        // One that is about to end has no memory any more.
        peak = peak_kib(receiver.pid()).unwrap_or(0).max(peak);
        thread::sleep(Duration::from_millis(1));
    }
    (Report::of(receiver), peak)
}

fn now() -> Duration {
    std::time::UNIX_EPOCH.elapsed().unwrap()
}

/// Every stream has its row, and the memory is as promised.
#[track_caller]
fn check(streams: u64, flags: &str, limit_mib: u64) {
    let (received, peak) = crowd(streams, flags);
    let rows = received.streams();
    assert_eq!(rows.len() as u64, streams.min(MAX_STREAMS as u64));
    let counts = Counts { received: 5, duplicates: 1, reordered: 1, ..Counts::of(130_001, 4) };
    let counts = Counts { sent: None, ..counts };
    assert!(rows.iter().all(|row| row.counts == counts), "{:?}", rows[0]);
    let beyond = streams.saturating_sub(MAX_STREAMS as u64) * TROUBLED.len() as u64;
    assert_eq!(received.totals().foreign, beyond);
    let events = received.events("too_many_streams");
    assert_eq!(events.len(), usize::from(beyond > 0));
    assert!(events.iter().all(|event| event["limit"] == MAX_STREAMS), "{events:?}");
    assert!((1..=limit_mib << 10).contains(&peak), "{streams} streams {flags}: {peak} KiB");
}

#[test]
fn a_thousand_streams_fit_into_64_mib() {
    with_privileges(|| {
        check(1000, "", 64);
        check(1000, EVERYTHING, 64);
    });
}

#[test]
fn ten_thousand_streams_fit_into_512_mib() {
    with_privileges(|| check(10_000, "", 512));
}

#[test]
fn spoofed_streams_cannot_exhaust_memory() {
    with_privileges(|| check(MAX_STREAMS as u64 + 500, EVERYTHING, 512));
}
