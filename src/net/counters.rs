//! What the host itself dropped of what came by its interfaces.

use std::fs;

/// Datagrams that this host dropped, beside those for which a socket had no room: sockets count these
/// themselves. What cannot be read counts as nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostDrops {
    /// Before any socket, by CPU backlogs that were full; of the whole host, not of a network namespace.
    pub backlog: u64,
    /// For a wrong UDP checksum: damaged on the way. A socket that finds one when it is read counts it among
    /// its own drops.
    pub damaged: u64,
}

impl HostDrops {
    /// Reads the counters as they stand.
    pub fn read() -> Self {
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            backlog: backlog_drops(&file("/proc/net/softnet_stat")),
            damaged: checksum_errors(&file("/proc/net/snmp"))
                + column6(&file("/proc/net/snmp6"), "Udp6InCsumErrors"),
        }
    }

    /// Datagrams dropped since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            backlog: self.backlog.saturating_sub(earlier.backlog),
            damaged: self.damaged.saturating_sub(earlier.damaged),
        }
    }
}

/// `dropped`, the second hexadecimal column of each CPU (net/core/net-procfs.c): the backlog was full.
fn backlog_drops(softnet_stat: &str) -> u64 {
    softnet_stat
        .lines()
        .filter_map(|line| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok())
        .sum()
}

/// `InCsumErrors` of UDP over IPv4.
fn checksum_errors(snmp: &str) -> u64 {
    let mut rows = snmp.lines().filter(|line| line.starts_with("Udp:"));
    let (Some(names), Some(values)) = (rows.next(), rows.next()) else { return 0 };
    names
        .split_whitespace()
        .zip(values.split_whitespace())
        .find(|(name, _)| *name == "InCsumErrors")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0)
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
        assert_eq!(checksum_errors(snmp), 2);
        assert_eq!(checksum_errors("Udp: only names"), 0);
        assert_eq!(column6("Udp6InDatagrams\t4\nUdp6MemErrors  \t8\n", "Udp6MemErrors"), 8);
    }
}
