//! Where the loss happened, and what else was not as it should be.

use super::super::state::State;
use super::framed;
use crate::units::human::grouped;
use crate::units::text::signed;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Lines that it needs at this width.
pub(super) fn height(state: &State, width: u16) -> u16 {
    match lines(state, width).len() {
        0 => 0,
        lines => lines as u16 + 2,
    }
}

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let lines = lines(state, area.width);
    frame.render_widget(Paragraph::new(lines).block(framed("Lost, and where")), area);
}

fn lines(state: &State, width: u16) -> Vec<Line<'static>> {
    let mut lines = vec![];
    let room = usize::from(width.saturating_sub(2));
    let part = |name: &str, count: i64| {
        Span::styled(format!(" {name} {} ", signed(count)), state.none_or_bad(count))
    };
    if let Some(sent) = state.total.sent {
        let parts = [
            part("refused by the kernel", sent.refused.cast_signed()),
            part("dropped by a queue of the sender", sent.dropped),
        ];
        flow(&mut lines, parts, room);
    }
    if let Some(received) = state.total.received {
        if let Some(by) = received.lost_by {
            let parts = [
                part("on the way", by.elsewhere),
                part("in this host", by.receiver_host),
                part("at our socket", by.receiver_socket),
            ];
            flow(&mut lines, parts, room);
        }
        let counts = received.counts;
        let odd = |name: &str, count: u64| {
            let style = if count == 0 { state.dim() } else { state.odd() };
            Span::styled(format!(" {name} {} ", grouped(count)), style)
        };
        let parts = [
            odd("reordered", counts.reordered),
            odd("doubled", counts.duplicates),
            odd("corrupt", counts.corrupt),
            odd("foreign", counts.foreign),
            odd("outstanding", received.outstanding),
        ];
        flow(&mut lines, parts, room);
    }
    lines
}

/// Begins a line, and another where a part has no room.
fn flow<const N: usize>(lines: &mut Vec<Line<'static>>, parts: [Span<'static>; N], room: usize) {
    lines.push(Line::default());
    for part in parts {
        let line = lines.last().map_or(0, Line::width);
        // The blank at the end may be missing.
        if line > 0 && line + part.width() > room + 1 {
            lines.push(Line::default());
        }
        lines.last_mut().expect("one was pushed").push_span(part);
    }
}
