//! Socket options that `socket2` lacks: `socket(7)`, `ip(7)`, `ipv6(7)`.

use super::check;
use socket2::SockAddr;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets the receive buffer beyond `net.core.rmem_max`; needs `CAP_NET_ADMIN`, socket(7).
///
/// # Errors
/// `EPERM` without the capability.
pub fn set_receive_buffer_force(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &bytes)
}

/// Asks for a receive timestamp with each datagram (`SCM_TIMESTAMPNS`, `CLOCK_REALTIME`), socket(7).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_receive_timestamps(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)
}

/// Asks for the receive timestamps of the network card beside those of the kernel (`SCM_TIMESTAMPING`),
/// Documentation/networking/timestamping.rst. Whether the card gives any is not the socket's business.
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_hardware_timestamps(socket: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::SOF_TIMESTAMPING_RX_HARDWARE
        | libc::SOF_TIMESTAMPING_RAW_HARDWARE
        | libc::SOF_TIMESTAMPING_RX_SOFTWARE
        | libc::SOF_TIMESTAMPING_SOFTWARE;
    // SOF_TIMESTAMPING_OPT_RX_FILTER would change nothing: it withholds stamps that were not asked for with an RX
    // flag, and both are (__sock_recv_timestamp, net/socket.c).
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &flags)
}

/// Asks for the socket's count of drops beside each datagram that follows one (`SO_RXQ_OVFL`), socket(7).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_receive_overflow(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &1)
}

/// Lets each datagram carry the time on `clock` at which the queueing discipline lets it go (`SO_TXTIME`), tc-etf(8).
///
/// # Errors
/// `EPERM` for a clock other than the monotonic one without `CAP_NET_ADMIN`.
pub fn set_transmit_times(socket: BorrowedFd<'_>, clock: libc::clockid_t) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_TXTIME, &libc::sock_txtime { clockid: clock, flags: 0 })
}

/// Bytes a second at which the queueing discipline `fq` lets datagrams of this socket go (`SO_MAX_PACING_RATE`),
/// tc-fq(8).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_most_pacing_rate(socket: BorrowedFd<'_>, bytes_per_second: u64) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE, &bytes_per_second)
}

/// Microseconds for which a read asks the network card for more before it sleeps (`SO_BUSY_POLL`), socket(7).
///
/// # Errors
/// `EPERM` beyond `net.core.busy_poll` without `CAP_NET_ADMIN`; `ENOPROTOOPT` where the kernel was built without it.
pub fn set_busy_poll(socket: BorrowedFd<'_>, micros: u32) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_BUSY_POLL, &(micros as libc::c_int))
}

/// Lets datagrams that came as one be received as one, with the length of each (`UDP_GRO`), udp(7).
///
/// # Errors
/// `ENOPROTOOPT` before Linux 5.0.
pub fn set_receive_segments(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_UDP, libc::UDP_GRO, &1)
}

/// Asks for the destination of each datagram (`IP_PKTINFO`, `IPV6_PKTINFO`).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_receive_destination(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    match v6 {
        false => set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, &1),
        true => set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &1),
    }
}

/// Asks for the time to live, or hop limit, that each datagram still had (`IP_RECVTTL`, ip(7); `IPV6_RECVHOPLIMIT`,
/// ipv6(7)).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_receive_ttl(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    match v6 {
        false => set(socket, libc::IPPROTO_IP, libc::IP_RECVTTL, &1),
        true => set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, &1),
    }
}

/// Lets the kernel's refusal of a datagram reach the caller. Without it, "ENOBUFS ... Packets are just silently
/// dropped when a device queue overflows", send(2).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_receive_errors(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    match v6 {
        false => set(socket, libc::IPPROTO_IP, libc::IP_RECVERR, &1),
        true => set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &1),
    }
}

/// Interface by index through which IPv4 multicast leaves, and the source address that it gets there
/// (`IP_MULTICAST_IF` with an `ip_mreqn`), ip(7). The unspecified address leaves the choice to the kernel.
///
/// # Errors
/// `EADDRNOTAVAIL` for an interface that does not exist.
pub fn set_multicast_interface_v4(
    socket: BorrowedFd<'_>,
    index: u32,
    source: Ipv4Addr,
) -> io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: u32::from(source).to_be() },
        imr_ifindex: index as libc::c_int,
    };
    set(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
}

/// Traffic class of IPv6 datagrams (`IPV6_TCLASS`); `socket2` has it for IPv4 only, ipv6(7).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_traffic_class_v6(socket: BorrowedFd<'_>, class: u8) -> io::Result<()> {
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &libc::c_int::from(class))
}

