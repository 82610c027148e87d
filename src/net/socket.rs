//! UDP sockets that send to groups and that join them.

use crate::error::{Error, Result};
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::net::interface;
use crate::sys::netdev::interface_name;
use crate::sys::sockopt;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;
use std::time::Duration;

/// How a sender wants its datagrams to leave.
#[derive(Clone, Copy, Debug)]
pub struct SenderOptions {
    /// Index of the interface.
    pub interface: u32,
    /// Address to send from; `None` lets the kernel choose.
    pub source: Option<IpAddr>,
    /// Port to send from; 0 lets the kernel choose.
    pub source_port: u16,
    /// Whether the groups are IPv6.
    pub v6: bool,
    /// Whether there are groups of the other family too: an IPv6 socket then sends to IPv4 groups in their mapped form
    /// (RFC 3493 section 3.7).
    pub both: bool,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Whether this host's own members get a copy.
    pub loopback: bool,
    /// Differentiated services code point.
    pub dscp: u8,
    /// Who lets datagrams go.
    pub launch: Launch,
}

/// Who lets a datagram go that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// Nobody holds it back.
    AtOnce,
    /// The queueing discipline, at the time that comes with each (`SCM_TXTIME`).
    Txtime {
        /// By International Atomic Time, as `etf` wants it, instead of the monotonic clock, which is that of `fq`.
        by_tai: bool,
    },
    /// The queueing discipline `fq`, at a rate of frames.
    Fq {
        /// Bytes a second.
        bytes_per_second: u64,
    },
}

/// Opens a socket that sends to groups through one interface and hears of every refusal.
///
/// # Errors
/// What the kernel refuses, by option.
pub fn open_sender(options: &SenderOptions) -> Result<Socket> {
    let SenderOptions { source, source_port, v6, both, .. } = *options;
    let socket = open(v6 || both)?;
    if both {
        set("IPV6_V6ONLY", socket.set_only_v6(false))?;
        set_sending(&socket, &SenderOptions { v6: false, ..*options })?;
        set_sending(&socket, &SenderOptions { v6: true, ..*options })?;
    } else {
        set_sending(&socket, options)?;
    }
    if source_port > 0 {
        // Sender threads share it, with receivers of this host too; and as only they read, it is given nothing.
        set("SO_REUSEADDR", socket.set_reuse_address(true))?;
        set("IP_MULTICAST_ALL", only_own_groups(&socket, v6 || both, both))?;
    }
    if source.is_some() || source_port > 0 {
        let local = SocketAddr::new(source.unwrap_or(unspecified(v6 || both)), source_port);
        socket.bind(&local.into()).map_err(|error| match error.raw_os_error() {
            Some(libc::EADDRINUSE) => {
                Error::os(format!("cannot send from port {source_port}"), error).hint(
                    "another program has the port for itself: `ss -lunp` names it; or take another --source-port",
                )
            }
            Some(libc::EACCES) => Error::os(format!("cannot send from port {source_port}"), error)
                .hint("ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE"),
            _ => Error::os(format!("cannot send from {}", local.ip()), error)
                .hint("the source of a group that is sent to must be an address of this host"),
        })?;
    }
    Ok(socket)
}

/// Keeps datagrams away from a socket that other programs' memberships bring to this host.
fn only_own_groups(socket: &Socket, v6: bool, both: bool) -> io::Result<()> {
    if v6 {
        socket.set_multicast_all_v6(false)?;
    }
    if !v6 || both { socket.set_multicast_all_v4(false) } else { Ok(()) }
}

