//! The packet socket beside the sockets: it sees what reaches the interface, whoever joined it, and the host's reports.

use crate::engine::control::Control;
use crate::error::{Error, Result};
use crate::model::group::{self, Membership, last_word};
use crate::sys::filter::{
    self, LEAVE, Step, if_any_bit, if_equal, keep, leave_unless_in, load_byte, load_half,
    load_half_behind_ipv4, load_known, load_word,
};
use crate::sys::mmsg::ReceiveBatch;
use crate::sys::packet;
use crate::sys::sockopt;
use crate::units::Nanos;
use crate::wire::frame::{ETHERNET_LEN, IPV4_TYPE, IPV6_TYPE};
use crate::wire::sighting::{self, DATAGRAM_LEN, Sighting};
use socket2::Socket;
use std::collections::HashSet;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};

/// Frames a system call.
const BATCH: usize = 64;
/// System calls before others have their turn.
const TURN: usize = 16;
/// A report fills at most an Ethernet frame; those of larger MTU are cut, and their first records are read.
const REPORT_LEN: usize = 2048;

/// Watches an interface.
pub(super) struct Watch {
    socket: Socket,
    batch: ReceiveBatch,
    arena: Vec<u8>,
    drops: u64,
}

impl Watch {
    /// Sees the datagrams to `groups`, all of one family, that come to an interface, and the reports that leave it. The
    /// network card lets the groups in for as long as this lives, so that it hides neither the first datagram nor the
    /// last.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`.
    pub(super) fn open(groups: &[Membership], interface: u32, buffer: usize) -> Result<Self> {
        let failed = |error| Error::os("no packet socket", error);
        let socket = packet::open().map_err(|error| {
            let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
            let error = failed(error);
            if is_denied { error.hint("it wants CAP_NET_RAW") } else { error }
        })?;
        sockopt::set_receive_timestamps(socket.as_fd()).map_err(failed)?;
        if sockopt::set_receive_buffer_force(socket.as_fd(), buffer).is_err() {
            socket.set_recv_buffer_size(buffer).map_err(failed)?;
        }
        filter::attach(socket.as_fd(), &program(groups)).map_err(failed)?;
        let macs: HashSet<_> = groups.iter().map(|one| group::mac(one.group)).collect();
        macs.into_iter()
            .try_for_each(|mac| packet::let_in(&socket, interface, mac))
            .map_err(failed)?;
        packet::bind(&socket, interface, packet::ALL_PROTOCOLS).map_err(failed)?;
        let arena = vec![0; BATCH * REPORT_LEN];
        Ok(Self { socket, batch: ReceiveBatch::new(BATCH), arena, drops: 0 })
    }

