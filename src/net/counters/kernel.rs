//! The counters of the network stack under `/proc/net`. Columns are found by name: every kernel has its own.

use super::{Counters, Scope, Side};
use std::fs;

/// IPv4, by the names of nstat(8). Of the network namespace.
const RECEIVING: &[&str] = &[
    "UdpInErrors",
    "UdpNoPorts",
    "UdpRcvbufErrors",
    "UdpInCsumErrors",
    "UdpMemErrors",
    "UdpIgnoredMulti",
    "IpInHdrErrors",
    "IpInAddrErrors",
    "IpInDiscards",
    "IpReasmFails",
    "IpExtInNoRoutes",
    "IpExtInTruncatedPkts",
    "TcpExtIPReversePathFilter",
];
const RECEIVING_V6: &[&str] = &[
    "Udp6InErrors",
    "Udp6NoPorts",
    "Udp6RcvbufErrors",
    "Udp6InCsumErrors",
    "Udp6MemErrors",
    "Udp6IgnoredMulti",
    "Ip6InHdrErrors",
    "Ip6InAddrErrors",
    "Ip6InDiscards",
    "Ip6InNoRoutes",
    "Ip6InTruncatedPkts",
    "Ip6ReasmFails",
];
/// What poll(2) finds damaged in the queue of a socket counts as IPv4 even if the socket is IPv6
/// (`__first_packet_length`, net/ipv4/udp.c).
const RECEIVING_V6_AS_V4: &[&str] = &["UdpInErrors", "UdpInCsumErrors"];
const SENDING: &[&str] = &["UdpSndbufErrors", "IpOutDiscards", "IpOutNoRoutes"];
const SENDING_V6: &[&str] = &["Udp6SndbufErrors", "Ip6OutDiscards", "Ip6OutNoRoutes"];

/// What the names of single CPUs' counters start with.
pub(super) const OF_CPU: &str = "softnet.cpu";

pub(super) fn read(scope: &Scope, side: Side, counters: &mut Counters) {
    let file = |name: &str| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    let (names, names6) = match side {
        Side::Receiving if scope.v4 => (RECEIVING, RECEIVING_V6),
        Side::Receiving => (RECEIVING_V6_AS_V4, RECEIVING_V6),
        Side::Sending if scope.v4 => (SENDING, SENDING_V6),
        Side::Sending => (&[][..], SENDING_V6),
    };
    for file in [file("snmp"), file("netstat")] {
        keep(tables(&file), names, counters);
    }
    if scope.v6 {
        keep(lines(&file("snmp6")), names6, counters);
    }
    if side == Side::Receiving {
        softnet(&file("softnet_stat"), counters);
    }
}

fn keep(all: impl Iterator<Item = (String, u64)>, wanted: &[&str], counters: &mut Counters) {
    for (name, count) in all.filter(|(name, _)| wanted.contains(&name.as_str())) {
        counters.add(name, count);
    }
}

/// `Udp: InErrors ...` above `Udp: 5 ...`, as `UdpInErrors` and so on (`snmp_seq_show`, net/ipv4/proc.c).
fn tables(text: &str) -> impl Iterator<Item = (String, u64)> {
    let heads = text.lines().zip(text.lines().skip(1));
    heads.flat_map(|(names, values)| {
        let table = names.split_once(':').zip(values.split_once(':'));
        let same = table.filter(|((names, _), (values, _))| names == values);
        same.into_iter().flat_map(|((table, names), (_, values))| {
            let pairs = names.split_whitespace().zip(values.split_whitespace());
            pairs.filter_map(move |(name, value)| {
                Some((format!("{table}{name}"), value.parse().ok()?))
            })
        })
    })
}

/// `Udp6InErrors 5` a line (`snmp6_seq_show`, net/ipv6/proc.c).
fn lines(text: &str) -> impl Iterator<Item = (String, u64)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    })
}

