//! A sender and a receiver with their books, joined by the memory engine: our own work, and no kernel.

use mcast_bench::engine::memory::Memory;
use mcast_bench::engine::{Departure, Engine, RxEngine, RxPlan, TxEngine, TxPlan};
use mcast_bench::model::group::{GroupSpec, Membership, expand_all};
use mcast_bench::model::snapshot::ReceiverInterval;
use mcast_bench::net::host::own_clock;
use mcast_bench::net::socket::Launch;
use mcast_bench::net::timestamp::Stamps;
use mcast_bench::stats::latency::Latency;
use mcast_bench::stats::schedule::{Constant, Schedule, Turn};
use mcast_bench::sys::clock::realtime;
use mcast_bench::trial::ledger::Ledger;
use mcast_bench::trial::stream::Options;
use mcast_bench::units::Nanos;
use mcast_bench::units::rate::DatagramRate;
use mcast_bench::wire::probe::{Encoder, Kind};
use std::hint::black_box;
use std::time::Duration;

/// Datagrams a batch.
pub(crate) const BATCH: usize = 64;

/// One sender, one receiver, and streams for each group.
pub(crate) struct Bed {
    tx: Box<dyn TxEngine>,
    rx: Box<dyn RxEngine>,
    schedule: Box<dyn Schedule>,
    streams: Vec<(Encoder, u64)>,
    turn: usize,
    departures: Vec<Departure>,
    payload_len: usize,
    /// Whether one of a hundred numbers is left out, and one comes a place late.
    is_troubled: bool,
    ledger: Ledger,
    interval: ReceiverInterval,
    lateness: Latency,
}

impl Bed {
    pub(crate) fn new(groups: &str, payload_len: usize, is_troubled: bool, has_all: bool) -> Self {
        let spec: GroupSpec = groups.parse().expect("a group");
        let flows: Vec<Membership> = expand_all(&[spec], 5777).expect("groups");
        let tx = TxPlan {
            flows: flows.clone(),
            interface: 0,
            ttl: 1,
            loopback: true,
            dscp: 0,
            payload_len,
            batch: BATCH,
            launch: Launch::AtOnce,
        };
        let streams = (0..flows.len()).map(|n| (Encoder::new(7, n as u16, false), 0)).collect();
        let rx = RxPlan {
            flows,
            interface: 0,
            receive_buffer: 0,
            batch: BATCH,
            stamps: Stamps::Kernel,
            busy_poll_us: None,
        };
        let halves = Memory.open(&[tx], &[rx]).expect("memory is always there");
        let rate = DatagramRate { datagrams: 29_970_000, seconds: 1_001 };
        let options = Options {
            session: None,
            loss_distance: 99,
            reorder_density: has_all.then_some(32),
            media_rate_bps: has_all.then_some(1_000_000_000),
            variation: has_all,
        };
        Self {
            tx: halves.tx.into_iter().next().expect("one sender"),
            rx: halves.rx.into_iter().next().expect("one receiver"),
            schedule: Box::new(Constant::new(rate, 1, Turn { index: 0, of: 1 })),
            streams,
            turn: 0,
            departures: Vec::with_capacity(BATCH),
            payload_len,
            is_troubled,
            ledger: Ledger::new(options, own_clock()),
            interval: ReceiverInterval::new(has_all),
            lateness: Latency::new(),
        }
    }

    /// Schedule, encode, commit, and the record of how late it was: what the transmit loop does. Never inlined, because
    /// its instructions are counted by its name.
    #[inline(never)]
    pub(crate) fn send(&mut self) {
        let now = Nanos(u64::MAX / 4);
        let mut slots = self.tx.reserve(BATCH, self.payload_len);
        self.departures.clear();
        for slot in slots.iter_mut() {
            let due = self.schedule.next_due(now);
            let (encoder, seq) = &mut self.streams[self.turn];
            let number = if self.is_troubled { troubled(*seq) } else { *seq };
            encoder.encode(slot, Kind::Data, number, Nanos(1 << 60) + due, Nanos(100));
            *seq += 1;
            self.departures.push(Departure { flow: self.turn as u32, due });
            self.lateness.record(due, due + Nanos(100));
            self.turn += 1;
            if self.turn == self.streams.len() {
                self.turn = 0;
            }
        }
        black_box(self.tx.commit(&self.departures));
    }

    /// Poll, decode, track, record: what the receive loop does.
    #[inline(never)]
    pub(crate) fn receive(&mut self) {
        let batch = self.rx.poll(Duration::ZERO).expect("memory does not fail");
        let read_at = realtime();
        for datagram in batch.datagrams() {
            self.interval.host_delay.record(datagram.received_at, read_at);
            self.ledger.enter(&datagram, Nanos(1), &mut self.interval);
        }
    }
}

/// The n-th number that comes over a bad path: of each hundred, 50 is lost and 90 and 91 change places.
fn troubled(n: u64) -> u64 {
    let number = n + (n + 49) / 99;
    match number % 100 {
        90 => number + 1,
        91 => number - 1,
        _ => number,
    }
}
