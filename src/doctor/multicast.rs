//! Membership: what this host says to the network, how many groups it may join, and who else listens.

use super::{Asked, sysctl};
use crate::model::checkup::Finding;
use crate::net::{membership, socket};
use crate::units::text::count;
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// The version of IGMP or MLD in force; sources can be named from IGMPv3 (RFC 3376) and MLDv2 (RFC 3810) on.
pub(super) fn version(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if asked.is_loopback() || !asked.is_up() {
        return Vec::new();
    }
    let name = &asked.interface.name;
    let (protocol, newest, setting) = match asked.is_v6() {
        true => ("MLD", 2, format!("net.ipv6.conf.{name}.force_mld_version")),
        false => ("IGMP", 3, format!("net.ipv4.conf.{name}.force_igmp_version")),
    };
    let forced = sysctl(&setting.replace('.', "/")).filter(|version| *version > 0);
    let heard = if asked.is_v6() { None } else { igmp_version(&igmp_table(), name) };
    let version = forced.or(heard).unwrap_or(newest);
    let why = if forced.is_some() { "is forced" } else { "is in force" };
    let what = format!("{protocol}v{version} {why} on {name}");
    if version >= newest {
        return vec![Finding::fine(check, what)];
    }
    let fix = match forced {
        Some(_) => format!("sysctl -w {setting}=0"),
        None => {
            "a querier on this network speaks an older version: set it to the newest".to_owned()
        }
    };
    let spoils = "sources cannot be named: source-specific joins are not reported as such";
    let has_source = asked.groups.iter().any(|group| group.source.is_some());
    vec![if has_source {
        Finding::problem(check, what, spoils, fix)
    } else {
        Finding::note(check, what, spoils, fix)
    }]
}

fn igmp_table() -> String {
    fs::read_to_string("/proc/net/igmp").unwrap_or_default()
}

/// `2\teth0      :     3      V3` of `/proc/net/igmp` (`igmp_mc_seq_show`, net/ipv4/igmp.c).
fn igmp_version(table: &str, interface: &str) -> Option<u64> {
    table.lines().find_map(|line| {
        let (_, rest) = line.split_once('\t')?;
        let (name, rest) = rest.split_once(':')?;
        let version = rest.split_whitespace().nth(1)?.strip_prefix('V')?;
        (name.trim() == interface).then(|| version.parse().ok())?
    })
}

