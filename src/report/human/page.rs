//! Lines of a report: sections, rows of label and value, wrapped text.

use crate::report::warnings::Explained;
use crate::units::human::grouped;
use std::io::{self, Write};

/// Most characters a line.
pub(super) const WIDTH: usize = 80;

const LABEL: usize = 13;
const NUMBER: usize = 13;

/// A page that is written from top to bottom.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Page<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
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
        for cell in cells {
            write!(self.out, "{cell:>11}")?;
        }
        writeln!(self.out)
    }

    /// A line as it is.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", line.trim_end())
    }

    /// Text behind `head`, its further lines indented as far. A word too long for a line is cut.
    pub(super) fn wrapped(&mut self, head: &str, text: &str) -> io::Result<()> {
        let indent = head.chars().count();
        let width = WIDTH - indent;
        let mut line = head.to_string();
        let mut room = width;
        for word in words(text) {
            if room < width && word.chars().count() >= room {
                self.line(&line)?;
                (line, room) = (" ".repeat(indent), width);
            } else if room < width {
                line.push(' ');
                room -= 1;
            }
            for letter in word.chars() {
                if room == 0 {
                    self.line(&line)?;
                    (line, room) = (" ".repeat(indent), width);
                }
                line.push(letter);
                room -= 1;
            }
        }
        self.line(&line)
    }
}

/// The words of a text; a number and its unit are one.
fn words(text: &str) -> Vec<String> {
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
    use proptest::prelude::*;

    fn wrapped(head: &str, text: &str) -> String {
        let mut out = Vec::new();
        Page::new(&mut out).wrapped(head, text).unwrap();
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
                prop_assert!(line.chars().count() <= WIDTH);
            }
            let letters = |text: &str| text.replace(|c: char| !c.is_alphabetic(), "");
            prop_assert_eq!(letters(&lines), letters(&text));
        }
    }
}
