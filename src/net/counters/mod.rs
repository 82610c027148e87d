//! The counters of drops that a host keeps, before and after a trial.

mod device;
mod kernel;

use crate::model::drops::HostDrops;
use crate::sys::netdev::interface_name;
use std::collections::BTreeMap;

/// What of a host to look at.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Index of the interface that sends or receives.
    pub interface: u32,
    /// Whether there is IPv4 in the trial.
    pub v4: bool,
    /// Whether there is IPv6 in the trial.
    pub v6: bool,
}

/// Which way datagrams go; the names of the counters tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Out of this host.
    Sending,
    /// Into this host.
    Receiving,
}

/// Counters as they stood. What cannot be read is not there.
#[derive(Clone, Debug, Default)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Reads them. Takes milliseconds with a driver that asks its hardware.
    pub fn read(scope: &Scope, side: Side) -> Self {
        let mut counters = Self::default();
        kernel::read(scope, side, &mut counters);
        counters.add_device(scope.interface, side);
        counters
    }

    /// Adds those of an interface, by its index, to those of others.
    pub fn add_device(&mut self, index: u32, side: Side) {
        if let Ok(name) = interface_name(index) {
            device::read(&name, index, side, self);
        }
    }

    fn add(&mut self, name: String, count: u64) {
        *self.0.entry(name).or_default() += count;
    }

    /// How far they rose since `earlier`.
    pub fn since(&self, earlier: &Self) -> HostDrops {
        let risen = self.0.iter().filter_map(|(name, &now)| {
            // Lower than before: a driver was reset or a qdisc replaced, and nobody knows what it counted.
            let risen = now.checked_sub(*earlier.0.get(name)?)?;
            (risen > 0 || !is_detail(name)).then(|| (name.clone(), risen))
        });
        HostDrops(risen.collect())
    }
}

/// Drivers and CPUs are too many to be listed at zero.
fn is_detail(name: &str) -> bool {
    name.starts_with(device::NIC) || name.starts_with(kernel::OF_CPU)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::interface;

    fn counters(all: &[(&str, u64)]) -> Counters {
        Counters(all.iter().map(|&(name, count)| (name.to_owned(), count)).collect())
    }

    #[test]
    fn only_rises_are_told() {
        let before = counters(&[("a", 5), ("back", 9), ("nic.x", 1), ("nic.y", 1), ("gone", 1)]);
        let after = counters(&[("a", 5), ("back", 2), ("nic.x", 1), ("nic.y", 3), ("new", 7)]);
        let drops = after.since(&before);
        let expected = [("a".to_owned(), 0), ("nic.y".to_owned(), 2)];
        assert_eq!(drops.0.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn this_host_has_counters_of_both_families_and_sides() {
        let interface = interface::loopback().unwrap().index;
        let scope = Scope { interface, v4: true, v6: false };
        let receiving = Counters::read(&scope, Side::Receiving);
        assert!(receiving.0.contains_key("UdpRcvbufErrors"), "{receiving:?}");
        assert!(receiving.0.contains_key("interface.rx_dropped"), "{receiving:?}");
        assert!(receiving.0.contains_key("softnet.dropped"), "{receiving:?}");
        assert!(!receiving.0.keys().any(|name| name.contains("Udp6")), "{receiving:?}");
        let sending = Counters::read(&scope, Side::Sending);
        assert!(sending.0.contains_key("interface.tx_dropped"), "{sending:?}");
        assert!(sending.0.contains_key("qdisc.drops"), "{sending:?}");
        assert!(!sending.0.contains_key("UdpRcvbufErrors"), "{sending:?}");
    }

    #[test]
    fn an_interface_that_is_gone_leaves_the_rest() {
        let scope = Scope { interface: u32::MAX, v4: true, v6: true };
        let counters = Counters::read(&scope, Side::Receiving);
        assert!(counters.0.contains_key("UdpInErrors"), "{counters:?}");
        assert!(!counters.0.keys().any(|name| name.starts_with("interface.")), "{counters:?}");
    }
}
