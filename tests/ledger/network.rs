//! What a network may do to datagrams: lose, double, reorder, damage them.

use super::*;
use crate::lab::Action::{Corrupt, CorruptHeader, Delay, Double, Drop, SwapWithNext};
use crate::lab::{Kind, at, every, ratio, with_privileges};

#[test]
fn nothing_wrong_is_all_zeros() {
    with_privileges(|| {
        let Exchange { sent, received, relay } = exchange(Plan::clean(), LOAD, PROMPT);
        assert_eq!((relay.data_in, received.totals()), (COUNT, Counts::of(COUNT, COUNT)));
        assert_eq!(received.number("/one_way_delay_ns/count"), COUNT);
        assert_eq!(received.number("/totals/payload_bytes"), 200 * COUNT);
        assert_eq!(received.complaints(), [] as [&str; 0]);
        let stream = received.only_stream();
        assert_eq!((stream.first_seq, stream.highest_seq), (0, Some(COUNT - 1)));
        assert_eq!((stream.end.as_str(), stream.stream), ("announced", 0));
        assert_eq!(stream.session, sent.json["sender"]["session"].as_str().unwrap());
        assert_eq!((stream.group.as_str(), stream.port), ("239.255.77.77", 5777));
        assert!(stream.source.starts_with("10.99.1.1:"), "{}", stream.source);
    });
}

/// Lets the relay withhold these of [`COUNT`] datagrams, and returns what the receiver made of it.
#[track_caller]
fn lose(indexes: impl IntoIterator<Item = u64>, recv: &str) -> Report {
    let Exchange { received, relay, .. } =
        exchange(Plan::clean().on(at(indexes), Drop), LOAD, recv);
    assert_eq!(received.totals(), Counts::of(COUNT, COUNT - relay.dropped));
    assert_eq!(received.number("/totals/lost_by/elsewhere"), relay.dropped);
    assert_eq!(received.complaints(), [] as [&str; 0]);
    received
}

#[test]
fn loss_in_the_middle() {
    with_privileges(|| {
        let stream = lose((500..600).chain([700, 702, 900]), PROMPT).only_stream();
        assert_eq!((stream.counts.lost, stream.highest_seq), (103, Some(COUNT - 1)));
    });
}

#[test]
fn loss_at_the_start_and_at_the_end() {
    with_privileges(|| {
        let stream = lose((0..100).chain(COUNT - 50..COUNT), PROMPT).only_stream();
        assert_eq!((stream.counts.lost, stream.highest_seq), (150, Some(COUNT - 51)));
        assert_eq!((stream.first_seq, stream.end.as_str()), (0, "announced"));
    });
}

/// The announcements came, so the stream was heard: this is loss, not a wrong group.
#[test]
fn all_is_lost_but_the_announcements() {
    with_privileges(|| {
        let received = lose(0..COUNT, PROMPT);
        assert_eq!(received.json["totals"]["loss_ratio"], 1.0);
        assert_eq!(received.only_stream().highest_seq, None);
    });
}

#[test]
fn nothing_comes_at_all() {
    with_privileges(|| {
        let plan = Plan::clean().on(every(1), Drop);
        let plan = [Kind::Start, Kind::Progress, Kind::End].into_iter().fold(plan, Plan::without);
        let received = exchange(plan, LOAD, "-t 2s").received;
        assert_eq!((received.code, received.complaints()), (4, vec!["nothing_heard"]));
        assert_eq!(received.streams().len(), 0);
    });
}

/// Without a word of the start nobody can tell loss from having come late.
#[test]
fn start_lost_with_all_its_announcements_is_a_late_join() {
    with_privileges(|| {
        let plan = Plan::clean().without(Kind::Start).on(at((0..100).chain([500])), Drop);
        let received = exchange(plan, LOAD, PROMPT).received;
        assert_eq!(received.totals(), Counts::of(COUNT - 100, COUNT - 101));
        assert_eq!(received.only_stream().before_join, 100);
    });
}

#[test]
fn end_lost_with_all_its_announcements_is_unknown() {
    with_privileges(|| {
        let lost = (COUNT - 50..COUNT).chain([500]);
        let plan = Plan::clean().without(Kind::End).on(at(lost), Drop);
        let received = exchange(plan, LOAD, "--loss-threshold 200ms --idle-timeout 1s").received;
        let unknown = Counts { sent: None, lost: 1, ..Counts::of(COUNT, COUNT - 51) };
        assert_eq!(received.totals(), unknown);
        let stream = received.only_stream();
        assert_eq!((stream.highest_seq, stream.end.as_str()), (Some(COUNT - 51), "silent"));
        assert!(received.warns_of("tail_unknown"), "{}", received.json);
        assert_eq!(received.events("sender_silent").len(), 1);
        assert_eq!(received.complaints(), [] as [&str; 0]);
    });
}

#[test]
fn progress_is_not_needed() {
    with_privileges(|| {
        let plan = Plan::clean().without(Kind::Progress).on(every(100), Drop);
        let Exchange { received, relay, .. } = exchange(plan, "-r 2k -s 200 -c 3000", PROMPT);
        assert!(relay.announcements_dropped > 0, "{relay:?}");
        assert_eq!(received.totals(), Counts::of(3000, 2970));
    });
}

