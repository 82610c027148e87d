//! Who does what on which core: a spec becomes workers.

use super::granted::Granted;
use super::lengths::Lengths;
use super::replay::Trace;
use crate::engine::{RxPlan, TxPlan};
use crate::model::spec::{Load, Role, Timing, TrialSpec};
use crate::net::timestamp::Stamps;
use crate::stats::schedule::{
    AsFastAsPossible, Constant, OnOff, Poisson, Ramp, Replay, Schedule, Turn,
};
use crate::units::rate::Rate;
use crate::wire::announcement::ANNOUNCEMENT_LEN;

/// One sender.
pub(super) struct SenderPlan {
    /// What its engine needs.
    pub(super) engine: TxPlan,
    /// Whether all datagrams of a batch go to one flow.
    pub(super) in_trains: bool,
    /// Core to pin to.
    pub(super) cpu: Option<usize>,
    /// Its number among the senders.
    pub(super) number: u16,
    /// Number of its first stream; it has one a flow.
    pub(super) first_stream: u16,
    /// When its datagrams are due.
    pub(super) schedule: Box<dyn Schedule>,
    /// How long they are, if not all alike.
    pub(super) lengths: Option<Lengths>,
    /// So many datagrams and no more.
    pub(super) count: Option<u64>,
    /// What it offers.
    pub(super) load: Load,
}

/// One receiver.
pub(super) struct ReceiverPlan {
    /// What its engine needs.
    pub(super) engine: RxPlan,
    /// Core to pin to.
    pub(super) cpu: Option<usize>,
}

/// The senders of a spec. Each sends a datagram, or with `in_trains` a batch, to each group of its flow in turn, and
/// takes its turn among the senders of that. `trace` is what is replayed, if that is asked for.
pub(super) fn senders(
    spec: &TrialSpec,
    granted: &Granted,
    trace: Option<&Trace>,
    cpus: &[usize],
    in_trains: bool,
) -> Vec<SenderPlan> {
    let all = spec.sender_threads;
    let mut plans: Vec<SenderPlan> = Vec::with_capacity(all);
    let mut first_stream = 0;
    for flow in spec.offered() {
        let load = Load { pace: granted.pace, ..flow.load };
        let longest = trace.map_or(load.sizes.longest(), Trace::longest);
        let count = match (&load.schedule, trace) {
            (Timing::Replay { repeats: false, .. }, Some(trace)) => Some(trace.dues.len() as u64),
            _ => spec.stop.count,
        };
        for index in 0..flow.threads as u32 {
            let turn = Turn { index, of: flow.threads as u32 };
            let number = plans.len();
            plans.push(SenderPlan {
                engine: TxPlan {
                    flows: flow.groups.clone(),
                    interface: spec.interface,
                    source_port: spec.source_port.unwrap_or(0),
                    ttl: spec.ttl,
                    loopback: spec.loopback,
                    dscp: spec.dscp,
                    payload_len: usize::from(longest).max(ANNOUNCEMENT_LEN),
                    batch: spec.batch,
                    launch: granted.launch,
                },
                in_trains,
                cpu: core(spec, cpus, number),
                number: number as u16,
                first_stream: first_stream as u16,
                schedule: schedule(&load, trace, turn),
                lengths: match (trace, load.sizes.only()) {
                    (Some(trace), _) => Some(Lengths::listed(trace.lens.clone(), turn)),
                    (None, None) => Some(Lengths::mixed(&load.sizes, flow.groups.len(), turn)),
                    (None, Some(_)) => None,
                },
                count: count.map(|count| share(count, number, all)),
                load: load.clone(),
            });
            first_stream += flow.groups.len();
        }
    }
    plans
}

/// The receivers of a spec, as many on each interface. The kernel gives every socket every datagram of its groups, so
/// each receiver of an interface has groups of its own.
pub(super) fn receivers(
    spec: &TrialSpec,
    granted: &Granted,
    cpus: &[usize],
    stamps: &Stamps,
) -> Vec<ReceiverPlan> {
    let Some(bind) = spec.bind else { return Vec::new() };
    let interfaces: Vec<_> = spec.interfaces().collect();
    let of = spec.receiver_threads / interfaces.len();
    let places = interfaces.into_iter().flat_map(|interface| (0..of).map(move |n| (interface, n)));
    places
        .enumerate()
        .map(|(index, (interface, first))| ReceiverPlan {
            engine: RxPlan {
                flows: spec.groups.iter().skip(first).step_by(of).copied().collect(),
                interface,
                bind,
                receive_buffer: spec.receive_buffer,
                batch: spec.batch,
                stamps: stamps.clone(),
                busy_poll_us: granted.busy_poll_us,
            },
            cpu: core(spec, cpus, spec.sender_threads + index),
        })
        .collect()
}

