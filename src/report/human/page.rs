//! Lines of a report: sections, rows of label and value, wrapped text.

use crate::report::warnings::Explained;
use crate::units::human::grouped;
use std::io::{self, Write};

const LABEL: usize = 13;
const NUMBER: usize = 13;
const CELL: usize = 11;

/// A page that is written from top to bottom.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    /// Most characters a line.
    width: usize,
}

impl<'a> Page<'a> {
    pub(super) fn new(out: &'a mut dyn Write, width: usize) -> Self {
        Self { out, width }
    }

    /// Most characters a line.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// A blank line and a headline with something about it.
    pub(super) fn section(&mut self, title: &str, about: &str) -> io::Result<()> {
        writeln!(self.out)?;
        self.wrapped(&format!("{title:<width$}", width = LABEL + 2), about)
    }

    /// A number with a note beside it.
    pub(super) fn number(&mut self, label: &str, number: u64, note: &str) -> io::Result<()> {
        self.text(label, &grouped(number), note)
    }

    /// The same with something that is no number.
    pub(super) fn text(&mut self, label: &str, value: &str, note: &str) -> io::Result<()> {
        self.wrapped(&format!("  {label:<LABEL$}{value:>NUMBER$}   "), note)
    }

    /// A label with text beside it.
    pub(super) fn row(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.wrapped(&format!("  {label:<LABEL$}"), text)
    }

    /// Text that stands alone.
    pub(super) fn paragraph(&mut self, text: &str) -> io::Result<()> {
        self.wrapped("  ", text)
    }

    /// What it means, and on lines of its own what to do.
    pub(super) fn explained<T>(&mut self, what: &dyn Explained<T>, report: &T) -> io::Result<()> {
        self.wrapped("  - ", &what.sentence())?;
        self.wrapped("    -> ", &what.advice(report))
    }

    /// Cells of equal width, aligned to the right.
    pub(super) fn columns(&mut self, cells: &[String]) -> io::Result<()> {
        let width = CELL.min(self.width / cells.len());
        for cell in cells {
            write!(self.out, "{cell:>width$}")?;
        }
        writeln!(self.out)
    }

    /// A line as it is.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", line.trim_end())
    }

    /// Text behind `head`, as [`lines()`] breaks it.
    pub(super) fn wrapped(&mut self, head: &str, text: &str) -> io::Result<()> {
        lines(head, text, self.width).iter().try_for_each(|line| self.line(line))
    }
}

/// Text behind `head`, in lines of `width` characters, the further ones indented as far. A word too long for a line is
/// cut.
pub(in crate::report) fn lines(head: &str, text: &str, width: usize) -> Vec<String> {
    let indent = head.chars().count();
    let width = width - indent;
    let mut lines = Vec::new();
    let mut line = head.to_string();
    let mut room = width;
    for word in words(text) {
        if room < width && word.chars().count() >= room {
            lines.push(line);
            (line, room) = (" ".repeat(indent), width);
        } else if room < width {
            line.push(' ');
            room -= 1;
        }
        for letter in word.chars() {
            if room == 0 {
                lines.push(line);
                (line, room) = (" ".repeat(indent), width);
            }
            line.push(letter);
            room -= 1;
        }
    }
    lines.push(line);
    lines
}

/// The words of a text; a number and its unit are one.
pub(in crate::report) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(number) if number.ends_with(|last: char| last.is_ascii_digit()) => {
                *number = format!("{number} {word}");
            }
            _ => words.push(word.into()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::paper::WIDEST;
    use proptest::prelude::*;

    fn wrapped(head: &str, text: &str) -> String {
        let mut out = Vec::new();
        Page::new(&mut out, WIDEST).wrapped(head, text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn further_lines_are_indented() {
        let text = wrapped("  - ", &"abcdefghij ".repeat(8));
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().nth(1).unwrap().starts_with("    abcdefghij"), "{text}");
    }

    #[test]
    fn a_number_keeps_its_unit() {
        let text = wrapped("", &format!("{} 8.42 Gbit/s", "x".repeat(71)));
        assert!(text.ends_with("\n8.42 Gbit/s\n"), "{text}");
    }

    proptest! {
        #[test]
        fn wrapping_loses_nothing(text in "[a-zµ]{0,90}( [a-zµ]{1,30}){0,30}") {
            let lines = wrapped("  - ", &text);
            for line in lines.lines() {
                prop_assert!(line.chars().count() <= WIDEST);
            }
            let letters = |text: &str| text.replace(|c: char| !c.is_alphabetic(), "");
            prop_assert_eq!(letters(&lines), letters(&text));
        }
    }
}
