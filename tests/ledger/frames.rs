//! The ledger of engines that build and read frames themselves.

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{every, with_privileges};
use mcast_bench::engine::{self, Support};

/// Engines that go past the socket layer and that this machine can run.
fn engines() -> impl Iterator<Item = &'static str> {
    let is_ready = |name: &&str| engine::by_name(name).unwrap().probe() == Support::Ready;
    ["af_packet", "af_xdp"].into_iter().filter(is_ready)
}

/// Between two of them and, for who else would check their checksums, between them and plain sockets.
#[test]
fn the_networks_loss_is_all_there_is() {
    with_privileges(|| {
        for engine in engines() {
            for (tx, rx) in [(engine, engine), (engine, "mmsg"), ("mmsg", engine)] {
                let (send, recv) = (format!("{LOAD} -e {tx}"), format!("{PROMPT} -e {rx}"));
                let plan = Plan::clean().on(every(10), Drop);
                let Exchange { sent, received, relay } = exchange(plan, &send, &recv);
                assert_eq!(received.totals(), Counts::of(COUNT, COUNT - relay.dropped));
                assert_eq!(received.number("/totals/lost_by/elsewhere"), relay.dropped);
                assert_eq!(received.number("/receiver/timestamps/without"), 0);
                assert!(received.number("/one_way_delay_ns/p50") < 1_000_000_000);
                // A virtual device lends AF_XDP no memory, and that is said.
                for (report, used) in [(&sent, tx), (&received, rx)] {
                    let degraded = report.events("degraded");
                    assert_eq!(degraded.len(), usize::from(used == "af_xdp"), "{used}");
                }
            }
        }
    });
}

/// What a ring had no room for is our own loss, and no counter of the host has it.
#[test]
fn a_full_ring_is_not_the_networks_loss() {
    with_privileges(|| {
        for engine in engines() {
            let mut trial = Trial::over(Plan::clean());
            let recv = format!("--rcvbuf 4096 {PROMPT} -e {engine}");
            let (sent, received) = overflow(&mut trial, &recv);
            let offered = sent.number("/sender/offered");
            let Counts { unique, lost, .. } = received.totals();
            assert_eq!(received.totals(), Counts::of(offered, unique));
            assert!(lost > 100, "a ring of 64 frames has held {unique} of {offered}");
            assert_eq!(received.number("/totals/lost_by/receiver_socket"), lost);
            assert_eq!(received.complaints(), ["apparatus_dropped"]);
        }
    });
}

/// Frames go past the queue that loses what comes before it is ready, so nothing at all is lost without a trace.
#[test]
fn a_link_that_is_down_for_a_while_refuses_frames() {
    with_privileges(|| {
        for engine in engines() {
            let trial = Trial::new(Lab::direct());
            let receiver = trial.recv(PROMPT);
            let witness = member(trial.receiver(), GROUP);
            let hear =
                |count| (0..count).for_each(|_| assert!(witness.recv(&mut [0; 200]).is_ok()));
            let send = format!("{ENDLESS} -e {engine}");
            let mut sender = trial.ready(Trial::command(trial.sender(), "send", &send));
            hear(10);
            set_link(trial.sender(), "down");
            thread::sleep(STOP);
            forget_what_came(&witness);
            set_link(trial.sender(), "up");
            hear(10);
            sender.interrupt();
            let (sent, received) = (Report::of(sender), Report::of(receiver));
            let offered = sent.number("/sender/offered");
            assert!(sent.number("/sender/refused/ENETDOWN") > 0, "{}", sent.json["sender"]);
            assert_eq!(received.totals(), Counts::of(offered, offered), "{}", received.json);
        }
    });
}

/// The receiver's end goes down and comes back: it goes on, and what was refused meanwhile is not lost.
#[test]
fn a_receiver_of_frames_survives_its_link() {
    with_privileges(|| {
        for engine in engines() {
            let trial = Trial::new(Lab::direct());
            let receiver = trial.recv(&format!("{PROMPT} -e {engine}"));
            let send = format!("{ENDLESS} -e {engine}");
            let mut sender = trial.ready(Trial::command(trial.sender(), "send", &send));
            let hear = |count| {
                let before = came_in(trial.receiver());
                wait_until(|| came_in(trial.receiver()) >= before + count);
            };
            hear(10);
            // What a virtual device has not looked at when it goes down it forgets, and counts nowhere.
            sender.signal(libc::SIGSTOP);
            wait_until(|| came_in(trial.receiver()) >= went_out(trial.sender()));
            set_link(trial.receiver(), "down");
            sender.signal(libc::SIGCONT);
            thread::sleep(STOP);
            set_link(trial.receiver(), "up");
            hear(100);
            sender.interrupt();
            let (sent, received) = (Report::of(sender), Report::of(receiver));
            let offered = sent.number("/sender/offered");
            assert!(sent.refused() > 0, "{}", sent.json["sender"]);
            assert_eq!(received.totals(), Counts::of(offered, offered), "{}", received.json);
        }
    });
}

/// Frames that have come in by the device of a host.
fn came_in(host: &Host) -> u64 {
    device_counter(host, 1)
}

/// Frames that have gone out by the device of a host.
fn went_out(host: &Host) -> u64 {
    device_counter(host, 9)
}

/// A column of the device's row: bytes, packets, errs, drop, fifo, frame, compressed, multicast, received and then sent.
fn device_counter(host: &Host, column: usize) -> u64 {
    let path = "/proc/thread-self/net/dev";
    let table = host.run(|| fs::read_to_string(path).unwrap());
    let row = table.lines().find_map(|line| line.trim().strip_prefix(&format!("{DEVICE}:")));
    row.unwrap().split_whitespace().nth(column).unwrap().parse().unwrap()
}
