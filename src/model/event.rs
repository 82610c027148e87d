//! Things that happened in a trial and that a reader of its result should know.

use crate::units::Nanos;
use crate::wire::probe::MIN_LEN;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Since the trial started; 0 for what happened before.
    pub at_ns: Nanos,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// A worker could not be pinned and runs wherever the kernel puts it.
    NotPinned {
        /// `sender 0`, `receiver 1`.
        worker: String,
        /// The core it was to run on.
        cpu: usize,
    },
    /// Something that was asked for cannot be had here; the trial goes on with something else.
    Degraded {
        /// What was asked for, as typed.
        asked: String,
        /// What there is instead.
        instead: String,
        /// Why, and what would help.
        reason: String,
    },
    /// A capture is replayed.
    CaptureTaken {
        /// The file.
        file: String,
        /// UDP datagrams in it.
        datagrams: u64,
        /// From the first to the last, at the speed of the replay.
        length_ns: Nanos,
        /// Packets without the beginning of a UDP datagram, which are left out.
        skipped: u64,
        /// Payloads that are too short for our header and are sent with its length.
        lengthened: u64,
        /// Payloads that are longer than a datagram can be, as offloading makes them look, and are sent as long as can
        /// be.
        shortened: u64,
    },
    /// A stream was heard for the first time.
    StreamHeard {
        /// Session of the sender, as in the stream's row.
        session: String,
        /// Number of the stream in its session.
        stream: u16,
        /// Address and port it is sent from.
        source: String,
    },
    /// A sender that was heard fell silent without saying that it ended.
    SenderSilent {
        /// Session of the sender.
        session: String,
        /// Address and port it was sent from.
        source: String,
    },
    /// A sender of the same address came back with a new session.
    SenderRestarted {
        /// The new session.
        session: String,
        /// The address.
        source: String,
    },
    /// A responder answered for the first time (`ping`).
    ResponderHeard {
        /// Its identity, as in its row.
        responder: String,
        /// Address and port it answers from.
        source: String,
    },
    /// A responder has stopped to answer (`ping`).
    ResponderSilent {
        /// Its identity, as in its row.
        responder: String,
        /// Address and port it answered from.
        source: String,
    },
    /// The first call was not answered (`ping`).
    NobodyAnswers {
        /// The group that was asked.
        group: String,
    },
    /// Somebody asked for the first time (`echo`).
    AskerHeard {
        /// Its session, as in its row.
        session: String,
        /// Address and port it asks from.
        source: String,
    },
    /// A worker did nothing for a while although there was work.
    Stalled {
        /// `sender 0`, `receiver 1`.
        worker: String,
        /// How long.
        length_ns: Nanos,
    },
    /// The wall clock was set while the trial ran; delays before and after cannot be compared.
    ClockStepped {
        /// By how much, in nanoseconds; positive is forward.
        by_ns: i64,
    },
    /// The kernel gave no receive time for some datagrams; the application's was used.
    NoKernelTimestamp {
        /// How many.
        datagrams: u64,
    },
    /// The network card could have stamped the datagrams, but something stood in the way; the kernel's stamps are
    /// used.
    KernelTimestamps {
        /// What was tried, and why it failed.
        reason: String,
    },
    /// The network card gave no receive time for some datagrams; the kernel's was used.
    NoHardwareTimestamp {
        /// How many.
        datagrams: u64,
    },
    /// More streams than the receiver keeps count of; the datagrams of the rest count as foreign.
    TooManyStreams {
        /// The most it keeps.
        limit: u64,
    },
    /// So much happened that not all is listed; who followed the trial was told all of it.
    NotListed {
        /// Further streams that were heard; each has its row.
        streams: u64,
        /// Further times that a worker stood still; the longest is in the report.
        stalls: u64,
    },
    /// An output failed while the trial ran (disk full, pipe closed); it got no more data.
    OutputFailed {
        /// Which, and why.
        reason: String,
    },
    /// A worker could not go on.
    WorkerFailed {
        /// `sender 0`, `receiver 1`.
        worker: String,
        /// Why.
        reason: String,
    },
    /// The user asked to stop.
    Interrupted,
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPinned { worker, cpu } => {
                write!(f, "{worker} could not be pinned to core {cpu}")
            }
            Self::Degraded { asked, instead, reason } => {
                write!(f, "{asked} cannot be had here: {reason}; it is {instead} instead")
            }
            Self::CaptureTaken { file, datagrams, length_ns, skipped, lengthened, shortened } => {
                write!(f, "replaying {file}: {datagrams} datagrams in {length_ns}")?;
                let notes = [
                    (skipped, format!("{skipped} packets without UDP are left out")),
                    (lengthened, format!("{lengthened} payloads lengthened to {MIN_LEN} bytes")),
                    (shortened, format!("{shortened} shortened to 65507")),
                ];
                let notes = notes.into_iter().filter(|(count, _)| **count > 0);
                let notes: Vec<_> = notes.map(|(_, note)| note).collect();
                let colon = if notes.is_empty() { "" } else { "; " };
                write!(f, "{colon}{}", notes.join(", "))
            }
            Self::StreamHeard { session, stream, source } => {
                write!(f, "stream {session}/{stream} from {source} is heard")
            }
            Self::SenderSilent { session, source } => write!(
                f,
                "sender {session} at {source} fell silent without an end: its tail is unknown"
            ),
            Self::SenderRestarted { session, source } => {
                write!(f, "sender at {source} started again as session {session}")
            }
            Self::ResponderHeard { responder, source } => {
                write!(f, "responder {responder} at {source} is there")
            }
            Self::ResponderSilent { responder, source } => {
                write!(f, "responder {responder} at {source} fell silent")
            }
            Self::NobodyAnswers { group } => write!(
                f,
                "nobody answers on {group}: start `mcast-bench echo` with the same group and interface there"
            ),
            Self::AskerHeard { session, source } => {
                write!(f, "session {session} from {source} asks")
            }
            Self::Stalled { worker, length_ns } => write!(f, "{worker} stalled for {length_ns}"),
            Self::ClockStepped { by_ns } => {
                let sign = if *by_ns < 0 { "back" } else { "forward" };
                write!(f, "the wall clock was set {sign} by {}", Nanos(by_ns.unsigned_abs()))
            }
            Self::NoKernelTimestamp { datagrams } => {
                write!(f, "{datagrams} datagrams came without a receive time from the kernel")
            }
            Self::KernelTimestamps { reason } => {
                write!(f, "timestamps are the kernel's, not the network card's: {reason}")
            }
            Self::NoHardwareTimestamp { datagrams } => {
                write!(f, "{datagrams} datagrams came without a receive time from the network card")
            }
            Self::TooManyStreams { limit } => {
                write!(f, "more than {limit} streams: the rest is counted as foreign")
            }
            Self::NotListed { streams, stalls } => write!(
                f,
                "not listed: {streams} further streams that were heard, {stalls} further stalls"
            ),
            Self::OutputFailed { reason } => write!(f, "an output failed: {reason}"),
            Self::WorkerFailed { worker, reason } => write!(f, "{worker} failed: {reason}"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}
