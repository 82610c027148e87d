//! What a host's own counters say was dropped on it while a trial ran, and what of that may have been ours.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far the host's counters of drops rose while a trial ran.
///
/// | Name | Of | From |
/// |---|---|---|
/// | `UdpRcvbufErrors`, `Ip6InDiscards`, ... as nstat(8) has them | network namespace | `/proc/net/{snmp,snmp6,netstat}` |
/// | `softnet.dropped`, `softnet.cpu3.dropped`, ... | whole host | `/proc/net/softnet_stat` |
/// | `interface.rx_missed_errors`, ... | the interface | `/sys/class/net/IFACE/statistics/` |
/// | `nic.` and what its driver calls it | the interface | `ethtool -S` |
/// | `qdisc.drops`, `qdisc.overlimits` | the interface | `tc -s qdisc` |
///
/// A counter that this kernel does not have, or that was set back, is not there: not known. Those of single CPUs
/// and of the driver are there only if they rose. All of them count everybody's datagrams, not only ours; and they
/// count packets as the kernel handles them: of the engine `gso` each has several datagrams ([`PacketSize`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostDrops(pub BTreeMap<String, u64>);

/// How many datagrams travelled in how many packets, as a host counts those: several that the kernel handles as one
/// are one. Without any there was one in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketSize {
    /// Packets.
    pub packets: u64,
    /// Datagrams in them.
    pub datagrams: u64,
}

/// Packets that a receiver itself had no room for, as the kernel counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnDrops {
    /// Dropped by its sockets. Their counters also have what was damaged.
    pub by_sockets: u64,
    /// Dropped by its rings, which drop for no other reason.
    pub by_rings: u64,
    /// What was in those that it received.
    pub size: PacketSize,
}

/// Where datagrams were lost: the parts add up to the lost ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostBy {
    /// The receive buffers of our own sockets were full (`SO_MEMINFO`).
    pub receiver_socket: u64,
    /// This host dropped them before the socket, at one [`Place`] or another. Its counters
    /// may have counted datagrams of others too, so this is the most that it can have been.
    pub receiver_host: u64,
    /// Neither: the network, or a host before this one.
    pub elsewhere: u64,
}

impl LostBy {
    /// Adds those of another trial.
    pub fn add(&mut self, other: &Self) {
        self.receiver_socket += other.receiver_socket;
        self.receiver_host += other.receiver_host;
        self.elsewhere += other.elsewhere;
    }

    /// What has been added since `earlier`.
    pub fn since(&self, earlier: &Self) -> LostByInterval {
        let added = |now: u64, before: u64| now as i64 - before as i64;
        LostByInterval {
            receiver_socket: added(self.receiver_socket, earlier.receiver_socket),
            receiver_host: added(self.receiver_host, earlier.receiver_host),
            elsewhere: added(self.elsewhere, earlier.elsewhere),
        }
    }
}

/// Where the datagrams were lost that an interval has found to be lost: the parts add up to those. A part is below
/// zero when what had been laid to that place came late after all, or turns out to have been lost at another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostByInterval {
    /// See [`LostBy::receiver_socket`].
    pub receiver_socket: i64,
    /// See [`LostBy::receiver_host`].
    pub receiver_host: i64,
    /// See [`LostBy::elsewhere`].
    pub elsewhere: i64,
}

impl LostByInterval {
    /// Adds those of another interval.
    pub fn add(&mut self, other: &Self) {
        let add = |one: &mut i64, other: i64| *one = one.saturating_add(other);
        add(&mut self.receiver_socket, other.receiver_socket);
        add(&mut self.receiver_host, other.receiver_host);
        add(&mut self.elsewhere, other.elsewhere);
    }

    /// Whether none were lost, and none that had been came after all.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The same of all intervals so far, which take back no more than others have told.
    pub fn in_all(&self) -> LostBy {
        let [receiver_socket, receiver_host, elsewhere] =
            [self.receiver_socket, self.receiver_host, self.elsewhere]
                .map(|part| part.try_into().unwrap_or(0));
        LostBy { receiver_socket, receiver_host, elsewhere }
    }
}

