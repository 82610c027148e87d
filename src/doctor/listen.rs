//! What this host drops while others send.

use super::Asked;
use crate::model::checkup::Finding;

/// The counters of drops that rose while listening.
pub(super) fn listen(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let Some(heard) = asked.heard() else { return Vec::new() };
    let told = heard.risen.0.iter().filter(|(name, count)| **count > 0 && is_loss(name));
    let mut found: Vec<_> = told.map(|(name, count)| of_counter(check, name, *count)).collect();
    if found.is_empty() {
        found.push(Finding::fine(check, "no counter of drops rose"));
    }
    found
}

/// Nobody has a socket for what is heard here, and a poll that stops with work left has lost nothing.
fn is_loss(name: &str) -> bool {
    !["NoPorts", "IgnoredMulti", "time_squeeze", "overlimits"].iter().any(|end| name.ends_with(end))
        && !name.starts_with("softnet.cpu")
}

fn of_counter(check: &str, name: &str, count: u64) -> Finding {
    let (spoils, fix) = match name {
        "TcpExtIPReversePathFilter" => (
            "rp_filter drops sources that this host would reach another way: they are never heard",
            "a route to the source through this interface, or sysctl -w net.ipv4.conf.all.rp_filter=0, and the same of the interface",
        ),
        _ if name.starts_with("softnet.") => (
            "the kernel had no room for packets between card and protocols",
            "sysctl -w net.core.netdev_max_backlog=10000",
        ),
        _ if name.starts_with("interface.") || name.starts_with("nic.") => (
            "the card or its driver drops packets before the kernel sees them",
            "larger rings: ethtool -g, ethtool -G",
        ),
        _ => ("packets are dropped on this host", "nstat -az names the counter, and who raises it"),
    };
    Finding::problem(check, format!("{name} rose by {count}"), spoils, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_unheard_is_no_loss() {
        assert!(
            !is_loss("UdpNoPorts")
                && !is_loss("UdpIgnoredMulti")
                && !is_loss("softnet.cpu0.dropped")
        );
        assert!(is_loss("TcpExtIPReversePathFilter") && is_loss("softnet.dropped"));
        let finding = of_counter("listen", "softnet.dropped", 3);
        assert_eq!(finding.what, "softnet.dropped rose by 3");
    }
}
