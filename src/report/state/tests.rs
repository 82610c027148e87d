use super::*;
use crate::model::continued::Continued;
use crate::model::delay::Distribution;
use crate::model::drops::LostBy;
use crate::model::metrics::ClockRelation;
use crate::model::positions::StreamPosition;
use crate::model::report::StreamEnd;
use crate::model::sample;
use crate::model::spec::Role;
use crate::report::scratch::Scratch;
use std::fs;
use std::time::{Duration, Instant};

impl Scratch {
    fn path(&self) -> PathBuf {
        self.0.join("state")
    }
}

fn setup() -> Setup {
    Setup {
        groups: sample::receiver_only().trial.spec.groups,
        interfaces: vec!["eth1".into()],
        loss_threshold_ns: Nanos::SECOND,
    }
}

/// A trial of one stream, whose first number is `first`, and which goes on.
fn trial(keeper: &mut Keeper, first: u64, received: u64, lost: &[u64]) -> Continued {
    let mut report = sample::received(received, lost);
    let row = &mut report.trial.streams[0];
    (row.first_seq, row.highest_seq) = (first, Some(first + received - 1));
    row.end = StreamEnd::ReceiverStopped;
    let spec = report.trial.spec.clone();
    keeper.on_start(&spec, wall_clock());
    keeper.finish(&mut report);
    assert!(keeper.failure().is_none());
    report.continued.unwrap()
}

#[test]
fn totals_and_histograms_go_on_and_what_was_sent_meanwhile_is_away() {
    let scratch = Scratch::new();
    let mut first = Keeper::open(&scratch.path(), setup()).unwrap();
    let one = trial(&mut first, 0, 100, &[3, 4]);
    assert_eq!((one.trials, one.counts.unique, one.lost, one.away), (1, 98, 2, 0));
    drop(first);

    let mut second = Keeper::open(&scratch.path(), setup()).unwrap();
    let two = trial(&mut second, 150, 100, &[3]);
    assert_eq!((two.trials, two.counts.unique, two.lost), (2, 98 + 99, 3));
    assert_eq!((two.away, two.away_unknown, &two.since), (50, 0, &one.since));
    assert_eq!(two.loss_ratio, Some(3.0 / 200.0));
    let count = |of: &Continued| of.one_way_delay_ns.as_ref().unwrap().percentiles.count;
    assert_eq!(count(&two), 2 * count(&one) + 1);
}

#[test]
fn a_stream_that_is_not_heard_again_has_an_unknown_rest() {
    let scratch = Scratch::new();
    trial(&mut Keeper::open(&scratch.path(), setup()).unwrap(), 0, 100, &[]);
    let mut keeper = Keeper::open(&scratch.path(), setup()).unwrap();
    let mut report = sample::nothing();
    keeper.on_start(&report.trial.spec.clone(), wall_clock());
    keeper.finish(&mut report);
    let continued = report.continued.unwrap();
    assert_eq!((continued.away, continued.away_unknown, continued.counts.unique), (0, 1, 100));
}

/// A trial with these streams that is cut off an interval after it was written down.
fn cut_off(scratch: &Scratch, streams: &[StreamPosition]) -> State {
    let report = sample::receiver_only();
    let mut killed = Keeper::open(&scratch.path(), setup()).unwrap();
    killed.on_start(&report.trial.spec, wall_clock());
    let mut snapshot = sample::intervals(report.trial.spec.role).swap_remove(0);
    let receiver = snapshot.receiver.as_mut().unwrap();
    receiver.positions.note(0, Some("eth1"), streams.iter().copied());
    killed.on_interval(&snapshot);
    let later = Snapshot { start: snapshot.start + snapshot.length, ..snapshot };
    killed.on_interval(&later);
    // Whatever waits to be written is on the disk by then, and nothing else is.
    drop(killed);
    Place::open(&scratch.path()).unwrap().read(&setup()).unwrap().unwrap().unwrap()
}

/// The only stream of [`trial`], as far as this.
fn position(next_seq: u64, awaited: u64, has_ended: bool) -> StreamPosition {
    let row = sample::received(1, &[]).trial.streams.swap_remove(0);
    StreamPosition {
        session: u32::from_str_radix(&row.session, 16).unwrap(),
        stream: row.stream,
        source: row.source.parse().unwrap(),
        first_seq: 0,
        next_seq,
        awaited,
        has_ended,
    }
}

