//! The interfaces of this host, and what has been joined on them.

use super::interface;
use crate::error::{Error, Result};
use crate::model::environment::Interface;
use crate::model::interfaces::ListedInterface;
use crate::sys::netdev::{self, InterfaceAddress};
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All interfaces of the network namespace, by their indices.
///
/// # Errors
/// The kernel does not list them.
pub fn all() -> Result<Vec<ListedInterface>> {
    let entries = netdev::interface_addresses()
        .map_err(|error| Error::os("cannot list the interfaces", error))?;
    let mut by_name: BTreeMap<&str, Vec<&InterfaceAddress>> = BTreeMap::new();
    entries.iter().for_each(|entry| by_name.entry(&entry.name).or_default().push(entry));
    let igmp = fs::read_to_string("/proc/thread-self/net/igmp").unwrap_or_default();
    let igmp6 = fs::read_to_string("/proc/thread-self/net/igmp6").unwrap_or_default();
    let listed = by_name.into_iter().map(|(name, entries)| {
        let flags = entries.iter().fold(0, |flags, entry| flags | entry.flags);
        let has = |flag: libc::c_int| flags & flag as u32 != 0;
        let Interface { index, driver, speed_mbps, .. } = interface::describe(name);
        let of_v4 = members_v4(&igmp, name).into_iter().map(IpAddr::V4);
        let of_v6 = members_v6(&igmp6, name).into_iter().map(IpAddr::V6);
        ListedInterface {
            name: name.to_owned(),
            index,
            up: has(libc::IFF_UP),
            running: has(libc::IFF_UP) && has(libc::IFF_RUNNING),
            multicast: has(libc::IFF_MULTICAST),
            loopback: has(libc::IFF_LOOPBACK),
            addresses: entries.iter().filter_map(|entry| entry.address).collect(),
            mtu: netdev::link(name).ok().map(|link| link.mtu),
            driver,
            speed_mbps,
            memberships: of_v4.chain(of_v6).collect(),
        }
    });
    let mut listed: Vec<_> = listed.collect();
    listed.sort_by_key(|interface| interface.index);
    Ok(listed)
}

/// The groups of an interface in `/proc/net/igmp`: under the line with its name, a line each that begins with the address
/// as this machine reads its bytes as a number (igmp_mc_seq_show, net/ipv4/igmp.c).
fn members_v4(table: &str, interface: &str) -> Vec<Ipv4Addr> {
    let is_head = |line: &&str| !line.starts_with('\t');
    let name = |line: &str| {
        let (name, _) = line.split_once('\t')?.1.split_once(':')?;
        Some(name.trim().to_owned())
    };
    let rows = table.lines().skip_while(|line| name(line).as_deref() != Some(interface)).skip(1);
    let group = |line: &str| u32::from_str_radix(line.split_whitespace().next()?, 16).ok();
    let numbers = rows.take_while(|line| !is_head(line)).filter_map(group);
    let mut groups: Vec<_> = numbers.map(|bits| Ipv4Addr::from(bits.to_ne_bytes())).collect();
    groups.sort_unstable();
    groups
}

/// The groups of an interface in `/proc/net/igmp6`: index, name, address (igmp6_mc_seq_show, net/ipv6/mcast.c).
fn members_v6(table: &str, interface: &str) -> Vec<Ipv6Addr> {
    let group = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        words.next().filter(|name| *name == interface)?;
        u128::from_str_radix(words.next()?, 16).ok().map(Ipv6Addr::from_bits)
    };
    let mut groups: Vec<_> = table.lines().filter_map(group).collect();
    groups.sort_unstable();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_memberships() {
        let number = |group: &str| {
            let group: Ipv4Addr = group.parse().unwrap();
            format!("{:08X}", u32::from_ne_bytes(group.octets()))
        };
        let v4 = format!(
            "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
             1\tlo        :     1      V3\n\t\t\t\t{}     1 0:00000000\t\t0\n\
             12\teth0.7    :     2      V3\n\t\t\t\t{}     1 0:00000000\t\t1\n\t\t\t\t{}     1 0:00000000\t\t0\n",
            number("224.0.0.1"),
            number("239.1.1.1"),
            number("224.0.0.1"),
        );
        let text =
            |groups: Vec<Ipv4Addr>| groups.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(text(members_v4(&v4, "lo")), ["224.0.0.1"]);
        assert_eq!(text(members_v4(&v4, "eth0.7")), ["224.0.0.1", "239.1.1.1"]);
        assert_eq!(text(members_v4(&v4, "eth0")), [] as [&str; 0]);
        let v6 = "1    lo              ff020000000000000000000000000001     1 0000000C 0\n\
                  2    eth0            ff150000000000000000000000010002     1 00000004 0\n";
        assert_eq!(members_v6(v6, "eth0"), ["ff15::1:2".parse::<Ipv6Addr>().unwrap()]);
        assert!(members_v6(v6, "eth").is_empty());
    }

    #[test]
    fn loopback_is_the_first() {
        let all = all().unwrap();
        let ListedInterface { name, index, up, running, multicast, loopback, addresses, .. } =
            &all[0];
        assert_eq!((name.as_str(), *index), ("lo", 1));
        assert_eq!((*up, *running, *multicast, *loopback), (true, true, false, true));
        assert!(addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{addresses:?}");
        assert!(all[0].mtu.is_some_and(|mtu| mtu >= 1500));
        assert!(all[0].memberships.contains(&Ipv4Addr::new(224, 0, 0, 1).into()));
    }
}
