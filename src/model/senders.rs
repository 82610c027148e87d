//! What senders tell on themselves in their announcements, as receivers report it.

use crate::units::Nanos;
use crate::wire::announcement::{Conduct, GapSummary};
use serde::{Deserialize, Serialize};

/// All sender threads that were heard to say it: added up, and each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendersReport {
    /// All threads together.
    #[serde(flatten)]
    pub all: SenderConduct,
    /// One row a thread.
    pub threads: Vec<SenderThread>,
}

/// One thread of a sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderThread {
    /// Session of the sender, as in the rows of its streams.
    pub session: String,
    /// Address and port it sent from.
    pub source: String,
    /// Its number in the session.
    pub thread: u16,
    /// What it said of itself last.
    #[serde(flatten)]
    pub conduct: SenderConduct,
}

/// What a sender did from its begin until it was last heard, all its streams together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderConduct {
    /// Datagrams that were due (RFC 2285 section 3.5.1), before the end of a trial those that the sender came to;
    /// `null` for as fast as possible.
    pub intended: Option<u64>,
    /// Datagrams that its kernel took (RFC 2285 section 3.5.2).
    pub offered: u64,
    /// Datagrams that its kernel refused.
    pub refused: u64,
    /// How often its loop stood still although there was work.
    pub stalls: u64,
    /// Longest time that its loop stood still.
    pub longest_stall_ns: Nanos,
    /// Most datagrams that it handed over at once: the longest train.
    pub train_max: u64,
    /// Between datagrams as it handed them over; `null` before the second.
    pub gaps_ns: Option<SenderGaps>,
}

/// Gaps between datagrams as a sender handed them over; those of one train are 0 apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderGaps {
    /// Shortest.
    pub min: Nanos,
    /// Median; of several threads the longest of theirs.
    pub p50: Nanos,
    /// 99 % were at most this; of several threads the longest of theirs.
    pub p99: Nanos,
    /// Longest.
    pub max: Nanos,
}

impl SendersReport {
    /// Adds up `threads`; `None` of none.
    pub fn of(threads: Vec<SenderThread>) -> Option<Self> {
        let all = threads.iter().map(|thread| thread.conduct).reduce(|a, b| a.and(&b))?;
        Some(Self { all, threads })
    }
}

impl SenderConduct {
    /// Both together.
    #[must_use]
    fn and(&self, other: &Self) -> Self {
        let gaps = self.gaps_ns.zip(other.gaps_ns).map(|(a, b)| SenderGaps {
            min: a.min.min(b.min),
            p50: a.p50.max(b.p50),
            p99: a.p99.max(b.p99),
            max: a.max.max(b.max),
        });
        // What a spoofed announcement says may be as large as its fields.
        Self {
            intended: self.intended.zip(other.intended).map(|(a, b)| a.saturating_add(b)),
            offered: self.offered.saturating_add(other.offered),
            refused: self.refused.saturating_add(other.refused),
            stalls: self.stalls.saturating_add(other.stalls),
            longest_stall_ns: self.longest_stall_ns.max(other.longest_stall_ns),
            train_max: self.train_max.max(other.train_max),
            gaps_ns: gaps.or(self.gaps_ns).or(other.gaps_ns),
        }
    }
}

impl From<&Conduct> for SenderConduct {
    fn from(told: &Conduct) -> Self {
        let gaps = |GapSummary { min, p50, p99, max }| SenderGaps { min, p50, p99, max };
        Self {
            intended: told.intended,
            offered: told.offered,
            refused: told.refused,
            stalls: told.stalls.into(),
            longest_stall_ns: told.longest_stall,
            train_max: told.train_max.into(),
            gaps_ns: told.gaps.map(gaps),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(thread: u16, conduct: SenderConduct) -> SenderThread {
        let (session, source) = ("0000ab".into(), "192.0.2.1:4000".into());
        SenderThread { session, source, thread, conduct }
    }

    #[test]
    fn threads_add_up_and_the_worst_of_each_stands_out() {
        let gaps = |min, p50, p99, max| {
            let [min, p50, p99, max] = [min, p50, p99, max].map(Nanos);
            Some(SenderGaps { min, p50, p99, max })
        };
        let a = SenderConduct {
            intended: Some(10),
            offered: 8,
            refused: 1,
            stalls: 2,
            longest_stall_ns: Nanos(300),
            train_max: 1,
            gaps_ns: gaps(5, 6, 9, 300),
        };
        let b = SenderConduct { train_max: 4, gaps_ns: gaps(0, 7, 8, 20), ..a };
        let quiet = SenderConduct { intended: Some(0), ..SenderConduct::default() };
        let threads = vec![thread(0, a), thread(1, b), thread(2, quiet)];
        let expected = SenderConduct {
            intended: Some(20),
            offered: 16,
            refused: 2,
            stalls: 4,
            longest_stall_ns: Nanos(300),
            train_max: 4,
            gaps_ns: gaps(0, 7, 9, 300),
        };
        assert_eq!(SendersReport::of(threads).unwrap().all, expected);
    }

    #[test]
    fn one_that_sends_as_fast_as_it_can_has_no_intended_load() {
        let bounded = SenderConduct { intended: Some(3), ..SenderConduct::default() };
        let threads = vec![thread(0, bounded), thread(1, SenderConduct::default())];
        assert_eq!(SendersReport::of(threads).unwrap().all.intended, None);
        assert_eq!(SendersReport::of(vec![]), None);
    }
}
