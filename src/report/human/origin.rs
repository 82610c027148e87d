//! What was measured, with what, and on what machine: how to take it again.

use super::page::Page;
use super::{joined, on_off};
use crate::model::environment::{Environment, Interface};
use crate::model::group::Membership;
use crate::model::report::{BufferGrant, RunReport};
use crate::model::spec::{Flow, Load, Timing, TrialSpec};
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::{bits_per_second, bytes, count, payload_lens};
use std::io;

pub(super) fn write(report: &RunReport, page: &mut Page<'_>) -> io::Result<()> {
    page.section("Measured", &measured(report))?;
    page.row("command", &report.command)?;
    trial(&report.trial.spec).iter().try_for_each(|(label, text)| page.row(label, text))?;
    let grant = report.trial.receiver.as_ref().map(|receiver| &receiver.receive_buffer);
    write_machine(&report.environment, grant, page)
}

/// When, for how long and by what.
pub(in crate::report) fn measured(report: &RunReport) -> String {
    let RunReport { trial, version, .. } = report;
    let commit = &report.environment.commit;
    let lasted = match trial.duration_ns {
        Nanos(0) => String::new(),
        duration => format!("{duration} from "),
    };
    let commit = commit.as_ref().map(|commit| format!(", commit {commit}")).unwrap_or_default();
    format!("{lasted}{}, mcast-bench {version}{commit}", trial.started_at)
}

/// What was asked for, by label.
pub(in crate::report) fn trial(spec: &TrialSpec) -> Vec<(&'static str, String)> {
    let reason = spec.engine_reason.as_ref();
    let engine = reason.map(|reason| ("engine", format!("{}, because {reason}", spec.engine)));
    [("load", load(spec))].into_iter().chain(flows(spec)).chain(engine).collect()
}

/// The machine, and what its sockets got.
pub(super) fn write_machine(
    environment: &Environment,
    grant: Option<&BufferGrant>,
    page: &mut Page<'_>,
) -> io::Result<()> {
    machine(environment, grant).iter().try_for_each(|(label, text)| page.row(label, text))
}

/// The machine, and what its sockets got, by label.
pub(in crate::report) fn machine(
    environment: &Environment,
    grant: Option<&BufferGrant>,
) -> Vec<(&'static str, String)> {
    let Environment { host, kernel, interface, .. } = environment;
    let mut rows = vec![
        ("host", joined([host, kernel].map(|known| known.clone().unwrap_or_default()))),
        ("CPU", cpu(environment)),
    ];
    if !interface.name.is_empty() {
        rows.extend([("interface", hardware(interface)), ("", software(interface))]);
    }
    rows.extend(grant.map(|grant| ("buffer", buffer(grant))));
    rows.push(("sysctls", sysctls(environment)));
    rows
}

/// With several flows what each of them sends to which groups, by label.
fn flows(spec: &TrialSpec) -> Vec<(&'static str, String)> {
    let of_one = |flow: &Flow| {
        let Flow { groups, load, threads } = flow;
        let rate = load.rate.map(|rate| rate.to_string()).unwrap_or_default();
        let burst = match load.burst_len {
            1 => String::new(),
            len => format!("bursts of {len}"),
        };
        let threads = match threads {
            1 => String::new(),
            several => count(*several as u64, "thread"),
        };
        let [groups, payload, schedule] = [named(groups), payload(load), timing(load)];
        ("flow", joined([groups, rate, payload, schedule, burst, threads]))
    };
    spec.flows.iter().map(of_one).collect()
}

fn load(spec: &TrialSpec) -> String {
    let groups = named(&spec.groups);
    let ttl = format!("TTL {}", spec.ttl);
    match &spec.load {
        None => groups,
        Some(_) if !spec.flows.is_empty() => {
            joined([groups, count(spec.flows.len() as u64, "flow"), ttl])
        }
        Some(load) => joined([groups, payload(load), timing(load), ttl]),
    }
}

