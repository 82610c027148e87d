//! Where the loss happened, and what else was not as it should be.

use super::super::state::State;
use super::framed;
use crate::units::human::grouped;
use crate::units::text::signed;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Lines that it needs.
pub(super) fn height(state: &State) -> u16 {
    match (state.total.sent, state.total.received) {
        (None, None) => 0,
        (Some(_), Some(received)) if received.lost_by.is_some() => 5,
        (_, Some(_)) => 4,
        (Some(_), None) => 3,
    }
}

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = vec![];
    let part = |name: &str, count: i64| {
        Span::styled(format!(" {name} {} ", signed(count)), state.none_or_bad(count))
    };
    if let Some(sent) = state.total.sent {
        lines.push(Line::from(vec![
            part("refused by the kernel", sent.refused.cast_signed()),
            part("dropped by a queue of the sender", sent.dropped),
        ]));
    }
    if let Some(received) = state.total.received {
        if let Some(by) = received.lost_by {
            lines.push(Line::from(vec![
                part("on the way", by.elsewhere),
                part("in this host", by.receiver_host),
                part("at our socket", by.receiver_socket),
            ]));
        }
        let counts = received.counts;
        let odd = |name: &str, count: u64| {
            let style = if count == 0 { state.dim() } else { state.odd() };
            Span::styled(format!(" {name} {} ", grouped(count)), style)
        };
        lines.push(Line::from(vec![
            odd("reordered", counts.reordered),
            odd("doubled", counts.duplicates),
            odd("corrupt", counts.corrupt),
            odd("foreign", counts.foreign),
            odd("outstanding", received.outstanding),
        ]));
    }
    frame.render_widget(Paragraph::new(lines).block(framed("Lost, and where")), area);
}
