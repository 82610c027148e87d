//! A row a stream: which sender, which group, what came of it.

use super::super::state::{Row, State};
use super::framed;
use crate::units::human::{grouped, si};
use crate::units::text::signed;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Cell, Row as TableRow, Table};

/// A narrow screen shows those columns alone that fit.
const WIDE: u16 = 76;

/// Lines that all of them need.
pub(super) fn height(state: &State) -> u16 {
    u16::try_from(state.rows().len()).unwrap_or(u16::MAX).saturating_add(3)
}

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let rows = state.rows();
    let first = state.scrolled.min(rows.len().saturating_sub(1));
    let seconds = state.last().map_or(1.0, |last| last.length.as_secs_f64());
    let sort = state.sort.name();
    let title = format!("Streams by {sort}, from {} of {}", first + 1, rows.len());
    let fit = if area.width >= WIDE { COLUMNS.len() } else { 4 };
    let columns = &COLUMNS[..fit];
    let header = columns.iter().map(|column| cell(column.title.into(), column.is_number()));
    let cells = |row: &Row| {
        let cells = columns.iter().map(|column| {
            let style =
                if column.title == "lost" { state.none_or_bad(row.lost) } else { Style::new() };
            cell((column.text)(row, seconds), column.is_number()).style(style)
        });
        TableRow::new(cells.collect::<Vec<_>>())
    };
    let widths = columns.iter().map(|column| column.width);
    let table = Table::new(rows.iter().skip(first).map(cells), widths)
        .header(TableRow::new(header).style(Style::new().add_modifier(Modifier::BOLD)))
        .block(framed(&title));
    frame.render_widget(table, area);
}

/// A column; the text is of a stream and of the seconds of the last interval.
struct Column {
    title: &'static str,
    width: Constraint,
    text: fn(&Row, f64) -> String,
}

impl Column {
    fn is_number(&self) -> bool {
        matches!(self.width, Constraint::Length(_))
    }
}

const fn column(title: &'static str, width: Constraint, text: fn(&Row, f64) -> String) -> Column {
    Column { title, width, text }
}

static COLUMNS: [Column; 7] = [
    column("sender", Constraint::Fill(2), |row, _| {
        format!("{} #{}", row.name.source, row.name.stream)
    }),
    column("group", Constraint::Fill(3), |row, _| row.name.group.destination().to_string()),
    column("received", Constraint::Length(11), |row, _| grouped(row.counts.received)),
    column("lost", Constraint::Length(8), |row, _| signed(row.lost)),
    column("a second", Constraint::Length(8), |row, seconds| {
        si(if seconds > 0.0 { row.lately as f64 / seconds } else { 0.0 })
    }),
    column("reord.", Constraint::Length(6), |row, _| grouped(row.counts.reordered)),
    column("dup.", Constraint::Length(5), |row, _| grouped(row.counts.duplicates)),
];

fn cell(text: String, is_number: bool) -> Cell<'static> {
    let alignment = if is_number { Alignment::Right } else { Alignment::Left };
    Cell::new(Text::raw(text).alignment(alignment))
}
