//! Where datagrams were lost, as far as this host can tell.

use crate::model::drops::{HostDrops, LostBy};
use crate::model::spec::{Role, TrialSpec};
use crate::net::counters::{Counters, Scope, Side};
use crate::sys::qdisc;

/// The host's counters as they stood before a trial.
pub(super) struct Watched {
    scope: Scope,
    sending: Option<Counters>,
    receiving: Option<Counters>,
}

/// How far they rose while it ran.
#[derive(Clone, Debug, Default)]
pub(super) struct HostCounted {
    pub(super) sending: HostDrops,
    pub(super) receiving: HostDrops,
    /// Kind of the root qdisc behind which the senders are.
    pub(super) qdisc: Option<String>,
}

impl Watched {
    pub(super) fn begin(spec: &TrialSpec) -> Self {
        let scope = Scope {
            interface: spec.interface,
            v4: spec.groups.iter().any(|member| member.group.is_ipv4()),
            v6: spec.groups.iter().any(|member| member.group.is_ipv6()),
        };
        let read = |side| Counters::read(&scope, side);
        Self {
            sending: (spec.role != Role::Recv).then(|| read(Side::Sending)),
            receiving: (spec.role != Role::Send).then(|| read(Side::Receiving)),
            scope,
        }
    }

    pub(super) fn end(self) -> HostCounted {
        let risen = |before: &Option<Counters>, side| {
            before.as_ref().map(|before| Counters::read(&self.scope, side).since(before))
        };
        HostCounted {
            sending: risen(&self.sending, Side::Sending).unwrap_or_default(),
            receiving: risen(&self.receiving, Side::Receiving).unwrap_or_default(),
            qdisc: self
                .sending
                .and_then(|_| qdisc::root(self.scope.interface).ok())
                .map(|root| root.kind),
        }
    }
}

/// Shares out what was lost: first to our sockets, whose counters are ours alone, then to the host before them,
/// whose counters are everybody's; so never more than is left. What came damaged was lost on the way.
pub(super) fn lost_by(lost: u64, by_rings: u64, by_sockets: u64, host: &HostDrops) -> LostBy {
    let receiver_socket = (by_rings + host.of_full_buffers(by_sockets)).min(lost);
    let receiver_host = host.before_sockets().min(lost - receiver_socket);
    let elsewhere = lost - receiver_socket - receiver_host;
    LostBy { receiver_socket, receiver_host, elsewhere }
}

/// Drops of the sending host that were no refusals: a qdisc that drops at its entrance has the send refused with
/// `ENOBUFS`; what it drops later, and what the interface drops, was taken before.
pub(super) fn dropped_after_taking(host: &HostDrops, refused: u64) -> u64 {
    let by_qdisc = host.get("qdisc.drops").unwrap_or(0).saturating_sub(refused);
    by_qdisc + host.get("interface.tx_dropped").unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(counters: &[(&str, u64)]) -> HostDrops {
        HostDrops(counters.iter().map(|&(name, count)| (name.to_owned(), count)).collect())
    }

    #[test]
    fn the_parts_are_all_that_was_lost() {
        let damaged =
            host(&[("UdpInCsumErrors", 40), ("UdpRcvbufErrors", 91), ("UdpMemErrors", 12)]);
        for (lost, expected) in
            [(0, (0, 0, 0)), (50, (50, 0, 0)), (100, (91, 9, 0)), (200, (91, 12, 97))]
        {
            // The sockets' own counters have the others too.
            let LostBy { receiver_socket, receiver_host, elsewhere } =
                lost_by(lost, 0, 143, &damaged);
            assert_eq!((receiver_socket, receiver_host, elsewhere), expected);
        }
    }

    #[test]
    fn what_a_ring_dropped_is_in_no_counter_of_the_host() {
        let quiet = host(&[("UdpRcvbufErrors", 0)]);
        let expected = LostBy { receiver_socket: 30, receiver_host: 0, elsewhere: 10 };
        assert_eq!(lost_by(40, 30, 5, &quiet), expected);
    }

    #[test]
    fn a_refusal_was_never_taken() {
        assert_eq!(dropped_after_taking(&host(&[("qdisc.drops", 974)]), 974), 0);
        assert_eq!(dropped_after_taking(&host(&[("qdisc.drops", 974)]), 1_000), 0);
        let both = host(&[("qdisc.drops", 980), ("interface.tx_dropped", 4)]);
        assert_eq!(dropped_after_taking(&both, 974), 10);
        assert_eq!(dropped_after_taking(&host(&[]), 5), 0);
    }
}
