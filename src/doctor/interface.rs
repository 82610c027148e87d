//! The interface itself: its link, flags, addresses, lengths and queues.

use super::Asked;
use crate::model::checkup::Finding;
use crate::model::spec::Pace;
use crate::sys::netdev::{interface_addresses, link as link_of};
use crate::units::human::grouped;
use std::net::IpAddr;

/// Bytes of the IP and UDP headers before a payload (RFC 791, 8200, 768).
pub(super) fn header_len(v6: bool) -> usize {
    if v6 { 48 } else { 28 }
}

/// Up, and with a carrier.
pub(super) fn link(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let name = &asked.interface.name;
    let finding = if !asked.has_flag(libc::IFF_UP) {
        Finding::problem(
            check,
            format!("{name} is down"),
            "nothing is sent or received",
            format!("ip link set {name} up"),
        )
    } else if !asked.is_up() {
        Finding::problem(
            check,
            format!("{name} is up, but has no carrier"),
            "what is sent is lost without an error",
            format!("plug in the cable, or take up the other end; ip link show {name}"),
        )
    } else {
        Finding::fine(check, format!("{name} is up"))
    };
    vec![finding]
}

/// `IFF_MULTICAST`, netdevice(7): whether the link carries multicast at all. The kernel joins all
/// the same and leaves it to the driver (`ip_mc_filter_add`, net/ipv4/igmp.c). Loopback does without it.
pub(super) fn multicast_flag(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let name = &asked.interface.name;
    if asked.has_flag(libc::IFF_MULTICAST) || asked.is_loopback() {
        return vec![Finding::fine(check, format!("{name} takes multicast"))];
    }
    vec![Finding::problem(
        check,
        format!("{name} has no MULTICAST flag"),
        "its driver may let no group in, and other programs pass it over",
        format!("ip link set {name} multicast on"),
    )]
}

/// With it the card passes all groups up, those of others too.
pub(super) fn all_multicast(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let name = &asked.interface.name;
    let flags = [
        (libc::IFF_PROMISC, "PROMISC", "promisc"),
        (libc::IFF_ALLMULTI, "ALLMULTI", "allmulticast"),
    ];
    let Some((_, flag, word)) = flags.into_iter().find(|(bit, ..)| asked.has_flag(*bit)) else {
        return Vec::new();
    };
    vec![Finding::note(
        check,
        format!("{name} has the flag {flag}"),
        "groups arrive that nobody here has joined: they cost time, and hide a switch that does not forward",
        format!(
            "ip link set {name} {word} off; if it stays, a capture or a router program holds it"
        ),
    )]
}

/// One of the family of the groups.
pub(super) fn addresses(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let name = &asked.interface.name;
    let own = own_addresses(asked);
    if !own.is_empty() {
        let own: Vec<_> = own.iter().map(IpAddr::to_string).collect();
        return vec![Finding::fine(check, format!("{name} has {}", own.join(", ")))];
    }
    let (family, example) =
        if asked.is_v6() { ("IPv6", "fd00::1/64") } else { ("IPv4", "192.0.2.1/24") };
    vec![Finding::problem(
        check,
        format!("{name} has no {family} address"),
        "datagrams leave with an address of another interface or none, and receivers drop them",
        format!("ip address add {example} dev {name}, with an address of that network"),
    )]
}

/// The addresses of the interface in the family of the groups.
pub(super) fn own_addresses(asked: &Asked) -> Vec<IpAddr> {
    let all = interface_addresses().unwrap_or_default();
    let own = all.into_iter().filter(|entry| entry.name == asked.interface.name);
    own.filter_map(|entry| entry.address).filter(|ip| ip.is_ipv6() == asked.is_v6()).collect()
}

/// Longer datagrams travel in fragments, each of which can be lost.
pub(super) fn mtu(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let name = &asked.interface.name;
    let Ok(mtu) = link_of(name).map(|link| link.mtu) else { return Vec::new() };
    let packet = asked.payload_len + header_len(asked.is_v6());
    let sizes =
        format!("{} bytes of payload are packets of {}", asked.payload_len, grouped(packet as u64));
    let finding = if packet <= mtu {
        Finding::fine(check, format!("{sizes}, and {name} carries {}", grouped(mtu as u64)))
    } else {
        Finding::problem(
            check,
            format!("{sizes}, but {name} carries {}", grouped(mtu as u64)),
            "datagrams are cut into fragments, and one lost fragment loses all of it",
            format!(
                "--size {}, or: ip link set {name} mtu {packet}",
                mtu.saturating_sub(header_len(asked.is_v6()))
            ),
        )
    };
    vec![finding]
}

/// Receive rings that could be larger; what holds for one load is too much for another, so a note.
pub(super) fn rings(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let Some(rings) = asked.interface.rings else { return Vec::new() };
    let what = format!("{} receive slots of at most {}", rings.rx, rings.rx_max);
    if rings.rx >= rings.rx_max {
        return vec![Finding::fine(check, what)];
    }
    vec![Finding::note(
        check,
        what,
        "bursts that the driver does not fetch in time are dropped by the card",
        format!("ethtool -G {} rx {}", asked.interface.name, rings.rx_max),
    )]
}

/// Queueing disciplines that hold back or drop on purpose.
pub(super) fn qdisc(check: &'static str, asked: &Asked) -> Vec<Finding> {
    const SHAPERS: [&str; 7] = ["tbf", "netem", "htb", "hfsc", "cbq", "cake", "taprio"];
    let Some(kind) = &asked.interface.qdisc else { return Vec::new() };
    let name = &asked.interface.name;
    if !SHAPERS.contains(&kind.as_str()) {
        return vec![Finding::fine(check, format!("{name} queues with {kind}"))];
    }
    vec![Finding::note(
        check,
        format!("{name} queues with {kind}, which delays or drops on purpose"),
        "delay and loss are also those of this queue",
        format!("tc qdisc del dev {name} root, if it is not part of what you measure"),
    )]
}

/// Whether the queueing discipline takes the part that `--pace` gives it.
pub(super) fn pacing(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let wanted = match asked.pace {
        Some(Pace::Txtime) => &["fq", "etf"][..],
        Some(Pace::Fq) => &["fq"],
        _ => return Vec::new(),
    };
    let name = &asked.interface.name;
    let kind = asked.interface.qdisc.as_deref().unwrap_or("none");
    let what = format!("{name} queues with {kind}");
    if wanted.contains(&kind) {
        return vec![Finding::fine(check, format!("{what}, which paces"))];
    }
    vec![Finding::problem(
        check,
        format!("{what}, which paces nothing"),
        "senders pace themselves instead, and the report says so",
        format!("tc qdisc replace dev {name} root fq"),
    )]
}

/// Checksums that the CPU has to verify or to fill in. Joining packets on reception (GRO, LRO) leaves UDP alone unless
/// a socket or the interface asks for it.
pub(super) fn offloads(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let (name, offloads) = (&asked.interface.name, &asked.interface.offloads);
    let sides = [
        (offloads.rx_checksum, "verifies none of what comes in", "rx"),
        (offloads.tx_checksum, "fills in none of what leaves", "tx"),
    ];
    let off = sides.iter().find(|(is_on, ..)| *is_on == Some(false));
    let Some((_, what, word)) = off else { return Vec::new() };
    vec![Finding::note(
        check,
        format!("{name} leaves checksums to the CPU: it {what}"),
        "each datagram costs this host more, and super-packets may be refused",
        format!("ethtool -K {name} {word} on, if its driver can"),
    )]
}
