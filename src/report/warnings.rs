//! What a warning or a reason for invalidity means, and what to do about it.

use super::blame;
use crate::model::drops::Place;
use crate::model::group::AnySource;
use crate::model::report::{InvalidReason, RunReport, TrialReport, Warning};
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::{bytes, count, percent};

/// Something that a person is to understand and to act on.
pub trait Explained<T = RunReport> {
    /// What it means, as a clause: no capital, no full stop.
    fn sentence(&self) -> String;
    /// What to do about it on the machine of `report`, in the same form.
    fn advice(&self, report: &T) -> String;
}

impl Explained for InvalidReason {
    fn sentence(&self) -> String {
        match self {
            Self::OfferedLoadMissed { intended, offered } => {
                let share = percent(*offered as f64 / (*intended).max(1) as f64);
                let (intended, offered) = (grouped(*intended), grouped(*offered));
                format!(
                    "only {share} of the intended load was offered: {offered} of {intended} datagrams"
                )
            }
            Self::ApparatusDropped { receiver_socket, receiver_host } => {
                let all = count(receiver_socket + receiver_host, "datagram");
                let (socket, host) = (grouped(*receiver_socket), grouped(*receiver_host));
                format!(
                    "this host dropped {all} itself (own socket {socket}, before the socket {host}): \
                     not the network's loss"
                )
            }
            Self::Stalled { worker, length_ns } => {
                format!("the {worker} stood still for {length_ns}")
            }
            Self::ClockStepped { by_ns } => format!(
                "the wall clock was set {} by {} during the trial: delays cannot be compared",
                if *by_ns < 0 { "back" } else { "forward" },
                Nanos(by_ns.unsigned_abs())
            ),
            Self::WorkerFailed { worker, cause } => format!("{worker} could not go on: {cause}"),
            Self::NothingHeard => "not one datagram of ours arrived".into(),
        }
    }

    fn advice(&self, report: &RunReport) -> String {
        match self {
            Self::NothingHeard => return blame::of_silence(report),
            Self::OfferedLoadMissed { .. } => {
                "lower --rate, use more --threads or a larger --batch, or pin the sender with --cpu"
            }
            Self::ApparatusDropped { .. } => {
                return blame::shares(report)
                    .iter()
                    .max_by_key(|share| share.own_datagrams())
                    .map_or_else(|| "lower --rate".into(), |share| share.advice(report));
            }
            Self::Stalled { .. } => {
                "keep other work off its core: pin it with --cpu, and leave a core for the rest"
            }
            Self::ClockStepped { .. } => {
                "let the time service slew instead of step, or wait until it has settled"
            }
            Self::WorkerFailed { .. } => {
                "see whether the interface is still there and up (ip link), and repeat"
            }
        }
        .into()
    }
}

impl Explained for Warning {
    fn sentence(&self) -> String {
        match self {
            Self::ReceiveBufferSmall { grant } => {
                // The kernel doubles what is set; half of it is what compares to the bytes asked for.
                let (granted, asked) = (bytes(grant.granted as u64 / 2), bytes(grant.asked as u64));
                format!("the receive buffer is {granted} of the {asked} asked for")
            }
            Self::SharedCore { cpu } => {
                format!("a sender and a receiver share core {cpu} and slow each other down")
            }
            Self::Refused { errno, datagrams } => {
                let datagrams = count(*datagrams, "datagram");
                format!("the kernel refused {datagrams} with {errno}: {}", refusal(errno).0)
            }
            Self::SendingHostDropped { place, packets, after_taking } => {
                let fate = match after_taking {
                    0 => "all of which it had refused, so none counts as offered".to_owned(),
                    _ => format!(
                        "{} of which it had taken: those count as offered, and not the network lost them",
                        grouped(*after_taking)
                    ),
                };
                format!("the sending host dropped {} in {place}, {fate}", grouped(*packets))
            }
            Self::ReversePathFiltered { datagrams } => format!(
                "the reverse-path filter of this host dropped {}: no route to their sender leads out \
                 through the interface that they came in by",
                count(*datagrams, "datagram")
            ),
            Self::SenderLate { p99_ns } => {
                format!(
                    "the sender was late: 1 % of its datagrams left more than {p99_ns} after they were due"
                )
            }
            Self::SenderStalled { session, stalls, length_ns } => format!(
                "sender {session} says that it stood still {}, up to {length_ns}: the silence, and the \
                 burst and the delays that follow it, are its own",
                count(*stalls, "time")
            ),
            Self::SenderMissedLoad { session, intended, offered } => format!(
                "sender {session} says that it offered only {} of what it intended: {} of {}",
                percent(*offered as f64 / (*intended).max(1) as f64),
                grouped(*offered),
                count(*intended, "datagram")
            ),
            Self::NegativeDelay { datagrams } => format!(
                "{} arrived before being due: the two clocks disagree, so the delays mean little",
                count(*datagrams, "datagram")
            ),
            Self::ClocksMoved { streams, step_max_ns } => format!(
                "the clocks of {} and of this host moved against each other by up to {}: delays \
                 before and after cannot be compared",
                count(*streams as u64, "stream"),
                Nanos(step_max_ns.unsigned_abs())
            ),
            Self::TailUnknown { streams } => format!(
                "{} ended without a word from the sender: what was lost after the last datagram \
                 heard is not known and not counted",
                count(*streams as u64, "stream")
            ),
            Self::SharedMac(shared) => shared.to_string(),
            Self::AnySource(joined) => joined.to_string(),
            Self::Hiccup { worker, length_ns } => {
                format!("the {worker} stood still for {length_ns}, too short to spoil the trial")
            }
        }
    }

