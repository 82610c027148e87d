//! Arithmetic on arrivals: sequence numbers, delays, due times. Pure: no clock, no file, no socket.

mod bits;
pub mod coarse;
pub mod density;
pub mod duplication;
pub mod gaps;
pub mod latency;
pub mod loss_pattern;
pub mod mdi;
pub mod patterns;
pub mod percentile;
mod ratio;
pub mod receivers;
pub mod reordering;
pub mod schedule;
pub mod seen;
pub mod seq;
pub mod skew;
pub mod trains;
pub mod variation;
