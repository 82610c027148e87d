//! What machine is this, and is it fit to measure?
//!
//! A check is one function that looks at one thing. A healthy host gives no problem, and what is merely unusual is a
//! note: a false alarm costs more trust than a silent check.

mod buffers;
mod engines;
pub mod environment;
mod firewall;
mod groups;
mod heard;
mod interface;
mod listen;
mod multicast;
mod on_wire;
mod path;
mod rights;
mod routes;
mod selftest;
mod system;

pub use heard::Listening;

use crate::engine::Engine;
use crate::model::checkup::{Finding, Verdict};
use crate::model::environment::Interface;
use crate::model::group::Membership;
use crate::model::spec::{Pace, Role, TrialSpec};
use crate::net::interface as interfaces;
use crate::net::socket::{Launch, SenderOptions};
use crate::sys::netdev::interface_name;
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
    /// How senders will wait, if that is known.
    pub pace: Option<Pace>,
    /// Whether to listen to what others send, and how long.
    pub listen: Option<Listening>,
}

/// One look at one thing.
pub struct Check {
    /// What findings are called.
    pub name: &'static str,
    /// Nothing if it does not apply here.
    pub run: fn(&'static str, &Asked) -> Vec<Finding>,
    /// Those whose trial would fail or mislead for a problem of this check. Such a check takes a millisecond at most,
    /// and sends nothing.
    pub grave_for: &'static [Role],
    /// Whether it may tell why a receiver hears nothing. Such a check sends nothing.
    pub explains_silence: bool,
}

/// All checks, causes before their effects. The last ones send and listen.
pub static CHECKS: &[Check] = &[
    Check::new("engines", engines::engines),
    Check::new("capabilities", rights::capabilities),
    Check::new("link", interface::link).grave_for(ALL).explains_silence(),
    Check::new("multicast_flag", interface::multicast_flag).grave_for(ALL).explains_silence(),
    Check::new("all_multicast", interface::all_multicast),
    Check::new("addresses", interface::addresses).explains_silence(),
    Check::new("mtu", interface::mtu),
    Check::new("rings", interface::rings),
    Check::new("offloads", interface::offloads),
    Check::new("qdisc", interface::qdisc),
    Check::new("pacing", interface::pacing),
    Check::new("route", path::route),
    Check::new("source_address", path::source_address).grave_for(&[Role::Run, Role::Send]),
    Check::new("mac_addresses", groups::mac_addresses),
    Check::new("igmp_version", multicast::version).explains_silence(),
    Check::new("snooping", multicast::snooping).explains_silence(),
    Check::new("memberships", multicast::memberships).explains_silence(),
    Check::new("sources", groups::sources),
    Check::new("port", multicast::port),
    Check::new("receive_buffer", buffers::receive_buffer),
    Check::new("send_buffer", buffers::send_buffer),
    Check::new("governor", system::governor),
    Check::new("isolated_cores", system::isolated_cores),
    Check::new("clock", system::clock),
    Check::new("reverse_path", path::reverse_path).grave_for(&[Role::Recv]).explains_silence(),
    Check::new("accept_local", path::accept_local).explains_silence(),
    Check::new("self_test", selftest::self_test),
    Check::new("on_wire", on_wire::on_wire).explains_silence(),
    Check::new("reach", on_wire::reach).explains_silence(),
    Check::new("querier", on_wire::querier).explains_silence(),
    Check::new("firewall", firewall::firewall).explains_silence(),
    Check::new("listen", listen::listen).explains_silence(),
];

const ALL: &[Role] = &[Role::Run, Role::Send, Role::Recv];

impl Check {
    const fn new(name: &'static str, run: fn(&'static str, &Asked) -> Vec<Finding>) -> Self {
        Self { name, run, grave_for: &[], explains_silence: false }
    }

    const fn grave_for(self, roles: &'static [Role]) -> Self {
        Self { grave_for: roles, ..self }
    }

    const fn explains_silence(self) -> Self {
        Self { explains_silence: true, ..self }
    }
}

/// Carries out all checks, and hands over what each found as soon as it has.
pub fn examine(asked: &Asked, mut found: impl FnMut(Finding)) {
    for check in CHECKS {
        (check.run)(check.name, asked).into_iter().for_each(&mut found);
    }
}

/// Problems that would make a trial fail or mislead, found in some milliseconds.
pub fn grave(role: Role, asked: &Asked) -> Vec<Finding> {
    let checks = CHECKS.iter().filter(|check| check.grave_for.contains(&role));
    let found = checks.flat_map(|check| (check.run)(check.name, asked));
    found.filter(|finding| finding.verdict == Verdict::Problem).collect()
}

/// What may be the cause that a receiver hears nothing: all that is not as it should be.
pub fn explain_silence(asked: &Asked) -> Vec<Finding> {
    let checks = CHECKS.iter().filter(|check| check.explains_silence);
    let found = checks.flat_map(|check| (check.run)(check.name, asked));
    found.filter(|finding| finding.verdict != Verdict::Fine).collect()
}

impl Asked {
    /// What a trial asks of this host, in one family of groups; nothing if its interface has gone.
    pub fn of_trial(spec: &TrialSpec, listen: Option<Listening>) -> Option<Self> {
        let (interface, flags) = interfaces::find(&interface_name(spec.interface).ok()?).ok()?;
        Some(Self {
            interface,
            flags,
            groups: spec.groups.clone(),
            engine: None,
            rate: None,
            payload_len: 0,
            receive_buffer: spec.receive_buffer,
            pace: None,
            listen,
        })
    }

    /// Whether the kernel forwards what comes in by the interface to other networks.
    fn forwards_multicast(&self) -> bool {
        let family = if self.is_v6() { "ipv6" } else { "ipv4" };
        sysctl(&format!("net/{family}/conf/{}/mc_forwarding", self.interface.name)) == Some(1)
    }

    /// How a few datagrams that stay on the link leave by the interface.
    fn sender(&self) -> SenderOptions {
        SenderOptions {
            interface: self.interface.index,
            source: None,
            source_port: 0,
            v6: self.is_v6(),
            both: false,
            ttl: 1,
            loopback: true,
            dscp: 0,
            launch: Launch::AtOnce,
        }
    }

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
    use crate::model::group::GroupSpec;

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
            pace: None,
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
