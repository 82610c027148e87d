//! The live view, if it is asked for and there is a terminal for it.

use super::color::Colours;
use crate::live::tui::Tui;
use crate::units::Nanos;
use crate::units::duration::parse_duration;
use clap::Args;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[derive(Clone, Debug, Args)]
pub(super) struct LiveArgs {
    /// Show a live view instead of lines, drawn anew so often [EVERY: 1s]
    ///
    /// Rates, delays, losses and where they happened, streams (`s` sorts them, `g` sums them up by group or by sender,
    /// arrows scroll) and events; `q` ends the trial, as Ctrl-C does. It is drawn on standard error; where that is no terminal there are lines. Each interval is a
    /// point of it.
    #[arg(long, value_name = "EVERY", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1s", value_parser = parse_duration, conflicts_with = "quiet")]
    live: Option<Nanos>,
}

impl LiveArgs {
    /// Whether it was asked for.
    pub(super) fn is_wanted(&self) -> bool {
        self.live.is_some()
    }

    /// Takes the terminal, if that was asked for and can be. `is_held` says from now on whether it is taken.
    pub(super) fn open(&self, colours: Colours, is_held: Arc<AtomicBool>) -> Option<Tui> {
        Tui::open(self.live?, colours.suit(&io::stderr()), is_held)
            .inspect_err(|error| {
                let _ = writeln!(io::stderr(), "--live: {error}; it goes on with lines");
            })
            .ok()
    }
}
