//! Where datagrams were lost, as far as this host can tell.

use crate::model::drops::{HostDrops, LostBy, OwnDrops, PacketSize};
use crate::model::spec::{Role, TrialSpec};
use crate::net::counters::{Counters, Scope, Side};
use crate::sys::qdisc;

/// The host's counters while a trial runs.
pub(super) struct Watched {
    scope: Scope,
    /// Indices of the other interfaces of a receiver.
    further: Vec<u32>,
    sending: Option<Series>,
    receiving: Option<Series>,
}

/// The counters of one side.
struct Series {
    side: Side,
    /// Before the trial.
    first: Counters,
    /// At the end of the last interval that was told.
    told: Counters,
    /// As last looked at.
    seen: Counters,
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
        let further = spec.further_interfaces.clone();
        let begin = |side| Series::begin(read(&scope, &further, side), side);
        Self {
            sending: (spec.role != Role::Recv).then(|| begin(Side::Sending)),
            receiving: (spec.role != Role::Send).then(|| begin(Side::Receiving)),
            scope,
            further,
        }
    }

    /// Reads them. What that takes, the thread of the collector has to give.
    pub(super) fn look(&mut self) {
        for series in self.sending.iter_mut().chain(&mut self.receiving) {
            series.seen = read(&self.scope, &self.further, series.side);
        }
    }

    /// How far the sending side's and the receiving side's have risen since they were last told.
    pub(super) fn untold(&self) -> [HostDrops; 2] {
        [&self.sending, &self.receiving].map(|series| {
            series.as_ref().map(|series| series.seen.since(&series.told)).unwrap_or_default()
        })
    }

    /// What was seen last has been told.
    pub(super) fn tell(&mut self) {
        for series in self.sending.iter_mut().chain(&mut self.receiving) {
            series.told.clone_from(&series.seen);
        }
    }

    /// What was told in all: the sending side's and the receiving side's.
    pub(super) fn told(&self) -> [HostDrops; 2] {
        [&self.sending, &self.receiving].map(|series| {
            series.as_ref().map(|series| series.told.since(&series.first)).unwrap_or_default()
        })
    }

    /// What was told in all, for the report.
    pub(super) fn counted(&self) -> HostCounted {
        let [sending, receiving] = self.told();
        let root = self.sending.as_ref().and_then(|_| qdisc::root(self.scope.interface).ok());
        HostCounted { sending, receiving, qdisc: root.map(|root| root.kind) }
    }
}

/// Those of several interfaces are added up.
fn read(scope: &Scope, further: &[u32], side: Side) -> Counters {
    let mut counters = Counters::read(scope, side);
    further.iter().for_each(|index| counters.add_device(*index, side));
    counters
}

impl Series {
    fn begin(first: Counters, side: Side) -> Self {
        Self { side, told: first.clone(), seen: first.clone(), first }
    }
}

/// Shares out what was lost: first to our sockets, whose counters are ours alone, then to the host before them,
/// whose counters are everybody's; so never more than is left. What came damaged was lost on the way.
pub(super) fn lost_by(lost: u64, own: &OwnDrops, host: &HostDrops) -> LostBy {
    let OwnDrops { by_sockets, by_rings, size } = *own;
    let full = by_rings + host.of_full_buffers(by_sockets);
    let receiver_socket = size.datagrams_in(full).min(lost);
    let receiver_host = size.datagrams_in(host.before_sockets()).min(lost - receiver_socket);
    let elsewhere = lost - receiver_socket - receiver_host;
    LostBy { receiver_socket, receiver_host, elsewhere }
}

/// Drops of the sending host that were no refusals: a qdisc that drops at its entrance has the send refused with
/// `ENOBUFS`; what it drops later, and what the interface drops, was taken before.
/// A refused packet is tried again datagram by datagram, so each refusal is one drop.
pub(super) fn dropped_after_taking(host: &HostDrops, refused: u64, size: PacketSize) -> u64 {
    let by_qdisc = host.get("qdisc.drops").unwrap_or(0).saturating_sub(refused);
    size.datagrams_in(by_qdisc + host.get("interface.tx_dropped").unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_sockets(by_sockets: u64) -> OwnDrops {
        OwnDrops { by_sockets, ..OwnDrops::default() }
    }

    const ONE: PacketSize = PacketSize { packets: 0, datagrams: 0 };

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
                lost_by(lost, &of_sockets(143), &damaged);
            assert_eq!((receiver_socket, receiver_host, elsewhere), expected);
        }
    }

    #[test]
    fn packets_become_datagrams() {
        let full = host(&[("UdpRcvbufErrors", 10), ("UdpMemErrors", 2)]);
        let size = PacketSize { packets: 100, datagrams: 4_900 };
        let own = OwnDrops { size, ..of_sockets(10) };
        let LostBy { receiver_socket, receiver_host, elsewhere } = lost_by(600, &own, &full);
        assert_eq!((receiver_socket, receiver_host, elsewhere), (490, 98, 12));
        assert_eq!(dropped_after_taking(&host(&[("qdisc.drops", 12)]), 2, size), 490);
    }

    #[test]
    fn what_a_ring_dropped_is_in_no_counter_of_the_host() {
        let quiet = host(&[("UdpRcvbufErrors", 0)]);
        let expected = LostBy { receiver_socket: 30, receiver_host: 0, elsewhere: 10 };
        assert_eq!(lost_by(40, &OwnDrops { by_rings: 30, ..of_sockets(5) }, &quiet), expected);
    }

    #[test]
    fn a_refusal_was_never_taken() {
        assert_eq!(dropped_after_taking(&host(&[("qdisc.drops", 974)]), 974, ONE), 0);
        assert_eq!(dropped_after_taking(&host(&[("qdisc.drops", 974)]), 1_000, ONE), 0);
        let both = host(&[("qdisc.drops", 980), ("interface.tx_dropped", 4)]);
        assert_eq!(dropped_after_taking(&both, 974, ONE), 10);
        assert_eq!(dropped_after_taking(&host(&[]), 5, ONE), 0);
    }
}
