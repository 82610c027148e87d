//! The Ethernet addresses of groups, which are fewer than the groups.

use super::Membership;
use crate::units::human::grouped;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// The Ethernet address of a group: the low 23 bits of an IPv4 group (RFC 1112 section 6.4), so that 32 groups share
/// each; the low 32 bits of an IPv6 group (RFC 2464 section 7).
pub fn mac(group: IpAddr) -> [u8; 6] {
    match group {
        IpAddr::V4(group) => {
            let [_, b, c, d] = group.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }
}

/// Groups that share an Ethernet address. What goes by that address alone, network cards and many switches, cannot tell
/// them apart: whoever wants one gets them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedMac {
    /// The first group that does not have its address for itself.
    pub first: IpAddr,
    /// The group that it shares it with: another one of ours, or one of 224.0.0.0/24, whose frames switches send
    /// everywhere (RFC 4541 section 2.1.2).
    pub second: IpAddr,
    /// How many of our groups share theirs.
    pub groups: usize,
}

/// Whether any of `groups` share an Ethernet address with each other or with 224.0.0.0/24; `None` if none do.
///
/// A range steps by one, so it never meets itself: it has fewer groups than there are addresses. Where it steps over a
/// multiple of 2^23 its groups begin to shadow 224.0.0.0/24.
pub fn shared_mac(groups: &[Membership]) -> Option<SharedMac> {
    let ours: BTreeSet<IpAddr> = groups.iter().map(|member| member.group).collect();
    let mut by_mac: BTreeMap<[u8; 6], Vec<IpAddr>> = BTreeMap::new();
    ours.iter().for_each(|group| by_mac.entry(mac(*group)).or_default().push(*group));
    let sharing = |group: &&IpAddr| by_mac[&mac(**group)].len() > 1 || shadowed(**group).is_some();
    let first = *ours.iter().find(sharing)?;
    let other = by_mac[&mac(first)].iter().copied().find(|other| *other != first);
    let second = shadowed(first).or(other)?;
    Some(SharedMac { first, second, groups: ours.iter().filter(sharing).count() })
}

impl fmt::Display for SharedMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second, groups } = self;
        let mac = mac(*first).map(|byte| format!("{byte:02x}")).join(":");
        write!(
            f,
            "{first} and {second} share the Ethernet address {mac}: what goes by that alone, a network card or a \
             switch, cannot tell them apart (groups concerned: {})",
            grouped(*groups as u64)
        )
    }
}

/// The group of 224.0.0.0/24 with the Ethernet address of `group`, which is none of them.
fn shadowed(group: IpAddr) -> Option<IpAddr> {
    match (group, mac(group)) {
        (IpAddr::V4(_), [_, _, _, 0, 0, last]) => {
            Some(IpAddr::from(Ipv4Addr::new(224, 0, 0, last))).filter(|control| *control != group)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::model::group::{GroupSpec, expand_all, shared_mac};

    fn shared(words: &[&str]) -> Option<String> {
        let specs: Vec<GroupSpec> = words.iter().map(|word| word.parse().unwrap()).collect();
        let found = shared_mac(&expand_all(&specs, 5777).unwrap())?;
        Some(format!("{} {} {}", found.first, found.second, found.groups))
    }

    #[test]
    fn addresses_that_are_shared() {
        let check = |words: &[&str], expected: &str| {
            assert_eq!(shared(words).as_deref(), Some(expected), "{words:?}");
        };
        // The 32 groups of RFC 1112 section 6.4 differ in the upper 9 bits.
        check(&["239.129.1.1", "238.1.1.1"], "238.1.1.1 239.129.1.1 2");
        check(&["239.1.1.1+9", "238.1.1.5+99"], "238.1.1.5 239.1.1.5 12");
        check(&["239.128.0.5"], "239.128.0.5 224.0.0.5 1");
        check(&["239.0.0.1+255"], "239.0.0.1 224.0.0.1 255");
        check(&["[ff15::1:1]", "[ff1e::1:1]"], "ff15::1:1 ff1e::1:1 2");
    }

    #[test]
    fn a_range_that_steps_over_23_bits_is_noticed() {
        assert_eq!(shared(&["239.127.255.250+9"]).as_deref(), Some("239.128.0.0 224.0.0.0 4"),);
    }

    #[test]
    fn addresses_that_are_not() {
        for words in [
            &["239.1.0.0+65535"][..],
            // One group on two ports, and from two sources, is one group.
            &["239.1.1.1:5000", "239.1.1.1:5001"],
            &["10.0.0.1,10.0.0.2@232.1.1.1"],
            &["[ff15::1:1]", "239.1.1.1"],
            &["224.0.1.5"],
        ] {
            assert_eq!(shared(words), None, "{words:?}");
        }
    }
}
