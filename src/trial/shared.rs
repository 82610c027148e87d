//! What the streams of one receiver have in common.

/// Open gaps and lost ranges of all streams together, 32 bytes each: a hundred streams may have all they can, and
/// hostile ones no more. Beyond it gaps are given up early, and lost ranges are no longer listed.
pub(super) const MAX_NOTED: usize = 1 << 19;

/// What all streams of a receiver share.
#[derive(Default)]
pub(super) struct Shared {
    /// Drops of the sockets that no gap has been found for yet.
    pub(super) dropped: u64,
    /// All drops of the sockets.
    pub(super) dropped_in_all: u64,
    /// Open gaps and lost ranges.
    pub(super) noted: usize,
}
