//! May this trial be used? (RFC 3918 section 5.1: a trial whose apparatus failed MUST be considered invalid.)

use crate::model::delay::{Distribution, OneWayDelay};
use crate::model::drops::{LostBy, Place};
use crate::model::event::{Event, Happening};
use crate::model::report::{
    InvalidReason, ReceiverReport, SenderReport, StreamReport, Totals, Warning,
};
use crate::model::senders::SendersReport;
use crate::units::Nanos;

/// A worker that stood still for so long has bent the load, or the delays, beyond use.
const STALL: Nanos = Nanos(100_000_000);

/// Of the intended datagrams, so many thousandths must have been offered.
const OFFERED_PER_MILLE: u128 = 990;

/// Datagrams that leave later than this in one of a hundred cases deserve a word.
const LATE: Nanos = Nanos(1_000_000);

/// What there is to judge.
pub struct Evidence<'a> {
    /// Whether a rate was asked for: not all senders were to be as fast as possible.
    pub has_rate: bool,
    /// The sending side.
    pub sender: Option<&'a SenderReport>,
    /// The receiving side.
    pub receiver: Option<&'a ReceiverReport>,
    /// All streams.
    pub totals: Option<&'a Totals>,
    /// Each stream.
    pub streams: &'a [StreamReport],
    /// What their senders tell on themselves.
    pub senders: Option<&'a SendersReport>,
    /// How late their senders were.
    pub sender_lateness: Option<&'a Distribution>,
    /// Their delays.
    pub one_way_delay: Option<&'a OneWayDelay>,
    /// What happened.
    pub events: &'a [Event],
}

/// Why the trial must not be used; nothing if it may.
pub fn invalid_reasons(evidence: &Evidence<'_>) -> Vec<InvalidReason> {
    let mut reasons = Vec::new();
    if let Some(sender) = evidence.sender {
        let counts = sender.counts.counts();
        // As fast as possible, whatever left is as much as there could be.
        let missed = match evidence.has_rate {
            false => counts.offered == 0,
            true => has_missed(counts.intended, counts.offered),
        };
        if missed {
            let (intended, offered) = (counts.intended, counts.offered);
            reasons.push(InvalidReason::OfferedLoadMissed { intended, offered });
        }
    }
    if let Some(totals) = evidence.totals {
        let LostBy { receiver_socket, receiver_host, .. } = totals.lost_by;
        if receiver_socket + receiver_host > 0 {
            reasons.push(InvalidReason::ApparatusDropped { receiver_socket, receiver_host });
        }
        // Where announcements came and nothing else did, all is lost: that is a result.
        if totals.counts.received + totals.lost == 0 {
            reasons.push(InvalidReason::NothingHeard);
        }
    }
    for (worker, length_ns) in stalls(evidence) {
        if length_ns >= STALL {
            reasons.push(InvalidReason::Stalled { worker: worker.to_owned(), length_ns });
        }
    }
    for event in evidence.events {
        match &event.what {
            Happening::ClockStepped { by_ns } => {
                reasons.push(InvalidReason::ClockStepped { by_ns: *by_ns });
            }
            Happening::WorkerFailed { worker, reason } => {
                reasons.push(InvalidReason::WorkerFailed {
                    worker: worker.clone(),
                    cause: reason.clone(),
                })
            }
            _ => {}
        }
    }
    reasons
}

