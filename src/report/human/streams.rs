//! A row a stream, when there is more than one.

use super::page::{Page, WIDTH};
use crate::model::report::StreamReport;
use crate::units::human::grouped;
use crate::units::text::percent;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
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
    table(&shown).lines().try_for_each(|line| page.line(&format!(" {line}")))?;
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

fn table(streams: &[&StreamReport]) -> Table {
    const TEXTS: [&str; 3] = ["stream", "group", "on"];
    const NUMBERS: [&str; 6] = ["sent", "unique", "lost", "share", "dup.", "reord."];
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH as u16 - 1)
        .set_header(TEXTS.iter().chain(&NUMBERS));
    for stream in streams {
        let counts = &stream.counts;
        table.add_row([
            format!("{}/{}", stream.session, stream.stream),
            stream.group.clone(),
            stream.interface.clone().unwrap_or_default(),
            stream.sent.map_or("?".into(), grouped),
            grouped(counts.unique),
            grouped(stream.lost),
            stream.loss_ratio.map(percent).unwrap_or_default(),
            grouped(counts.duplicates),
            grouped(counts.reordered),
        ]);
    }
    for column in table.column_iter_mut().skip(TEXTS.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let on: BTreeSet<_> = streams.iter().map(|stream| &stream.interface).collect();
    if let Some(column) = table.column_mut(2).filter(|_| on.len() < 2) {
        column.set_constraint(ColumnConstraint::Hidden);
    }
    table
}
