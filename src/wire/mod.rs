//! What bytes say: our own header, and captures. Pure.

pub mod capture;
pub mod probe;
