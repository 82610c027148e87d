//! Names of the error numbers that sending gives.

use crate::model::snapshot::Refusals;
use std::collections::BTreeMap;

/// Refusals by the name of the errno.
pub(super) fn by_name(refused: &Refusals) -> BTreeMap<String, u64> {
    refused.iter().map(|(errno, count)| (name(errno), count)).collect()
}

/// Name of an error number that sending may give, send(2), udp(7); others by number.
fn name(errno: i32) -> String {
    let name = match errno {
        libc::EACCES => "EACCES",
        libc::EAGAIN => "EAGAIN",
        libc::EDESTADDRREQ => "EDESTADDRREQ",
        libc::EHOSTUNREACH => "EHOSTUNREACH",
        libc::EINVAL => "EINVAL",
        libc::EIO => "EIO",
        libc::EMSGSIZE => "EMSGSIZE",
        libc::ENETDOWN => "ENETDOWN",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ENOBUFS => "ENOBUFS",
        libc::ENODEV => "ENODEV",
        libc::ENOMEM => "ENOMEM",
        libc::ENXIO => "ENXIO",
        libc::EPERM => "EPERM",
        other => return format!("errno {other}"),
    };
    name.to_owned()
}
