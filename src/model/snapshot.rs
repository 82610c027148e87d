//! One interval of a running trial.

use crate::stats::latency::Latency;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};

/// What happened between two instants of a trial, all workers together.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts from 0.
    pub index: u64,
    /// Begin of the interval, since the trial started.
    pub start: Nanos,
    /// Length of the interval.
    pub length: Nanos,
    /// The sending side, if this process sends.
    pub sender: Option<SenderInterval>,
    /// The receiving side, if this process receives.
    pub receiver: Option<ReceiverInterval>,
}

impl Snapshot {
    /// `count` of something in this interval as a rate a second; 0 for an interval without length.
    pub fn per_second(&self, count: u64) -> f64 {
        if self.length == Nanos(0) { 0.0 } else { count as f64 / self.length.as_secs_f64() }
    }
}

/// What the senders did in one interval.
#[derive(Clone, Debug, Default)]
pub struct SenderInterval {
    /// Datagrams, and what became of them.
    pub counts: TxCounts,
    /// UDP payload bytes offered.
    pub payload_bytes: u64,
    /// From the due time of each datagram to the moment its batch was handed to the kernel.
    pub lateness: Latency,
}

/// What the receivers saw in one interval.
#[derive(Clone, Debug, Default)]
pub struct ReceiverInterval {
    /// Datagrams by what they were.
    pub counts: RxCounts,
    /// UDP payload bytes received in our datagrams.
    pub payload_bytes: u64,
    /// Lost for good, as the loss threshold says: below zero when some came even later than that.
    pub lost: i64,
    /// Missing at the end of the interval, and may still come.
    pub outstanding: u64,
    /// Dropped by our own sockets because their buffers were full.
    pub socket_drops: u64,
    /// Streams that were heard in the interval.
    pub streams: u64,
    /// From the due time to the kernel's receive time.
    pub one_way_delay: Latency,
    /// Above the shortest, of streams whose clocks do not compare to ours.
    pub relative_delay: Latency,
    /// From the kernel's receive time to the application.
    pub host_delay: Latency,
    /// How late the senders were, as their datagrams say.
    pub sender_lateness: Latency,
}

/// Datagrams on the sending side: three numbers that tools like to mix up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxCounts {
    /// Were due by the schedule (intended load, RFC 2285 section 3.5.1). As fast as possible: were tried.
    pub intended: u64,
    /// Were taken by the kernel (offered load, RFC 2285 section 3.5.2).
    pub offered: u64,
    /// Were refused by the kernel, with an errno.
    pub refused: u64,
}

/// Datagrams on the receiving side. `received = unique + duplicates + too_late + corrupt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RxCounts {
    /// Carried our header, whatever became of them.
    pub received: u64,
    /// First copies.
    pub unique: u64,
    /// Further copies (RFC 5560).
    pub duplicates: u64,
    /// First copies that came after a higher sequence number (RFC 4737 section 3.3). Part of `unique`.
    pub reordered: u64,
    /// So far behind that nobody can say any more whether they are duplicates.
    pub too_late: u64,
    /// Payload that failed its checksum, or a sequence number that was never sent. Count as lost (RFC 7680).
    pub corrupt: u64,
    /// Arrived on the port and are not ours. Not part of `received`.
    pub foreign: u64,
}

impl TxCounts {
    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.intended += other.intended;
        self.offered += other.offered;
        self.refused += other.refused;
    }
}

impl RxCounts {
    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.unique += other.unique;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.too_late += other.too_late;
        self.corrupt += other.corrupt;
        self.foreign += other.foreign;
    }

    /// What has been counted since `earlier`. A number that turns out to have been believed too early is
    /// taken back; the interval in which that happens shows zero, not less.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            received: self.received.saturating_sub(earlier.received),
            unique: self.unique.saturating_sub(earlier.unique),
            duplicates: self.duplicates.saturating_sub(earlier.duplicates),
            reordered: self.reordered.saturating_sub(earlier.reordered),
            too_late: self.too_late.saturating_sub(earlier.too_late),
            corrupt: self.corrupt.saturating_sub(earlier.corrupt),
            foreign: self.foreign.saturating_sub(earlier.foreign),
        }
    }
}
