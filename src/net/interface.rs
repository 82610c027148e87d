//! Interfaces by name, index or address.

use crate::error::{Error, Result};
use crate::model::environment::Interface;
use crate::sys::netdev::{InterfaceAddress, interface_addresses};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// The interface that `text` means: its name, its index, or one of its addresses. It must be up.
///
/// # Errors
/// No such interface, or it is down.
pub fn resolve(text: &str) -> Result<Interface> {
    let all = addresses()?;
    let address: Option<IpAddr> = text.parse().ok();
    let index: Option<u32> = text.parse().ok();
    let found = all.iter().find(|entry| {
        entry.name == text
            || address.is_some() && entry.address == address
            || index.is_some() && read_number(&entry.name, "ifindex") == index
    });
    let Some(found) = found else {
        let mut names: Vec<_> = all.iter().map(|entry| entry.name.as_str()).collect();
        names.dedup();
        names.sort_unstable();
        names.dedup();
        return Err(Error::environment(format!(
            "no interface has the name, index or address `{text}`"
        ))
        .hint(format!("this host has {}", names.join(", "))));
    };
    if found.flags & libc::IFF_UP as u32 == 0 {
        return Err(Error::environment(format!("interface {} is down", found.name))
            .hint(format!("ip link set {} up", found.name)));
    }
    Ok(describe(&found.name))
}

/// The loopback interface.
///
/// # Errors
/// There is none, or it is down.
pub fn loopback() -> Result<Interface> {
    let all = addresses()?;
    let flag = libc::IFF_LOOPBACK as u32;
    let Some(found) = all.iter().find(|entry| entry.flags & flag != 0) else {
        return Err(Error::environment("this host has no loopback interface")
            .hint("name an interface with --iface"));
    };
    resolve(&found.name)
}

/// The first IPv4 address of the interface of an index.
pub fn ipv4_address(index: u32) -> Option<Ipv4Addr> {
    let all = interface_addresses().ok()?;
    all.iter().filter(|entry| read_number(&entry.name, "ifindex") == Some(index)).find_map(
        |entry| match entry.address {
            Some(IpAddr::V4(address)) => Some(address),
            _ => None,
        },
    )
}

fn addresses() -> Result<Vec<InterfaceAddress>> {
    interface_addresses().map_err(|error| Error::os("cannot list the interfaces", error))
}

fn describe(name: &str) -> Interface {
    let driver = fs::read_link(sysfs(name, "device/driver")).ok();
    Interface {
        name: name.to_owned(),
        index: read_number(name, "ifindex").unwrap_or_default(),
        mtu: read_number(name, "mtu"),
        driver: driver.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
        speed_mbps: read_number(name, "speed"),
    }
}

/// A number from sysfs; `None` also for the `-1` of a speed that is not known.
fn read_number<T: std::str::FromStr>(name: &str, file: &str) -> Option<T> {
    fs::read_to_string(sysfs(name, file)).ok()?.trim().parse().ok()
}

fn sysfs(name: &str, file: &str) -> PathBuf {
    ["/sys/class/net", name, file].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_many_names() {
        let loopback = loopback().unwrap();
        for text in [loopback.name.as_str(), &loopback.index.to_string(), "127.0.0.1"] {
            assert_eq!(resolve(text).unwrap(), loopback, "{text}");
        }
    }

    #[test]
    fn an_unknown_one_lists_what_there_is() {
        let error = resolve("nosuch0").unwrap_err().to_string();
        assert!(error.starts_with("no interface has the name, index or address `nosuch0`\nhint: "));
        assert!(error.contains("lo"), "{error}");
    }
}