    /// For waiting.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Hands over what was seen, and when. Says whether that is all there is for now.
    ///
    /// # Errors
    /// `ENETDOWN` when the interface goes.
    pub(super) fn read(&mut self, seen: &mut dyn FnMut(Nanos, Sighting<'_>)) -> Result<bool> {
        for _ in 0..TURN {
            match self.batch.receive(self.socket.as_fd(), &mut self.arena, REPORT_LEN) {
                Ok(count) => {
                    for index in 0..count {
                        let received = self.batch.received(index);
                        let frame = &self.arena[index * REPORT_LEN..][..received.len];
                        // Who asks for stamps always gets one (sock_recv_timestamp, net/core/sock.h).
                        let at = Control::read(received.control).kernel;
                        if let (Some(at), Some(sighting)) = (at, sighting::read(frame)) {
                            seen(at, sighting);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => {
                    return Err(Error::os("cannot watch the interface any more", error)
                        .hint("it may have gone or been taken down; `ip link` shows it"));
                }
            }
        }
        Ok(false)
    }

    /// Frames that there was no room for, so far.
    pub(super) fn drops(&mut self) -> u64 {
        self.drops += packet::take_drops(self.socket.as_fd()).map_or(0, u64::from);
        self.drops
    }
}

/// Protocol numbers (IANA): what reports are in, with IPv6 behind a header of its own, and UDP.
const IGMP: u32 = 2;
const HOP_BY_HOP: u32 = 0;
const UDP: u32 = 17;

/// What the kernel keeps: of frames that leave those that may be reports, of others the beginning of datagrams to a port
/// and a group from the lowest to the highest of ours. So it may keep too much, but never too little.
fn program(groups: &[Membership]) -> Vec<Step> {
    let v6 = groups.iter().any(|one| one.group.is_ipv6());
    let ip = ETHERNET_LEN as u32;
    let (kind, protocol_at, last_word_at) =
        if v6 { (IPV6_TYPE, ip + 6, ip + 36) } else { (IPV4_TYPE, ip + 9, ip + 16) };
    let outgoing = u32::from(libc::PACKET_OUTGOING);
    let mut steps = vec![
        load_half(12),
        if_equal(kind.into(), 1, 0),
        LEAVE,
        // Another virtual network's, whose tag the kernel keeps apart.
        load_known(libc::SKF_AD_VLAN_TAG_PRESENT),
        if_equal(0, 1, 0),
        LEAVE,
        load_known(libc::SKF_AD_PKTTYPE),
        if_equal(outgoing, 0, 4),
        load_byte(protocol_at),
        if_equal(if v6 { HOP_BY_HOP } else { IGMP }, 0, 1),
        keep(REPORT_LEN as u32),
        LEAVE,
        load_byte(protocol_at),
        if_equal(UDP, 1, 0),
        LEAVE,
    ];
    if v6 {
        steps.push(load_half(ip + 40 + 2));
    } else {
        // Later fragments have no ports.
        steps.extend([load_half(ip + 6), if_any_bit(0x1fff, 0, 1), LEAVE]);
        steps.extend(load_half_behind_ipv4(ip, 2));
    }
    leave_unless_in(&[span(groups.iter().map(|one| one.port.into()))], &mut steps);
    steps.push(load_word(last_word_at));
    leave_unless_in(&[span(groups.iter().map(|one| last_word(one.group)))], &mut steps);
    steps.push(keep(DATAGRAM_LEN as u32));
    steps
}

/// From the lowest to the highest.
fn span(numbers: impl Iterator<Item = u32>) -> RangeInclusive<u32> {
    let (low, high) =
        numbers.fold((u32::MAX, 0), |(low, high), number| (low.min(number), high.max(number)));
    low..=high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{Addressing, Template, UdpChecksum, headers_len};
    use socket2::{Domain, Type};

    fn groups(words: &[&str]) -> Vec<Membership> {
        let of = |word: &&str| {
            let to: std::net::SocketAddr = word.parse().unwrap();
            Membership { source: None, group: to.ip(), port: to.port() }
        };
        words.iter().map(of).collect()
    }

    /// Whether the program keeps a frame that comes in: asked of a datagram socket, whose frames it gets as they are.
    fn keeps(groups: &[Membership], to: &str) -> bool {
        let destination: std::net::SocketAddr = to.parse().unwrap();
        let source = if destination.is_ipv6() { "[2001:db8::1]:9" } else { "192.0.2.1:9" };
        let addressing = Addressing {
            source_mac: [2; 6],
            destination_mac: group::mac(destination.ip()),
            source: source.parse().unwrap(),
            destination,
            ttl: 1,
            dscp: 0,
        };
        let mut frame = vec![0; headers_len(destination.is_ipv6()) + 20];
        Template::new(&addressing).write(&mut frame, UdpChecksum::Whole);
        let (receiver, sender) = Socket::pair(Domain::UNIX, Type::DGRAM, None).unwrap();
        filter::attach(receiver.as_fd(), &program(groups)).unwrap();
        receiver.set_nonblocking(true).unwrap();
        // What a filter of such a socket leaves, its sender is refused.
        let _ = sender.send(&frame);
        let mut batch = ReceiveBatch::new(1);
        batch.receive(receiver.as_fd(), &mut [0; 256], 256).is_ok()
    }

    #[test]
    fn what_lies_between_the_groups_and_their_ports_is_kept() {
        let v4 = groups(&["239.1.1.3:5000", "239.1.1.1:5002"]);
        for (to, kept) in [
            ("239.1.1.1:5000", true),
            ("239.1.1.2:5001", true),
            ("239.1.1.3:5002", true),
            ("239.1.1.4:5000", false),
            ("239.1.1.0:5000", false),
            ("239.1.1.1:4999", false),
            ("239.1.1.1:5003", false),
            ("[ff15::1]:5000", false),
        ] {
            assert_eq!(keeps(&v4, to), kept, "{to}");
        }
        let v6 = groups(&["[ff15::7]:5000"]);
        for (to, kept) in [
            ("[ff15::7]:5000", true),
            ("[ff15::8]:5000", false),
            ("[ff15::7]:5001", false),
            ("239.1.1.1:5000", false),
        ] {
            assert_eq!(keeps(&v6, to), kept, "{to}");
        }
    }
}
