//! Listening for a while, once for all checks that ask what came: the groups are joined, a packet socket sees what
//! comes in, and the counters of the host are read before and after.

use super::Asked;
use super::firewall::{self, Dropped};
use crate::model::drops::HostDrops;
use crate::model::group::{MAX_GROUPS, Membership};
use crate::net::counters::{Counters, Scope, Side};
use crate::net::membership;
use crate::sys::clock;
use crate::sys::filter::{self, LEAVE, Step, and, if_equal, keep, load_byte, load_known};
use crate::sys::packet;
use crate::units::Nanos;
use crate::wire::frame::{IPV4_TYPE, IPV6_TYPE};
use crate::wire::packet::{Datagram, Packet};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long to look whether to stop.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of each packet: the longest headers, and ours.
const KEPT: u32 = 192;
/// Twice the groups that there can be; more that differ are a scan, not a load.
const MOST_FLOWS: usize = 2 * MAX_GROUPS as usize;
/// Bytes; a few milliseconds of a fast sender. As much of it as the kernel gives is enough.
const ROOM: usize = 4 << 20;

/// What to listen for.
pub struct Listening {
    time: Nanos,
    stop: Arc<AtomicBool>,
    is_in_vain: bool,
    heard: OnceCell<Option<Heard>>,
}

/// What was heard.
pub(super) struct Heard {
    /// For how long.
    pub(super) time: Nanos,
    /// Counters of drops that rose.
    pub(super) risen: HostDrops,
    /// Rules of a firewall that took something away.
    pub(super) dropped: Vec<Dropped>,
    /// What came in, or why that could not be seen.
    pub(super) wire: io::Result<Wire>,
}

/// What came in by the interfaces of this host.
#[derive(Default)]
pub(super) struct Wire {
    /// Datagrams to groups, by what they have in common.
    pub(super) flows: BTreeMap<Flow, Seen>,
    /// Who asks who listens on the interface, and in which version.
    pub(super) queriers: BTreeMap<IpAddr, u8>,
    /// Packets that came too fast to be looked at.
    pub(super) missed: u32,
}

/// What datagrams have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    /// Index of the interface that they came in by.
    pub(super) interface: u32,
    /// To which group.
    pub(super) group: IpAddr,
    /// To which port.
    pub(super) port: u16,
    /// From whom.
    pub(super) source: IpAddr,
}

/// What was seen of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The least time to live, or hop limit, that was left.
    pub(super) ttl: u8,
    /// Whether any of them was of ours.
    pub(super) is_ours: bool,
}

impl Listening {
    /// For that time, or until `stop` is set. `is_in_vain`: a receiver of this host hears nothing of the groups.
    pub fn new(time: Nanos, stop: Arc<AtomicBool>, is_in_vain: bool) -> Self {
        Self { time, stop, is_in_vain, heard: OnceCell::new() }
    }

    fn has_ended(&self, deadline: Nanos) -> bool {
        self.stop.load(Ordering::Relaxed) || clock::monotonic() >= deadline
    }
}

impl Asked {
    /// What came while listening, if that was asked for and could be done. The first to ask waits for it.
    pub(super) fn heard(&self) -> Option<&Heard> {
        let listening = self.listen.as_ref().filter(|_| self.is_up())?;
        listening.heard.get_or_init(|| listen(self, listening)).as_ref()
    }

    /// Whether a receiver of this host listens, and hears nothing.
    pub(super) fn is_in_vain(&self) -> bool {
        self.listen.as_ref().is_some_and(|listening| listening.is_in_vain)
    }

    /// Flows of a group of ours, by the interface.
    pub(super) fn flows(&self) -> impl Iterator<Item = (&Flow, &Seen)> {
        let wire = self.heard().and_then(|heard| heard.wire.as_ref().ok());
        let flows = wire.into_iter().flat_map(|wire| &wire.flows);
        let wanted: HashSet<_> = match wire {
            Some(_) => self.groups.iter().copied().collect(),
            None => HashSet::new(),
        };
        flows.filter(move |(flow, _)| {
            flow.interface == self.interface.index
                && (wanted.contains(&flow.any_source()) || wanted.contains(&flow.specific()))
        })
    }
}

impl Flow {
    /// What a receiver joins that wants it from whomever.
    pub(super) fn any_source(&self) -> Membership {
        Membership { source: None, group: self.group, port: self.port }
    }

    /// What a receiver joins that wants it from its source only.
    pub(super) fn specific(&self) -> Membership {
        Membership { source: Some(self.source), ..self.any_source() }
    }
}