/// What iperf 2 takes for no loss at all.
#[test]
fn as_many_duplicates_as_losses_do_not_cancel() {
    with_privileges(|| {
        let every_tenth = |offset| at((offset..COUNT).step_by(10));
        let plan = Plan::clean().on(every_tenth(2), Drop).on(every_tenth(7), Double);
        let Exchange { received, relay, .. } = exchange(plan, LOAD, PROMPT);
        assert_eq!((relay.dropped, relay.doubled), (200, 200));
        let expected =
            Counts { received: COUNT, duplicates: 200, ..Counts::of(COUNT, COUNT - 200) };
        assert_eq!(received.totals(), expected);
    });
}

#[test]
fn everything_comes_twice() {
    with_privileges(|| {
        let received = exchange(Plan::clean().on(every(1), Double), LOAD, PROMPT).received;
        let twice = Counts { received: 2 * COUNT, duplicates: COUNT, ..Counts::of(COUNT, COUNT) };
        assert_eq!(received.totals(), twice);
    });
}

/// What sockperf takes for loss.
#[test]
fn neighbours_that_change_places_are_not_lost() {
    with_privileges(|| {
        let plan = Plan::clean().on(every(10), SwapWithNext);
        let Exchange { received, relay, .. } = exchange(plan, LOAD, PROMPT);
        assert_eq!(relay.swapped, COUNT / 10 - 1, "the last has no next one");
        let reordered = relay.swapped;
        assert_eq!(received.totals(), Counts { reordered, ..Counts::of(COUNT, COUNT) });
    });
}

/// The delay is longer than the sender takes for all of it, so what is delayed is overtaken.
#[test]
fn stragglers_are_reordered_and_not_lost() {
    with_privileges(|| {
        let delay = Delay(Duration::from_millis(1500));
        let plan = Plan::clean().on(at([0, 7, 1000]), delay).on(at([1001]), Drop);
        let Exchange { received, relay, .. } = exchange(plan, LOAD, "--loss-threshold 5s");
        assert_eq!((relay.delayed, relay.dropped), (3, 1));
        assert_eq!(received.totals(), Counts { reordered: 3, ..Counts::of(COUNT, COUNT - 1) });
        assert!(received.number("/one_way_delay_ns/max") >= 1_500_000_000);
    });
}

/// The relay knows what it did, a tap on the receiver's wire what came: both say what must be counted.
#[test]
fn mixtures_are_counted_exactly() {
    with_privileges(|| {
        for seed in 1..=3 {
            let plan = Plan::seeded(seed)
                .on(ratio(0.05), Drop)
                .on(ratio(0.04), Double)
                .on(ratio(0.03), SwapWithNext)
                .on(ratio(0.02), Delay(Duration::from_millis(3)))
                .on(ratio(0.02), Corrupt);
            let mut trial = Trial::over(plan);
            let tap = trial.receiver().tap();
            let receiver = trial.recv("--loss-threshold 1s");
            let sent = Report::of(trial.send(&format!("{LOAD} --checksum")));
            let received = Report::of(receiver);
            let relay = trial.settled();
            // Who is damaged has not come (RFC 7680 section 2.8).
            let damaged = trial.relay().corrupted_seqs().into_values().flatten();
            let damaged: BTreeSet<u64> = damaged.collect();
            let mut intact = tap.finish();
            intact.retain(|passed| !damaged.contains(&passed.seq));
            let Counts { sent, received: whole, unique, lost, duplicates, reordered, .. } =
                as_defined(&intact, sent.number("/sender/offered"));
            let corrupt = damaged.len() as u64;
            let all = Counts { received: whole + corrupt, corrupt, ..Counts::default() };
            let all = Counts { sent, unique, lost, duplicates, reordered, ..all };
            assert_eq!(received.totals(), all, "seed {seed}");
            assert_eq!((lost, duplicates), (relay.dropped + relay.corrupted, relay.doubled));
            assert!([lost, duplicates, reordered, corrupt].iter().all(|count| *count > 0));
        }
    });
}

#[test]
fn damage_is_found_by_the_checksum_and_counts_as_loss() {
    with_privileges(|| {
        let plan = Plan::seeded(4).on(every(20), Corrupt);
        let checked = format!("{LOAD} --checksum");
        let Exchange { received, relay, .. } = exchange(plan.clone(), &checked, PROMPT);
        let corrupt = relay.corrupted;
        assert_eq!(corrupt, COUNT / 20);
        let intact = Counts::of(COUNT, COUNT - corrupt);
        assert_eq!(received.totals(), Counts { received: COUNT, corrupt, ..intact });

        let unchecked = exchange(plan, LOAD, PROMPT).received;
        assert_eq!(unchecked.totals(), Counts::of(COUNT, COUNT));
    });
}

#[test]
fn a_damaged_header_is_foreign() {
    with_privileges(|| {
        let plan = Plan::seeded(5).on(every(20), CorruptHeader);
        let Exchange { received, relay, .. } = exchange(plan, LOAD, PROMPT);
        let foreign = relay.corrupted;
        assert_eq!(foreign, COUNT / 20);
        assert_eq!(received.totals(), Counts { foreign, ..Counts::of(COUNT, COUNT - foreign) });
    });
}

/// 64-byte frames have room for the header and nothing else.
#[test]
fn the_shortest_datagrams_are_counted_as_well() {
    with_privileges(|| {
        let plan = Plan::clean().on(every(10), Drop).on(every(7), Double);
        let Exchange { received, relay, .. } = exchange(plan, "-r 5k -s 18 -c 2000", PROMPT);
        let expected = Counts {
            received: relay.forwarded,
            duplicates: relay.doubled,
            ..Counts::of(COUNT, COUNT - relay.dropped)
        };
        assert_eq!(received.totals(), expected);
        assert!(relay.dropped > 0 && relay.doubled > 0);
    });
}
