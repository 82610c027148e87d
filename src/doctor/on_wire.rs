//! What came in while listening, and what it lacks to be what was asked for.

use super::Asked;
use super::heard::{Flow, Seen, Wire};
use super::path::{is_refused_as_own, refused_by_filter};
use super::routes::is_beyond_a_router;
use crate::model::checkup::Finding;
use crate::model::group::Membership;
use crate::sys::netdev::interface_name;
use crate::units::Nanos;
use crate::units::duration::format_duration;
use crate::units::human::grouped;
use crate::units::text::count;
use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

/// A querier asks every 125 s (RFC 3376 section 8.2, RFC 3810 section 9.2), within 10 s more.
const ASKS_WITHIN: Nanos = Nanos(135 * Nanos::SECOND.0);

/// Whether the groups come in, and if not, what comes in instead.
pub(super) fn on_wire(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let Some(heard) = asked.heard() else { return Vec::new() };
    let wire = match &heard.wire {
        Ok(wire) => wire,
        Err(error) => {
            return vec![Finding::note(
                check,
                format!("what comes in cannot be seen: {error}"),
                "nobody can tell what does not arrive from what does not come up",
                "run it as root, or: setcap cap_net_raw+ep on the program",
            )];
        }
    };
    let flows: Vec<_> = asked.flows().collect();
    let came: HashSet<_> =
        flows.iter().flat_map(|(flow, _)| [flow.any_source(), flow.specific()]).collect();
    let comes = |group: &&Membership| came.contains(*group);
    let (here, missing): (Vec<_>, Vec<_>) = asked.groups.iter().partition(comes);
    let mut found = Vec::new();
    let of_ours = flows.iter().find(|(_, seen)| seen.is_ours);
    if let Some((flow, seen)) = of_ours.or(flows.first()) {
        found.push(arriving(check, asked, here.len(), flow, seen));
    }
    if !missing.is_empty() && wire.missed > 0 {
        let (not_seen, missed) =
            (count(missing.len() as u64, "group"), grouped(wire.missed.into()));
        let what =
            format!("{not_seen} not seen, but {missed} packets came too fast to be looked at");
        found.push(Finding::fine(check, what));
        return found;
    }
    // One stands for all: what keeps one away is likely to keep away the others.
    if let Some(first) = missing.first() {
        let others = match missing.len() - 1 {
            0 => String::new(),
            others => format!(" (and {} more)", count(others as u64, "group")),
        };
        let instead = instead(check, asked, &strays(wire, &came), first, &others);
        found.push(instead.unwrap_or_else(|| nothing(check, asked, heard.time, first, &others)));
    }
    found
}

/// What came in that nobody asked for there. `came`: what did as asked.
fn strays(wire: &Wire, came: &HashSet<Membership>) -> Vec<Flow> {
    wire.flows.keys().filter(|flow| !came.contains(&flow.specific())).copied().collect()
}

fn is_of(flow: &Flow, group: &Membership) -> bool {
    (flow.group, flow.port) == (group.group, group.port)
        && group.source.is_none_or(|source| source == flow.source)
}

fn arriving(check: &str, asked: &Asked, groups: usize, flow: &Flow, seen: &Seen) -> Finding {
    let (name, source, destination) = (&asked.interface.name, flow.source, flow.any_source());
    let all = match asked.groups.len() {
        1 => String::new(),
        all => format!("{groups} of {all} groups come in; "),
    };
    let what = format!("{all}{destination} comes in by {name} from {source} with TTL {}", seen.ttl);
    // What the filter refuses is the finding of another check.
    let is_refused = refused_by_filter(asked, source).is_some() || is_refused_as_own(asked, source);
    if !asked.is_in_vain() || is_refused {
        return Finding::fine(check, what);
    }
    if !seen.is_ours {
        return Finding::problem(
            check,
            format!("{what}; these are no datagrams of this program"),
            "they count as foreign, and nothing of them is measured",
            "send with `mcast-bench send`",
        );
    }
    Finding::problem(
        check,
        format!("{what}, and no socket hears it"),
        "something on this host takes datagrams away on their way up",
        "look at the firewall's input rules (nft list ruleset, iptables -nvL INPUT)",
    )
}

