//! A row a stream, when there is more than one.

use super::page::Page;
use super::table;
use crate::model::report::StreamReport;
use crate::units::human::grouped;
use crate::units::text::percent;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Most rows; whoever wants more reads them by machine.
const MOST: usize = 20;

pub(super) fn write(streams: &[StreamReport], page: &mut Page<'_>) -> io::Result<()> {
    if streams.len() < 2 {
        return Ok(());
    }
    let mut shown: Vec<_> = streams.iter().collect();
    let mut about = streams.len().to_string();
    if shown.len() > MOST {
        shown.sort_by_key(|stream| Reverse(stream.lost));
        shown.truncate(MOST);
        about = format!("{about}, the {MOST} that lost most");
    }
    page.section("Streams", &about)?;
    write_table(&shown, page)?;
    if let more @ 1.. = streams.len() - shown.len() {
        page.paragraph(&format!("... and {more} more (all of them in --report json)"))?;
    }
    // Once a sender, because beside each stream there is no room for it.
    let senders: BTreeMap<_, _> =
        shown.iter().map(|stream| (&stream.session, &stream.source)).collect();
    senders.iter().try_for_each(|(session, source)| {
        page.paragraph(&format!("{session} is the sender at {source}"))
    })
}

/// Interfaces have a column where there are several.
fn write_table(streams: &[&StreamReport], page: &mut Page<'_>) -> io::Result<()> {
    let on: BTreeSet<_> = streams.iter().map(|stream| &stream.interface).collect();
    let has_on = on.len() > 1;
    let header: Vec<_> = ["stream", "group"]
        .into_iter()
        .chain(has_on.then_some("on"))
        .chain(["sent", "unique", "lost", "share", "dup.", "reord."])
        .collect();
    let rows = streams.iter().map(|stream| {
        let counts = &stream.counts;
        let on = has_on.then(|| stream.interface.clone().unwrap_or_default());
        let numbers = [
            stream.sent.map_or("?".into(), grouped),
            grouped(counts.unique),
            grouped(stream.lost),
            stream.loss_ratio.map(percent).unwrap_or_default(),
            grouped(counts.duplicates),
            grouped(counts.reordered),
        ];
        [format!("{}/{}", stream.session, stream.stream), stream.group.clone()]
            .into_iter()
            .chain(on)
            .chain(numbers)
            .collect()
    });
    table::write(&header, 2 + usize::from(has_on), &rows.collect::<Vec<_>>(), page)
}
