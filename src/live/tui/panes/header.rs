//! What runs, how long already, and the sums.

use super::super::state::State;
use crate::units::Nanos;
use crate::units::human::{grouped, si};
use crate::units::text::{bits_per_second, percent, signed};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// A narrow screen has no room for bits beside what was lost, and less for sums.
const WIDE: u16 = 76;

/// Lines that it needs.
pub(super) fn height(state: &State) -> u16 {
    1 + u16::from(state.total.sent.is_some()) + u16::from(state.total.received.is_some())
}

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let of = state.title.length.map(|length| format!(" of {}", clock(length)));
    let time = format!("{}{}", clock(state.total.end), of.unwrap_or_default());
    let what = &state.title.what;
    let room = usize::from(area.width).saturating_sub(time.len() + 2);
    let what = if what.chars().count() <= room {
        what.clone()
    } else {
        what.chars().take(room.saturating_sub(1)).chain(['…']).collect()
    };
    let title = Line::from(vec![
        Span::styled(format!(" {what:<room$} "), Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(time),
    ]);
    let is_wide = area.width >= WIDE;
    let lines = [Some(title), sent(state, is_wide), received(state, is_wide)];
    frame.render_widget(Paragraph::new(Vec::from_iter(lines.into_iter().flatten())), area);
}

fn sent(state: &State, is_wide: bool) -> Option<Line<'static>> {
    let (total, last) = (state.total.sent?, state.last()?);
    let lately = last.sent.unwrap_or_default();
    let room = sum_width(is_wide);
    let mut spans = vec![
        Span::raw(format!(" sent     {:>room$}", grouped(total.offered))),
        Span::raw(format!("  {:>6}/s", si(last.per_second(lately.offered)))),
    ];
    if is_wide && total.payload_bytes > 0 {
        let bits = bits_per_second(last.per_second(8 * lately.payload_bytes));
        spans.push(Span::raw(format!("  {bits:>12}")));
    }
    if total.refused > 0 {
        spans.push(Span::styled(format!("  refused {}", grouped(total.refused)), state.bad()));
    }
    Some(Line::from(spans))
}

fn received(state: &State, is_wide: bool) -> Option<Line<'static>> {
    let (total, last) = (state.total.received?, state.last()?);
    let lately = last.received.unwrap_or_default();
    let room = sum_width(is_wide);
    let mut spans = vec![
        Span::raw(format!(" received {:>room$}", grouped(total.counts.received))),
        Span::raw(format!("  {:>6}/s", si(last.per_second(lately.counts.received)))),
    ];
    if is_wide && total.payload_bytes > 0 {
        let bits = bits_per_second(last.per_second(8 * lately.payload_bytes));
        spans.push(Span::raw(format!("  {bits:>12}")));
    }
    let all = total.counts.unique.cast_signed() + total.lost;
    let share = if all > 0 { percent(total.lost.max(0) as f64 / all as f64) } else { "-".into() };
    let lost = format!("  lost {} ({share})", signed(total.lost));
    spans.push(Span::styled(lost, state.none_or_bad(total.lost)));
    Some(Line::from(spans))
}

/// Columns for a sum.
fn sum_width(is_wide: bool) -> usize {
    if is_wide { 15 } else { 13 }
}

/// Minutes and seconds, or hours too.
fn clock(time: Nanos) -> String {
    let seconds = time.as_secs_f64() as u64;
    match seconds / 3600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}
