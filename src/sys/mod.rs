//! The only unsafe code: one facility of the kernel a file, each behind a safe function.
//!
//! Nothing here knows what a datagram of ours means. Every `unsafe` block carries its argument; where it rests
//! on a promise of the kernel, the sentence of the man page is quoted.
#![allow(unsafe_code)]

pub mod bpf;
pub mod clock;
pub mod cmsg;
pub mod ethtool;
pub mod filter;
pub mod hwtstamp;
pub mod memory;
pub mod message;
pub mod mmsg;
pub mod netdev;
pub mod packet;
pub mod packet_ring;
pub mod poll;
pub mod ptp;
pub mod qdisc;
pub mod sched;
pub mod signal;
pub mod sockopt;
pub mod uring;
pub mod xsk;

use std::io;

/// Turns the result of a system call into [`io::Result`].
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Calls again for as long as a signal cuts the call short.
fn retry_interrupted(mut call: impl FnMut() -> io::Result<libc::c_int>) -> io::Result<libc::c_int> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
