use super::*;
use crate::model::sample;
use std::sync::atomic::{AtomicU32, Ordering};

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcast-bench-state-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
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

#[test]
fn what_was_written_down_before_a_kill_counts() {
    let scratch = Scratch::new();
    let report = sample::receiver_only();
    let mut killed = Keeper::open(&scratch.path(), setup()).unwrap();
    killed.on_start(&report.trial.spec, wall_clock());
    let snapshot = sample::intervals(report.trial.spec.role).swap_remove(0);
    let received = snapshot.receiver.as_ref().unwrap().counts.received;
    let streams = snapshot.receiver.as_ref().unwrap().streams;
    for second in 0..90 {
        killed
            .on_interval(&Snapshot { start: Nanos(second * Nanos::SECOND.0), ..snapshot.clone() });
    }
    drop(killed);
    let mut keeper = Keeper::open(&scratch.path(), setup()).unwrap();
    let continued = trial(&mut keeper, 7, 100, &[]);
    // It is written once a minute.
    assert_eq!(continued.counts.received, 60 * received + 100);
    assert_eq!((continued.trials, continued.away, continued.away_unknown), (2, 0, streams));
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
        (whole.replace("state/1", "state/9"), "it is of version mcast-bench-state/9"),
        (whole.replace("eth1", "eth2"), "it counts with other interfaces"),
        (whole.replace("\"trials\"", "\"tries\""), "it is damaged"),
        (whole.replace("\"hdr\": \"", "\"hdr\": \"AAAA"), "a histogram in it is damaged"),
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
