//! Senders that come early, go without a word, come back, and share a group.

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{at, every, ratio, with_privileges};

/// A receiver that takes a sender for gone after a second.
const IMPATIENT: &str = "--loss-threshold 200ms --idle-timeout 1s";

#[test]
fn a_receiver_that_comes_late_has_lost_nothing() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean());
        let mut sender = trial.send(ENDLESS);
        trial.wait_for(500);
        let receiver = trial.recv(PROMPT);
        trial.wait_for_more(1000);
        sender.interrupt();
        let (sent, received) = (Report::of(sender), Report::of(receiver));
        let before_join = received.only_stream().before_join;
        let rest = sent.number("/sender/offered") - before_join;
        assert!(before_join >= 500 && rest >= 1000, "{before_join} + {rest}");
        assert_eq!(received.totals(), Counts::of(rest, rest));
    });
}

#[test]
fn ctrl_c_ends_a_sender_with_an_exact_count() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean().on(every(10), Drop));
        let receiver = trial.recv(PROMPT);
        let mut sender = trial.send(ENDLESS);
        trial.wait_for(500);
        sender.interrupt();
        let (sent, received) = (Report::of(sender), Report::of(receiver));
        let relay = trial.settled();
        assert_eq!((sent.code, sent.number("/sender/offered")), (130, relay.data_in));
        assert_eq!(sent.events("interrupted").len(), 1);
        assert_eq!(received.totals(), Counts::of(relay.data_in, relay.forwarded));
        assert_eq!(received.only_stream().end, "announced");
    });
}

/// Ctrl-C on a receiver: what it has counted until then is written.
#[test]
fn ctrl_c_ends_a_receiver_with_what_it_has() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean());
        let mut receiver = trial.recv("");
        let mut sender = trial.send(ENDLESS);
        trial.wait_for(500);
        receiver.interrupt();
        let received = Report::of(receiver);
        sender.interrupt();
        let sent = Report::of(sender);
        let Counts { sent: total, unique, lost, .. } = received.totals();
        assert_eq!((received.code, total, lost), (130, None, 0));
        assert!((1..=sent.number("/sender/offered")).contains(&unique), "{unique}");
        assert_eq!(received.only_stream().end, "receiver_stopped");
    });
}

#[test]
fn a_sender_that_is_killed_leaves_its_tail_unknown() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean().on(every(10), Drop));
        let receiver = trial.recv(IMPATIENT);
        let mut sender = trial.send(ENDLESS);
        trial.wait_for(500);
        sender.signal(libc::SIGKILL);
        let received = Report::of(receiver);
        let relay = trial.settled();
        let stream = received.only_stream();
        let highest = stream.highest_seq.unwrap();
        // Whoever comes last of ten is dropped, and the tail is not heard of.
        assert_eq!(highest, relay.data_in - 1 - u64::from(relay.data_in.is_multiple_of(10)));
        let known = Counts::of(highest + 1, relay.forwarded);
        assert_eq!(stream.counts, Counts { sent: None, ..known });
        assert_eq!(stream.end, "silent");
        assert_eq!(received.complaints(), [] as [&str; 0]);
        assert!(received.warns_of("tail_unknown"), "{}", received.json);
        let [silent] = received.events("sender_silent")[..] else { panic!("{}", received.json) };
        assert_eq!(silent["session"], stream.session);
        assert_eq!(received.events("sender_restarted").len(), 0);
    });
}

