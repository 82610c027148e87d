//! What is to be said of loss, order and copies beyond their numbers, of all streams together.

use super::page::Page;
use crate::model::metrics::{DensityReport, MediaReport, Patterns};
use crate::model::report::{LostRange, StreamReport, TrialReport};
use crate::units::Nanos;
use crate::units::human::{grouped, si};
use crate::units::text::{bits_per_second, count, per_second, percent};
use std::cmp::Reverse;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

/// Most bursts of loss that are named.
const BURSTS: usize = 5;

pub(super) fn write(trial: &TrialReport, page: &mut Page<'_>) -> io::Result<()> {
    let rows = rows(trial);
    if rows.is_empty() {
        return Ok(());
    }
    page.section("Patterns", "")?;
    for (label, row) in rows {
        page.row(label, &row)?;
        if label == "loss" {
            bursts(&trial.streams, page)?;
        }
    }
    Ok(())
}

/// What there is to say, by label.
pub(in crate::report) fn rows(trial: &TrialReport) -> Vec<(&'static str, String)> {
    let (streams, Some(patterns)) = (&trial.streams[..], &trial.patterns) else {
        return Vec::new();
    };
    let rows = [
        ("loss", loss(streams)),
        ("order", order(streams, patterns)),
        ("copies", copies(streams)),
        ("density", density(streams)),
        ("media", media(streams)),
    ];
    rows.into_iter().filter_map(|(label, row)| Some((label, row?))).collect()
}

/// Loss periods (RFC 3357).
fn loss(streams: &[StreamReport]) -> Option<String> {
    let periods = sum(streams, |stream| stream.loss.periods);
    let longest = streams.iter().map(|stream| stream.loss.period_max).max()?;
    let mean = mean(streams, |stream| stream.loss.periods, |stream| stream.loss.period_mean)?;
    let mut text =
        format!("{}, longest {}, mean {}", count(periods, "period"), grouped(longest), si(mean));
    if let Some(rate) =
        self::mean(streams, |stream| stream.lost, |stream| stream.loss.noticeable_rate)
    {
        let distance = streams.iter().map(|stream| stream.loss.noticeable_distance).max()?;
        text = format!(
            "{text}; noticeable {} (at most {distance} behind the one before)",
            percent(rate)
        );
    }
    Some(text)
}

/// The longest loss periods, for someone who looks them up in a capture.
fn bursts(streams: &[StreamReport], page: &mut Page<'_>) -> io::Result<()> {
    let mut bursts: Vec<_> = streams
        .iter()
        .flat_map(|stream| stream.loss.longest.iter().map(move |burst| (stream, burst)))
        .collect();
    bursts.sort_by_key(|(_, burst)| (Reverse(burst.len), burst.at_ns));
    for (stream, burst) in bursts.iter().take(BURSTS) {
        page.row(&format!("{}/{}", stream.session, stream.stream), &burst_text(burst))?;
    }
    match sum(streams, |stream| stream.loss.periods).saturating_sub(BURSTS as u64) {
        0 => Ok(()),
        more => page.row("", &format!("... and {} more (in --report json)", grouped(more))),
    }
}

fn burst_text(burst: &LostRange) -> String {
    let LostRange { first_seq, len, at_ns, own_socket } = *burst;
    let mut text = format!("{} lost: {first_seq}", grouped(len));
    if len > 1 {
        text = format!("{text} to {}", first_seq + len - 1);
    }
    if own_socket > 0 {
        text = format!("{text}, {} by the own socket", grouped(own_socket));
    }
    if at_ns == Nanos(0) {
        return text;
    }
    let noticed = humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from(at_ns));
    format!("{text}, at {noticed}")
}

