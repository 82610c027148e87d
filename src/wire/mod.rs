//! What a payload says: our own header. Pure.

pub mod probe;
