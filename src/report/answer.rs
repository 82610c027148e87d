//! The end of a report for who asked by purpose and not by number: what came of it in plain words.

use crate::model::answer::Answer;
use crate::model::delay::Percentiles;
use crate::model::limit::LimitResult;
use crate::model::limit::{Fails, Limit};
use crate::model::report::{RunReport, SenderReport, Totals, TrialReport, Warning};
use crate::model::verdict::broken_by_lateness;
use crate::report::warnings::bottleneck;
use crate::units::human::grouped;
use crate::units::text::{count, per_second, percent};

/// What `report` says to who asked with `preset`; `purpose` is what a trial that holds all limits is fit for.
pub fn answer(preset: &str, purpose: Option<&str>, report: &RunReport) -> Answer {
    let trial = &report.trial;
    let mut words = match (&trial.totals, &trial.sender) {
        (Some(totals), _) => came(totals),
        (None, Some(sender)) => left(sender),
        (None, None) => Vec::new(),
    };
    let delays = trial.one_way_delay_ns.as_ref().map(|delay| &delay.distribution.percentiles);
    words.extend(delays.and_then(late));
    words.extend(left_late(report));
    words.extend(bottleneck(trial).map(|by| format!("It was limited by {by}.")));
    let fit = purpose.filter(|_| trial.totals.is_some() && trial.valid && !trial.interrupted);
    let fit = fit.map(|_| report.limits.iter().all(|limit| limit.held));
    // A lower load that holds says nothing of the one that was meant.
    let fit = fit.filter(|fit| !fit || !was_spared(trial));
    words.extend(purpose.map(|purpose| verdict(purpose, fit, report)));
    Answer { preset: preset.to_owned(), fit, words: words.join(" ") }
}

/// Whether a sender elsewhere sent less than it was to.
fn was_spared(trial: &TrialReport) -> bool {
    let missed = |warning: &Warning| matches!(warning, Warning::SenderMissedLoad { .. });
    trial.warnings.iter().any(missed)
}

fn came(totals: &Totals) -> Vec<String> {
    let rate = totals.forwarding_rate_pps;
    let rate = match totals.counts.received {
        0 => return vec!["Nothing came.".into()],
        _ if rate == 0.0 => String::new(),
        _ => format!(", at {} datagrams a second", per_second(rate)),
    };
    let share = totals.loss_ratio.map(percent).unwrap_or_default();
    vec![match (totals.lost, totals.sent) {
        (0, Some(_)) => format!("Every datagram came{rate}."),
        (0, None) => format!("As far as is known every datagram came{rate}."),
        (lost, Some(sent)) => {
            let of = count(sent, "datagram");
            format!("Of {of} {} never came ({share}); the others did{rate}.", grouped(lost))
        }
        (lost, None) => {
            format!("At least {} never came; the others did{rate}.", count(lost, "datagram"))
        }
    }]
}

fn left(sender: &SenderReport) -> Vec<String> {
    let counts = sender.counts.counts();
    let rate = match sender.offered_load_pps {
        0.0 => String::new(),
        rate => format!(", at {} datagrams a second", per_second(rate)),
    };
    vec![match counts.offered == counts.intended {
        true => format!("Every datagram left{rate}."),
        false => {
            let of = count(counts.intended, "datagram");
            format!("Of {of} {} left{rate}.", grouped(counts.offered))
        }
    }]
}

/// What was lost counts as infinitely late.
fn late(of: &Percentiles) -> Option<String> {
    let p50 = of.p50.filter(|_| of.count > 0)?;
    Some(match of.p99 {
        Some(p99) => format!("Half were at most {p50} late, 99 % at most {p99}."),
        None => format!("Half were at most {p50} late; more than 1 % never came."),
    })
}

/// What is no doing of the network, but of who sends.
fn left_late(report: &RunReport) -> Option<String> {
    let limits = report.limits.iter().filter(|result| !result.held).map(|result| result.limit);
    let breaks = limits.filter_map(|limit| {
        let late = broken_by_lateness(&limit, &report.trial)?;
        let at = limit.quantity;
        Some(format!("Already before the network the sender itself was late, {at} by {late}."))
    });
    let warns = report.trial.warnings.iter().filter_map(|warning| match warning {
        Warning::SenderLate { p99_ns } => Some(format!(
            "That is not the network's doing alone: 1 % left more than {p99_ns} late already."
        )),
        _ => None,
    });
    breaks.chain(warns).next()
}

