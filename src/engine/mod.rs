//! Ways to move datagrams, one file each, behind two small traits.
//!
//! A sender reserves slots, fills them in place and commits them; a receiver is lent what came until it polls
//! again. So an engine may own its memory, as those with rings shared with the kernel must. No engine knows
//! what a payload says.

pub mod af_packet;
pub mod af_xdp;
mod arena;
pub(crate) mod control;
mod directory;
pub mod gso;
pub mod io_uring;
mod listener;
pub mod memory;
pub mod mmsg;

use crate::error::Result;
use crate::model::drops::{OwnDrops, PacketSize};
use crate::model::event::Happening;
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::model::spec::Bind;
use crate::net::socket::{self, Launch, SenderOptions};
use crate::net::timestamp::Stamps;
use crate::units::Nanos;
use socket2::SockAddr;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// All engines; the first is the default. One file and one line here make a new one.
pub static ENGINES: &[&dyn Engine] = &[
    &mmsg::Mmsg,
    &gso::Gso,
    &io_uring::IoUring,
    &af_packet::AfPacket,
    &af_xdp::AfXdp,
    &memory::Memory,
];

/// The engine of a name.
pub fn by_name(name: &str) -> Option<&'static dyn Engine> {
    ENGINES.iter().find(|engine| engine.name() == name).copied()
}

/// Number of a group among those of a trial.
pub type FlowIndex = u32;

/// A way to move datagrams.
pub trait Engine: Sync {
    /// Word of `--engine`.
    fn name(&self) -> &'static str;
    /// One line for `--help`, with what it needs that not every machine or user has.
    fn about(&self) -> &'static str;
    /// Whether this process can use it on this machine, found out by trying.
    fn probe(&self) -> Support {
        Support::Ready
    }
    /// Whether its datagrams leave the process. One that keeps them cannot send to anyone else.
    fn has_network(&self) -> bool {
        true
    }
    /// Whether it works on the loopback interface.
    fn has_loopback(&self) -> bool {
        true
    }
    /// Whether it carries datagrams that are longer than the MTU, as IP fragments.
    fn has_fragments(&self) -> bool {
        true
    }
    /// Whether it carries groups of IPv4 and of IPv6 at once.
    fn has_both_families(&self) -> bool {
        true
    }
    /// Whether a receiver takes the interface for itself, so that there can be no second one.
    fn is_exclusive(&self) -> bool {
        false
    }
    /// Whether it can leave it to the kernel to hold datagrams back until they are due ([`Launch`]).
    fn holds_back(&self) -> bool {
        false
    }
    /// Whether it sends datagrams to one flow as one, so that all of a commit had better go there.
    fn sends_trains(&self) -> bool {
        false
    }
    /// Opens everything that a trial needs, in the order of the plans. All memory is taken here.
    ///
    /// # Errors
    /// What this machine refuses.
    fn open(&self, tx: &[TxPlan], rx: &[RxPlan]) -> Result<Halves>;
}

/// Whether an engine can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Ready,
    /// It cannot.
    Missing {
        /// What is missing.
        why: String,
        /// How to get it.
        hint: String,
    },
}

/// The ends that an engine opened, one a worker.
#[derive(Default)]
pub struct Halves {
    /// For the senders.
    pub tx: Vec<Box<dyn TxEngine>>,
    /// For the receivers.
    pub rx: Vec<Box<dyn RxEngine>>,
    /// What it would rather have had and did not get.
    pub degraded: Vec<Happening>,
}

impl Halves {
    /// Opens an end for each plan, receivers first: nothing may be sent that a receiver of ours has not joined yet.
    fn open<T: TxEngine + 'static, R: RxEngine + 'static>(
        tx: &[TxPlan],
        rx: &[RxPlan],
        open_tx: impl Fn(&TxPlan) -> Result<T>,
        open_rx: impl Fn(&RxPlan) -> Result<R>,
    ) -> Result<Self> {
        let mut halves = Self::default();
        for plan in rx {
            halves.rx.push(Box::new(open_rx(plan)?));
        }
        for plan in tx {
            halves.tx.push(Box::new(open_tx(plan)?));
        }
        Ok(halves)
    }
}

