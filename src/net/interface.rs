//! Interfaces by name, index or address.

use crate::error::{Error, Result};
use crate::model::environment::{Interface, Offloads, Rings};
use crate::sys::ethtool::{self, Offload};
use crate::sys::netdev::{InterfaceAddress, interface_addresses, interface_index, interface_name};
use crate::sys::qdisc;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// The interface that `text` means: its name, its index, or one of its addresses. It must be up.
///
/// # Errors
/// No such interface, or it is down.
pub fn resolve(text: &str) -> Result<Interface> {
    let (interface, flags) = find(text)?;
    if flags & libc::IFF_UP as u32 == 0 {
        return Err(Error::environment(format!("interface {} is down", interface.name))
            .hint(format!("ip link set {} up", interface.name)));
    }
    Ok(interface)
}

/// The same whether it is up or not, with its flags: `IFF_UP` and the others of netdevice(7).
///
/// # Errors
/// No such interface.
pub fn find(text: &str) -> Result<(Interface, u32)> {
    let all = addresses()?;
    let address: Option<IpAddr> = text.parse().ok();
    let index: Option<u32> = text.parse().ok();
    let found = all.iter().find(|entry| {
        entry.name == text
            || address.is_some() && entry.address == address
            || index.is_some() && interface_index(&entry.name).ok() == index
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
    Ok((describe(&found.name), found.flags))
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
    let name = interface_name(index).ok()?;
    addresses_of(&name).iter().find_map(|address| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    })
}

/// Whether an interface is the loopback interface.
pub fn is_loopback(name: &str) -> bool {
    let flag = libc::IFF_LOOPBACK as u32;
    addresses()
        .is_ok_and(|all| all.iter().any(|entry| entry.name == name && entry.flags & flag != 0))
}

/// The addresses of the interface of a name, in the kernel's order.
pub fn addresses_of(name: &str) -> Vec<IpAddr> {
    let all = interface_addresses().unwrap_or_default().into_iter();
    all.filter(|entry| entry.name == name).filter_map(|entry| entry.address).collect()
}

fn addresses() -> Result<Vec<InterfaceAddress>> {
    interface_addresses().map_err(|error| Error::os("cannot list the interfaces", error))
}

/// What the interface says of itself; what it does not say is left out.
pub(super) fn describe(name: &str) -> Interface {
    let index = interface_index(name).unwrap_or_default();
    let device = ethtool::Device::open(name).ok();
    let offload = |offload| device.as_ref()?.offload(offload).ok();
    let rings = device.as_ref().and_then(|device| device.rings().ok());
    Interface {
        name: name.to_owned(),
        index,
        mtu: read_number(name, "mtu"),
        driver: device.as_ref().and_then(|device| device.driver().ok()),
        speed_mbps: read_number(name, "speed"),
        operstate: read_text(name, "operstate"),
        flags: read_text(name, "flags").as_deref().map(flag_names).unwrap_or_default(),
        rx_queues: queues(name, "rx-"),
        tx_queues: queues(name, "tx-"),
        rings: rings.map(|ethtool::Rings { rx, rx_max, tx, tx_max }| Rings {
            rx,
            rx_max,
            tx,
            tx_max,
        }),
        offloads: Offloads {
            gro: offload(Offload::Gro),
            gso: offload(Offload::Gso),
            rx_checksum: offload(Offload::RxChecksum),
            tx_checksum: offload(Offload::TxChecksum),
        },
        qdisc: qdisc::root(index).ok().map(|root| root.kind),
    }
}

/// The flags of a hexadecimal number, by the names of netdevice(7), that say something about multicast.
fn flag_names(hex: &str) -> Vec<String> {
    const NAMES: [(libc::c_int, &str); 8] = [
        (libc::IFF_UP, "UP"),
        (libc::IFF_BROADCAST, "BROADCAST"),
        (libc::IFF_LOOPBACK, "LOOPBACK"),
        (libc::IFF_POINTOPOINT, "POINTOPOINT"),
        (libc::IFF_NOARP, "NOARP"),
        (libc::IFF_PROMISC, "PROMISC"),
        (libc::IFF_ALLMULTI, "ALLMULTI"),
        (libc::IFF_MULTICAST, "MULTICAST"),
    ];
    let bits = i32::from_str_radix(hex.trim_start_matches("0x"), 16).unwrap_or(0);
    let set = NAMES.iter().filter(|(flag, _)| bits & flag != 0);
    set.map(|(_, name)| (*name).to_owned()).collect()
}

fn queues(name: &str, kind: &str) -> Option<usize> {
    let entries = fs::read_dir(sysfs(name, "queues")).ok()?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    Some(names.filter(|name| name.to_string_lossy().starts_with(kind)).count())
}

fn read_text(name: &str, file: &str) -> Option<String> {
    fs::read_to_string(sysfs(name, file)).ok().map(|text| text.trim().to_owned())
}

/// A number from sysfs; `None` also for the `-1` of a speed that is not known.
fn read_number<T: std::str::FromStr>(name: &str, file: &str) -> Option<T> {
    read_text(name, file)?.parse().ok()
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
    fn loopback_says_what_it_is() {
        let loopback = loopback().unwrap();
        assert_eq!(loopback.flags, ["UP", "LOOPBACK"]);
        assert_eq!(loopback.offloads.tx_checksum, Some(true));
        assert_eq!((loopback.rx_queues, loopback.rings), (Some(1), None));
        assert!(loopback.qdisc.is_some());
        assert_eq!(ipv4_address(loopback.index), Some(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn flags_have_names() {
        assert_eq!(flag_names("0x1003"), ["UP", "BROADCAST", "MULTICAST"]);
        assert!(flag_names("").is_empty() && flag_names("zebra").is_empty());
    }

    #[test]
    fn an_unknown_one_lists_what_there_is() {
        let error = resolve("nosuch0").unwrap_err().to_string();
        assert!(error.starts_with("no interface has the name, index or address `nosuch0`\nhint: "));
        assert!(error.contains("lo"), "{error}");
    }
}
