//! Who was heard, a row a stream, a group or a sender: summed up, sorted, and scrolled through.

use crate::model::by_stream::{StreamInterval, StreamName};
use crate::model::snapshot::RxCounts;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A stream, or all that have their group or their sender in common; since the start, and in the last interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Of the stream, or of the first of them.
    pub(super) name: StreamName,
    /// How many streams.
    pub(super) streams: usize,
    pub(super) counts: RxCounts,
    pub(super) lost: i64,
    /// Received in the last interval.
    pub(super) lately: u64,
}

/// What has a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Each {
    #[default]
    Stream,
    Group,
    Sender,
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Lost,
    Received,
    Group,
    Sender,
}

/// All that are known, and how they are looked at.
#[derive(Debug, Default)]
pub(super) struct Rows {
    streams: BTreeMap<StreamName, Row>,
    pub(super) each: Each,
    pub(super) sort: Sort,
    /// Rows above the first one shown.
    pub(super) scrolled: usize,
}

impl Rows {
    /// The streams of the next interval.
    pub(super) fn hear(&mut self, streams: &[StreamInterval]) {
        self.streams.values_mut().for_each(|row| row.lately = 0);
        for stream in streams {
            let known = self.streams.entry(stream.name).or_insert_with(|| Row::of(stream.name));
            known.counts.add(&stream.counts);
            known.lost += stream.lost;
            known.lately = stream.counts.received;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.summed().len()
    }

    /// All rows as they are sorted.
    pub(super) fn sorted(&self) -> Vec<Row> {
        let mut rows = self.summed();
        let by_group =
            |name: &StreamName| (name.group.group, name.group.port, name.source, name.stream);
        match self.sort {
            Sort::Lost => rows.sort_by_key(|row| (Reverse(row.lost), by_group(&row.name))),
            Sort::Received => {
                rows.sort_by_key(|row| (Reverse(row.counts.received), by_group(&row.name)));
            }
            Sort::Group => rows.sort_by_key(|row| by_group(&row.name)),
            Sort::Sender => rows.sort_by_key(|row| row.name),
        }
        rows
    }

    fn summed(&self) -> Vec<Row> {
        let mut rows = BTreeMap::new();
        for row in self.streams.values() {
            let StreamName { source, group, stream } = row.name;
            let key = match self.each {
                Each::Stream => (Some(source), Some(group), Some(stream)),
                Each::Group => (None, Some(group), None),
                Each::Sender => (Some(source), None, None),
            };
            rows.entry(key).and_modify(|sum: &mut Row| sum.add(row)).or_insert(*row);
        }
        rows.into_values().collect()
    }

    /// Goes on by so many rows.
    pub(super) fn scroll(&mut self, rows: isize) {
        let last = self.len().saturating_sub(1);
        self.scrolled = self.scrolled.saturating_add_signed(rows).min(last);
    }

    /// The next order, round and round.
    pub(super) fn sort_on(&mut self) {
        self.scrolled = 0;
        self.sort = match self.sort {
            Sort::Lost => Sort::Received,
            Sort::Received if self.each == Each::Sender => Sort::Sender,
            Sort::Received => Sort::Group,
            Sort::Group if self.each == Each::Stream => Sort::Sender,
            Sort::Group | Sort::Sender => Sort::Lost,
        };
    }

    /// Streams, groups, senders, round and round. Sorted by a name, they are sorted by that which they have then.
    pub(super) fn sum_on(&mut self) {
        self.scrolled = 0;
        self.each = match self.each {
            Each::Stream => Each::Group,
            Each::Group => Each::Sender,
            Each::Sender => Each::Stream,
        };
        self.sort = match (self.sort, self.each) {
            (Sort::Sender, Each::Group) => Sort::Group,
            (Sort::Group, Each::Sender) => Sort::Sender,
            (sort, _) => sort,
        };
    }
}

impl Row {
    fn of(name: StreamName) -> Self {
        Self { name, streams: 1, counts: RxCounts::default(), lost: 0, lately: 0 }
    }

    fn add(&mut self, other: &Self) {
        self.streams += other.streams;
        self.counts.add(&other.counts);
        self.lost += other.lost;
        self.lately += other.lately;
    }
}

impl Each {
    /// In a title.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stream => "Streams",
            Self::Group => "Groups",
            Self::Sender => "Senders",
        }
    }
}

impl Sort {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Received => "received",
            Self::Group => "group",
            Self::Sender => "sender",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::model::spec::Role;

    /// Two senders to each of two groups; the last stream alone has lost something.
    fn rows() -> Rows {
        let mut rows = Rows::default();
        let stream = |number: u8| {
            let mut group = sample::spec(Role::Recv).groups[0];
            group.port += u16::from(number % 2);
            let source = [192, 0, 2, 1 + number / 2].into();
            let received = 10 * (u64::from(number) + 1);
            let counts = RxCounts { received, ..RxCounts::default() };
            let name = StreamName { source, group, stream: 0 };
            StreamInterval { name, counts, lost: if number == 3 { 7 } else { 0 } }
        };
        let streams: Vec<_> = (0..4).map(stream).collect();
        rows.hear(&streams);
        rows.hear(&streams[..3]);
        rows
    }

    fn seen(rows: &Rows) -> Vec<(usize, u64, i64, u64)> {
        let row = |row: &Row| (row.streams, row.counts.received, row.lost, row.lately);
        rows.sorted().iter().map(row).collect()
    }

    #[test]
    fn rows_of_groups_and_senders_are_sums() {
        let mut rows = rows();
        assert_eq!(seen(&rows), [(1, 40, 7, 0), (1, 20, 0, 10), (1, 60, 0, 30), (1, 40, 0, 20)]);
        rows.sum_on();
        assert_eq!((rows.each, seen(&rows)), (Each::Group, vec![(2, 80, 7, 20), (2, 80, 0, 40)]));
        rows.sum_on();
        assert_eq!((rows.each, seen(&rows)), (Each::Sender, vec![(2, 100, 7, 30), (2, 60, 0, 30)]));
        rows.sum_on();
        assert_eq!((rows.each, seen(&rows).len()), (Each::Stream, 4));
    }

    #[test]
    fn rows_are_sorted_by_what_they_have() {
        let mut rows = rows();
        let orders = |rows: &mut Rows| {
            let first = rows.sort;
            let mut orders = vec![];
            while orders.is_empty() || rows.sort != first {
                orders.push(rows.sort);
                rows.sort_on();
            }
            orders
        };
        use Sort::{Group, Lost, Received, Sender};
        assert_eq!(orders(&mut rows), [Lost, Received, Group, Sender]);
        rows.sort = Sender;
        rows.sum_on();
        assert_eq!(orders(&mut rows), [Group, Lost, Received]);
        rows.sum_on();
        assert_eq!(orders(&mut rows), [Sender, Lost, Received]);
    }

    #[test]
    fn scrolling_ends_at_the_last_row() {
        let mut rows = rows();
        rows.scroll(isize::MAX);
        assert_eq!(rows.scrolled, 3);
        rows.scroll(-1);
        assert_eq!(rows.scrolled, 2);
        rows.sum_on();
        assert_eq!(rows.scrolled, 0);
        rows.scroll(9);
        assert_eq!(rows.scrolled, 1);
        rows.scroll(isize::MIN);
        assert_eq!(rows.scrolled, 0);
    }
}
