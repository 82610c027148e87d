//! One sender, many receivers: what the group got, and how much its members differ (RFC 5644).

use super::ratio::ratio;
use crate::units::Nanos;
use std::ops::Range;

/// What one receiver got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Receiver {
    /// Datagrams sent to it, RFC 5644's K: the same for all receivers, unless one came in late.
    pub sent: u64,
    /// Those it lost.
    pub lost: u64,
    /// Delays of those it got; `None` if it got none.
    pub delay: Option<Delay>,
}

/// Delays at one receiver, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// The shortest.
    pub min: Nanos,
    /// The mean of those that are not lost.
    pub mean: f64,
    /// A high quantile, the same at all receivers; RFC 5644 section 8.5 recommends 99.9 %.
    pub quantile: Nanos,
}

/// One receiver among the others (RFC 5644 section 8).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// RnLR: lost of sent (section 8.4); `None` when nothing was sent.
    pub loss_ratio: Option<f64>,
    /// RnCLR: lost of what the best receiver got (section 8.4), so 0 for one that did as well as any; `None`
    /// when the best got nothing.
    pub comparative_loss_ratio: Option<f64>,
    /// RnDV: quantile of the delay less the shortest (section 8.5).
    pub delay_variation: Option<Nanos>,
}

/// All receivers together (RFC 5644 section 8).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// The receivers, in the order in which they were given. Their number is to be reported (section 10.2).
    pub members: Vec<Member>,
    /// GLR: lost of sent to all (section 8.4).
    pub loss_ratio: Option<f64>,
    /// Lowest and highest loss ratio of a receiver (section 8.4).
    pub loss_ratio_range: Option<(f64, f64)>,
    /// GMD: mean of the receivers' mean delays (section 8.3), each receiver counting once. It is not the mean of
    /// all delays, as section 8.3.2 says, unless all receivers got equally many.
    pub mean_delay: Option<f64>,
    /// GRMD: difference between the highest and the lowest mean delay (section 8.3).
    pub mean_delay_range: Option<f64>,
    /// GMMD: the highest mean delay (section 8.3).
    pub mean_delay_max: Option<f64>,
    /// GRDV: difference between the highest and the lowest delay variation (section 8.5).
    pub delay_variation_range: Option<Nanos>,
}

/// Compares the receivers of one group (RFC 5644 section 8).
pub fn compare(receivers: &[Receiver]) -> Group {
    let most_received = receivers.iter().map(|row| row.sent.saturating_sub(row.lost)).max();
    let members: Vec<Member> = receivers
        .iter()
        .map(|row| Member {
            loss_ratio: ratio(row.lost, row.sent),
            comparative_loss_ratio: most_received.and_then(|received| ratio(row.lost, received)),
            delay_variation: row.delay.map(|delay| delay.quantile.saturating_sub(delay.min)),
        })
        .collect();
    let means: Vec<f64> = receivers.iter().filter_map(|row| Some(row.delay?.mean)).collect();
    let mean_range = range(means.iter().copied());
    let variations = || members.iter().filter_map(|member| member.delay_variation);
    Group {
        loss_ratio: ratio(total(receivers, |row| row.lost), total(receivers, |row| row.sent)),
        loss_ratio_range: range(members.iter().filter_map(|member| member.loss_ratio)),
        mean_delay: mean_range.map(|_| means.iter().sum::<f64>() / means.len() as f64),
        mean_delay_range: mean_range.map(|(lowest, highest)| highest - lowest),
        mean_delay_max: mean_range.map(|(_, highest)| highest),
        delay_variation_range: variations().max().zip(variations().min()).map(|(a, b)| a - b),
        members,
    }
}

/// The same ranges, those that touch made one.
pub fn joined(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges.iter().filter(|range| !range.is_empty()) {
        match joined.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => joined.push(range.clone()),
        }
    }
    joined
}

/// What is in both. The ranges of each come in ascending order and do not overlap.
pub fn intersection(a: &[Range<u64>], b: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut both = Vec::new();
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(left), Some(right)) = (a.peek(), b.peek()) {
        let range = left.start.max(right.start)..left.end.min(right.end);
        if !range.is_empty() {
            both.push(range);
        }
        // What ends first meets nothing further.
        if left.end < right.end {
            a.next()
        } else {
            b.next()
        };
    }
    both
}

fn total(receivers: &[Receiver], of: impl Fn(&Receiver) -> u64) -> u64 {
    receivers.iter().map(of).sum()
}

/// Lowest and highest.
fn range(mut values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let first = values.next()?;
    Some(values.fold((first, first), |(low, high), value| (low.min(value), high.max(value))))
}

#[cfg(test)]
mod tests;
