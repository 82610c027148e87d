//! Datagrams a second over time, sent and received.

use super::super::state::{Moment, State};
use super::{Curve, chart, shown};
use crate::units::human::si;
use ratatui::Frame;
use ratatui::layout::Rect;

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
    chart(state, frame, area, "Datagrams a second:", &curves, si);
}