#[test]
fn what_was_written_down_before_a_kill_counts_and_what_came_later_is_away() {
    let scratch = Scratch::new();
    let mut gone = position(500, 2, false);
    gone.stream += 1;
    let mut over = position(900, 5, true);
    over.stream += 2;
    let mut complete = position(900, 0, true);
    complete.stream += 3;
    let saved = cut_off(&scratch, &[position(1000, 3, false), gone, over, complete]);
    assert_eq!(saved.streams.len(), 3, "{:?}", saved.streams);
    let one = &saved.continued;
    let each = sample::intervals(Role::Recv).swap_remove(0).receiver.unwrap();
    assert_eq!(one.counts.received, each.counts.received);
    assert_eq!((one.trials, one.away, one.away_unknown), (1, 0, 0));

    let mut keeper = Keeper::open(&scratch.path(), setup()).unwrap();
    let two = trial(&mut keeper, 1200, 100, &[]);
    assert_eq!((two.trials, two.counts.received), (2, one.counts.received + 100));
    assert_eq!((two.away, two.away_unknown), (200 + 3 + 2 + 5, 1));
}

/// What was away is known before the end, too, and is not told again after it.
#[test]
fn a_trial_that_is_cut_off_keeps_what_was_away_before_it() {
    let scratch = Scratch::new();
    trial(&mut Keeper::open(&scratch.path(), setup()).unwrap(), 0, 100, &[]);
    let mut again = position(300, 0, false);
    again.first_seq = 150;
    let saved = cut_off(&scratch, &[again]).continued;
    assert_eq!((saved.trials, saved.away, saved.away_unknown), (2, 50, 0));
    let last = trial(&mut Keeper::open(&scratch.path(), setup()).unwrap(), 310, 100, &[]);
    assert_eq!((last.trials, last.away, last.away_unknown), (3, 50 + 10, 0));
}

/// It was there all the time, and the second trial was too short to notice.
#[test]
fn a_stream_that_is_heard_by_the_trial_after_the_next_is_known_all_the_same() {
    let scratch = Scratch::new();
    trial(&mut Keeper::open(&scratch.path(), setup()).unwrap(), 0, 100, &[]);
    let mut other = position(300, 0, false);
    other.stream += 1;
    let saved = cut_off(&scratch, &[other]);
    assert_eq!((saved.continued.away_unknown, saved.streams.len()), (0, 2));
    let last = trial(&mut Keeper::open(&scratch.path(), setup()).unwrap(), 150, 100, &[]);
    assert_eq!((last.trials, last.away, last.away_unknown), (3, 50, 1));
}

#[test]
fn a_trial_is_written_down_again_and_again() {
    let scratch = Scratch::new();
    let mut keeper = Keeper::open(&scratch.path(), setup()).unwrap();
    let snapshot = sample::intervals(Role::Recv).swap_remove(0);
    let each = snapshot.receiver.as_ref().unwrap().counts.received;
    let written =
        || keeper_file(&scratch).map_or(0, |state| state.continued.counts.received / each);
    let patience = Instant::now() + Duration::from_secs(60);
    let intervals = SAVE_EVERY.0 / snapshot.length.0;
    for round in 0..3 {
        for index in round * intervals..(round + 1) * intervals {
            let start = Nanos(index * snapshot.length.0);
            keeper.on_interval(&Snapshot { index, start, ..snapshot.clone() });
        }
        while written() != round * intervals + 1 {
            assert!(Instant::now() < patience, "{} of {round}", written());
            std::thread::yield_now();
        }
    }
}

/// What is in the file of a keeper that has it open.
fn keeper_file(scratch: &Scratch) -> Option<State> {
    serde_json::from_slice(&fs::read(scratch.path()).ok()?).ok()
}

#[test]
fn whose_fault_it_was_goes_on() {
    let scratch = Scratch::new();
    let lost_by = |own| {
        let mut report = sample::received(100, &[3, 4]);
        let totals = report.trial.totals.as_mut().unwrap();
        totals.lost_by = LostBy { receiver_socket: own, receiver_host: 0, elsewhere: 2 - own };
        let mut keeper = Keeper::open(&scratch.path(), setup()).unwrap();
        keeper.finish(&mut report);
        report.continued.unwrap().lost_by
    };
    lost_by(2);
    let sum = LostBy { receiver_socket: 3, receiver_host: 0, elsewhere: 1 };
    assert_eq!(lost_by(1), sum);
}

