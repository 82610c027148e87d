//! Receives from groups what was asked for and nothing else, datagram by datagram, with all that the kernel knows of each.
//!
//! For those who want to see datagrams, one system call each. Those who count millions have an engine.

use super::timestamp::Timestamps;
use super::{membership, socket};
use crate::error::{Error, Result};
use crate::model::environment::Interface;
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::sys::cmsg::{ControlMessage, control_messages, timespec_nanos};
use crate::sys::message::Message;
use crate::sys::poll::PollSet;
use crate::sys::{clock, sockopt};
use crate::units::Nanos;
use socket2::Socket;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

/// No UDP payload is longer (RFC 768), so none is ever cut off.
const LONGEST: usize = 65_535;

/// Datagrams that are taken from one socket before the others are looked at.
const TURN: u32 = 64;

/// Receives from the groups that it has joined. It leaves them when it is dropped.
///
/// A datagram for another group or that came over another interface is never shown, whatever other programs of the host
/// have joined. Datagrams of groups that share port and interface come in the order in which the kernel got them; of
/// others, by turns.
pub struct MulticastReceiver {
    receive_buffer: usize,
    sockets: Vec<Joined>,
    poll: PollSet,
    /// Whose turn it is, and how many it had in it.
    turn: (usize, u32),
    message: Message,
    payload: Box<[u8]>,
    /// Of sockets that are closed by now.
    drops: u64,
    _keeps_stamps_true: Timestamps,
}

/// A datagram that came.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What it carries.
    pub payload: &'a [u8],
    /// Who sent it.
    pub source: SocketAddr,
    /// Group and port that it was sent to.
    pub destination: SocketAddr,
    /// Index of the interface that it came over.
    pub interface: u32,
    /// When the kernel received it, since the Unix epoch; `None` if it does not say.
    pub received_at: Option<Nanos>,
    /// Time to live, or hop limit, that it still had; `None` if the kernel does not say.
    pub ttl: Option<u8>,
    /// Datagrams that this host dropped before this one, and after the last of the same socket, because they came faster
    /// than they were taken.
    pub dropped_before: u32,
}

impl MulticastReceiver {
    /// Has joined nothing yet. Its sockets will ask for so many bytes of receive buffer; [`MulticastReceiver::buffer`]
    /// says what they got.
    ///
    /// # Errors
    /// The kernel's receive timestamps cannot be switched on.
    pub fn new(receive_buffer: usize) -> Result<Self> {
        Ok(Self {
            receive_buffer,
            sockets: Vec::new(),
            poll: PollSet::new(std::iter::empty()),
            turn: (0, 0),
            message: Message::new(),
            payload: vec![0; LONGEST].into(),
            drops: 0,
            _keeps_stamps_true: Timestamps::warm_up()?,
        })
    }

    /// Joins groups on an interface, more than a socket may have too. None of them if one cannot be joined.
    ///
    /// # Errors
    /// Names the group and the limit that was hit, or the port that another program has for itself; a group that was
    /// joined there before, whose datagrams would come twice.
    pub fn join(&mut self, interface: &Interface, groups: &[Membership]) -> Result<()> {
        if let Some(twice) = groups.iter().find(|group| self.place(interface, group).is_some()) {
            let name = &interface.name;
            return Err(Error::usage(format!("{twice} was joined on {name} already")));
        }
        let mut by_socket: BTreeMap<(u16, bool), Vec<Membership>> = BTreeMap::new();
        for group in groups {
            by_socket.entry((group.port, group.group.is_ipv6())).or_default().push(*group);
        }
        let mut sockets = Vec::new();
        for groups in by_socket.values().flat_map(|groups| membership::per_socket(groups, |it| *it))
        {
            let mut rest = groups.as_slice();
            while !rest.is_empty() {
                let joined = Joined::open(interface.index, rest, self.receive_buffer)?;
                rest = &rest[joined.groups.len()..];
                sockets.push(joined);
            }
        }
        self.sockets.append(&mut sockets);
        self.watch();
        Ok(())
    }

    /// Leaves a group on an interface.
    ///
    /// # Errors
    /// It was not joined there, or the interface has gone.
    pub fn leave(&mut self, interface: &Interface, group: &Membership) -> Result<()> {
        let Some(index) = self.place(interface, group) else {
            return Err(Error::usage(format!("{group} was not joined on {}", interface.name)));
        };
        let joined = &mut self.sockets[index];
        membership::leave(&joined.socket, interface.index, group)?;
        joined.groups.retain(|joined| joined != group);
        if joined.groups.is_empty() {
            self.drops += joined.drops();
            self.sockets.remove(index);
            self.watch();
        }
        Ok(())
    }

