//! What the host itself dropped between the interface and the sockets.

use std::fs;

/// Datagrams dropped on this host before any socket: by CPU backlogs, for want of memory, for bad checksums.
///
/// The backlogs are those of the whole host; the rest belongs to the network namespace. What cannot be read
/// counts as nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostDrops {
    backlog: u64,
    udp: u64,
}

impl HostDrops {
    /// Reads the counters as they stand.
    pub fn read() -> Self {
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        let udp6 = file("/proc/net/snmp6");
        let of_udp6 = |name| column6(&udp6, name);
        Self {
            backlog: backlog_drops(&file("/proc/net/softnet_stat")),
            udp: udp_drops(&file("/proc/net/snmp"))
                + of_udp6("Udp6InCsumErrors")
                + of_udp6("Udp6MemErrors"),
        }
    }

    /// Datagrams dropped since `earlier`.
    pub fn since(&self, earlier: &Self) -> u64 {
        self.backlog.saturating_sub(earlier.backlog) + self.udp.saturating_sub(earlier.udp)
    }
}

/// `dropped`, the second hexadecimal column of each CPU (net/core/net-procfs.c): the backlog was full.
fn backlog_drops(softnet_stat: &str) -> u64 {
    softnet_stat
        .lines()
        .filter_map(|line| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok())
        .sum()
}

/// `InCsumErrors` and `MemErrors`. `RcvbufErrors` are the sockets' own drops and known from them.
fn udp_drops(snmp: &str) -> u64 {
    let mut rows = snmp.lines().filter(|line| line.starts_with("Udp:"));
    let (Some(names), Some(values)) = (rows.next(), rows.next()) else { return 0 };
    names
        .split_whitespace()
        .zip(values.split_whitespace())
        .filter(|(name, _)| ["InCsumErrors", "MemErrors"].contains(name))
        .filter_map(|(_, value)| value.parse::<u64>().ok())
        .sum()
}

fn column6(snmp6: &str, name: &str) -> u64 {
    snmp6
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backlog_drops_of_all_cpus() {
        let softnet = "0001f2a3 0000000a 00000000 00000000\n00000001 00000010 00000000 00000000\n";
        assert_eq!(backlog_drops(softnet), 26);
        assert_eq!(backlog_drops(""), 0);
        assert_eq!(backlog_drops("nonsense"), 0);
    }

    #[test]
    fn udp_columns_are_found_by_name() {
        let snmp = "Ip: Forwarding\nIp: 1\n\
                    Udp: InDatagrams NoPorts RcvbufErrors InCsumErrors MemErrors\nUdp: 5 1 7 2 3\n\
                    UdpLite: InDatagrams\nUdpLite: 9\n";
        assert_eq!(udp_drops(snmp), 5);
        assert_eq!(udp_drops("Udp: only names"), 0);
        assert_eq!(column6("Udp6InDatagrams\t4\nUdp6MemErrors  \t8\n", "Udp6MemErrors"), 8);
    }
}
