//! UDP sockets through rings of requests and completions: `io_uring(7)`.
//!
//! A receiver asks each of its sockets once for all that will come (a multishot `recvmsg`), into buffers that it
//! provides. A sender hands over a commit as a chain of `sendto` requests, each behind the one before: what is refused
//! ends the chain, so the order is kept and what left is known.
//!
//! The requests copy. Those without a copy (`IORING_OP_SEND_ZC` from registered buffers) were measured on a veth pair
//! with 1,316 bytes: with a member at the other end they cost 7 to 11 % more CPU, since the kernel then
//! copies there, and each slot must wait for its notification; they cost 5 to 8 % less only where nobody listens.

use super::arena::Arena;
use super::control::Control;
use super::listener::{self, Listener};
use super::{
    Committed, Departure, Engine, Halves, RxBatch, RxCounters, RxEngine, RxMeta, RxPlan, Support,
    TxCounters, TxEngine, TxPlan, TxSlots,
};
use crate::error::{Error, Result};
use crate::model::report::BufferGrant;
use crate::net::socket;
use crate::net::timestamp::Stamps;
use crate::sys::uring::MAX_BATCH;
use crate::sys::uring::receive::ReceiveRing;
use crate::sys::uring::send::{SendRing, Sent};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// The engine.
pub struct IoUring;

impl Engine for IoUring {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn about(&self) -> &'static str {
        "UDP sockets through rings of requests (io_uring; needs Linux 6.1)"
    }

    fn probe(&self) -> Support {
        // Opened and used once: what an old kernel lacks shows at the latest then.
        let used = Socket::new(Domain::IPV4, Type::DGRAM, None).and_then(|socket| {
            ReceiveRing::new([socket.as_fd()].into_iter(), 1)?.receive(Duration::ZERO)
        });
        match used {
            Ok(_) => Support::Ready,
            Err(error) => {
                let hint = hint(&error);
                Support::Missing { why: format!("cannot use io_uring: {error}"), hint }
            }
        }
    }

    fn open(&self, tx: &[TxPlan], rx: &[RxPlan]) -> Result<Halves> {
        Halves::open(tx, rx, UringTx::open, UringRx::open)
    }
}

/// What to do about a ring that the kernel refuses.
fn hint(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
            let disabled =
                disabled.map_or("not there".into(), |text| format!("now {}", text.trim()));
            format!(
                "sysctl kernel.io_uring_disabled=0 ({disabled}); a container's seccomp profile may forbid it as well"
            )
        }
        Some(libc::ENOMEM) => {
            "raise the limit of locked memory (ulimit -l), or take a smaller --batch".into()
        }
        Some(libc::EMFILE) => "raise the limit of open files: ulimit -n".into(),
        _ => {
            "it needs Linux 6.1 or later with CONFIG_IO_URING; --engine mmsg runs everywhere".into()
        }
    }
}

fn ring<T>(what: &str, batch: usize, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| {
        let hint = hint(&error);
        Error::os(format!("cannot open an io_uring for {what} of {batch} datagrams"), error)
            .hint(hint)
    })
}

struct UringTx {
    ring: SendRing,
    destinations: Box<[SockAddr]>,
    arena: Arena,
    counters: TxCounters,
}

impl UringTx {
    fn open(plan: &TxPlan) -> Result<Self> {
        let capacity = plan.batch.clamp(1, MAX_BATCH);
        let socket = socket::open_sender(&plan.socket_options())?;
        Ok(Self {
            ring: ring("commits", capacity, SendRing::new(socket.as_fd(), capacity))?,
            destinations: plan.targets(),
            arena: Arena::new(capacity, plan.payload_len),
            counters: TxCounters::default(),
        })
    }
}

impl TxEngine for UringTx {
    fn reserve(&mut self, want: usize, payload_len: usize) -> TxSlots<'_> {
        self.arena.reserve(want, payload_len)
    }

    fn commit(&mut self, departures: &[Departure]) -> Committed {
        let destination = |departure: &Departure| &self.destinations[departure.flow as usize];
        let destinations = departures.iter().map(destination);
        let Sent { sent, refused } = self.ring.send(self.arena.payloads(0).zip(destinations));
        self.counters.calls += u64::from(sent > 0);
        Committed { taken: sent, refused }
    }

    fn counters(&mut self) -> TxCounters {
        self.counters
    }
}

struct UringRx {
    ring: ReceiveRing,
    sockets: Box<[Listener]>,
    metas: Vec<RxMeta>,
    stamps: Stamps,
    counters: RxCounters,
}

impl UringRx {
    fn open(plan: &RxPlan) -> Result<Self> {
        let capacity = plan.batch.clamp(1, MAX_BATCH);
        let sockets = listener::open_all(plan, false)?;
        let receiving = ReceiveRing::new(sockets.iter().map(Listener::as_fd), capacity);
        Ok(Self {
            ring: ring("polls", capacity, receiving)?,
            sockets,
            metas: Vec::with_capacity(capacity),
            stamps: plan.stamps.clone(),
            counters: RxCounters::default(),
        })
    }
}

impl RxEngine for UringRx {
    fn poll(&mut self, wait: Duration) -> io::Result<RxBatch<'_>> {
        self.metas.clear();
        let called = self.ring.receive(wait)?;
        self.counters.calls += u64::from(called && !self.ring.is_empty());
        self.stamps.refresh();
        for index in 0..self.ring.len() {
            let received = self.ring.received(index);
            let Some(source) = received.source else { continue };
            let listener = &mut self.sockets[received.socket];
            let control = Control::read(received.control);
            self.metas.push(RxMeta {
                offset: received.offset as u32,
                len: received.len as u32,
                segment_len: 0,
                received_at: control.received_at(&self.stamps, &mut self.counters),
                source,
                flow: listener.flow(source, &control),
                dropped_before: listener.dropped_before(&control),
            });
        }
        Ok(RxBatch { arena: self.ring.arena(), metas: &self.metas })
    }

    fn counters(&mut self) -> RxCounters {
        listener::count_drops(&mut self.sockets, &mut self.counters);
        self.counters
    }

    fn receive_buffer(&self) -> (BufferGrant, usize) {
        listener::receive_buffer(&self.sockets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_ring_says_what_to_do() {
        let check = |errno, hinted: &str| {
            let error = ring::<()>("polls", 64, Err(io::Error::from_raw_os_error(errno)));
            let error = error.unwrap_err().to_string();
            assert!(
                error.starts_with("cannot open an io_uring for polls of 64 datagrams: "),
                "{error}"
            );
            assert!(error.split_once("\nhint: ").unwrap().1.contains(hinted), "{error}");
        };
        check(libc::EPERM, "sysctl kernel.io_uring_disabled=0 (");
        check(libc::ENOMEM, "ulimit -l");
        check(libc::EMFILE, "ulimit -n");
        check(libc::ENOSYS, "Linux 6.1");
        check(libc::EINVAL, "Linux 6.1");
    }
}
