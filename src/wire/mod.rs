//! What a payload says: our own header, and what announcements carry behind it. Pure.

pub mod announcement;
pub mod probe;