fn schedule(load: &Load, trace: Option<&Trace>, turn: Turn) -> Box<dyn Schedule> {
    if let Some(trace) = trace {
        return Box::new(Replay::new(trace.dues.clone(), trace.period, turn));
    }
    let of = |rate: Rate| rate.datagram_rate(&load.sizes);
    let rate = load.rate.and_then(of);
    match (&load.schedule, rate) {
        (Timing::Constant, Some(rate)) => Box::new(Constant::new(rate, load.burst_len, turn)),
        (Timing::Poisson { seed }, Some(rate)) => Box::new(Poisson::new(rate, *seed, turn)),
        (Timing::OnOff { on_ns, off_ns }, Some(rate)) => {
            let constant = Constant::new(rate, load.burst_len, turn);
            Box::new(OnOff::new(constant, *on_ns, *off_ns))
        }
        (Timing::Ramp { from, to, over_ns }, _) => match (of(*from), of(*to)) {
            (Some(from), Some(to)) => Box::new(Ramp::new(from, to, *over_ns, turn)),
            _ => Box::new(AsFastAsPossible),
        },
        (Timing::Replay { .. }, _) | (_, None) => Box::new(AsFastAsPossible),
    }
}

/// Core of the `worker`-th worker, senders first: those the user named, or from the last core downwards, so
/// that a sender and a receiver are apart and the first core, which serves most interrupts, comes last.
/// A receiver alone leaves the last core to a sender that another process may have on this host.
fn core(spec: &TrialSpec, cpus: &[usize], worker: usize) -> Option<usize> {
    if !spec.cpus.is_empty() {
        return Some(spec.cpus[worker % spec.cpus.len()]);
    }
    let count = cpus.len().max(1);
    let place = worker + usize::from(spec.role == Role::Recv);
    cpus.get(count - 1 - place % count).copied()
}

/// The part of `total` that one of several gets, the first ones one more where it does not divide.
fn share(total: u64, index: usize, of: usize) -> u64 {
    total / of as u64 + u64::from((index as u64) < total % of as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::model::spec::Flow;

    #[test]
    fn shares_add_up() {
        for (total, of) in [(10, 3), (2, 4), (0, 2), (9, 1)] {
            assert_eq!((0..of).map(|index| share(total, index, of)).sum::<u64>(), total);
        }
        assert_eq!([0, 1, 2].map(|index| share(10, index, 3)), [4, 3, 3]);
    }

    #[test]
    fn flows_have_senders_and_streams_of_their_own() {
        let mut spec = sample::run().trial.spec;
        let flow = spec.offered().remove(0);
        let load = Load { burst_len: 7, ..flow.load.clone() };
        let second = Flow { groups: vec![flow.groups[0]; 3], load, threads: 1 };
        spec.flows = vec![Flow { threads: 2, ..flow }, second];
        (spec.sender_threads, spec.stop.count) = (3, Some(10));
        let granted = Granted::of(&spec, &crate::engine::memory::Memory);
        let plans = senders(&spec, &granted, None, &[0, 1], false);
        let said = plans.iter().map(|plan| {
            (
                plan.number,
                plan.first_stream,
                plan.engine.flows.len(),
                plan.load.burst_len,
                plan.count,
            )
        });
        let expected = [(0, 0, 1, 1, Some(4)), (1, 1, 1, 1, Some(3)), (2, 2, 3, 7, Some(3))];
        assert_eq!(said.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn sender_and_receiver_of_one_host_are_apart() {
        let cores = |role, sender_threads| {
            let spec = TrialSpec { role, sender_threads, ..sample::run().trial.spec };
            let spec = TrialSpec { cpus: vec![], ..spec };
            let granted = Granted::of(&spec, &crate::engine::memory::Memory);
            let sender = senders(&spec, &granted, None, &[0, 1, 2, 3], false);
            let sender = sender.first().and_then(|sender| sender.cpu);
            (sender, receivers(&spec, &granted, &[0, 1, 2, 3], &Stamps::Kernel)[0].cpu)
        };
        assert_eq!(cores(Role::Run, 1), (Some(3), Some(2)));
        // In two processes, neither of which knows of the other.
        assert_eq!((cores(Role::Send, 1).0, cores(Role::Recv, 0).1), (Some(3), Some(2)));
    }
}