/// A stream has one of the two delays, and so do its lost ones.
#[test]
fn what_is_lost_is_late_in_one_delay_only() {
    let scratch = Scratch::new();
    let go_on = |is_comparable: bool, first, lost: &[u64]| {
        let mut report = sample::received(100, lost);
        let trial = &mut report.trial;
        trial.streams[0].first_seq = first;
        if !is_comparable {
            trial.streams[0].clock.relation = ClockRelation::Unknown;
            let delay = trial.one_way_delay_ns.take().unwrap();
            trial.relative_delay_ns = Some(delay.distribution);
        }
        let mut keeper = Keeper::open(&scratch.path(), setup()).unwrap();
        keeper.on_start(&report.trial.spec.clone(), wall_clock());
        keeper.finish(&mut report);
        report.continued.unwrap()
    };
    go_on(true, 0, &[]);
    let half: Vec<_> = (0..50).collect();
    let all = go_on(false, 100, &half);
    assert_eq!((all.lost, all.lost_relative), (50, 50));
    let p99 = |of: Option<Distribution>| of.unwrap().percentiles.p99;
    assert!(p99(all.one_way_delay_ns).is_some() && p99(all.relative_delay_ns).is_none());
    let all = go_on(true, 200, &[]);
    assert_eq!((all.lost, all.lost_relative), (50, 50));
    assert!(p99(all.one_way_delay_ns).is_some());
}

#[test]
fn a_state_belongs_to_one_program_at_a_time() {
    let scratch = Scratch::new();
    let first = Keeper::open(&scratch.path(), setup()).unwrap();
    let link = scratch.0.join("link");
    std::os::unix::fs::symlink(scratch.path(), &link).unwrap();
    let refused = Keeper::open(&scratch.path(), setup()).err().unwrap();
    assert!(refused.to_string().starts_with("another receiver counts into"), "{refused}");
    drop(first);
    trial(&mut Keeper::open(&scratch.path(), setup()).unwrap(), 0, 100, &[]);
    trial(&mut Keeper::open(&link, setup()).unwrap(), 100, 100, &[]);
    let _second = Keeper::open(&link, setup()).unwrap();
    // The same file by another name, though it has been replaced since.
    assert!(Keeper::open(&scratch.path(), setup()).is_err());
    assert!(fs::symlink_metadata(link).unwrap().is_symlink());
}

#[test]
fn what_is_no_file_stays_what_it_is() {
    let scratch = Scratch::new();
    let error = Keeper::open(&scratch.0, setup()).err().unwrap();
    assert!(error.to_string().contains("it is no file"), "{error}");
}

#[test]
fn what_cannot_be_gone_on_with_is_put_aside_with_the_reason() {
    let whole = {
        let scratch = Scratch::new();
        trial(&mut Keeper::open(&scratch.path(), setup()).unwrap(), 0, 100, &[]);
        fs::read_to_string(scratch.path()).unwrap()
    };
    let cases = [
        (whole[..whole.len() / 2].to_owned(), "it is not whole"),
        ("{}".to_owned(), "it is not a state of mcast-bench"),
        (whole.replace("state/2", "state/9"), "it is of version mcast-bench-state/9"),
        (whole.replace("eth1", "eth2"), "it counts with other interfaces"),
        (whole.replace("\"trials\"", "\"tries\""), "it is damaged"),
        (whole.replace("\"hdr\":\"", "\"hdr\":\"AAAA"), "a histogram in it is damaged"),
    ];
    for (text, why) in cases {
        let scratch = Scratch::new();
        fs::write(scratch.path(), &text).unwrap();
        let mut keeper = Keeper::open(&scratch.path(), setup()).unwrap();
        let (reason, aside) = keeper.refused().unwrap();
        assert!(reason.starts_with(why), "{reason}");
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
        assert_eq!(trial(&mut keeper, 0, 100, &[]).trials, 1);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_known_before_the_trial() {
    let scratch = Scratch::new();
    let error = Keeper::open(&scratch.0.join("missing/state"), setup()).err().unwrap();
    assert!(error.to_string().contains("cannot write state to"), "{error}");
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
}

#[test]
fn a_disk_that_is_full_keeps_what_was_there_and_no_part_of_what_was_to_be() {
    let scratch = Scratch::new();
    trial(&mut Keeper::open(&scratch.path(), setup()).unwrap(), 0, 100, &[]);
    let before = fs::read(scratch.path()).unwrap();
    let mut keeper = Keeper::open(&scratch.path(), setup()).unwrap();
    let partial = scratch.0.join("state.partial");
    std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
    keeper.on_start(&sample::spec(Role::Recv), wall_clock());
    keeper.finish(&mut sample::received(100, &[]));
    let failure = keeper.failure().unwrap().to_string();
    assert!(failure.contains("No space left") && failure.contains("is still there"), "{failure}");
    assert_eq!(fs::read(scratch.path()).unwrap(), before);
    assert!(fs::symlink_metadata(&partial).is_err());
}
