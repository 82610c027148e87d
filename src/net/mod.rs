//! Sockets as multicast needs them, interfaces by any name, what to write before payloads, counters of the host, clocks of network cards.

pub mod counters;
pub mod ethernet;
pub mod hardware;
pub mod host;
pub mod interface;
pub mod listing;
pub mod membership;
pub mod phc;
pub mod socket;
pub mod timestamp;
