//! Sockets as multicast needs them, interfaces by any name, counters of the host.

pub mod counters;
pub mod host;
pub mod interface;
pub mod socket;
pub mod timestamp;