/// Nobody reads the sockets that join, so they have no port: what comes is dropped uncounted at the end of the way.
fn listen(asked: &Asked, listening: &Listening) -> Option<Heard> {
    let v6 = asked.is_v6();
    let scope = Scope { interface: asked.interface.index, v4: !v6, v6 };
    // A group that cannot be joined is the finding of another check.
    let joined = membership::keep_joined(&asked.groups, asked.interface.index).ok()?;
    let rules = firewall::dropped();
    let before = Counters::read(&scope, Side::Receiving);
    let started = clock::monotonic();
    let deadline = started + listening.time;
    let wire = watch(asked, || listening.has_ended(deadline));
    while !listening.has_ended(deadline) {
        clock::sleep_until((clock::monotonic() + Nanos::from(LOOK)).min(deadline));
    }
    let risen = Counters::read(&scope, Side::Receiving).since(&before);
    let time = clock::monotonic() - started;
    drop(joined);
    Some(Heard { time, risen, dropped: firewall::since(&rules), wire })
}

/// Notes what comes in by any interface, until that is over.
fn watch(asked: &Asked, has_ended: impl Fn() -> bool) -> io::Result<Wire> {
    let ethertype = if asked.is_v6() { IPV6_TYPE } else { IPV4_TYPE };
    let socket = packet::open_without_link()?;
    filter::attach(socket.as_fd(), &incoming_multicast(ethertype))?;
    packet::bind(&socket, 0, packet::ALL_PROTOCOLS)?;
    socket.set_read_timeout(Some(LOOK))?;
    socket.set_recv_buffer_size(ROOM)?;
    let mut wire = Wire::default();
    let mut buffer = [0; KEPT as usize];
    while !has_ended() {
        // In the end nothing came in time.
        let Ok((len, interface)) = packet::receive(socket.as_fd(), &mut buffer) else { continue };
        match Packet::parse(&buffer[..len]) {
            Some(Packet::Datagram(datagram)) => wire.note(interface, datagram),
            Some(Packet::Query(query)) if interface == asked.interface.index => {
                wire.queriers.insert(query.source, query.version);
            }
            _ => {}
        }
    }
    wire.missed = packet::take_drops(socket.as_fd())?;
    Ok(wire)
}

impl Wire {
    fn note(&mut self, interface: u32, datagram: Datagram) {
        let Datagram { source, group, port, ttl, is_ours } = datagram;
        let flow = Flow { interface, group, port, source };
        if let Some(seen) = self.flows.get_mut(&flow) {
            *seen = Seen { ttl: seen.ttl.min(ttl), is_ours: seen.is_ours || is_ours };
        } else if self.flows.len() < MOST_FLOWS {
            self.flows.insert(flow, Seen { ttl, is_ours });
        }
    }
}

/// Keeps the beginning of packets to groups that come in. Offsets are those from the IP header.
fn incoming_multicast(ethertype: u16) -> [Step; 9] {
    // Of 224.0.0.0/4 and of ff00::/8.
    let (destination, mask, prefix) =
        if ethertype == IPV6_TYPE { (24, 0xff, 0xff) } else { (16, 0xf0, 0xe0) };
    [
        load_known(libc::SKF_AD_PKTTYPE),
        if_equal(libc::PACKET_OUTGOING.into(), 6, 0),
        load_known(libc::SKF_AD_PROTOCOL),
        if_equal(ethertype.into(), 0, 4),
        load_byte(destination),
        and(mask),
        if_equal(prefix, 0, 1),
        keep(KEPT),
        LEAVE,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_told_apart_and_not_without_end() {
        let mut wire = Wire::default();
        let datagram = |port, ttl| Datagram {
            source: "192.0.2.1".parse().unwrap(),
            group: "233.252.0.7".parse().unwrap(),
            port,
            ttl,
            is_ours: ttl == 2,
        };
        wire.note(3, datagram(1, 5));
        wire.note(3, datagram(1, 2));
        wire.note(3, datagram(1, 9));
        wire.note(4, datagram(1, 9));
        let seen: Vec<_> = wire.flows.values().map(|seen| (seen.ttl, seen.is_ours)).collect();
        assert_eq!(seen, [(2, true), (9, false)]);
        (0..3).for_each(|interface| {
            (0..u16::MAX).for_each(|port| wire.note(interface, datagram(port, 1)))
        });
        assert_eq!(wire.flows.len(), MOST_FLOWS);
    }
}
