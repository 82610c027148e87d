//! How long groups take to come and to go: joins and leaves them, one thread, and looks with a packet socket at what
//! reaches the interface meanwhile, since leaving closes the socket's own filter.
//!
//! Every delay is between stamps of this host's kernel and readings of its wall clock, so how soon this thread wakes up is
//! in none of them. [`books`] makes delays of the stamps; what is joined when is decided here.

pub mod books;
mod ears;
mod summary;
mod watch;

use crate::error::{Error, Result};
use crate::model::event::{Event, Happening};
use crate::model::join::{JoinInterval, JoinOutcome, JoinSpec, Order};
use crate::model::outside::Outside;
use crate::net::timestamp::Timestamps;
use crate::sys::clock::{self, ClockPair};
use crate::sys::poll::PollSet;
use crate::sys::sched;
use crate::units::Nanos;
use crate::wire::probe;
use crate::wire::sighting::Sighting;
use books::{Call, Channel, Tally};
use ears::Ears;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use watch::Watch;

/// How long it waits for datagrams before it looks at what is due; and, when they come without end, how rarely it looks.
const LOOK: Nanos = Nanos(1_000_000);
const LOOK_WHEN_BUSY: Nanos = Nanos(100_000);

/// Joins and leaves, and returns what came of it.
///
/// # Errors
/// It could not start.
pub fn measure(spec: &JoinSpec, outside: Outside<'_, JoinInterval>) -> Result<JoinOutcome> {
    let _stamps = Timestamps::warm_up()?;
    let ears = Ears::open(&spec.groups, spec.interface, spec.receive_buffer)?;
    let (watch, reason) = match Watch::open(&spec.groups, spec.interface, spec.receive_buffer) {
        Ok(watch) => (Some(watch), None),
        Err(error) => (None, Some(error)),
    };
    // Without it every wait ends up to 50 microseconds late. Best effort.
    drop(sched::set_timer_slack_least());
    (outside.ready)()?;
    let clocks = ClockPair::read();
    let mut run = Run::new(spec, ears, watch, clocks, outside);
    if let Some(error) = reason {
        run.note(Happening::Degraded {
            asked: "watching the interface".into(),
            instead: "the sockets alone, without reports, leave delays and overlaps".into(),
            reason: without_watch(&error),
        });
    }
    let failure = run.carry_out().err();
    Ok(summary::of(run, failure))
}

fn without_watch(error: &Error) -> String {
    let advice = error.advice().map(|advice| format!(", {advice}")).unwrap_or_default();
    format!("{}{advice}", error.reason())
}

/// What it is about.
#[derive(Clone, Copy)]
enum Phase {
    /// Listens whether the groups come already.
    Listening { until: Nanos },
    /// Waits for the first datagrams.
    Joining { since: Nanos },
    /// Stays joined.
    Holding { until: Nanos },
    /// Waits until what it left has stopped, or the next round is due.
    Leaving,
    /// Is done.
    Over,
}

/// Times are those of the monotonic clock, but for those that are compared with stamps.
struct Run<'a, 'o> {
    spec: &'a JoinSpec,
    ears: Ears,
    watch: Option<Watch>,
    channels: Vec<Channel>,
    by_group: HashMap<IpAddr, usize>,
    tally: Tally,
    phase: Phase,
    rounds: u64,
    /// When the next round is due, if it does not wait for the one before.
    due: Nanos,
    /// When zapping: the group that is joined, and the one before.
    current: Option<usize>,
    previous: Option<usize>,
    clocks: ClockPair,
    started: Nanos,
    interval_end: Nanos,
    interrupted: bool,
    events: Vec<Event>,
    outside: Outside<'o, JoinInterval>,
}

impl<'a, 'o> Run<'a, 'o> {
    fn new(
        spec: &'a JoinSpec,
        ears: Ears,
        watch: Option<Watch>,
        clocks: ClockPair,
        outside: Outside<'o, JoinInterval>,
    ) -> Self {
        let started = clocks.monotonic;
        let groups = spec.groups.iter().enumerate();
        Self {
            spec,
            ears,
            watch,
            channels: spec.groups.iter().map(|group| Channel::new(*group)).collect(),
            by_group: groups.map(|(index, one)| (one.group, index)).collect(),
            tally: Tally::default(),
            phase: Phase::Listening { until: started + spec.quiet_ns },
            rounds: 0,
            due: started + spec.quiet_ns,
            current: None,
            previous: None,
            clocks,
            started,
            interval_end: started + spec.interval_ns,
            interrupted: false,
            events: Vec::new(),
            outside,
        }
    }

