//! Where a result was measured.

use serde::{Deserialize, Serialize};

/// The machine and what on it may bend a result. `None` is "this machine does not say".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
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
    /// The kernel's clock source.
    pub clock_source: Option<String>,
    /// `net.core.rmem_max`, bytes.
    pub rmem_max: Option<u64>,
    /// `net.core.wmem_max`, bytes.
    pub wmem_max: Option<u64>,
    /// `net.core.netdev_max_backlog`, frames.
    pub netdev_max_backlog: Option<u64>,
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
    /// Its driver; virtual interfaces have none.
    pub driver: Option<String>,
    /// Megabits a second, as the driver says.
    pub speed_mbps: Option<u64>,
}
