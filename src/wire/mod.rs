//! What bytes say: our own header, what announcements carry behind it, and what answers to it; the headers before it,
//! where an engine builds them itself or others do; formats of others; and captures. Pure.

pub mod announcement;
pub mod capture;
pub mod frame;
pub mod ip;
pub mod mpegts;
pub mod packet;
pub mod probe;
pub mod sighting;
pub mod echo;
pub mod rtp;
