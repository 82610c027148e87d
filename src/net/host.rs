//! Which host this is, how good its clock, and how much memory it has left.

use crate::sys::clock;
use crate::wire::probe::SenderClock;
use std::fs;

/// The clock of this host. Two that read the same `host` share one running kernel and so one clock.
pub fn own_clock() -> SenderClock {
    let boot_id = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    SenderClock { host: fingerprint(&boot_id), error: clock::max_error() }
}

/// Memory that could be had without swapping, bytes: `MemAvailable` of /proc/meminfo, proc(5).
pub fn available_memory() -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let row = table.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = row.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// FNV-1a, 64 bits: the same on every host and in every version.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_memory_is_available() {
        assert!(available_memory().unwrap() > 1 << 20);
    }

    #[test]
    fn a_host_is_the_same_as_itself() {
        assert_eq!(own_clock().host, own_clock().host);
        // The published vectors of FNV-1a.
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