/// A place on the receiving host, before the socket, at which datagrams are dropped. In the order of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The interface found no free buffer in its receive ring.
    Ring,
    /// The queue of a CPU was full (`net.core.netdev_max_backlog`), or its flow limit was reached.
    Backlog,
    /// The kernel had no memory for the packet.
    Packet,
    /// The reverse-path filter: no route to the sender leads out through this interface.
    ReversePath,
    /// All UDP sockets together had taken the memory they may (`net.ipv4.udp_mem`).
    UdpMemory,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Ring, Self::Backlog, Self::Packet, Self::ReversePath, Self::UdpMemory];
}

impl PacketSize {
    /// Adds all of `other`.
    pub fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.datagrams += other.datagrams;
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            packets: self.packets - earlier.packets,
            datagrams: self.datagrams - earlier.datagrams,
        }
    }

    /// Datagrams in so many packets, if those were like all others.
    pub fn datagrams_in(self, packets: u64) -> u64 {
        match self.packets {
            0 => packets,
            all => {
                let datagrams = u128::from(packets) * u128::from(self.datagrams);
                ((datagrams + u128::from(all / 2)) / u128::from(all)) as u64
            }
        }
    }
}

impl OwnDrops {
    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.by_sockets += other.by_sockets;
        self.by_rings += other.by_rings;
        self.size.add(other.size);
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            by_sockets: self.by_sockets - earlier.by_sockets,
            by_rings: self.by_rings - earlier.by_rings,
            size: self.size.since(earlier.size),
        }
    }
}

