//! Where datagrams were lost, and what can be done about each share.

use super::page::Page;
use crate::model::report::{RunReport, TrialReport};
use crate::report::blame::{self, Share};
use crate::units::human::grouped;
use crate::units::text::count;
use std::io;

pub(super) fn write(report: &RunReport, page: &mut Page<'_>) -> io::Result<()> {
    let trial = &report.trial;
    let (Some(totals), Some(receiver)) = (&trial.totals, &trial.receiver) else { return Ok(()) };
    let risen: Vec<_> =
        receiver.host_drops.risen().map(|(name, by)| format!("{name} +{}", grouped(by))).collect();
    // That nothing was heard may have its reason here too.
    if totals.lost == 0 && (totals.counts.received > 0 || risen.is_empty()) {
        return Ok(());
    }
    page.section("Where lost", &places(trial))?;
    let shares = blame::shares(report);
    shares.iter().try_for_each(|share| page.explained(share, report))?;
    if totals.lost_by.receiver_socket > 0
        && let Some(shared) = shared_sockets(trial.streams.len(), receiver.sockets)
    {
        page.paragraph(&shared)?;
    }
    if shares.iter().any(|share| matches!(share, Share::Host { .. })) {
        page.paragraph(
            "the host's counters are everybody's: what they count may in part not have been ours",
        )?;
    }
    if risen.is_empty() { Ok(()) } else { page.row("counters", &risen.join(", ")) }
}

fn places(trial: &TrialReport) -> String {
    let Some(by) = trial.totals.as_ref().map(|totals| totals.lost_by) else { return String::new() };
    // Named even when zero: that our own host dropped nothing is half the news.
    parts([by.receiver_socket, by.receiver_host, by.elsewhere].map(grouped))
}

/// The parts of what was lost, as in [`LostBy`](crate::model::drops::LostBy).
pub(super) fn parts([socket, host, elsewhere]: [String; 3]) -> String {
    format!("own socket {socket} + own host {host} + elsewhere {elsewhere}")
}

fn shared_sockets(streams: usize, sockets: usize) -> Option<String> {
    let streams = (streams > 1).then(|| count(streams as u64, "stream"))?;
    let sockets = count(sockets as u64, "socket");
    Some(format!(
        "{streams} shared {sockets}: what a socket dropped cannot be told apart by stream"
    ))
}
