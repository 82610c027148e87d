//! What an interval counted of each stream, of as many streams as are told apart.

use super::group::Membership;
use super::snapshot::RxCounts;
use std::net::IpAddr;

/// Most streams that an interval of one receiver tells apart. What further ones counted is in its totals alone.
pub const MOST_TOLD: usize = 100;

/// A stream as long as its sender's host and number stay the same: a sender that starts again, from another port and
/// with another session, goes on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamName {
    /// Address it is sent from.
    pub source: IpAddr,
    /// Where it is sent to.
    pub group: Membership,
    /// Number of the stream in its session.
    pub stream: u16,
}

/// What an interval counted of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamInterval {
    /// Whose.
    pub name: StreamName,
    /// Datagrams by what they were; none is foreign.
    pub counts: RxCounts,
    /// Lost for good: below zero when some came even later than that.
    pub lost: i64,
}

impl StreamInterval {
    /// Whether there is nothing to tell.
    pub fn is_nothing(&self) -> bool {
        self.counts == RxCounts::default() && self.lost == 0
    }
}

/// The streams of which something was counted, at most [`MOST_TOLD`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByStream(Vec<StreamInterval>);

impl Default for ByStream {
    /// With room for all, so that noting takes no memory.
    fn default() -> Self {
        Self(Vec::with_capacity(MOST_TOLD))
    }
}

impl ByStream {
    /// Adds to what is known of a stream. Of one too many nothing is kept.
    pub fn note(&mut self, more: &StreamInterval) {
        if more.is_nothing() {
            return;
        }
        let is_full = self.0.len() == MOST_TOLD;
        match self.0.iter_mut().find(|known| known.name == more.name) {
            Some(known) => {
                known.counts.add(&more.counts);
                known.lost += more.lost;
            }
            None if is_full => {}
            None => self.0.push(*more),
        }
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        other.iter().for_each(|stream| self.note(stream));
    }

    /// The streams, in the order in which they were noted.
    pub fn iter(&self) -> impl Iterator<Item = &StreamInterval> {
        self.0.iter()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(number: u16, received: u64, lost: i64) -> StreamInterval {
        let group = IpAddr::from([233, 252, 0, 1]);
        let name = StreamName {
            source: IpAddr::from([192, 0, 2, 1]),
            group: Membership { source: None, group, port: 5000 },
            stream: number,
        };
        StreamInterval { name, counts: RxCounts { received, ..RxCounts::default() }, lost }
    }

    #[test]
    fn the_same_stream_adds_up() {
        let mut sum = ByStream::default();
        sum.note(&stream(1, 5, 2));
        sum.note(&stream(2, 0, 0));
        let before = sum.clone();
        sum.add(&before);
        sum.note(&stream(1, 0, -3));
        assert_eq!(sum.iter().collect::<Vec<_>>(), [&stream(1, 10, 1)]);
        sum.clear();
        assert_eq!(sum, ByStream::default());
    }

    #[test]
    fn there_are_no_more_than_are_told_apart_and_they_take_no_memory() {
        let mut sum = ByStream::default();
        let capacity = sum.0.capacity();
        (0..=MOST_TOLD as u16).for_each(|number| sum.note(&stream(number, 1, 0)));
        assert_eq!((sum.iter().count(), sum.0.capacity()), (MOST_TOLD, capacity));
        assert!(sum.iter().all(|stream| usize::from(stream.name.stream) < MOST_TOLD));
    }
}
