//! The sockets of a round trip: one datagram a call, and one way or another to wait for it.

use crate::error::{Error, Result};
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::net::membership;
use crate::net::socket::{self, SenderOptions};
use crate::sys::cmsg::{control_messages, timespec_nanos};
use crate::sys::message::Message;
use crate::sys::poll::PollSet;
use crate::sys::sockopt;
use crate::units::Nanos;
use socket2::{SockAddr, Socket};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;
use std::time::Duration;

/// The longest UDP payload, and room to see that there is no more.
const LONGEST: usize = 65_536;

/// A sleep ends late by the time the kernel needs to wake a thread: so much of every wait for a due time is spun.
const SPIN: Nanos = Nanos(100_000);

/// A wait in the kernel ends at least so often. The socket's timeout counts in jiffies, so it may last a little longer.
const TICK: Nanos = Nanos(20_000_000);

/// From here on a wait may be one call that ends after about a [`TICK`].
const LONG: Nanos = Nanos(50_000_000);

/// A busy loop looks at the clock only after so many tries, a few microseconds, where it has longer than that.
const TRIES: usize = 8;
const BRIEF: Nanos = Nanos(20_000);

/// Where datagrams come in and go out.
pub(super) struct Port {
    socket: Socket,
    /// Of a responder, whose own is bound to the group.
    outlet: Option<Socket>,
    poll: PollSet,
    message: Message,
    /// The datagram received last.
    pub(super) payload: Box<[u8]>,
    spin: bool,
    stamped: bool,
    interface: u32,
    /// What the socket got as receive buffer.
    pub(super) grant: BufferGrant,
    /// Datagrams without a receive time of the kernel; the application's was used.
    pub(super) without_stamp: u64,
}

/// A datagram that came, but for its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Bytes of payload.
    pub(super) len: usize,
    /// Who sent it, with the scope that an answer needs.
    pub(super) source: SocketAddr,
    /// When the kernel received it, on the wall clock, if it says so.
    pub(super) received_at: Option<Nanos>,
}

/// What both sides say about their sockets.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortOptions {
    /// The group.
    pub(super) group: Membership,
    /// How datagrams leave.
    pub(super) sending: SenderOptions,
    /// Receive buffer to ask for, bytes.
    pub(super) receive_buffer: usize,
    /// Whether to wait in a busy loop.
    pub(super) spin: bool,
    /// Whether receive times are the kernel's.
    pub(super) stamped: bool,
}

impl Port {
    /// For who asks: one socket that sends to the group and hears what comes back to its own port, be it to the group
    /// or to this host alone. `port` 0 is one that is free.
    pub(super) fn for_asker(options: &PortOptions, port: u16) -> Result<Self> {
        let PortOptions { group, sending, .. } = options;
        let any = match group.group {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let bind = SocketAddr::new(group.source.unwrap_or(any), port);
        let opened = socket::open_plain_receiver(bind, options.receive_buffer, options.stamped);
        let (socket, grant) = opened.map_err(|error| match error.errno() {
            Some(libc::EADDRNOTAVAIL) => {
                error.hint("the source of a group that is asked must be an address of this host")
            }
            Some(libc::EADDRINUSE) => error.hint("take another --reply-port, or none"),
            _ => error,
        })?;
        socket::set_sending(&socket, sending)?;
        // Replies to a source-specific group would each have a source of their own, and nobody knows them.
        if group.source.is_none() {
            membership::join(&socket, sending.interface, group)?;
        }
        Self::new(socket, None, grant, options)
    }

    /// For who answers: joined to the group, and a socket of its own to answer from.
    pub(super) fn for_responder(options: &PortOptions) -> Result<Self> {
        let PortOptions { group, sending, .. } = options;
        let bind = socket::bind_address(&[*group], sending.interface);
        let (socket, grant) =
            socket::open_plain_receiver(bind, options.receive_buffer, options.stamped)?;
        membership::join(&socket, sending.interface, group)?;
        let outlet = socket::open_sender(sending)?;
        socket::set_unicast_reach(&outlet, sending.v6, sending.ttl)?;
        Self::new(socket, Some(outlet), grant, options)
    }

    fn new(
        socket: Socket,
        outlet: Option<Socket>,
        grant: BufferGrant,
        options: &PortOptions,
    ) -> Result<Self> {
        socket
            .set_read_timeout(Some(Duration::from(TICK)))
            .map_err(|error| Error::os("cannot set the receive timeout of a UDP socket", error))?;
        Ok(Self {
            poll: PollSet::new([socket.as_fd()].into_iter()),
            socket,
            outlet,
            message: Message::new(),
            payload: vec![0; LONGEST].into(),
            spin: options.spin,
            stamped: options.stamped,
            interface: options.sending.interface,
            grant,
            without_stamp: 0,
        })
    }

    /// The port that datagrams come in at; 0 if it cannot be told.
    pub(super) fn number(&self) -> u16 {
        let address = self.socket.local_addr().ok().and_then(|address| address.as_socket());
        address.map_or(0, |address| address.port())
    }

    /// Datagrams that the socket dropped so far.
    pub(super) fn drops(&self) -> u64 {
        sockopt::receive_drops(self.socket.as_fd()).unwrap_or(0).into()
    }

    /// Receives one datagram. Waits for it from `now` until the monotonic clock shows `until`, or not so long: who calls
    /// looks at the clock, and calls again.
    ///
    /// # Errors
    /// Those of recvmsg(2), recvfrom(2) and ppoll(2) but that nothing came, or a signal.
    #[inline]
    pub(super) fn receive(&mut self, now: Nanos, until: Nanos) -> io::Result<Option<Arrival>> {
        let left = until.saturating_sub(now);
        let wait = !self.spin && self.wait(left)?;
        let tries = if self.spin && left > BRIEF { TRIES } else { 1 };
        for _ in 0..tries {
            let (socket, payload) = (self.socket.as_fd(), &mut self.payload);
            let received = match self.stamped {
                true => self.message.receive(socket, payload, wait),
                false => self.message.receive_bare(socket, payload, wait),
            };
            match received {
                Ok(len) => return Ok(self.arrival(len)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(None)
    }

    /// Sends the first `len` bytes of what came last, as changed since, to `to`.
    #[inline]
    pub(super) fn send_back(&self, len: usize, to: &SockAddr) -> io::Result<()> {
        self.send(&self.payload[..len], to)
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// Those of sendto(2).
    #[inline]
    pub(super) fn send(&self, payload: &[u8], to: &SockAddr) -> io::Result<()> {
        self.outlet.as_ref().unwrap_or(&self.socket).send_to(payload, to).map(drop)
    }

    /// Waits for a short while; for a long one, the call that receives shall do it.
    fn wait(&mut self, left: Nanos) -> io::Result<bool> {
        if left > SPIN && left < LONG {
            self.poll.wait(Duration::from(left - SPIN))?;
        }
        Ok(left >= LONG)
    }

    #[inline]
    fn arrival(&mut self, len: usize) -> Option<Arrival> {
        let stamp = control_messages(self.message.control())
            .find(|message| {
                message.level == libc::SOL_SOCKET && message.kind == libc::SCM_TIMESTAMPNS
            })
            .and_then(|message| timespec_nanos(message.data));
        self.without_stamp += u64::from(self.stamped && stamp.is_none());
        let source = scoped(self.message.source()?, self.interface);
        Some(Arrival { len, source, received_at: stamp.map(Nanos) })
    }
}

/// An address of link scope means something on an interface only.
pub(super) fn scoped(address: SocketAddr, interface: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, interface).into(),
        v4 => v4,
    }
}
