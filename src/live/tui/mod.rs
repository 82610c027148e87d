//! The live view: the whole terminal, drawn anew once a second.
//!
//! It is told digests of the intervals, over a channel, by whoever gathers them, and draws in a thread of its own; workers
//! know nothing of it.

mod panes;
mod rows;
mod signals;
mod state;
mod terminal;

use crate::model::Observer;
use crate::model::event::Event;
use crate::model::ping::{PingInterval, PingSpec};
use crate::model::snapshot::Snapshot;
use crate::model::spec::{Role, TrialSpec};
use crate::units::Nanos;
use ratatui::crossterm::event::{
    self, Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use signal_hook::consts::{SIGINT, SIGTSTP};
use signal_hook::low_level::raise;
use signals::Watch;
use state::{Moment, News, State, Title};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use terminal::{Pen, Screen};

/// A key is answered in this time.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The live view. It gives the terminal back when it is dropped.
pub struct Tui {
    /// Until something is to be drawn: the thread shall inherit the cores of who tells the first news, which keeps off those
    /// of the workers.
    undrawn: Option<(Pen, Receiver<News>, State)>,
    screen: Screen,
    signals: Option<Watch>,
    every: Duration,
    news: Option<Sender<News>>,
    thread: Option<JoinHandle<()>>,
    missing: u64,
}

impl Tui {
    /// Takes the terminal at standard error, to draw a frame `every` so often, with colours or without. `is_held` says from
    /// now on whether the terminal is taken; while it is, the view ends the program when a second SIGINT or SIGTERM asks for
    /// that.
    ///
    /// # Errors
    /// Standard error is no terminal, or one that cannot be set; there can be no thread that listens for signals.
    pub fn open(every: Nanos, has_colours: bool, is_held: Arc<AtomicBool>) -> io::Result<Self> {
        let (screen, pen) = Screen::take(is_held)?;
        let (news, heard) = channel();
        let signals = Watch::begin(screen.clone(), news.clone()).inspect_err(|_| screen.end())?;
        Ok(Self {
            undrawn: Some((pen, heard, State::new(has_colours))),
            screen,
            signals: Some(signals),
            every: every.into(),
            news: Some(news),
            thread: None,
            missing: 0,
        })
    }

    /// A `ping` is about to begin.
    pub fn start_ping(&mut self, spec: &PingSpec) {
        self.send(News::Started(Title {
            what: format!("ping {}", spec.group),
            length: spec.stop.time_ns,
            delay: "Round trip",
        }));
    }

    /// An interval of `ping`.
    pub fn ping(&mut self, interval: &PingInterval) {
        let moment = Moment::of_ping(interval, self.missing);
        self.missing = interval.missing;
        self.tell(News::Moment(Box::new((moment, vec![]))));
    }

    fn tell(&mut self, news: News) {
        if let Some((pen, heard, state)) = self.undrawn.take() {
            let (every, screen) = (self.every, self.screen.clone());
            let show = move || {
                show(&screen, pen, &heard, state, every);
                screen.end();
            };
            let thread = Builder::new().name("live view".into()).spawn(show);
            // Without a thread there is no view.
            self.thread = thread.inspect_err(|_| self.screen.end()).ok();
        }
        self.send(news);
    }

    fn send(&self, news: News) {
        if let Some(sender) = &self.news {
            // The view may be over already: its terminal has gone.
            let _ = sender.send(news);
        }
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        // It has a share in the news.
        self.signals = None;
        self.news = None;
        if let Some(thread) = self.thread.take() {
            // It has said what it panicked about.
            let _ = thread.join();
        }
        self.screen.end();
    }
}

impl Observer for Tui {
    fn on_start(&mut self, spec: &TrialSpec, _started_at: Nanos) {
        let (verb, delay) = match spec.role {
            Role::Run => ("run", "Delay"),
            Role::Send => ("send", "Lateness"),
            Role::Recv => ("recv", "Delay"),
        };
        self.tell(News::Started(Title {
            what: format!("{verb} {} by {}", state::groups(&spec.groups), spec.engine),
            length: spec.stop.time_ns,
            delay,
        }));
    }

    fn on_interval(&mut self, snapshot: &Snapshot) {
        let streams = snapshot.receiver.iter().flat_map(|receiver| receiver.by_stream.iter());
        let streams = streams.copied().collect();
        self.tell(News::Moment(Box::new((Moment::of_trial(snapshot), streams))));
    }

    fn on_event(&mut self, event: &Event) {
        self.event(event);
    }
}

impl Tui {
    /// Columns of the terminal that no note can have: the time and the frame around it.
    pub const BESIDE_NOTES: usize = panes::events::BESIDE;

    /// Notes what others have to say among the events.
    pub fn note(&self) -> impl Fn(&str) + Send + 'static {
        let news = self.news.clone();
        move |text| {
            // As in `send`.
            let _ = news.as_ref().map(|news| news.send(News::Said(text.to_owned())));
        }
    }

    /// Something happened.
    pub fn event(&mut self, event: &Event) {
        self.tell(News::Event(event.at_ns, event.what.to_string()));
    }
}

/// Draws until there is nobody who tells, or the terminal has gone.
fn show(screen: &Screen, mut pen: Pen, heard: &Receiver<News>, mut state: State, every: Duration) {
    let mut drawn: Option<Instant> = None;
    loop {
        let is_over = loop {
            match heard.try_recv() {
                Ok(news) => state.hear(news),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        if is_over || screen.is_over() {
            return;
        }
        let is_due = screen.is_blank() || drawn.is_none_or(|drawn| drawn.elapsed() >= every);
        let Ok(is_asked) = answer(&mut state) else { return };
        if is_due || is_asked {
            drawn = Some(Instant::now());
            if screen.draw(&mut pen, |frame| panes::draw(&state, frame)).is_err() {
                return;
            }
        }
    }
}

/// Waits for a key, a short while, and does what it asks for. Says whether there is something to draw.
fn answer(state: &mut State) -> io::Result<bool> {
    if !event::poll(LOOK_EVERY)? {
        return Ok(false);
    }
    match event::read()? {
        Input::Key(key) if key.kind != KeyEventKind::Release => {
            press(state, key);
            Ok(true)
        }
        Input::Resize(..) => Ok(true),
        _ => Ok(false),
    }
}

fn press(state: &mut State, key: KeyEvent) {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        // The terminal sends no signal while it is ours. These exist, and this process may send them to itself.
        KeyCode::Char('c') if is_control => drop(raise(SIGINT)),
        KeyCode::Char('z') if is_control => drop(raise(SIGTSTP)),
        KeyCode::Char('q') => drop(raise(SIGINT)),
        KeyCode::Char('s') => state.rows.sort_on(),
        KeyCode::Char('g') => state.rows.sum_on(),
        KeyCode::Up | KeyCode::Char('k') => state.rows.scroll(-1),
        KeyCode::Down | KeyCode::Char('j') => state.rows.scroll(1),
        KeyCode::PageUp => state.rows.scroll(-10),
        KeyCode::PageDown => state.rows.scroll(10),
        KeyCode::Home => state.rows.scroll(isize::MIN),
        KeyCode::End => state.rows.scroll(isize::MAX),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
