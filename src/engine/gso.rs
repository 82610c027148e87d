//! Several datagrams as one through the kernel: `UDP_SEGMENT` to send, `UDP_GRO` to receive, udp(7).
//!
//! A super-packet goes down the stack once and is cut apart by the network card, or just before it. So its datagrams
//! leave back to back, in a train: many a second, but not evenly. A datagram that is due alone leaves alone.
//! Plain receivers get each datagram by itself, and plain senders' datagrams are received one by one.

use super::arena::Arena;
use super::mmsg::MmsgRx;
use super::{
    Committed, Departure, Engine, Halves, RxPlan, Support, TxCounters, TxEngine, TxPlan, TxSlots,
};
use crate::error::{Error, Result};
use crate::model::drops::PacketSize;
use crate::net::socket;
use crate::sys::mmsg::{MAX_BATCH, Outgoing, SendBatch};
use crate::sys::netdev::{interface_name, link};
use crate::sys::sockopt;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;

/// Longest UDP payload over IPv4, of a super-packet too.
const LONGEST: usize = 65_507;

/// Headers that each datagram gets: IPv4 or IPv6, and UDP (RFC 791, 8200, 768).
const V4_HEADERS: usize = 20 + 8;
const V6_HEADERS: usize = 40 + 8;

/// `UDP_MAX_SEGMENTS` of newer and of all kernels that have it, `<linux/udp.h>`.
const MOST_SEGMENTS: usize = 128;
const LEAST_SEGMENTS: usize = 64;

/// The engine.
pub struct Gso;

impl Engine for Gso {
    fn name(&self) -> &'static str {
        "gso"
    }

    fn about(&self) -> &'static str {
        "UDP sockets, many datagrams as one through the kernel, in trains (UDP_SEGMENT, UDP_GRO; Linux 5.0)"
    }

    fn probe(&self) -> Support {
        match most_segments() {
            Ok(_) => Support::Ready,
            Err(error) => Support::Missing {
                why: format!("this kernel does not segment UDP datagrams: {error}"),
                hint: "Linux has UDP_SEGMENT since 4.18 and UDP_GRO since 5.0".into(),
            },
        }
    }

    fn sends_trains(&self) -> bool {
        true
    }

    fn open(&self, tx: &[TxPlan], rx: &[RxPlan]) -> Result<Halves> {
        Halves::open(tx, rx, GsoTx::open, |plan| MmsgRx::open(plan, true))
    }
}

struct GsoTx {
    socket: Socket,
    destinations: Box<[SockAddr]>,
    batch: SendBatch,
    arena: Arena,
    /// Most datagrams in one super-packet, as the kernel says.
    most_segments: usize,
    /// Longest payload that fits a frame; longer ones travel as fragments, each by itself.
    longest_segment: usize,
    /// Lengths of the messages of the last call, in datagrams.
    messages: Vec<usize>,
    counters: TxCounters,
}

impl GsoTx {
    fn open(plan: &TxPlan) -> Result<Self> {
        let most_segments = most_segments().map_err(|error| {
            Error::os("cannot send with UDP_SEGMENT", error).hint("take another --engine")
        })?;
        let v6 = plan.flows.iter().any(|flow| flow.group.is_ipv6());
        let socket = socket::open_sender(&plan.socket_options())?;
        let mtu = interface_name(plan.interface).and_then(|name| link(&name)).map_err(|error| {
            Error::os(format!("cannot ask interface {} for its MTU", plan.interface), error)
        })?;
        let headers = if v6 { V6_HEADERS } else { V4_HEADERS };
        let capacity = plan.batch.clamp(1, MAX_BATCH);
        Ok(Self {
            socket,
            destinations: plan.targets(),
            batch: SendBatch::new(capacity),
            arena: Arena::new(capacity, plan.payload_len),
            most_segments,
            longest_segment: mtu.mtu.saturating_sub(headers),
            messages: Vec::with_capacity(capacity),
            counters: TxCounters::default(),
        })
    }

    /// Most datagrams of a length that can leave as one.
    fn segments(&self, payload_len: usize) -> usize {
        match payload_len {
            0 => 1,
            len if len > self.longest_segment => 1,
            len => (LONGEST / len).clamp(1, self.most_segments),
        }
    }

    /// Sends what is left of a commit with one call. Says how many datagrams left.
    fn send(&mut self, departures: &[Departure], from: usize) -> io::Result<usize> {
        let most = self.segments(self.arena.payload_len);
        self.messages.clear();
        let runs = departures[from..].chunk_by(|a, b| a.flow == b.flow);
        let messages = runs.flat_map(|run| run.chunks(most));
        let (arena, lens) = (&self.arena, &mut self.messages);
        let mut at = from;
        let outgoing = messages.map(|message| {
            let payload = arena.train(at, message.len());
            at += message.len();
            lens.push(message.len());
            Outgoing {
                payload,
                to: &self.destinations[message[0].flow as usize],
                segment_len: if message.len() == 1 { 0 } else { arena.payload_len as u16 },
                leave_at: None,
            }
        });
        let sent = self.batch.send(self.socket.as_fd(), outgoing)?;
        let sent = &self.messages[..sent];
        let longest = sent.iter().copied().max().unwrap_or(0) as u64;
        let datagrams = sent.iter().sum();
        self.counters.super_packet_max = self.counters.super_packet_max.max(longest);
        self.counters
            .size
            .add(PacketSize { packets: sent.len() as u64, datagrams: datagrams as u64 });
        Ok(datagrams)
    }
}

impl TxEngine for GsoTx {
    /// As many whole super-packets as there is room for, at least one.
    fn reserve(&mut self, want: usize, payload_len: usize) -> TxSlots<'_> {
        let capacity = self.arena.capacity;
        let whole = capacity - capacity % self.segments(payload_len).min(capacity);
        self.arena.reserve(want.min(whole), payload_len)
    }

    fn commit(&mut self, departures: &[Departure]) -> Committed {
        let mut taken = 0;
        while taken < departures.len() {
            match self.send(departures, taken) {
                Ok(sent) => {
                    self.counters.calls += 1;
                    taken += sent;
                    self.counters.cut_short += u64::from(taken < departures.len());
                }
                // "EIO": the device cannot fill in the checksums of the parts (udp_send_skb, net/ipv4/udp.c). Seen
                // only once: from then on each datagram leaves by itself.
                Err(error) if error.raw_os_error() == Some(libc::EIO) && self.most_segments > 1 => {
                    self.most_segments = 1;
                    self.counters.fell_back = error.raw_os_error();
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

/// Most datagrams that this kernel takes as one, found out by sending some of one byte to ourselves; not to be told
/// from its version, since 128 was brought back to older ones.
fn most_segments() -> io::Result<usize> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM.cloexec(), None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let own = socket.local_addr()?;
    sockopt::set_receive_segments(socket.as_fd())?;
    let mut batch = SendBatch::new(1);
    let mut send = |count: usize| {
        let message = Outgoing {
            payload: &[0; MOST_SEGMENTS][..count],
            to: &own,
            segment_len: 1,
            leave_at: None,
        };
        batch.send(socket.as_fd(), std::iter::once(message)).map(|_| count)
    };
    send(MOST_SEGMENTS).or_else(|_| send(LEAST_SEGMENTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_how_many_it_takes() {
        assert!([64, 128].contains(&most_segments().unwrap()));
        assert_eq!(Gso.probe(), Support::Ready);
    }
}