fn verdict(purpose: &str, fit: Option<bool>, report: &RunReport) -> String {
    let trial = &report.trial;
    match fit {
        Some(true) => format!("Fit for {purpose}."),
        Some(false) => format!("Not fit for {purpose}, because {}.", failed(&report.limits)),
        None if trial.totals.is_none() => {
            format!("Whether that is fit for {purpose}, only who receives it can say.")
        }
        None if trial.interrupted => {
            format!("Whether that is fit for {purpose}, only a whole trial can say.")
        }
        None if trial.valid => format!(
            "Whether that is fit for {purpose}, only a sender can say that sends all it is meant to."
        ),
        None => format!("Whether that is fit for {purpose}, an invalid trial cannot say."),
    }
}

fn failed(limits: &[LimitResult]) -> String {
    let clause = |result: &LimitResult| {
        let Limit { quantity, fails, bound } = result.limit;
        let wanted = match fails {
            Fails::Above => "at most",
            Fails::Below => "at least",
        };
        let measured = result.measured.as_deref().unwrap_or("not measured");
        format!("{quantity} was {measured} and has to be {wanted} {bound}")
    };
    let failed: Vec<_> = limits.iter().filter(|result| !result.held).map(clause).collect();
    failed.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limit::Bound;
    use crate::model::sample;
    use crate::units::Nanos;

    fn said(report: &RunReport) -> (Option<bool>, String) {
        let Answer { fit, words, .. } = answer("iptv-hd", Some("television"), report);
        (fit, words)
    }

    #[test]
    fn a_trial_whose_limits_hold_is_fit() {
        let (fit, words) = said(&sample::run());
        assert_eq!(fit, Some(true));
        assert!(words.starts_with("Every datagram came, at "), "{words}");
        assert!(
            words.contains(" late, 99 % at most ") && words.ends_with("Fit for television."),
            "{words}"
        );
    }

    #[test]
    fn a_limit_that_failed_is_the_reason() {
        let (fit, words) = said(&sample::limited());
        assert_eq!(fit, Some(false));
        assert!(words.contains("Not fit for television, because "), "{words}");
        assert!(words.contains(" was 45.0 µs and has to be at "), "{words}");
    }

    #[test]
    fn who_cannot_say_does_not_say() {
        let (fit, words) = said(&sample::sender_only());
        assert_eq!(fit, None);
        assert!(words.ends_with("only who receives it can say."), "{words}");
        let (fit, words) = said(&sample::nothing());
        assert_eq!(fit, None);
        assert!(words.starts_with("Nothing came. Whether"), "{words}");
        assert!(words.ends_with("an invalid trial cannot say."), "{words}");
        let mut report = sample::run();
        report.trial.interrupted = true;
        assert!(said(&report).1.ends_with("only a whole trial can say."));
    }

    #[test]
    fn a_sender_that_missed_its_load_proves_nothing_good() {
        let mut report = sample::run();
        let session = "b00c55".to_owned();
        let missed = Warning::SenderMissedLoad { session, intended: 9, offered: 2 };
        report.trial.warnings.push(missed.clone());
        let (fit, words) = said(&report);
        assert_eq!(fit, None);
        assert!(words.ends_with("only a sender can say that sends all it is meant to."), "{words}");
        // What fails at less would fail at all of it.
        let mut report = sample::limited();
        report.trial.warnings.push(missed);
        assert_eq!(said(&report).0, Some(false));
    }

    #[test]
    fn what_left_late_is_not_laid_on_the_network() {
        let mut report = sample::limited();
        report.trial.warnings = vec![Warning::SenderLate { p99_ns: Nanos(4_850_000) }];
        let words = said(&report).1;
        assert!(
            words.contains("doing alone: 1 % left more than 4.85 ms late already. "),
            "{words}"
        );
        // Nearer to the point: a limit that the sender breaks alone.
        let delays = &mut report.limits[2].limit;
        delays.bound = Bound::Time(Nanos(500));
        let words = said(&report).1;
        assert!(words.contains("the sender itself was late, p99 by 3.29 µs. "), "{words}");
        assert!(!words.contains("doing alone"), "{words}");
    }

    #[test]
    fn without_a_purpose_there_is_no_verdict() {
        let Answer { fit, words, .. } = answer("stress", None, &sample::run());
        assert_eq!(fit, None);
        assert!(!words.contains("fit"), "{words}");
    }

    /// Who asks how much a host can send wants to know what kept it from more.
    #[test]
    fn what_limited_it_is_said() {
        let Answer { words, .. } = answer("stress", None, &sample::lossy());
        let reason =
            "It was limited by this receiver: it did not empty its socket buffer fast enough.";
        assert!(words.ends_with(reason), "{words}");
        assert!(!answer("stress", None, &sample::run()).words.contains("limited"));
    }

    #[test]
    fn every_report_has_an_answer() {
        for report in sample::all() {
            let (_, words) = said(&report);
            assert!(words.ends_with('.') && !words.contains("NaN"), "{words}");
        }
    }
}
