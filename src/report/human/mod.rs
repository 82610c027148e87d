//! What a person reads at the end: the verdict first, then what it rests on. As wide as the screen, from 60 to 80 columns; no colour.

pub(super) mod compared;
pub(super) mod merged;
pub(super) mod delay;
pub mod interfaces;
pub mod interim;
mod continued;
mod lost;
pub(super) mod origin;
pub(super) mod page;
pub(super) mod ping;
mod echo;
mod join;
pub(super) mod patterns;
mod senders;
mod streams;
mod table;
pub(super) mod verdict;

use super::paper::Paper;
use super::warnings::bottleneck;
use super::{ReportFormat, ReportWriter};
use crate::model::event::{Event, Happening};
use crate::model::limit::LimitResult;
use crate::model::report::{
    ReceiverReport, RunReport, TimestampKind, TimestampReport, Totals, TrialReport,
};
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::{bits_per_second, count, per_second, percent};
use page::Page;
use std::io::{self, Write};

/// `human`
pub struct Human;

impl ReportFormat for Human {
    fn name(&self) -> &'static str {
        "human"
    }

    fn about(&self) -> &'static str {
        "for people: the verdict, then what it rests on"
    }

    fn begin(&self, paper: Paper) -> Box<dyn ReportWriter> {
        Box::new(ToRead { paper, write })
    }
}

