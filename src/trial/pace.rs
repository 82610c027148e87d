//! What of the pacing that was asked for this host can do.

use crate::engine::Engine;
use crate::model::event::Happening;
use crate::model::spec::{Load, Pace, TrialSpec};
use crate::net::socket::{self, Launch};
use crate::sys::qdisc;

/// How senders wait, who lets their datagrams go, and what to say if that is not as asked.
pub(super) fn possible(
    spec: &TrialSpec,
    load: &Load,
    engine: &dyn Engine,
) -> (Pace, Launch, Option<Happening>) {
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
    match launch {
        Ok(launch) => (load.pace, launch, None),
        Err(reason) => {
            let asked = match load.pace {
                Pace::Fq => "--pace fq",
                _ => "--pace txtime",
            };
            let (asked, instead) = (asked.to_owned(), "--pace auto".to_owned());
            (Pace::Auto, Launch::AtOnce, Some(Happening::Degraded { asked, instead, reason }))
        }
    }
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
    let rate = load.rate.datagram_rate(load.payload_len);
    match (pace, discipline, rate) {
        (_, _, None) => Err("--rate max leaves nothing to pace".into()),
        (Pace::Txtime, Some("fq"), _) => Ok(Launch::Txtime { by_tai: false }),
        (Pace::Txtime, Some("etf"), _) => Ok(Launch::Txtime { by_tai: true }),
        (Pace::Fq, Some("fq"), Some(rate)) => {
            // The discipline counts whole frames: 8 bytes of UDP header, 20 of IP and 14 of Ethernet.
            let frame_len = f64::from(load.payload_len) + 42.0;
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
    use crate::units::rate::Rate;

    #[test]
    fn a_queueing_discipline_that_can_is_used() {
        let load = Load {
            rate: "1k".parse().unwrap(),
            payload_len: 958,
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
        let endless = Load { rate: Rate::Max, ..load };
        assert!(launch(Pace::Fq, &endless, 1, Some("fq")).is_err());
    }
}
