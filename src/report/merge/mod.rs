//! Many results, one answer: what the group of receivers got and how its members differ (RFC 5644).
//!
//! Results are added one at a time, and of each only its rows and sums are kept.

mod group;
mod losses;
mod pool;
mod warnings;

use crate::error::{Error, Result};
use crate::model::delay::{Distribution, OneWayDelay};
use crate::model::group::Membership;
use crate::model::merged::*;
use crate::model::report::{RunReport, StreamReport, TrialReport};
use crate::model::spec::Flow;
use crate::report::load::Saved;
use crate::stats::latency::Delays;
use crate::stats::percentile::{WHOLE, percentile_with_losses};
use crate::units::Nanos;
use losses::Losses;
use pool::Pool;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// A merge on its way.
#[derive(Default)]
pub struct Merge {
    receivers: Vec<Receiver>,
    senders: Vec<Sender>,
    streams: BTreeMap<(String, u16), Stream>,
    invalid: Vec<String>,
    skipped: Vec<Skipped>,
    delay: Pool,
    lateness: Pool,
    clocks: BTreeSet<String>,
    negative: u64,
    negative_max_ns: Nanos,
}

/// A receiver while it is not known what the others heard.
struct Receiver {
    row: MemberReport,
    /// The groups it joined, in ascending order. Most receivers of a trial join the same.
    joined: Rc<[Membership]>,
    /// When it was there, as its clock says.
    span: RangeInclusive<Nanos>,
    lost_ranges_complete: bool,
}

/// A sender, and how many streams it has.
struct Sender {
    row: MergedSender,
    streams: usize,
}

struct Stream {
    source: String,
    group: String,
    port: u16,
    /// All that was sent in it, once a receiver was told.
    sent: Option<u64>,
    losses: Losses,
    heard_by: usize,
    not_heard_by: usize,
    lost_ranges_complete: bool,
    /// When any receiver that heard it was there.
    span: RangeInclusive<Nanos>,
}

impl Merge {
    /// Adds a result: a receiver, a sender, or both.
    ///
    /// # Errors
    /// Says which file cannot be added and why; then nothing of it was.
    pub fn add(&mut self, saved: Saved) -> Result<()> {
        let Saved { file, report } = saved;
        let trial = &report.trial;
        if trial.sender.is_none() && trial.totals.is_none() {
            return Err(Error::environment(format!("{file} has neither a sender nor a receiver")));
        }
        if !trial.spec.further_interfaces.is_empty() {
            return Err(Error::environment(format!(
                "{file} is of one receiver on several interfaces"
            ))
            .hint("receivers are compared one by one: start a `recv` for each interface"));
        }
        let delay = trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
        let delay = delay.map(|delay| self.delay.accept(&file, delay)).transpose()?;
        let lateness = trial.sender.as_ref().map(|sender| &sender.lateness_ns);
        let lateness = lateness.map(|late| self.lateness.accept(&file, late)).transpose()?;
        // From here on nothing fails.
        let clock = trial.one_way_delay_ns.as_ref().map(|delay| &delay.clock);
        let member = clock.zip(delay.as_ref()).and_then(|(clock, of)| member_delay(clock, of));
        delay.into_iter().for_each(|delay| self.delay.add(&file, delay));
        lateness.into_iter().for_each(|lateness| self.lateness.add(&file, lateness));
        if !trial.valid {
            self.invalid.push(file.clone());
        }
        self.add_sender(&file, &report);
        self.add_receiver(&file, &report, member);
        Ok(())
    }

    /// Notes a file that cannot be added.
    pub fn skip(&mut self, file: String, reason: String) {
        self.skipped.push(Skipped { file, reason });
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.receivers.is_empty() && self.senders.is_empty()
    }

    /// The answer.
    pub fn finish(mut self, command: String) -> MergedReport {
        self.name_all();
        self.count_unheard();
        let streams = self.part_losses();
        let senders = self.judge_senders(&streams);
        let group = self.compare(&streams);
        let warnings = self.warnings(&senders);
        let one_way_delay_ns = self.one_way_delay();
        MergedReport {
            schema: SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command,
            valid: self.invalid.is_empty(),
            skipped: self.skipped,
            warnings,
            group,
            receivers: self.receivers.into_iter().map(|receiver| receiver.row).collect(),
            senders,
            streams,
            one_way_delay_ns,
            lateness_ns: self.lateness.sum().map(Distribution::of),
        }
    }

