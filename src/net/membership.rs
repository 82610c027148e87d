//! Joining groups, and how far the kernel lets a process go without an administrator.
//!
//! Its limits are those of a socket: so many groups (`net.ipv4.igmp_max_memberships`), so many sources of each
//! (`net.ipv4.igmp_max_msf`, `net.ipv6.mld_max_msf`), so many bytes to remember them in (`net.core.optmem_max`). More
//! groups take more sockets; only what not even a fresh socket may have is an error.

use super::socket;
use crate::error::{Error, Result};
use crate::model::group::Membership;
use crate::sys::{netdev, sockopt};
use socket2::Socket;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

/// Most groups of a socket, also where it might have more: `net.ipv4.igmp_max_memberships` unless it was changed, and
/// so few that a look through them for each datagram costs little.
const MOST_GROUPS: usize = 20;

/// What the kernel lets a socket have; ip-sysctl.rst of the kernel.
#[derive(Clone, Copy, Debug)]
struct Limits {
    groups: usize,
    sources: usize,
}

impl Limits {
    /// Those for groups of one family. What cannot be read is as the kernel has it by itself.
    fn read(v6: bool) -> Self {
        match v6 {
            false => Self {
                groups: sysctl("net/ipv4/igmp_max_memberships").unwrap_or(MOST_GROUPS),
                sources: sysctl("net/ipv4/igmp_max_msf").unwrap_or(10),
            },
            // IPv6 has a limit of bytes only.
            true => {
                Self { groups: MOST_GROUPS, sources: sysctl("net/ipv6/mld_max_msf").unwrap_or(64) }
            }
        }
    }
}

/// Splits memberships, all of one family, into as many as a socket each may have. A socket joins a group once whatever
/// its port; `of` says which membership an item is.
pub fn per_socket<T: Clone>(items: &[T], of: impl Fn(&T) -> Membership) -> Vec<Vec<T>> {
    let Some(first) = items.first() else { return Vec::new() };
    split(items, &of, Limits::read(of(first).group.is_ipv6()))
}

fn split<T: Clone>(items: &[T], of: impl Fn(&T) -> Membership, limits: Limits) -> Vec<Vec<T>> {
    let most_groups = limits.groups.clamp(1, MOST_GROUPS);
    let most_sources = limits.sources.max(1);
    let mut sockets: Vec<Vec<T>> = Vec::new();
    let mut sources: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for item in items {
        let group = of(item).group;
        let has_room = match sources.get(&group) {
            Some(sources) => *sources < most_sources,
            None => !sources.is_empty() && sources.len() < most_groups,
        };
        if !has_room {
            sockets.push(Vec::new());
            sources.clear();
        }
        *sources.entry(group).or_default() += 1;
        sockets.last_mut().into_iter().for_each(|socket| socket.push(item.clone()));
    }
    sockets
}

/// Joins the first of `groups`, and as many of the others as this socket may have. Says how many; the rest wants
/// another socket.
///
/// # Errors
/// Names the group that not even a socket without others can join, the interface, and the limit.
pub fn join_some<'a>(
    socket: &Socket,
    interface: u32,
    groups: impl IntoIterator<Item = &'a Membership>,
) -> Result<usize> {
    let mut joined = 0;
    for group in groups {
        match sockopt::join_group(socket.as_fd(), interface, group.group, group.source) {
            Ok(()) => joined += 1,
            Err(error) if joined > 0 && is_limit(&error) => break,
            Err(error) => return Err(explain(error, interface, group)),
        }
    }
    Ok(joined)
}

/// Joins a group on an interface.
///
/// # Errors
/// As [`join_some`].
pub fn join(socket: &Socket, interface: u32, group: &Membership) -> Result<()> {
    join_some(socket, interface, [group]).map(drop)
}

/// Leaves a group that was joined on an interface.
///
/// # Errors
/// Names the group and the interface: it was not joined there, or the interface has gone.
pub fn leave(socket: &Socket, interface: u32, membership: &Membership) -> Result<()> {
    let Membership { group, source, .. } = *membership;
    sockopt::leave_group(socket.as_fd(), interface, group, source).map_err(|error| {
        Error::os(format!("cannot leave {membership} on interface {interface}"), error)
            .hint("the interface may have gone, and the membership with it")
    })
}