/// A row of hexadecimal numbers a CPU (`softnet_seq_show`, net/core/net-procfs.c): the second is the packets
/// that its backlog had no room for, the third how often it stopped with work left, the eleventh the packets
/// dropped for the flow limit (among the second), the thirteenth, where there is one, the CPU's number. CPUs
/// that are off have no row.
fn softnet(text: &str, counters: &mut Counters) {
    const COLUMNS: [(&str, usize); 3] = [("dropped", 1), ("time_squeeze", 2), ("flow_limit", 10)];
    let mut sums = [None; COLUMNS.len()];
    for (row, line) in text.lines().enumerate() {
        let column = |index| u64::from_str_radix(line.split_whitespace().nth(index)?, 16).ok();
        let cpu = column(12).unwrap_or(row as u64);
        for (sum, (name, index)) in sums.iter_mut().zip(COLUMNS) {
            let Some(count) = column(index) else { continue };
            *sum.get_or_insert(0) += count;
            counters.add(format!("{OF_CPU}{cpu}.{name}"), count);
        }
    }
    for (sum, (name, _)) in sums.into_iter().zip(COLUMNS) {
        if let Some(count) = sum {
            counters.add(format!("softnet.{name}"), count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(text: &str, names: &[&str]) -> Vec<(String, u64)> {
        let mut counters = Counters::default();
        keep(tables(text), names, &mut counters);
        counters.0.into_iter().collect()
    }

    #[test]
    fn columns_are_found_by_name_on_every_kernel() {
        // 3.10 (CentOS 7) has neither IgnoredMulti nor MemErrors, 6.1 has both, and in other places.
        let old = "Ip: Forwarding DefaultTTL InReceives InHdrErrors\nIp: 1 64 9 2\n\
                   Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors\n\
                   Udp: 5 1 9 4 7 0 2\n\
                   UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdpLite: 0 0 0 0 88\n";
        let new = "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors \
                   IgnoredMulti MemErrors\nUdp: 5 1 12 4 7 0 2 6 3\n";
        let named = |all: &[(&str, u64)]| -> Vec<_> {
            all.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
        };
        let names = ["IpInHdrErrors", "UdpInCsumErrors", "UdpMemErrors", "UdpRcvbufErrors"];
        let expected =
            named(&[("IpInHdrErrors", 2), ("UdpInCsumErrors", 2), ("UdpRcvbufErrors", 7)]);
        assert_eq!(kept(old, &names), expected);
        let expected =
            named(&[("UdpInCsumErrors", 2), ("UdpMemErrors", 3), ("UdpRcvbufErrors", 7)]);
        assert_eq!(kept(new, &names), expected);
    }

    #[test]
    fn netstat_has_the_same_form() {
        let text = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 50\n\
                    IpExt: InNoRoutes InTruncatedPkts\nIpExt: 0 4\n";
        let names = ["TcpExtIPReversePathFilter", "IpExtInTruncatedPkts"];
        assert_eq!(kept(text, &names).iter().map(|(_, n)| n).sum::<u64>(), 54);
    }

    #[test]
    fn what_is_cut_off_or_nonsense_is_not_known() {
        let names = ["UdpInErrors", "UdpRcvbufErrors"];
        for text in ["", "Udp:", "Udp: InErrors", "Udp: InErrors\nUdp:", "Udp: InErrors\nIp: 5\n"] {
            assert_eq!(kept(text, &names), [], "{text}");
        }
        let cut = "Udp: InErrors RcvbufErrors\nUdp: 5";
        assert_eq!(kept(cut, &names), [("UdpInErrors".to_owned(), 5)]);
        assert_eq!(kept("Udp: InErrors RcvbufErrors\nUdp: -1 x", &names), []);
    }

    #[test]
    fn ipv6_has_a_line_a_counter() {
        let text =
            "Udp6InDatagrams                 \t4\nUdp6MemErrors  \t8\nbroken\nIp6InDiscards\tx\n";
        let all: Vec<_> = lines(text).collect();
        assert_eq!(all, [("Udp6InDatagrams".into(), 4), ("Udp6MemErrors".into(), 8)]);
    }

    fn softnet_of(text: &str) -> Vec<(String, u64)> {
        let mut counters = Counters::default();
        softnet(text, &mut counters);
        counters.0.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn softnet_of_several_kernels() {
        // 2.6.32: nine columns. 6.18: fifteen, and CPU 1 is off.
        let old =
            "0001f2a3 0000000a 00000002 0 0 0 0 0 00000000\n00000001 00000010 0 0 0 0 0 0 0\n";
        let expected = [
            ("softnet.cpu0.dropped", 10),
            ("softnet.cpu0.time_squeeze", 2),
            ("softnet.cpu1.dropped", 16),
            ("softnet.dropped", 26),
            ("softnet.time_squeeze", 2),
        ];
        let named = |all: &[(&str, u64)]| -> Vec<_> {
            all.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
        };
        assert_eq!(softnet_of(old), named(&expected));
        let new = "01552e72 0 1 0 0 0 0 0 0 0 0 0 00000000 0 0\n01ee2163 5 0 0 0 0 0 0 0 0 3 0 00000002 0 0\n";
        let expected = [
            ("softnet.cpu0.time_squeeze", 1),
            ("softnet.cpu2.dropped", 5),
            ("softnet.cpu2.flow_limit", 3),
            ("softnet.dropped", 5),
            ("softnet.flow_limit", 3),
            ("softnet.time_squeeze", 1),
        ];
        assert_eq!(softnet_of(new), named(&expected));
        assert_eq!(softnet_of("nonsense\n\n"), []);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,200}") {
            let _ = (tables(&text).count(), lines(&text).count(), softnet_of(&text));
        }
    }
}
