//! Which way datagrams go, and whether the kernel takes those that come.

use super::interface::own_addresses;
use super::{Asked, sysctl};
use crate::model::checkup::Finding;
use crate::net::socket;
use crate::sys::netdev::interface_addresses;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Where programs send that name no interface. This one always names it, so another way is a note.
pub(super) fn route(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if asked.is_loopback() || !asked.is_up() {
        return Vec::new();
    }
    let (group, name) = (asked.groups[0].group, &asked.interface.name);
    let fix = match asked.is_v6() {
        true => format!("ip -6 route add multicast {group} dev {name} table local"),
        false => format!("ip route add {group} dev {name}"),
    };
    let spoils = "programs that name no interface send elsewhere or nowhere; this one names it";
    let finding = match way_to(group).map(|source| (source, owner(source))) {
        Err(error) => Finding::note(check, format!("no route to {group}: {error}"), spoils, fix),
        Ok((_, Some(other))) if other != *name => {
            Finding::note(check, format!("the route to {group} goes through {other}"), spoils, fix)
        }
        Ok((source, _)) => Finding::fine(check, format!("{group} is routed here, from {source}")),
    };
    vec![finding]
}

/// The source address that datagrams of this program will have, as the kernel chooses it.
pub(super) fn source_address(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if !asked.is_up() {
        return Vec::new();
    }
    let name = &asked.interface.name;
    let finding = match chosen_source(asked) {
        Err(error) => Finding::problem(
            check,
            format!("cannot send to {} through {name}: {error}", asked.groups[0]),
            "nothing can be sent",
            match asked.is_v6() {
                // Unlike IPv4, it sends to no group without a route, and loopback comes without one.
                true if asked.is_loopback() => format!("ip -6 route add local ff00::/8 dev {name}"),
                true => format!("ip -6 route add multicast ff00::/8 dev {name} table local"),
                false => format!("ip address show dev {name}: it needs an address"),
            },
        ),
        Ok(source) if own_addresses(asked).contains(&source) => {
            Finding::fine(check, format!("datagrams leave from {source}"))
        }
        Ok(source) => Finding::problem(
            check,
            format!("datagrams leave through {name} from {source}, which is not its address"),
            "receivers look for that address elsewhere and drop them, and source-specific joins miss them",
            format!("give {name} an address of its own: ip address add ... dev {name}"),
        ),
    };
    vec![finding]
}

fn chosen_source(asked: &Asked) -> Result<IpAddr, String> {
    socket::chosen_source(&asked.sender(), &asked.groups[0]).map_err(|error| error.reason())
}

/// The filter of net.ipv4.conf.*.rp_filter (RFC 3704): the stricter of "all" and the interface's own holds
/// (ip-sysctl.rst of the kernel). IPv6 has none.
pub(super) fn reverse_path(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if asked.is_v6() || asked.is_loopback() || !asked.is_up() {
        return Vec::new();
    }
    let name = &asked.interface.name;
    let mode = filter(asked);
    if mode == 0 {
        return vec![Finding::fine(check, "no filter of sources")];
    }
    let loose = format!(
        "sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{name}.rp_filter=0, or a route to the source"
    );
    if let Some(source) =
        sources(asked).into_iter().find(|source| refused_by_filter(asked, *source).is_some())
    {
        return vec![Finding::problem(
            check,
            format!("rp_filter={mode} on {name}, and {source} is not reached through it"),
            "what this source sends is dropped before any socket sees it",
            loose,
        )];
    }
    match dropped() {
        0 => {
            vec![Finding::fine(check, format!("rp_filter={mode}, and nothing was dropped for it"))]
        }
        count => vec![Finding::note(
            check,
            format!("rp_filter={mode} on {name}; {count} packets were dropped for it since boot"),
            "sources that this host would reach another way, or not at all, are not heard",
            loose,
        )],
    }
}

/// Sources that are asked for, and those that were heard.
fn sources(asked: &Asked) -> BTreeSet<IpAddr> {
    let named = asked.groups.iter().filter_map(|group| group.source);
    named.chain(asked.flows().map(|(flow, _)| flow.source)).collect()
}

/// What the filter does on the interface: nothing, strict or loose.
fn filter(asked: &Asked) -> u64 {
    let of = |which: &str| sysctl(&format!("net/ipv4/conf/{which}/rp_filter")).unwrap_or(0);
    of("all").max(of(&asked.interface.name))
}

/// The mode of the filter, if it refuses a source.
pub(super) fn refused_by_filter(asked: &Asked, source: IpAddr) -> Option<u64> {
    let mode = filter(asked);
    let is_refused = source.is_ipv4()
        && mode > 0
        && !passes(mode, way_to(source).ok().and_then(owner), &asked.interface.name);
    is_refused.then_some(mode)
}

/// Senders whose address is one of this host, but whose datagrams came in: two of its interfaces are on one network.
/// The kernel drops those, unless accept_local of "all" or of the interface says otherwise (ip-sysctl.rst of the kernel).
pub(super) fn accept_local(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if asked.is_v6() || asked.is_loopback() {
        return Vec::new();
    }
    let name = &asked.interface.name;
    let own = asked.flows().map(|(flow, _)| flow.source);
    let own = own.into_iter().find(|source| is_refused_as_own(asked, *source));
    let of_source = |source| {
        Finding::problem(
            check,
            format!("{source} is an address of this host, and its datagrams come in by {name}"),
            "the kernel takes them for forged and drops them",
            format!(
                "sysctl -w net.ipv4.conf.{name}.accept_local=1, or a network namespace for the sender"
            ),
        )
    };
    own.map(of_source).into_iter().collect()
}

/// Whether what comes in from outside with this source is dropped because the address is this host's own.
pub(super) fn is_refused_as_own(asked: &Asked, source: IpAddr) -> bool {
    let accepts = |which: &str| {
        sysctl(&format!("net/ipv4/conf/{which}/accept_local")).is_some_and(|value| value > 0)
    };
    source.is_ipv4()
        && !asked.is_loopback()
        && owner(source).is_some()
        && !accepts("all")
        && !accepts(&asked.interface.name)
}

/// Whether the filter passes a source that is reached through `through`: strict through this interface only, loose
/// through any.
fn passes(mode: u64, through: Option<String>, interface: &str) -> bool {
    match mode {
        1 => through.as_deref() == Some(interface),
        _ => through.is_some(),
    }
}

/// `TcpExt IPReversePathFilter` of nstat(8).
fn dropped() -> u64 {
    let text = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let mut rows = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
    let (names, values) = (rows.next().unwrap_or_default(), rows.next().unwrap_or_default());
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let value = pairs.find(|(name, _)| *name == "IPReversePathFilter");
    value.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// The address from which the kernel would send there if no interface is named. Nothing is sent.
fn way_to(target: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match target {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // Any port: connecting a UDP socket only looks up the route.
    socket.connect(SocketAddr::new(target, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// The interface that has an address.
fn owner(address: IpAddr) -> Option<String> {
    let all = interface_addresses().unwrap_or_default();
    all.into_iter().find(|entry| entry.address == Some(address)).map(|entry| entry.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_from_itself() {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(way_to(here).unwrap(), here);
        assert_eq!(owner(here).as_deref(), Some("lo"));
    }

    #[test]
    fn strict_and_loose() {
        let eth1 = || Some("eth1".to_owned());
        assert!(
            passes(1, eth1(), "eth1") && !passes(1, eth1(), "eth0") && !passes(1, None, "eth1")
        );
        assert!(passes(2, eth1(), "eth0") && !passes(2, None, "eth0"));
    }
}