/// What came in instead of a group.
fn instead(
    check: &str,
    asked: &Asked,
    strays: &[Flow],
    wanted: &Membership,
    others: &str,
) -> Option<Finding> {
    let Membership { group, port, .. } = *wanted;
    let name = &asked.interface.name;
    let is_here = |flow: &&Flow| flow.interface == asked.interface.index;
    let any = |is: &dyn Fn(&&Flow) -> bool| strays.iter().find(is);
    if let Some(flow) = any(&|flow| is_of(flow, wanted) && !is_here(flow)) {
        let other = interface_name(flow.interface).unwrap_or_else(|_| flow.interface.to_string());
        return Some(Finding::problem(
            check,
            format!("{wanted}{others} comes in by {other}, from {}, not by {name}", flow.source),
            "who joins on one interface hears nothing of another",
            format!("--iface {other}"),
        ));
    }
    let same = Membership { source: None, ..*wanted };
    if let Some(flow) = any(&|flow| is_of(flow, &same) && is_here(flow)) {
        let meant = Membership { source: Some(flow.source), ..*wanted };
        return Some(Finding::problem(
            check,
            format!(
                "{same}{others} comes from {}, not from the source that is asked for",
                flow.source
            ),
            "who joins one source hears nothing of another",
            format!("--group {meant}, or send from the other address"),
        ));
    }
    if let Some(flow) = any(&|flow| flow.group == group && is_here(flow)) {
        return Some(Finding::problem(
            check,
            format!(
                "{group}{others} comes to port {}, from {}, not to {port}",
                flow.port, flow.source
            ),
            "who listens on one port hears nothing of another",
            format!("--port {}, or send to {port}", flow.port),
        ));
    }
    let flow = any(&|flow| flow.port == port && is_here(flow) && flow.group != group)?;
    Some(Finding::note(
        check,
        format!(
            "nothing for {wanted}{others} came in by {name}, but another group comes to its port: {} from {}",
            flow.group, flow.source
        ),
        "receivers of the one hear nothing; programs that are bound to the port alone may take the other for it",
        format!(
            "--group {}, if that one is meant",
            Membership { source: None, group: flow.group, port }
        ),
    ))
}

fn nothing(check: &str, asked: &Asked, time: Nanos, group: &Membership, others: &str) -> Finding {
    let name = &asked.interface.name;
    Finding::note(
        check,
        format!(
            "nothing for {group}{others} came in by {name} in {}",
            format_duration(rounded(time))
        ),
        "nobody sends, or it is lost before this host, and receivers hear nothing",
        "start the sender, and look there with: mcast-bench doctor; beyond a router it needs --ttl 2 or more",
    )
}

/// Nobody wants to know nanoseconds of seconds.
fn rounded(time: Nanos) -> Nanos {
    let unit = if time < Nanos::SECOND { Nanos::MILLISECOND.0 } else { Nanos::SECOND.0 / 10 };
    Nanos(time.0 / unit * unit)
}

/// Whether somebody keeps asking who listens. Switches that snoop forget members that nobody asks.
pub(super) fn querier(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if asked.is_loopback() {
        return Vec::new();
    }
    let Some(heard) = asked.heard() else { return Vec::new() };
    let Ok(wire) = &heard.wire else { return Vec::new() };
    vec![judge_querier(check, asked, heard.time, wire)]
}

fn judge_querier(check: &str, asked: &Asked, time: Nanos, wire: &Wire) -> Finding {
    let (protocol, newest) = if asked.is_v6() { ("MLD", 2) } else { ("IGMP", 3) };
    let name = &asked.interface.name;
    let what = |(source, version): (&IpAddr, &u8)| {
        format!("{source} asks with {protocol}v{version} who listens on {name}")
    };
    let oldest = wire.queriers.iter().min_by_key(|(_, version)| **version);
    match oldest {
        Some((source, version)) if *version < newest => Finding::note(
            check,
            what((source, version)),
            "hosts fall back to this version, in which sources cannot be named",
            "set this querier to the newest version",
        ),
        Some(querier) => Finding::fine(check, what(querier)),
        None if time < ASKS_WITHIN => Finding::fine(
            check,
            format!(
                "nobody asked who listens on {name}, but queriers ask only every 125s: --listen=140s tells"
            ),
        ),
        None => Finding::note(
            check,
            format!("nobody asked who listens on {name} in {}", format_duration(rounded(time))),
            "switches that snoop flood, or forget members after 260 s: then what was heard falls silent",
            "switch a querier on: in the switch or router, or on a bridge: ip link set BRIDGE type bridge mcast_querier 1",
        ),
    }
}

/// Whether routers lie between, and datagrams reach beyond them.
pub(super) fn reach(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if asked.is_loopback() || !asked.is_up() {
        return Vec::new();
    }
    let far: BTreeSet<_> =
        asked.groups.iter().filter_map(|group| Some((group.source?, group.group))).collect();
    let far = far.into_iter().find(|(source, _)| is_beyond_a_router(*source));
    if let Some((source, group)) = far.filter(|(_, group)| is_of_link_scope(*group)) {
        return vec![Finding::problem(
            check,
            format!("{source} is beyond a router, and {group} has the scope of a link"),
            "no router forwards it",
            "take a group of larger scope, such as ff15::/16 or ff35::/32",
        )];
    }
    let flows: Vec<_> = asked.flows().collect();
    // Silence of a source that is known to be far has one cause more than others.
    if let Some((source, group)) = far.filter(|(far, _)| {
        asked.heard().is_some_and(|heard| heard.wire.is_ok())
            && !flows.iter().any(|(flow, _)| flow.source == *far)
    }) {
        return vec![Finding::note(
            check,
            format!("{source} is beyond a router, and nothing of it for {group} came in"),
            "each router takes 1 off the TTL: with 1, the default of most senders, the first one lets nothing through",
            "at the sender: --ttl 2 or more; routers between must route multicast",
        )];
    }
    let forwards = asked.forwards_multicast();
    if let Some((flow, _)) = flows.iter().find(|(_, seen)| forwards && seen.ttl <= 1) {
        return vec![Finding::problem(
            check,
            format!(
                "{} comes from {} with TTL 1, and this host is a multicast router",
                flow.group, flow.source
            ),
            "it sends nothing of that on to other networks",
            "at the sender: --ttl 2 or more",
        )];
    }
    Vec::new()
}

