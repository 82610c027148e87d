//! The few system calls that neither std nor socket2 offers. The only unsafe code of the tests.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use libc::{c_int, c_void};
use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

/// Length of `struct virtio_net_hdr`, which [`packet_socket`] puts before every frame.
pub(super) const VIRTIO_HEADER: usize = 10;

/// Moves the calling thread into a network namespace of its own.
pub(super) fn unshare_network() -> io::Result<()> {
    // SAFETY: no memory is passed. unshare(2): "allows a process (or thread) to disassociate
    // parts of its execution context".
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

/// Moves the calling thread into the network namespace behind `namespace`.
pub(super) fn enter_network(namespace: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as it is borrowed. setns(2): "reassociates the
    // calling thread with the namespace", no other thread.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })
}

/// Lets a command start in the network namespace behind `namespace`.
pub(super) fn start_inside(command: &mut Command, namespace: Arc<File>) {
    let enter = move || {
        enter_network(namespace.as_fd())?;
        remount_sys()
    };
    // SAFETY: both are plain system calls without allocation or locks. signal-safety(7) via
    // fork(2): the child of a process with threads "can safely call only async-signal-safe
    // functions ... until such time as it calls execve(2)".
    unsafe { command.pre_exec(enter) };
}

/// Lets `/sys` tell of the network namespace entered before, as `ip netns exec` does: a sysfs
/// shows the devices of the namespace it was mounted in, so `/sys/class/net` would be the wrong one.
fn remount_sys() -> io::Result<()> {
    // SAFETY: no memory is passed. unshare(2), CLONE_NEWNS: the calling process has "a private
    // copy of its namespace which is not shared with any other process".
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let (none, root) = (c"none".as_ptr(), c"/".as_ptr());
    let recursively = libc::MS_SLAVE | libc::MS_REC;
    // SAFETY: the strings end in NUL and are static. mount_namespaces(7), MS_SLAVE: "(un)mount
    // events under this mount do not propagate to any peer".
    check(unsafe { libc::mount(none, root, none, recursively, std::ptr::null()) })?;
    let (sys, sysfs) = (c"/sys".as_ptr(), c"sysfs".as_ptr());
    // SAFETY: as above; mount(2) takes a null pointer for no data.
    check(unsafe { libc::mount(none, sys, sysfs, 0, std::ptr::null()) })
}

/// A packet socket that reads and writes whole frames of one device, each behind a virtio header.
///
/// With the header a checksum that the sender left to the hardware, and a super-packet it left to
/// be segmented, cross the relay as they are; without it the receiver drops them as damaged.
pub(super) fn packet_socket(device: &CStr) -> io::Result<Socket> {
    // Protocol 0 hears nothing until it is bound: no frame of another device slips in.
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    set_option(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1)?;
    set_option(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)?;
    force_receive_buffer(&socket, 256 << 20)?;
    socket.set_nonblocking(true)?;

    let index = index_of(device)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: packet(7): "sockaddr_ll is a device-independent physical-layer address"; it is
    // smaller than sockaddr_storage, and all-zero bytes are a valid one.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as c_int;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a sockaddr_ll of this length, written above.
    socket.bind(&unsafe { SockAddr::new(storage, length) })?;
    Ok(socket)
}

/// The index of a device in the calling thread's namespace.
pub(super) fn index(device: &str) -> io::Result<u32> {
    index_of(&CString::new(device)?)
}

fn index_of(device: &CStr) -> io::Result<u32> {
    // SAFETY: the name ends in NUL. if_nametoindex(3): returns the index, or 0 on error.
    match unsafe { libc::if_nametoindex(device.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Frames that a packet socket had no room for since the last call.
pub(super) fn packet_drops(socket: &Socket) -> io::Result<u64> {
    // `struct tpacket_stats { unsigned int tp_packets; unsigned int tp_drops; }`
    let mut stats = [0u32; 2];
    let mut length = size_of::<[u32; 2]>() as libc::socklen_t;
    let (fd, value) = (socket.as_raw_fd(), stats.as_mut_ptr().cast::<c_void>());
    // SAFETY: value points to `length` writable bytes. packet(7), PACKET_STATISTICS:
    // "Receiving statistics resets the internal counters."
    let done =
        unsafe { libc::getsockopt(fd, libc::SOL_PACKET, PACKET_STATISTICS, value, &mut length) };
    check(done)?;
    Ok(u64::from(stats[1]))
}

/// Asks for a receive buffer beyond `net.core.rmem_max`, or as much below it as the kernel gives
/// (only the real root may go beyond). Returns what was granted, in the kernel's own accounting.
pub(super) fn force_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<usize> {
    let forced = set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes as c_int);
    if forced.is_err() {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.recv_buffer_size()
}

/// Sets an option whose value is an `int`.
pub(super) fn set_option(
    socket: &Socket,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    set_option_bytes(socket, level, name, &value.to_ne_bytes())
}

/// Sets an option whose value is a structure, by its bytes.
pub(super) fn set_option_bytes(
    socket: &Socket,
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    let (fd, length) = (socket.as_raw_fd(), value.len() as libc::socklen_t);
    // SAFETY: value points to `length` readable bytes for the whole call.
    check(unsafe { libc::setsockopt(fd, level, name, value.as_ptr().cast::<c_void>(), length) })
}

/// Sleeps until one of the descriptors can be read, at most until `timeout`.
pub(super) fn wait_readable<const N: usize>(
    descriptors: [BorrowedFd<'_>; N],
    timeout: Option<Duration>,
) -> io::Result<()> {
    let mut polled =
        descriptors.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    let timeout = timeout.map(|left| libc::timespec {
        tv_sec: left.as_secs() as libc::time_t,
        tv_nsec: left.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let (start, count) = (polled.as_mut_ptr(), N as libc::nfds_t);
    // SAFETY: start points to N entries, timeout to a timespec or nowhere. ppoll(2): "If
    // tmo_p is specified as NULL, then ppoll() can block indefinitely."
    match check(unsafe { libc::ppoll(start, count, timeout, std::ptr::null()) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Waits until no other process holds the lock on `file`. Closing the file gives it back.
pub(super) fn lock(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open. flock(2): the lock is released "when all such
    // file descriptors have been closed".
    check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) })
}

/// Sends a signal to a child.
pub(super) fn signal(pid: u32, signal: c_int) -> io::Result<()> {
    // SAFETY: no memory is passed; the caller names a child that it has not waited for, so the
    // number cannot belong to another process yet.
    check(unsafe { libc::kill(pid as libc::pid_t, signal) })
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

// https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/if_packet.h
const PACKET_STATISTICS: c_int = 6;
const PACKET_VNET_HDR: c_int = 15;
const PACKET_IGNORE_OUTGOING: c_int = 23;
