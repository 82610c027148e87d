//! What a UDP socket says beside a datagram: the control messages of the options that
//! [`open_receiver`](crate::net::socket::open_receiver) sets.

use super::RxCounters;
use crate::net::timestamp::Stamps;
use crate::sys::clock;
use crate::sys::cmsg::{ControlMessage, control_messages, timespec_nanos, timestamping_nanos};
use crate::units::Nanos;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the kernel says beside a datagram.
#[derive(Default)]
pub(crate) struct Control {
    /// When the kernel received it, by the wall clock.
    pub(crate) kernel: Option<Nanos>,
    /// When the network card did, by a clock of its own.
    card: Option<Nanos>,
    /// Where it was sent to: `ipi_addr` of `in_pktinfo` (ip(7)), `ipi6_addr` of `in6_pktinfo` (RFC 3542).
    pub(crate) destination: Option<IpAddr>,
    /// What the socket has dropped in all, in 32 bits. Comes only after a drop.
    pub(super) overflow: Option<u32>,
    /// If several datagrams were received as one: the length of each but the last; 0: it is just one.
    pub(super) segment_len: u16,
}

impl Control {
    /// From the control messages of one datagram.
    #[inline]
    pub(crate) fn read(control: &[u8]) -> Self {
        let mut found = Self::default();
        for ControlMessage { level, kind, data } in control_messages(control) {
            match (level, kind) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    found.kernel = timespec_nanos(data).map(Nanos);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                    let (kernel, card) = timestamping_nanos(data);
                    (found.kernel, found.card) = (kernel.map(Nanos), card.map(Nanos));
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    found.overflow = data.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
                }
                // "int" of the length, udp(7).
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let len = data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
                    found.segment_len = len.and_then(|len| u16::try_from(len).ok()).unwrap_or(0);
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let address = data.get(8..).and_then(|rest| rest.first_chunk::<4>());
                    found.destination = address.map(|bytes| Ipv4Addr::from(*bytes).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let address = data.first_chunk::<16>();
                    found.destination = address.map(|bytes| Ipv6Addr::from(*bytes).into());
                }
                _ => {}
            }
        }
        found
    }

    /// The best time there is, by the wall clock. Counts what was not stamped as wanted.
    #[inline]
    pub(super) fn received_at(&self, stamps: &Stamps, counters: &mut RxCounters) -> Nanos {
        if let Stamps::Hardware { line, .. } = stamps {
            if let Some(card) = self.card {
                return line.realtime(card);
            }
            counters.without_hardware += 1;
        }
        self.kernel.unwrap_or_else(|| {
            counters.unstamped += 1;
            clock::realtime()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::phc::stamps_without_offset;

    /// A control message `SCM_TIMESTAMPING` with the seconds of its three stamps.
    fn timestamping(seconds: [i64; 3]) -> Vec<u8> {
        let mut message = 64usize.to_ne_bytes().to_vec();
        message.extend(libc::SOL_SOCKET.to_ne_bytes());
        message.extend(libc::SCM_TIMESTAMPING.to_ne_bytes());
        message.extend(seconds.iter().flat_map(|&seconds| [seconds, 0]).flat_map(i64::to_ne_bytes));
        message
    }

    #[test]
    fn the_cards_stamp_is_taken_before_the_kernels_and_that_before_none() {
        let stamps = stamps_without_offset();
        let mut counters = RxCounters::default();
        let mut read = |control: &[u8]| {
            let at = Control::read(control).received_at(&stamps, &mut counters);
            (at, counters.without_hardware, counters.unstamped)
        };
        assert_eq!(read(&timestamping([5, 0, 7])), (Nanos(7 * Nanos::SECOND.0), 0, 0));
        assert_eq!(read(&timestamping([5, 0, 0])), (Nanos(5 * Nanos::SECOND.0), 1, 0));
        let now = clock::realtime();
        let (at, without, unstamped) = read(&[]);
        assert!(at >= now);
        assert_eq!((without, unstamped), (2, 1));
    }
}
