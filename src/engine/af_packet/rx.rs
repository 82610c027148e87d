//! Receiving: frames are read where the kernel has put them, block after block of a ring.

use super::{filter, open_socket, refused};
use crate::engine::directory::Directory;
use crate::engine::{RxBatch, RxCounters, RxEngine, RxMeta, RxPlan, datagrams_in};
use crate::error::Result;
use crate::model::drops::PacketSize;
use crate::model::report::BufferGrant;
use crate::net::ethernet::Ethernet;
use crate::net::membership::keep_joined;
use crate::net::timestamp::Stamps;
use crate::sys::filter::attach;
use crate::sys::packet;
use crate::sys::packet_ring::{RxFrame, RxRing};
use crate::sys::poll::PollSet;
use crate::wire::frame::{IPV4_TYPE, IPV6_TYPE, UdpFrame};
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

/// A receiver.
pub(super) struct PacketRx {
    socket: Socket,
    ring: RxRing,
    poll: PollSet,
    /// Keep the groups joined.
    _members: Vec<Socket>,
    directory: Directory,
    interface: u32,
    metas: Vec<RxMeta>,
    capacity: usize,
    stamps: Stamps,
    grant: BufferGrant,
    counters: RxCounters,
}

impl PacketRx {
    pub(super) fn open(plan: &RxPlan) -> Result<Self> {
        let device = Ethernet::of(plan.interface, super::NAME)?;
        let socket = open_socket().map_err(|error| refused("open a packet socket", error))?;
        attach(socket.as_fd(), &filter::program(&plan.flows))
            .map_err(|error| refused("filter the frames of a packet socket", error))?;
        if plan.stamps.are_hardware() {
            packet::set_hardware_timestamps(&socket)
                .map_err(|error| refused("set PACKET_TIMESTAMP of a packet socket", error))?;
        }
        let ring = RxRing::new(&socket, plan.receive_buffer)
            .map_err(|error| refused("make a ring to receive into", error))?;
        // Joined before it listens: then nothing comes that is not asked for.
        let members = keep_joined(&plan.flows, plan.interface)?;
        let is_v6 = plan.flows.first().is_some_and(|flow| flow.group.is_ipv6());
        let ethertype = if is_v6 { IPV6_TYPE } else { IPV4_TYPE };
        packet::bind(&socket, plan.interface, ethertype)
            .map_err(|error| refused(&format!("bind a packet socket to {}", device.name), error))?;
        let grant =
            BufferGrant { asked: plan.receive_buffer, granted: ring.bytes(), forced: false };
        Ok(Self {
            poll: PollSet::new([socket.as_fd()].into_iter()),
            _members: members,
            directory: Directory::new(plan.flows.iter().copied().zip(0..)),
            interface: plan.interface,
            metas: Vec::with_capacity(plan.batch),
            capacity: plan.batch,
            stamps: plan.stamps.clone(),
            grant,
            counters: RxCounters::default(),
            socket,
            ring,
        })
    }

    /// Waits for a block. A link that goes down is reported once, and may come back.
    fn wait(&mut self, wait: Duration) -> io::Result<()> {
        self.poll.wait(wait)?;
        if !self.poll.is_ready(0) {
            return Ok(());
        }
        match self.socket.take_error()? {
            Some(error) if error.raw_os_error() != Some(libc::ENETDOWN) => Err(error),
            _ => Ok(()),
        }
    }

    /// Notes a frame if it is a datagram of ours.
    #[inline]
    fn note(&mut self, frame: RxFrame) -> Option<()> {
        let RxFrame { offset, len, received_at, is_hardware, has_no_damage, segment_len } = frame;
        let bytes = self.ring.block().get(offset..)?.get(..len)?;
        let found = UdpFrame::parse(bytes)?;
        if !has_no_damage && !found.has_right_checksum(bytes) {
            return None;
        }
        let flow = self.directory.find(found.source.ip(), found.destination)?;
        let received_at = match &self.stamps {
            Stamps::Hardware { line, .. } if is_hardware => line.realtime(received_at),
            Stamps::Hardware { .. } => {
                self.counters.without_hardware += 1;
                received_at
            }
            Stamps::Kernel => received_at,
        };
        let datagrams = datagrams_in(found.payload.len(), segment_len) as u64;
        self.counters.own.size.add(PacketSize { packets: 1, datagrams });
        self.metas.push(RxMeta {
            offset: (offset + found.payload.start) as u32,
            len: found.payload.len() as u32,
            segment_len,
            received_at,
            source: self.scoped(found.source),
            flow,
            dropped_before: 0,
        });
        Some(())
    }

    /// A link-local address means something on its link only (RFC 4007 section 6).
    fn scoped(&self, source: SocketAddr) -> SocketAddr {
        match source {
            SocketAddr::V6(mut source) if source.ip().is_unicast_link_local() => {
                source.set_scope_id(self.interface);
                source.into()
            }
            source => source,
        }
    }
}

impl RxEngine for PacketRx {
    fn poll(&mut self, wait: Duration) -> io::Result<RxBatch<'_>> {
        self.metas.clear();
        let mut is_ours = self.ring.turn();
        if !is_ours && !wait.is_zero() {
            self.wait(wait)?;
            is_ours = self.ring.turn();
        }
        if is_ours {
            self.stamps.refresh();
            while self.metas.len() < self.capacity {
                let Some(frame) = self.ring.next_frame() else { break };
                self.note(frame);
            }
        }
        Ok(RxBatch { arena: self.ring.block(), metas: &self.metas })
    }

    fn counters(&mut self) -> RxCounters {
        if let Ok(drops) = packet::take_drops(self.socket.as_fd()) {
            self.counters.own.by_rings += u64::from(drops);
            self.counters.dropped += self.counters.own.size.datagrams_in(drops.into());
        }
        self.counters.calls = self.ring.handed_over();
        self.counters
    }

    fn receive_buffer(&self) -> (BufferGrant, usize) {
        (self.grant, 1)
    }
}
