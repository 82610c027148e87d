//! Who does what on which core: a spec becomes workers.

use super::granted::Granted;
use crate::engine::{RxPlan, TxPlan};
use crate::model::group::Membership;
use crate::model::spec::{Load, Role, TrialSpec};
use crate::net::timestamp::Stamps;
use crate::stats::schedule::{AsFastAsPossible, Constant, Schedule, Turn};

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

/// The senders of a spec. Each sends a datagram, or with `in_trains` a batch, to each group in turn, and takes its
/// turn among the senders.
pub(super) fn senders(
    spec: &TrialSpec,
    granted: &Granted,
    cpus: &[usize],
    in_trains: bool,
) -> Vec<SenderPlan> {
    let Some(load) = spec.load else { return Vec::new() };
    let load = Load { pace: granted.pace, ..load };
    let of = spec.sender_threads;
    (0..of)
        .map(|index| SenderPlan {
            engine: TxPlan {
                flows: spec.groups.clone(),
                interface: spec.interface,
                ttl: spec.ttl,
                loopback: spec.loopback,
                dscp: spec.dscp,
                payload_len: usize::from(load.payload_len)
                    .max(crate::wire::announcement::ANNOUNCEMENT_LEN),
                batch: spec.batch,
                launch: granted.launch,
            },
            in_trains,
            cpu: core(spec, cpus, index),
            number: index as u16,
            first_stream: (index * spec.groups.len()) as u16,
            schedule: schedule(&load, Turn { index: index as u32, of: of as u32 }),
            count: spec.stop.count.map(|count| share(count, index, of)),
            load,
        })
        .collect()
}

/// The receivers of a spec. The kernel gives every socket every datagram of its groups, so each receiver has
/// groups of its own.
pub(super) fn receivers(
    spec: &TrialSpec,
    granted: &Granted,
    cpus: &[usize],
    stamps: &Stamps,
) -> Vec<ReceiverPlan> {
    let of = spec.receiver_threads;
    (0..of)
        .map(|index| ReceiverPlan {
            engine: RxPlan {
                flows: spec
                    .groups
                    .iter()
                    .skip(index)
                    .step_by(of)
                    .copied()
                    .collect::<Vec<Membership>>(),
                interface: spec.interface,
                receive_buffer: spec.receive_buffer,
                batch: spec.batch,
                stamps: stamps.clone(),
                busy_poll_us: granted.busy_poll_us,
            },
            cpu: core(spec, cpus, spec.sender_threads + index),
        })
        .collect()
}

fn schedule(load: &Load, turn: Turn) -> Box<dyn Schedule> {
    match load.rate.datagram_rate(load.payload_len) {
        Some(rate) => Box::new(Constant::new(rate, load.burst_len, turn)),
        None => Box::new(AsFastAsPossible),
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

    #[test]
    fn shares_add_up() {
        for (total, of) in [(10, 3), (2, 4), (0, 2), (9, 1)] {
            assert_eq!((0..of).map(|index| share(total, index, of)).sum::<u64>(), total);
        }
        assert_eq!([0, 1, 2].map(|index| share(10, index, 3)), [4, 3, 3]);
    }

    #[test]
    fn sender_and_receiver_of_one_host_are_apart() {
        let cores = |role, sender_threads| {
            let spec = TrialSpec { role, sender_threads, ..sample::run().trial.spec };
            let spec = TrialSpec { cpus: vec![], ..spec };
            let granted = Granted::of(&spec, &crate::engine::memory::Memory);
            let sender = senders(&spec, &granted, &[0, 1, 2, 3], false);
            let sender = sender.first().and_then(|sender| sender.cpu);
            (sender, receivers(&spec, &granted, &[0, 1, 2, 3], &Stamps::Kernel)[0].cpu)
        };
        assert_eq!(cores(Role::Run, 1), (Some(3), Some(2)));
        // In two processes, neither of which knows of the other.
        assert_eq!((cores(Role::Send, 1).0, cores(Role::Recv, 0).1), (Some(3), Some(2)));
    }
}