/// What a reader should know before using the numbers.
pub fn warnings(evidence: &Evidence<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(receiver) = evidence.receiver {
        let grant = receiver.receive_buffer;
        if !grant.is_full() {
            warnings.push(Warning::ReceiveBufferSmall { grant });
        }
        let senders = evidence.sender.map(|sender| sender.cpus.as_slice()).unwrap_or_default();
        if let Some(&cpu) =
            receiver.cpus.iter().flatten().find(|cpu| senders.contains(&Some(**cpu)))
        {
            warnings.push(Warning::SharedCore { cpu });
        }
        // A sender of which nothing passed the filter was never heard, so none of its datagrams counts as lost.
        let datagrams = receiver.host_drops.at(Place::ReversePath);
        if datagrams > evidence.totals.map_or(0, |totals| totals.lost_by.receiver_host) {
            warnings.push(Warning::ReversePathFiltered { datagrams });
        }
    }
    if let Some(sender) = evidence.sender {
        if let Some((errno, &datagrams)) = sender.counts.refused.iter().max_by_key(|(_, n)| **n) {
            warnings.push(Warning::Refused { errno: errno.clone(), datagrams });
        }
        warnings.extend(dropped_by_sender(sender));
        warnings.extend(late(&sender.lateness_ns));
    } else {
        warnings.extend(evidence.sender_lateness.and_then(late));
        warnings.extend(evidence.senders.into_iter().flat_map(of_senders_elsewhere));
    }
    if let Some(delay) = evidence.one_way_delay
        && delay.negative > 0
    {
        warnings.push(Warning::NegativeDelay { datagrams: delay.negative });
    }
    let moved = || evidence.streams.iter().filter(|stream| stream.clock.steps > 0);
    if let Some(most) = moved().max_by_key(|stream| stream.clock.step_max_ns.unsigned_abs()) {
        let step_max_ns = most.clock.step_max_ns;
        warnings.push(Warning::ClocksMoved { streams: moved().count(), step_max_ns });
    }
    let unknown = evidence.streams.iter().filter(|stream| stream.sent.is_none()).count();
    if unknown > 0 {
        warnings.push(Warning::TailUnknown { streams: unknown });
    }
    for (worker, length_ns) in stalls(evidence) {
        if length_ns > Nanos(0) && length_ns < STALL {
            warnings.push(Warning::Hiccup { worker: worker.to_owned(), length_ns });
        }
    }
    warnings
}

fn late(lateness: &Distribution) -> Option<Warning> {
    let p99_ns = lateness.percentiles.p99.filter(|late| *late > LATE)?;
    Some(Warning::SenderLate { p99_ns })
}

/// What a receiver should know of senders that it only hears: of each fault the worst.
fn of_senders_elsewhere(senders: &SendersReport) -> impl Iterator<Item = Warning> {
    let threads = || senders.threads.iter().map(|thread| (&thread.session, thread.conduct));
    let stalled = threads().max_by_key(|(_, conduct)| conduct.longest_stall_ns);
    let stalled = stalled.filter(|(_, conduct)| conduct.stalls > 0).map(|(session, conduct)| {
        let (stalls, length_ns) = (conduct.stalls, conduct.longest_stall_ns);
        Warning::SenderStalled { session: session.clone(), stalls, length_ns }
    });
    let missed = threads().filter_map(|(session, conduct)| {
        let (intended, offered) = (conduct.intended?, conduct.offered);
        has_missed(intended, offered).then_some((session, intended, offered))
    });
    let most = missed.max_by_key(|(_, intended, offered)| intended - offered);
    let missed = most.map(|(session, intended, offered)| Warning::SenderMissedLoad {
        session: session.clone(),
        intended,
        offered,
    });
    stalled.into_iter().chain(missed)
}

fn has_missed(intended: u64, offered: u64) -> bool {
    u128::from(offered) * 1000 < u128::from(intended) * OFFERED_PER_MILLE
}

/// A warning for each place on the sending host that dropped.
fn dropped_by_sender(sender: &SenderReport) -> impl Iterator<Item = Warning> {
    let of = |name| sender.host_drops.get(name).unwrap_or(0);
    let (by_qdisc, by_interface) = (of("qdisc.drops"), of("interface.tx_dropped"));
    let kind = sender.qdisc.as_deref().unwrap_or("of an unknown kind");
    let by_qdisc = Warning::SendingHostDropped {
        place: format!("qdisc {kind}"),
        packets: by_qdisc,
        after_taking: sender.dropped_after_taking.saturating_sub(by_interface),
    };
    let by_interface = Warning::SendingHostDropped {
        place: "its interface".to_owned(),
        packets: by_interface,
        after_taking: by_interface,
    };
    [by_qdisc, by_interface].into_iter().filter(
        |warning| matches!(warning, Warning::SendingHostDropped { packets, .. } if *packets > 0),
    )
}

