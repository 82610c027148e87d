//! Packet sockets: frames in rings shared with the kernel, past most of its way from a socket to the wire.
//!
//! Sending builds whole frames in the slots of a ring and goes around the queueing discipline straight to the driver.
//! Receiving reads frames where the kernel put them; it sees what the IP of this host sees on the interface, since
//! its sockets ask for the frames of one protocol, but neither what this host sends itself nor fragments.
//!
//! **The UDP checksum** is the kernel's or the network card's work: each frame carries the sum over the pseudo header
//! and a request to complete it. Cards do that for nothing, and a pair of virtual devices leaves it undone, as for
//! a UDP socket; a sum over 1,316 bytes in software would be some 50 ns a datagram. None at all, which IPv4
//! allows (RFC 768), would let damage pass unseen.
//!
//! **Frames of common length are copied** out of the ring when they are sent. The kernel can send from the ring's own
//! pages, but to lend it a page costs more than to copy 1,500 bytes, and a virtual device copies it all the same:
//! on a pair of those 1.7 us of processor time a datagram became 1.2.
//!
//! **Times** are those of the kernel or of the card, written beside each frame. A block of frames is handed over
//! when it is full or after a millisecond, so at low rates a datagram is *read* up to that much later; its delay is
//! not, it is taken from the stamp.

mod filter;
mod rx;
mod tx;

use super::{Engine, Halves, RxPlan, Support, TxPlan};
use crate::error::{Error, Result};
use crate::net::host;
use crate::sys::packet;
use crate::units::text::bytes;
use socket2::Socket;
use std::io;

/// The engine.
pub struct AfPacket;

const NAME: &str = "af_packet";

const NEEDS: &str = "packet sockets need CAP_NET_RAW";
const HOW_TO_GET_IT: &str = "run as root, or once: setcap cap_net_raw+ep on this program";

impl Engine for AfPacket {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "packet sockets with rings, straight to the driver (CAP_NET_RAW; not on loopback, nor between this host's own)"
    }

    fn probe(&self) -> Support {
        match open_socket() {
            Ok(_) => Support::Ready,
            Err(error) => {
                let hint = if is_forbidden(&error) {
                    HOW_TO_GET_IT
                } else {
                    "load the kernel's module af_packet, or take the engine mmsg"
                };
                let why = if is_forbidden(&error) { NEEDS.into() } else { reason(&error) };
                Support::Missing { why, hint: hint.into() }
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

    fn open(&self, tx: &[TxPlan], rx: &[RxPlan]) -> Result<Halves> {
        let heard = |plan: &&TxPlan| rx.iter().any(|rx| rx.interface == plan.interface);
        if tx.iter().find(heard).is_some() {
            return Err(Error::environment(format!(
                "engine {NAME} cannot receive what this host sends through the same interface"
            ))
            .hint("use `send` here and `recv` on another host, or take the engine mmsg"));
        }
        check_memory(tx, rx)?;
        Halves::open(tx, rx, tx::PacketTx::open, rx::PacketRx::open)
    }
}

/// A packet socket whose frames have virtio headers. It neither sends nor receives before it is bound.
fn open_socket() -> io::Result<Socket> {
    let socket = packet::open()?;
    packet::set_virtio_headers(&socket)?;
    Ok(socket)
}

/// What could not be done, and how to be allowed to.
fn refused(what: &str, error: io::Error) -> Error {
    let hint = if is_forbidden(&error) {
        HOW_TO_GET_IT
    } else if error.raw_os_error() == Some(libc::ENOMEM) {
        "take a smaller --rcvbuf, or fewer --threads"
    } else {
        "take the engine mmsg"
    };
    Error::os(format!("cannot {what}"), error).hint(hint)
}

fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES))
}

fn reason(error: &io::Error) -> String {
    format!("the kernel has no packet sockets: {error}")
}

/// Refuses rings that would take most of the memory: the kernel would rather end processes than refuse them itself.
fn check_memory(tx: &[TxPlan], rx: &[RxPlan]) -> Result<()> {
    let rings = rx.iter().map(|plan| plan.receive_buffer as u64);
    let wanted = rings.chain(tx.iter().map(|plan| tx::ring_len(plan) as u64)).sum::<u64>();
    let Some(available) = host::available_memory() else { return Ok(()) };
    if wanted <= available / 2 {
        return Ok(());
    }
    Err(Error::environment(format!(
        "rings of {} in all are too large: {} of memory are available, and at most half of that is taken",
        bytes(wanted),
        bytes(available)
    ))
    .hint("take a smaller --rcvbuf, or fewer --threads"))
}