/// What one sender needs.
#[derive(Clone, Debug)]
pub struct TxPlan {
    /// Groups it sends to; [`FlowIndex`] counts in here.
    pub flows: Vec<Membership>,
    /// Index of the interface.
    pub interface: u32,
    /// Port to send from; 0 lets the kernel choose.
    pub source_port: u16,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Whether this host's own members get a copy.
    pub loopback: bool,
    /// Differentiated services code point.
    pub dscp: u8,
    /// Longest payload, bytes.
    pub payload_len: usize,
    /// Most datagrams a commit.
    pub batch: usize,
    /// Who lets datagrams go.
    pub launch: Launch,
}

impl TxPlan {
    /// How its datagrams are to leave a socket.
    fn socket_options(&self) -> SenderOptions {
        let first = self.flows.first();
        let v6 = first.is_some_and(|flow| flow.group.is_ipv6());
        SenderOptions {
            interface: self.interface,
            source: first.and_then(|flow| flow.source),
            source_port: self.source_port,
            v6,
            both: self.flows.iter().any(|flow| flow.group.is_ipv6() != v6),
            ttl: self.ttl,
            loopback: self.loopback,
            dscp: self.dscp,
            launch: self.launch,
        }
    }

    /// Where its socket sends the datagrams of each flow.
    fn targets(&self) -> Box<[SockAddr]> {
        let both = self.socket_options().both;
        self.flows.iter().map(|flow| socket::target(flow, both)).collect()
    }
}

/// What one receiver needs.
#[derive(Clone, Debug)]
pub struct RxPlan {
    /// Groups it joins; [`FlowIndex`] counts in here.
    pub flows: Vec<Membership>,
    /// Index of the interface.
    pub interface: u32,
    /// What its sockets listen on.
    pub bind: Bind,
    /// Receive buffer of each socket, bytes.
    pub receive_buffer: usize,
    /// Most datagrams a poll.
    pub batch: usize,
    /// Whose receive times are wanted; an engine without a network has its own.
    pub stamps: Stamps,
    /// Microseconds for which a read asks the network card for more before it sleeps (`SO_BUSY_POLL`).
    pub busy_poll_us: Option<u32>,
}

/// Sends.
pub trait TxEngine: Send {
    /// Lends up to `want` slots of `payload_len` bytes to write payloads into. There may be fewer, but at
    /// least one. Slots keep what was last written to them or to another slot.
    fn reserve(&mut self, want: usize, payload_len: usize) -> TxSlots<'_>;
    /// Sends the first `departures.len()` of the slots last reserved.
    fn commit(&mut self, departures: &[Departure]) -> Committed;
    /// What it has counted since it was opened. Once an interval, not once a batch.
    fn counters(&mut self) -> TxCounters;
}

/// Where the datagram in a slot goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The group it goes to.
    pub flow: FlowIndex,
    /// When it is due, on the monotonic clock: for engines that have the kernel hold it back until then.
    pub due: Nanos,
}

impl Departure {
    /// To a flow, at once.
    pub fn to(flow: FlowIndex) -> Self {
        Self { flow, due: Nanos(0) }
    }
}

/// What became of a commit: the first `taken` left; then, if not all did, one was refused. Those behind it
/// were not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Datagrams that the kernel took.
    pub taken: usize,
    /// Error number with which the next one was refused.
    pub refused: Option<i32>,
}

/// What a sending engine has counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct TxCounters {
    /// Calls to the kernel that sent something.
    pub calls: u64,
    /// Calls that ended early because the next datagram was refused. It was tried again, and only if it was
    /// refused again does it show in [`Committed`].
    pub cut_short: u64,
    /// Where several left as one, to be cut apart by the kernel or the network card: how many in how many.
    pub size: PacketSize,
    /// Most datagrams that left as one.
    pub super_packet_max: u64,
    /// Error number for which none leave as one any more.
    pub fell_back: Option<i32>,
}

/// Receives.
pub trait RxEngine: Send {
    /// Lends the datagrams that are there; if none are, waits for some, at most for `wait`.
    ///
    /// # Errors
    /// The sockets are broken for good.
    fn poll(&mut self, wait: Duration) -> io::Result<RxBatch<'_>>;
    /// What it has counted since it was opened. Once an interval, not once a batch.
    fn counters(&mut self) -> RxCounters;
    /// What its sockets got, the least of them, and how many they are.
    fn receive_buffer(&self) -> (BufferGrant, usize);
}

/// What a receiving engine has counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct RxCounters {
    /// Calls to the kernel that received something; where there are none, blocks that it handed over.
    pub calls: u64,
    /// Datagrams that this engine's sockets dropped because their buffers were full.
    pub dropped: u64,
    /// The same in packets, as the kernel counts them.
    pub own: OwnDrops,
    /// Datagrams without a receive time of the kernel.
    pub unstamped: u64,
    /// Datagrams without a receive time of the network card, where those are wanted.
    pub without_hardware: u64,
}

