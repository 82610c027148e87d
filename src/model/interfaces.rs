//! The network interfaces of a host, and what has been joined on each. Serialized as it stands
//! (`report/interfaces.schema.json`).

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Name and version of the JSON form of an [`InterfaceList`].
pub const SCHEMA: &str = "mcast-bench-interfaces/1";

/// All interfaces of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceList {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of this program.
    pub version: String,
    /// The command line, as a shell would take it.
    pub command: String,
    /// By their indices.
    pub interfaces: Vec<ListedInterface>,
}

/// One of them, as far as multicast is concerned. `None` is what it does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedInterface {
    /// Its name.
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    /// Whether it is switched on (`IFF_UP`, netdevice(7)).
    pub up: bool,
    /// Whether it can send and receive: switched on, and with a link (`IFF_RUNNING`).
    pub running: bool,
    /// Whether groups can be joined and sent to through it (`IFF_MULTICAST`); loopback can without.
    pub multicast: bool,
    /// Whether it is the loopback interface (`IFF_LOOPBACK`).
    pub loopback: bool,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<IpAddr>,
    /// Longest IP packet, bytes.
    pub mtu: Option<usize>,
    /// Name of the driver.
    pub driver: Option<String>,
    /// Megabits a second.
    pub speed_mbps: Option<u64>,
    /// Groups that programs, or the kernel itself, have joined on it.
    pub memberships: Vec<IpAddr>,
}