/// Reordering (RFC 4737).
fn order(streams: &[StreamReport], patterns: &Patterns) -> Option<String> {
    if sum(streams, |stream| stream.counts.reordered) == 0 {
        return None;
    }
    let share = |value: fn(&StreamReport) -> Option<f64>| {
        mean(streams, |stream| stream.counts.unique, value).map(percent)
    };
    let ratio = share(|stream| stream.order.ratio)?;
    let (one, three) =
        (share(|stream| stream.order.degree_1)?, share(|stream| stream.order.degree_3)?);
    let mut text = format!("{ratio} reordered (degree 1 {one}, degree 3 {three})");
    if let Some(p99) = patterns.reordering_extent.p99 {
        let extent = streams.iter().map(|stream| stream.order.extent_max).max()?;
        let late = streams.iter().map(|stream| stream.order.late_max_ns).max()?;
        text = format!(
            "{text}, extent p99 {}, max {}, late by up to {late}",
            grouped(p99),
            grouped(extent)
        );
    }
    Some(text)
}

/// Duplication (RFC 5560).
fn copies(streams: &[StreamReport]) -> Option<String> {
    if sum(streams, |stream| stream.counts.duplicates) == 0 {
        return None;
    }
    let unique = |stream: &StreamReport| stream.counts.unique;
    let replicated = mean(streams, unique, |stream| stream.copies.replicated_rate)?;
    let fraction = mean(streams, unique, |stream| stream.copies.fraction)?;
    let (replicated, fraction) = (percent(replicated), percent(fraction));
    Some(format!("{replicated} came more than once; further copies {fraction} of the datagrams"))
}

/// Reorder density and buffer occupancy (RFC 5236), when asked for.
fn density(streams: &[StreamReport]) -> Option<String> {
    let displaced = |density: &DensityReport, is_in: fn(i32) -> bool| {
        let shares = density.displacement.iter().filter(|(by, _)| is_in(*by));
        (!density.displacement.is_empty()).then(|| shares.map(|(_, share)| share).sum::<f64>())
    };
    let share = |is_in: fn(i32) -> bool| {
        let value = |stream: &StreamReport| displaced(stream.density.as_ref()?, is_in);
        mean(streams, |stream| stream.counts.unique, value).map(percent)
    };
    let (early, exact, late) = (share(|by| by < 0)?, share(|by| by == 0)?, share(|by| by > 0)?);
    let most = streams.iter().filter_map(|stream| stream.density.as_ref()?.occupancy.last());
    let most = most.map(|(held, _)| *held).max()?;
    Some(format!("in place {exact}, early {early}, late {late}; at most {most} held"))
}

/// Media delivery index (RFC 4445), when the media rate is known: the worst of all streams and intervals.
fn media(streams: &[StreamReport]) -> Option<String> {
    let all = || streams.iter().filter_map(|stream| stream.media.as_ref());
    let MediaReport { media_rate_bps, .. } = all().next()?;
    let delay = all().filter_map(|media| media.delay_factor_max_ns).max();
    let delay = delay.map_or("not known".into(), |delay| delay.to_string());
    let loss = all().map(|media| media.media_loss_rate_max).fold(0.0, f64::max);
    let rate = bits_per_second(*media_rate_bps as f64);
    Some(format!(
        "at {rate}: delay factor up to {delay}, media loss rate up to {}/s",
        per_second(loss)
    ))
}

fn sum(streams: &[StreamReport], part: fn(&StreamReport) -> u64) -> u64 {
    streams.iter().map(part).sum()
}

/// Mean of what is known of the streams, weighted.
fn mean(
    streams: &[StreamReport],
    weight: fn(&StreamReport) -> u64,
    value: impl Fn(&StreamReport) -> Option<f64>,
) -> Option<f64> {
    let known = streams.iter().filter_map(|stream| Some((weight(stream), value(stream)?)));
    let (weights, sum) = known.fold((0, 0.0), |(weights, sum), (weight, value)| {
        (weights + weight, sum + weight as f64 * value)
    });
    (weights > 0).then(|| sum / weights as f64)
}
