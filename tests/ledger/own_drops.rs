//! Drops of the receiver's own socket have a place in the sequence, beside what the path lost: as far as the kernel
//! says it, which is for each socket and not for each stream.

use std::ops::Range;

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{every, with_privileges};

/// Lost numbers in a row, and how many of them the report lays at the door of the socket.
struct Lost {
    seqs: Range<u64>,
    own: u64,
}

/// The lost ranges of a row, in ascending order.
fn lost_of(row: &Value) -> Vec<Lost> {
    assert_eq!(row["lost_ranges_complete"], true);
    let ranges = row["lost_ranges"].as_array().unwrap().iter();
    let ranges = ranges.map(|range| {
        let [first, len, own] =
            ["first_seq", "len", "own_socket"].map(|key| range[key].as_u64().unwrap());
        Lost { seqs: first..first + len, own }
    });
    ranges.collect()
}

/// Sends through a path that loses one datagram of 51 to a receiver that stands still for a while. Without
/// announcements on the way, which a full socket drops as well and which are in no gap.
fn overloaded(groups: &str) -> (Trial, Report) {
    let plan = Plan::clean().on(every(51), Drop).without(Kind::Progress);
    let mut trial = Trial::over(plan);
    let human = trial.directory.join("human");
    let flags = format!("{groups} --rcvbuf 100000 {PROMPT} --report human:{}", human.display());
    let mut receiver = trial.recv(&flags);
    let mut sender = trial.send(&format!("{groups} {ENDLESS}"));
    trial.wait_for(300);
    stop_for_a_while(&mut receiver);
    // What comes now is read again, and shows what did not come before.
    wait_until(|| has_read_all(trial.receiver()));
    trial.wait_for_more(300);
    wait_until(|| has_read_all(trial.receiver()));
    sender.interrupt();
    Report::of(sender);
    let received = Report::of(receiver);
    trial.settled();
    (trial, received)
}

/// Whether nothing waits in the sockets of the tool's port (proc_net(5): `tx_queue:rx_queue`).
fn has_read_all(host: &Host) -> bool {
    let table = host.run(|| fs::read_to_string("/proc/thread-self/net/udp").unwrap());
    let port = format!(":{PORT:04X}");
    let sockets = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut ours = sockets.filter(|fields| fields[1].ends_with(&port)).peekable();
    assert!(ours.peek().is_some(), "{table}");
    ours.all(|fields| fields[4].ends_with(":00000000"))
}

#[test]
fn each_gap_is_known_to_be_the_sockets_or_not() {
    with_privileges(|| {
        let (mut trial, received) = overloaded("");
        let dropped = trial.relay().dropped_seqs().into_values().next().unwrap();
        let lost = lost_of(&received.json["streams"][0]);
        for Lost { seqs, own } in &lost {
            let on_the_way = dropped.iter().filter(|seq| seqs.contains(seq)).count() as u64;
            assert_eq!(*own, seqs.end - seqs.start - on_the_way, "{seqs:?}");
        }
        let own: u64 = lost.iter().map(|lost| lost.own).sum();
        assert_eq!(own, received.number("/totals/lost_by/receiver_socket"));
        let on_the_way = received.number("/totals/lost_by/elsewhere");
        assert_eq!(on_the_way, dropped.len() as u64);
        assert!(own > 100 && lost.iter().filter(|lost| lost.own == 0).count() > 5, "{own}");
        // The longest burst is the socket's, and says so.
        let longest = &received.json["streams"][0]["loss"]["longest"][0];
        assert!(longest["own_socket"].as_u64() > Some(100), "{longest}");
    });
}

/// The kernel counts for the socket. So the sum is exact, and gaps far from the overload are nobody's; within it, a
/// datagram that the path lost from one stream may pass for one that the socket dropped, and the other way round.
#[test]
fn streams_that_share_a_socket_share_its_drops() {
    with_privileges(|| {
        let (mut trial, received) = overloaded("-g 239.1.1.1+1");
        let dropped = trial.relay().dropped_seqs();
        assert_eq!((dropped.len(), received.number("/receiver/sockets")), (2, 1));
        let mut in_all = 0;
        for (dropped, row) in dropped.values().zip(received.json["streams"].as_array().unwrap()) {
            let lost = lost_of(row);
            let own: u64 = lost.iter().map(|lost| lost.own).sum();
            assert!(own > 50, "{row}");
            in_all += own;
            let burst: Vec<_> = lost.iter().filter(|lost| lost.own > 0).collect();
            let (start, end) = (burst[0].seqs.start, burst[burst.len() - 1].seqs.end);
            let far = |seqs: &&Range<u64>| seqs.end <= start || seqs.start >= end;
            for seqs in lost.iter().map(|lost| &lost.seqs).filter(far) {
                assert!(seqs.clone().all(|seq| dropped.contains(&seq)), "{seqs:?}");
            }
        }
        assert_eq!(in_all, received.number("/totals/lost_by/receiver_socket"));
        let on_the_way: usize = dropped.values().map(Vec::len).sum();
        assert_eq!(received.number("/totals/lost_by/elsewhere"), on_the_way as u64);
        let human = fs::read_to_string(trial.directory.join("human")).unwrap();
        let human = human.split_whitespace().collect::<Vec<_>>().join(" ");
        let said =
            "2 streams shared 1 socket: what a socket dropped cannot be told apart by stream";
        assert!(human.contains(said), "{human}");
    });
}
