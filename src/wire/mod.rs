//! What a payload says: our own header, and what answers to it. Pure.

pub mod probe;
pub mod echo;
