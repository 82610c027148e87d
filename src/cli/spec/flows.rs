//! Who sends what to which groups.

use super::load;
use super::network::{check_sources, groups};
use crate::cli::args::{GroupArgs, RunArgs, SendArgs, StopArgs};
use crate::cli::load_args::{LoadArgs, Shape};
use crate::cli::scenario_args::FlowArgs;
use crate::error::{Error, Result};
use crate::model::group::Membership;
use crate::model::spec::{Flow, Load, Pace, StopWhen};
use crate::units::rate::Rate;
use std::collections::HashSet;

/// Streams are numbered in 16 bits.
const MAX_STREAMS: usize = 1 << 16;

/// The flags that say it.
pub(super) struct Asked<'a> {
    groups: &'a GroupArgs,
    load: &'a LoadArgs,
    stop_args: &'a StopArgs,
    stop: StopWhen,
    threads: u16,
    flows: &'a [FlowArgs],
    default_rate: Rate,
}

impl RunArgs {
    pub(super) fn offer(&self, stop: StopWhen, default_rate: Rate) -> Asked<'_> {
        let Self { groups, load, stop: stop_args, .. } = self;
        let (threads, flows) = (self.engine.threads, &self.scenario.flows[..]);
        Asked { groups, load, stop_args, stop, threads, flows, default_rate }
    }
}

impl SendArgs {
    pub(super) fn offer(&self, stop: StopWhen, default_rate: Rate) -> Asked<'_> {
        let Self { groups, load, stop: stop_args, .. } = self;
        let (threads, flows) = (self.engine.threads, &self.scenario.flows[..]);
        Asked { groups, load, stop_args, stop, threads, flows, default_rate }
    }
}

/// What all senders offer.
pub(super) struct Offer {
    /// The flows, where there are several.
    pub(super) flows: Vec<Flow>,
    /// The groups of all of them, each once.
    pub(super) groups: Vec<Membership>,
    /// What the only flow offers, or the first.
    pub(super) load: Load,
    /// Sender threads of all of them.
    pub(super) threads: usize,
}

impl Offer {
    pub(super) fn of(asked: &Asked<'_>) -> Result<Self> {
        asked.check()?;
        let alone = [FlowArgs::default()];
        let words = if asked.flows.is_empty() { &alone[..] } else { asked.flows };
        let mut flows = words.iter().map(|flow| asked.flow(flow)).collect::<Result<Vec<_>>>()?;
        let threads = flows.iter().map(|flow| flow.threads).sum();
        check_streams(&flows)?;
        let load = flows[0].load.clone();
        let groups = once(flows.iter().flat_map(|flow| &flow.groups));
        if flows.len() == 1 {
            flows.clear();
        }
        Ok(Self { flows, groups, load, threads })
    }

    /// The load of each flow, and how many threads share it.
    pub(super) fn loads(&self) -> Vec<(&Load, usize)> {
        match &self.flows[..] {
            [] => vec![(&self.load, self.threads)],
            several => several.iter().map(|flow| (&flow.load, flow.threads)).collect(),
        }
    }
}

impl Asked<'_> {
    fn check(&self) -> Result<()> {
        if self.flows.is_empty() {
            return Ok(());
        }
        if self.load.replay.is_some() {
            return Err(Error::usage("--replay with --flow")
                .hint("a capture says the load of all senders: start another `send` for it"));
        }
        if let Pace::Txtime | Pace::Fq = self.load.pace {
            return Err(Error::usage(
                "a queueing discipline paces one flow, and --flow makes several",
            )
            .hint("leave out --pace, or start a `send` for each flow"));
        }
        Ok(())
    }

    fn flow(&self, own: &FlowArgs) -> Result<Flow> {
        let mut of_load = self.load.clone();
        of_load.rate = match own.schedule {
            Some(Shape::Ramp { .. }) => own.rate,
            _ => own.rate.or(of_load.rate),
        };
        of_load.size = own.size.clone().unwrap_or(of_load.size);
        of_load.schedule = own.schedule.unwrap_or(of_load.schedule);
        of_load.burst = own.burst.unwrap_or(of_load.burst);
        let groups = own_groups(self.groups, own)?;
        check_sources(&groups)?;
        Ok(Flow {
            groups,
            load: load(&of_load, self.stop_args, self.stop, self.default_rate)?,
            threads: own.threads.unwrap_or(self.threads).into(),
        })
    }
}

/// What a receiver joins: the groups of all flows, or those that were named.
pub(super) fn joined(args: &GroupArgs, flows: &[FlowArgs]) -> Result<Vec<Membership>> {
    if flows.is_empty() {
        return groups(args);
    }
    let all = flows.iter().map(|flow| own_groups(args, flow)).collect::<Result<Vec<_>>>()?;
    Ok(once(all.iter().flatten()))
}

fn own_groups(args: &GroupArgs, own: &FlowArgs) -> Result<Vec<Membership>> {
    if own.groups.is_empty() {
        return groups(args);
    }
    let GroupArgs { port, iface, .. } = args;
    groups(&GroupArgs { groups: own.groups.clone(), port: *port, iface: iface.clone() })
}

/// In order of appearance.
fn once<'a>(groups: impl Iterator<Item = &'a Membership>) -> Vec<Membership> {
    let mut seen = HashSet::new();
    groups.filter(|group| seen.insert(**group)).copied().collect()
}

fn check_streams(flows: &[Flow]) -> Result<()> {
    let streams: usize = flows.iter().map(Flow::streams).sum();
    if streams <= MAX_STREAMS {
        return Ok(());
    }
    Err(Error::usage(match flows {
        [one] => format!(
            "{} groups from {} threads are {streams} streams, and one sender can number {MAX_STREAMS}",
            one.groups.len(),
            one.threads
        ),
        several => format!(
            "{} flows have {streams} streams, and one sender can number {MAX_STREAMS}",
            several.len()
        ),
    }))
}