    fn add_sender(&mut self, file: &str, report: &RunReport) {
        let Some(sender) = &report.trial.sender else { return };
        let spec = &report.trial.spec;
        let row = MergedSender {
            name: String::new(),
            file: file.to_owned(),
            host: report.environment.host.clone(),
            valid: report.trial.valid,
            session: sender.session.clone(),
            intended: sender.counts.intended,
            offered: sender.counts.offered,
            refused: sender.counts.refused.clone(),
            offered_load_pps: sender.offered_load_pps,
            offered_load_bps: sender.offered_load_bps,
            heard_sent: None,
        };
        self.senders.push(Sender { row, streams: spec.offered().iter().map(Flow::streams).sum() });
    }

    fn add_receiver(&mut self, file: &str, report: &RunReport, delay: Option<MemberDelay>) {
        let trial = &report.trial;
        let Some(totals) = &trial.totals else { return };
        let span = span(trial);
        for stream in &trial.streams {
            self.add_stream(self.receivers.len(), stream, &span);
        }
        if let Some(delay) = &trial.one_way_delay_ns {
            self.clocks.insert(delay.clock.clone());
            self.negative += delay.negative;
            self.negative_max_ns = self.negative_max_ns.max(delay.negative_max_ns);
        }
        let row = MemberReport {
            name: String::new(),
            file: file.to_owned(),
            host: report.environment.host.clone(),
            valid: trial.valid,
            sent: totals.counts.unique + totals.lost,
            counts: totals.counts,
            lost: totals.lost,
            lost_by: totals.lost_by,
            lost_common: 0,
            lost_own: 0,
            lost_not_compared: 0,
            loss_ratio: None,
            comparative_loss_ratio: None,
            streams: trial.streams.len(),
            streams_not_heard: 0,
            delay,
            delay_variation_ns: variation(trial),
            delay_negative: trial.one_way_delay_ns.as_ref().map_or(0, |delay| delay.negative),
        };
        let mut joined = trial.spec.groups.clone();
        joined.sort_unstable();
        let joined = match self.receivers.last() {
            Some(last) if *last.joined == *joined => last.joined.clone(),
            _ => joined.into(),
        };
        let lost_ranges_complete = trial.streams.iter().all(|stream| stream.lost_ranges_complete);
        self.receivers.push(Receiver { row, joined, span, lost_ranges_complete });
    }

    fn add_stream(&mut self, receiver: usize, row: &StreamReport, span: &RangeInclusive<Nanos>) {
        let key = (row.session.clone(), row.stream);
        let stream = self.streams.entry(key).or_insert_with(|| Stream {
            source: row.source.clone(),
            group: row.group.clone(),
            port: row.port,
            sent: None,
            losses: Losses::new(),
            heard_by: 0,
            not_heard_by: 0,
            lost_ranges_complete: true,
            span: span.clone(),
        });
        stream.losses.add(receiver, row);
        stream.sent = stream.sent.max(row.sent.map(|sent| row.first_seq + sent));
        stream.heard_by += 1;
        stream.lost_ranges_complete &= row.lost_ranges_complete;
        let (start, end) = (*span.start(), *span.end());
        stream.span = start.min(*stream.span.start())..=end.max(*stream.span.end());
    }

    /// Names results after their hosts, and where that does not tell two apart, after their files.
    fn name_all(&mut self) {
        let mut hosts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let rows = self.receivers.iter().map(|receiver| (&receiver.row.host, &receiver.row.file));
        for (host, file) in rows.chain(self.senders.iter().map(|s| (&s.row.host, &s.row.file))) {
            let files = hosts.entry(host.clone().unwrap_or_default()).or_default();
            files.insert(file.clone());
        }
        let name = |host: &Option<String>, file: &String| match host {
            Some(host) if hosts[host].len() == 1 => host.clone(),
            _ => file.clone(),
        };
        for MemberReport { name: to, host, file, .. } in
            self.receivers.iter_mut().map(|receiver| &mut receiver.row)
        {
            *to = name(host, file);
        }
        for MergedSender { name: to, host, file, .. } in
            self.senders.iter_mut().map(|sender| &mut sender.row)
        {
            *to = name(host, file);
        }
    }