    fn carry_out(&mut self) -> Result<()> {
        let watch = self.watch.iter().map(Watch::as_fd);
        let mut sockets = PollSet::new(self.ears.descriptors().chain(watch));
        let mut looked = self.started;
        loop {
            let is_all = self.read()?;
            let now = clock::monotonic();
            if is_all || now.saturating_sub(looked) >= LOOK_WHEN_BUSY {
                looked = now;
                if self.outside.interrupt.load(Ordering::Relaxed) {
                    self.interrupted = true;
                    self.note(Happening::Interrupted);
                    self.give_up();
                    return Ok(());
                }
                self.tell_interval(now);
                self.close_watches(is_all);
                self.act(now)?;
                if matches!(self.phase, Phase::Over) {
                    return Ok(());
                }
            }
            if is_all {
                let wait = Duration::from(self.next_look(now));
                sockets
                    .wait(wait)
                    .map_err(|error| Error::os("cannot wait for datagrams", error))?;
            }
        }
    }

    /// Reads what came; whether that is all there is for now.
    fn read(&mut self) -> Result<bool> {
        let Self { ears, watch, channels, by_group, .. } = self;
        let heard_all = ears.read(&mut |group, at, payload| {
            if let Some(&index) = by_group.get(&group) {
                channels[index].at_socket(at, probe::decode(payload, at).as_ref());
            }
        })?;
        let Some(watch) = watch else { return Ok(heard_all) };
        let seen_all = watch.read(&mut |at, sighting| match sighting {
            Sighting::Datagram { source, destination, port } => {
                let Some(&index) = by_group.get(&destination) else { return };
                let wanted = channels[index].membership;
                if port == wanted.port && wanted.source.is_none_or(|wanted| wanted == source) {
                    channels[index].at_interface(at);
                }
            }
            Sighting::Changes(changes) => {
                for (group, change) in changes {
                    if let Some(&index) = by_group.get(&group) {
                        channels[index].reported(at, change);
                    }
                }
            }
        })?;
        Ok(heard_all && seen_all)
    }

    /// Does what is due.
    fn act(&mut self, now: Nanos) -> Result<()> {
        match self.phase {
            Phase::Listening { until } if now >= until => self.begin_round(now)?,
            Phase::Joining { since } => {
                let waiting = self.channels.iter().filter(|one| one.is_waiting()).count();
                let is_late = now.saturating_sub(since) >= self.spec.timeout_ns;
                if waiting == 0 {
                    self.phase = Phase::Holding { until: now + self.spec.hold_ns };
                } else if is_late {
                    self.phase = Phase::Holding { until: now };
                }
            }
            Phase::Holding { until } if now >= until => self.end_round(now)?,
            Phase::Leaving => {
                let is_watching = self.channels.iter().any(|one| one.watched_since().is_some());
                let is_due = self.spec.churn_ns.is_some() && now >= self.due;
                match self.has_more(now) {
                    true if is_due || (self.spec.churn_ns.is_none() && !is_watching) => {
                        self.begin_round(now)?;
                    }
                    false if !is_watching => self.phase = Phase::Over,
                    _ => {}
                }
            }
            Phase::Listening { .. } | Phase::Holding { .. } | Phase::Over => {}
        }
        Ok(())
    }

    /// Whether there will be another round.
    fn has_more(&self, now: Nanos) -> bool {
        let stop = &self.spec.stop;
        stop.count.is_none_or(|count| self.rounds < count)
            && stop.time_ns.is_none_or(|time| now.saturating_sub(self.started) < time)
    }

    fn begin_round(&mut self, now: Nanos) -> Result<()> {
        match self.spec.order {
            Order::AtOnce => (0..self.channels.len()).try_for_each(|index| self.join(index))?,
            Order::Zap => {
                let next = (self.rounds % self.channels.len() as u64) as usize;
                self.join(next)?;
                self.previous = self.current.replace(next);
            }
        }
        self.rounds += 1;
        self.phase = match self.spec.churn_ns {
            None => Phase::Joining { since: now },
            Some(period) => {
                // A round that is missed is not made up for: that would be a burst that nobody asked for.
                self.due = (self.due + period).max(now);
                let until = match self.spec.order {
                    Order::AtOnce => clock::monotonic() + self.spec.hold_ns,
                    Order::Zap => self.due,
                };
                Phase::Holding { until }
            }
        };
        Ok(())
    }

