//! What each share of the loss means, and what to do about it on this machine, after what was done already.

use super::warnings::Explained;
use crate::model::drops::{HostDrops, Place};
use crate::model::report::{ReceiverReport, RunReport};
use crate::units::human::grouped;
use crate::units::text::{bytes, count};

/// A share of what was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The buffers of our own sockets were full.
    Socket {
        /// How many.
        datagrams: u64,
    },
    /// The receiving host, before the sockets.
    Host {
        /// Where.
        place: Place,
        /// How many at most.
        datagrams: u64,
    },
    /// On the way, so that this host could not use them.
    Damaged {
        /// How many at most.
        datagrams: u64,
    },
    /// Not on this host.
    Elsewhere {
        /// How many.
        datagrams: u64,
    },
}

/// The shares of the loss, in the order in which they are shared out.
pub fn shares(report: &RunReport) -> Vec<Share> {
    let trial = &report.trial;
    let (Some(totals), Some(receiver)) = (&trial.totals, &trial.receiver) else {
        return Vec::new();
    };
    let by = totals.lost_by;
    let host = Place::ALL.map(|place| {
        let datagrams = receiver.host_drops.at(place).min(by.receiver_host);
        Share::Host { place, datagrams }
    });
    let mut shares = vec![Share::Socket { datagrams: by.receiver_socket }];
    shares.extend(host);
    let damaged = receiver.host_drops.damaged().min(by.elsewhere);
    shares.push(Share::Damaged { datagrams: damaged });
    shares.push(Share::Elsewhere { datagrams: by.elsewhere - damaged });
    shares.retain(|share| share.datagrams() > 0);
    shares
}

impl Share {
    fn datagrams(&self) -> u64 {
        let (Self::Socket { datagrams }
        | Self::Host { datagrams, .. }
        | Self::Damaged { datagrams }
        | Self::Elsewhere { datagrams }) = *self;
        datagrams
    }

    /// Those that this host dropped by a fault of its own.
    pub fn own_datagrams(&self) -> u64 {
        match self {
            Self::Socket { datagrams } | Self::Host { datagrams, .. } => *datagrams,
            Self::Damaged { .. } | Self::Elsewhere { .. } => 0,
        }
    }
}

impl Explained for Share {
    fn sentence(&self) -> String {
        let datagrams = grouped(self.datagrams());
        match self {
            Self::Socket { .. } => {
                format!("{datagrams} at our own sockets, whose receive buffer was full")
            }
            Self::Host { place, .. } => format!("{datagrams} {}", place_sentence(*place)),
            Self::Damaged { .. } => {
                format!("{datagrams} came damaged: a wrong checksum or a broken header")
            }
            Self::Elsewhere { .. } => {
                format!("{datagrams} never came to this host: the network, or the sending host")
            }
        }
    }

    fn advice(&self, report: &RunReport) -> String {
        match self {
            Self::Socket { .. } => match &report.trial.receiver {
                Some(receiver) => of_full_buffer(receiver, report),
                None => String::new(),
            },
            Self::Host { place, .. } => of_place(*place, report),
            Self::Damaged { .. } => DAMAGED.into(),
            Self::Elsewhere { .. } => elsewhere(report),
        }
    }
}

const DAMAGED: &str = "not this host's doing: look for a bad cable, port or NIC on the way, and for a \
                       sender whose checksum offload is broken (ethtool -K IFACE tx off)";

fn place_sentence(place: Place) -> &'static str {
    match place {
        Place::Ring => "at the interface, whose receive ring was full",
        Place::Backlog => "in the backlog of a CPU, which was full",
        Place::Packet => "in the IP layer, for want of memory",
        Place::ReversePath => "by the reverse-path filter: no route back to the sender",
        Place::UdpMemory => "because UDP sockets had used all the memory they may",
    }
}

/// A full socket buffer: first room for bursts, then a core, then more of them, then less to do.
fn of_full_buffer(receiver: &ReceiverReport, report: &RunReport) -> String {
    /// What half a second of 10 Gbit/s in large datagrams takes; more than that only delays the overflow.
    const AMPLE: usize = 512 << 20;
    let grant = receiver.receive_buffer;
    let spec = &report.trial.spec;
    let is_pinned = receiver.cpus.iter().all(Option::is_some);
    if !grant.is_full() {
        let granted = bytes(grant.granted as u64 / 2);
        let asked = grant.asked;
        format!(
            "only {granted} were granted: sysctl -w net.core.rmem_max={asked}, or CAP_NET_ADMIN"
        )
    } else if grant.asked < 8 << 20 {
        format!("--rcvbuf is only {}; 8 MiB is the default", bytes(grant.asked as u64))
    } else if !is_pinned && !receiver.cpus.is_empty() {
        "the buffer is as asked for, so pin the receiver to a core of its own with --cpu".into()
    } else if receiver.cpus.len() < spec.groups.len() {
        "buffer and cores are as asked for, so share the groups among more --threads".into()
    } else if grant.asked < AMPLE {
        let larger = bytes(grant.asked as u64 * 4);
        format!("lower --rate; only short bursts would be helped by --rcvbuf {larger}")
    } else {
        "lower --rate: this receiver cannot read faster".into()
    }
}

