//! What is where on the screen. A pane is a file here, and a line in [`draw`].

mod delays;
pub(super) mod events;
mod header;
mod loss;
mod rates;
mod streams;
mod strip;

use super::state::State;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType};

/// From this width on two charts are side by side anyway.
const WIDE: u16 = 100;

/// Lines that a chart needs.
const CHART: u16 = 6;

/// With so many lines beside those that are always there, charts may be one below the other: streams and events have room
/// beside them.
const TALL: u16 = 2 * CHART + 9;

/// Draws everything that has room.
pub(super) fn draw(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let has_streams = state.total.received.is_some() && !state.rows.is_empty();
    let loss_height = loss::height(state, area.width);
    let fixed = header::height(state) + 2 + loss_height + 1;
    let rest = area.height.saturating_sub(fixed);
    let charts = if area.width >= WIDE || rest < TALL { 1 } else { 2 };
    // Streams have no more than they fill; of what they leave, the events have a third.
    let streams_height = match has_streams {
        true => streams::height(state).min(rest / 2).min(rest.saturating_sub(CHART * charts + 3)),
        false => 0,
    };
    let chart_height = ((rest - streams_height) * 2 / 3 / charts).clamp(CHART, 14);
    let [header, strip, charts_area, loss, streams, events, keys] = Layout::vertical([
        Constraint::Length(header::height(state)),
        Constraint::Length(2),
        Constraint::Length(charts * chart_height),
        Constraint::Length(loss_height),
        Constraint::Length(streams_height),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(state, frame, header);
    strip::draw(state, frame, strip);
    let [left, right] = match charts {
        1 => Layout::horizontal([Constraint::Fill(1); 2]).areas(charts_area),
        _ => Layout::vertical([Constraint::Fill(1); 2]).areas(charts_area),
    };
    rates::draw(state, frame, left);
    delays::draw(state, frame, right);
    loss::draw(state, frame, loss);
    if has_streams {
        streams::draw(state, frame, streams);
    }
    events::draw(state, frame, events);
    let hint = match state.is_ending {
        true => " ending, waiting for stragglers; q again ends at once",
        false if !has_streams => " q ends",
        false => " q ends   s sorts   g streams, groups, senders   ↑ ↓ scroll",
    };
    frame.render_widget(Line::styled(hint, state.dim()), keys);
}

/// What means what, with colours and without.
impl State {
    fn style(&self, colour: Color) -> Style {
        if self.has_colours { Style::new().fg(colour) } else { Style::new() }
    }

    /// As it should be.
    fn good(&self) -> Style {
        self.style(Color::Green)
    }

    /// Worth a look.
    fn odd(&self) -> Style {
        self.style(Color::Yellow)
    }

    /// Lost.
    fn bad(&self) -> Style {
        self.style(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Beside the point.
    fn dim(&self) -> Style {
        self.style(Color::DarkGray)
    }

    /// Lines of a chart, in order.
    fn line(&self, number: usize) -> Style {
        self.style([Color::Cyan, Color::Yellow, Color::Magenta][number % 3])
    }

    /// [`State::good`] for none, [`State::bad`] for some.
    fn none_or_bad(&self, count: i64) -> Style {
        if count == 0 { self.good() } else { self.bad() }
    }
}

fn framed(title: &str) -> Block<'_> {
    Block::bordered().title(Line::from(format!(" {title} ")))
}

/// A line of a chart: its name, and a value an interval where there is one.
struct Curve {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// Lines over time, from zero to the highest point.
fn chart(
    state: &State,
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    curves: &[Curve],
    unit: impl Fn(f64) -> String,
) {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let Some((from, to)) = points().map(|point| point.0).fold(None, |range, x| match range {
        None => Some((x, x)),
        Some((from, to)) => Some((x.min(from), x.max(to))),
    }) else {
        return frame.render_widget(framed(title), area);
    };
    let top = points().map(|point| point.1).fold(0.0, f64::max);
    let top = if top > 0.0 { top * 1.05 } else { 1.0 };
    // A character is two dots wide and four high.
    let datasets = curves.iter().enumerate().map(|(number, curve)| {
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(state.line(number))
            .data(&curve.points)
    });
    let heading = heading(state, area.width, title, curves, |curve| {
        let last = curve.points.last().filter(|last| last.0 == to);
        last.map_or_else(|| "-".into(), |last| unit(last.1))
    });
    // Two labels want two lines of their own, three want three.
    let labels = match area.height {
        ..8 => vec![unit(0.0), unit(top)],
        _ => vec![unit(0.0), unit(top / 2.0), unit(top)],
    };
    let seconds = |x: f64| Span::styled(format!("{x:.0} s"), state.dim());
    let chart = Chart::new(datasets.collect())
        .block(Block::bordered().title(heading))
        .x_axis(
            Axis::default().bounds([from, to.max(from + 1.0)]).labels([seconds(from), seconds(to)]),
        )
        .y_axis(Axis::default().bounds([0.0, top]).labels(labels));
    frame.render_widget(chart, area);
}

/// The title of a chart and the names of its lines, with their last values where there is room for those.
fn heading<'a>(
    state: &State,
    width: u16,
    title: &str,
    curves: &[Curve],
    last: impl Fn(&Curve) -> String,
) -> Line<'a> {
    let line = |text: &dyn Fn(&Curve) -> String| {
        let mut line = Line::from(format!(" {title}"));
        for (number, curve) in curves.iter().enumerate() {
            line.push_span(Span::raw(" "));
            line.push_span(Span::styled(text(curve), state.line(number)));
        }
        line.push_span(Span::raw(" "));
        line
    };
    let valued = line(&|curve| format!("{} {}", curve.name, last(curve)));
    let fits = valued.width() + 2 <= usize::from(width);
    if fits { valued } else { line(&|curve| curve.name.into()) }
}

/// The last intervals that fit into a chart of this width.
fn shown(state: &State, width: u16) -> impl Iterator<Item = &super::state::Moment> {
    let fit = usize::from(width.max(30)) * 2;
    state.moments.iter().skip(state.moments.len().saturating_sub(fit))
}
