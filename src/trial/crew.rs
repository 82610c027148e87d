//! The workers' threads: built, started on their cores, joined.

use super::collector::Delivery;
use super::control::{Control, TrialClock};
use super::handover::{GiveBack, Handover, Part};
use super::plan::{ReceiverPlan, SenderPlan};
use super::rx_worker::{Patience, RxResult, RxWorker};
use super::stream::Options;
use super::tx_worker::{TxResult, TxWorker};
use crate::engine::{RxEngine, TxEngine};
use crate::error::{Error, Result};
use crate::model::snapshot::{ReceiverInterval, SenderInterval};
use crate::model::spec::{Role, TrialSpec};
use crate::sys::netdev::interface_name;
use crate::sys::sched;
use core_affinity::CoreId;
use crossbeam_channel::Sender;
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Builds workers. All memory that they will use is taken here.
pub(super) struct Crew<'a> {
    spec: &'a TrialSpec,
    realtime: bool,
    session: u32,
    trial: TrialClock,
    follows_streams: bool,
    to_collector: Sender<Delivery>,
    give_back_tx: GiveBack<SenderInterval>,
    give_back_rx: GiveBack<ReceiverInterval>,
}

/// A worker that waits for its thread.
pub(super) struct Hand<W> {
    name: String,
    cpu: Option<usize>,
    realtime: bool,
    work: W,
}

/// What a worker leaves behind, and the core it ran on; `None`: it could not be pinned.
pub(super) struct Done<R> {
    /// Name of the worker.
    pub(super) name: String,
    /// Core that it was to run on.
    pub(super) wanted_cpu: Option<usize>,
    /// Core that it was pinned to.
    pub(super) cpu: Option<usize>,
    /// What it found.
    pub(super) result: R,
}

type Running<'scope, R> = Vec<ScopedJoinHandle<'scope, Done<R>>>;

impl<'a> Crew<'a> {
    pub(super) fn new(
        spec: &'a TrialSpec,
        realtime: bool,
        session: u32,
        trial: TrialClock,
        follows_streams: bool,
        to_collector: Sender<Delivery>,
    ) -> Self {
        Self {
            spec,
            realtime,
            session,
            trial,
            follows_streams,
            to_collector,
            give_back_tx: Vec::new(),
            give_back_rx: Vec::new(),
        }
    }

    /// The senders; they are the first workers of all.
    pub(super) fn senders(
        &mut self,
        plans: Vec<SenderPlan>,
        engines: Vec<Box<dyn TxEngine>>,
    ) -> Vec<Hand<TxWorker>> {
        let engines = plans.into_iter().zip(engines).enumerate();
        let hands = engines.map(|(number, (plan, engine))| {
            let name = format!("sender {number}");
            let cpu = plan.cpu;
            let (interval, to_collector) = (self.spec.interval_ns, self.to_collector.clone());
            let (handover, give_back) =
                Handover::new(number, interval, SenderInterval::default, to_collector);
            self.give_back_tx.push(give_back);
            let end = self.spec.stop.time_ns;
            let (session, trial) = (self.session, self.trial);
            let work = TxWorker::new(name.clone(), plan, session, end, engine, trial, handover);
            Hand { name, cpu, realtime: self.realtime, work }
        });
        hands.collect()
    }

    /// The receivers; `senders` workers come before them.
    pub(super) fn receivers(
        &mut self,
        plans: Vec<ReceiverPlan>,
        engines: Vec<Box<dyn RxEngine>>,
        senders: usize,
    ) -> Vec<Hand<RxWorker>> {
        let engines = plans.into_iter().zip(engines).enumerate();
        let hands = engines.map(|(number, (plan, engine))| {
            let name = format!("receiver {number}");
            let (interval, to_collector) = (self.spec.interval_ns, self.to_collector.clone());
            let empty = || ReceiverInterval::new(self.spec.variation);
            let (handover, give_back) =
                Handover::new(senders + number, interval, empty, to_collector);
            self.give_back_rx.push(give_back);
            let place = (plan.engine.flows, interface_name(plan.engine.interface).ok());
            let patience = Patience {
                loss_threshold: self.spec.loss_threshold_ns,
                idle_timeout: self.spec.idle_timeout_ns,
                spins: self.spec.spin,
            };
            let options = Options {
                session: (self.spec.role == Role::Run).then_some(self.session),
                loss_distance: self.spec.loss_distance,
                reorder_density: self.spec.reorder_density,
                media_rate_bps: self.spec.media_rate_bps,
                variation: self.spec.variation,
                positions: self.follows_streams,
            };
            let named = (name.clone(), number);
            let work = RxWorker::new(named, place, patience, options, engine, self.trial, handover);
            Hand { name, cpu: plan.cpu, realtime: self.realtime, work }
        });
        hands.collect()
    }

    /// The ways back for emptied intervals. The collector's channel is now held by the workers alone.
    pub(super) fn dismiss(self) -> (GiveBack<SenderInterval>, GiveBack<ReceiverInterval>) {
        (self.give_back_tx, self.give_back_rx)
    }
}

impl Hand<RxWorker> {
    /// Starts the receivers, then the senders.
    pub(super) fn spawn_all<'scope>(
        scope: &'scope Scope<'scope, '_>,
        control: &'scope Control,
        receivers: Vec<Self>,
        senders: Vec<Hand<TxWorker>>,
    ) -> Result<(Running<'scope, RxResult>, Running<'scope, TxResult>)> {
        let receivers = receivers
            .into_iter()
            .map(|hand| hand.spawn(scope, move |work| work.run(control)))
            .collect::<Result<_>>()?;
        let senders = senders
            .into_iter()
            .map(|hand| hand.spawn(scope, move |work| work.run(control)))
            .collect::<Result<_>>()?;
        Ok((receivers, senders))
    }
}

impl<W: Send> Hand<W> {
    fn spawn<'scope, R: Send + 'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        run: impl FnOnce(W) -> R + Send + 'scope,
    ) -> Result<ScopedJoinHandle<'scope, Done<R>>>
    where
        W: 'scope,
    {
        let Self { name, cpu: wanted_cpu, realtime, work } = self;
        let builder = Builder::new().name(name.replace(' ', "-"));
        let thread = builder.spawn_scoped(scope, move || {
            let cpu = wanted_cpu.filter(|&cpu| pin(cpu));
            // Without it every sleep ends up to 50 microseconds late; the pacer then only spins longer.
            drop(sched::set_timer_slack_least());
            if realtime {
                // It was granted to the thread that started this one.
                drop(sched::set_realtime());
            }
            Done { name, wanted_cpu, cpu, result: run(work) }
        });
        thread.map_err(|error| Error::os("cannot start a worker thread", error))
    }
}

/// Waits for the workers; a panic of one is a panic here.
pub(super) fn join_all<R>(running: Running<'_, R>) -> Vec<Done<R>> {
    let join = |thread: ScopedJoinHandle<'_, Done<R>>| {
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    };
    running.into_iter().map(join).collect()
}

/// Pins the calling thread to one core. `core_affinity` panics beyond the cores of a `cpu_set_t`.
fn pin(cpu: usize) -> bool {
    cpu < libc::CPU_SETSIZE as usize && core_affinity::set_for_current(CoreId { id: cpu })
}

impl From<Part<SenderInterval>> for Delivery {
    fn from(part: Part<SenderInterval>) -> Self {
        Self::Tx(part)
    }
}

impl From<Part<ReceiverInterval>> for Delivery {
    fn from(part: Part<ReceiverInterval>) -> Self {
        Self::Rx(part)
    }
}