    fn advice(&self, report: &RunReport) -> String {
        match self {
            Self::ReceiveBufferSmall { grant } => {
                format!("sysctl -w net.core.rmem_max={}, or run with CAP_NET_ADMIN", grant.asked)
            }
            Self::SharedCore { .. } => "give each its own core with --cpu".into(),
            Self::Refused { errno, .. } if errno == "ENOBUFS" => blame::of_full_queue(report),
            Self::Refused { errno, .. } => refusal(errno).1.into(),
            Self::SendingHostDropped { after_taking: 0, .. } => {
                "these are the refusals as the queue counts them: no loss, and not the network's".into()
            }
            Self::SendingHostDropped { place, .. } if place.starts_with("qdisc") => {
                blame::of_full_queue(report)
            }
            Self::SendingHostDropped { .. } => {
                let interface = &report.environment.interface.name;
                format!("see ip -s link show dev {interface}, and ethtool -S {interface}")
            }
            Self::ReversePathFiltered { .. } => blame::of_place(Place::ReversePath, report),
            Self::SenderLate { .. } => {
                "pin the sender to a core of its own with --cpu, or lower --rate".into()
            }
            Self::SenderStalled { .. } => {
                "keep other work off the sender's core: pin it there with --cpu, and see its own report"
                    .into()
            }
            Self::SenderMissedLoad { .. } => {
                "take the load from the sender's own report, which says what kept it".into()
            }
            Self::NegativeDelay { .. } => {
                "synchronise the clocks (PTP, or chrony with hardware timestamps) and repeat".into()
            }
            Self::ClocksMoved { .. } => {
                "let the time service slew instead of step, or wait until it has settled".into()
            }
            Self::TailUnknown { .. } => {
                "let the sender end before the receiver, and check that its last datagrams can arrive"
                    .into()
            }
            Self::SharedMac(_) => {
                "take groups that differ in their low 23 bits, IPv6 in their low 32, and IPv4 not \
                 x.0.0.y nor x.128.0.y"
                    .into()
            }
            Self::AnySource(AnySource { group, .. }) => format!("name the source: -g SOURCE@{group}"),
            Self::Hiccup { .. } => {
                "keep other work off its core, or pin it with --cpu; the longest delays may be its doing"
                    .into()
            }
        }
    }
}

/// What an errno of a send means, and what to do.
fn refusal(errno: &str) -> (&'static str, &'static str) {
    match errno {
        "ENOBUFS" => ("the queue of the sending interface was full", "lower --rate"),
        "EAGAIN" | "EWOULDBLOCK" => (
            "the socket's send buffer was full",
            "lower --rate, or sysctl -w net.core.wmem_max to a larger value",
        ),
        "EMSGSIZE" => (
            "the size does not fit the interface's MTU",
            "lower --size, or raise the MTU along the whole path",
        ),
        "ENETUNREACH" | "EHOSTUNREACH" => (
            "there is no route to the group",
            "name the interface with --iface, or: ip route add 224.0.0.0/4 dev IFACE \
             (for IPv6 over loopback: ip -6 route add local ff00::/8 dev lo)",
        ),
        "EPERM" | "EACCES" => (
            "a firewall on this host forbids it",
            "look at the output rules: nft list ruleset, or iptables -L OUTPUT",
        ),
        "ENETDOWN" | "ENODEV" | "ENXIO" => {
            ("the interface is down or gone", "ip link set dev IFACE up, and see that it stays up")
        }
        "EINVAL" => {
            ("the kernel does not take such a datagram here", "try another engine with --engine")
        }
        "ENOMEM" => ("the kernel had no memory for it", "free memory, or lower --rate"),
        _ => ("see errno(3)", "see the man page send(2) for this error"),
    }
}