/// What to do about drops at a place of the receiving host.
pub(super) fn of_place(place: Place, report: &RunReport) -> String {
    let environment = &report.environment;
    let interface = environment.interface.name.as_str();
    match place {
        Place::Ring => match environment.interface.rings {
            Some(rings) if rings.rx < rings.rx_max => {
                format!("ethtool -G {interface} rx {} (now {})", rings.rx_max, rings.rx)
            }
            Some(_) => "the ring is as long as it can be: spread flows over more receive queues \
                        (ethtool -L, -X), keep their cores free, or lower --rate"
                .into(),
            None => format!("see ethtool -g {interface}, or lower --rate"),
        },
        Place::Backlog => {
            let now = environment.netdev_max_backlog;
            let wanted = now.map_or(10_000, |now| (10 * now).max(10_000));
            let now = now.map(|now| format!(" (now {now})")).unwrap_or_default();
            format!("sysctl -w net.core.netdev_max_backlog={wanted}{now}, or lower --rate")
        }
        Place::Packet => "free memory on this host, or lower --rate".into(),
        Place::ReversePath => reverse_path(report),
        Place::UdpMemory => {
            let now = environment.sysctls.get("net.ipv4.udp_mem");
            let now = now.map(|now| format!(" (now \"{now}\" pages)")).unwrap_or_default();
            format!("raise net.ipv4.udp_mem{now}, or use a smaller --rcvbuf or fewer sockets")
        }
    }
}

/// The filter is as strict as the larger of two settings, ip-sysctl: "The max value from
/// conf/{all,interface}/rp_filter is used".
fn reverse_path(report: &RunReport) -> String {
    let interface = report.environment.interface.name.as_str();
    let names = ["all", interface].map(|of| format!("net.ipv4.conf.{of}.rp_filter"));
    let settings = names.iter().filter_map(|name| {
        let now = report.environment.sysctls.get(name).map_or("1", String::as_str);
        (now != "0").then(|| format!("{name}=0"))
    });
    let settings = settings.collect::<Vec<_>>().join(" ");
    let route = format!("add a route to the sender through {interface}");
    if settings.is_empty() { route } else { format!("{route}, or: sysctl -w {settings}") }
}

/// What to do about a queue of the sending host that was full.
pub(super) fn of_full_queue(report: &RunReport) -> String {
    // Those that hold packets back on purpose; a longer queue would only fill later.
    const SHAPERS: [&str; 6] = ["tbf", "htb", "hfsc", "cake", "netem", "etf"];
    let interface = report.environment.interface.name.as_str();
    match report.trial.sender.as_ref().and_then(|sender| sender.qdisc.as_deref()) {
        Some(kind) if SHAPERS.contains(&kind) => format!(
            "qdisc {kind} limits what {interface} may send: lower --rate below its limit, or change it \
             (tc -s qdisc show dev {interface})"
        ),
        // tc-fq(8): "flow_limit: Hard limit on the maximum number of packets queued per flow. Default 100".
        Some("fq") => format!(
            "lower --rate, or let flows queue more: tc qdisc change dev {interface} root fq flow_limit 10000"
        ),
        _ => format!(
            "lower --rate, or lengthen the queue: ip link set dev {interface} txqueuelen 10000"
        ),
    }
}

/// Nothing here has seen them, as far as the counters tell.
fn elsewhere(report: &RunReport) -> String {
    let trial = &report.trial;
    let own = trial.sender.as_ref().map_or(0, |sender| sender.dropped_after_taking);
    if own > 0 {
        return format!("the sender here dropped {} itself, see Warnings", count(own, "datagram"));
    }
    let drops = trial.receiver.as_ref().map(|receiver| &receiver.host_drops);
    let unclear = drops.map_or(0, |drops| {
        let dropped = drops.get("interface.rx_dropped").unwrap_or(0);
        dropped.saturating_sub(drops.at(Place::Backlog))
    });
    let interface = &report.environment.interface.name;
    match unclear {
        0 => "compare with the sender's own report, then look at the counters of the switches on the way"
            .into(),
        _ => format!(
            "{interface} itself dropped {} (rx_dropped), maybe of other protocols, maybe ours: see \
             ethtool -S {interface}; then the sender's report and the switches on the way",
            count(unclear, "frame")
        ),
    }
}

/// Why nothing was heard, as far as the counters tell.
pub(super) fn of_silence(report: &RunReport) -> String {
    let drops = report.trial.receiver.as_ref().map(|receiver| &receiver.host_drops);
    let at = |place| drops.map_or(0, |drops| drops.at(place));
    let unwanted = drops.map_or(0, |drops| {
        let of = |name| drops.get(name).unwrap_or(0);
        of("UdpIgnoredMulti") + of("Udp6IgnoredMulti")
    });
    if at(Place::ReversePath) > 0 {
        let filtered = count(at(Place::ReversePath), "datagram");
        return format!("the reverse-path filter dropped {filtered}: {}", reverse_path(report));
    }
    if let damaged @ 1.. = drops.map_or(0, HostDrops::damaged) {
        return format!("{} came damaged: {DAMAGED}", count(damaged, "datagram"));
    }
    if unwanted > 0 {
        return format!(
            "{} came for which no socket listened: check that sender and receiver name the same group \
             and port",
            count(unwanted, "multicast datagram")
        );
    }
    "check that sender and receiver name the same group, port and interface, that --ttl reaches across \
     routers, and that no firewall or IGMP snooping is in the way"
        .into()
}

#[cfg(test)]
mod tests;
