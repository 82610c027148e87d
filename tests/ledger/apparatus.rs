//! Faults of our own hosts, which must never pass for faults of the network.

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{DEVICE, every, with_privileges};

#[test]
fn a_full_receive_buffer_is_not_the_networks_loss() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean());
        let (sent, received) = overflow(&mut trial, &format!("--rcvbuf 4096 {PROMPT}"));
        let offered = sent.number("/sender/offered");
        let Counts { unique, lost, .. } = received.totals();
        assert_eq!(received.totals(), Counts::of(offered, unique));
        assert!(lost > 100, "a buffer of 4 KiB has held {unique} of {offered}");
        assert_eq!(received.number("/totals/lost_by/receiver_socket"), lost);
        assert_eq!(received.number("/totals/lost_by/elsewhere"), 0);
        assert_eq!(received.code, 3);
        assert_eq!(received.complaints(), ["apparatus_dropped"]);
        check_stall(&received, "receiver");
    });
}

/// A veth stamps in software only: what is to be had is taken without a word, and nothing else is promised.
#[test]
fn a_device_without_a_clock_has_the_kernels_timestamps() {
    with_privileges(|| {
        let trial = Trial::over(Plan::clean());
        let hardware = "--timestamps hardware";
        let refused = Child::spawn(&mut Trial::command(trial.receiver(), "recv", hardware));
        let refused = refused.finish(PATIENCE);
        let stderr = String::from_utf8_lossy(&refused.stderr);
        let head = format!("error: {DEVICE} has no hardware timestamps for every datagram: ");
        assert!(stderr.starts_with(&head), "{stderr}");
        assert_eq!(refused.status.code(), Some(1));

        let receiver = trial.recv(&format!("--timestamps auto {PROMPT}"));
        let (_, received) = (Report::of(trial.send(LOAD)), Report::of(receiver));
        let timestamps = &received.json["receiver"]["timestamps"];
        let expected =
            serde_json::json!({"kind": "kernel", "phc": null, "error_ns": null, "without": 0});
        assert_eq!(timestamps, &expected);
        assert_eq!(received.complaints(), [] as [&str; 0]);
    });
}

/// What the network has lost is told from what the socket has.
#[test]
fn loss_before_and_in_the_receiver_are_told_apart() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean().on(every(10), Drop));
        let (_, received) = overflow(&mut trial, &format!("--rcvbuf 4096 {PROMPT}"));
        let relay = trial.settled();
        let lost = received.totals().lost;
        let in_socket = received.number("/totals/lost_by/receiver_socket");
        // Its socket has also dropped announcements, if one came while it was full.
        let announcements = relay.announcements - received.number("/totals/announcements");
        let elsewhere = received.number("/totals/lost_by/elsewhere");
        assert_eq!(in_socket + elsewhere, lost);
        assert!(relay.dropped - elsewhere <= announcements, "{relay:?} {}", received.json);
    });
}

#[test]
fn a_sender_that_stood_still_says_so() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean());
        let receiver = trial.recv(PROMPT);
        let mut sender = trial.send("-r 1k -s 200 -c 1000");
        trial.wait_for(200);
        stop_for_a_while(&mut sender);
        let (sent, received) = (Report::of(sender), Report::of(receiver));
        assert_eq!(received.totals(), Counts::of(1000, 1000));
        assert_eq!((sent.code, sent.complaints()), (3, vec![]));
        check_stall(&sent, "sender");
        // Delays count from the due times, so the receiver sees it too.
        assert!(sent.number("/sender/lateness_ns/max") >= 300_000_000, "{}", sent.json);
        assert!(received.number("/one_way_delay_ns/max") >= 300_000_000, "{}", received.json);
        // And is told so: the receiver on the other host knows what its sender knows.
        check_told(&sent, &received);
        assert!(received.number("/senders/longest_stall_ns") >= 300_000_000, "{}", received.json);
        let warnings = received.json["warnings"].as_array().unwrap();
        let stall = warnings.iter().find(|warning| warning["warning"] == "sender_stalled");
        let stall = stall.unwrap_or_else(|| panic!("no stall in {}", received.json));
        assert_eq!(stall["session"], sent.json["sender"]["session"]);
        assert_eq!(stall["length_ns"], sent.json["sender"]["longest_stall_ns"]);
    });
}

#[test]
fn trains_of_a_burst_sender_are_told() {
    with_privileges(|| {
        let Exchange { sent, received, .. } =
            exchange(Plan::clean(), "-r 1k -s 18 --burst 16 -c 320", PROMPT);
        check_told(&sent, &received);
        let train = received.number("/senders/train_max");
        assert!(train >= 16, "{}", received.json);
        assert_eq!(received.number("/senders/gaps_ns/min"), 0);
        // Fifteen of sixteen gaps lie within a burst.
        assert_eq!(received.number("/senders/gaps_ns/p50"), 0);
    });
}

/// One at a time is no train. Only what was late by a whole gap can have left with the next one.
#[test]
fn a_plain_sender_sends_no_trains() {
    with_privileges(|| {
        let Exchange { sent, received, .. } =
            exchange(Plan::clean(), "-r 100 -s 200 -c 40", PROMPT);
        check_told(&sent, &received);
        let train = received.number("/senders/train_max");
        let was_late = received.number("/sender_lateness_ns/max") >= 10_000_000;
        assert!(train == 1 || was_late, "{}", received.json);
        assert!(!received.warns_of("sender_missed_load"), "{}", received.json);
    });
}