fn named(groups: &[Membership]) -> String {
    match groups {
        [] => String::new(),
        [one] => one.to_string(),
        [first, .., last] => {
            format!("{} groups, {first} to {last}", grouped(groups.len() as u64))
        }
    }
}

fn payload(load: &Load) -> String {
    format!("{} of UDP payload", payload_lens(&load.sizes))
}

fn timing(load: &Load) -> String {
    match &load.schedule {
        Timing::Constant => String::new(),
        schedule => schedule.to_string(),
    }
}

fn cpu(environment: &Environment) -> String {
    let Environment { cpu, cpus, governor, isolated_cpus, clock_source, .. } = environment;
    let isolated = isolated_cpus.as_ref().filter(|cpus| !cpus.is_empty());
    joined([
        cpu.clone().unwrap_or_default(),
        count(*cpus as u64, "CPU"),
        isolated.map(|cpus| format!("isolated {cpus}")).unwrap_or_default(),
        governor.as_ref().map(|governor| format!("governor {governor}")).unwrap_or_default(),
        clock_source.as_ref().map(|source| format!("clock {source}")).unwrap_or_default(),
    ])
}

fn hardware(interface: &Interface) -> String {
    let Interface { name, driver, speed_mbps, operstate, .. } = interface;
    joined([
        name.clone(),
        operstate.clone().filter(|state| state != "unknown").unwrap_or_default(),
        interface.mtu.map(|mtu| format!("MTU {mtu}")).unwrap_or_default(),
        driver.as_ref().map(|driver| format!("driver {driver}")).unwrap_or_default(),
        speed_mbps.map(|mbps| bits_per_second(mbps as f64 * 1e6)).unwrap_or_default(),
    ])
}

fn software(interface: &Interface) -> String {
    let Interface { rx_queues, tx_queues, rings, offloads, qdisc, .. } = interface;
    let queues = rx_queues.zip(*tx_queues).map(|(rx, tx)| format!("queues rx {rx} tx {tx}"));
    let rings = rings
        .map(|ring| format!("rings rx {}/{} tx {}/{}", ring.rx, ring.rx_max, ring.tx, ring.tx_max));
    joined([
        qdisc.as_ref().map(|qdisc| format!("qdisc {qdisc}")).unwrap_or_default(),
        queues.unwrap_or_default(),
        rings.unwrap_or_default(),
        on_off("GRO", offloads.gro),
        on_off("GSO", offloads.gso),
        on_off("rx checksum", offloads.rx_checksum),
        on_off("tx checksum", offloads.tx_checksum),
    ])
}

fn buffer(grant: &BufferGrant) -> String {
    // The kernel doubles what is set; half of it is what compares to the bytes asked for.
    let (granted, asked) = (bytes(grant.granted as u64 / 2), bytes(grant.asked as u64));
    let forced = if grant.forced { ", beyond rmem_max" } else { "" };
    format!("to receive: {granted} of {asked}{forced}")
}

/// Those that explain most losses; all of them are in the JSON.
fn sysctls(environment: &Environment) -> String {
    let Environment { rmem_max, wmem_max, netdev_max_backlog, .. } = environment;
    let numbers = [
        ("rmem_max", rmem_max),
        ("wmem_max", wmem_max),
        ("netdev_max_backlog", netdev_max_backlog),
    ];
    let numbers =
        numbers.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
    let interface = &environment.interface.name;
    let others = [
        "net.core.netdev_budget".to_owned(),
        "net.ipv4.conf.all.rp_filter".to_owned(),
        format!("net.ipv4.conf.{interface}.rp_filter"),
    ];
    let others = others.iter().filter_map(|full| {
        let name = ["net.core.", "net.ipv4."].iter().find_map(|head| full.strip_prefix(head));
        Some(format!("{} {}", name.unwrap_or(full), environment.sysctls.get(full)?))
    });
    numbers.chain(others).collect::<Vec<_>>().join(", ")
}
