//! Socket filters: programs of classic BPF, which the kernel asks about each frame that a socket would get, socket(7).
//!
//! A program loads something of the frame, compares it, and goes on or skips steps forward; what ends it says how much
//! is kept. A load beyond the end of a frame leaves it. Numbers in a frame are in network order and loaded as numbers.

use super::sockopt;
use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IND, BPF_K, BPF_LD, BPF_LDX, BPF_MSH};
use libc::{BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_RET, BPF_W};
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::BorrowedFd;

/// Frames are kept up to this length, longer than any.
const WHOLE_FRAME: u32 = 0x4_0000;

/// One step of a program, `struct sock_filter` of `<linux/filter.h>`.
pub type Step = libc::sock_filter;

/// Ends a program: the frame is kept, whole.
pub const KEEP: Step = keep(WHOLE_FRAME);

/// Ends a program: the frame is not for this socket.
pub const LEAVE: Step = keep(0);

/// Ends a program: the frame is kept, but no more than so many bytes of it.
pub const fn keep(bytes: u32) -> Step {
    step(BPF_RET | BPF_K, bytes)
}

/// Loads the byte `at` bytes into the frame.
pub const fn load_byte(at: u32) -> Step {
    step(BPF_LD | BPF_B | BPF_ABS, at)
}

/// Loads two bytes from there.
pub const fn load_half(at: u32) -> Step {
    step(BPF_LD | BPF_H | BPF_ABS, at)
}

/// Loads four bytes from there.
pub const fn load_word(at: u32) -> Step {
    step(BPF_LD | BPF_W | BPF_ABS, at)
}

/// Loads what the kernel knows of a frame beside its bytes: one of `SKF_AD_...` of `<linux/filter.h>`.
pub const fn load_known(what: libc::c_int) -> Step {
    load_word((libc::SKF_AD_OFF + what) as u32)
}

/// Loads two bytes, `at` bytes behind the IPv4 header that begins `header_at` bytes into the frame. The low half of its
/// first byte is its length in words of four bytes (RFC 791 section 3.1).
pub const fn load_half_behind_ipv4(header_at: u32, at: u32) -> [Step; 2] {
    let header_len = step(BPF_LDX | BPF_B | BPF_MSH, header_at);
    [header_len, step(BPF_LD | BPF_H | BPF_IND, header_at + at)]
}

/// Keeps of what was loaded only the bits of `mask`.
pub const fn and(mask: u32) -> Step {
    step(BPF_ALU | BPF_AND | BPF_K, mask)
}

/// Skips `then` steps if what was loaded is `number`, and `otherwise` steps if not.
pub const fn if_equal(number: u32, then: u8, otherwise: u8) -> Step {
    jump(BPF_JEQ, number, then, otherwise)
}

/// The same if it is above `number`.
pub const fn if_above(number: u32, then: u8, otherwise: u8) -> Step {
    jump(BPF_JGT, number, then, otherwise)
}

/// The same if it is `number` or above.
pub const fn if_at_least(number: u32, then: u8, otherwise: u8) -> Step {
    jump(BPF_JGE, number, then, otherwise)
}

/// The same if any bit of `mask` is set in it.
pub const fn if_any_bit(mask: u32, then: u8, otherwise: u8) -> Step {
    jump(BPF_JSET, mask, then, otherwise)
}

/// Goes on behind these steps if what was loaded is in one of the ranges, at most 128 of them since no jump is longer than
/// 255 steps; otherwise the frame is left.
pub fn leave_unless_in(ranges: &[RangeInclusive<u32>], steps: &mut Vec<Step>) {
    for (behind, range) in (0..ranges.len()).rev().zip(ranges) {
        let found = 2 * behind as u8 + 1;
        steps.push(if_at_least(*range.start(), 0, 1));
        steps.push(if_above(*range.end(), 0, found));
    }
    steps.push(LEAVE);
}

/// Has the kernel ask a program which frames to keep (`SO_ATTACH_FILTER`), socket(7).
///
/// # Errors
/// `EINVAL` for a program that does not end on every way or has more than 4,096 steps.
pub fn attach(socket: BorrowedFd<'_>, program: &[Step]) -> io::Result<()> {
    let len = program.len().try_into().map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // The kernel copies the program and does not write to it.
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    sockopt::set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

const fn step(code: u32, k: u32) -> Step {
    Step { code: code as u16, jt: 0, jf: 0, k }
}

const fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> Step {
    Step { code: (BPF_JMP | condition | BPF_K) as u16, jt, jf, k }
}
