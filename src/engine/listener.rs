//! The sockets of a receiver, and what it knows of each beyond a datagram.

use super::control::Control;
use super::{FlowIndex, RxCounters, RxPlan};
use crate::error::{Error, Result};
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::net::socket::{self, MEMBERSHIPS_PER_SOCKET};
use crate::sys::sockopt;
use socket2::Socket;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// A socket and the groups that it joined.
pub(super) struct Listener {
    socket: Socket,
    flows: Vec<(IpAddr, FlowIndex)>,
    grant: BufferGrant,
    /// Drops as last read; the kernel counts in 32 bits.
    drops: u32,
    /// Drops as last told beside a datagram.
    overflow: u32,
}

/// Opens the sockets of a receiver, as few as the limit of memberships allows, and joins its groups. `segments`:
/// several datagrams may be received as one.
///
/// # Errors
/// What the kernel refuses, by option and by group.
pub(super) fn open_all(plan: &RxPlan, segments: bool) -> Result<Box<[Listener]>> {
    let mut by_port: BTreeMap<u16, Vec<(Membership, FlowIndex)>> = BTreeMap::new();
    for (index, flow) in (0..).zip(&plan.flows) {
        by_port.entry(flow.port).or_default().push((*flow, index));
    }
    by_port
        .values()
        .flat_map(|flows| flows.chunks(MEMBERSHIPS_PER_SOCKET))
        .map(|flows| Listener::open(flows, plan, segments))
        .collect()
}

/// Adds what the sockets dropped since this was last asked.
pub(super) fn count_drops(listeners: &mut [Listener], counters: &mut RxCounters) {
    for listener in listeners {
        if let Ok(drops) = sockopt::receive_drops(listener.as_fd()) {
            let new = u64::from(drops.wrapping_sub(listener.drops));
            counters.own.by_sockets += new;
            counters.dropped += counters.own.size.datagrams_in(new);
            listener.drops = drops;
        }
    }
}

/// The least receive buffer among the sockets, and how many they are.
pub(super) fn receive_buffer(listeners: &[Listener]) -> (BufferGrant, usize) {
    let grants = listeners.iter().map(|listener| listener.grant);
    (grants.min_by_key(|grant| grant.granted).unwrap_or_default(), listeners.len())
}

impl Listener {
    /// Opens a socket for groups of one port and joins them.
    fn open(flows: &[(Membership, FlowIndex)], plan: &RxPlan, segments: bool) -> Result<Self> {
        let groups: Vec<_> = flows.iter().map(|(flow, _)| *flow).collect();
        let bind = socket::bind_address(&groups, plan.interface);
        let (socket, grant) =
            socket::open_receiver(bind, plan.receive_buffer, plan.stamps.are_hardware())?;
        if let Some(micros) = plan.busy_poll_us {
            socket::set_busy_poll(&socket, micros)?;
        }
        if segments {
            sockopt::set_receive_segments(socket.as_fd()).map_err(|error| {
                Error::os("cannot set UDP_GRO of a UDP socket", error).hint("take another --engine")
            })?;
        }
        for group in &groups {
            socket::join(&socket, plan.interface, group)?;
        }
        let flows = flows.iter().map(|(flow, index)| (flow.group, *index)).collect();
        Ok(Self { socket, flows, grant, drops: 0, overflow: 0 })
    }

    /// The socket.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The group that a datagram was sent to; `None` if it was none of ours.
    #[inline]
    pub(super) fn flow(&self, control: &Control) -> Option<FlowIndex> {
        match self.flows.as_slice() {
            // Bound to its group, the socket gets nothing else.
            [(_, only)] => Some(*only),
            flows => {
                let to = control.destination?;
                flows.iter().find(|(group, _)| *group == to).map(|(_, flow)| *flow)
            }
        }
    }

    /// Packets that the socket dropped since the one of which this was last asked.
    #[inline]
    pub(super) fn dropped_before(&mut self, control: &Control) -> u32 {
        let dropped = control.overflow.map_or(0, |now| now.wrapping_sub(self.overflow));
        self.overflow = self.overflow.wrapping_add(dropped);
        dropped
    }
}
