//! Interfaces, in the network namespace of the calling thread: `getifaddrs(3)`, `netdevice(7)`. Unlike `/sys`, which
//! shows those of the namespace that it was mounted in.

use super::check;
use socket2::{Domain, Socket, Type};
use std::ffi::{CStr, CString};
use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

/// An address of an interface, or an interface without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// Name of the interface.
    pub name: String,
    /// `IFF_UP` and the others, netdevice(7).
    pub flags: u32,
    /// `None` for addresses that are not IP.
    pub address: Option<IpAddr>,
}

/// All addresses of all interfaces; an interface appears once for each address, and at least once.
///
/// # Errors
/// Those of getifaddrs(3).
pub fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut list = std::ptr::null_mut();
    // SAFETY: `list` is a valid place for the pointer that getifaddrs stores.
    check(unsafe { libc::getifaddrs(&raw mut list) })?;
    let mut addresses = Vec::new();
    let mut next = list;
    // SAFETY: the list ends with null, and each entry stays valid until freeifaddrs, getifaddrs(3).
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: "The ifa_name field points to the null-terminated interface name", getifaddrs(3).
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        addresses.push(InterfaceAddress {
            name: name.to_string_lossy().into_owned(),
            flags: entry.ifa_flags,
            address: ip_address(entry.ifa_addr),
        });
        next = entry.ifa_next;
    }
    // SAFETY: `list` came from getifaddrs and nothing refers to it any more.
    unsafe { libc::freeifaddrs(list) };
    Ok(addresses)
}

/// The name of the interface of an index, if_indextoname(3).
///
/// # Errors
/// `ENXIO` if no interface has it.
pub fn interface_name(index: u32) -> io::Result<String> {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: "The buffer must be allocated by the caller and have a size of at least IF_NAMESIZE",
    // if_indextoname(3).
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return Err(io::Error::last_os_error());
    }
    let name = CStr::from_bytes_until_nul(&name).map_err(io::Error::other)?;
    Ok(name.to_string_lossy().into_owned())
}

/// The index of the interface of a name, if_nametoindex(3).
///
/// # Errors
/// `ENODEV` if no interface has it.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: the name ends in NUL, and the call only reads it.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// What an interface says of its link, netdevice(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Longest IP packet, bytes.
    pub mtu: usize,
    /// Its Ethernet address; all zeroes for loopback.
    pub address: [u8; 6],
    /// `ARPHRD_ETHER` and the others, `<linux/if_arp.h>`.
    pub kind: u16,
}

/// The link of an interface.
///
/// # Errors
/// `ENODEV` if no interface has the name.
pub fn link(name: &str) -> io::Result<Link> {
    // SAFETY: ifreq is bytes and a union of plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    request.ifr_name = name_field(name)?;
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    // SAFETY: for this command the kernel reads the name of an ifreq and writes its MTU.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU, &raw mut request) })?;
    // SAFETY: "SIOCGIFMTU ... ifr_mtu", netdevice(7): the union holds the MTU now.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    // SAFETY: as above, with the address.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) })?;
    // SAFETY: "SIOCGIFHWADDR ... ifr_hwaddr", netdevice(7): the union holds a sockaddr now.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    let mut bytes = [0; 6];
    for (to, from) in bytes.iter_mut().zip(address.sa_data) {
        *to = from as u8;
    }
    Ok(Link { mtu: usize::try_from(mtu).unwrap_or(0), address: bytes, kind: address.sa_family })
}

/// A name as an `ifreq` wants it.
///
/// # Errors
/// No name that an interface can have.
pub(super) fn name_field(name: &str) -> io::Result<[libc::c_char; libc::IFNAMSIZ]> {
    let mut field = [0; libc::IFNAMSIZ];
    // The last byte stays NUL.
    if name.is_empty() || name.len() >= field.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in field.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(field)
}

fn ip_address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the pointer is null or points to a socket address, getifaddrs(3).
    match i32::from(unsafe { address.as_ref() }?.sa_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is a sockaddr_in; read without a claim about its alignment.
            let address = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that it is a sockaddr_in6; read without a claim about its alignment.
            let address = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there() {
        let addresses = interface_addresses().unwrap();
        assert!(addresses.iter().any(|a| a.flags & libc::IFF_LOOPBACK as u32 != 0));
    }

    #[test]
    fn an_index_has_a_name() {
        assert_eq!(
            (interface_name(1).unwrap().as_str(), interface_index("lo").unwrap()),
            ("lo", 1)
        );
        assert_eq!(interface_index("nosuch0").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert_eq!(interface_name(u32::MAX).unwrap_err().raw_os_error(), Some(libc::ENXIO));
    }

    #[test]
    fn loopback_has_a_link() {
        let link = link("lo").unwrap();
        assert_eq!((link.address, link.kind), ([0; 6], libc::ARPHRD_LOOPBACK));
        assert!(link.mtu >= 1500);
        assert_eq!(super::link("nosuch0").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert!(super::link("a name that is much too long").is_err());
    }
}
