//! What the groups themselves bring along: Ethernet addresses that they share, and limits on their sources.

use super::{Asked, sysctl};
use crate::model::checkup::Finding;
use crate::model::group::mac;
use crate::units::human::grouped;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Groups that one Ethernet address stands for (RFC 1112 section 6.4): cards, and switches that forward by that
/// address, cannot keep them apart.
pub(super) fn mac_addresses(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if asked.is_loopback() {
        return Vec::new();
    }
    let groups: BTreeSet<_> = asked.groups.iter().map(|group| group.group).collect();
    let mut by_mac: BTreeMap<_, Vec<IpAddr>> = BTreeMap::new();
    for group in groups {
        by_mac.entry(mac(group)).or_default().push(group);
    }
    let mut found = Vec::new();
    let flooded = |group: &IpAddr| control_of(*group).map(|control| (*group, control));
    if let Some((group, control)) = by_mac.values().flatten().find_map(flooded) {
        found.push(Finding::note(
            check,
            format!("{group} has the Ethernet address of {control}"),
            "switches flood it, and its load reaches hosts that have not joined it",
            "take a group whose last three bytes do not begin with 0.0 or 128.0",
        ));
    }
    let shared: Vec<_> = by_mac.values().filter(|groups| groups.len() > 1).collect();
    if let Some([first, second, ..]) = shared.first().map(|groups| groups.as_slice()) {
        let all = match shared.len() {
            1 => String::new(),
            all => format!("; addresses that are shared in all: {}", grouped(all as u64)),
        };
        found.push(Finding::note(
            check,
            format!("{first} and {second} share one Ethernet address{all}"),
            "who has joined one gets the other as far as its card, which costs time",
            "take groups that differ in their last 23 bits (IPv6: 32)",
        ));
    }
    found
}

/// The group of 224.0.0.0/24, which switches flood, with the same Ethernet address.
fn control_of(group: IpAddr) -> Option<Ipv4Addr> {
    match group {
        IpAddr::V4(group) => {
            let [_, b, c, d] = group.octets();
            (b & 0x7f == 0 && c == 0).then(|| Ipv4Addr::new(224, 0, 0, d))
        }
        IpAddr::V6(_) => None,
    }
}

/// Sources that one socket may name for one group: igmp_max_msf and mld_max_msf of ip-sysctl.rst.
pub(super) fn sources(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let mut sources: BTreeMap<IpAddr, BTreeSet<IpAddr>> = BTreeMap::new();
    for group in &asked.groups {
        sources.entry(group.group).or_default().extend(group.source);
    }
    let most = sources.into_iter().max_by_key(|(_, sources)| sources.len());
    let Some((group, sources)) = most.filter(|(_, sources)| !sources.is_empty()) else {
        return Vec::new();
    };
    let limit = if asked.is_v6() { "net.ipv6.mld_max_msf" } else { "net.ipv4.igmp_max_msf" };
    let Some(allowed) = sysctl(&limit.replace('.', "/")) else { return Vec::new() };
    let asked_for = sources.len() as u64;
    let what = format!("{group} from {asked_for} sources, and {limit} is {allowed}");
    if asked_for <= allowed {
        return vec![Finding::fine(check, what)];
    }
    vec![Finding::note(
        check,
        what,
        "receivers take a socket for each so many; a program with one socket cannot join all sources",
        format!("sysctl -w {limit}={asked_for}"),
    )]
}

#[cfg(test)]
mod tests {
    use super::super::tests::asked;
    use super::*;
    use crate::model::checkup::Verdict;
    use crate::model::group::GroupSpec;

    fn on_a_network(groups: &[&str]) -> Asked {
        let of = |text: &&str| text.parse::<GroupSpec>().unwrap().expand(5000).unwrap();
        Asked { flags: 0, groups: groups.iter().flat_map(of).collect(), ..asked() }
    }

    #[test]
    fn groups_of_one_ethernet_address() {
        let found = |groups: &[&str]| mac_addresses("c", &on_a_network(groups));
        assert!(found(&["233.252.0.1+99"]).is_empty());
        // One group from two sources, or on two ports, is one group.
        assert!(found(&["192.0.2.1@232.1.1.1", "192.0.2.2@232.1.1.1", "239.1.1.2:7"]).is_empty());
        let shared = found(&["239.1.1.1", "239.129.1.1", "ff15::1"]);
        assert!(shared[0].what.starts_with("239.1.1.1 and 239.129.1.1 share "), "{shared:?}");
        let flooded = found(&["239.128.0.5"]);
        assert_eq!(flooded[0].what, "239.128.0.5 has the Ethernet address of 224.0.0.5");
        assert_eq!((shared.len(), flooded.len()), (1, 1));
        assert!(found(&["ff15::1:0:1", "ff15::1"])[0].what.starts_with("ff15::1 and "));
    }

    #[test]
    fn sources_of_one_group() {
        let many: Vec<_> = (1..=40).map(|last| format!("192.0.2.{last}@232.1.1.1")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let found = |groups: &[&str]| sources("c", &on_a_network(groups));
        assert!(found(&["233.252.0.1"]).is_empty());
        assert_eq!(found(&many[..2])[0].verdict, Verdict::Fine);
        let limit = sysctl("net/ipv4/igmp_max_msf").unwrap();
        let expected = if limit < 40 { Verdict::Note } else { Verdict::Fine };
        assert_eq!(found(&many)[0].verdict, expected);
    }
}
