//! Packet sockets, which send and receive whole frames: packet(7).

use super::sockopt::{self, Answer};
use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};
use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Bytes of the header before each frame once [`set_virtio_headers`] was called: `struct virtio_net_hdr`, all
/// numbers in the order of this machine (virtio specification 1.2 section 5.1.6, legacy interface).
pub const VIRTIO_HEADER_LEN: usize = 10;

/// Binds to all protocols, which alone shows frames that leave, and those that come in before anything of this host takes
/// them away (`ETH_P_ALL`), packet(7).
pub const ALL_PROTOCOLS: u16 = libc::ETH_P_ALL as u16;

/// Opens a packet socket that receives nothing until it is bound; needs `CAP_NET_RAW`.
///
/// # Errors
/// `EPERM` without the capability, `EAFNOSUPPORT` if the kernel has no packet sockets.
pub fn open() -> io::Result<Socket> {
    Socket::new(Domain::PACKET, Type::RAW.cloexec(), None)
}

/// Binds a packet socket to an interface. It receives the frames of `ethertype` that come in there, as the
/// protocols of this host get them; with 0 it only sends.
///
/// # Errors
/// `ENODEV` without the interface.
pub fn bind(socket: &Socket, interface: u32, ethertype: u16) -> io::Result<()> {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is plain integers and fits the storage; all zeroes is a value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = interface as libc::c_int;
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a sockaddr_ll of that length.
    let address = unsafe { SockAddr::new(storage, len) };
    socket.bind(&address)
}

/// The same without the headers of links: packets begin with what follows those.
///
/// # Errors
/// Those of [`open`].
pub fn open_without_link() -> io::Result<Socket> {
    Socket::new(Domain::PACKET, Type::DGRAM.cloexec(), None)
}

/// Takes the next packet, cut off to the length of `buffer`: how long it is there, and the index of the interface that
/// it came in by.
///
/// # Errors
/// Those of recvfrom(2).
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, u32)> {
    // SAFETY: sockaddr_ll is plain integers; all zeroes is a value of it.
    let mut from: libc::sockaddr_ll = unsafe { zeroed() };
    let mut len = size_of_val(&from) as libc::socklen_t;
    // SAFETY: the buffer has as many bytes as are told, and `from` has `len`; "The returned address is truncated if
    // the buffer provided is too small", recvfrom(2).
    let received = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
            (&raw mut from).cast(),
            &raw mut len,
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    Ok((received, from.sll_ifindex as u32))
}

/// Puts a header before each frame, which says what is left to do with it: a checksum to be completed, or a
/// frame that is several datagrams. Before a ring is made, packet(7).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_virtio_headers(socket: &Socket) -> io::Result<()> {
    set(socket, libc::PACKET_VNET_HDR, &1)
}

/// Sends around the queueing discipline, straight to the driver (`PACKET_QDISC_BYPASS`), packet(7).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_qdisc_bypass(socket: &Socket) -> io::Result<()> {
    set(socket, libc::PACKET_QDISC_BYPASS, &1)
}

/// Asks for the network card's receive times in the ring where there are any (`PACKET_TIMESTAMP`), packet(7).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_hardware_timestamps(socket: &Socket) -> io::Result<()> {
    set(socket, libc::PACKET_TIMESTAMP, &(libc::SOF_TIMESTAMPING_RAW_HARDWARE as libc::c_int))
}

/// Has the network card let the frames to a group's Ethernet address in for as long as the socket is open, whoever joined
/// or left the group (`PACKET_MR_MULTICAST`), packet(7). Nothing is reported to routers or switches.
///
/// # Errors
/// `ENODEV` without the interface.
pub fn let_in(socket: &Socket, interface: u32, mac: [u8; 6]) -> io::Result<()> {
    let mut address = [0; 8];
    address[..6].copy_from_slice(&mac);
    let request = libc::packet_mreq {
        mr_ifindex: interface as libc::c_int,
        mr_type: libc::PACKET_MR_MULTICAST as libc::c_ushort,
        mr_alen: 6,
        mr_address: address,
    };
    set(socket, libc::PACKET_ADD_MEMBERSHIP, &request)
}

/// Layout of the ring that will be made: 1 is `TPACKET_V2`, 2 is `TPACKET_V3`, packet(7).
///
/// # Errors
/// `EINVAL` if the kernel does not know it.
pub(super) fn set_version(socket: &Socket, version: libc::tpacket_versions) -> io::Result<()> {
    set(socket, libc::PACKET_VERSION, &(version as libc::c_int))
}

/// Sets an option of a packet socket.
pub(super) fn set<T>(socket: &Socket, option: libc::c_int, value: &T) -> io::Result<()> {
    sockopt::set(socket.as_fd(), libc::SOL_PACKET, option, value)
}

// SAFETY: plain integers, three of 32 bits.
unsafe impl Answer for libc::tpacket_stats_v3 {}

/// Frames dropped for want of room in the receive ring since this was last asked (`PACKET_STATISTICS`, which starts
/// anew each time it is read), packet(7).
///
/// # Errors
/// Those of getsockopt(2).
pub fn take_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let stats: libc::tpacket_stats_v3 =
        sockopt::get(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
    Ok(stats.tp_drops)
}