impl HostDrops {
    /// How far a counter rose; `None` if that is not known.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// The counters that rose.
    pub fn risen(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, &count)| (name.as_str(), count)).filter(|(_, count)| *count > 0)
    }

    /// Whether any of them says that something was dropped: that a CPU ran out of time, or that a shaper held
    /// packets back, does not.
    pub fn has_drops(&self) -> bool {
        let is_drop = |name: &str| !name.ends_with("time_squeeze") && name != "qdisc.overlimits";
        self.risen().any(|(name, _)| is_drop(name))
    }

    fn sum(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.get(name)).sum()
    }

    /// What was dropped at a place, each packet once.
    ///
    /// Not counted anywhere: `InErrors` and `NoPorts`, the sums of others and what nobody listened to;
    /// `IpInAddrErrors` and `InNoRoutes`, which only unicast meets (`ip_error`, net/ipv4/route.c);
    /// `Ip6InDiscards`, which grows by what a source filter refuses too (`ip6_protocol_deliver_rcu`,
    /// net/ipv6/ip6_input.c); `interface.rx_dropped` for itself and the driver's own counters, see below.
    pub fn at(&self, place: Place) -> u64 {
        match place {
            // Three names for the same event in different drivers, some of which fill in several
            // (<linux/if_link.h>, struct rtnl_link_stats64). The driver's own counters repeat them in detail, so
            // they are shown and not added.
            Place::Ring => ["rx_missed_errors", "rx_fifo_errors", "rx_over_errors"]
                .iter()
                .filter_map(|name| self.get(&format!("interface.{name}")))
                .max()
                .unwrap_or(0),
            // The backlogs are the whole host's, but each such drop also counts in rx_dropped of the interface
            // (enqueue_to_backlog, net/core/dev.c), and that has frames of unknown protocols as well: so neither
            // says how many were ours, and both say how many at most. `flow_limit` is among `dropped`.
            Place::Backlog => {
                let dropped = self.get("softnet.dropped").unwrap_or(0);
                self.get("interface.rx_dropped").map_or(dropped, |most| most.min(dropped))
            }
            Place::Packet => self.sum(&["IpInDiscards"]),
            Place::ReversePath => self.sum(&["TcpExtIPReversePathFilter"]),
            Place::UdpMemory => self.sum(&["UdpMemErrors", "Udp6MemErrors"]),
        }
    }

    /// What was broken when it came: the IP header, or a checksum. This host dropped it, too, but that it could
    /// not be used is the doing of the way that it came.
    pub fn damaged(&self) -> u64 {
        self.sum(&[
            "IpInHdrErrors",
            "IpExtInTruncatedPkts",
            "UdpInCsumErrors",
            "Ip6InHdrErrors",
            "Ip6InTruncatedPkts",
            "Udp6InCsumErrors",
        ])
    }

    /// What was dropped before any socket.
    pub fn before_sockets(&self) -> u64 {
        Place::ALL.iter().map(|place| self.at(*place)).sum()
    }

    /// How many of `drops`, which sockets of ours have counted, were for want of room in their buffers.
    ///
    /// A socket's counter also has what it found damaged and what it got no memory for (`sk_drops` in
    /// `__udp_enqueue_schedule_skb`, net/ipv4/udp.c, and `__sk_queue_drop_skb`, net/core/datagram.c).
    /// `RcvbufErrors` has the buffers alone, but those of all sockets of the namespace.
    pub fn of_full_buffers(&self, drops: u64) -> u64 {
        let all = [self.get("UdpRcvbufErrors"), self.get("Udp6RcvbufErrors")];
        match all.iter().flatten().sum() {
            _ if all == [None, None] => drops,
            all => drops.min(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(counters: &[(&str, u64)]) -> HostDrops {
        HostDrops(counters.iter().map(|&(name, count)| (name.to_owned(), count)).collect())
    }

    #[test]
    fn each_drop_is_counted_once() {
        let all = drops(&[
            ("UdpInErrors", 99),
            ("UdpRcvbufErrors", 91),
            ("UdpInCsumErrors", 5),
            ("UdpMemErrors", 3),
            ("IpInAddrErrors", 7),
            ("TcpExtIPReversePathFilter", 11),
            ("interface.rx_missed_errors", 20),
            ("interface.rx_fifo_errors", 20),
            ("nic.rx_no_buffer", 20),
        ]);
        assert_eq!((all.before_sockets(), all.damaged()), (3 + 11 + 20, 5));
        assert_eq!(HostDrops::default().before_sockets(), 0);
    }

    #[test]
    fn backlogs_of_other_interfaces_are_not_ours() {
        let backlog = |counters| drops(counters).at(Place::Backlog);
        assert_eq!(backlog(&[("softnet.dropped", 10), ("interface.rx_dropped", 4)]), 4);
        assert_eq!(backlog(&[("softnet.dropped", 4), ("interface.rx_dropped", 10)]), 4);
        assert_eq!(backlog(&[("softnet.dropped", 4)]), 4);
        assert_eq!(backlog(&[("interface.rx_dropped", 10)]), 0);
    }

    #[test]
    fn a_socket_counts_more_than_full_buffers() {
        assert_eq!(drops(&[("UdpRcvbufErrors", 91)]).of_full_buffers(96), 91);
        assert_eq!(drops(&[("Udp6RcvbufErrors", 200)]).of_full_buffers(96), 96);
        assert_eq!(drops(&[]).of_full_buffers(96), 96);
    }

    #[test]
    fn delay_alone_is_no_drop() {
        let idle = drops(&[("softnet.time_squeeze", 3), ("softnet.cpu1.time_squeeze", 3)]);
        assert!(!idle.has_drops() && !drops(&[("qdisc.overlimits", 9)]).has_drops());
        assert!(!drops(&[("qdisc.drops", 0)]).has_drops());
        assert!(drops(&[("qdisc.drops", 1)]).has_drops());
    }

    #[test]
    fn what_is_laid_to_another_place_later_is_taken_back() {
        let before = LostBy { receiver_socket: 0, receiver_host: 5, elsewhere: 2 };
        let after = LostBy { receiver_socket: 9, receiver_host: 1, elsewhere: 2 };
        let expected = LostByInterval { receiver_socket: 9, receiver_host: -4, elsewhere: 0 };
        assert_eq!(after.since(&before), expected);
    }

    #[test]
    fn packets_have_as_many_datagrams_as_others_had() {
        let size = PacketSize { packets: 3, datagrams: 100 };
        assert_eq!([0, 1, 3, 10].map(|packets| size.datagrams_in(packets)), [0, 33, 100, 333]);
        assert_eq!(PacketSize::default().datagrams_in(7), 7);
    }

    #[test]
    fn json_is_names_and_numbers() {
        let drops = drops(&[("UdpInErrors", 1)]);
        assert_eq!(serde_json::to_string(&drops).unwrap(), r#"{"UdpInErrors":1}"#);
    }
}
