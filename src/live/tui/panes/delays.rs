//! Percentiles of the delay over time.

use super::super::state::{PERCENTS, State};
use super::{Curve, chart, shown};
use crate::units::Nanos;
use ratatui::Frame;
use ratatui::layout::Rect;

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let curves: Vec<_> = PERCENTS
        .iter()
        .enumerate()
        .map(|(at, (_, name))| {
            let points = shown(state, area.width)
                .filter_map(|moment| Some((moment.end.as_secs_f64(), moment.delay[at]?.0 as f64)));
            Curve { name, points: points.collect() }
        })
        .collect();
    let title = format!("{}:", state.title.delay);
    chart(state, frame, area, &title, &curves, |nanos| Nanos(nanos as u64).to_string());
}
