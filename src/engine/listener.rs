//! The sockets of a receiver, and what it knows of each beyond a datagram.

use super::control::Control;
use super::directory::Directory;
use super::{FlowIndex, RxCounters, RxPlan};
use crate::error::{Error, Result};
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::model::spec::Bind;
use crate::net::{membership, socket};
use crate::sys::sockopt;
use socket2::Socket;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// A socket and the groups that it joined.
pub(super) struct Listener {
    socket: Socket,
    whose: Whose,
    grant: BufferGrant,
    /// Drops as last read; the kernel counts in 32 bits.
    drops: u32,
    /// Drops as last told beside a datagram.
    overflow: u32,
}

/// Which flows the datagrams of a socket belong to.
enum Whose {
    /// It is bound to its group, has one source of it or any, and gets nothing else.
    Only(FlowIndex),
    /// Bound to a group of which it has several sources.
    OfGroup(SocketAddr, Directory),
    /// To be found by the destination, which is of this port.
    OfPort(u16, Directory),
}

/// Opens the sockets of a receiver, as few as the limit of memberships allows, and joins its groups. `segments`:
/// several datagrams may be received as one.
///
/// # Errors
/// What the kernel refuses, by option and by group.
pub(super) fn open_all(plan: &RxPlan, segments: bool) -> Result<Box<[Listener]>> {
    let mut by_port: BTreeMap<(u16, bool), Vec<(Membership, FlowIndex)>> = BTreeMap::new();
    for (index, flow) in (0..).zip(&plan.flows) {
        by_port.entry((flow.port, flow.group.is_ipv6())).or_default().push((*flow, index));
    }
    let mut listeners = Vec::new();
    for flows in by_port.values().flat_map(|flows| membership::per_socket(flows, |flow| flow.0)) {
        let mut rest = flows.as_slice();
        while !rest.is_empty() {
            let (listener, joined) = Listener::open(rest, plan, segments)?;
            listeners.push(listener);
            rest = &rest[joined..];
        }
    }
    Ok(listeners.into())
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
    /// Opens a socket for groups of one port and one family, and joins as many of them as it may have. Says how many.
    fn open(
        flows: &[(Membership, FlowIndex)],
        plan: &RxPlan,
        segments: bool,
    ) -> Result<(Self, usize)> {
        let groups: Vec<_> = flows.iter().map(|(flow, _)| *flow).collect();
        let bind = match plan.bind {
            Bind::Group => socket::bind_address(&groups, plan.interface),
            Bind::Any => socket::any_address(&groups[0]),
        };
        let (socket, grant) =
            socket::open_receiver(bind, plan.receive_buffer, plan.stamps.are_hardware())?;
        if bind.is_ipv6() {
            socket::keep_to_interface(&socket, plan.interface)?;
        }
        if let Some(micros) = plan.busy_poll_us {
            socket::set_busy_poll(&socket, micros)?;
        }
        if segments {
            sockopt::set_receive_segments(socket.as_fd()).map_err(|error| {
                Error::os("cannot set UDP_GRO of a UDP socket", error).hint("take another --engine")
            })?;
        }
        let joined = membership::join_some(&socket, plan.interface, &groups)?;
        let whose = Whose::new(&flows[..joined], bind);
        Ok((Self { socket, whose, grant, drops: 0, overflow: 0 }, joined))
    }

    /// The socket.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The flow of a datagram; `None` if it is none of ours.
    #[inline]
    pub(super) fn flow(&mut self, source: SocketAddr, control: &Control) -> Option<FlowIndex> {
        match &mut self.whose {
            Whose::Only(only) => Some(*only),
            Whose::OfGroup(group, flows) => flows.find(source.ip(), *group).flatten(),
            Whose::OfPort(port, flows) => {
                let to = SocketAddr::new(control.destination?, *port);
                flows.find(source.ip(), to).flatten()
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

impl Whose {
    fn new(flows: &[(Membership, FlowIndex)], bind: SocketAddr) -> Self {
        match flows {
            [(_, only)] if bind.ip().is_multicast() => Self::Only(*only),
            // The directory knows no scope, which a group of link scope is bound with.
            _ if bind.ip().is_multicast() => Self::OfGroup(
                SocketAddr::new(bind.ip(), bind.port()),
                Directory::new(flows.iter().copied()),
            ),
            _ => Self::OfPort(bind.port(), Directory::new(flows.iter().copied())),
        }
    }
}
