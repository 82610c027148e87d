//! Colours of the page and its charts, for light and for dark screens.
//!
//! A chart is drawn in the light colours. Rules of the style sheet that name those find them again in the drawing and
//! put the variables in their place, so that a drawing needs no other form for the dark.

use plotters::style::RGBColor;
use std::fmt::Write;

/// A colour by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    /// Its variable in the style sheet, without the dashes in front.
    pub(super) name: &'static str,
    light: u32,
    dark: u32,
}

const fn colour(name: &'static str, light: u32, dark: u32) -> Colour {
    Colour { name, light, dark }
}

/// Text of an axis.
pub(super) const LABEL: Colour = colour("label", 0x57606A, 0x9DA7B3);
/// Lines of an axis.
pub(super) const GRID: Colour = colour("grid", 0xD0D7DE, 0x30363D);
/// Where something ends that would go on: loss in a curve of percentiles.
pub(super) const EDGE: Colour = colour("edge", 0xCF2230, 0xFF6B70);
/// Lost by the own socket.
pub(super) const SOCKET: Colour = colour("socket", 0xCF222E, 0xFF7B72);
/// Lost by the own host.
pub(super) const HOST: Colour = colour("host", 0xBF6A02, 0xE3A23A);
/// Lost elsewhere.
pub(super) const ELSEWHERE: Colour = colour("elsewhere", 0x8250DF, 0xBC8CFF);
/// What came.
pub(super) const CAME: Colour = colour("came", 0x1A7F37, 0x3FB950);

/// Lines of one chart, and results beside each other, in their order.
pub(super) const SERIES: [Colour; 6] = [
    colour("series-0", 0x0969DA, 0x58A6FF),
    colour("series-1", 0xBC4C00, 0xF0883E),
    colour("series-2", 0x0F7B6C, 0x39C5B3),
    colour("series-3", 0x8A3FC4, 0xD2A8FF),
    colour("series-4", 0xBF3989, 0xFF9BCE),
    colour("series-5", 0x6B6000, 0xD4C441),
];

/// From hardly any to most.
pub(super) const HEAT: [Colour; 5] = [
    colour("heat-0", 0xDCEBFA, 0x10243B),
    colour("heat-1", 0xABD0F2, 0x173F66),
    colour("heat-2", 0x6BAAE3, 0x1F669F),
    colour("heat-3", 0x2678C4, 0x4C9FE0),
    colour("heat-4", 0x0A3F7C, 0xB5DCFF),
];

impl Colour {
    /// As it is drawn.
    pub(super) fn drawn(self) -> RGBColor {
        let [_, red, green, blue] = self.light.to_be_bytes();
        RGBColor(red, green, blue)
    }
}

fn all() -> impl Iterator<Item = Colour> {
    let single = [LABEL, GRID, EDGE, SOCKET, HOST, ELSEWHERE, CAME];
    single.into_iter().chain(SERIES).chain(HEAT)
}

/// The rules of the style sheet that make the variables, and colour the drawings by them.
pub(super) fn rules() -> String {
    let variables = |value: fn(&Colour) -> u32| {
        all().fold(String::new(), |mut rules, colour| {
            let _ = write!(rules, "--{}:#{:06X};", colour.name, value(&colour));
            rules
        })
    };
    let mut rules = format!(":root{{{}}}\n", variables(|colour| colour.light));
    // Paper is light, whatever the screen is.
    let dark = variables(|colour| colour.dark);
    let _ = writeln!(rules, "@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}");
    for Colour { name, light, .. } in all() {
        let _ = writeln!(
            rules,
            "svg [fill=\"#{light:06X}\"]{{fill:var(--{name})}}\
             svg [stroke=\"#{light:06X}\"]{{stroke:var(--{name})}}"
        );
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_drawing_tells_every_colour_from_the_others() {
        let drawn: BTreeSet<_> = all().map(|colour| colour.light).collect();
        let names: BTreeSet<_> = all().map(|colour| colour.name).collect();
        assert_eq!((drawn.len(), names.len()), (all().count(), all().count()));
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: u32) -> f64 {
        let [_, red, green, blue] = colour.to_be_bytes().map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Contrast ratio (WCAG 2.2): 4.5 for text, 3 for what is drawn.
    fn contrast(a: u32, b: u32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn colours_can_be_told_from_the_page() {
        const PAGE: (u32, u32) = (0xFFFFFF, 0x0D1117);
        let drawn = [SOCKET, HOST, ELSEWHERE, CAME, EDGE].into_iter().chain(SERIES);
        for (colour, least) in drawn.map(|colour| (colour, 3.0)).chain([(LABEL, 4.5)]) {
            assert!(contrast(colour.light, PAGE.0) >= least, "{} on light", colour.name);
            assert!(contrast(colour.dark, PAGE.1) >= least, "{} on dark", colour.name);
        }
    }
}