fn stalls<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = (&'static str, Nanos)> + use<'a> {
    let sender = evidence.sender.map(|sender| ("sender", sender.longest_stall_ns));
    let receiver = evidence.receiver.map(|receiver| ("receiver", receiver.longest_stall_ns));
    sender.into_iter().chain(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::TrialReport;
    use crate::model::sample;
    use crate::model::senders::SenderConduct;
    use crate::units::rate::Rate;

    fn evidence(trial: &TrialReport) -> Evidence<'_> {
        Evidence {
            has_rate: trial.spec.load.as_ref().is_some_and(|load| load.rate != Some(Rate::Max)),
            sender: trial.sender.as_ref(),
            receiver: trial.receiver.as_ref(),
            totals: trial.totals.as_ref(),
            streams: &trial.streams,
            senders: trial.senders.as_ref(),
            sender_lateness: trial.sender_lateness_ns.as_ref(),
            one_way_delay: trial.one_way_delay_ns.as_ref(),
            events: &trial.events,
        }
    }

    fn judge(trial: &TrialReport) -> Vec<InvalidReason> {
        invalid_reasons(&evidence(trial))
    }

    /// Warnings about senders that are somewhere else.
    fn blamed(trial: &TrialReport) -> Vec<Warning> {
        use Warning::{SenderLate, SenderMissedLoad, SenderStalled};
        let mut warnings = warnings(&evidence(trial));
        warnings.retain(|warning| {
            matches!(warning, SenderLate { .. } | SenderMissedLoad { .. } | SenderStalled { .. })
        });
        warnings
    }

    #[test]
    fn a_receiver_warns_of_what_its_senders_tell_on_themselves() {
        let mut trial = sample::receiver_only().trial;
        let senders = trial.senders.as_mut().unwrap();
        senders.threads.iter_mut().for_each(|thread| thread.conduct = SenderConduct::default());
        assert_eq!(blamed(&trial), []);

        let [first, .., last] = &mut trial.senders.as_mut().unwrap().threads[..] else { panic!() };
        let (missed, stalled) = (first.session.clone(), last.session.clone());
        (first.conduct.intended, first.conduct.offered) = (Some(1000), 989);
        (first.conduct.stalls, first.conduct.longest_stall_ns) = (9, Nanos(11));
        (last.conduct.intended, last.conduct.offered) = (Some(1000), 990);
        (last.conduct.stalls, last.conduct.longest_stall_ns) = (2, Nanos(12));
        let expected = [
            Warning::SenderStalled { session: stalled, stalls: 2, length_ns: Nanos(12) },
            Warning::SenderMissedLoad { session: missed, intended: 1000, offered: 989 },
        ];
        assert_eq!(blamed(&trial), expected);
        trial.sender_lateness_ns = Some(sample::delays(&[1_000_001]).distribution);
        assert_eq!(blamed(&trial).len(), 3);

        // Of its own sender it knows more, and says it elsewhere.
        trial.sender = sample::run().trial.sender;
        assert_eq!(blamed(&trial), []);
    }

    #[test]
    fn all_lost_is_a_result_and_nothing_heard_is_none() {
        let mut trial = sample::run().trial;
        assert_eq!(judge(&trial), []);
        let totals = trial.totals.as_mut().unwrap();
        totals.lost = totals.counts.unique;
        totals.counts = Default::default();
        assert_eq!(judge(&trial), []);
        trial.totals.as_mut().unwrap().lost = 0;
        assert_eq!(judge(&trial), [InvalidReason::NothingHeard]);
    }

    #[test]
    fn a_stall_spoils_a_trial_from_a_tenth_of_a_second_on() {
        let mut trial = sample::run().trial;
        let mut stalled = |length| {
            trial.receiver.as_mut().unwrap().longest_stall_ns = Nanos(length);
            judge(&trial).len()
        };
        assert_eq!([99_999_999, 100_000_000].map(&mut stalled), [0, 1]);
    }

    #[test]
    fn one_datagram_in_a_hundred_may_be_missing() {
        let mut trial = sample::run().trial;
        let mut offered = |offered| {
            let counts = &mut trial.sender.as_mut().unwrap().counts;
            (counts.intended, counts.offered) = (1000, offered);
            judge(&trial).len()
        };
        assert_eq!([990, 989].map(&mut offered), [0, 1]);
    }
}
