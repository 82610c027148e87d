//! What the senders that a receiver hears tell on themselves, thread by thread.

use crate::model::positions::session_name;
use crate::model::senders::{SenderThread, SendersReport};
use crate::wire::announcement::Conduct;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The newest word of each sender thread. Two senders may draw the same session, so the source is part of the key.
#[derive(Clone, Debug, Default)]
pub struct Senders(BTreeMap<(u32, SocketAddr, u16), Conduct>);

impl Senders {
    /// One of a thread's streams has said so. Each stream speaks in its turn, and announcements may overtake
    /// each other: what is told counts from the sender's begin, so the one with most in it is the last.
    pub(super) fn heard(&mut self, session: u32, source: SocketAddr, told: Conduct) {
        let known = self.0.entry((session, source, told.thread)).or_insert(told);
        if told.progress() > known.progress() {
            *known = told;
        }
    }

    /// Adds what another receiver has heard.
    pub(super) fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(&(session, source, _), &told)| self.heard(session, source, told));
    }

    /// As it is reported; `None` when nobody said anything.
    pub(super) fn report(&self) -> Option<SendersReport> {
        let threads = self.0.iter().map(|(&(session, source, thread), told)| SenderThread {
            session: session_name(session),
            source: source.to_string(),
            thread,
            conduct: told.into(),
        });
        SendersReport::of(threads.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(thread: u16, offered: u64) -> Conduct {
        Conduct { thread, offered, intended: Some(offered), ..Conduct::default() }
    }

    #[test]
    fn the_newest_word_counts_whichever_stream_and_receiver_heard_it() {
        let source: SocketAddr = "192.0.2.1:4000".parse().unwrap();
        let other: SocketAddr = "192.0.2.2:4000".parse().unwrap();
        let mut one = Senders::default();
        one.heard(7, source, told(0, 20));
        one.heard(7, source, told(0, 10));
        let mut two = Senders::default();
        two.heard(7, source, told(0, 30));
        two.heard(7, source, told(1, 5));
        two.heard(7, other, told(0, 1));
        one.add(&two);
        let report = one.report().unwrap();
        let rows = report.threads.iter().map(|row| (&*row.source, row.thread, row.conduct.offered));
        let expected =
            [("192.0.2.1:4000", 0, 30), ("192.0.2.1:4000", 1, 5), ("192.0.2.2:4000", 0, 1)];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
        assert_eq!(report.all.offered, 36);
        assert_eq!(Senders::default().report(), None);
    }

    /// As many offered, but by now it is known what else was due.
    #[test]
    fn the_end_says_more_than_what_came_before() {
        let source: SocketAddr = "192.0.2.1:4000".parse().unwrap();
        let mut senders = Senders::default();
        senders.heard(7, source, told(0, 20));
        senders.heard(7, source, Conduct { intended: Some(50), ..told(0, 20) });
        senders.heard(7, source, told(0, 20));
        assert_eq!(senders.report().unwrap().all.intended, Some(50));
    }
}
