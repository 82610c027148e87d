//! The terminal: taken for the view, and given back whole, come what may.

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal};
use std::io::{self, IsTerminal, Stderr};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What frames are drawn with.
pub(super) type Pen = Terminal<CrosstermBackend<Stderr>>;

/// Standard error as a screen of its own: standard output is for reports. All that have one may give it back.
///
/// Whoever draws, takes or gives back has the lock of standard error meanwhile, as has whoever prints; so nothing is drawn
/// over what is printed. A thread has the lock as often as it wants to, a panic in the middle of a frame included.
#[derive(Clone)]
pub(super) struct Screen {
    /// Whether the terminal is ours.
    is_held: Arc<AtomicBool>,
    /// Whether it will not be ours again.
    is_over: Arc<AtomicBool>,
    /// Whether nothing is drawn on it yet, since it was taken.
    is_blank: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal. `is_held` says from now on whether it is ours.
    ///
    /// # Errors
    /// It is none, or cannot be set.
    pub(super) fn take(is_held: Arc<AtomicBool>) -> io::Result<(Self, Pen)> {
        if !io::stderr().is_terminal() {
            return Err(io::Error::other("standard error is not a terminal"));
        }
        let screen = Self { is_held, is_over: Arc::default(), is_blank: Arc::default() };
        screen.end_after_a_panic();
        screen.hold()?;
        match Terminal::new(CrosstermBackend::new(io::stderr())) {
            Ok(pen) => Ok((screen, pen)),
            Err(error) => {
                screen.end();
                Err(error)
            }
        }
    }

    /// Takes it again, whatever others have done to it since.
    pub(super) fn take_again(&self) -> io::Result<()> {
        let _whole = io::stderr().lock();
        self.give_back();
        if self.is_over() { Ok(()) } else { self.hold() }
    }

    /// Draws, if the terminal is ours.
    pub(super) fn draw(&self, pen: &mut Pen, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let _whole = io::stderr().lock();
        if !self.is_held.load(Ordering::SeqCst) {
            return Ok(());
        }
        if self.is_blank.swap(false, Ordering::SeqCst) {
            // It has in mind what it drew before, and would draw the differences alone.
            pen.resize(Rect::from((Position::ORIGIN, pen.size()?)))?;
        }
        pen.draw(draw).map(drop)
    }

    /// Whether it cannot wait to be drawn on.
    pub(super) fn is_blank(&self) -> bool {
        self.is_blank.load(Ordering::SeqCst)
    }

    /// Gives it back as it was.
    pub(super) fn give_back(&self) {
        // Before the lock: where the terminal takes no more, a signal need not wait for that either.
        if self.is_held.swap(false, Ordering::SeqCst) {
            let mut stderr = io::stderr().lock();
            // There is nobody to tell that this fails.
            let _ = execute!(stderr, LeaveAlternateScreen, Show);
            let _ = disable_raw_mode();
        }
    }

    /// Gives it back for good.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.give_back();
    }

    /// What says whether it was given back for good.
    pub(super) fn over(&self) -> Arc<AtomicBool> {
        self.is_over.clone()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn hold(&self) -> io::Result<()> {
        let mut stderr = io::stderr().lock();
        self.is_held.store(true, Ordering::SeqCst);
        self.is_blank.store(true, Ordering::SeqCst);
        let held = enable_raw_mode().and_then(|()| execute!(stderr, EnterAlternateScreen));
        held.inspect_err(|_| self.give_back())
    }

    /// So that what a panic says can be read, and nothing is drawn over it.
    fn end_after_a_panic(&self) {
        let (screen, before) = (self.clone(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            screen.end();
            before(info);
        }));
    }
}