/// A report for people, which only the end of the run can tell.
struct ToRead<T> {
    paper: Paper,
    write: fn(&T, &mut Page<'_>) -> io::Result<()>,
}

impl<T> ReportWriter<T> for ToRead<T> {
    fn finish(&mut self, report: &T) -> io::Result<()> {
        let Paper { out, width } = &mut self.paper;
        (self.write)(report, &mut Page::new(out, *width))?;
        out.flush()
    }
}

fn write(report: &RunReport, page: &mut Page<'_>) -> io::Result<()> {
    let trial = &report.trial;
    verdict::write(report, page)?;
    if let Some(sender) = &trial.sender {
        senders::write_own(sender, page)?;
    }
    if let (Some(receiver), Some(totals)) = (&trial.receiver, &trial.totals) {
        write_receiver(receiver, totals, trial, page)?;
    }
    if trial.sender.is_none() {
        senders::write_heard(trial, page)?;
    }
    lost::write(report, page)?;
    delay::write(trial, page)?;
    patterns::write(trial, page)?;
    streams::write(&trial.streams, page)?;
    report.continued.iter().try_for_each(|of| continued::write(of, page))?;
    write_limits(&report.limits, page)?;
    if let Some(bottleneck) = bottleneck(trial) {
        page.section("Limited by", &bottleneck)?;
    }
    write_warnings(report, page)?;
    write_events(&trial.events, page)?;
    origin::write(report, page)?;
    match &report.answer {
        Some(answer) => page.section("In words", &answer.words),
        None => Ok(()),
    }
}

fn write_receiver(
    receiver: &ReceiverReport,
    totals: &Totals,
    trial: &TrialReport,
    page: &mut Page<'_>,
) -> io::Result<()> {
    page.section("Receiver", &format!("{}, {}", receiver.engine, threads(&receiver.cpus)))?;
    page.row("timestamps", &timestamps(&receiver.timestamps, totals.counts.received))?;
    let counts = &totals.counts;
    let unknown = trial.streams.iter().filter(|stream| stream.sent.is_none()).count();
    match (totals.sent, count(trial.streams.len() as u64, "stream")) {
        _ if trial.streams.is_empty() => page.text("sent", "not known", "no sender was heard")?,
        (Some(sent), _) => page.number("sent", sent, &sent_note(trial))?,
        (None, all) => {
            page.text("sent", "not known", &format!("{unknown} of {all} never said it"))?
        }
    }
    let bits = match trial.duration_ns {
        Nanos(0) => 0.0,
        duration => totals.payload_bytes as f64 * 8.0 / duration.as_secs_f64(),
    };
    page.number("received", counts.received, &rates(totals.forwarding_rate_pps, bits))?;
    page.number("unique", counts.unique, "")?;
    page.number("lost", totals.lost, &totals.loss_ratio.map(percent).unwrap_or_default())?;
    page.number("duplicates", counts.duplicates, "")?;
    page.number("reordered", counts.reordered, "")?;
    page.number("too late", counts.too_late, noted(counts.too_late, "to be told from duplicates"))?;
    page.number("corrupt", counts.corrupt, noted(counts.corrupt, "counted as lost"))?;
    page.number("foreign", counts.foreign, noted(counts.foreign, "not ours"))
}

/// What is received on several interfaces was sent once, and is to come on each.
fn sent_note(trial: &TrialReport) -> String {
    match trial.spec.interfaces().count() {
        1 => "as the senders say".into(),
        several => format!("as the senders say, once for each of {several} interfaces"),
    }
}

/// Whose receive times, by which clock, how wrong at most.
pub(super) fn timestamps(of: &TimestampReport, received: u64) -> String {
    let TimestampReport { kind, phc, error_ns, without } = *of;
    let error = || error_ns.map_or("error not known".into(), |error| format!("±{error}"));
    let whose = match kind {
        TimestampKind::Kernel => "kernel (software), CLOCK_REALTIME".into(),
        TimestampKind::Application => "application, CLOCK_REALTIME".into(),
        TimestampKind::Hardware if without > 0 && without >= received => {
            "kernel (software), CLOCK_REALTIME; the network card stamped nothing".into()
        }
        TimestampKind::Hardware => {
            format!("hardware, PHC {}, {}", phc.unwrap_or_default(), error())
        }
    };
    let without = match without {
        0 => String::new(),
        all if all >= received => String::new(),
        without => format!("{} without", grouped(without)),
    };
    joined([whose, without])
}

/// Datagrams and bits a second; nothing where a trial was too short to have a rate.
fn rates(datagrams: f64, payload_bits: f64) -> String {
    let bits = match payload_bits {
        0.0 => String::new(),
        bits => format!("{} UDP payload", bits_per_second(bits)),
    };
    let datagrams = match datagrams {
        0.0 => String::new(),
        datagrams => format!("{}/s", per_second(datagrams)),
    };
    joined([datagrams, bits])
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(", ")
}

/// `GRO on`; nothing where it is not known.
fn on_off(name: &str, is_on: Option<bool>) -> String {
    is_on.map_or(String::new(), |is_on| format!("{name} {}", if is_on { "on" } else { "off" }))
}

fn noted(number: u64, note: &str) -> &str {
    if number == 0 { "" } else { note }
}

/// So many threads, and on which cores.
pub(super) fn threads(cpus: &[Option<usize>]) -> String {
    let threads = count(cpus.len() as u64, "thread");
    let cores: Option<Vec<_>> = cpus.iter().map(|cpu| cpu.map(|cpu| cpu.to_string())).collect();
    match cores {
        Some(cores) if cores.len() == 1 => format!("{threads} on core {}", cores[0]),
        Some(cores) if !cores.is_empty() => format!("{threads} on cores {}", cores.join(", ")),
        _ => format!("{threads}, not pinned"),
    }
}

fn write_limits(limits: &[LimitResult], page: &mut Page<'_>) -> io::Result<()> {
    if limits.is_empty() {
        return Ok(());
    }
    page.section("Limits", "a trial fails if")?;
    for LimitResult { limit, measured, held } in limits {
        let outcome = if *held { "held" } else { "FAILED" };
        let measured = measured.as_deref().unwrap_or("nothing");
        page.row(outcome, &format!("{limit}, measured {measured}"))?;
    }
    Ok(())
}

fn write_warnings(report: &RunReport, page: &mut Page<'_>) -> io::Result<()> {
    let warnings = &report.trial.warnings;
    if warnings.is_empty() {
        return Ok(());
    }
    page.section("Warnings", "")?;
    warnings.iter().try_for_each(|warning| page.explained(warning, report))
}

/// Events that a reader should know; who was heard is in a table.
pub(super) fn notable(events: &[Event]) -> Vec<&Event> {
    let heard = |event: &&Event| {
        matches!(
            event.what,
            Happening::StreamHeard { .. }
                | Happening::ResponderHeard { .. }
                | Happening::AskerHeard { .. }
        )
    };
    events.iter().filter(|event| !heard(event)).collect()
}

fn write_events(events: &[Event], page: &mut Page<'_>) -> io::Result<()> {
    const MOST: usize = 10;
    let events = notable(events);
    if events.is_empty() {
        return Ok(());
    }
    page.section("Events", "")?;
    for event in events.iter().take(MOST) {
        page.row(&format!("{:.3} s", event.at_ns.as_secs_f64()), &event.what.to_string())?;
    }
    match events.len().saturating_sub(MOST) {
        0 => Ok(()),
        more => page.paragraph(&format!("... and {more} more (all of them in --report json)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::report::paper::{NARROWEST, WIDEST};

    fn printed(report: &RunReport) -> String {
        printed_in(WIDEST, report)
    }

    fn printed_in(width: usize, report: &RunReport) -> String {
        let mut out = Vec::new();
        write(report, &mut Page::new(&mut out, width)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fits_into_its_columns_and_divides_by_nothing() {
        let all = sample::all();
        for (report, width) in all.iter().flat_map(|report| [(report, NARROWEST), (report, WIDEST)])
        {
            let text = printed_in(width, report);
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{line}");
                assert_eq!(line.trim_end(), line, "blanks at the end");
            }
            for word in ["NaN", "inf ", "inf\n"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }

    #[test]
    fn each_side_alone_prints_its_own() {
        let (send, recv) = (printed(&sample::sender_only()), printed(&sample::receiver_only()));
        assert!(send.contains("\nSender ") && !send.contains("\nReceiver"), "{send}");
        assert!(!recv.contains("\nSender ") && recv.contains("\nReceiver"), "{recv}");
    }

    #[test]
    fn a_clean_run_has_no_patterns_and_delays_without_a_common_clock_are_not_one_way() {
        assert!(!printed(&sample::run()).contains("\nPatterns"));
        let apart = printed(&sample::apart());
        assert!(apart.contains("\nDelay ") && !apart.contains("\nOne-way"), "{apart}");
    }

    #[test]
    fn limits_say_whether_they_held() {
        let report = sample::limited();
        let text = printed(&report);
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (limit, outcome, measured) in [(0, "held", "0 %"), (2, "FAILED", "45.0 µs")] {
            let limit = &report.limits[limit].limit.to_string();
            let line = format!("{outcome} {limit}, measured {measured}");
            assert!(squeezed.contains(&line), "{line}\n{text}");
        }
    }

    #[test]
    fn says_whose_receive_times_they_are() {
        let line = |of: TimestampReport| timestamps(&of, 1_000);
        let of_card = sample::hardware_timestamps();
        assert_eq!(line(of_card), "hardware, PHC 0, ±52 ns, 3 without");
        assert_eq!(line(TimestampReport { without: 0, ..of_card }), "hardware, PHC 0, ±52 ns");
        let lost = TimestampReport { error_ns: None, without: 0, ..of_card };
        assert_eq!(line(lost), "hardware, PHC 0, error not known");
        let none = line(TimestampReport { without: 1_000, ..of_card });
        assert_eq!(none, "kernel (software), CLOCK_REALTIME; the network card stamped nothing");
        let of_kernel = TimestampReport::new(TimestampKind::Kernel);
        assert_eq!(line(of_kernel), "kernel (software), CLOCK_REALTIME");
    }

    #[test]
    fn many_events_are_cut_short() {
        let mut report = sample::run();
        let interrupted = Event { at_ns: Nanos(0), what: Happening::Interrupted };
        report.trial.events = vec![interrupted; 12];
        assert!(printed(&report).contains("... and 2 more"));
    }
}
