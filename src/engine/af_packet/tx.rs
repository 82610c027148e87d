//! Sending: frames are built in the slots of a ring, and one call has the kernel send them.

use super::{open_socket, refused};
use crate::engine::{Committed, Departure, TxCounters, TxEngine, TxPlan, TxSlots};
use crate::error::Result;
use crate::net::ethernet::Ethernet;
use crate::sys::packet::{self, VIRTIO_HEADER_LEN};
use crate::sys::packet_ring::{FRAME_AT, TxRing, checksum_request};
use crate::sys::{clock, poll};
use crate::units::Nanos;
use crate::wire::frame::{Template, UDP_CHECKSUM_AT, UDP_LEN, UdpChecksum, headers_len};
use socket2::Socket;
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::Duration;

/// Where in a slot the Ethernet frame begins.
const ETHERNET_AT: usize = FRAME_AT + VIRTIO_HEADER_LEN;

/// Frames up to this length are copied out of the ring at once. To lend the kernel the page that a slot lies in instead
/// costs more than to copy a frame of common length, and a virtual device copies it all the same.
const COPIED_WHOLE: usize = 2048;

/// Fewest slots: as many frames as a network card commonly has room for.
const FEWEST_SLOTS: usize = 256;
/// Most slots; a batch that is larger is sent in parts.
const MOST_SLOTS: usize = 4096;

/// How long a full ring or device is waited for: as long as a full send buffer by other engines.
const PATIENCE: Nanos = Nanos(100 * Nanos::MILLISECOND.0);

/// A sender.
pub(super) struct PacketTx {
    socket: Socket,
    ring: TxRing,
    /// Keeps the source port ours.
    _port: Socket,
    templates: Box<[Template]>,
    /// The slot that is filled next, by the kernel's count too.
    next: usize,
    /// Lent when the ring stays full; what is written there is refused.
    spare: Box<[u8]>,
    /// Whether the spare slot was lent.
    is_full: bool,
    payload_len: usize,
    payload_at: usize,
    capacity: usize,
    counters: TxCounters,
}

/// Bytes that the ring of a sender takes.
pub(super) fn ring_len(plan: &TxPlan) -> usize {
    slots(plan) * slot_len(plan)
}

fn slots(plan: &TxPlan) -> usize {
    (4 * plan.batch).next_power_of_two().clamp(FEWEST_SLOTS, MOST_SLOTS)
}

/// A power of two, so that no frame lies across two pages, which would be two parts for the card to gather.
fn slot_len(plan: &TxPlan) -> usize {
    (ETHERNET_AT + headers_len(is_v6(plan)) + plan.payload_len).next_power_of_two()
}

fn is_v6(plan: &TxPlan) -> bool {
    plan.flows.first().is_some_and(|flow| flow.group.is_ipv6())
}

impl PacketTx {
    pub(super) fn open(plan: &TxPlan) -> Result<Self> {
        let v6 = is_v6(plan);
        let device = Ethernet::of(plan.interface, super::NAME)?;
        device.check_payload(plan.payload_len, v6)?;
        let (port, templates) = device.templates(&plan.flows, &plan.socket_options())?;
        let socket = open_socket().map_err(|error| refused("open a packet socket", error))?;
        packet::set_qdisc_bypass(&socket)
            .map_err(|error| refused("set PACKET_QDISC_BYPASS of a packet socket", error))?;
        let ring = TxRing::new(&socket, slot_len(plan), slots(plan))
            .map_err(|error| refused("make a ring to send from", error))?;
        packet::bind(&socket, plan.interface, 0)
            .map_err(|error| refused(&format!("bind a packet socket to {}", device.name), error))?;
        Ok(Self {
            spare: vec![0; ring.slot_len()].into(),
            next: 0,
            is_full: false,
            payload_len: plan.payload_len,
            payload_at: ETHERNET_AT + headers_len(v6),
            capacity: plan.batch.clamp(1, ring.slots()),
            counters: TxCounters::default(),
            templates: templates.into(),
            _port: port,
            socket,
            ring,
        })
    }

