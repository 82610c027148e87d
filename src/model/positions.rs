//! How far each stream is, for who goes on where a trial was cut off.

use std::net::SocketAddr;

/// A stream as of the end of an interval. `next_seq - first_seq` numbers are received, lost, or awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// Session of its sender.
    pub session: u32,
    /// Its number in it.
    pub stream: u16,
    /// Address and port it came from.
    pub source: SocketAddr,
    /// The lowest number that counts.
    pub first_seq: u64,
    /// The lowest number that was not looked at.
    pub next_seq: u64,
    /// Numbers that are missing and may still come; of a stream that has ended, those at its end too, which stand above
    /// `next_seq`.
    pub awaited: u64,
    /// Whether its sender has said that no more will come.
    pub has_ended: bool,
}

/// The streams of all receivers.
#[derive(Clone, Debug, Default)]
pub struct Positions(Vec<Book>);

/// The streams of one.
#[derive(Clone, Debug)]
struct Book {
    receiver: usize,
    /// Name of the interface that it listens on.
    interface: Option<String>,
    streams: Vec<StreamPosition>,
}

impl Positions {
    /// Notes all streams of a receiver, in place of what was known of them. Takes memory only for new ones.
    pub fn note(
        &mut self,
        receiver: usize,
        interface: Option<&str>,
        streams: impl Iterator<Item = StreamPosition>,
    ) {
        let at = self.0.iter().position(|book| book.receiver == receiver).unwrap_or_else(|| {
            let interface = interface.map(str::to_owned);
            self.0.push(Book { receiver, interface, streams: Vec::new() });
            self.0.len() - 1
        });
        let known = &mut self.0[at].streams;
        known.clear();
        known.extend(streams);
    }

    /// Takes what `later` knows of its receivers in place of what was known of them.
    pub fn follow(&mut self, later: &Self) {
        for Book { receiver, interface, streams } in &later.0 {
            if !streams.is_empty() {
                self.note(*receiver, interface.as_deref(), streams.iter().copied());
            }
        }
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.0.iter_mut().for_each(|book| book.streams.clear());
    }

    /// The streams, and the interface that each came in by.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, &StreamPosition)> {
        self.0
            .iter()
            .flat_map(|book| book.streams.iter().map(|stream| (book.interface.as_deref(), stream)))
    }
}

/// A session as it is printed.
pub fn session_name(session: u32) -> String {
    format!("{session:06x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(next_seq: u64) -> StreamPosition {
        StreamPosition {
            session: 1,
            stream: 2,
            source: ([192, 0, 2, 1], 5000).into(),
            first_seq: 0,
            next_seq,
            awaited: 0,
            has_ended: false,
        }
    }

    #[test]
    fn what_a_receiver_says_later_counts_and_others_stay() {
        let mut all = Positions::default();
        all.note(0, Some("eth0"), [at(5), at(6)].into_iter());
        let mut later = Positions::default();
        later.note(1, None, [at(7)].into_iter());
        all.follow(&later);
        later.note(1, None, [at(8), at(9)].into_iter());
        all.follow(&later);
        let known: Vec<_> = all.iter().map(|(name, row)| (name, row.next_seq)).collect();
        assert_eq!(known, [(Some("eth0"), 5), (Some("eth0"), 6), (None, 8), (None, 9)]);
        later.clear();
        all.follow(&later);
        assert_eq!(all.iter().count(), 4);
    }
}