/// Joins `group` on an interface, any-source or from one source only (`MCAST_JOIN_GROUP`,
/// `MCAST_JOIN_SOURCE_GROUP`; RFC 3678 section 5). Both families, interface by index.
///
/// # Errors
/// `ENOBUFS` beyond the memberships a socket may have, `ENODEV` without the interface, `EADDRINUSE` twice.
pub fn join_group(
    socket: BorrowedFd<'_>,
    interface: u32,
    group: IpAddr,
    source: Option<IpAddr>,
) -> io::Result<()> {
    let options = (libc::MCAST_JOIN_GROUP, libc::MCAST_JOIN_SOURCE_GROUP);
    set_membership(socket, options, interface, group, source)
}

/// Leaves `group` on an interface, as it was joined (`MCAST_LEAVE_GROUP`, `MCAST_LEAVE_SOURCE_GROUP`; RFC 3678
/// section 5).
///
/// # Errors
/// `EADDRNOTAVAIL` if it was not joined.
pub fn leave_group(
    socket: BorrowedFd<'_>,
    interface: u32,
    group: IpAddr,
    source: Option<IpAddr>,
) -> io::Result<()> {
    let options = (libc::MCAST_LEAVE_GROUP, libc::MCAST_LEAVE_SOURCE_GROUP);
    set_membership(socket, options, interface, group, source)
}

/// Sets the first of two options without a source, and the second with one.
fn set_membership(
    socket: BorrowedFd<'_>,
    (any_source, source_specific): (i32, i32),
    interface: u32,
    group: IpAddr,
    source: Option<IpAddr>,
) -> io::Result<()> {
    let level = match group {
        IpAddr::V4(_) => libc::IPPROTO_IP,
        IpAddr::V6(_) => libc::IPPROTO_IPV6,
    };
    let Some(source) = source else {
        let request = libc::group_req { gr_interface: interface, gr_group: storage(group) };
        return set(socket, level, any_source, &request);
    };
    let request = libc::group_source_req {
        gsr_interface: interface,
        gsr_group: storage(group),
        gsr_source: storage(source),
    };
    set(socket, level, source_specific, &request)
}

/// Datagrams dropped because the socket's receive buffer was full, since it was opened
/// (`SO_MEMINFO`, `SK_MEMINFO_DROPS`). Unlike `SO_RXQ_OVFL` it also shows drops that nothing followed.
///
/// # Errors
/// `ENOPROTOOPT` before Linux 4.12.
pub fn receive_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    // <linux/sock_diag.h>: SK_MEMINFO_DROPS is the ninth of the words.
    const DROPS: usize = 8;
    let words: [u32; DROPS + 1] = get(socket, libc::SOL_SOCKET, libc::SO_MEMINFO)?;
    Ok(words[DROPS])
}

fn storage(address: IpAddr) -> libc::sockaddr_storage {
    let address = SockAddr::from(std::net::SocketAddr::new(address, 0));
    // SAFETY: sockaddr_storage is integers and byte arrays, for which all zeroes is a value.
    let mut storage: libc::sockaddr_storage = unsafe { zeroed() };
    // SAFETY: `address` has `len` initialised bytes, never more than a sockaddr_storage, and is not `storage`.
    unsafe {
        std::ptr::copy_nonoverlapping(
            address.as_ptr().cast::<u8>(),
            (&raw mut storage).cast::<u8>(),
            address.len() as usize,
        );
    }
    storage
}

/// Sets an option whose value is plain data.
///
/// # Errors
/// Those of setsockopt(2).
pub(super) fn set<T>(socket: BorrowedFd<'_>, level: i32, option: i32, value: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which outlives the call; setsockopt only reads it, and what a
    // filter's program points to, which its caller borrows.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const *value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    })
    .map(drop)
}

/// What an option answers.
///
/// # Safety
/// It must be plain integers without padding, so that any bytes are a value of it.
pub(super) unsafe trait Answer {}

// SAFETY: plain integers.
unsafe impl<const N: usize> Answer for [u32; N] {}

/// Asks for an option. What the kernel does not fill in is zero.
///
/// # Errors
/// Those of getsockopt(2).
pub(super) fn get<T: Answer>(socket: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<T> {
    // SAFETY: an answer is plain integers, for which all zeroes is a value.
    let mut value: T = unsafe { zeroed() };
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` has `len` bytes to write to, and any bytes are a value of its type.
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut len)
    })?;
    Ok(value)
}
