//! What happened, the last below.

use super::super::state::State;
use super::framed;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Columns of the frame and of the time.
pub(in super::super) const BESIDE: usize = 2 + 12;

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let room = usize::from(area.height.saturating_sub(2));
    let last = state.events.iter().skip(state.events.len().saturating_sub(room));
    let lines: Vec<_> = last
        .map(|(at, text)| {
            let time = format!(" {:>7.1} s  ", at.as_secs_f64());
            Line::from(vec![Span::styled(time, state.dim()), Span::raw(text.as_str())])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(framed("Events")), area);
}
