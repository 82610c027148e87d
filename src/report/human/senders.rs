//! How the load was offered: by our own senders, or by those that were heard, as they tell it themselves.

use super::page::Page;
use super::{delay, joined, rates, threads};
use crate::model::report::{SenderReport, TrialReport};
use crate::model::senders::SenderGaps;
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::{count, per_second, percent};
use std::io;

/// Our own.
pub(super) fn write_own(sender: &SenderReport, page: &mut Page<'_>) -> io::Result<()> {
    page.section("Sender", &format!("{}, {}", sender.engine, threads(&sender.cpus)))?;
    let counts = &sender.counts;
    let intended = sender
        .intended_load_pps
        .map_or("as fast as possible".into(), |rate| format!("{} datagrams/s", per_second(rate)));
    page.number("intended", counts.intended, &intended)?;
    let rates = rates(sender.offered_load_pps, sender.offered_load_bps);
    page.number(
        "offered",
        counts.offered,
        &joined([share(counts.offered, counts.intended), rates]),
    )?;
    let refused: Vec<_> = counts
        .refused
        .iter()
        .map(|(errno, datagrams)| format!("{errno} {}", grouped(*datagrams)))
        .collect();
    page.number("refused", counts.refused_total(), &refused.join(", "))?;
    if let Some(late) = delay::delays(&sender.lateness_ns) {
        page.row("lateness", &late)?;
    }
    if let Some(gaps) = delay::spread(&sender.gaps_ns) {
        page.row("gaps", &delay::with_train(&gaps, sender.train_max))?;
        if sender.super_packet_max > 1 {
            let most = grouped(sender.super_packet_max);
            page.row(
                "super-packets",
                &format!("up to {most} datagrams left as one, back to back"),
            )?;
        }
    }
    page.row("stalls", &stalls(sender.stalls, sender.longest_stall_ns))
}

/// Those of others: what is wrong with the load is not the network's doing.
pub(super) fn write_heard(trial: &TrialReport, page: &mut Page<'_>) -> io::Result<()> {
    let lateness = trial.sender_lateness_ns.as_ref().and_then(delay::delays);
    if lateness.is_none() && trial.senders.is_none() {
        return Ok(());
    }
    page.section("Senders", "as they say themselves")?;
    if let Some(senders) = &trial.senders {
        let all = &senders.all;
        let intended = match all.intended {
            None => "as fast as possible".into(),
            Some(0) => String::new(),
            Some(intended) => {
                format!("{} of {} intended", share(all.offered, intended), grouped(intended))
            }
        };
        let refused = match all.refused {
            0 => String::new(),
            refused => format!("{} refused", grouped(refused)),
        };
        let threads = count(senders.threads.len() as u64, "thread");
        page.number("offered", all.offered, &joined([intended, refused, threads]))?;
    }
    if let Some(late) = lateness {
        page.row("lateness", &late)?;
    }
    let Some(senders) = &trial.senders else { return Ok(()) };
    if let Some(SenderGaps { min, p50, p99, max }) = senders.all.gaps_ns {
        let gaps = format!("min {min}, p50 {p50}, p99 {p99}, max {max}");
        page.row("gaps", &delay::with_train(&gaps, senders.all.train_max))?;
    }
    page.row("stalls", &stalls(senders.all.stalls, senders.all.longest_stall_ns))
}

fn share(offered: u64, intended: u64) -> String {
    if intended > 0 { percent(offered as f64 / intended as f64) } else { String::new() }
}

fn stalls(stalls: u64, longest: Nanos) -> String {
    match stalls {
        0 => "none".into(),
        _ => format!("{}, longest {longest}", grouped(stalls)),
    }
}
