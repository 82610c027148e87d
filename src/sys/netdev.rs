//! Interfaces and their addresses: `getifaddrs(3)`.

use super::check;
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
        assert_eq!(interface_name(1).unwrap(), "lo");
        assert_eq!(interface_name(u32::MAX).unwrap_err().raw_os_error(), Some(libc::ENXIO));
    }
}
