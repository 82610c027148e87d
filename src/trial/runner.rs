//! Carries out a trial on this machine.

use super::TrialRunner;
use super::blame::Watched;
use super::collector::{Collector, Delivery};
use super::control::{Control, TrialClock};
use super::crew::{Crew, Hand, join_all};
use super::granted::Granted;
use super::plan::{self, SenderPlan};
use super::replay;
use super::summary::{self, Gathered};
use super::tx_worker::START_LEAD;
use crate::engine::{self, Engine};
use crate::error::{Error, Result};
use crate::model::Observer;
use crate::model::event::Happening;
use crate::model::report::TrialReport;
use crate::model::spec::{Role, TrialSpec};
use crate::net::hardware::{self, Choice};
use crate::sys::clock::{self, ClockPair};
use crate::sys::sched;
use crate::units::Nanos;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The collector looks at the clock at least so often.
const TICK: Duration = Duration::from_millis(20);

/// Receivers beside the senders know when it is over even if they hear no end; they wait this much longer.
const SLACK: Nanos = Nanos(300_000_000);

/// This machine.
pub struct LocalRunner {
    /// Set from outside to end the trial.
    pub interrupt: Arc<AtomicBool>,
    /// Called when everything is open and joined; an error of it is one of the trial, which does not start.
    pub ready: Box<dyn FnMut() -> Result<()> + Send>,
}

impl TrialRunner for LocalRunner {
    fn run(&mut self, spec: &TrialSpec, observer: &mut dyn Observer) -> Result<TrialReport> {
        let engine = engine::by_name(&spec.engine)
            .ok_or_else(|| Error::usage(format!("there is no engine `{}`", spec.engine)))?;
        let cpus = sched::allowed_cpus()
            .map_err(|error| Error::os("cannot find out which cores may be used", error))?;
        let mut granted = Granted::of(spec, engine);
        let senders = senders(spec, &mut granted, engine, &cpus)?;
        let mut timestamps = match engine.has_network() && spec.receiver_threads > 0 {
            true => hardware::choose(spec.timestamps, spec.interface)?,
            false => Choice::none(),
        };
        let receivers = plan::receivers(spec, &granted, &cpus, &timestamps.stamps());
        let tx_plans: Vec<_> = senders.iter().map(|sender| sender.engine.clone()).collect();
        let rx_plans: Vec<_> = receivers.iter().map(|receiver| receiver.engine.clone()).collect();
        let sender_cpus: Vec<_> = senders.iter().filter_map(|sender| sender.cpu).collect();
        // Before any socket is open: what they drop is among what the host counts.
        let watched = engine.has_network().then(|| Watched::begin(spec));
        let halves = engine.open(&tx_plans, &rx_plans)?;
        (self.ready)()?;
        self.wait_for_start(spec, &mut timestamps);

        let session = new_session();
        let clocks = ClockPair::read();
        let lead = if senders.is_empty() { Nanos(0) } else { START_LEAD + Nanos::MILLISECOND };
        let trial = TrialClock::starting_at(clocks.monotonic + lead, clocks);
        // Threads of observers must not get in the senders' way, either; they inherit where they may run.
        drop(sched::keep_off(&sender_cpus));
        observer.on_start(spec, trial.wall(Nanos(0)));
        drop(sched::keep_to(&cpus));
        let control = Control::new(receivers.len());
        // Whoever ended the wait wants nothing sent, however late this thread looks again.
        if self.interrupt.load(Ordering::Relaxed) {
            control.stop_senders();
        }
        let (to_collector, deliveries) = bounded(2 * (senders.len() + receivers.len()));
        let follows = observer.follows_streams();
        let mut crew = Crew::new(spec, granted.realtime, session, trial, follows, to_collector);
        let rx = crew.receivers(receivers, halves.rx, senders.len());
        let tx = crew.senders(senders, halves.tx);
        let (give_back_tx, give_back_rx) = crew.dismiss();
        let mut collector =
            Collector::new(observer, spec.interval_ns, give_back_tx, give_back_rx, watched);
        granted
            .happened
            .into_iter()
            .chain(halves.degraded)
            .for_each(|event| collector.note(Nanos(0), event));

        let (tx, rx) = std::thread::scope(|scope| -> Result<_> {
            // The scope waits for the workers however it is left, so they must be told.
            let _stop = StopOnDrop(&control);
            let (rx, tx) = Hand::spawn_all(scope, &control, rx, tx)?;
            // Every wake-up of this thread on a sender's core would make datagrams late. Best effort: on one
            // core there is no other place.
            drop(sched::keep_off(&sender_cpus));
            let timestamps = &mut timestamps;
            Watch { spec, trial, control: &control, interrupt: &self.interrupt, timestamps }
                .until_all_are_done(&deliveries, &mut collector);
            Ok((join_all(tx), join_all(rx)))
        })?;
        collector.finish();
        // The trial is over, and this thread is its caller's.
        drop(sched::keep_to(&cpus));

        if let Some(by_ns) = clocks.step() {
            collector.note(trial.now(), Happening::ClockStepped { by_ns });
        }
        Ok(summary::report(
            Gathered {
                spec,
                session,
                wall_start: trial.wall(Nanos(0)),
                now: trial.now(),
                interrupted: self.interrupt.load(Ordering::Relaxed),
                tx,
                rx,
                timestamps,
                host: collector.host_counted(),
            },
            collector,
        ))
    }
}