/// A bridge that snoops without anybody asking who listens.
pub(super) fn snooping(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let name = &asked.interface.name;
    let device = Path::new("/sys/class/net").join(name);
    let bridge = match fs::read_link(device.join("master")) {
        _ if device.join("bridge").exists() => Some(name.clone()),
        Ok(master) if device.join("brport").exists() => {
            master.file_name().map(|name| name.to_string_lossy().into_owned())
        }
        _ => None,
    };
    let Some(bridge) = bridge else { return Vec::new() };
    let setting = |file: &str| {
        let text = fs::read_to_string(format!("/sys/class/net/{bridge}/bridge/{file}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    if setting("multicast_snooping") != Some(1) || setting("multicast_querier") == Some(1) {
        return vec![Finding::fine(
            check,
            format!("the bridge {bridge} forwards to who has joined"),
        )];
    }
    vec![Finding::note(
        check,
        format!("the bridge {bridge} snoops, and asks nobody who listens"),
        "without another querier it floods, and once one has gone members are forgotten after 260 s",
        format!("ip link set {bridge} type bridge mcast_querier 1"),
    )]
}

/// Joins all groups, as a receiver would, and leaves them again.
pub(super) fn memberships(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if !asked.is_up() {
        return Vec::new();
    }
    let (name, index) = (&asked.interface.name, asked.interface.index);
    let joined = match membership::keep_joined(&asked.groups, index) {
        Ok(joined) => joined,
        Err(error) => {
            let fix = error.advice().unwrap_or_default();
            return vec![Finding::problem(
                check,
                error.reason(),
                "receivers cannot join all groups",
                fix,
            )];
        }
    };
    let groups: BTreeSet<_> = asked.groups.iter().map(|group| group.group).collect();
    let members = members(name, asked.is_v6());
    let missing = groups.difference(&members).next();
    let finding = match missing {
        Some(group) => Finding::problem(
            check,
            format!("{group} was joined on {name}, but the host does not list it"),
            "the network is not told that anybody listens",
            format!("ip maddress show dev {name}"),
        ),
        None => Finding::fine(
            check,
            format!("{} joined on {name}", count(groups.len() as u64, "group")),
        ),
    };
    drop(joined);
    vec![finding]
}

/// The groups that `/proc/net/igmp` or `igmp6` lists for the interface.
fn members(interface: &str, v6: bool) -> BTreeSet<IpAddr> {
    if v6 {
        let table = fs::read_to_string("/proc/net/igmp6").unwrap_or_default();
        let of_line = |line: &str| {
            let mut words = line.split_whitespace().skip(1);
            let is_here = words.next() == Some(interface);
            let group = u128::from_str_radix(words.next().filter(|_| is_here)?, 16).ok()?;
            Some(IpAddr::V6(Ipv6Addr::from_bits(group)))
        };
        return table.lines().filter_map(of_line).collect();
    }
    let table = igmp_table();
    let rows = table.lines().skip_while(|line| !is_interface_row(line, interface)).skip(1);
    let of_line = |line: &str| {
        // The bytes of the address as this machine reads them as a number.
        let number = u32::from_str_radix(line.split_whitespace().next()?, 16).ok()?;
        Some(IpAddr::V4(Ipv4Addr::from(number.to_ne_bytes())))
    };
    rows.take_while(|line| line.starts_with('\t')).filter_map(of_line).collect()
}

fn is_interface_row(line: &str, interface: &str) -> bool {
    !line.starts_with('\t')
        && line
            .split_once('\t')
            .and_then(|(_, rest)| rest.split_once(':'))
            .map(|(name, _)| name.trim())
            == Some(interface)
}

/// Whether the ports of the groups can be had, and who else has them.
pub(super) fn port(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let ports: BTreeSet<_> = asked.groups.iter().map(|group| group.port).collect();
    let file = if asked.is_v6() { "/proc/net/udp6" } else { "/proc/net/udp" };
    // Before this program binds any itself.
    let table = fs::read_to_string(file).unwrap_or_default();
    ports.into_iter().map(|port| one_port(check, asked, port, holders(&table, port))).collect()
}

fn one_port(check: &str, asked: &Asked, port: u16, others: usize) -> Finding {
    let of_port = asked.groups.iter().filter(|group| group.port == port);
    let groups: Vec<_> = of_port.copied().collect();
    let bind = socket::bind_address(&groups, asked.interface.index);
    if let Err(error) = socket::open_plain_receiver(bind, asked.receive_buffer, false) {
        let hint = error.advice().unwrap_or_default().to_owned();
        return Finding::problem(check, error.reason(), "receivers do not start", hint);
    }
    match others {
        0 => Finding::fine(check, format!("nobody else listens on port {port}")),
        _ => Finding::note(
            check,
            format!("{} of other programs on port {port}", count(others as u64, "socket")),
            "each gets a copy of its own of every datagram of its groups, which costs this host time",
            format!("ss -lunp sport = :{port}"),
        ),
    }
}

/// Sockets bound to a port in a table of proc_net_udp: the second word is `ADDRESS:PORT` in hexadecimal.
fn holders(table: &str, port: u16) -> usize {
    let rows = table.lines().skip(1);
    let local = rows.filter_map(|line| line.split_whitespace().nth(1)?.rsplit_once(':'));
    local.filter(|(_, text)| u16::from_str_radix(text, 16) == Ok(port)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel() {
        let igmp = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
                    1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n\
                    4\teth0      :     2      V2\n\t\t\t\t010000E0     1 0:00000000\t\t0\n";
        assert_eq!(igmp_version(igmp, "eth0"), Some(2));
        assert_eq!(igmp_version(igmp, "lo"), Some(3));
        assert_eq!(igmp_version(igmp, "eth1"), None);
        assert!(is_interface_row("4\teth0      :     2      V2", "eth0"));
        assert!(!is_interface_row("4\teth0      :     2      V2", "eth"));
        let udp = "  sl  local_address rem_address\n   1: 4D4DFFEF:1691 00000000:0000 07\n   2: 0:0035 0:0\n";
        assert_eq!((holders(udp, 5777), holders(udp, 53), holders(udp, 1)), (1, 1, 0));
    }

    #[test]
    fn everybody_is_a_member_of_all_hosts() {
        let v4 = members("lo", false);
        assert!(v4.contains(&"224.0.0.1".parse::<IpAddr>().unwrap()), "{v4:?}");
        assert!(!v4.contains(&"233.252.0.250".parse::<IpAddr>().unwrap()), "{v4:?}");
        assert!(members("nosuch0", false).is_empty() && members("nosuch0", true).is_empty());
    }
}
