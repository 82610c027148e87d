//! What a payload says: our own header, and what announcements carry behind it; and the headers before it, where an
//! engine builds them itself. Pure.

pub mod announcement;
pub mod frame;
pub mod probe;
