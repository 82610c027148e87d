//! Who has asked what: the books of the answering side, a row a session.

use crate::model::echo::{AskerReport, EchoCounts, ReplyTo};
use crate::model::group::Membership;
use crate::stats::seq::SeqTracker;
use crate::units::Nanos;
use crate::wire::echo::Account;
use crate::wire::probe::{Kind, Probe};
use socket2::SockAddr;
use std::net::SocketAddr;

/// Most sessions that are followed at once; a further one takes the place of the one that was silent longest. Each takes
/// 8 KiB.
pub const MAX_SESSIONS: usize = 256;

/// Requests that may overtake each other.
const WINDOW: usize = 1 << 16;

/// A session.
pub struct Session {
    session: u32,
    stream: u16,
    source: SocketAddr,
    /// Where its answers go.
    pub answer_to: SockAddr,
    tracker: SeqTracker,
    calls: u64,
    /// Answers that left.
    pub replies: u64,
    /// Answers that the kernel refused.
    pub refused: u64,
    last_heard: Nanos,
}

/// All sessions.
pub struct Sessions {
    rows: Vec<Session>,
    last: usize,
    /// Those that lost their place.
    gone: Vec<AskerReport>,
}

impl Sessions {
    /// No session yet.
    pub fn new() -> Self {
        Self { rows: Vec::with_capacity(MAX_SESSIONS), last: 0, gone: Vec::new() }
    }

    /// Enters a request or a call from `source`, and says whose it is, and whether that is new.
    #[inline]
    pub fn enter(
        &mut self,
        probe: &Probe,
        source: SocketAddr,
        now: Nanos,
        answer_to: impl FnOnce() -> SockAddr,
    ) -> (&mut Session, bool) {
        let is_it = |row: &Session| {
            row.session == probe.session && row.stream == probe.stream && row.source == source
        };
        let mut is_new = false;
        if !self.rows.get(self.last).is_some_and(is_it) {
            self.last = self.rows.iter().position(is_it).unwrap_or_else(|| {
                is_new = true;
                self.open(Session::new(probe, source, answer_to()))
            });
        }
        let row = &mut self.rows[self.last];
        row.last_heard = now;
        if probe.kind == Kind::Call {
            row.calls += 1;
            if row.tracker.first().is_none() {
                row.tracker.begin_at(probe.seq);
            }
        } else {
            row.tracker.observe(probe.seq);
        }
        (row, is_new)
    }

    /// Sessions heard since `since`.
    pub fn heard_since(&self, since: Nanos) -> u64 {
        self.rows.iter().filter(|row| row.last_heard >= since).count() as u64
    }

    /// All rows, those that lost their place first.
    pub fn close(self) -> Vec<AskerReport> {
        let rows = self.rows.iter().map(Session::report);
        self.gone.into_iter().chain(rows).collect()
    }

