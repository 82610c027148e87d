//! Who has answered what: the books of the asking side, a row a responder.

use crate::model::metrics::ClockRelation;
use crate::model::ping::PingCounts;
use crate::model::roundtrip::Times;
use crate::stats::seen::Seen;
use crate::units::Nanos;
use crate::wire::announcement::SenderClock;
use crate::wire::echo::{Account, Answer};
use std::net::SocketAddr;

/// Most responders that are told apart; replies of further ones are foreign. Each takes a megabyte and a half.
pub const MAX_RESPONDERS: usize = 64;

/// Replies to so many of the last requests are told from duplicates.
const WINDOW: usize = 1 << 20;

/// One reply or statement, with the times at this end.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Number of the request, or how many there were when called.
    pub seq: u64,
    /// When the request was due, on the wall clock.
    pub due_at: Nanos,
    /// When the kernel received the answer, on the wall clock.
    pub received_at: Nanos,
    /// When this program read it, on the wall clock.
    pub read_at: Nanos,
    /// Where it came from.
    pub source: SocketAddr,
    /// What the responder says.
    pub answer: Answer,
}

/// What a reply was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first to its request, in time: so long it took.
    Answered(Nanos),
    /// The first to its request, too late.
    Late,
    /// A further one.
    Duplicate,
    /// To a request that was never sent or too long ago.
    Stray,
    /// Of one responder too many.
    TooMany,
}

/// A responder.
pub struct Row {
    /// Its identity.
    pub responder: u32,
    /// Where it answers from.
    pub source: SocketAddr,
    /// Whether it has stopped to answer.
    pub silent: bool,
    /// How its clock compares to ours.
    pub relation: ClockRelation,
    /// By how much both are wrong at most.
    pub clock_error: Option<Nanos>,
    /// Its times.
    pub times: Times,
    seen: Seen,
    answered: u64,
    late: u64,
    duplicates: u64,
    reordered: u64,
    stray: u64,
    highest: Option<u64>,
    account: Account,
    /// It has said what has come when so many had been sent.
    stated: Option<u64>,
    last_heard: Nanos,
}

/// All responders.
pub struct Books {
    own_clock: SenderClock,
    timeout: Nanos,
    rows: Vec<Row>,
    last: usize,
}

impl Books {
    /// Empty books; what takes longer than `timeout` is late.
    pub fn new(own_clock: SenderClock, timeout: Nanos) -> Self {
        Self { own_clock, timeout, rows: Vec::with_capacity(MAX_RESPONDERS), last: 0 }
    }

    /// All rows, in the order in which they were first heard.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Enters a reply after `sent` requests.
    #[inline]
    pub fn reply(&mut self, heard: &Heard, sent: u64) -> Verdict {
        let timeout = self.timeout;
        let Some(row) = self.row(heard) else { return Verdict::TooMany };
        row.hear(heard, sent);
        row.enter(heard, sent, timeout)
    }

    /// Enters a statement after `sent` requests. Says whether there was a row for it.
    pub fn statement(&mut self, heard: &Heard, sent: u64) -> bool {
        let Some(row) = self.row(heard) else { return false };
        row.hear(heard, sent);
        row.stated = row.stated.max(Some(heard.seq.min(sent)));
        true
    }

    /// Responders that are not silent.
    pub fn present(&self) -> usize {
        self.rows.iter().filter(|row| !row.silent).count()
    }

    /// Whether everything that was sent is answered by everybody.
    pub fn is_complete(&self, sent: u64) -> bool {
        self.rows.iter().all(|row| row.missing(sent) == 0)
    }

    /// Whether all that are not complete have said what has come of all `sent` requests.
    pub fn is_settled(&self, sent: u64) -> bool {
        self.rows.iter().all(|row| row.missing(sent) == 0 || row.stated == Some(sent))
    }

    /// Forgets what was stated: what comes from now on is final.
    pub fn ask_again(&mut self) {
        self.rows.iter_mut().for_each(|row| row.stated = None);
    }

    /// Replies that have not come, of all responders.
    pub fn missing(&self, sent: u64) -> u64 {
        self.rows.iter().map(|row| row.missing(sent)).sum()
    }

    /// The next one that was not heard for `patience` and is not known to be silent; now it is.
    pub fn next_silent(&mut self, now: Nanos, patience: Nanos) -> Option<&Row> {
        let row = self
            .rows
            .iter_mut()
            .find(|row| !row.silent && now.saturating_sub(row.last_heard) > patience)?;
        row.silent = true;
        Some(row)
    }

