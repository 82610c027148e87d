//! Several receivers, one answer; and which numbers it was that were lost.

use super::*;
use crate::lab::{Action, at, with_privileges};

/// The relay stands before the place where the paths part, so what it drops is lost by all.
#[test]
fn what_all_receivers_lost_was_lost_upstream() {
    with_privileges(|| {
        let plan = Plan::clean().on(at([100, 700]), Action::Drop).on(at(300..320), Action::Drop);
        let mut trial = Trial::over(plan);
        let receivers = trial.recv(&format!("--receivers 3 {PROMPT}"));
        let sent = Report::of(trial.send(LOAD));
        let merged = receivers.finish(PATIENCE);
        assert_eq!(merged.status.code(), Some(0), "{merged:?}");
        let merged = lab::json(&merged);
        let dropped = trial.settled().dropped;
        assert_eq!(dropped, 22);
        let offered = sent.number("/sender/offered");
        let group = &merged["group"];
        assert_eq!(group["receivers"], 3);
        assert_eq!(group["sent"], 3 * offered);
        assert_eq!(group["lost"], 3 * dropped);
        assert_eq!(group["lost_by_all"], dropped);
        for receiver in merged["receivers"].as_array().unwrap() {
            assert_eq!(
                (&receiver["lost_common"], &receiver["lost_own"]),
                (&dropped.into(), &0.into())
            );
        }
    });
}

/// The receiver names the very numbers that the relay kept back, and the pattern they make.
#[test]
fn lost_numbers_are_named() {
    with_privileges(|| {
        let plan = Plan::clean().on(at([100, 700]), Action::Drop).on(at(300..320), Action::Drop);
        let mut trial = Trial::over(plan);
        let receiver = trial.recv(PROMPT);
        Report::of(trial.send(LOAD));
        let received = Report::of(receiver);
        trial.settled();
        let dropped: Vec<u64> = trial.relay().dropped_seqs().into_values().flatten().collect();
        let stream = &received.json["streams"][0];
        let named = stream["lost_ranges"].as_array().unwrap().iter().flat_map(|range| {
            let (first, len) =
                (range["first_seq"].as_u64().unwrap(), range["len"].as_u64().unwrap());
            first..first + len
        });
        assert_eq!(named.collect::<Vec<_>>(), dropped);
        assert_eq!(stream["lost_ranges_complete"], true);
        let loss = &stream["loss"];
        assert_eq!((&loss["periods"], &loss["period_max"]), (&3.into(), &20.into()));
        assert_eq!(loss["longest"][0]["first_seq"], 300);
    });
}

/// Swapped neighbours come one place late each.
#[test]
fn extents_are_those_of_the_swaps() {
    with_privileges(|| {
        let plan = Plan::clean().on(lab::every(50), Action::SwapWithNext);
        let Exchange { received, relay, .. } =
            exchange(plan, LOAD, &format!("{PROMPT} --variation"));
        let order = &received.json["streams"][0]["order"];
        assert_eq!(received.totals().reordered, relay.swapped);
        assert_eq!(order["extent_max"], 1);
        assert_eq!(order["reordering_discontinuities"], relay.swapped);
        let extents = &received.json["patterns"]["reordering_extent"]["buckets"];
        assert_eq!(*extents, serde_json::json!([[1, relay.swapped]]));
        let pairs = received.number("/streams/0/variation/ipdv_pairs");
        assert_eq!(pairs, received.totals().unique - 1, "every number has its neighbours");
    });
}
