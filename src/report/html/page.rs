//! The page as it is written: one file that needs no other. Whatever comes from outside is escaped here.

use super::palette::{self, Colour};
use super::plot::Caption;
use std::fmt::Write;

/// A page that is written from top to bottom. What is between tags is the program's own text, of the lines that
/// call it; everything else goes through [`Page::text`].
pub(super) struct Page {
    html: String,
    /// Figures so far: what names one must be unique on the page.
    figures: usize,
}

/// Nothing is loaded and nothing runs, even if something got in here unescaped.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Page {
    /// The head of the page.
    pub(super) fn new(title: &str) -> Self {
        let mut page = Self { html: String::new(), figures: 0 };
        page.open("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">");
        page.line(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">"));
        page.line("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        page.line("<meta name=\"color-scheme\" content=\"light dark\">");
        page.element("title", title);
        page.line("<style>");
        page.line(&palette::rules());
        page.line(include_str!("style.css"));
        page.line("</style>\n</head>\n<body>\n<main>");
        page
    }

    /// The end of it.
    pub(super) fn finish(mut self) -> String {
        self.line("</main>\n</body>\n</html>");
        self.html
    }

    fn line(&mut self, html: &str) {
        self.html.push_str(html);
        self.html.push('\n');
    }

    /// A tag as it stands.
    pub(super) fn open(&mut self, tag: &'static str) {
        self.line(tag);
    }

    /// The end of an element.
    pub(super) fn close(&mut self, tag: &'static str) {
        self.line(tag);
    }

    /// Text of whatever origin.
    pub(super) fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '<' => self.html.push_str("&lt;"),
                '>' => self.html.push_str("&gt;"),
                '&' => self.html.push_str("&amp;"),
                '"' => self.html.push_str("&quot;"),
                '\'' => self.html.push_str("&#39;"),
                '\n' | '\t' => self.html.push(letter),
                // No character of HTML.
                letter if letter.is_control() => self.html.push('\u{FFFD}'),
                letter => self.html.push(letter),
            }
        }
    }

    /// Text in an element.
    pub(super) fn element(&mut self, tag: &'static str, text: &str) {
        let _ = write!(self.html, "<{tag}>");
        self.text(text);
        let _ = writeln!(self.html, "</{tag}>");
    }

    /// The same with a class.
    pub(super) fn classed(&mut self, tag: &'static str, class: &'static str, text: &str) {
        let _ = write!(self.html, "<{tag} class=\"{class}\">");
        self.text(text);
        let _ = writeln!(self.html, "</{tag}>");
    }

    /// Begins a section with its headline.
    pub(super) fn section(&mut self, title: &str) {
        self.open("<section>");
        self.element("h2", title);
    }

    /// Labels with something beside them; those with nothing are left out.
    pub(super) fn rows<'a>(&mut self, rows: impl IntoIterator<Item = (&'a str, String)>) {
        self.open("<dl>");
        for (label, text) in rows.into_iter().filter(|(_, text)| !text.is_empty()) {
            self.element("dt", label);
            self.element("dd", &text);
        }
        self.close("</dl>");
    }

    /// The most important numbers, each below its name.
    pub(super) fn tiles(&mut self, tiles: &[(String, String)]) {
        if tiles.is_empty() {
            return;
        }
        self.open("<dl class=\"tiles\">");
        for (name, value) in tiles {
            self.open("<div>");
            self.element("dt", name);
            self.element("dd", value);
            self.close("</div>");
        }
        self.close("</dl>");
    }

    /// A table of numbers; the first column names its row. On a narrow screen it scrolls by itself.
    pub(super) fn table(&mut self, caption: &str, head: &[&str], rows: &[Vec<String>]) {
        self.open("<div class=\"scroll\" tabindex=\"0\">\n<table>");
        self.cells(caption, head, rows);
        self.close("</div>");
    }

    /// A table whose last column is text.
    pub(super) fn noted_table(&mut self, caption: &str, head: &[&str], rows: &[Vec<String>]) {
        self.open("<table class=\"noted\">");
        self.cells(caption, head, rows);
    }

    fn cells(&mut self, caption: &str, head: &[&str], rows: &[Vec<String>]) {
        self.element("caption", caption);
        self.open("<thead><tr>");
        for name in head {
            self.html.push_str("<th scope=\"col\">");
            self.text(name);
            self.line("</th>");
        }
        self.open("</tr></thead>\n<tbody>");
        for row in rows {
            self.html.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let (open, close) = match column {
                    0 => ("<th scope=\"row\">", "</th>"),
                    _ => ("<td>", "</td>"),
                };
                self.html.push_str(open);
                self.text(cell);
                self.html.push_str(close);
            }
            self.line("</tr>");
        }
        self.close("</tbody>\n</table>");
    }

    /// A whole as a bar of its parts. Parts that are there are seen, however small.
    pub(super) fn bar(&mut self, parts: &[(Colour, &str, u64)]) {
        // Numbers of a file need not be such that they can be added up.
        let all: f64 = parts.iter().map(|(_, _, count)| *count as f64).sum();
        if all == 0.0 {
            return;
        }
        let shown = || parts.iter().filter(|(_, _, count)| *count > 0);
        self.open("<div class=\"bar\" aria-hidden=\"true\">");
        for (colour, _, count) in shown() {
            let share = 100.0 * *count as f64 / all;
            let name = colour.name;
            let _ = writeln!(
                self.html,
                "<span style=\"width:{share:.3}%;background:var(--{name})\"></span>"
            );
        }
        self.close("</div>");
        self.open("<ul class=\"legend\">");
        for (colour, name, count) in parts {
            self.open("<li>");
            self.swatch(*colour);
            self.text(&format!("{name} {}", crate::units::human::grouped(*count)));
            self.close("</li>");
        }
        self.close("</ul>");
    }

    /// A spot of a colour, beside what it means.
    pub(super) fn swatch(&mut self, colour: Colour) {
        let name = colour.name;
        let _ = write!(self.html, "<i style=\"background:var(--{name})\"></i>");
    }

    /// A drawing whose places are `scale` to a pixel.
    pub(super) fn drawing(
        &mut self,
        class: &'static str,
        (width, height): (u32, u32),
        scale: u32,
        caption: &Caption,
        drawn: &str,
    ) {
        self.figures += 1;
        let id = self.figures;
        let _ = writeln!(
            self.html,
            "<svg class=\"{class}\" viewBox=\"0 0 {} {}\" role=\"img\" \
             aria-labelledby=\"t{id} d{id}\">",
            width * scale,
            height * scale,
        );
        let _ = write!(self.html, "<title id=\"t{id}\">");
        self.text(&caption.title);
        let _ = write!(self.html, "</title><desc id=\"d{id}\">");
        self.text(&caption.description);
        self.line("</desc>");
        self.line(drawn);
        self.line("</svg>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_text() {
        let mut page = Page::new("<script>alert(1)</script>");
        page.element("p", "a & b \"c\" 'd' \u{0}\u{1b}[31m </p><img src=x>");
        page.table("</caption>", &["<th>"], &[vec!["</td><b>".into()]]);
        let html = page.finish();
        for tag in ["<script", "<img", "</caption></", "<b>", "\u{1b}", "\u{0}"] {
            assert!(!html.contains(tag), "{tag:?}");
        }
        assert!(html.contains("a &amp; b &quot;c&quot; &#39;d&#39; \u{FFFD}\u{FFFD}[31m"));
    }
}