/// RFC 4291 section 2.7: interface and link. IPv4 has no such groups that may be used here.
fn is_of_link_scope(group: IpAddr) -> bool {
    matches!(group, IpAddr::V6(group) if matches!(group.octets()[1] & 0xf, 1 | 2))
}

#[cfg(test)]
mod tests {
    use super::super::tests::asked;
    use super::*;
    use crate::model::checkup::Verdict;

    #[test]
    fn queriers() {
        let of = |time, queriers: &[(&str, u8)]| {
            let queriers = queriers.iter().map(|(ip, v)| (ip.parse().unwrap(), *v)).collect();
            let wire = Wire { queriers, ..Wire::default() };
            judge_querier("querier", &asked(), time, &wire)
        };
        assert_eq!(of(Nanos::SECOND, &[]).verdict, Verdict::Fine);
        assert_eq!(of(ASKS_WITHIN, &[]).verdict, Verdict::Note);
        assert_eq!(of(Nanos::SECOND, &[("192.0.2.1", 3)]).verdict, Verdict::Fine);
        let finding = of(Nanos::SECOND, &[("192.0.2.1", 3), ("192.0.2.2", 2)]);
        assert_eq!(finding.verdict, Verdict::Note);
        assert_eq!(finding.what, "192.0.2.2 asks with IGMPv2 who listens on lo");
    }

    fn flows(all: &[(u32, &str, &str)]) -> Vec<Flow> {
        let flow = |&(interface, source, destination): &(u32, &str, &str)| {
            let to: std::net::SocketAddr = destination.parse().unwrap();
            Flow { interface, group: to.ip(), port: to.port(), source: source.parse().unwrap() }
        };
        all.iter().map(flow).collect()
    }

    #[test]
    fn what_was_asked_for_is_not_a_stray() {
        let all =
            flows(&[(2, "192.0.2.1", "233.252.0.7:5000"), (2, "192.0.2.2", "233.252.0.7:5000")]);
        let seen = Seen { ttl: 1, is_ours: true };
        let wire =
            Wire { flows: all.iter().map(|flow| (*flow, seen)).collect(), ..Wire::default() };
        assert_eq!(strays(&wire, &HashSet::from([all[0].specific()])), all[1..]);
    }

    #[test]
    fn what_comes_instead_is_named_by_its_nearest_likeness() {
        let asked = asked();
        let here = asked.interface.index;
        let source: IpAddr = "192.0.2.9".parse().unwrap();
        let any = Membership { group: "233.252.0.7".parse().unwrap(), port: 5777, source: None };
        let specific = Membership { source: Some(source), ..any };
        let what = |all: &[(u32, &str, &str)], wanted| {
            let found = instead("c", &asked, &flows(all), wanted, "");
            found.map(|found| found.what)
        };
        let elsewhere = (9999, "192.0.2.9", "233.252.0.7:5777");
        let other_port = (here, "192.0.2.9", "233.252.0.7:5000");
        let other_group = (here, "192.0.2.9", "233.252.0.8:5777");
        let told = what(&[other_group, other_port, elsewhere], &any).unwrap();
        assert!(told.starts_with("233.252.0.7:5777 comes in by 9999, from 192.0.2.9"), "{told}");
        let told = what(&[other_group, other_port], &any).unwrap();
        assert_eq!(told, "233.252.0.7 comes to port 5000, from 192.0.2.9, not to 5777");
        let told = what(&[other_group], &any).unwrap();
        assert!(told.ends_with("another group comes to its port: 233.252.0.8 from 192.0.2.9"));
        let told = what(&[(here, "192.0.2.8", "233.252.0.7:5777")], &specific).unwrap();
        assert!(told.starts_with("233.252.0.7:5777 comes from 192.0.2.8, not from"), "{told}");
        assert_eq!(what(&[(here, "192.0.2.8", "233.252.0.8:5000")], &any), None);
    }

    #[test]
    fn scopes() {
        let is = |group: &str| is_of_link_scope(group.parse().unwrap());
        assert!(is("ff12::1") && is("ff31::1") && !is("ff15::1") && !is("233.252.0.1"));
    }
}