    /// Where a new session stands.
    #[cold]
    fn open(&mut self, session: Session) -> usize {
        if self.rows.len() < MAX_SESSIONS {
            self.rows.push(session);
            return self.rows.len() - 1;
        }
        let place = (0..self.rows.len()).min_by_key(|&at| self.rows[at].last_heard).unwrap_or(0);
        let before = std::mem::replace(&mut self.rows[place], session);
        // Whoever makes up sessions may not fill the memory with their rows.
        if self.gone.len() < MAX_SESSIONS {
            self.gone.push(before.report());
        }
        place
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    fn new(probe: &Probe, source: SocketAddr, answer_to: SockAddr) -> Self {
        Self {
            session: probe.session,
            stream: probe.stream,
            source,
            answer_to,
            tracker: SeqTracker::new(WINDOW),
            calls: 0,
            replies: 0,
            refused: 0,
            last_heard: Nanos(0),
        }
    }

    /// What has come so far.
    #[inline]
    pub fn account(&self) -> Account {
        let counters = self.tracker.counters();
        let first = self.tracker.first().unwrap_or(0);
        Account {
            first,
            next: self.tracker.highest().map_or(first, |highest| highest + 1),
            unique: counters.unique,
            copies: u32::try_from(counters.duplicates).unwrap_or(u32::MAX),
        }
    }

    fn report(&self) -> AskerReport {
        let counters = self.tracker.counters();
        AskerReport {
            session: format!("{:06x}", self.session),
            source: self.source.to_string(),
            counts: EchoCounts {
                received: counters.received,
                unique: counters.unique,
                missing: self.tracker.missing(),
                duplicates: counters.duplicates,
                reordered: counters.reordered,
                too_late: counters.too_late,
                corrupt: counters.corrupt,
                calls: self.calls,
                replies: self.replies,
                refused: self.refused,
            },
        }
    }
}

/// Where the answers to `source` go. To the group they go at the port that was asked from: so each asker hears its own
/// answers only, the responders on the group hear none, and nobody has to agree on a second port.
pub fn answer_to(reply: ReplyTo, group: &Membership, source: SocketAddr) -> SocketAddr {
    match reply {
        ReplyTo::Unicast => source,
        ReplyTo::Group => SocketAddr::new(group.group, source.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn probe(kind: Kind, session: u32, seq: u64) -> Probe {
        let due_at = Nanos(1);
        Probe { kind, session, stream: 0, seq, due_at, lateness: None, intact: true }
    }

    fn enter(sessions: &mut Sessions, probe: Probe, port: u16, now: u64) -> (Account, bool) {
        let (row, is_new) =
            sessions.enter(&probe, source(port), Nanos(now), || source(port).into());
        (row.account(), is_new)
    }

    #[test]
    fn who_heard_the_first_call_was_there_from_the_start() {
        let mut sessions = Sessions::new();
        let account = |first, next, unique, copies| Account { first, next, unique, copies };
        let mut enter = |kind, seq| enter(&mut sessions, probe(kind, 7, seq), 4000, 1);
        assert_eq!(enter(Kind::Call, 0), (account(0, 0, 0, 0), true));
        assert_eq!(enter(Kind::Request, 2), (account(0, 3, 1, 0), false));
        assert_eq!(enter(Kind::Request, 1), (account(0, 3, 2, 0), false));
        assert_eq!(enter(Kind::Request, 1), (account(0, 3, 2, 1), false));
        assert_eq!(enter(Kind::Call, 9), (account(0, 3, 2, 1), false), "calls do not count");
    }

    #[test]
    fn who_comes_late_begins_late() {
        let mut sessions = Sessions::new();
        let (account, _) = enter(&mut sessions, probe(Kind::Request, 7, 500), 4000, 1);
        assert_eq!(account, Account { first: 500, next: 501, unique: 1, copies: 0 });
        let (account, _) = enter(&mut sessions, probe(Kind::Call, 8, 90), 4000, 1);
        assert_eq!(account, Account { first: 90, next: 90, unique: 0, copies: 0 });
    }

    #[test]
    fn sessions_are_told_apart_and_the_oldest_gives_way() {
        let mut sessions = Sessions::new();
        for n in 0..MAX_SESSIONS as u32 {
            assert!(enter(&mut sessions, probe(Kind::Request, n, 0), 4000, n.into()).1);
        }
        assert!(!enter(&mut sessions, probe(Kind::Request, 0, 1), 4000, 1_000).1);
        assert!(enter(&mut sessions, probe(Kind::Request, 0, 1), 4001, 1_001).1, "another port");
        assert!(enter(&mut sessions, probe(Kind::Request, 1, 1), 4000, 1_002).1, "it gave way");
        let rows = sessions.close();
        assert_eq!(rows.len(), MAX_SESSIONS + 2);
        assert_eq!((rows[0].session.as_str(), rows[0].counts.unique), ("000001", 1));
    }

    #[test]
    fn answers_go_to_the_port_that_was_asked_from() {
        let group = Membership { source: None, group: [239, 1, 1, 1].into(), port: 5777 };
        let to = |reply| answer_to(reply, &group, source(4000)).to_string();
        assert_eq!(to(ReplyTo::Group), "239.1.1.1:4000");
        assert_eq!(to(ReplyTo::Unicast), "192.0.2.1:4000");
    }
}
