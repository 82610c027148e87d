//! What is said before a trial starts: where its datagrams will really go or come from, and what is odd about its groups.

use crate::model::environment::Interface;
use crate::model::group::{any_source, shared_mac};
use crate::model::report::Warning;
use crate::model::spec::{Role, TrialSpec};
use crate::net::interface::{addresses_of, is_loopback};
use crate::net::socket::{Launch, SenderOptions, chosen_source};
use crate::report::warnings::Explained;
use crate::sys::netdev::interface_name;
use std::io::{self, Write};
use std::net::IpAddr;

/// What a reader should know of the groups of a trial, whatever came of it.
pub(super) fn of_groups(spec: &TrialSpec, interface: &Interface) -> Vec<Warning> {
    let has_ethernet = spec.interface > 0 && !is_loopback(&interface.name);
    let shared = has_ethernet.then(|| shared_mac(&spec.groups)).flatten();
    let joins = spec.role != Role::Send;
    let without_source = joins.then(|| any_source(&spec.groups)).flatten();
    let shared = shared.map(Warning::SharedMac);
    shared.into_iter().chain(without_source.map(Warning::AnySource)).collect()
}

/// Says which interface and which address the kernel will use, and the warnings.
pub(super) fn say(spec: &TrialSpec, interface: &Interface, is_default: bool) {
    let mut err = io::stderr();
    if spec.interface > 0 {
        let name = &interface.name;
        let default = format!("no --iface: using {name}, so all traffic stays on this host");
        let sending = spec.load.is_some().then(|| sources(spec)).flatten();
        let sending = sending.map(|sources| format!("sending through {name} from {sources}"));
        let receiving = spec.bind.map(|_| {
            let on: Vec<_> = spec.interfaces().map(|index| place(spec, index)).collect();
            format!("receiving on {}", on.join(" and "))
        });
        let parts = is_default.then_some(default).into_iter().chain(sending).chain(receiving);
        let _ = writeln!(err, "{}", parts.collect::<Vec<_>>().join("; "));
    }
    for warning in of_groups(spec, interface) {
        let _ = writeln!(err, "warning: {}", warning.sentence());
    }
}

/// The source address of each family, as the kernel chooses it. Where it finds none, the trial will say why.
fn sources(spec: &TrialSpec) -> Option<String> {
    let of_family = |v6: bool| {
        let group = spec.groups.iter().find(|group| group.group.is_ipv6() == v6)?;
        let options = SenderOptions {
            interface: spec.interface,
            source: group.source,
            source_port: 0,
            v6,
            both: false,
            ttl: spec.ttl,
            loopback: spec.loopback,
            dscp: spec.dscp,
            launch: Launch::AtOnce,
        };
        chosen_source(&options, group).ok().map(|source| source.to_string())
    };
    let sources: Vec<_> = [false, true].into_iter().filter_map(of_family).collect();
    let port = spec.source_port.map(|port| format!(", port {port}")).unwrap_or_default();
    (!sources.is_empty()).then(|| sources.join(" and ") + &port)
}

/// An interface and its first address of each family of the groups: the one from which it reports what it joined.
fn place(spec: &TrialSpec, index: u32) -> String {
    let name = interface_name(index).unwrap_or_default();
    let all = addresses_of(&name);
    let of_family = |v6: bool| {
        spec.groups.iter().find(|group| group.group.is_ipv6() == v6)?;
        // MLD reports come from a link-local address (RFC 3810 section 5.2.13).
        let is_reporting = |address: &&IpAddr| match address {
            IpAddr::V4(_) => !v6,
            IpAddr::V6(address) => v6 && (address.is_unicast_link_local() || address.is_loopback()),
        };
        let none = if v6 { "no link-local address" } else { "no IPv4 address" };
        Some(all.iter().find(is_reporting).map_or(none.into(), ToString::to_string))
    };
    let addresses: Vec<_> = [false, true].into_iter().filter_map(of_family).collect();
    format!("{name} ({})", addresses.join(", "))
}
