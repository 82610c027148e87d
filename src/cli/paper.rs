//! How wide the terminal is that standard output goes to.

use crate::report::paper::Paper;
use ratatui::crossterm::terminal::window_size;
use std::io::{self, IsTerminal};

/// Standard output, as wide as its terminal.
pub(super) fn stdout() -> Paper {
    let out = Box::new(io::stdout());
    match columns() {
        Some(columns) => Paper::of_columns(out, columns),
        None => Paper::endless(out),
    }
}

/// Columns of the terminal that standard output goes to; `None` where it goes elsewhere, or the terminal does not say.
pub(super) fn columns() -> Option<usize> {
    columns_of(&io::stdout())
}

/// The same of another stream.
pub(super) fn columns_of(out: &impl IsTerminal) -> Option<usize> {
    let size = out.is_terminal().then(window_size).and_then(Result::ok);
    size.map(|size| usize::from(size.columns)).filter(|columns| *columns > 0)
}
