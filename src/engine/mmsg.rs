//! Plain UDP sockets, many datagrams a system call: `sendmmsg(2)`, `recvmmsg(2)`. The default.

use super::arena::Arena;
use super::control::Control;
use super::listener::{self, Listener};
use super::{
    Committed, Departure, Engine, Halves, RxBatch, RxCounters, RxEngine, RxMeta, RxPlan,
    TxCounters, TxEngine, TxPlan, TxSlots, datagrams_in,
};
use crate::error::Result;
use crate::model::drops::PacketSize;
use crate::model::report::BufferGrant;
use crate::net::socket::{self, Launch};
use crate::net::timestamp::Stamps;
use crate::sys::clock;
use crate::sys::mmsg::{MAX_BATCH, Outgoing, ReceiveBatch, SendBatch};
use crate::sys::poll::PollSet;
use socket2::{SockAddr, Socket};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Longest UDP payload over IPv4 is 65,507 bytes, over IPv6 a little more; no datagram is ever cut. The odd
/// 192 keep slots of equal index from falling into the same cache sets.
const RECEIVE_STRIDE: usize = 65_536 + 192;

/// `UDP_GRO_CNT_MAX`, net/ipv4/udp_offload.c: most datagrams that are joined to one. Those of a sender on the same host
/// may have more.
const SEGMENTS_RECEIVED: usize = 64;

/// The engine.
pub struct Mmsg;

impl Engine for Mmsg {
    fn name(&self) -> &'static str {
        "mmsg"
    }

    fn about(&self) -> &'static str {
        "UDP sockets, many datagrams a system call (sendmmsg, recvmmsg)"
    }

    fn holds_back(&self) -> bool {
        true
    }

    fn open(&self, tx: &[TxPlan], rx: &[RxPlan]) -> Result<Halves> {
        Halves::open(tx, rx, MmsgTx::open, |plan| MmsgRx::open(plan, false))
    }
}

struct MmsgTx {
    socket: Socket,
    destinations: Box<[SockAddr]>,
    batch: SendBatch,
    arena: Arena,
    /// If the queueing discipline lets datagrams go: from the monotonic clock to the one that it goes by.
    launch_offset: Option<u64>,
    counters: TxCounters,
}

impl MmsgTx {
    fn open(plan: &TxPlan) -> Result<Self> {
        let socket = socket::open_sender(&plan.socket_options())?;
        let capacity = plan.batch.clamp(1, MAX_BATCH);
        Ok(Self {
            socket,
            destinations: plan.targets(),
            batch: SendBatch::new(capacity),
            arena: Arena::new(capacity, plan.payload_len),
            launch_offset: match plan.launch {
                Launch::Txtime { by_tai: true } => Some(clock::monotonic_to_tai()),
                Launch::Txtime { by_tai: false } => Some(0),
                Launch::AtOnce | Launch::Fq { .. } => None,
            },
            counters: TxCounters::default(),
        })
    }
}

impl TxEngine for MmsgTx {
    fn reserve(&mut self, want: usize, payload_len: usize) -> TxSlots<'_> {
        self.arena.reserve(want, payload_len)
    }

    fn commit(&mut self, departures: &[Departure]) -> Committed {
        let mut taken = 0;
        while taken < departures.len() {
            let payloads = self.arena.payloads(taken);
            let messages =
                payloads.zip(&departures[taken..]).map(|(payload, departure)| Outgoing {
                    payload,
                    to: &self.destinations[departure.flow as usize],
                    segment_len: 0,
                    leave_at: self.launch_offset.map(|offset| departure.due.0.wrapping_add(offset)),
                });
            match self.batch.send(self.socket.as_fd(), messages) {
                Ok(sent) => {
                    self.counters.calls += 1;
                    taken += sent;
                    // "If an error occurs after at least one message has been sent, the call succeeds ... The
                    // error code is lost", sendmmsg(2).
                    self.counters.cut_short += u64::from(taken < departures.len());
                }
                Err(error) => {
                    return Committed { taken, refused: Some(error.raw_os_error().unwrap_or(0)) };
                }
            }
        }
        Committed { taken, refused: None }
    }

    fn counters(&mut self) -> TxCounters {
        self.counters
    }
}

