//! Arithmetic on arrivals: sequence numbers, delays, due times. Pure: no clock, no file, no socket.

pub mod latency;
pub mod schedule;
pub mod seq;