    /// The next datagram. `None` if none came for so long, or a signal came first.
    ///
    /// # Errors
    /// What the kernel says of the socket.
    pub fn recv(&mut self, timeout: Duration) -> Result<Option<Datagram<'_>>> {
        let arrival = self.next(timeout)?;
        Ok(arrival.map(|arrival| Datagram {
            payload: &self.payload[..arrival.len],
            source: arrival.source,
            destination: arrival.destination,
            interface: arrival.interface,
            received_at: arrival.noted.received_at,
            ttl: arrival.noted.ttl,
            dropped_before: arrival.dropped_before,
        }))
    }

    /// Datagrams that this host dropped because they came faster than they were taken, those that nothing followed too.
    pub fn drops(&self) -> u64 {
        self.drops + self.sockets.iter().map(Joined::drops).sum::<u64>()
    }

    /// The least receive buffer among the sockets; `None` before the first group is joined.
    pub fn buffer(&self) -> Option<BufferGrant> {
        self.sockets.iter().map(|joined| joined.grant).min_by_key(|grant| grant.granted)
    }

    /// The socket that has joined a group on an interface.
    fn place(&self, interface: &Interface, group: &Membership) -> Option<usize> {
        self.sockets
            .iter()
            .position(|joined| joined.interface == interface.index && joined.groups.contains(group))
    }

    fn watch(&mut self) {
        self.poll = PollSet::new(self.sockets.iter().map(|joined| joined.socket.as_fd()));
        self.turn = (0, 0);
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<Arrival>> {
        let until = Nanos(clock::monotonic().0.saturating_add(Nanos::from(timeout).0));
        loop {
            if let Some(arrival) = self.take()? {
                return Ok(Some(arrival));
            }
            let left = until.saturating_sub(clock::monotonic());
            let waited = self.poll.wait(Duration::from(left));
            waited.map_err(|error| Error::os("cannot wait for datagrams", error))?;
            self.turn = (0, 0);
            if !(0..self.sockets.len()).any(|index| self.poll.is_ready(index)) {
                return Ok(None);
            }
            // What is not for us must not hold us up for longer than was asked for.
            if left == Nanos(0) {
                return self.take();
            }
        }
    }

    /// A datagram of those that were there when last looked.
    fn take(&mut self) -> Result<Option<Arrival>> {
        while let Some(joined) = self.sockets.get_mut(self.turn.0) {
            let (index, taken) = self.turn;
            self.turn = (index + 1, 0);
            if !self.poll.is_ready(index) || taken == TURN {
                continue;
            }
            match self.message.receive(joined.socket.as_fd(), &mut self.payload, false) {
                Ok(len) => {
                    self.turn = (index, taken + 1);
                    if let Some(arrival) = joined.arrival(&self.message, len) {
                        return Ok(Some(arrival));
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                    _ => {
                        let from = joined.groups[0];
                        return Err(Error::os(format!("cannot receive from {from}"), error));
                    }
                },
            }
        }
        Ok(None)
    }
}

/// A socket and what it joined on one interface: groups of one port and one family.
struct Joined {
    socket: Socket,
    grant: BufferGrant,
    interface: u32,
    groups: Vec<Membership>,
    /// Drops as last told beside a datagram; the kernel counts in 32 bits.
    overflow: u32,
}

/// A datagram for us, but for its payload.
struct Arrival {
    len: usize,
    source: SocketAddr,
    destination: SocketAddr,
    interface: u32,
    noted: Noted,
    dropped_before: u32,
}

impl Joined {
    /// Joins the first of `groups`, and as many of the others as a socket may.
    fn open(interface: u32, groups: &[Membership], receive_buffer: usize) -> Result<Self> {
        let bind = socket::bind_address(groups, interface);
        let (socket, grant) = socket::open_receiver(bind, receive_buffer, false)?;
        let v6 = bind.is_ipv6();
        // A group of IPv6 that was joined on two interfaces comes to both sockets (inet6_mc_check, net/ipv6/mcast.c).
        sockopt::set_receive_destination(socket.as_fd(), v6)
            .and_then(|()| sockopt::set_receive_ttl(socket.as_fd(), v6))
            .map_err(|error| Error::os("cannot ask a UDP socket where datagrams go", error))?;
        let joined = membership::join_some(&socket, interface, groups)?;
        Ok(Self { socket, grant, interface, groups: groups[..joined].to_vec(), overflow: 0 })
    }

    fn drops(&self) -> u64 {
        sockopt::receive_drops(self.socket.as_fd()).unwrap_or(0).into()
    }

    /// `None` for what was not sent to a group that was joined here.
    fn arrival(&mut self, message: &Message, len: usize) -> Option<Arrival> {
        let noted = Noted::read(message.control());
        let (group, interface) = noted.destination?;
        let is_ours = |joined: &Membership| joined.group == group;
        if interface != self.interface || !self.groups.iter().any(is_ours) {
            return None;
        }
        let dropped_before = noted.overflow.map_or(0, |now| now.wrapping_sub(self.overflow));
        self.overflow = self.overflow.wrapping_add(dropped_before);
        Some(Arrival {
            len,
            source: message.source()?,
            destination: SocketAddr::new(group, self.groups[0].port),
            interface,
            noted,
            dropped_before,
        })
    }
}

/// What the kernel notes beside a datagram.
#[derive(Debug, Default, PartialEq)]
struct Noted {
    received_at: Option<Nanos>,
    overflow: Option<u32>,
    ttl: Option<u8>,
    /// Address that it was sent to, and index of the interface that it came over.
    destination: Option<(IpAddr, u32)>,
}

impl Noted {
    fn read(control: &[u8]) -> Self {
        let mut noted = Self::default();
        for ControlMessage { level, kind, data } in control_messages(control) {
            let word = || data.first_chunk().map(|word| u32::from_ne_bytes(*word));
            match (level, kind) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    noted.received_at = timespec_nanos(data).map(Nanos);
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => noted.overflow = word(),
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    noted.ttl = word().and_then(|ttl| u8::try_from(ttl).ok());
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    // `struct in_pktinfo`, ip(7): interface, address of this host, destination.
                    let to = data.get(8..).and_then(<[u8]>::first_chunk::<4>);
                    noted.destination = to.map(|to| Ipv4Addr::from(*to).into()).zip(word());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    // `struct in6_pktinfo`, RFC 3542 section 6: destination, interface.
                    let to = data.first_chunk::<16>().map(|to| Ipv6Addr::from(*to).into());
                    let index = data.get(16..).and_then(<[u8]>::first_chunk);
                    noted.destination = to.zip(index.map(|index| u32::from_ne_bytes(*index)));
                }
                _ => {}
            }
        }
        noted
    }
}

#[cfg(test)]
mod tests;
