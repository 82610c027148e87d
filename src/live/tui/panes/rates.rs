//! Datagrams a second over time, sent and received.

use super::super::state::{Moment, State};
use super::{Curve, chart, shown};
use crate::units::human::si;
use ratatui::Frame;
use ratatui::layout::Rect;

/// A narrow pane has no room for the whole title.
const WIDE: u16 = 37;

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let curve = |name, count: fn(&Moment) -> Option<u64>| {
        let points = shown(state, area.width).filter_map(|moment| {
            Some((moment.end.as_secs_f64(), moment.per_second(count(moment)?)))
        });
        Curve { name, points: points.collect() }
    };
    let curves = [
        curve("sent", |moment| Some(moment.sent?.offered)),
        curve("received", |moment| Some(moment.received?.counts.received)),
    ];
    let curves: Vec<_> = curves.into_iter().filter(|curve| !curve.points.is_empty()).collect();
    let title = if area.width >= WIDE { "Datagrams a second:" } else { "A second:" };
    chart(state, frame, area, title, &curves, si);
}
