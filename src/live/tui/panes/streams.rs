//! A row a stream, a group or a sender: what came of it.

use super::super::rows::{Each, Row, Rows};
use super::super::state::State;
use super::framed;
use crate::units::human::{grouped, si};
use crate::units::text::signed;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Cell, Row as TableRow, Table};

/// So many columns are there however narrow the screen is; of the others, those that fit.
const LEAST: usize = 4;

/// Most blanks before a number, but for one.
const WIDEST_GAP: u16 = 4;

/// Lines that all of them need.
pub(super) fn height(state: &State) -> u16 {
    u16::try_from(state.rows.len()).unwrap_or(u16::MAX).saturating_add(3)
}

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let Rows { each, sort, scrolled, .. } = state.rows;
    let rows = state.rows.sorted();
    let first = scrolled.min(rows.len().saturating_sub(1));
    let seconds = state.last().map_or(1.0, |last| last.length.as_secs_f64());
    // An interval tells of so many streams, and counts all.
    let told: u64 = rows.iter().map(|row| row.counts.received).sum();
    let all = state.total.received.map_or(0, |received| received.counts.received);
    let others = if told < all { ", and others" } else { "" };
    let (each_name, sort, last) = (each.name(), sort.name(), rows.len());
    let title = format!("{each_name} by {sort}, from {} of {last}{others}", first + 1);
    let room = usize::from(area.height.saturating_sub(3));
    let cells = |column: &Column| -> Vec<_> {
        rows.iter().skip(first).take(room).map(|row| (column.text)(row, seconds)).collect()
    };
    let columns: Vec<_> = columns(each).map(|column| (column, cells(column))).collect();
    let widths = widths(&columns, area.width.saturating_sub(2));
    let columns = &columns[..widths.len()];
    let header = columns.iter().map(|(column, _)| column.cell(column.title.to_owned()));
    let row = |row: usize| {
        let cells = columns.iter().map(|(column, cells)| {
            let text = cells[row].clone();
            let is_bad = column.title == "lost" && text != "0";
            column.cell(text).style(if is_bad { state.bad() } else { Style::new() })
        });
        TableRow::new(cells.collect::<Vec<_>>())
    };
    let shown = (rows.len() - first).min(room);
    let table = Table::new((0..shown).map(row), widths)
        .header(TableRow::new(header).style(Style::new().add_modifier(Modifier::BOLD)))
        .block(framed(&title));
    frame.render_widget(table, area);
}

/// How wide the columns are that are shown: each as wide as what is in it.
fn widths(columns: &[(&Column, Vec<String>)], room: u16) -> Vec<u16> {
    let width = |(column, cells): &(&Column, Vec<String>)| {
        let cells = cells.iter().map(String::len).max().unwrap_or(0);
        cells.max(column.title.len()) as u16
    };
    let mut widths: Vec<_> = columns.iter().map(width).collect();
    // With a blank between any two.
    let all = |widths: &[u16]| widths.iter().sum::<u16>() + widths.len() as u16 - 1;
    while widths.len() > LEAST && all(&widths) > room {
        widths.pop();
    }
    // Where a column has no room left, it is the last of the words.
    let words = columns.iter().take_while(|(column, _)| !column.is_number).count();
    let missing = all(&widths).saturating_sub(room);
    widths[words - 1] = widths[words - 1].saturating_sub(missing);
    // What is left over tells the numbers apart.
    let gap = (room.saturating_sub(all(&widths)) / widths.len() as u16).min(WIDEST_GAP);
    widths.iter_mut().skip(words).for_each(|width| *width += gap);
    widths
}

/// A column; the text is of a stream and of the seconds of the last interval.
struct Column {
    title: &'static str,
    is_number: bool,
    text: fn(&Row, f64) -> String,
}

impl Column {
    fn cell(&self, text: String) -> Cell<'static> {
        let alignment = if self.is_number { Alignment::Right } else { Alignment::Left };
        Cell::new(Text::raw(text).alignment(alignment))
    }
}

const fn words(title: &'static str, text: fn(&Row, f64) -> String) -> Column {
    Column { title, is_number: false, text }
}

const fn number(title: &'static str, text: fn(&Row, f64) -> String) -> Column {
    Column { title, is_number: true, text }
}

/// What is told of a row, the most important first.
fn columns(each: Each) -> impl Iterator<Item = &'static Column> {
    let whose: &[Column] = match each {
        Each::Stream => &OF_STREAMS,
        Each::Group => &OF_GROUPS,
        Each::Sender => &OF_SENDERS,
    };
    whose.iter().chain(&COUNTS)
}

const GROUP: Column = words("group", |row, _| row.name.group.destination().to_string());
const STREAMS: Column = number("streams", |row, _| row.streams.to_string());

static OF_STREAMS: [Column; 2] =
    [words("sender", |row, _| format!("{} #{}", row.name.source, row.name.stream)), GROUP];
static OF_GROUPS: [Column; 2] = [GROUP, STREAMS];
static OF_SENDERS: [Column; 2] = [words("sender", |row, _| row.name.source.to_string()), STREAMS];

static COUNTS: [Column; 5] = [
    number("received", |row, _| grouped(row.counts.received)),
    number("lost", |row, _| signed(row.lost)),
    number("per second", |row, seconds| {
        si(if seconds > 0.0 { row.lately as f64 / seconds } else { 0.0 })
    }),
    number("reordered", |row, _| grouped(row.counts.reordered)),
    number("doubled", |row, _| grouped(row.counts.duplicates)),
];