    #[inline]
    fn row(&mut self, heard: &Heard) -> Option<&mut Row> {
        let is_it = |row: &Row| row.responder == heard.answer.responder;
        if !self.rows.get(self.last).is_some_and(is_it) {
            self.last = match self.rows.iter().position(is_it) {
                Some(index) => index,
                None if self.rows.len() == MAX_RESPONDERS => return None,
                None => {
                    self.rows.push(Row::new(heard, &self.own_clock));
                    self.rows.len() - 1
                }
            };
        }
        self.rows.get_mut(self.last)
    }
}

impl Row {
    fn new(heard: &Heard, own_clock: &SenderClock) -> Self {
        let (relation, clock_error) = ClockRelation::between(own_clock, &heard.answer.clock);
        let first = heard.answer.account.first;
        Self {
            responder: heard.answer.responder,
            source: heard.source,
            silent: false,
            relation,
            clock_error,
            times: Times::default(),
            seen: Seen::new(WINDOW),
            answered: 0,
            late: 0,
            duplicates: 0,
            reordered: 0,
            stray: 0,
            highest: None,
            account: Account { first, next: first, ..Account::default() },
            stated: None,
            last_heard: heard.read_at,
        }
    }

    /// What stands in every answer. The account with the most in it is the latest.
    #[inline]
    fn hear(&mut self, heard: &Heard, sent: u64) {
        self.last_heard = heard.read_at;
        self.silent = false;
        let account = heard.answer.account;
        // One that contradicts itself would make numbers that do not add up.
        let is_possible = account.first <= account.next
            && account.next <= sent
            && account.unique <= account.next - account.first;
        if is_possible && (account.next, account.unique) >= (self.account.next, self.account.unique)
        {
            self.account = account;
        }
    }

    #[inline]
    fn enter(&mut self, heard: &Heard, sent: u64, timeout: Nanos) -> Verdict {
        match self.seen.first_time(heard.seq, sent) {
            Some(true) => {}
            Some(false) => {
                self.duplicates += 1;
                return Verdict::Duplicate;
            }
            None => {
                self.stray += 1;
                return Verdict::Stray;
            }
        }
        self.reordered += u64::from(self.highest.is_some_and(|highest| heard.seq < highest));
        self.highest = self.highest.max(Some(heard.seq));
        let rtt = heard.read_at.saturating_sub(heard.due_at);
        if rtt > timeout {
            self.late += 1;
            return Verdict::Late;
        }
        self.answered += 1;
        self.record(heard, rtt);
        Verdict::Answered(rtt)
    }

    #[inline]
    fn record(&mut self, heard: &Heard, rtt: Nanos) {
        let Answer { received_at, sent_at, .. } = heard.answer;
        let times = &mut self.times;
        let turnaround = sent_at.saturating_sub(received_at);
        times.rtt.record(Nanos(0), rtt);
        times.kernel.record(heard.due_at, heard.received_at);
        times.turnaround.record(received_at, sent_at);
        times.path.record(turnaround, rtt);
        if self.relation.is_comparable() {
            times.forward.record(heard.due_at, received_at);
            times.back.record(sent_at, heard.received_at);
        }
    }

    /// Its first request.
    pub fn first(&self, sent: u64) -> u64 {
        self.account.first.min(sent)
    }

    fn missing(&self, sent: u64) -> u64 {
        (sent - self.first(sent)).saturating_sub(self.answered + self.late)
    }

    /// What became of its requests, of which the last is number `sent - 1`.
    pub fn counts(&self, sent: u64) -> PingCounts {
        let Account { next, unique, copies, .. } = self.account;
        let first = self.first(sent);
        let lost = self.missing(sent);
        let known = if self.stated == Some(sent) { sent } else { next };
        let lost_there = (known - first).saturating_sub(unique).min(lost);
        let lost_back = unique.saturating_sub(self.answered + self.late).min(lost - lost_there);
        PingCounts {
            // As many as there were since it came in, unless it lies about that.
            sent: self.answered + self.late + lost,
            received: self.answered + self.late + self.duplicates + self.stray,
            answered: self.answered,
            late: self.late,
            lost,
            lost_there,
            lost_back,
            lost_unknown: lost - lost_there - lost_back,
            duplicates: self.duplicates,
            duplicates_there: copies.into(),
            reordered: self.reordered,
            stray: self.stray,
        }
    }
}

#[cfg(test)]
mod tests;
