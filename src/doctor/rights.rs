//! What this process may do: capabilities(7).

use super::Asked;
use crate::model::checkup::Finding;
use std::fs;

/// Bits of `<linux/capability.h>`, and what this program does with them.
const USES: [(&str, u32, &str); 5] = [
    ("CAP_NET_ADMIN", 12, "receive buffers beyond net.core.rmem_max, hardware timestamps"),
    ("CAP_NET_RAW", 13, "the engine af_packet, seeing what leaves the host"),
    ("CAP_IPC_LOCK", 14, "--lock-memory beyond the limit of ulimit -l"),
    ("CAP_SYS_NICE", 23, "--realtime"),
    ("CAP_BPF", 39, "the engine af_xdp"),
];

/// Those that are missing, in one note: nothing needs them that was not asked for.
pub(super) fn capabilities(check: &'static str, _: &Asked) -> Vec<Finding> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    effective(&status).map(|held| vec![judge(check, held)]).unwrap_or_default()
}

fn judge(check: &str, held: u64) -> Finding {
    let missing = USES.iter().filter(|(_, bit, _)| held >> bit & 1 == 0);
    let missing: Vec<_> = missing.map(|(name, _, what)| format!("{name} ({what})")).collect();
    if missing.is_empty() {
        return Finding::fine(check, "this process may do all that the options ask for");
    }
    Finding::note(
        check,
        format!("this process is without {}", missing.join(", ")),
        "options that need them are refused, or degrade with an event in the report",
        "run it as root, or: setcap cap_net_admin,cap_net_raw,cap_sys_nice+ep on the program",
    )
}

/// `CapEff` of proc_pid_status(5).
fn effective(status: &str) -> Option<u64> {
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checkup::Verdict;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(effective("Name:\tx\nCapEff:\t0000000000003000\n"), Some(0x3000));
        assert_eq!(effective("CapEff: x"), None);
        assert_eq!(judge("c", u64::MAX).verdict, Verdict::Fine);
        let finding = judge("c", !(1 << 13));
        assert_eq!(finding.verdict, Verdict::Note);
        assert!(finding.what.starts_with("this process is without CAP_NET_RAW ("), "{finding:?}");
    }
}
