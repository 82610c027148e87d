//! A sender and a receiver with their books, joined by the memory engine: our own work, and no kernel.

use mcast_bench::engine::memory::Memory;
use mcast_bench::engine::{Departure, Engine, RxEngine, RxPlan, TxEngine, TxPlan};
use mcast_bench::model::group::{GroupSpec, Membership, expand_all};
use mcast_bench::model::snapshot::{ReceiverInterval, SenderInterval};
use mcast_bench::model::spec::Bind;
use mcast_bench::model::spec::Pace;
use mcast_bench::net::host::own_clock;
use mcast_bench::net::socket::Launch;
use mcast_bench::net::timestamp::Stamps;
use mcast_bench::stats::schedule::{Constant, Schedule, Turn};
use mcast_bench::sys::clock::{monotonic, realtime};
use mcast_bench::trial::ledger::Ledger;
use mcast_bench::trial::pacer::Pacer;
use mcast_bench::trial::stream::Options;
use mcast_bench::units::Nanos;
use mcast_bench::units::rate::DatagramRate;
use mcast_bench::wire::announcement::{ANNOUNCEMENT_LEN, Conduct};
use mcast_bench::wire::probe::{Encoder, Kind};
use std::hint::black_box;
use std::time::Duration;

/// Datagrams a batch.
pub(crate) const BATCH: usize = 64;

/// When the sender looks at the clock: late enough for all to be due.
const NOW: Nanos = Nanos(1 << 59);

/// How late it says it is.
const LATE: Nanos = Nanos(100);

/// One sender, one receiver, and streams for each group.
pub(crate) struct Bed {
    tx: Box<dyn TxEngine>,
    rx: Box<dyn RxEngine>,
    schedule: Box<dyn Schedule>,
    pacer: Pacer,
    streams: Vec<(Encoder, u64)>,
    turn: usize,
    left: u64,
    next: Option<Nanos>,
    pending: Vec<Nanos>,
    departures: Vec<Departure>,
    payload_len: usize,
    /// Whether one of a hundred numbers is left out, and one comes a place late.
    is_troubled: bool,
    ledger: Ledger,
    interval: ReceiverInterval,
    sent: SenderInterval,
}

impl Bed {
    pub(crate) fn new(groups: &str, payload_len: usize, is_troubled: bool, has_all: bool) -> Self {
        let spec: GroupSpec = groups.parse().expect("a group");
        let flows: Vec<Membership> = expand_all(&[spec], 5777).expect("groups");
        let tx = TxPlan {
            flows: flows.clone(),
            interface: 0,
            source_port: 0,
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
            bind: Bind::Group,
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
            positions: false,
        };
        let mut bed = Self {
            tx: halves.tx.into_iter().next().expect("one sender"),
            rx: halves.rx.into_iter().next().expect("one receiver"),
            schedule: Box::new(Constant::new(rate, 1, Turn { index: 0, of: 1 })),
            // What it held back it would only have to be asked for again.
            pacer: Pacer::new(Pace::Auto, true),
            streams,
            turn: 0,
            left: u64::MAX,
            next: None,
            pending: Vec::with_capacity(BATCH),
            departures: Vec::with_capacity(BATCH),
            payload_len,
            is_troubled,
            ledger: Ledger::new(options, own_clock()),
            interval: ReceiverInterval::new(has_all),
            sent: SenderInterval::default(),
        };
        bed.announce();
        bed
    }

    /// Says what clock the sender has: that of the receiver.
    fn announce(&mut self) {
        let told = (&own_clock(), &Conduct::default());
        for flow in 0..self.streams.len() {
            let mut slots = self.tx.reserve(1, ANNOUNCEMENT_LEN);
            for slot in slots.iter_mut() {
                self.streams[flow].0.announce(slot, Kind::Start, 0, realtime(), told);
            }
            assert_eq!(self.tx.commit(&[Departure::to(flow as u32)]).taken, 1);
            self.receive();
        }
    }

    /// Schedule, pace, encode, commit, and the record of how late it was: what the transmit loop does.
    #[inline(never)] // so that a profile tells the halves apart
    pub(crate) fn send(&mut self) {
        while self.pending.len() < BATCH {
            let next = match self.next {
                Some(next) => next,
                None => *self.next.insert(self.schedule.next_due(NOW)),
            };
            let first = self.pending.first().copied();
            if next >= NOW || self.left == 0 || !self.pacer.may_leave(next, NOW, first) {
                break;
            }
            self.next = None;
            self.left -= 1;
            self.sent.counts.intended += 1;
            self.pending.push(next);
        }
        // The last of the batch is due now, and the others as much earlier as the schedule says.
        let [first, last] = [0, self.pending.len() - 1].map(|at| self.pending[at]);
        let start = realtime() - last;
        let mut slots = self.tx.reserve(self.pending.len(), self.payload_len);
        self.departures.clear();
        for (slot, &due) in slots.iter_mut().zip(&self.pending) {
            let (encoder, seq) = &mut self.streams[self.turn];
            let number = if self.is_troubled { troubled(*seq) } else { *seq };
            encoder.encode(slot, Kind::Data, number, start + due, LATE);
            *seq += 1;
            self.departures.push(Departure { flow: self.turn as u32, due: start + due });
            self.turn += 1;
            if self.turn == self.streams.len() {
                self.turn = 0;
            }
        }
        let taken = self.tx.commit(&self.departures).taken;
        self.sent.counts.offered += taken as u64;
        self.sent.payload_bytes += (taken * self.payload_len) as u64;
        for same in self.pending[..taken].chunk_by(|a, b| a == b) {
            self.sent.lateness.record_many(same[0], same[0] + LATE, same.len() as u64);
        }
        self.sent.trains.note(taken, Some(LATE));
        self.pending.drain(..taken);
        self.pacer.left(first, NOW, black_box(monotonic()));
    }

    /// Poll, decode, track, record: what the receive loop does.
    #[inline(never)]
    pub(crate) fn receive(&mut self) {
        let batch = self.rx.poll(Duration::ZERO).expect("memory does not fail");
        let read_at = realtime();
        batch.datagrams().for_each(|datagram| {
            self.interval.host_delay.record(datagram.received_at, read_at);
            self.ledger.enter(&datagram, Nanos(1), &mut self.interval);
        });
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
