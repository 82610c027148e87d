//! A glyph an interval: what happened to its datagrams, the last one to the right.

use super::super::state::{Moment, State};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// From this share on a loss is drawn heavier.
const HEAVY: f64 = 0.01;

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width.saturating_sub(2));
    let last = state.moments.iter().skip(state.moments.len().saturating_sub(width));
    let glyphs: Vec<_> = std::iter::once(Span::raw(" "))
        .chain(last.map(|moment| {
            let (glyph, style) = glyph(state, moment);
            Span::styled(glyph, style)
        }))
        .collect();
    let legend =
        Line::styled(" · fine  r reordered  d doubled  x lost  X ≥ 1 %  _ none", state.dim());
    frame.render_widget(Paragraph::new(vec![Line::from(glyphs), legend]), area);
}

/// The worst that happened.
fn glyph(state: &State, moment: &Moment) -> (&'static str, Style) {
    let (lost, counts) = match (moment.received, moment.sent) {
        (Some(received), _) => (received.lost.max(0), received.counts),
        (None, Some(sent)) => {
            let lost = sent.refused.cast_signed() + sent.dropped.max(0);
            let gone = if sent.offered == 0 && lost == 0 { "_" } else { "·" };
            return match lost {
                0 => (gone, state.good()),
                _ => ("x", state.bad()),
            };
        }
        (None, None) => return ("_", state.dim()),
    };
    let share = lost as f64 / (counts.unique as f64 + lost as f64);
    match () {
        () if lost > 0 && share >= HEAVY => ("X", state.bad()),
        () if lost > 0 => ("x", state.bad()),
        () if counts.corrupt + counts.too_late > 0 => ("x", state.bad()),
        () if counts.duplicates > 0 => ("d", state.odd()),
        () if counts.reordered > 0 => ("r", state.odd()),
        () if counts.received == 0 => ("_", state.dim()),
        () => ("·", state.good()),
    }
}
