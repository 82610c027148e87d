//! The program that says which frames are for us.
//!
//! UDP to one of our ports, over IPv4 or IPv6, goes to the socket of its queue, stamped with the time. All else goes
//! its usual way, and so do datagrams that only the IP layer can read: fragments, options, extension headers, tags
//! that the network card left in. IGMP and MLD are among all else, so memberships are kept up as ever.
//!
//! ```text
//! before a frame that is for us:   MARK, 8 bytes | time of arrival, 8 bytes | frame
//! ```

use crate::sys::bpf::Register::{R0, R1, R2, R3, R4, R5, R6, R10};
use crate::sys::bpf::Width::{Byte, Double, Half, Word};
use crate::sys::bpf::{Code, Program, Table};
use crate::units::Nanos;
use std::io;
use std::os::fd::BorrowedFd;

/// Most queues that are looked after.
pub(super) const MAX_QUEUES: u32 = 4096;

/// Stands before a stamp. Drivers that have no room before a frame write none, and what is there means nothing.
const MARK: u64 = 0x6d63_6173_742d_6174;
/// Bytes of the mark and the stamp.
const STAMP_LEN: usize = 16;

/// Answer of a program that leaves a frame to the kernel, `enum xdp_action` of `<linux/bpf.h>`.
const PASS: i32 = 2;

/// Functions of the kernel by their numbers, bpf-helpers(7).
const MAP_LOOKUP_ELEM: i32 = 1;
const REDIRECT_MAP: i32 = 51;
const XDP_ADJUST_META: i32 = 54;
const KTIME_GET_TAI_NS: i32 = 208;

/// Where `struct xdp_md` of `<linux/bpf.h>` has its fields.
const DATA: i16 = 0;
const DATA_END: i16 = 4;
const DATA_META: i16 = 8;
const RX_QUEUE_INDEX: i16 = 16;

/// Bytes of headers, as `wire::frame` draws them.
const ETHERNET: i16 = 14;
const IPV4: i16 = 20;
const IPV6: i16 = 40;
const UDP: i16 = 8;

/// The program and the tables that it reads.
pub(super) struct Filter {
    ports: Table,
    sockets: Table,
    program: Program,
}

impl Filter {
    /// Passes all frames until it is told of ports and sockets.
    ///
    /// # Errors
    /// `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`; `EINVAL` before Linux 6.1.
    pub(super) fn load() -> io::Result<Self> {
        let ports = Table::of_numbers(1 << 16)?;
        let sockets = Table::of_sockets(MAX_QUEUES)?;
        let program = Program::load(&code(&ports, &sockets))?;
        Ok(Self { ports, sockets, program })
    }

    /// Takes what comes to `port`.
    ///
    /// # Errors
    /// Those of bpf(2).
    pub(super) fn take_port(&self, port: u16) -> io::Result<()> {
        self.ports.set_number(port.into(), 1)
    }

    /// Has what is for us and comes by `queue` go to `socket`.
    ///
    /// # Errors
    /// Those of bpf(2).
    pub(super) fn give_queue(&self, queue: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.sockets.set_socket(queue, socket)
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }
}

/// The time of arrival before the frame that begins at `at`, by International Atomic Time as the kernel has it.
#[inline]
pub(super) fn stamp_before(memory: &[u8], at: usize) -> Option<Nanos> {
    let (mark, stamp) = memory.get(at.checked_sub(STAMP_LEN)?..at)?.split_first_chunk()?;
    let is_stamped = u64::from_ne_bytes(*mark) == MARK;
    is_stamped.then_some(Nanos(u64::from_ne_bytes(*stamp.first_chunk()?)))
}

/// R6 is the context throughout; in the first part R2 is where the frame begins and R3 where it ends.
fn code(ports: &Table, sockets: &Table) -> Code {
    let mut code = Code::default();
    code.copy(R6, R1);
    code.load(Word, R2, R6, DATA);
    code.load(Word, R3, R6, DATA_END);
    need(&mut code, ETHERNET + IPV4 + UDP);
    code.load(Half, R4, R2, 12);
    code.from_network(R4);
    code.jump_if(R4, 0x86dd, "IPv6");
    code.jump_unless(R4, 0x0800, "not ours");

    // Version 4 and a header without options; neither "more fragments" nor an offset.
    code.load(Byte, R4, R2, ETHERNET);
    code.jump_unless(R4, 0x45, "not ours");
    code.load(Half, R4, R2, ETHERNET + 6);
    code.from_network(R4);
    code.and(R4, 0x3fff);
    code.jump_unless(R4, 0, "not ours");
    code.load(Byte, R5, R2, ETHERNET + 9);
    code.load(Half, R4, R2, ETHERNET + IPV4 + 2);
    code.jump_if(R5, 17, "UDP");
    code.jump_unless(R5, 17, "not ours");

    code.label("IPv6");
    need(&mut code, ETHERNET + IPV6 + UDP);
    code.load(Byte, R5, R2, ETHERNET + 6);
    code.jump_unless(R5, 17, "not ours");
    code.load(Half, R4, R2, ETHERNET + IPV6 + 2);

    // R4 is the port.
    code.label("UDP");
    code.from_network(R4);
    code.store(Word, R10, -4, R4);
    code.set_table(R1, ports);
    code.copy(R2, R10);
    code.add(R2, -4);
    code.call(MAP_LOOKUP_ELEM);
    code.jump_if(R0, 0, "not ours");
    code.load(Word, R1, R0, 0);
    code.jump_if(R1, 0, "not ours");

    stamp(&mut code);

    // A queue without a socket leaves the frame to the kernel.
    code.label("ours");
    code.load(Word, R2, R6, RX_QUEUE_INDEX);
    code.set_table(R1, sockets);
    code.set(R3, PASS);
    code.call(REDIRECT_MAP);
    code.exit();

    code.label("not ours");
    code.set(R0, PASS);
    code.exit();
    code
}

/// Goes on only with frames of at least `len` bytes.
fn need(code: &mut Code, len: i16) {
    code.copy(R1, R2);
    code.add(R1, len.into());
    code.jump_if_above(R1, R3, "not ours");
}

/// Puts a stamp before the frame, if there is room.
fn stamp(code: &mut Code) {
    code.copy(R1, R6);
    code.set(R2, -(STAMP_LEN as i32));
    code.call(XDP_ADJUST_META);
    code.jump_unless(R0, 0, "ours");
    code.call(KTIME_GET_TAI_NS);
    // The kernel forgets what it knew of the bounds when the room before a frame changes.
    code.load(Word, R2, R6, DATA_META);
    code.load(Word, R3, R6, DATA);
    code.copy(R1, R2);
    code.add(R1, STAMP_LEN as i32);
    code.jump_if_above(R1, R3, "ours");
    code.store(Double, R2, 8, R0);
    code.set_long(R1, MARK);
    code.store(Double, R2, 0, R1);
}

#[cfg(test)]
mod tests;
