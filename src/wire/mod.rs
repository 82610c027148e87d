//! What a payload says: our own header; and the headers before it, where an engine builds them itself. Pure.

pub mod frame;
pub mod probe;