    fn end_round(&mut self, now: Nanos) -> Result<()> {
        let goes_on = self.spec.order == Order::Zap && self.has_more(now);
        if let Some(current) = self.current {
            if goes_on {
                // What is joined next must not be watched any more.
                let next = (self.rounds % self.channels.len() as u64) as usize;
                self.close_watch(next);
            }
            let channel = &self.channels[current];
            let (first, reached) = (channel.answered_at(), channel.reached_at());
            self.leave(current)?;
            if let Some(previous) = self.previous {
                reached.into_iter().for_each(|at| self.channels[previous].succeeded(at));
                self.tally.zapped(self.channels[previous].last_at_socket(), first);
            }
        } else {
            self.close_storm();
            (0..self.channels.len()).try_for_each(|index| self.leave(index))?;
        }
        if goes_on {
            return self.begin_round(now);
        }
        self.phase = Phase::Leaving;
        Ok(())
    }

    /// Notes when the last group came.
    fn close_storm(&mut self) {
        if self.channels.len() < 2 {
            return;
        }
        let first_call = self.channels.iter().filter_map(Channel::joined_at).min();
        let answers: Option<Vec<_>> = self.channels.iter().map(Channel::answered_at).collect();
        match (first_call, answers.and_then(|answers| answers.into_iter().max())) {
            (Some(call), Some(last)) => self.tally.all.record(call, last),
            _ => self.tally.never_all += 1,
        }
    }

    fn join(&mut self, index: usize) -> Result<()> {
        self.close_watch(index);
        let call: Call = self.ears.join(&self.channels[index].membership)?;
        self.channels[index].joined(call, self.spec.quiet_ns);
        Ok(())
    }

    fn leave(&mut self, index: usize) -> Result<()> {
        let call = self.ears.leave(&self.channels[index].membership)?;
        let is_zap = self.spec.order == Order::Zap;
        self.channels[index].left(call, &mut self.tally, self.watch.is_some(), is_zap);
        Ok(())
    }

    /// Ends the watches of groups that are silent or whose time is over, if all that came was read.
    fn close_watches(&mut self, is_all: bool) {
        let now = clock::realtime();
        for index in 0..self.channels.len() {
            let Some(since) = self.channels[index].watched_since() else { continue };
            let is_over = now.saturating_sub(since) >= self.spec.leave_timeout_ns;
            let quiet = self.spec.quiet_ns;
            let is_silent = is_all
                && now.saturating_sub(since) >= quiet
                && !self.channels[index].is_loud(now, quiet);
            if is_over || is_silent {
                self.close_watch(index);
            }
        }
    }

    fn close_watch(&mut self, index: usize) {
        if let (Some(current), Some(previous)) = (self.current, self.previous)
            && previous == index
            && let Some(at) = self.channels[current].reached_at()
        {
            self.channels[previous].succeeded(at);
        }
        self.channels[index].close_watch(clock::realtime(), self.spec.quiet_ns, &mut self.tally);
    }

    /// Joins that were answered before the end count; others had no time for it.
    fn give_up(&mut self) {
        for index in 0..self.channels.len() {
            if self.channels[index].answered_at().is_some() {
                // The membership ends with the socket, whatever this says.
                drop(self.leave(index));
            }
        }
    }

    fn next_look(&self, now: Nanos) -> Nanos {
        let due = match self.phase {
            Phase::Listening { until } | Phase::Holding { until } => until.saturating_sub(now),
            Phase::Leaving if self.spec.churn_ns.is_some() => self.due.saturating_sub(now),
            _ => LOOK,
        };
        due.min(LOOK)
    }

    fn tell_interval(&mut self, now: Nanos) {
        if self.spec.interval_ns == Nanos(0) || now < self.interval_end {
            return;
        }
        self.interval_end = now + self.spec.interval_ns;
        let mut interval = JoinInterval {
            at: now - self.started,
            ended: self.watch.is_some().then_some(0),
            to_socket: self.tally.to_socket.clone(),
            ..JoinInterval::default()
        };
        for channel in &self.channels {
            let [joins, answered, ended] = channel.progress();
            interval.joins += joins;
            interval.answered += answered;
            interval.ended = interval.ended.map(|sum| sum + ended);
        }
        (self.outside.interval)(&interval);
    }

    fn note(&mut self, what: Happening) {
        let at_ns = clock::monotonic().saturating_sub(self.started);
        let event = Event { at_ns, what };
        (self.outside.event)(&event);
        self.events.push(event);
    }
}
