//! Tables: columns that name a row, and columns of numbers beside them.

use super::page::Page;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::io;

/// Blanks around a column, both sides together.
const PADDING: usize = 2;

/// Writes a table, its columns from number `texts` on aligned to the right. Those that do not fit beside the others
/// come below them, with the names again.
pub(super) fn write(
    header: &[&str],
    texts: usize,
    rows: &[Vec<String>],
    page: &mut Page<'_>,
) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().flat_map(|row| row[column].lines());
        let widest = cells.chain([header[column]]).map(|cell| cell.chars().count()).max();
        widest.unwrap_or_default() + PADDING
    };
    let names: usize = (0..texts).map(width).sum();
    let mut rest = texts..header.len();
    while !rest.is_empty() {
        let mut used = names;
        let fitting = rest.clone().take_while(|column| {
            used += width(*column);
            used < page.width()
        });
        // One at least, however wide it is.
        let end = (rest.start + fitting.count()).max(rest.start + 1);
        part(header, texts, rows, (rest.start, end), page)?;
        rest.start = end;
    }
    Ok(())
}

/// The names, and the numbers of columns `from` to `to`.
fn part(
    header: &[&str],
    texts: usize,
    rows: &[Vec<String>],
    (from, to): (usize, usize),
    page: &mut Page<'_>,
) -> io::Result<()> {
    let shown = || (0..texts).chain(from..to);
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(page.width() as u16 - 1)
        .set_header(shown().map(|column| header[column]))
        .add_rows(rows.iter().map(|row| shown().map(|column| row[column].clone())));
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().try_for_each(|line| page.line(&format!(" {line}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(width: usize) -> String {
        let mut out = Vec::new();
        let numbers = ["1,000,000", "2,000,000", "3,000,000", "4,000,000"].map(String::from);
        let row: Vec<_> = [String::from("one")].into_iter().chain(numbers).collect();
        let header = ["", "sent", "unique", "received", "lost"];
        write(&header, 1, &[row], &mut Page::new(&mut out, width)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_does_not_fit_comes_below() {
        assert_eq!(written(60).lines().count(), 2);
        let narrow = written(30);
        assert_eq!(
            narrow.split_whitespace().collect::<Vec<_>>().join(" "),
            "sent unique one 1,000,000 2,000,000 received lost one 3,000,000 4,000,000"
        );
        assert!(narrow.lines().all(|line| line.chars().count() <= 30), "{narrow}");
    }
}
