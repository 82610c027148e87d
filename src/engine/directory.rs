//! Which flow a datagram belongs to, by where it goes and who sent it.

use crate::engine::FlowIndex;
use crate::model::group::Membership;
use std::net::{IpAddr, SocketAddr};

/// The groups of a receiver, to be found by their addresses.
pub(super) struct Directory {
    /// In ascending order; more than one of a destination if several sources of it are wanted.
    entries: Box<[Entry]>,
    /// Ports of the groups, in ascending order.
    ports: Box<[u16]>,
    /// Where the last datagram was found: most often the next one belongs there too.
    last: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    group: IpAddr,
    port: u16,
    source: Option<IpAddr>,
    flow: FlowIndex,
}

impl Entry {
    fn is_of(&self, destination: SocketAddr) -> bool {
        (self.group, self.port) == (destination.ip(), destination.port())
    }

    fn wants(&self, source: IpAddr) -> bool {
        self.source.is_none_or(|wanted| wanted == source)
    }
}

impl Directory {
    pub(super) fn new(flows: impl Iterator<Item = (Membership, FlowIndex)>) -> Self {
        let entry = |(membership, flow): (Membership, FlowIndex)| {
            let Membership { source, group, port } = membership;
            Entry { group, port, source, flow }
        };
        let mut entries: Box<[_]> = flows.map(entry).collect();
        entries.sort_unstable();
        let mut ports: Vec<_> = entries.iter().map(|entry| entry.port).collect();
        ports.sort_unstable();
        ports.dedup();
        Self { entries, ports: ports.into(), last: 0 }
    }

    /// The flow of a datagram. What came to a port of ours for this host alone is no group's and `Some(None)`; `None`
    /// is what a member of these groups would not be given: another port, another group, an unwanted source.
    #[inline]
    pub(super) fn find(
        &mut self,
        source: IpAddr,
        destination: SocketAddr,
    ) -> Option<Option<FlowIndex>> {
        match self.entries.get(self.last) {
            Some(last) if last.is_of(destination) && last.wants(source) => {
                return Some(Some(last.flow));
            }
            _ => {}
        }
        if !destination.ip().is_multicast() {
            return self.ports.binary_search(&destination.port()).ok().map(|_| None);
        }
        let wanted = (destination.ip(), destination.port());
        let first = self.entries.partition_point(|entry| (entry.group, entry.port) < wanted);
        let mut same =
            (first..self.entries.len()).take_while(|&n| self.entries[n].is_of(destination));
        self.last = same.find(|&n| self.entries[n].wants(source))?;
        Some(Some(self.entries[self.last].flow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(text: &str) -> Membership {
        let (source, destination) = match text.split_once('@') {
            Some((source, destination)) => (Some(source.parse().unwrap()), destination),
            None => (None, text),
        };
        let destination: SocketAddr = destination.parse().unwrap();
        Membership { source, group: destination.ip(), port: destination.port() }
    }

    #[test]
    fn datagrams_find_their_flow_or_none() {
        let flows = [
            membership("239.1.1.9:5000"),
            membership("239.1.1.1:5000"),
            membership("10.0.0.2@232.1.1.1:5001"),
            membership("10.0.0.1@232.1.1.1:5001"),
            membership("[ff15::1]:5000"),
        ];
        let mut directory = Directory::new(flows.into_iter().zip(0..));
        let cases = [
            ("10.0.0.7", "239.1.1.9:5000", Some(Some(0))),
            ("10.0.0.7", "239.1.1.1:5000", Some(Some(1))),
            ("10.0.0.2", "232.1.1.1:5001", Some(Some(2))),
            ("10.0.0.1", "232.1.1.1:5001", Some(Some(3))),
            ("10.0.0.3", "232.1.1.1:5001", None),
            ("fe80::1", "[ff15::1]:5000", Some(Some(4))),
            ("10.0.0.7", "239.1.1.1:5001", None),
            ("10.0.0.7", "239.1.1.2:5000", None),
            ("10.0.0.7", "10.0.0.1:5001", Some(None)),
            ("10.0.0.7", "255.255.255.255:5000", Some(None)),
            ("10.0.0.7", "10.0.0.1:5002", None),
        ];
        // In any order: what was found before must not matter.
        for step in [1, 3, 5, 7] {
            for n in 0..cases.len() {
                let (source, destination, expected) = cases[n * step % cases.len()];
                let found = directory.find(source.parse().unwrap(), destination.parse().unwrap());
                assert_eq!(found, expected, "{source} to {destination}");
            }
        }
    }
}
