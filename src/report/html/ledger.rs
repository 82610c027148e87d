//! What became of every datagram, in all and by stream.

use super::page::Page;
use super::palette::{CAME, ELSEWHERE, HOST, SOCKET};
use super::sections;
use crate::model::report::{RunReport, SenderReport, StreamReport, Totals, TrialReport};
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::{bits_per_second, per_second, percent};
use std::cmp::Reverse;

pub(super) fn write(report: &RunReport, page: &mut Page) {
    let trial = &report.trial;
    page.section("Ledger");
    if let Some(totals) = &trial.totals {
        let by = totals.lost_by;
        page.bar(&[
            (CAME, "unique", totals.counts.unique),
            (SOCKET, "lost by own socket", by.receiver_socket),
            (HOST, "lost by own host", by.receiver_host),
            (ELSEWHERE, "lost elsewhere", by.elsewhere),
        ]);
    }
    let mut rows = Vec::new();
    rows.extend(trial.sender.iter().flat_map(sent));
    rows.extend(trial.totals.iter().flat_map(|totals| received(totals, trial)));
    let rows: Vec<_> =
        rows.into_iter().map(|(name, count, note)| vec![name.to_owned(), count, note]).collect();
    page.noted_table("Datagrams, by what became of them", &["", "datagrams", ""], &rows);
    if trial.totals.as_ref().is_some_and(|totals| totals.sent.is_none()) {
        page.classed(
            "p",
            "note",
            "Not all senders said how many datagrams they sent: what was lost at the end is not known.",
        );
    }
    page.close("</section>");
}

type Row = (&'static str, String, String);

fn sent(sender: &SenderReport) -> [Row; 3] {
    let counts = &sender.counts;
    let intended = sender.intended_load_pps.map_or("as fast as possible".into(), a_second);
    let refused =
        counts.refused.iter().map(|(errno, count)| format!("{errno} {}", grouped(*count)));
    let offered = [a_second(sender.offered_load_pps), payload(sender.offered_load_bps)];
    [
        ("intended", grouped(counts.intended), intended),
        ("offered", grouped(counts.offered), joined(offered)),
        ("refused", grouped(counts.refused_total()), refused.collect::<Vec<_>>().join(", ")),
    ]
}

fn received(totals: &Totals, trial: &TrialReport) -> [Row; 9] {
    let counts = &totals.counts;
    let bits = match trial.duration_ns {
        Nanos(0) => 0.0,
        duration => totals.payload_bytes as f64 * 8.0 / duration.as_secs_f64(),
    };
    let rate = joined([a_second(totals.forwarding_rate_pps), payload(bits)]);
    let plain = |name, count: u64, note: &str| (name, grouped(count), note.to_owned());
    [
        ("sent", totals.sent.map_or("not known".into(), grouped), "as the senders say".into()),
        ("received", grouped(counts.received), rate),
        plain("unique", counts.unique, "first copies"),
        ("lost", grouped(totals.lost), totals.loss_ratio.map(percent).unwrap_or_default()),
        plain("duplicates", counts.duplicates, "further copies"),
        plain("reordered", counts.reordered, "of the unique"),
        plain("too late", counts.too_late, "to be told from duplicates"),
        plain("corrupt", counts.corrupt, "counted as lost"),
        plain("foreign", counts.foreign, "not ours"),
    ]
}

fn a_second(rate: f64) -> String {
    if rate == 0.0 { String::new() } else { format!("{}/s", per_second(rate)) }
}

fn payload(bits: f64) -> String {
    if bits == 0.0 { String::new() } else { format!("{} UDP payload", bits_per_second(bits)) }
}

fn joined(parts: [String; 2]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// A row a stream, those that lost most first.
pub(super) fn streams(streams: &[StreamReport], page: &mut Page) {
    if streams.len() < 2 {
        return;
    }
    page.section("Streams");
    let mut shown: Vec<_> = streams.iter().collect();
    shown.sort_by_key(|stream| Reverse(stream.lost));
    let rows = shown.iter().map(|stream| {
        let counts = &stream.counts;
        vec![
            format!("{}/{}", stream.session, stream.stream),
            format!("{}:{}", stream.group, stream.port),
            stream.source.clone(),
            stream.sent.map_or("not known".into(), grouped),
            grouped(counts.unique),
            grouped(stream.lost),
            stream.loss_ratio.map(percent).unwrap_or_default(),
            grouped(counts.duplicates),
            grouped(counts.reordered),
        ]
    });
    let head =
        ["stream", "group", "source", "sent", "unique", "lost", "share", "duplicates", "reordered"];
    let caption = format!("{} streams, those that lost most first", grouped(streams.len() as u64));
    sections::long_table(&caption, &head, rows, page);
    page.close("</section>");
}
