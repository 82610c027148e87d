//! What a report is written on.

use std::io::Write;

/// Characters a line where nothing else is known, and at most: longer lines are hard to read.
pub const WIDEST: usize = 80;

/// Characters a line at least. On a terminal that is narrower still, the terminal breaks lines.
pub const NARROWEST: usize = 60;

/// Takes a report, and says what fits into a line of it. Formats that are not for people need not care.
pub struct Paper {
    /// Takes the bytes.
    pub out: Box<dyn Write + Send>,
    /// Characters a line, from [`NARROWEST`] to [`WIDEST`].
    pub width: usize,
}

impl Paper {
    /// A file or a pipe.
    pub fn endless(out: Box<dyn Write + Send>) -> Self {
        Self { out, width: WIDEST }
    }

    /// A terminal of so many columns.
    pub fn of_columns(out: Box<dyn Write + Send>, columns: usize) -> Self {
        Self { out, width: columns.clamp(NARROWEST, WIDEST) }
    }
}
