//! What a reader of a merged report should know before using its numbers.

use super::Merge;
use crate::model::merged::{MemberReport, MergeWarning, MergedReport, MergedSender};
use crate::report::warnings::Explained;
use crate::units::human::grouped;
use crate::units::text::count;
use std::collections::BTreeSet;

impl Merge {
    pub(super) fn warnings(&self, senders: &[MergedSender]) -> Vec<MergeWarning> {
        let mut warnings = Vec::new();
        if !self.invalid.is_empty() {
            warnings.push(MergeWarning::Invalid { files: self.invalid.clone() });
        }
        if !self.skipped.is_empty() {
            warnings.push(MergeWarning::Skipped { files: self.skipped.len() });
        }
        warnings.extend(senders.iter().filter_map(sent_differs));
        let rows = || self.receivers.iter().map(|receiver| &receiver.row);
        let named = |is: &dyn Fn(&MemberReport) -> bool| {
            rows().filter(|row| is(row)).map(|row| row.name.clone()).collect::<Vec<_>>()
        };
        let deaf = named(&|row| row.streams_not_heard > 0);
        if !deaf.is_empty() {
            warnings.push(MergeWarning::NotHeard { receivers: deaf });
        }
        let fewest = rows().map(|row| row.sent).min().unwrap_or(0);
        let most = rows().map(|row| row.sent).max().unwrap_or(0);
        if fewest != most {
            warnings.push(MergeWarning::UnequalSent { fewest, most });
        }
        let incomplete = self.receivers.iter().filter(|receiver| !receiver.lost_ranges_complete);
        let incomplete: Vec<_> = incomplete.map(|receiver| receiver.row.name.clone()).collect();
        if !incomplete.is_empty() {
            warnings.push(MergeWarning::LostRangesIncomplete { receivers: incomplete });
        }
        let negative = named(&|row| row.delay_negative > 0);
        if !negative.is_empty() {
            warnings.push(MergeWarning::NegativeDelay { receivers: negative });
        }
        let relative = named(&|row| row.delay.is_none() && row.delay_variation_ns.is_some());
        if !relative.is_empty() {
            warnings.push(MergeWarning::VariationOnly { receivers: relative });
        }
        let delayed = || rows().filter(|row| row.delay.is_some());
        let hosts: BTreeSet<_> = delayed().map(|row| &row.host).collect();
        let is_one_host = hosts.len() == 1 && !hosts.contains(&None);
        if delayed().count() > 1 && !is_one_host {
            warnings.push(MergeWarning::DifferentClocks);
        }
        warnings
    }
}

fn sent_differs(sender: &MergedSender) -> Option<MergeWarning> {
    let heard_sent = sender.heard_sent.filter(|heard| *heard != sender.offered)?;
    Some(MergeWarning::SentDiffers {
        sender: sender.name.clone(),
        offered: sender.offered,
        heard_sent,
    })
}

impl Explained<MergedReport> for MergeWarning {
    fn sentence(&self) -> String {
        match self {
            Self::Invalid { files } => {
                format!("{} must not be used: {}", count_of(files, "result"), some(files))
            }
            Self::Skipped { files } => {
                format!("{} could not be read: the group is larger than this", count(*files as u64, "file"))
            }
            Self::SentDiffers { sender, offered, heard_sent } => format!(
                "{sender} says that it sent {}, and told its receivers {}",
                grouped(*offered),
                grouped(*heard_sent)
            ),
            Self::NotHeard { receivers } => format!(
                "{} did not hear streams that others heard; they count as lost: {}",
                count_of(receivers, "receiver"),
                some(receivers)
            ),
            Self::UnequalSent { fewest, most } => format!(
                "receivers were sent from {} to {} datagrams, not all the same: loss ratios compare, numbers do not",
                grouped(*fewest),
                grouped(*most)
            ),
            Self::LostRangesIncomplete { receivers } => format!(
                "{} lost more ranges of numbers than a result names, so the list of losses is cut \
                 short and the rest is not compared: {}",
                count_of(receivers, "receiver"),
                some(receivers)
            ),
            Self::NegativeDelay { receivers } => format!(
                "{} got datagrams before they were due, so the clocks disagree: {}",
                count_of(receivers, "receiver"),
                some(receivers)
            ),
            Self::VariationOnly { receivers } => format!(
                "the clocks of {} do not compare with the senders', so only the variation of their \
                 delays is known: {}",
                count_of(receivers, "receiver"),
                some(receivers)
            ),
            Self::DifferentClocks => {
                "delays of receivers on different hosts are comparable only as far as their clocks are"
                    .into()
            }
        }
    }

    fn advice(&self, _merged: &MergedReport) -> String {
        match self {
            Self::Invalid { .. } => "mcast-bench report show FILE says why",
            Self::Skipped { .. } => "see what is wrong with them in `skipped` of --report json",
            Self::SentDiffers { .. } => {
                "see that all files are of the same trial, and whether the sender was interrupted"
            }
            Self::NotHeard { .. } => {
                "check their interface and group, and IGMP snooping on the way to them"
            }
            Self::UnequalSent { .. } => {
                "start the receivers before the senders, and let them end with them"
            }
            Self::LostRangesIncomplete { .. } => {
                "repeat with a shorter --time or a lower --rate, so that less is lost"
            }
            Self::NegativeDelay { .. } | Self::VariationOnly { .. } | Self::DifferentClocks => {
                "synchronise the clocks (PTP, or chrony with hardware timestamps); delay variation \
                 compares without"
            }
        }
        .into()
    }
}

fn count_of(names: &[String], thing: &str) -> String {
    count(names.len() as u64, thing)
}

/// The first few of many.
fn some(names: &[String]) -> String {
    const MOST: usize = 3;
    let shown = names[..names.len().min(MOST)].join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