impl LocalRunner {
    /// Sleeps until the wall clock shows the time that was asked for.
    fn wait_for_start(&self, spec: &TrialSpec, timestamps: &mut Choice) {
        let Some(start_at) = spec.start_at_ns else { return };
        let lead = if spec.load.is_some() { START_LEAD } else { Nanos(0) };
        loop {
            let left = start_at.saturating_sub(clock::realtime() + lead);
            if left == Nanos(0) || self.interrupt.load(Ordering::Relaxed) {
                return;
            }
            clock::sleep_until(clock::monotonic() + left.min(Nanos(50_000_000)));
            timestamps.follow();
        }
    }
}

/// The senders, and what is to be said about how they do what was asked for.
fn senders(
    spec: &TrialSpec,
    granted: &mut Granted,
    engine: &dyn Engine,
    cpus: &[usize],
) -> Result<Vec<SenderPlan>> {
    let Some(load) = &spec.load else { return Ok(Vec::new()) };
    let (trace, taken) = replay::trace(&load.schedule)?.unzip();
    granted.happened.extend(taken);
    let in_trains = engine.sends_trains();
    let is_mixed = || spec.offered().iter().any(|flow| flow.load.sizes.only().is_none());
    if in_trains && is_mixed() {
        // Better than to refuse: the receiving half of the engine is as good as ever.
        granted.happened.push(Happening::Degraded {
            asked: format!("--engine {} with datagrams of several lengths", engine.name()),
            instead: "a train for each run of equal lengths, mostly of one datagram".into(),
            reason: "what the kernel cuts apart are datagrams of one length".into(),
        });
    }
    Ok(plan::senders(spec, granted, trace.as_ref(), cpus, in_trains))
}

/// Stops all workers when it is dropped.
struct StopOnDrop<'a>(&'a Control);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop_senders();
        self.0.stop_receivers();
    }
}

/// 24 bits that no other sender is likely to draw.
fn new_session() -> u32 {
    let random = RandomState::new().hash_one(clock::realtime());
    (random as u32) & 0xff_ffff
}

/// Decides when it is over.
struct Watch<'a> {
    spec: &'a TrialSpec,
    trial: TrialClock,
    control: &'a Control,
    interrupt: &'a AtomicBool,
    timestamps: &'a mut Choice,
}

impl Watch<'_> {
    /// Collects until the last worker has handed over its last interval.
    fn until_all_are_done(
        &mut self,
        deliveries: &Receiver<Delivery>,
        collector: &mut Collector<'_>,
    ) {
        let mut senders_left = self.spec.sender_threads;
        let mut quiet_since = None;
        let (mut is_interrupted, mut is_heard) = (false, false);
        loop {
            match deliveries.recv_timeout(TICK) {
                Ok(delivery) => {
                    senders_left -= usize::from(delivery.is_last_of_sender());
                    collector.take(delivery);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if !is_heard && self.control.heard().streams > 0 {
                is_heard = true;
                collector.heard();
            }
            let now = self.trial.now();
            if self.interrupt.load(Ordering::Relaxed) {
                if !std::mem::replace(&mut is_interrupted, true) {
                    collector.note(now, Happening::Interrupted);
                }
                self.control.stop_senders();
            }
            if self.receivers_are_done(now, senders_left, is_interrupted, &mut quiet_since) {
                self.control.stop_receivers();
            }
            self.timestamps.follow();
            collector.tell_complete(now);
        }
    }

    fn receivers_are_done(
        &self,
        now: Nanos,
        senders_left: usize,
        is_interrupted: bool,
        quiet_since: &mut Option<Nanos>,
    ) -> bool {
        let heard = self.control.heard();
        // Tmax after everything that was heard has ended; in the senders' process, after they have.
        let is_running = self.spec.role == Role::Run && senders_left > 0;
        let is_open = heard.open > 0 || heard.streams == 0;
        let waits = is_open || !self.spec.stop.with_senders;
        if is_running || (waits && self.spec.role == Role::Recv) {
            *quiet_since = None;
        } else {
            let quiet = now.saturating_sub(*quiet_since.get_or_insert(now));
            let slack = if is_open { SLACK } else { Nanos(0) };
            if quiet >= self.spec.loss_threshold_ns + slack {
                return true;
            }
        }
        if self.spec.role != Role::Recv {
            return false;
        }
        let stop = self.spec.stop;
        is_interrupted
            || stop.time_ns.is_some_and(|time| now >= time)
            || stop.count.is_some_and(|count| heard.received >= count)
    }
}