/// What the announcements brought is what the sender reports.
#[track_caller]
fn check_told(sent: &Report, received: &Report) {
    for number in ["intended", "offered", "stalls", "longest_stall_ns", "train_max"] {
        let [sent, told] =
            [(sent, "sender"), (received, "senders")].map(|(of, side)| &of.json[side][number]);
        assert!(told.is_u64(), "{number} in {}", received.json);
        assert_eq!(sent, told, "{number}");
    }
    for number in ["p50", "p99", "max"] {
        let [sent, told] = [(sent, "sender"), (received, "senders")]
            .map(|(of, side)| &of.json[side]["gaps_ns"][number]);
        assert_eq!(sent, told, "gap {number}");
    }
    let threads = received.json["senders"]["threads"].as_array().unwrap();
    assert_eq!(threads.len(), 1, "{}", received.json);
    assert_eq!(threads[0]["session"], sent.json["sender"]["session"]);
}

/// The stall is a reason, and an event of the thread that it befell.
#[track_caller]
fn check_stall(report: &Report, worker: &str) {
    let reasons = report.json["invalid_reasons"].as_array().unwrap();
    let stall = reasons.iter().find(|reason| reason["reason"] == "stalled");
    let stall = stall.unwrap_or_else(|| panic!("no stall in {}", report.json));
    assert_eq!(stall["worker"], worker);
    assert!(stall["length_ns"].as_u64() >= Some(300_000_000), "{stall}");
    let events = report.events("stalled");
    let is_it = |event: &&&Value| event["length_ns"] == stall["length_ns"];
    assert_eq!(events.iter().find(is_it).unwrap()["worker"], format!("{worker} 0"));
}

/// Four times what the device may take: the kernel says no to the rest, and it is not sent.
#[test]
fn what_the_kernel_refuses_is_not_offered() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean());
        let mut tc = trial.sender().command("tc");
        tc.args("qdisc add dev eth0 root tbf rate 8mbit burst 10kb limit 30kb".split(' '));
        let shaped = Child::spawn(&mut tc).finish(PATIENCE);
        assert!(shaped.status.success(), "{}", String::from_utf8_lossy(&shaped.stderr));

        let receiver = trial.recv(PROMPT);
        let sent = Report::of(trial.send("-r 10k -s 400 -c 4000"));
        let received = Report::of(receiver);
        let relay = trial.settled();
        let offered = sent.number("/sender/offered");
        assert_eq!(relay.data_in, offered);
        assert_eq!(sent.number("/sender/intended"), 4000);
        assert_eq!(sent.number("/sender/refused/ENOBUFS"), 4000 - offered);
        assert!((100..3900).contains(&offered), "{offered} of 4000");
        assert_eq!((sent.code, sent.complaints()), (3, vec!["offered_load_missed"]));
        assert!(sent.warns_of("refused"), "{}", sent.json);
        check_told(&sent, &received);
        assert_eq!(received.number("/senders/refused"), 4000 - offered);
        assert!(received.warns_of("sender_missed_load"), "{}", received.json);
        assert_eq!(received.totals(), Counts::of(offered, offered));
    });
}

/// The device goes down and comes back: what was refused in between was never offered.
#[test]
fn a_link_that_is_down_for_a_while_refuses() {
    with_privileges(|| {
        for engine in ["mmsg", "io_uring"] {
            down_for_a_while(engine);
        }
    });
}

fn down_for_a_while(engine: &str) {
    let trial = Trial::new(Lab::direct());
    let receiver = trial.recv(&format!("-e {engine} {PROMPT}"));
    let witness = member(trial.receiver(), GROUP);
    let mut sender =
        trial.ready(Trial::command(trial.sender(), "send", &format!("-e {engine} {ENDLESS}")));
    set_link(trial.sender(), "down");
    // More than the announcements of the start.
    wait_until(|| without_route(trial.sender()) > 100);
    set_link(trial.sender(), "up");
    forget_what_came(&witness);
    (0..10).for_each(|_| assert!(witness.recv(&mut [0; 200]).is_ok()));
    sender.interrupt();
    let (sent, received) = (Report::of(sender), Report::of(receiver));
    assert!(sent.number("/sender/refused/ENETUNREACH") > 0, "{}", sent.json["sender"]);
    // A device that comes up loses without a trace what its queue is not yet ready for.
    let Stream { counts, before_join, .. } = received.only_stream();
    assert_eq!(counts.sent, Some(sent.number("/sender/offered") - before_join));
    assert!(counts.unique > 0, "{}", received.json);
}

/// Datagrams that this host was to send and that had nowhere to go.
fn without_route(host: &Host) -> u64 {
    let table = host.run(|| fs::read_to_string("/proc/thread-self/net/snmp").unwrap());
    let mut rows = table.lines().filter(|line| line.starts_with("Ip: "));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let mut columns = names.split(' ').zip(values.split(' '));
    columns.find(|(name, _)| *name == "OutNoRoutes").unwrap().1.parse().unwrap()
}

#[test]
fn a_load_that_no_sender_can_offer_is_missed() {
    with_privileges(|| {
        let trial = Trial::new(Lab::direct());
        let sent = Report::of(trial.send("-r 50Mpps -s 200 -t 300ms"));
        assert_eq!((sent.code, sent.complaints()), (3, vec!["offered_load_missed"]));
        assert_eq!(sent.number("/sender/intended"), 15_000_000);
        let missed = &sent.json["invalid_reasons"][0];
        assert_eq!(missed["intended"], 15_000_000);
        assert_eq!(missed["offered"], sent.json["sender"]["offered"]);
    });
}