/// What kept the trial from more, where that can be told.
pub fn bottleneck(trial: &TrialReport) -> Option<String> {
    let dropped = trial.invalid_reasons.iter().find_map(|reason| match reason {
        InvalidReason::ApparatusDropped { receiver_socket, receiver_host } => {
            Some(if receiver_socket >= receiver_host {
                "this receiver: it did not empty its socket buffer fast enough"
            } else {
                "this host: it dropped before the receiver's socket"
            })
        }
        _ => None,
    });
    if let Some(dropped) = dropped {
        return Some(dropped.into());
    }
    let sender = trial.sender.as_ref()?;
    let most = sender.counts.refused.iter().max_by_key(|(_, datagrams)| **datagrams);
    if let Some((errno, _)) = most.filter(|(_, datagrams)| **datagrams > 0) {
        return Some(format!("the sending host: {} ({errno})", refusal(errno).0));
    }
    let stood_still = trial.invalid_reasons.iter().find_map(|reason| match reason {
        InvalidReason::Stalled { worker, length_ns } if worker == "sender" => Some(length_ns),
        _ => None,
    });
    if let Some(longest) = stood_still {
        let what = "other work on this host: the sender's thread stood still for up to";
        return Some(format!("{what} {longest}"));
    }
    let missed = |reason: &InvalidReason| matches!(reason, InvalidReason::OfferedLoadMissed { .. });
    if sender.intended_load_pps.is_none() || trial.invalid_reasons.iter().any(missed) {
        return Some("the sender: its thread cannot send faster this way".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::BufferGrant;
    use crate::model::sample;

    fn check(explained: &dyn Explained, sentence: &str, advice: &str) {
        let advised = explained.advice(&sample::run());
        assert_eq!((&*explained.sentence(), &*advised), (sentence, advice));
    }

    #[test]
    fn warnings_say_what_to_type() {
        let grant = BufferGrant { asked: 8 << 20, granted: 425_984, forced: false };
        check(
            &Warning::ReceiveBufferSmall { grant },
            "the receive buffer is 208 KiB of the 8 MiB asked for",
            "sysctl -w net.core.rmem_max=8388608, or run with CAP_NET_ADMIN",
        );
        check(
            &Warning::Refused { errno: "EMSGSIZE".into(), datagrams: 1 },
            "the kernel refused 1 datagram with EMSGSIZE: the size does not fit the interface's MTU",
            "lower --size, or raise the MTU along the whole path",
        );
    }

    #[test]
    fn an_unknown_errno_has_advice_too() {
        let warning = Warning::Refused { errno: "EOWNERDEAD".into(), datagrams: 2 };
        assert!(
            warning.sentence().contains("EOWNERDEAD") && !warning.advice(&sample::run()).is_empty()
        );
    }

    #[test]
    fn nothing_intended_divides_by_nothing() {
        let reason = InvalidReason::OfferedLoadMissed { intended: 0, offered: 0 };
        assert!(reason.sentence().starts_with("only 0 % of"));
    }

    #[test]
    fn the_bottleneck_is_named_only_when_known() {
        assert_eq!(bottleneck(&sample::run().trial), None);
        assert_eq!(
            bottleneck(&sample::lossy().trial).unwrap(),
            "this receiver: it did not empty its socket buffer fast enough"
        );
        assert_eq!(
            bottleneck(&sample::sender_only().trial).unwrap(),
            "the sending host: the queue of the sending interface was full (ENOBUFS)"
        );
        let mut trial = sample::run().trial;
        let stalled = |worker: &str| InvalidReason::Stalled {
            worker: worker.into(),
            length_ns: Nanos(470_000_000),
        };
        trial.invalid_reasons = vec![InvalidReason::OfferedLoadMissed { intended: 9, offered: 2 }];
        assert!(bottleneck(&trial).unwrap().starts_with("the sender: its thread cannot send"));
        trial.invalid_reasons.push(stalled("receiver"));
        assert!(bottleneck(&trial).unwrap().starts_with("the sender: its thread cannot send"));
        trial.invalid_reasons.push(stalled("sender"));
        assert_eq!(
            bottleneck(&trial).unwrap(),
            "other work on this host: the sender's thread stood still for up to 470 ms"
        );
    }
}
