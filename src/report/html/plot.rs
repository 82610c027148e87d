//! Charts as SVG. A chart is drawn twice, for wide and for narrow screens: shrunk, its text could not be read.

use super::axis::Axis;
use super::page::Page;
use super::palette::{Colour, GRID, LABEL};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io;

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// A desk, and paper.
    Wide,
    /// A phone.
    Narrow,
}

/// Units of the drawing for each pixel of the page: places are whole numbers, and lines should still be smooth.
const SCALE: u32 = 2;

impl Width {
    const BOTH: [Self; 2] = [Self::Wide, Self::Narrow];

    fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    fn pixels(self) -> u32 {
        match self {
            Self::Wide => 880,
            Self::Narrow => 330,
        }
    }

    /// Steps that an axis from left to right has room for.
    pub(super) fn columns(self) -> usize {
        match self {
            Self::Wide => 9,
            Self::Narrow => 4,
        }
    }

    /// Steps of time that can be told from each other.
    pub(super) fn steps(self) -> usize {
        match self {
            Self::Wide => 200,
            Self::Narrow => 60,
        }
    }
}

/// Something drawn, by the values of the axes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// A line through all points, in pixels so thick.
    Line(Vec<(f64, f64)>, Colour, u32),
    /// A filled rectangle between two corners.
    Box((f64, f64), (f64, f64), Colour),
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plot {
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// In pixels.
    pub(super) height: u32,
    /// From back to front.
    pub(super) marks: Vec<Mark>,
}

/// What is said of a drawing to those who cannot see it, and what its colours mean to those who can.
pub(super) struct Caption {
    /// What it shows.
    pub(super) title: String,
    /// What one would see in it.
    pub(super) description: String,
    pub(super) legend: Vec<(Colour, String)>,
}

/// Puts a chart onto the page, as `plot` draws it for each width.
///
/// # Errors
/// None that a drawing in memory could have.
pub(super) fn figure(
    page: &mut Page,
    caption: &Caption,
    plot: impl Fn(Width) -> Plot,
) -> io::Result<()> {
    page.open("<figure>");
    page.open("<figcaption>");
    page.element("strong", &caption.title);
    if !caption.legend.is_empty() {
        page.open("<ul class=\"legend\">");
        for (colour, name) in &caption.legend {
            page.open("<li>");
            page.swatch(*colour);
            page.text(name);
            page.close("</li>");
        }
        page.close("</ul>");
    }
    page.close("</figcaption>");
    for width in Width::BOTH {
        let size = (width.pixels(), plot(width).height);
        let drawn = draw(&plot(width), size).map_err(io::Error::other)?;
        page.drawing(width.class(), size, SCALE, caption, &drawn);
    }
    page.close("</figure>");
    Ok(())
}

/// The elements of the drawing, without the `svg` around them.
fn draw(plot: &Plot, (width, height): (u32, u32)) -> Result<String, String> {
    let mut svg = String::new();
    {
        let size = (width * SCALE, height * SCALE);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw_on(plot, &area).map_err(|error| error.to_string())?;
        area.present().map_err(|error| error.to_string())?;
    }
    let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
    Ok(inner.rsplit_once("</svg>").map_or(inner, |(inner, _)| inner).trim().to_owned())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_on(plot: &Plot, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    // So that the last name has room on both sides of its mark.
    let beyond = 26 * SCALE;
    let mut chart = ChartBuilder::on(area)
        .margin_top(8 * SCALE)
        .margin_right(beyond)
        .x_label_area_size(24 * SCALE)
        .y_label_area_size(64 * SCALE)
        .build_cartesian_2d(plot.x.clone(), plot.y.clone())?;
    let font = ("system-ui, sans-serif", f64::from(12 * SCALE) * 1.24).into_font();
    let colour = LABEL.drawn();
    let text = TextStyle::from(font).color(&colour);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID.drawn().stroke_width(SCALE))
        .axis_style(GRID.drawn().stroke_width(SCALE))
        .set_all_tick_mark_size(4 * SCALE)
        .x_label_style(text.clone().pos(Pos::new(HPos::Center, VPos::Top)))
        .y_label_style(text.pos(Pos::new(HPos::Right, VPos::Center)))
        .draw()?;
    for mark in &plot.marks {
        match mark {
            Mark::Line(points, colour, thick) => {
                let style = colour.drawn().stroke_width(thick * SCALE);
                chart.plotting_area().draw(&PathElement::new(points.clone(), style))?;
            }
            Mark::Box(one, other, colour) => {
                let style = colour.drawn().filled();
                chart.plotting_area().draw(&Rectangle::new([*one, *other], style))?;
            }
        }
    }
    Ok(())
}
