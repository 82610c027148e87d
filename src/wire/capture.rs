//! Captures: when each UDP datagram of a pcap or pcapng file was seen, and how long its payload is; and new ones.

#[cfg(feature = "replay")]
mod file;
#[cfg(feature = "replay")]
mod frame;
pub mod writer;

#[cfg(feature = "replay")]
pub use file::read;

use crate::units::Nanos;

/// The datagrams of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// When each was seen, since the Unix epoch and never before the one before it, and the length of its UDP payload.
    pub datagrams: Vec<(Nanos, u16)>,
    /// Packets that are not UDP, or the rest of a datagram that came in fragments.
    pub skipped: u64,
}

/// Without the feature `replay`.
///
/// # Errors
/// Always.
#[cfg(not(feature = "replay"))]
pub fn read(_input: impl std::io::Read + Send, _most: usize) -> Result<Capture, String> {
    Err("this build does not read captures; the feature `replay` does".into())
}
