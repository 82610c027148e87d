//! What machine is this, and is it fit to measure?
//!
//! A check is one function that looks at one thing. A healthy host gives no problem, and what is merely unusual is a
//! note: a false alarm costs more trust than a silent check.

mod buffers;
mod engines;
pub mod environment;
mod interface;
mod listen;
mod multicast;
mod path;
mod rights;
mod selftest;
mod system;

use crate::engine::Engine;
use crate::model::checkup::Finding;
use crate::model::environment::Interface;
use crate::model::group::Membership;
use crate::units::Nanos;
use crate::units::rate::DatagramRate;
use std::fs;

/// What the host is to be fit for.
pub struct Asked {
    /// The interface, which may be down.
    pub interface: Interface,
    /// Its flags, `IFF_UP` and the others of netdevice(7).
    pub flags: u32,
    /// All of one family, and at least one.
    pub groups: Vec<Membership>,
    /// The engine that must work; without it any will do.
    pub engine: Option<&'static dyn Engine>,
    /// Datagrams that are to come.
    pub rate: Option<DatagramRate>,
    /// UDP payload, bytes.
    pub payload_len: usize,
    /// Receive buffer that receivers will ask for, bytes.
    pub receive_buffer: usize,
    /// How long to watch what others send.
    pub listen: Option<Nanos>,
}

/// One look at one thing.
pub struct Check {
    /// What findings are called.
    pub name: &'static str,
    /// Nothing if it does not apply here.
    pub run: fn(&'static str, &Asked) -> Vec<Finding>,
}

/// All checks, causes before their effects. The last ones send and listen.
pub static CHECKS: &[Check] = &[
    Check { name: "engines", run: engines::engines },
    Check { name: "capabilities", run: rights::capabilities },
    Check { name: "link", run: interface::link },
    Check { name: "multicast_flag", run: interface::multicast_flag },
    Check { name: "all_multicast", run: interface::all_multicast },
    Check { name: "addresses", run: interface::addresses },
    Check { name: "mtu", run: interface::mtu },
    Check { name: "rings", run: interface::rings },
    Check { name: "qdisc", run: interface::qdisc },
    Check { name: "route", run: path::route },
    Check { name: "source_address", run: path::source_address },
    Check { name: "reverse_path", run: path::reverse_path },
    Check { name: "igmp_version", run: multicast::version },
    Check { name: "snooping", run: multicast::snooping },
    Check { name: "memberships", run: multicast::memberships },
    Check { name: "port", run: multicast::port },
    Check { name: "receive_buffer", run: buffers::receive_buffer },
    Check { name: "governor", run: system::governor },
    Check { name: "clock", run: system::clock },
    Check { name: "self_test", run: selftest::self_test },
    Check { name: "listen", run: listen::listen },
];

/// Carries out all checks, and hands over what each found as soon as it has.
pub fn examine(asked: &Asked, mut found: impl FnMut(Finding)) {
    for check in CHECKS {
        (check.run)(check.name, asked).into_iter().for_each(&mut found);
    }
}

impl Asked {
    fn is_v6(&self) -> bool {
        self.groups[0].group.is_ipv6()
    }

    fn has_flag(&self, flag: libc::c_int) -> bool {
        self.flags & flag as u32 != 0
    }

    fn is_loopback(&self) -> bool {
        self.has_flag(libc::IFF_LOOPBACK)
    }

    /// Up, with a carrier, and let in by what is at its other end. The kernel withdraws `IFF_RUNNING` up to a second
    /// after the carrier.
    fn is_up(&self) -> bool {
        [libc::IFF_UP, libc::IFF_LOWER_UP, libc::IFF_RUNNING]
            .iter()
            .all(|flag| self.has_flag(*flag))
    }
}

/// A whole number from `/proc/sys`, by its name in sysctl(8) with slashes for dots.
fn sysctl(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;
    use crate::model::checkup::Verdict;
    use crate::model::group::GroupSpec;
    use crate::net::interface as interfaces;

    pub(super) fn asked() -> Asked {
        let group: GroupSpec = "239.255.77.78".parse().unwrap();
        let (interface, flags) = interfaces::find("lo").unwrap();
        Asked {
            interface,
            flags,
            groups: group.expand(5778).unwrap(),
            engine: None,
            rate: None,
            payload_len: 1316,
            receive_buffer: 1 << 16,
            listen: None,
        }
    }

    #[test]
    fn names_are_unique_and_findings_bear_them() {
        let mut names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CHECKS.len());
        for check in CHECKS {
            let found = (check.run)(check.name, &asked());
            assert!(found.iter().all(|finding| finding.check == check.name), "{found:?}");
        }
    }

    #[test]
    fn loopback_has_no_problem() {
        let mut problems = Vec::new();
        examine(&asked(), |finding| problems.extend(Some(finding).filter(is_problem)));
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn an_engine_that_is_there_is_no_problem_when_it_is_asked_for() {
        let asked = Asked { engine: engine::by_name("mmsg"), ..asked() };
        assert_eq!(engines::engines("engines", &asked).len(), 1);
    }

    fn is_problem(finding: &Finding) -> bool {
        finding.verdict == Verdict::Problem
    }
}
