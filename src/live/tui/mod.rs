//! The live view: the whole terminal, drawn anew once a second.
//!
//! It is told digests of the intervals, over a channel, by whoever gathers them, and draws in a thread of its own; workers
//! know nothing of it.

mod panes;
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
use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;
use state::{Moment, News, State, Title};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use terminal::Screen;

/// A key is answered in this time.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The live view. It gives the terminal back when it is dropped.
pub struct Tui {
    /// Until something is to be drawn: the thread shall inherit the cores of who tells the first news, which keeps off those
    /// of the workers.
    screen: Option<(Screen, Receiver<News>, bool)>,
    every: Duration,
    news: Option<Sender<News>>,
    thread: Option<JoinHandle<()>>,
    missing: u64,
}

impl Tui {
    /// Takes the terminal at standard error, to draw a frame `every` so often, with colours or without.
    ///
    /// # Errors
    /// Standard error is no terminal, or one that cannot be set.
    pub fn open(every: Nanos, has_colours: bool) -> io::Result<Self> {
        let screen = Screen::take()?;
        let (news, heard) = channel();
        Ok(Self {
            screen: Some((screen, heard, has_colours)),
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
        if let Some((screen, heard, has_colours)) = self.screen.take() {
            let (every, state) = (self.every, State::new(has_colours));
            let thread = Builder::new().name("live view".into());
            // Without a thread there is no view; the terminal is given back as the screen is dropped.
            self.thread = thread.spawn(move || show(screen, &heard, state, every)).ok();
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
        self.news = None;
        if let Some(thread) = self.thread.take() {
            // It has said what it panicked about.
            let _ = thread.join();
        }
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
fn show(mut screen: Screen, heard: &Receiver<News>, mut state: State, every: Duration) {
    let mut drawn: Option<Instant> = None;
    loop {
        let is_over = loop {
            match heard.try_recv() {
                Ok(news) => state.hear(news),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        if is_over || screen.is_over.load(Ordering::Relaxed) {
            return;
        }
        let is_due = drawn.is_none_or(|drawn| drawn.elapsed() >= every);
        let Ok(is_asked) = answer(&mut state, &screen) else { return };
        if is_due || is_asked {
            drawn = Some(Instant::now());
            if screen.terminal.draw(|frame| panes::draw(&state, frame)).is_err() {
                return;
            }
        }
    }
}

/// Waits for a key, a short while, and does what it asks for. Says whether there is something to draw.
fn answer(state: &mut State, screen: &Screen) -> io::Result<bool> {
    if !event::poll(LOOK_EVERY)? {
        return Ok(false);
    }
    match event::read()? {
        Input::Key(key) if key.kind != KeyEventKind::Release => {
            press(state, screen, key);
            Ok(true)
        }
        Input::Resize(..) => Ok(true),
        _ => Ok(false),
    }
}

fn press(state: &mut State, screen: &Screen, key: KeyEvent) {
    let is_ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') => end(state, screen),
        _ if is_ctrl_c => end(state, screen),
        KeyCode::Char('s') => {
            state.sort = state.sort.next();
            state.scrolled = 0;
        }
        KeyCode::Up | KeyCode::Char('k') => state.scroll(-1),
        KeyCode::Down | KeyCode::Char('j') => state.scroll(1),
        KeyCode::PageUp => state.scroll(-10),
        KeyCode::PageDown => state.scroll(10),
        KeyCode::Home => state.scroll(isize::MIN),
        KeyCode::End => state.scroll(isize::MAX),
        _ => {}
    }
}

/// The terminal sends no signal while it is ours. The second one ends the program on the spot.
fn end(state: &mut State, screen: &Screen) {
    if std::mem::replace(&mut state.is_ending, true) {
        screen.give_back();
    }
    // The signal exists, and this process may send it to itself.
    let _ = raise(SIGINT);
}

#[cfg(test)]
mod tests;