fn unspecified(v6: bool) -> IpAddr {
    match v6 {
        true => Ipv6Addr::UNSPECIFIED.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// Where a sender sends to for a group: its mapped form if the sender sends to groups of both families.
pub fn target(group: &Membership, both: bool) -> SockAddr {
    match group.group {
        IpAddr::V4(address) if both => {
            SocketAddr::new(address.to_ipv6_mapped().into(), group.port).into()
        }
        _ => group.destination().into(),
    }
}

/// The source address that a sender's datagrams to a group get: the kernel's own choice, which it makes for a connected
/// socket as it does for each datagram.
///
/// # Errors
/// Those of [`open_sender`]; no way to the group.
pub fn chosen_source(options: &SenderOptions, group: &Membership) -> Result<IpAddr> {
    let socket = open_sender(options)?;
    let no_way = |error| Error::os(format!("no way to {group}"), error);
    socket.connect(&target(group, options.both)).map_err(no_way)?;
    let local = socket.local_addr().map_err(no_way)?.as_socket();
    local
        .map(|local| local.ip().to_canonical())
        .ok_or_else(|| no_way(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)))
}

/// Makes an open socket send to groups through one interface, and hear of every refusal. The source is not its business.
///
/// # Errors
/// What the kernel refuses, by option.
pub fn set_sending(socket: &Socket, options: &SenderOptions) -> Result<()> {
    let SenderOptions { interface, v6, ttl, loopback, dscp, launch, .. } = *options;
    // A full send buffer makes the sender wait, but a link that is gone must not make it wait for ever.
    set("send timeout", socket.set_write_timeout(Some(Duration::from_millis(100))))?;
    set("error reporting (IP_RECVERR)", sockopt::set_receive_errors(socket.as_fd(), v6))?;
    set_launch(socket, launch)?;
    let on_interface = if v6 {
        set("hop limit", socket.set_multicast_hops_v6(ttl.into()))?;
        set("IPV6_MULTICAST_LOOP", socket.set_multicast_loop_v6(loopback))?;
        set("traffic class", sockopt::set_traffic_class_v6(socket.as_fd(), dscp << 2))?;
        socket.set_multicast_if_v6(interface)
    } else {
        set("TTL", socket.set_multicast_ttl_v4(ttl.into()))?;
        set("IP_MULTICAST_LOOP", socket.set_multicast_loop_v4(loopback))?;
        set("DSCP", socket.set_tos_v4(u32::from(dscp) << 2))?;
        // Left to itself the kernel takes another interface's address for the loopback one, whose own has a
        // scope too narrow for it (inet_select_addr, net/ipv4/devinet.c).
        let own = interface::ipv4_address(interface).unwrap_or(Ipv4Addr::UNSPECIFIED);
        sockopt::set_multicast_interface_v4(socket.as_fd(), interface, own)
    };
    on_interface.map_err(|error| {
        Error::os(format!("cannot send multicast through interface {interface}"), error)
            .hint("the interface may have gone; `ip link` lists those there are")
    })
}

/// Tries whether this process may leave it to the kernel when datagrams go.
///
/// # Errors
/// It may not; `CLOCK_TAI` wants `CAP_NET_ADMIN`.
pub fn try_launch(launch: Launch) -> Result<()> {
    set_launch(&open(false)?, launch)
}

/// Tries whether a socket's reads may ask the network card for more before they sleep.
///
/// # Errors
/// They may not: not built into this kernel, or no `CAP_NET_ADMIN`.
pub fn try_busy_poll(micros: u32) -> Result<()> {
    set_busy_poll(&open(false)?, micros)
}

/// Has reads of a socket ask the network card for more before they sleep.
///
/// # Errors
/// As for [`try_busy_poll`].
pub fn set_busy_poll(socket: &Socket, micros: u32) -> Result<()> {
    set("SO_BUSY_POLL", sockopt::set_busy_poll(socket.as_fd(), micros))
}

/// Bounds how far datagrams to one host go, as [`SenderOptions::ttl`] does for those to groups.
///
/// # Errors
/// What the kernel refuses.
pub fn set_unicast_reach(socket: &Socket, v6: bool, ttl: u8) -> Result<()> {
    // A host's own addresses are always in reach, and zero is no value.
    let ttl = u32::from(ttl.max(1));
    match v6 {
        true => set("hop limit", socket.set_unicast_hops_v6(ttl)),
        false => set("TTL", socket.set_ttl_v4(ttl)),
    }
}

fn set_launch(socket: &Socket, launch: Launch) -> Result<()> {
    match launch {
        Launch::AtOnce => Ok(()),
        Launch::Txtime { by_tai } => {
            let clock = if by_tai { libc::CLOCK_TAI } else { libc::CLOCK_MONOTONIC };
            set("SO_TXTIME", sockopt::set_transmit_times(socket.as_fd(), clock))
        }
        Launch::Fq { bytes_per_second } => set(
            "SO_MAX_PACING_RATE",
            sockopt::set_most_pacing_rate(socket.as_fd(), bytes_per_second),
        ),
    }
}

/// Opens a socket that will receive on `bind`, with receive timestamps switched on, and only from groups that it
/// joins itself. Bound to anything but a group it also says where each datagram was sent to; bound to a group
/// that is no question, and not asking saves the kernel work. `hardware`: with the network card's timestamps beside
/// those of the kernel.
///
/// # Errors
/// What the kernel refuses, by option; a port that another program has for itself.
pub fn open_receiver(
    bind: SocketAddr,
    receive_buffer: usize,
    hardware: bool,
) -> Result<(Socket, BufferGrant)> {
    let stamps = if hardware { Stamped::ByHardware } else { Stamped::ByKernel };
    let tells = match bind.ip().is_multicast() {
        true => Tells::Drops,
        false => Tells::DropsAndDestination,
    };
    open_bound(bind, receive_buffer, stamps, tells)
}

/// The same for one who asks neither where datagrams were sent to nor what was dropped before each, and asks for the
/// kernel's receive timestamps if `stamped`.
///
/// # Errors
/// As [`open_receiver`].
pub fn open_plain_receiver(
    bind: SocketAddr,
    receive_buffer: usize,
    stamped: bool,
) -> Result<(Socket, BufferGrant)> {
    let stamps = if stamped { Stamped::ByKernel } else { Stamped::Not };
    open_bound(bind, receive_buffer, stamps, Tells::Nothing)
}

/// Whose receive timestamps are asked for.
enum Stamped {
    ByHardware,
    ByKernel,
    Not,
}

/// What a datagram comes with beside its source and its timestamp.
#[derive(Clone, Copy, PartialEq)]
enum Tells {
    Nothing,
    Drops,
    DropsAndDestination,
}

fn open_bound(
    bind: SocketAddr,
    receive_buffer: usize,
    stamped: Stamped,
    tells: Tells,
) -> Result<(Socket, BufferGrant)> {
    let v6 = bind.is_ipv6();
    let socket = open(v6)?;
    // Several programs on a host may listen to one group.
    set("SO_REUSEADDR", socket.set_reuse_address(true))?;
    if v6 {
        set("IPV6_V6ONLY", socket.set_only_v6(true))?;
    }
    set("IP_MULTICAST_ALL", only_own_groups(&socket, v6, false))?;
    match stamped {
        Stamped::ByHardware => {
            set("SO_TIMESTAMPING", sockopt::set_hardware_timestamps(socket.as_fd()))?;
        }
        Stamped::ByKernel => {
            set("SO_TIMESTAMPNS", sockopt::set_receive_timestamps(socket.as_fd()))?;
        }
        Stamped::Not => {}
    }
    if tells != Tells::Nothing {
        set("SO_RXQ_OVFL", sockopt::set_receive_overflow(socket.as_fd()))?;
    }
    if tells == Tells::DropsAndDestination {
        set("IP_PKTINFO", sockopt::set_receive_destination(socket.as_fd(), v6))?;
    }
    let grant = grow_receive_buffer(&socket, receive_buffer)?;
    socket.bind(&bind.into()).map_err(|error| {
        let in_use = error.kind() == io::ErrorKind::AddrInUse;
        let error = Error::os(format!("cannot listen on {bind}"), error);
        if in_use {
            error.hint("another program has the port for itself: `ss -lunp` names it; or take another --port")
        } else {
            error
        }
    })?;
    Ok((socket, grant))
}

/// Where to listen for `groups`, all of one port: on the group itself if it is the only one, from however many sources.
/// IPv6 groups of link scope mean something on an interface only.
pub fn bind_address(groups: &[Membership], interface: u32) -> SocketAddr {
    let Membership { group, port, .. } = groups[0];
    match group {
        _ if groups.iter().any(|other| other.group != group) => any_address(&groups[0]),
        IpAddr::V6(group) => SocketAddrV6::new(group, port, 0, interface).into(),
        IpAddr::V4(_) => SocketAddr::new(group, port),
    }
}

/// All addresses of this host and all groups, on the port of a group.
pub fn any_address(group: &Membership) -> SocketAddr {
    SocketAddr::new(unspecified(group.group.is_ipv6()), group.port)
}

/// Lets a socket receive through one interface only. IPv4 sees to that by the membership; IPv6 takes a datagram of a
/// joined group from any interface (inet6_mc_check, net/ipv6/mcast.c).
///
/// # Errors
/// `EPERM` before Linux 5.7 without `CAP_NET_RAW`.
pub fn keep_to_interface(socket: &Socket, interface: u32) -> Result<()> {
    let bound =
        interface_name(interface).and_then(|name| socket.bind_device(Some(name.as_bytes())));
    set("SO_BINDTODEVICE", bound)
}

/// Asks by force, then politely, and says what came of it.
fn grow_receive_buffer(socket: &Socket, asked: usize) -> Result<BufferGrant> {
    let forced = sockopt::set_receive_buffer_force(socket.as_fd(), asked).is_ok();
    if !forced {
        set("SO_RCVBUF", socket.set_recv_buffer_size(asked))?;
    }
    let granted = set("SO_RCVBUF", socket.recv_buffer_size())?;
    let allowed = fs::read_to_string("/proc/sys/net/core/rmem_max")
        .ok()
        .and_then(|text| text.trim().parse::<usize>().ok());
    Ok(BufferGrant { asked, granted, forced: forced && allowed.is_some_and(|max| asked > max) })
}

/// Opens a UDP socket.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn open(v6: bool) -> Result<Socket> {
    let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
    Socket::new(domain, Type::DGRAM.cloexec(), None).map_err(|error| {
        let is_limit = error.raw_os_error() == Some(libc::EMFILE);
        let error = Error::os("cannot open a UDP socket", error);
        if is_limit { error.hint("raise the limit of open files: ulimit -n") } else { error }
    })
}