    /// The virtio header of a frame: what the kernel is to copy of it, and which checksum to complete.
    fn request(&self, frame_len: usize) -> [u8; VIRTIO_HEADER_LEN] {
        let headers_len = self.payload_at - ETHERNET_AT;
        let copied = if frame_len <= COPIED_WHOLE { frame_len } else { headers_len };
        checksum_request(copied, headers_len - UDP_LEN, UDP_CHECKSUM_AT)
    }

    /// How many slots are free from the next one on, without a turn; waits a while for one.
    fn free(&mut self, want: usize) -> usize {
        let mut free = self.ring.free(self.next, want);
        if free == 0 {
            let deadline = clock::monotonic() + PATIENCE;
            while free == 0 && self.wait_for_room(deadline) {
                free = self.ring.free(self.next, want);
            }
        }
        free
    }

    /// Waits until the socket takes more, or for a moment. False when the time is over.
    fn wait_for_room(&self, deadline: Nanos) -> bool {
        let left = deadline.saturating_sub(clock::monotonic());
        if left == Nanos(0) {
            return false;
        }
        // The socket may be writable and the device full, of which nobody tells: then this returns at once.
        if poll::wait_writable(self.socket.as_fd(), Duration::from(left)).is_err() {
            return false;
        }
        std::thread::yield_now();
        true
    }

    /// Offers frames in the slots of `offered` and has the kernel take them. Says how many it took.
    fn send(&mut self, offered: Range<usize>) -> Committed {
        let count = offered.len();
        let mut taken = 0;
        let mut deadline = None;
        loop {
            let result = self.ring.send(&self.socket);
            let before = taken;
            while taken < count && self.ring.is_taken(offered.start + taken) {
                taken += 1;
            }
            self.counters.calls += u64::from(taken > before);
            if taken == count {
                return Committed { taken, refused: None };
            }
            // Without an error it was the send buffer that was full after some had left.
            let errno = result.err().and_then(|error| error.raw_os_error()).unwrap_or(libc::EAGAIN);
            let deadline = *deadline.get_or_insert_with(|| clock::monotonic() + PATIENCE);
            let may_pass = matches!(errno, libc::EAGAIN | libc::ENOBUFS);
            if !may_pass || !self.wait_for_room(deadline) {
                let refused = if errno == libc::EAGAIN { libc::ENOBUFS } else { errno };
                return Committed { taken, refused: Some(refused) };
            }
            self.counters.cut_short += u64::from(taken > before);
        }
    }
}

impl TxEngine for PacketTx {
    fn reserve(&mut self, want: usize, payload_len: usize) -> TxSlots<'_> {
        self.payload_len = payload_len;
        let payload = self.payload_at..self.payload_at + payload_len;
        let free = self.free(want.min(self.capacity));
        self.is_full = free == 0;
        let stride = self.ring.slot_len();
        let slots = if self.is_full { &mut self.spare } else { self.ring.lend(self.next, free) };
        TxSlots::new(slots, stride, payload)
    }

    fn commit(&mut self, departures: &[Departure]) -> Committed {
        if self.is_full || departures.is_empty() {
            let refused = self.is_full.then_some(libc::ENOBUFS);
            return Committed { taken: 0, refused };
        }
        let offered = self.next..self.next + departures.len();
        let frame = ETHERNET_AT..self.payload_at + self.payload_len;
        let request = self.request(frame.len());
        for (slot, departure) in offered.clone().zip(departures) {
            let template = &self.templates[departure.flow as usize];
            let bytes = self.ring.lend(slot, 1);
            bytes[FRAME_AT..ETHERNET_AT].copy_from_slice(&request);
            template.write(&mut bytes[frame.clone()], UdpChecksum::Partial);
            self.ring.offer(slot, frame.len());
        }
        let committed = self.send(offered.clone());
        for slot in offered.start + committed.taken..offered.end {
            self.ring.take_back(slot);
        }
        self.next = (offered.start + committed.taken) % self.ring.slots();
        committed
    }

    fn counters(&mut self) -> TxCounters {
        self.counters
    }
}
