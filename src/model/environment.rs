//! Where a result was measured.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The machine and what on it may bend a result. `None` is "this machine does not say".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Commit that the program was built from, `-dirty` if it was changed since.
    pub commit: Option<String>,
    /// Host name.
    pub host: Option<String>,
    /// `uname -sr`.
    pub kernel: Option<String>,
    /// Model name of the first CPU.
    pub cpu: Option<String>,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Frequency governor of the first CPU.
    pub governor: Option<String>,
    /// CPUs kept free of other work (`isolcpus`), as a list: `2-3`; empty is none.
    pub isolated_cpus: Option<String>,
    /// The kernel's clock source.
    pub clock_source: Option<String>,
    /// `net.core.rmem_max`, bytes.
    pub rmem_max: Option<u64>,
    /// `net.core.wmem_max`, bytes.
    pub wmem_max: Option<u64>,
    /// `net.core.netdev_max_backlog`, frames.
    pub netdev_max_backlog: Option<u64>,
    /// Other settings of the kernel that matter, by the names of sysctl(8), as the kernel prints them.
    pub sysctls: BTreeMap<String, String>,
    /// The interface.
    pub interface: Interface,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Largest IP packet, bytes.
    pub mtu: Option<u32>,
    /// Its driver.
    pub driver: Option<String>,
    /// Megabits a second, as the driver says.
    pub speed_mbps: Option<u64>,
    /// RFC 2863: `up`, `down`, `unknown`.
    pub operstate: Option<String>,
    /// `UP`, `MULTICAST` and so on, netdevice(7).
    pub flags: Vec<String>,
    /// Receive queues.
    pub rx_queues: Option<usize>,
    /// Transmit queues.
    pub tx_queues: Option<usize>,
    /// Sizes of its rings.
    pub rings: Option<Rings>,
    /// What it takes off the CPU.
    pub offloads: Offloads,
    /// Kind of its root queueing discipline.
    pub qdisc: Option<String>,
}

/// Slots of an interface's rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rings {
    /// To receive into.
    pub rx: u32,
    /// As many as there can be.
    pub rx_max: u32,
    /// To send from.
    pub tx: u32,
    /// As many as there can be.
    pub tx_max: u32,
}

/// Whether an interface does some work for the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offloads {
    /// Joins packets that it receives.
    pub gro: Option<bool>,
    /// Cuts packets that it sends.
    pub gso: Option<bool>,
    /// Verifies checksums.
    pub rx_checksum: Option<bool>,
    /// Fills in checksums.
    pub tx_checksum: Option<bool>,
}
