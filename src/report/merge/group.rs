//! The group as one, and what its senders say against what its receivers heard.

use super::Merge;
use crate::model::merged::*;
use crate::stats::receivers::{self, Delay};
use std::collections::BTreeMap;

impl Merge {
    /// Compares the receivers and enters into their rows what only the comparison knows.
    pub(super) fn compare(&mut self, streams: &[MergedStream]) -> GroupReport {
        let rows = self.receivers.iter().map(|receiver| &receiver.row);
        let compared: Vec<_> = rows.map(of_member).collect();
        let compared = receivers::compare(&compared);
        for (receiver, member) in self.receivers.iter_mut().zip(&compared.members) {
            receiver.row.loss_ratio = member.loss_ratio;
            receiver.row.comparative_loss_ratio = member.comparative_loss_ratio;
        }
        let rows = || self.receivers.iter().map(|receiver| &receiver.row);
        let loss = || rows().filter_map(|row| Some((row, row.loss_ratio?)));
        let delay = || rows().filter_map(|row| Some((row, row.delay.as_ref()?.mean_ns)));
        // Not that of `compared`, which knows only receivers with a common clock.
        let variations = || rows().filter_map(|row| row.delay_variation_ns);
        let mut group = GroupReport {
            receivers: self.receivers.len(),
            sent: 0,
            counts: Default::default(),
            lost: 0,
            lost_by: Default::default(),
            lost_by_all: streams.iter().map(|stream| stream.lost_by_all).sum(),
            loss_ratio: compared.loss_ratio,
            loss_ratio_lowest: extreme(loss(), |new, old| new < old),
            loss_ratio_highest: extreme(loss(), |new, old| new > old),
            mean_delay_ns: compared.mean_delay,
            mean_delay_range_ns: compared.mean_delay_range,
            mean_delay_lowest: extreme(delay(), |new, old| new < old),
            mean_delay_highest: extreme(delay(), |new, old| new > old),
            delay_variation_quantile: VARIATION_QUANTILE,
            delay_variation_range_ns: variations()
                .max()
                .zip(variations().min())
                .map(|(a, b)| a - b),
        };
        for row in rows() {
            group.sent += row.sent;
            group.counts.add(&row.counts);
            group.lost += row.lost;
            group.lost_by.receiver_socket += row.lost_by.receiver_socket;
            group.lost_by.receiver_host += row.lost_by.receiver_host;
            group.lost_by.elsewhere += row.lost_by.elsewhere;
        }
        group
    }

    /// The senders, each with what its receivers say it sent, where all its streams were heard to the end.
    pub(super) fn judge_senders(&mut self, streams: &[MergedStream]) -> Vec<MergedSender> {
        let mut heard: BTreeMap<&str, (usize, Option<u64>)> = BTreeMap::new();
        for stream in streams {
            let (number, sent) = heard.entry(&stream.session).or_insert((0, Some(0)));
            *number += 1;
            *sent = sent.zip(stream.sent).map(|(all, one)| all + one);
        }
        let senders = std::mem::take(&mut self.senders).into_iter();
        let senders = senders.map(|mut sender| {
            let all =
                heard.get(&*sender.row.session).filter(|(number, _)| *number == sender.streams);
            sender.row.heard_sent = all.and_then(|(_, sent)| *sent);
            sender.row
        });
        senders.collect()
    }
}

fn of_member(row: &MemberReport) -> receivers::Receiver {
    let delay = row.delay.as_ref().map(|delay| Delay {
        min: delay.min_ns,
        mean: delay.mean_ns,
        quantile: delay.min_ns + row.delay_variation_ns.unwrap_or_default(),
    });
    receivers::Receiver { sent: row.sent, lost: row.lost, delay }
}

/// The first of those that no other one beats.
fn extreme<'a>(
    rows: impl Iterator<Item = (&'a MemberReport, f64)>,
    beats: impl Fn(f64, f64) -> bool,
) -> Option<Extreme> {
    let best = rows.reduce(|best, row| if beats(row.1, best.1) { row } else { best });
    best.map(|(row, value)| Extreme { receiver: row.name.clone(), value })
}
