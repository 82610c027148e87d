//! Where a result is measured, so that it explains itself.

use crate::model::environment::{Environment, Interface};
use crate::sys::sched;
use std::collections::BTreeMap;
use std::fs;

/// What this machine says of itself. What it does not say is left out.
pub fn read(interface: Interface) -> Environment {
    let sysctl = |name: &str| line(&format!("/proc/sys/{name}"));
    let number = |name: &str| sysctl(name).and_then(|text| text.parse().ok());
    let kernel = [sysctl("kernel/ostype"), sysctl("kernel/osrelease")];
    Environment {
        commit: option_env!("GIT_COMMIT").filter(|commit| !commit.is_empty()).map(str::to_owned),
        host: sysctl("kernel/hostname"),
        kernel: Some(kernel.into_iter().flatten().collect::<Vec<_>>().join(" "))
            .filter(|kernel| !kernel.is_empty()),
        cpu: fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| cpu_model(&text)),
        cpus: sched::allowed_cpus().map_or(0, |cpus| cpus.len()),
        governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        isolated_cpus: fs::read_to_string("/sys/devices/system/cpu/isolated")
            .ok()
            .map(|text| text.trim().to_owned()),
        clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        rmem_max: number("net/core/rmem_max"),
        wmem_max: number("net/core/wmem_max"),
        netdev_max_backlog: number("net/core/netdev_max_backlog"),
        sysctls: sysctls(&interface.name),
        interface,
    }
}

/// Settings that bend what is measured, by the names of sysctl(8).
fn sysctls(interface: &str) -> BTreeMap<String, String> {
    const NAMES: [&str; 11] = [
        "net.core.busy_poll",
        "net.core.busy_read",
        "net.core.default_qdisc",
        "net.core.netdev_budget",
        "net.core.netdev_budget_usecs",
        "net.core.optmem_max",
        "net.core.rmem_default",
        "net.core.wmem_default",
        "net.ipv4.conf.all.rp_filter",
        "net.ipv4.igmp_max_memberships",
        "net.ipv4.udp_mem",
    ];
    let common = NAMES.map(|name| (name.to_owned(), name.replace('.', "/")));
    let of_interface = (
        format!("net.ipv4.conf.{interface}.rp_filter"),
        format!("net/ipv4/conf/{interface}/rp_filter"),
    );
    let known = common.into_iter().chain([of_interface]).filter_map(|(name, path)| {
        let value = line(&format!("/proc/sys/{path}"))?;
        Some((name, value.split_whitespace().collect::<Vec<_>>().join(" ")))
    });
    known.collect()
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let field = |name| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    field("model name").or_else(|| field("Model")).or_else(|| field("CPU implementer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_says_something() {
        let environment = read(Interface::default());
        assert!(environment.cpus > 0);
        let sysctls = &environment.sysctls;
        assert!(sysctls["net.core.rmem_default"].parse::<u64>().is_ok());
        assert_eq!(sysctls["net.ipv4.udp_mem"].split(' ').count(), 3);
        assert!(environment.kernel.is_some_and(|kernel| kernel.starts_with("Linux ")));
    }

    #[test]
    fn cpu_names() {
        let x86 = "processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n";
        assert_eq!(cpu_model(x86).as_deref(), Some("AMD EPYC"));
        assert_eq!(cpu_model("processor\t: 0\nModel\t: Board 4\n").as_deref(), Some("Board 4"));
        assert_eq!(cpu_model(""), None);
    }
}
