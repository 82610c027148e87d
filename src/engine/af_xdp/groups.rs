//! Whose a datagram is, for an engine to which the kernel gives whatever comes to its ports.

use crate::engine::FlowIndex;
use crate::model::group::Membership;
use std::net::{IpAddr, SocketAddr};

/// The groups of a receiver.
pub(super) struct Groups {
    /// By group and port, so that those of one are together.
    memberships: Box<[(SocketAddr, Option<IpAddr>, FlowIndex)]>,
    /// What was asked last: most often it is asked again.
    last: Option<(SocketAddr, IpAddr, Whose)>,
}

/// Whose a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// It was sent to this group of ours.
    Flow(FlowIndex),
    /// It was sent to no group of ours.
    Nobodys,
    /// It was sent to a group of ours, by a source that we did not ask for.
    Unwanted,
}

impl Groups {
    pub(super) fn new(flows: &[Membership]) -> Self {
        let memberships = (0..).zip(flows);
        let mut memberships: Box<[_]> = memberships
            .map(|(index, flow)| (flow.destination(), flow.source, index))
            .collect();
        memberships.sort_unstable();
        Self { memberships, last: None }
    }

    /// Whose a datagram is that `source` sent to `destination`.
    #[inline]
    pub(super) fn whose(&mut self, destination: SocketAddr, source: IpAddr) -> Whose {
        match self.last {
            Some((to, from, whose)) if to == destination && from == source => whose,
            _ => {
                let whose = self.find(destination, source);
                self.last = Some((destination, source, whose));
                whose
            }
        }
    }

    fn find(&self, destination: SocketAddr, source: IpAddr) -> Whose {
        let start = self.memberships.partition_point(|(group, ..)| *group < destination);
        let group = self.memberships[start..].iter().take_while(|(to, ..)| *to == destination);
        let mut whose = Whose::Nobodys;
        for (_, only_from, flow) in group {
            if only_from.is_none_or(|only| only == source) {
                return Whose::Flow(*flow);
            }
            whose = Whose::Unwanted;
        }
        whose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(text: &str, source: Option<&str>) -> Membership {
        let address: SocketAddr = text.parse().unwrap();
        let source = source.map(|source| source.parse().unwrap());
        Membership { source, group: address.ip(), port: address.port() }
    }

    #[test]
    fn group_port_and_source_decide() {
        let mut groups = Groups::new(&[
            membership("239.1.1.2:5000", None),
            membership("232.1.1.1:5000", Some("10.0.0.1")),
            membership("239.1.1.1:5000", None),
            membership("232.1.1.1:5000", Some("10.0.0.2")),
            membership("[ff15::1]:5000", None),
        ]);
        let mut whose = |to: &str, from: &str| {
            let once = groups.whose(to.parse().unwrap(), from.parse().unwrap());
            assert_eq!(groups.whose(to.parse().unwrap(), from.parse().unwrap()), once);
            once
        };
        assert_eq!(whose("239.1.1.1:5000", "10.0.0.9"), Whose::Flow(2));
        assert_eq!(whose("239.1.1.2:5000", "10.0.0.9"), Whose::Flow(0));
        assert_eq!(whose("239.1.1.1:5001", "10.0.0.9"), Whose::Nobodys);
        assert_eq!(whose("10.0.0.3:5000", "10.0.0.9"), Whose::Nobodys);
        assert_eq!(whose("232.1.1.1:5000", "10.0.0.1"), Whose::Flow(1));
        assert_eq!(whose("232.1.1.1:5000", "10.0.0.2"), Whose::Flow(3));
        assert_eq!(whose("232.1.1.1:5000", "10.0.0.3"), Whose::Unwanted);
        assert_eq!(whose("[ff15::1]:5000", "fe80::1"), Whose::Flow(4));
        assert_eq!(whose("[ff15::2]:5000", "fe80::1"), Whose::Nobodys);
    }
}
