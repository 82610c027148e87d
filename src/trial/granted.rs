//! What of that which was asked for this host grants. The trial goes on without the rest, and says so.

use crate::engine::Engine;
use crate::model::event::Happening;
use crate::model::spec::{Load, Pace, Timing, TrialSpec};
use crate::net::socket::{self, Launch};
use crate::sys::{memory, qdisc, sched};
use crate::units::rate::Rate;

/// Means that make a trial steadier, as far as they were asked for and can be had.
pub(super) struct Granted {
    /// How senders wait.
    pub(super) pace: Pace,
    /// Who lets their datagrams go.
    pub(super) launch: Launch,
    /// Microseconds for which a read asks the network card for more.
    pub(super) busy_poll_us: Option<u32>,
    /// Whether workers go before all that is not real-time.
    pub(super) realtime: bool,
    /// What is to be said of it.
    pub(super) happened: Vec<Happening>,
}

impl Granted {
    /// Tries everything that was asked for. Memory that can be locked is locked from now on.
    pub(super) fn of(spec: &TrialSpec, engine: &dyn Engine) -> Self {
        let mut happened = Vec::new();
        let (pace, launch) = match &spec.load {
            Some(load) => pace(spec, load, engine, &mut happened),
            None => (Pace::Auto, Launch::AtOnce),
        };
        let mut has = |asked: &str, instead: &str, granted: Result<(), String>| match granted {
            Ok(()) => true,
            Err(reason) => {
                happened.push(degraded(asked, instead, reason));
                false
            }
        };
        let busy_poll_us = spec.busy_poll_us.filter(|&micros| {
            let granted = socket::try_busy_poll(micros).map_err(|error| error.to_string());
            has("--busy-poll", "woken by interrupts", granted)
        });
        let realtime = spec.realtime
            && has(
                "--realtime",
                "an ordinary thread",
                sched::try_realtime().map_err(|error| {
                    format!("cannot set SCHED_FIFO: {error} (CAP_SYS_NICE or ulimit -r 1)")
                }),
            );
        if spec.lock_memory {
            let locked = memory::lock_all().map_err(|error| {
                format!("cannot lock memory: {error} (CAP_IPC_LOCK or ulimit -l unlimited)")
            });
            has("--lock-memory", "memory that may be paged out", locked);
        }
        Self { pace, launch, busy_poll_us, realtime, happened }
    }
}

/// How senders wait, and who lets their datagrams go.
fn pace(
    spec: &TrialSpec,
    load: &Load,
    engine: &dyn Engine,
    happened: &mut Vec<Happening>,
) -> (Pace, Launch) {
    let launch = match load.pace {
        Pace::Auto | Pace::Spin | Pace::Sleep => Ok(Launch::AtOnce),
        Pace::Txtime | Pace::Fq if !engine.holds_back() => {
            Err(format!("engine `{}` has no part in it; mmsg has", engine.name()))
        }
        pace => launch(pace, load, spec.sender_threads, discipline(spec.interface).as_deref()),
    };
    let launch = launch.and_then(|launch| {
        socket::try_launch(launch).map(|()| launch).map_err(|error| error.to_string())
    });
    launch.map(|launch| (load.pace, launch)).unwrap_or_else(|reason| {
        let asked = if load.pace == Pace::Fq { "--pace fq" } else { "--pace txtime" };
        happened.push(degraded(asked, "--pace auto", reason));
        (Pace::Auto, Launch::AtOnce)
    })
}

fn degraded(asked: &str, instead: &str, reason: String) -> Happening {
    Happening::Degraded { asked: asked.to_owned(), instead: instead.to_owned(), reason }
}

fn discipline(interface: u32) -> Option<String> {
    qdisc::root(interface).ok().map(|root| root.kind)
}

/// Who lets datagrams go with a queueing discipline, or why nobody can.
fn launch(
    pace: Pace,
    load: &Load,
    threads: usize,
    discipline: Option<&str>,
) -> Result<Launch, String> {
    if load.rate == Some(Rate::Max) {
        return Err("--rate max leaves nothing to pace".into());
    }
    let rate = load.rate.and_then(|rate| rate.datagram_rate(&load.sizes));
    let is_even = matches!(load.schedule, Timing::Constant | Timing::OnOff { .. });
    match (pace, discipline, rate) {
        // The discipline knows one rate in bytes, and would smooth out what is not to be smooth.
        (Pace::Fq, ..) if !is_even => {
            Err(format!("fq spreads datagrams evenly, and {} is not even", load.schedule.kind()))
        }
        (Pace::Fq, ..) if load.sizes.only().is_none() => {
            Err("fq spreads bytes evenly, and in a size mix these are not datagrams".into())
        }
        (Pace::Txtime, Some("fq"), _) => Ok(Launch::Txtime { by_tai: false }),
        (Pace::Txtime, Some("etf"), _) => Ok(Launch::Txtime { by_tai: true }),
        (Pace::Fq, Some("fq"), Some(rate)) => {
            // The discipline counts whole frames: 8 bytes of UDP header, 20 of IP and 14 of Ethernet.
            let frame_len = f64::from(load.sizes.longest()) + 42.0;
            let bytes = rate.per_second() * frame_len / threads as f64;
            Ok(Launch::Fq { bytes_per_second: bytes.ceil() as u64 })
        }
        (pace, discipline, _) => {
            let found = discipline.unwrap_or("none");
            let wanted = if pace == Pace::Fq { "fq" } else { "fq or etf" };
            Err(format!(
                "the queueing discipline of the interface is {found}, it takes {wanted} \
                 (tc qdisc replace dev IFACE root fq)"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::units::size_mix::SizeMix;

    #[test]
    fn a_queueing_discipline_that_can_is_used() {
        let load = Load {
            rate: "1k".parse().ok(),
            sizes: SizeMix::of_one(958),
            ..sample::run().trial.spec.load.unwrap()
        };
        let with = |pace, kind| launch(pace, &load, 2, kind);
        assert_eq!(with(Pace::Txtime, Some("fq")), Ok(Launch::Txtime { by_tai: false }));
        assert_eq!(with(Pace::Txtime, Some("etf")), Ok(Launch::Txtime { by_tai: true }));
        assert_eq!(with(Pace::Fq, Some("fq")), Ok(Launch::Fq { bytes_per_second: 500_000 }));
        let refused = with(Pace::Fq, Some("etf")).unwrap_err();
        assert!(
            refused.starts_with("the queueing discipline of the interface is etf, it takes fq (")
        );
        assert!(with(Pace::Txtime, None).unwrap_err().contains("is none, it takes fq or etf"));
        let refused = |load| launch(Pace::Fq, &load, 1, Some("fq")).unwrap_err();
        let endless = Load { rate: Some(Rate::Max), ..load.clone() };
        assert!(refused(endless).starts_with("--rate max"));
        let uneven = Load { schedule: Timing::Poisson { seed: 7 }, ..load.clone() };
        assert!(refused(uneven).ends_with("and poisson is not even"));
        let mixed = Load { sizes: SizeMix::default(), ..load };
        assert!(refused(mixed).contains("in a size mix"));
    }
}
