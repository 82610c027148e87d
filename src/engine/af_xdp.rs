//! Past the socket layer, and where the driver can past most of the kernel: `AF_XDP` sockets, which share frames with
//! the kernel.
//!
//! The UDP checksum is left to the kernel or the network card where frames are copied and the kernel can be asked
//! (Linux 6.11); elsewhere it is summed up here.
//!
//! What this engine does differently, by its nature: it takes all UDP that comes to its ports, also what other
//! programs of this host wait for there; it does not look at the UDP checksum, which nobody has put in yet where
//! frames come from a virtual device of the same host; and it delivers no fragments and no datagrams with IP options.
//! Members on the sending host get no copy.

mod filter;
mod rx;
mod tx;

use super::{Engine, Halves, RxPlan, Support, TxPlan};
use crate::error::{Error, Result};
use crate::model::event::Happening;
use crate::net::ethernet::Ethernet;
use crate::net::host;
use crate::sys::xsk;
use crate::units::text::bytes;
use filter::Filter;
use rx::XdpRx;
use std::collections::BTreeSet;
use std::io;
use tx::XdpTx;

const NAME: &str = "af_xdp";

/// Bytes of a frame in shared memory; the kernel knows these two sizes where a page has 4,096.
const FRAME_LENS: [usize; 2] = [2048, 4096];

/// How to be allowed to.
const PRIVILEGES: &str = "run it as root, or: setcap cap_bpf,cap_net_admin,cap_net_raw,cap_ipc_lock+ep \
                          $(command -v mcast-bench)";

/// The engine.
pub struct AfXdp;

impl Engine for AfXdp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "frames shared with the driver, past the kernel's own stack (root, Linux 6.1; not on loopback, nor between this \
         host's own)"
    }

    fn probe(&self) -> Support {
        let tried = Filter::load().map_err(cannot_load).and_then(|_| {
            xsk::is_known()
                .map_err(|error| explained(Error::os("cannot open an AF_XDP socket", error)))
        });
        match tried {
            Ok(()) => Support::Ready,
            Err(error) => {
                let hint = error.advice().unwrap_or_default().to_owned();
                Support::Missing { why: error.reason(), hint }
            }
        }
    }

    /// All its frames have headers of one length.
    fn has_both_families(&self) -> bool {
        false
    }

    fn has_loopback(&self) -> bool {
        false
    }

    fn has_fragments(&self) -> bool {
        false
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    fn open(&self, tx: &[TxPlan], rx: &[RxPlan]) -> Result<Halves> {
        let interfaces: BTreeSet<_> = rx.iter().map(|plan| plan.interface).collect();
        if interfaces.len() < rx.len() {
            return Err(Error::usage(format!("{} receivers for engine {NAME}", rx.len()))
                .hint("it takes all queues of the interface for one receiver: --threads 1"));
        }
        if !rx.is_empty() && !tx.is_empty() {
            return Err(Error::usage(format!("engine {NAME} cannot send to itself")).hint(
                "a sender and a receiver need an interface each: `send` and `recv` on two hosts",
            ));
        }
        let mut halves = Halves::default();
        for plan in rx {
            halves.rx.push(Box::new(XdpRx::open(plan, &mut halves.degraded)?));
        }
        for (queue, plan) in (0..).zip(tx) {
            halves.tx.push(Box::new(XdpTx::open(plan, queue, &mut halves.degraded)?));
        }
        Ok(halves)
    }
}

/// Refuses memory that the kernel would rather end processes for than refuse itself.
fn check_memory(wanted: usize) -> Result<()> {
    let wanted = wanted as u64;
    match host::available_memory() {
        Some(available) if wanted > available / 2 => Err(Error::environment(format!(
            "a queue of {} is too large: {} of memory are available, and at most half of that is taken",
            bytes(wanted),
            bytes(available)
        ))
        .hint("take a smaller --rcvbuf")),
        _ => Ok(()),
    }
}

fn copied(device: &Ethernet) -> Happening {
    Happening::Degraded {
        asked: format!("{NAME} without a copy (zero-copy)"),
        instead: "with one".into(),
        reason: format!("the driver of {} has no such mode", device.name),
    }
}

fn cannot_load(error: io::Error) -> Error {
    explained(Error::os("cannot load the program that picks our frames", error))
}

fn cannot_open(device: &Ethernet, queue: u32, error: io::Error) -> Error {
    let name = &device.name;
    let what = format!("cannot open an AF_XDP socket on queue {queue} of {name}");
    let error = Error::os(what, error);
    match error.errno() {
        Some(libc::EBUSY) => error.hint("another AF_XDP socket has the queue: `ss --xdp` shows it"),
        Some(libc::EINVAL) => error.hint(format!(
            "each sender has a queue of the interface for itself: `ethtool -l {name}` says how many there are; \
             --threads takes fewer"
        )),
        Some(libc::ENETDOWN) => error.hint(format!("ip link set {name} up")),
        Some(libc::ENOBUFS) => error.hint(
            "more memory than may be locked: raise `ulimit -l`, take a smaller --rcvbuf, or give the capability \
             cap_ipc_lock",
        ),
        Some(libc::ENOMEM) => error.hint("there is not so much memory: take a smaller --rcvbuf"),
        _ => explained(error),
    }
}

/// With what is missing, where that is known.
fn explained(error: Error) -> Error {
    match error.errno() {
        Some(libc::EPERM | libc::EACCES) => error.hint(PRIVILEGES),
        Some(libc::EINVAL) => error.hint("it needs Linux 6.1 or newer"),
        Some(libc::ENOSYS | libc::EAFNOSUPPORT) => {
            error.hint("this kernel was built without BPF_SYSCALL or XDP_SOCKETS")
        }
        _ => error,
    }
}
