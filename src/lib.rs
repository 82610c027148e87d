//! mcast-bench: how much multicast a path or a host can take, what it loses, and how late it is.
#![warn(missing_docs)]

pub mod error;

pub mod live;
pub mod model;

pub mod engine;

pub mod trial;

pub mod doctor;

pub mod cli;
pub mod net;
pub mod report;
pub mod stats;
pub mod sys;
pub mod units;
pub mod wire;