/// Slots to write payloads into.
pub struct TxSlots<'a> {
    arena: &'a mut [u8],
    stride: usize,
    payload: Range<usize>,
}

impl<'a> TxSlots<'a> {
    /// Slots of `stride` bytes that follow each other in `arena`, whose payload lies in `payload`.
    fn new(arena: &'a mut [u8], stride: usize, payload: Range<usize>) -> Self {
        Self { arena, stride, payload }
    }

    /// The payloads, in the order in which they will leave.
    #[inline]
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u8]> {
        let payload = self.payload.clone();
        self.arena.chunks_exact_mut(self.stride).map(move |slot| &mut slot[payload.clone()])
    }
}

/// Where in an arena something was received, and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct RxMeta {
    /// First byte of the payload.
    pub offset: u32,
    /// Bytes of payload.
    pub len: u32,
    /// If several datagrams were received as one: the length of each but the last. 0: it is just one.
    pub segment_len: u16,
    /// When the network card or the kernel received it, on the wall clock.
    pub received_at: Nanos,
    /// Who sent it.
    pub source: SocketAddr,
    /// The group it was sent to; `None` if it was none of ours.
    pub flow: Option<FlowIndex>,
    /// Datagrams that its socket dropped for want of room since the one before.
    pub dropped_before: u32,
}

/// What a poll received, until the next one.
pub struct RxBatch<'a> {
    arena: &'a [u8],
    metas: &'a [RxMeta],
}

/// One received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What it carries.
    pub payload: &'a [u8],
    /// When the network card or the kernel received it, on the wall clock.
    pub received_at: Nanos,
    /// Who sent it.
    pub source: SocketAddr,
    /// The group it was sent to; `None` if it was none of ours.
    pub flow: Option<FlowIndex>,
    /// Datagrams that its socket dropped for want of room since the one before.
    pub dropped_before: u32,
}

/// Datagrams in a payload of `len` bytes that was received as one. An empty datagram is one, not none.
#[inline]
fn datagrams_in(len: usize, segment_len: u16) -> usize {
    if segment_len == 0 || len == 0 { 1 } else { len.div_ceil(segment_len.into()) }
}

impl<'a> RxBatch<'a> {
    /// Each datagram, also where several were received as one.
    #[inline]
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'a>> + use<'a> {
        let arena = self.arena;
        self.metas.iter().flat_map(move |meta| {
            let RxMeta { offset, len, segment_len, received_at, source, flow, dropped_before } =
                *meta;
            let (start, len) = (offset as usize, len as usize);
            let step = if segment_len == 0 { len } else { segment_len.into() };
            (0..datagrams_in(len, segment_len)).map(move |n| {
                let payload = &arena[start + n * step..start + len.min((n + 1) * step)];
                let dropped_before = if n == 0 { dropped_before } else { 0 };
                Datagram { payload, received_at, source, flow, dropped_before }
            })
        })
    }

    /// Whether nothing came.
    pub fn is_empty(&self) -> bool {
        self.metas.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_registry_is_complete() {
        let names: BTreeSet<_> = ENGINES.iter().map(|engine| engine.name()).collect();
        assert_eq!(names.len(), ENGINES.len(), "names are unique");
        assert!(ENGINES.iter().all(|engine| !engine.about().is_empty()));
        assert_eq!(by_name("mmsg").map(|engine| engine.name()), Some("mmsg"));
        assert!(by_name("nosuch").is_none());
    }

    #[test]
    fn segments_are_cut_apart_and_empty_datagrams_kept() {
        let arena: Vec<u8> = (0..10).collect();
        let meta = |offset, len, segment_len| RxMeta {
            offset,
            len,
            segment_len,
            received_at: Nanos(0),
            source: "127.0.0.1:1".parse().unwrap(),
            flow: None,
            dropped_before: 0,
        };
        let metas = [meta(0, 7, 3), meta(7, 0, 0), meta(7, 2, 0), meta(9, 0, 3)];
        let batch = RxBatch { arena: &arena, metas: &metas };
        let payloads: Vec<_> = batch.datagrams().map(|datagram| datagram.payload).collect();
        let expected: [&[u8]; 6] = [&[0, 1, 2], &[3, 4, 5], &[6], &[], &[7, 8], &[]];
        assert_eq!(payloads, expected);
    }
}
