//! Receive timestamps: the kernel's, and the network card's.

use crate::error::{Error, Result};
use crate::net::phc::{Line, SharedLine};
use crate::sys::cmsg::{control_messages, timespec_nanos};
use crate::sys::mmsg::ReceiveBatch;
use crate::sys::{clock, sockopt};
use crate::units::Nanos;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;

/// Keeps the kernel's receive timestamps switched on for as long as it lives.
///
/// Enabling them is deferred to a work queue (`net_enable_timestamp`, net/core/dev.c); until it has run, a
/// datagram is stamped when it is *read*. A receiver that is slow to read would then look as if it were the
/// network.
#[derive(Debug)]
pub struct Timestamps {
    _keeps_them_on: Socket,
}

impl Timestamps {
    /// Switches them on and returns when they are true: a datagram over loopback, read late on purpose, must
    /// carry the time at which it was sent. Gives up waiting after a second.
    ///
    /// # Errors
    /// No sockets to be had.
    pub fn warm_up() -> Result<Self> {
        let failed = |error| Error::os("cannot switch on receive timestamps", error);
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).map_err(failed)?;
        sockopt::set_receive_timestamps(socket.as_fd()).map_err(failed)?;
        let deadline = clock::monotonic() + Nanos::SECOND;
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        if socket.bind(&any_port.into()).is_ok() {
            while clock::monotonic() < deadline && !is_stamped_on_arrival(&socket) {}
        }
        Ok(Self { _keeps_them_on: socket })
    }
}

/// Sends the socket a datagram of its own and reads it a millisecond later.
fn is_stamped_on_arrival(socket: &Socket) -> bool {
    let Ok(own) = socket.local_addr() else { return false };
    let sent_at = clock::ClockPair::read();
    let sent = socket.send_to(&[0], &own);
    clock::sleep_until(sent_at.monotonic + Nanos::MILLISECOND);
    let mut batch = ReceiveBatch::new(1);
    if sent.is_err() || batch.receive(socket.as_fd(), &mut [0], 1).is_err() {
        return false;
    }
    let half_way = sent_at.realtime + Nanos(Nanos::MILLISECOND.0 / 2);
    stamp(batch.received(0).control).is_some_and(|stamp| stamp < half_way)
}

/// Which stamps are wanted, and how to convert them.
#[derive(Clone, Debug)]
pub enum Stamps {
    /// Those of the kernel.
    Kernel,
    /// Those of the network card; where it gave none, those of the kernel.
    Hardware {
        /// Converts them.
        line: Line,
        /// Where its successors come from.
        shared: Arc<SharedLine>,
    },
}

impl Stamps {
    /// Whether the network card's are wanted.
    pub fn are_hardware(&self) -> bool {
        matches!(self, Self::Hardware { .. })
    }

    /// Learns how to convert from now on. Once a batch, not once a datagram.
    #[inline]
    pub fn refresh(&mut self) {
        if let Self::Hardware { line, shared } = self {
            *line = shared.line().unwrap_or(*line);
        }
    }
}

/// The receive time among the control messages of a datagram, on the wall clock.
fn stamp(control: &[u8]) -> Option<Nanos> {
    control_messages(control)
        .find(|message| message.level == libc::SOL_SOCKET && message.kind == libc::SCM_TIMESTAMPNS)
        .and_then(|message| timespec_nanos(message.data))
        .map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_stamps_are_those_of_the_arrival() {
        let timestamps = Timestamps::warm_up().unwrap();
        assert!(is_stamped_on_arrival(&timestamps._keeps_them_on));
    }
}