#[test]
fn a_sender_that_comes_back_is_another_session() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean());
        let receiver = trial.recv("--loss-threshold 200ms --idle-timeout 3s");
        let mut first = trial.send(ENDLESS);
        trial.wait_for(500);
        first.signal(libc::SIGKILL);
        // Its tail is in the books of the relay before the next one begins.
        drop(first);
        let killed = trial.settled().forwarded;
        let sent = Report::of(trial.send(LOAD));
        let received = Report::of(receiver);
        let session = &sent.json["sender"]["session"];
        let (second, first): (Vec<_>, Vec<_>) =
            received.streams().into_iter().partition(|stream| *session == *stream.session);
        assert_eq!(first[0].counts, Counts { sent: None, ..Counts::of(killed, killed) });
        assert_eq!(second[0].counts, Counts::of(COUNT, COUNT));
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_eq!((first[0].end.as_str(), second[0].end.as_str()), ("silent", "announced"));
        assert_eq!(received.events("sender_silent").len(), 1);
        let [back] = received.events("sender_restarted")[..] else { panic!("{}", received.json) };
        assert_eq!(back["session"], *session);
    });
}

/// Two programs on one host; one that was there all the time has not been restarted.
#[test]
fn a_sender_beside_one_that_was_killed_is_not_its_return() {
    with_privileges(|| {
        // The first datagram of each tells that it has begun.
        let mut trial = Trial::over(Plan::clean().per_stream().on(at([0]), Drop));
        let receiver = trial.recv(IMPATIENT);
        let (mut stays, mut dies) = (trial.send(ENDLESS), trial.send(ENDLESS));
        wait_until(|| trial.dropped().len() == 2);
        trial.wait_for_more(200);
        dies.signal(libc::SIGKILL);
        trial.wait_for_more(200);
        stays.interrupt();
        let (sent, received) = (Report::of(stays), Report::of(receiver));
        assert_eq!(received.events("sender_silent").len(), 1);
        assert_eq!(received.events("sender_restarted").len(), 0, "{}", received.json);
        let offered = sent.number("/sender/offered");
        assert_eq!(received.row_of(&sent).counts, Counts::of(offered, offered - 1));
    });
}

/// Each stream of [`Trial::dropped`] against its row: sent so many in all, exact each.
fn check_streams(received: &Report, trial: &mut Trial) {
    let dropped = trial.dropped();
    for row in received.streams() {
        let lost = dropped.get(&(row.session.clone(), row.stream)).copied().unwrap_or(0);
        let sent = row.counts.sent.unwrap();
        assert_eq!(row.counts, Counts::of(sent, sent - lost), "{row:?}");
        assert!(lost > 0, "the plan is to lose some of each");
    }
}

#[test]
fn two_senders_share_a_group() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::seeded(6).per_stream().on(ratio(0.1), Drop));
        let receiver = trial.recv(PROMPT);
        let mut first = trial.send(ENDLESS);
        trial.wait_for(200);
        let second = Report::of(trial.send(LOAD));
        first.interrupt();
        let first = Report::of(first);
        let received = Report::of(receiver);
        let relay = trial.settled();
        assert_eq!(received.totals(), Counts::of(relay.data_in, relay.forwarded));
        check_streams(&received, &mut trial);
        for sent in [first, second] {
            let row = received.row_of(&sent);
            assert_eq!(row.counts.sent, Some(sent.number("/sender/offered")));
        }
    });
}

#[test]
fn every_thread_and_group_is_a_stream() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::seeded(7).per_stream().on(ratio(0.1), Drop));
        let receiver = trial.recv(&format!("-g 239.1.1.1+2 -P 2 {PROMPT}"));
        let sent = Report::of(trial.send(&format!("-g 239.1.1.1+2 -P 2 {LOAD}")));
        let received = Report::of(receiver);
        let relay = trial.settled();
        assert_eq!(sent.number("/sender/offered"), COUNT);
        assert_eq!(received.totals(), Counts::of(COUNT, relay.forwarded));
        check_streams(&received, &mut trial);
        let mut rows = received.streams();
        rows.sort_by_key(|row| row.stream);
        assert_eq!(rows.len(), 6);
        for (number, row) in (0..).zip(&rows) {
            assert_eq!((row.stream, row.port), (number, 5777));
            assert_eq!(row.group, format!("239.1.1.{}", 1 + number % 3));
            // A thread's thousand over three groups in turn.
            assert_eq!(row.counts.sent, Some(333 + u64::from(number % 3 == 0)));
        }
    });
}
