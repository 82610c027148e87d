//! What machine is this, and is it fit to measure?

pub mod environment;