/// Joins groups on an interface for as long as the sockets live, and receives nothing: they have no port. For those
/// who receive by other means; the host reports its membership, and the network card lets the groups in.
///
/// # Errors
/// As [`join_some`]. None is joined then.
pub fn keep_joined(groups: &[Membership], interface: u32) -> Result<Vec<Socket>> {
    // One socket joins a group once, whatever its port.
    let mut groups: Vec<_> = groups.iter().map(|group| Membership { port: 0, ..*group }).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut sockets = Vec::new();
    for family in groups.chunk_by(|a, b| a.group.is_ipv6() == b.group.is_ipv6()) {
        for groups in per_socket(family, |group| *group) {
            let mut rest = groups.as_slice();
            while let Some(first) = rest.first() {
                let socket = socket::open(first.group.is_ipv6())?;
                rest = &rest[join_some(&socket, interface, rest)?..];
                sockets.push(socket);
            }
        }
    }
    Ok(sockets)
}

/// Whether a socket has all that it may have: ip_mc_join_group, net/ipv4/igmp.c; ipv6_sock_mc_join, net/ipv6/mcast.c.
fn is_limit(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

fn explain(error: io::Error, interface: u32, group: &Membership) -> Error {
    let name =
        netdev::interface_name(interface).unwrap_or_else(|_| format!("interface {interface}"));
    let (errno, is_full) = (error.raw_os_error(), is_limit(&error));
    let source = group.source.map(|source| format!("{source}@")).unwrap_or_default();
    let error = Error::os(format!("cannot join {source}{} on {name}", group.group), error);
    match errno {
        _ if is_full => error.hint(limit_hint(group)),
        Some(libc::ENODEV) => error.hint("the interface may have gone, or have no address"),
        // IPv6 is off, or the interface is down or has no address of that family.
        Some(libc::EINVAL | libc::EADDRNOTAVAIL) => {
            error.hint(format!("`ip address show dev {name}` shows whether it is up and has one"))
        }
        _ => error,
    }
}

/// Which limit it was that even one group goes beyond, and the command that raises it. One source is always allowed
/// (ip_mc_source, net/ipv4/igmp.c).
fn limit_hint(group: &Membership) -> String {
    let (limit, now, better) = if Limits::read(group.group.is_ipv6()).groups == 0 {
        ("net.ipv4.igmp_max_memberships", 0, MOST_GROUPS)
    } else {
        let now = sysctl("net/core/optmem_max").unwrap_or(0);
        ("net.core.optmem_max", now, now.max(1 << 16) * 2)
    };
    format!(
        "a socket may not have even one such group, {limit} is {now}: sysctl -w {limit}={better}"
    )
}

/// A limit from `/proc/sys`, by its name in sysctl(8) with slashes for dots.
fn sysctl(name: &str) -> Option<usize> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::group::GroupSpec;
    use proptest::prelude::*;

    fn groups(text: &str) -> Vec<Membership> {
        text.parse::<GroupSpec>().unwrap().expand(5777).unwrap()
    }

    fn sizes(text: &str, groups_a_socket: usize, sources: usize) -> Vec<usize> {
        let limits = Limits { groups: groups_a_socket, sources };
        split(&groups(text), |group| *group, limits).iter().map(Vec::len).collect()
    }

    #[test]
    fn sockets_have_no_more_than_they_may() {
        assert_eq!(sizes("239.1.1.1", 20, 10), [1]);
        assert_eq!(sizes("239.1.1.1+20", 20, 10), [20, 1]);
        assert_eq!(sizes("239.1.1.1+11", 5, 10), [5, 5, 2]);
        // What an administrator allows beyond that is not used up.
        assert_eq!(sizes("239.1.1.1+99", 1000, 10), [20; 5]);
        // Sources of one group are one membership.
        assert_eq!(sizes("10.0.0.1,10.0.0.2,10.0.0.3@232.1.1.1+19", 20, 10), [60]);
        assert_eq!(sizes("10.0.0.1,10.0.0.2,10.0.0.3@232.1.1.1+1", 20, 2), [2, 3, 1]);
        // A limit of none is told by the kernel, group by group.
        assert_eq!(sizes("239.1.1.1+1", 0, 0), [1, 1]);
        assert!(per_socket(&[], |group: &Membership| *group).is_empty());
    }

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let error = keep_joined(&groups("239.1.1.1"), 999_999).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot join 239.1.1.1 on interface 999999: No such device"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_left_out_and_all_in_order(more in 0u32..200, limit in 0usize..40, sources in 0usize..5) {
            let all = groups(&format!("10.0.0.1,10.0.0.2@232.1.1.1+{more}"));
            let limits = Limits { groups: limit, sources };
            let split = split(&all, |group| *group, limits);
            prop_assert_eq!(split.concat(), all);
        }
    }
}
