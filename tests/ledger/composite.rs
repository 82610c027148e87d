//! Everything at once: two senders of which one is killed and comes back, a receiver that comes late, one that is
//! killed, and a path that loses, doubles and swaps. Who survives must have each stream right.

use super::*;
use crate::lab::Action::{Double, Drop, SwapWithNext};
use crate::lab::{ratio, with_privileges};
use serde_json::Value;

const RECV: &str = "--loss-threshold 200ms --idle-timeout 1s";
const STEADY: &str = "-r 2k -s 200 -t 0";

#[test]
fn who_survives_has_each_stream_right() {
    with_privileges(|| {
        let plan = Plan::seeded(9)
            .per_stream()
            .on(ratio(0.05), Drop)
            .on(ratio(0.04), Double)
            .on(ratio(0.03), SwapWithNext);
        let mut trial = Trial::over(plan);
        let tap = trial.receiver().tap();
        let (early, mut killed) = (trial.recv(RECV), trial.recv(RECV));
        let (mut stays, mut dies) = (trial.send(STEADY), trial.send(STEADY));
        wait_until(|| trial.dropped().len() == 2);
        let late = trial.recv(RECV);
        wait_for_each(&mut trial);
        killed.signal(libc::SIGKILL);
        wait_for_each(&mut trial);
        dies.signal(libc::SIGKILL);
        let back = Report::of(trial.send("-r 2k -s 200 -c 2000"));
        stays.interrupt();
        let (stays, back) = (Sent::of(Report::of(stays)), Sent::of(back));
        let (early, late) = (Report::of(early), Report::of(late));
        let passed = tap.finish();
        assert_eq!(killed.finish(PATIENCE).stdout, b"", "who is killed has nothing to report");

        let sessions: BTreeSet<_> = early.streams().into_iter().map(|row| row.session).collect();
        let known = [&stays.session, &back.session];
        let gone: Vec<_> = sessions.iter().filter(|session| !known.contains(session)).collect();
        let dead = Sent { session: gone[0].clone(), offered: None };
        assert_eq!(sessions.len(), 3);

        for sent in [&stays, &back, &dead] {
            let [first, suffix] = [&early, &late].map(|report| check(report, sent, &passed));
            // Whoever was there from the beginning has lost what the relay dropped, and nothing else.
            let dropped = trial.relay().dropped_seqs().remove(&sent.id()).unwrap();
            let end = first.highest_seq.unwrap().max(sent.offered.unwrap_or(0));
            let dropped = dropped.into_iter().filter(|seq| *seq <= end).count() as u64;
            assert_eq!((first.before_join, first.counts.lost), (0, dropped));
            let was_there = sent.session == back.session;
            assert_eq!(suffix.before_join == 0, was_there, "{suffix:?}");
            assert!(!was_there || suffix.counts == first.counts, "{suffix:?} {first:?}");
        }
        for report in [&early, &late] {
            check_story(report, &dead.session, &back.session);
        }
        trial.settled();
    });
}

/// Waits until each stream so far has gone on for a while.
fn wait_for_each(trial: &mut Trial) {
    let before = trial.dropped();
    wait_until(|| {
        let now = trial.dropped();
        before.iter().all(|(stream, dropped)| now[stream] >= dropped + 20)
    });
}

/// A sender with one stream, and what it says that it has offered, if it lived to say it.
struct Sent {
    session: String,
    offered: Option<u64>,
}

impl Sent {
    fn of(report: Report) -> Self {
        let session = report.json["sender"]["session"].as_str().unwrap().to_owned();
        Self { session, offered: Some(report.number("/sender/offered")) }
    }

    fn id(&self) -> (u32, u16) {
        (u32::from_str_radix(&self.session, 16).unwrap(), 0)
    }
}

/// A receiver hears all that comes by from some moment on: its row is what the definitions make of that.
#[track_caller]
fn check(report: &Report, sent: &Sent, passed: &[Passed]) -> Stream {
    let rows: Vec<_> =
        report.streams().into_iter().filter(|row| row.session == sent.session).collect();
    let [row] = &rows[..] else { panic!("{} has not one row: {rows:?}", sent.session) };
    let data = |passed: &&Passed| passed.kind == Kind::Data && passed.stream == sent.id();
    let data: Vec<Passed> = passed.iter().filter(data).copied().collect();
    let heard = &data[data.len() - row.counts.received as usize..];
    let highest = heard.iter().map(|passed| passed.seq).max();
    let lowest = heard.iter().map(|passed| passed.seq).min();
    assert!(lowest.is_some_and(|lowest| row.before_join <= lowest), "{row:?}");
    let end = sent.offered.or(highest.map(|highest| highest + 1)).unwrap();
    let expected = as_defined(heard, end - row.before_join);
    let known = sent.offered.map(|offered| offered - row.before_join);
    assert_eq!(row.counts, Counts { sent: known, ..expected });
    assert_eq!(row.highest_seq, highest);
    assert_eq!(row.end, if sent.offered.is_some() { "announced" } else { "silent" });
    assert!(expected.lost > 0 && expected.duplicates > 0 && expected.reordered > 0, "{row:?}");
    row.clone()
}

/// One sender fell silent, one came back, and there is nothing else to say.
#[track_caller]
fn check_story(report: &Report, dead: &str, back: &str) {
    let sessions = |name| -> Vec<&str> {
        report.events(name).iter().map(|event| event["session"].as_str().unwrap()).collect()
    };
    assert_eq!(sessions("sender_silent"), [dead]);
    assert_eq!(sessions("sender_restarted"), [back]);
    assert_eq!(sessions("stream_heard").len(), 3);
    assert_eq!(report.complaints(), [] as [&str; 0]);
    assert_eq!(report.totals().foreign, 0);
    assert_eq!(report.number("/totals/lost_by/elsewhere"), report.totals().lost);
    let warnings = report.json["warnings"].as_array().unwrap().iter();
    // A busy machine makes receivers pause, and senders late.
    let of_the_machine = ["hiccup", "sender_stalled", "sender_late"];
    let is_ours =
        |warning: &&Value| !of_the_machine.contains(&warning["warning"].as_str().unwrap());
    let warnings: Vec<_> = warnings.filter(is_ours).collect();
    assert_eq!(warnings, [&serde_json::json!({"warning": "tail_unknown", "streams": 1})]);
}
