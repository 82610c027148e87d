//! What this host drops while others send.

use super::Asked;
use crate::model::checkup::Finding;
use crate::net::counters::{Counters, Scope, Side};
use crate::net::membership;
use crate::sys::clock;

/// Joins the groups for as long as was asked, and tells the counters of drops that rose meanwhile. Nobody reads, so no
/// socket is bound: what the network brings is dropped uncounted at the end of the way, if it comes that far.
pub(super) fn listen(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let Some(time) = asked.listen.filter(|_| asked.is_up()) else { return Vec::new() };
    let v6 = asked.is_v6();
    let scope = Scope { interface: asked.interface.index, v4: !v6, v6 };
    // A group that cannot be joined is the finding of another check.
    let Ok(joined) = membership::keep_joined(&asked.groups, asked.interface.index) else {
        return Vec::new();
    };
    let before = Counters::read(&scope, Side::Receiving);
    clock::sleep_until(clock::monotonic() + time);
    let risen = Counters::read(&scope, Side::Receiving).since(&before);
    drop(joined);
    let told = risen.0.into_iter().filter(|(name, count)| *count > 0 && is_loss(name));
    let mut found: Vec<_> = told.map(|(name, count)| of_counter(check, &name, count)).collect();
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