/// Receives with plain sockets, and for the engine `gso` with such that get several datagrams as one.
pub(super) struct MmsgRx {
    sockets: Box<[Listener]>,
    poll: PollSet,
    /// Which socket is looked at first, so that a busy one does not starve the others.
    turn: usize,
    batch: ReceiveBatch,
    arena: Box<[u8]>,
    metas: Vec<RxMeta>,
    capacity: usize,
    stamps: Stamps,
    counters: RxCounters,
    /// Whether several datagrams may be received as one.
    segments: bool,
}

impl MmsgRx {
    /// Joins the groups of a plan. `segments`: several datagrams may be received as one.
    pub(super) fn open(plan: &RxPlan, segments: bool) -> Result<Self> {
        // Slots that a core's own cache has room for: each may get 64 KiB.
        let packets = if segments { plan.batch.div_ceil(SEGMENTS_RECEIVED) } else { plan.batch };
        let capacity = packets.clamp(1, MAX_BATCH);
        let sockets = listener::open_all(plan, segments)?;
        Ok(Self {
            poll: PollSet::new(sockets.iter().map(Listener::as_fd)),
            sockets,
            turn: 0,
            batch: ReceiveBatch::new(capacity),
            arena: vec![0; capacity * RECEIVE_STRIDE].into(),
            metas: Vec::with_capacity(capacity),
            capacity,
            stamps: plan.stamps.clone(),
            counters: RxCounters::default(),
            segments,
        })
    }

    /// Reads the first socket that has something. Says whether one had. A socket alone is simply read; of several, those
    /// that the last wait found are, each once: to try them all costs a call to the kernel each.
    fn receive(&mut self) -> io::Result<bool> {
        let is_alone = self.sockets.len() == 1;
        for step in 0..self.sockets.len() {
            let index = (self.turn + step) % self.sockets.len();
            if !is_alone && !self.poll.take_ready(index) {
                continue;
            }
            let listener = &self.sockets[index];
            let arena = &mut self.arena[..self.capacity * RECEIVE_STRIDE];
            match self.batch.receive(listener.as_fd(), arena, RECEIVE_STRIDE) {
                Ok(count) => {
                    self.turn = (index + 1) % self.sockets.len();
                    self.counters.calls += 1;
                    self.note(index, count);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A link that goes down is reported once by every socket, and may come back.
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn note(&mut self, socket: usize, count: usize) {
        let listener = &mut self.sockets[socket];
        self.stamps.refresh();
        for slot in 0..count {
            let received = self.batch.received(slot);
            let Some(source) = received.source else { continue };
            let control = Control::read(received.control);
            let segment_len = control.segment_len;
            let datagrams = datagrams_in(received.len, segment_len);
            if self.segments {
                let size = PacketSize { packets: 1, datagrams: datagrams as u64 };
                self.counters.own.size.add(size);
            }
            self.metas.push(RxMeta {
                offset: (slot * RECEIVE_STRIDE) as u32,
                len: received.len as u32,
                segment_len,
                received_at: control.received_at(&self.stamps, &mut self.counters),
                source,
                flow: listener.flow(source, &control),
                // What was dropped just before was most likely as long as what came after it.
                dropped_before: listener.dropped_before(&control).saturating_mul(datagrams as u32),
            });
        }
    }
}

impl RxEngine for MmsgRx {
    fn poll(&mut self, wait: Duration) -> io::Result<RxBatch<'_>> {
        self.metas.clear();
        if !self.receive()? && (self.sockets.len() > 1 || !wait.is_zero()) {
            self.poll.wait(wait)?;
            self.receive()?;
        }
        Ok(RxBatch { arena: &self.arena, metas: &self.metas })
    }

    fn counters(&mut self) -> RxCounters {
        listener::count_drops(&mut self.sockets, &mut self.counters);
        self.counters
    }

    fn receive_buffer(&self) -> (BufferGrant, usize) {
        listener::receive_buffer(&self.sockets)
    }
}

#[cfg(test)]
mod tests;