    /// Who joined a group, was there, and heard nothing of a stream that others heard, lost all of it: L = 1 for
    /// every datagram (RFC 5644 section 8.4). Its own result cannot know that.
    fn count_unheard(&mut self) {
        for stream in self.streams.values_mut() {
            let sent = stream.sent.unwrap_or(stream.losses.end());
            let mut deaf = Vec::new();
            for (index, receiver) in self.receivers.iter_mut().enumerate() {
                let missed = !stream.losses.heard_by(index)
                    && overlap(&receiver.span, &stream.span)
                    && has_joined(&receiver.joined, stream);
                if missed {
                    deaf.push(index);
                    let row = &mut receiver.row;
                    row.sent += sent;
                    row.lost += sent;
                    row.lost_by.elsewhere += sent;
                    row.streams_not_heard += 1;
                }
            }
            stream.not_heard_by = deaf.len();
            stream.losses.add_deaf(&deaf, sent);
        }
    }

    /// Parts each receiver's losses into common and own.
    fn part_losses(&mut self) -> Vec<MergedStream> {
        let streams = std::mem::take(&mut self.streams).into_iter();
        let streams = streams.map(|((session, number), stream)| {
            let (common, parted) = stream.losses.part();
            for part in &parted {
                let row = &mut self.receivers[part.receiver].row;
                row.lost_common += part.common;
                row.lost_own += part.own;
                row.lost_not_compared += part.not_compared;
            }
            MergedStream {
                session,
                stream: number,
                group: stream.group,
                port: stream.port,
                sent: stream.sent,
                heard_by: stream.heard_by,
                not_heard_by: stream.not_heard_by,
                lost: parted.iter().map(|part| part.lost).sum(),
                lost_by_all: losses::total(&common),
                lost_by_all_ranges: common
                    .iter()
                    .map(|range| SeqRange { first_seq: range.start, len: range.end - range.start })
                    .collect(),
                lost_ranges_complete: stream.lost_ranges_complete,
            }
        });
        streams.collect()
    }

    fn one_way_delay(&self) -> Option<OneWayDelay> {
        let clock = self.clocks.iter().cloned().collect::<Vec<_>>().join("; ");
        let lost = self.receivers.iter().map(|receiver| receiver.row.lost).sum();
        let sum = OneWayDelay::of(clock, self.delay.sum()?, lost);
        Some(OneWayDelay { negative: self.negative, negative_max_ns: self.negative_max_ns, ..sum })
    }
}

/// When a receiver was there.
fn span(trial: &TrialReport) -> RangeInclusive<Nanos> {
    let start = humantime::parse_rfc3339(&trial.started_at).ok();
    let start = start.and_then(|start| start.duration_since(std::time::UNIX_EPOCH).ok());
    match start.map(Nanos::from) {
        // One that heard nothing does not say how long it listened.
        Some(start) if trial.duration_ns == Nanos(0) => start..=Nanos(u64::MAX),
        Some(start) => start..=Nanos(start.0.saturating_add(trial.duration_ns.0)),
        None => Nanos(0)..=Nanos(u64::MAX),
    }
}

fn overlap(a: &RangeInclusive<Nanos>, b: &RangeInclusive<Nanos>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

fn has_joined(joined: &[Membership], stream: &Stream) -> bool {
    let Ok(group) = stream.group.parse() else { return false };
    let source = stream.source.parse::<std::net::SocketAddr>().ok().map(|source| source.ip());
    let has =
        |source| joined.binary_search(&Membership { source, group, port: stream.port }).is_ok();
    has(None) || source.is_some_and(|source| has(Some(source)))
}

/// What one receiver measured, of the datagrams that came: RFC 5644 section 8 compares finite delays.
fn member_delay(clock: &str, delays: &Delays) -> Option<MemberDelay> {
    let min_ns = delays.min?;
    let at = |percent| delays.percentile_with_losses(percent, 0)?.finite();
    Some(MemberDelay {
        clock: clock.to_owned(),
        min_ns,
        mean_ns: delays.histogram.mean(),
        p99_ns: at(99_000)?,
        max_ns: delays.max,
    })
}

/// Of the delays; where no clock compares, of the relative ones, whose shortest is about zero.
fn variation(trial: &TrialReport) -> Option<Nanos> {
    let absolute = trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution);
    let relative = trial.relative_delay_ns.as_ref();
    let of = absolute.into_iter().chain(relative).find(|of| of.percentiles.count > 0)?;
    let histogram = of.histogram().ok()?;
    let quantile = (VARIATION_QUANTILE * f64::from(WHOLE)) as u32;
    let of_all = percentile_with_losses(&histogram, of.percentiles.max, 0, quantile)?;
    Some(of_all.finite()?.saturating_sub(of.percentiles.min))
}

#[cfg(test)]
mod tests;
