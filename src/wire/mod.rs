//! What a payload says: our own header, and what announcements carry behind it; and the headers before it, where an
//! engine builds them itself; and captures. Pure.

pub mod announcement;
pub mod capture;
pub mod frame;
pub mod probe;
