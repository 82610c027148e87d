//! No network: what is sent is received, through memory of this process. Shows what this program itself costs.

use super::arena::Arena;
use super::{
    Committed, Departure, Engine, FlowIndex, Halves, RxBatch, RxCounters, RxEngine, RxMeta, RxPlan,
    TxCounters, TxEngine, TxPlan, TxSlots,
};
use crate::error::Result;
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::sys::clock;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Batches on their way to one receiver; when so many wait, the next is refused with `ENOBUFS`.
const QUEUE_LEN: usize = 512;

/// The engine.
pub struct Memory;

/// A commit on its way.
struct Parcel {
    arena: Box<[u8]>,
    payload_len: usize,
    source: SocketAddr,
    /// The receiver's number of the group that each payload goes to; `None` is not one of its groups.
    flows: Vec<Option<FlowIndex>>,
}

/// A receiver as a sender sees it.
struct Route {
    /// The receiver's number of each of the sender's groups.
    flows: Vec<Option<FlowIndex>>,
    to: Sender<Parcel>,
}

impl Route {
    fn new(sender: &TxPlan, receiver: &RxPlan, to: Sender<Parcel>) -> Self {
        let number = |flow: &Membership| {
            let joined = |own: &Membership| own.destination() == flow.destination();
            receiver.flows.iter().position(joined).map(|number| number as FlowIndex)
        };
        Self { flows: sender.flows.iter().map(number).collect(), to }
    }
}

impl Engine for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn about(&self) -> &'static str {
        "no network: shows what this program itself costs (only for `run`)"
    }

    fn has_network(&self) -> bool {
        false
    }

    fn open(&self, tx: &[TxPlan], rx: &[RxPlan]) -> Result<Halves> {
        let queues: Vec<_> = rx.iter().map(|plan| (plan, bounded(QUEUE_LEN))).collect();
        let (to_spares, spares) = bounded(QUEUE_LEN * rx.len().max(1));
        let mut halves = Halves::default();
        for (number, plan) in (1..).zip(tx) {
            let routes = queues.iter().map(|(rx, (to, _))| Route::new(plan, rx, to.clone()));
            halves.tx.push(Box::new(MemoryTx {
                source: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), number),
                routes: routes.collect(),
                arena: Arena::new(plan.batch, plan.payload_len),
                spares: spares.clone(),
                calls: 0,
            }));
        }
        for (_, (_, from)) in &queues {
            halves.rx.push(Box::new(MemoryRx {
                from: from.clone(),
                lent: None,
                metas: Vec::with_capacity(1024),
                to_spares: to_spares.clone(),
                calls: 0,
            }));
        }
        Ok(halves)
    }
}

struct MemoryTx {
    source: SocketAddr,
    routes: Vec<Route>,
    arena: Arena,
    /// Parcels that were read and can be filled again.
    spares: Receiver<Parcel>,
    calls: u64,
}

impl MemoryTx {
    fn spare(&self) -> Parcel {
        let fits = |parcel: &Parcel| parcel.arena.len() == self.arena.bytes.len();
        self.spares.try_recv().ok().filter(fits).unwrap_or_else(|| Parcel {
            arena: vec![0; self.arena.bytes.len()].into(),
            payload_len: 0,
            source: self.source,
            flows: Vec::with_capacity(self.arena.capacity),
        })
    }
}

impl TxEngine for MemoryTx {
    fn reserve(&mut self, want: usize, payload_len: usize) -> TxSlots<'_> {
        self.arena.reserve(want, payload_len)
    }

    fn commit(&mut self, departures: &[Departure]) -> Committed {
        if self.routes.iter().any(|route| route.to.is_full()) {
            return Committed { taken: 0, refused: Some(libc::ENOBUFS) };
        }
        self.calls += 1;
        let is_heard =
            |route: &Route| departures.iter().any(|to| route.flows[to.flow as usize].is_some());
        let routes = 0..self.routes.len();
        let mut routes = routes.filter(|&n| is_heard(&self.routes[n])).peekable();
        while let Some(route) = routes.next() {
            let mut parcel = self.spare();
            let route = &self.routes[route];
            parcel.payload_len = self.arena.payload_len;
            parcel.source = self.source;
            parcel.flows.clear();
            parcel.flows.extend(departures.iter().map(|to| route.flows[to.flow as usize]));
            if routes.peek().is_none() {
                // The last receiver gets the slots themselves, in exchange for others.
                std::mem::swap(&mut parcel.arena, &mut self.arena.bytes);
            } else {
                let used = self.arena.train(0, departures.len());
                parcel.arena[..used.len()].copy_from_slice(used);
            }
            // Another sender may have filled the queue since; then these are lost, as on a network.
            drop(route.to.try_send(parcel));
        }
        Committed { taken: departures.len(), refused: None }
    }

    fn counters(&mut self) -> TxCounters {
        TxCounters { calls: self.calls, ..TxCounters::default() }
    }
}

struct MemoryRx {
    from: Receiver<Parcel>,
    lent: Option<Parcel>,
    metas: Vec<RxMeta>,
    to_spares: Sender<Parcel>,
    calls: u64,
}

impl RxEngine for MemoryRx {
    fn poll(&mut self, wait: Duration) -> io::Result<RxBatch<'_>> {
        if let Some(parcel) = self.lent.take() {
            drop(self.to_spares.try_send(parcel));
        }
        self.metas.clear();
        let parcel = match self.from.recv_timeout(wait) {
            Ok(parcel) => parcel,
            Err(RecvTimeoutError::Timeout) => return Ok(RxBatch { arena: &[], metas: &[] }),
            Err(RecvTimeoutError::Disconnected) => {
                // Every sender is gone; that is silence, not an error.
                std::thread::sleep(wait);
                return Ok(RxBatch { arena: &[], metas: &[] });
            }
        };
        self.calls += 1;
        let received_at = clock::realtime();
        for (slot, flow) in parcel.flows.iter().enumerate().filter(|(_, flow)| flow.is_some()) {
            self.metas.push(RxMeta {
                offset: (slot * parcel.payload_len) as u32,
                len: parcel.payload_len as u32,
                segment_len: 0,
                received_at,
                source: parcel.source,
                flow: *flow,
                dropped_before: 0,
            });
        }
        let parcel = self.lent.insert(parcel);
        Ok(RxBatch { arena: &parcel.arena, metas: &self.metas })
    }

    fn counters(&mut self) -> RxCounters {
        RxCounters { calls: self.calls, ..RxCounters::default() }
    }

    fn receive_buffer(&self) -> (BufferGrant, usize) {
        (BufferGrant::default(), 0)
    }
}
