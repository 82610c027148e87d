//! The counters of an interface, of its driver, and of its queueing discipline.

use super::{Counters, Side};
use crate::sys::{ethtool, qdisc};
use std::fs;
use std::path::Path;

/// `/sys/class/net/IFACE/statistics/`, Documentation/ABI/testing/sysfs-class-net-statistics.
const RECEIVING: &[&str] = &[
    "rx_dropped",
    "rx_errors",
    "rx_missed_errors",
    "rx_fifo_errors",
    "rx_over_errors",
    "rx_crc_errors",
    "rx_length_errors",
    "rx_frame_errors",
    "rx_nohandler",
];
const SENDING: &[&str] = &[
    "tx_dropped",
    "tx_errors",
    "tx_fifo_errors",
    "tx_carrier_errors",
    "tx_aborted_errors",
    "collisions",
];

/// What the names of a driver's counters start with.
pub(super) const NIC: &str = "nic.";

pub(super) fn read(name: &str, index: u32, side: Side, counters: &mut Counters) {
    let files = if side == Side::Receiving { RECEIVING } else { SENDING };
    statistics(&Path::new("/sys/class/net").join(name).join("statistics"), files, counters);
    let of_driver = ethtool::Device::open(name).and_then(|device| device.statistics());
    for (name, count) in of_driver.unwrap_or_default() {
        if is_about_drops(&name, side) {
            counters.add(format!("{NIC}{name}"), count);
        }
    }
    if side == Side::Sending
        && let Ok(root) = qdisc::root(index)
    {
        counters.add("qdisc.drops".to_owned(), root.drops.into());
        counters.add("qdisc.overlimits".to_owned(), root.overlimits.into());
    }
}

fn statistics(folder: &Path, files: &[&str], counters: &mut Counters) {
    for file in files {
        let text = fs::read_to_string(folder.join(file)).ok();
        if let Some(count) = text.and_then(|text| text.trim().parse().ok()) {
            counters.add(format!("interface.{file}"), count);
        }
    }
}

/// Whether a driver's counter is, by its name, about something dropped on this side; there is no other way to
/// tell. A name without a direction may be about both.
fn is_about_drops(name: &str, side: Side) -> bool {
    const MARKS: [&str; 10] = [
        "drop",
        "miss",
        "discard",
        "no_buf",
        "nobuf",
        "out_of_buf",
        "no_dma",
        "fifo",
        "overrun",
        "err",
    ];
    let name = name.to_ascii_lowercase();
    let (rx, tx) = (name.contains("rx"), name.contains("tx"));
    let is_other_side = match side {
        Side::Receiving => tx && !rx,
        Side::Sending => rx && !tx,
    };
    !is_other_side && MARKS.iter().any(|mark| name.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_drivers_tell_the_side() {
        let both = |name| [Side::Receiving, Side::Sending].map(|side| is_about_drops(name, side));
        // From ixgbe, mlx5, virtio_net, e1000e, bnxt.
        assert_eq!(both("rx_no_dma_resources"), [true, false]);
        assert_eq!(both("rx_no_buffer_count"), [true, false]);
        assert_eq!(both("rx_queue_0_drops"), [true, false]);
        assert_eq!(both("rx_out_of_buffer"), [true, false]);
        assert_eq!(both("rx_missed_errors"), [true, false]);
        assert_eq!(both("tx_queue_dropped"), [false, true]);
        assert_eq!(both("[3]: rx_discards"), [true, false]);
        assert_eq!(both("alloc_FIFO_overruns"), [true, true]);
        assert_eq!(both("tx_packets"), [false, false]);
    }

    #[test]
    fn files_that_are_missing_or_odd_are_not_known() {
        let folder = std::env::temp_dir().join(format!("mcast-bench-stat-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("rx_dropped"), "17\n").unwrap();
        fs::write(folder.join("rx_errors"), "many\n").unwrap();
        let mut counters = Counters::default();
        statistics(&folder, RECEIVING, &mut counters);
        fs::remove_dir_all(&folder).unwrap();
        let all: Vec<_> = counters.0.into_iter().collect();
        assert_eq!(all, [("interface.rx_dropped".to_owned(), 17)]);
    }
}
