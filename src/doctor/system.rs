//! The machine beside the network: how steady its cores and its clock are.

use super::Asked;
use crate::model::checkup::Finding;
use crate::sys::clock as clocks;
use crate::units::duration::format_duration;
use std::fs;

/// Whether cores go slower when there is little to do. Virtual machines do not say.
pub(super) fn governor(check: &'static str, _: &Asked) -> Vec<Finding> {
    let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let governor = text.trim();
    let what = format!("cores are governed by `{governor}`");
    if governor == "performance" {
        return vec![Finding::fine(check, what)];
    }
    vec![Finding::note(
        check,
        what,
        "delay depends on how busy the host is, and is longer when it is idle",
        "cpupower frequency-set -g performance",
    )]
}

/// Whether one-way delay between hosts can be known. Within a host there is one clock.
pub(super) fn clock(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if asked.is_loopback() {
        return Vec::new();
    }
    vec![match clocks::max_error() {
        Some(error) => {
            Finding::fine(check, format!("the clock is right within {}", format_duration(error)))
        }
        None => Finding::note(
            check,
            "nobody keeps the clock of this host right",
            "between hosts there is no one-way delay, only how it varies",
            "run chrony or ptp4l with phc2sys on both hosts",
        ),
    }]
}

/// Cores that the scheduler leaves alone (`isolcpus`); this program pins to them only if they are named, for they are
/// not among those that it may use by itself.
pub(super) fn isolated_cores(check: &'static str, _: &Asked) -> Vec<Finding> {
    let path = "/sys/devices/system/cpu/isolated";
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let cores = text.trim();
    if cores.is_empty() {
        return Vec::new();
    }
    vec![Finding::fine(
        check,
        format!("cores {cores} are kept free of other work: --cpu {cores} uses them"),
    )]
}