fn set<T>(what: &str, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| Error::os(format!("cannot set {what} of a UDP socket"), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_to_the_group_if_it_is_alone() {
        let group =
            |text: &str| Membership { source: None, group: text.parse().unwrap(), port: 5777 };
        let one = [group("239.1.1.1")];
        assert_eq!(bind_address(&one, 1), "239.1.1.1:5777".parse().unwrap());
        let link_local = bind_address(&[group("ff12::1")], 7);
        assert_eq!(link_local, SocketAddrV6::new("ff12::1".parse().unwrap(), 5777, 0, 7).into());
        let two = [group("ff15::1"), group("ff15::2")];
        assert_eq!(bind_address(&two, 1), "[::]:5777".parse().unwrap());
    }

    #[test]
    fn says_what_buffer_was_granted() {
        let (_, grant) = open_receiver("127.0.0.1:0".parse().unwrap(), 100_000, false).unwrap();
        assert_eq!(grant, BufferGrant { asked: 100_000, granted: 200_000, forced: false });
        assert!(grant.is_full());
    }

    /// It would fill its buffer, which nobody empties.
    #[test]
    fn a_sender_on_the_port_of_its_group_is_given_nothing() {
        let interface = interface::resolve("lo").unwrap().index;
        let (member, _) = open_plain_receiver("0.0.0.0:0".parse().unwrap(), 4096, false).unwrap();
        let port = member.local_addr().unwrap().as_socket().unwrap().port();
        let group = Membership { source: None, group: "239.255.77.78".parse().unwrap(), port };
        crate::net::membership::join(&member, interface, &group).unwrap();
        let sender = open_sender(&SenderOptions {
            interface,
            source: None,
            source_port: port,
            v6: false,
            both: false,
            ttl: 1,
            loopback: true,
            dscp: 0,
            launch: Launch::AtOnce,
        });
        let sender = sender.unwrap();
        sender.send_to(b"to members", &SocketAddr::new(group.group, port).into()).unwrap();
        member.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        member.recv(&mut [std::mem::MaybeUninit::uninit(); 64]).unwrap();
        sender.set_nonblocking(true).unwrap();
        let error = sender.recv(&mut [std::mem::MaybeUninit::uninit(); 64]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_port_in_use_is_named() {
        let holder = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let error =
            open_receiver(holder.local_addr().unwrap(), 4096, false).unwrap_err().to_string();
        assert!(error.starts_with("cannot listen on 127.0.0.1:"), "{error}");
        assert!(error.contains("hint: another program has the port"), "{error}");
    }
}
