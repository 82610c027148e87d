//! `dump` on real hosts: what comes over the network is shown as it is, and nothing else is.
#![cfg(test)]

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mcast_bench::model::group::Membership;
use mcast_bench::net::interface;
use mcast_bench::net::receiver::MulticastReceiver;
use mcast_bench::net::socket::{Launch, SenderOptions, open_sender};
use mcast_bench::wire::capture;
use serde_json::Value;

use crate::lab::{self, Child, DEVICE, Host, Lab, Plan, at, with_privileges};

const PATIENCE: Duration = Duration::from_secs(60);

/// Datagrams of each load.
const COUNT: u64 = 200;

/// A file that does not exist.
fn file() -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("mcast-bench-dump-{}-{number}", std::process::id()))
}

fn command(host: &Host, words: &str) -> Command {
    let mut command = host.command(lab::tool());
    command.args(words.split_whitespace()).args(["-I", DEVICE]);
    command
}

/// Starts the tool and waits until it has joined.
fn start(host: &Host, words: &str) -> Child {
    let ready = file();
    let mut child = Child::spawn(command(host, words).arg("--ready-file").arg(&ready));
    child.wait_for_file(&ready, PATIENCE);
    fs::remove_file(&ready).expect("it is there");
    child
}

/// What it printed on either stream, and its exit code.
fn ended(child: Child) -> (String, String, Option<i32>) {
    let output = child.finish(PATIENCE);
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (text(output.stdout), text(output.stderr), output.status.code())
}

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn of_kind<'a>(heard: &'a [Value], kind: &str) -> Vec<&'a Value> {
    heard.iter().filter(|heard| heard["content"]["kind"] == kind).collect()
}

fn send(host: &Host, words: &str) {
    let load = format!("send -q -r 1k -c {COUNT} {words}");
    let (_, said, code) = ended(Child::spawn(&mut command(host, &load)));
    // A busy machine makes the trial invalid, but all is sent.
    assert!(matches!(code, Some(0 | 3)), "{said}");
}

#[test]
fn what_the_relay_lets_through_is_shown_datagram_by_datagram() {
    with_privileges(|| {
        for group in [
            "233.252.0.71:5000",
            "10.99.1.1@232.252.0.71:5000",
            "[ff15::71]:5000",
            "[ff12::71]:5000",
        ] {
            let plan = Plan::clean().on(at([3, 4, 50]), lab::Action::Drop);
            let mut lab = Lab::two_hosts(plan);
            let capture = file();
            let words = format!("dump -J -g {group} --pcap {}", capture.display());
            let mut dump = start(lab.receiver(), &words);
            send(lab.sender(), &format!("-g {group} -T 5"));
            lab.relay().settle();
            // What has come is shown, although nobody waits for it any more.
            dump.interrupt();
            let (lines, said, code) = ended(dump);
            assert_eq!(code, Some(130), "{said}");
            let heard = objects(&lines);
            let data = of_kind(&heard, "data");
            let seqs = data.iter().map(|data| data["content"]["seq"].as_u64().expect("a number"));
            assert!(seqs.eq((0..COUNT).filter(|seq| ![3, 4, 50].contains(seq))), "{group}");
            for data in &data {
                let name = group.rsplit('@').next().expect("there is one");
                let shown = data["group"].as_str().expect("it is text");
                assert!(name.contains(shown), "{data}");
                assert_eq!((&data["port"], &data["ttl"]), (&5000.into(), &5.into()), "{data}");
                assert_eq!(
                    (&data["interface"], &data["payload_len"]),
                    (&DEVICE.into(), &1316.into())
                );
                let delay = data["content"]["delay_ns"].as_i64().expect("a number");
                assert!((0..60_000_000_000).contains(&delay), "both hosts have one clock: {data}");
            }
            let total = format!("{} datagrams, ", heard.len());
            assert!(said.contains(&total), "{total}{said}");
            let read = fs::read(&capture).expect("it has its name");
            let read = capture::read(&read[..], 10_000).expect("it is whole");
            let times = heard.iter().map(|heard| heard["received_at_ns"].as_u64());
            assert!(read.datagrams.iter().map(|(at, _)| Some(at.0)).eq(times));
            check_with_tcpdump(&capture, heard.len());
            fs::remove_file(&capture).expect("it is ours");
        }
    });
}

/// What another program makes of a capture, where it is installed.
fn check_with_tcpdump(capture: &PathBuf, count: usize) {
    let read = Command::new("tcpdump").arg("-nvr").arg(capture).output();
    let obstacle = match &read {
        Err(error) => Some(error.to_string()),
        // As root it becomes another user, which in a user namespace there is none of.
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned())
            .filter(|complaint| complaint.contains("Couldn't change to ")),
    };
    if let Some(obstacle) = obstacle {
        // Not eprintln!, which the test harness hides while tests pass.
        let _ = writeln!(io::stderr(), "SKIPPED: a capture read by tcpdump: {}", obstacle.trim());
        return;
    }
    let output = read.expect("there is tcpdump");
    let text = String::from_utf8_lossy(&output.stdout);
    let whole = text.matches("length 1316").count() + text.matches("length 120").count();
    assert!(output.status.success() && whole >= count, "{output:?}");
    assert!(!text.contains("bad") && !text.contains("truncated"), "{text}");
}

/// Another program has joined a second group of the same port, and the host so gets both.
#[test]
fn nothing_is_shown_that_others_have_joined() {
    with_privileges(|| {
        for (ours, theirs) in [("233.252.0.72", "233.252.0.73"), ("[ff15::72]", "[ff15::73]")] {
            let mut lab = Lab::two_hosts(Plan::clean());
            let mut dump = start(lab.receiver(), &format!("dump -J -p 5000 -g {ours}"));
            let mut other = start(lab.receiver(), &format!("dump -J -p 5000 -g {theirs}"));
            send(lab.sender(), &format!("-p 5000 -g {theirs}"));
            send(lab.sender(), &format!("-p 5000 -g {ours}"));
            lab.relay().settle();
            dump.interrupt();
            other.interrupt();
            for (child, group) in [(dump, ours), (other, theirs)] {
                let heard = objects(&ended(child).0);
                let group = group.trim_matches(['[', ']']);
                assert_eq!(of_kind(&heard, "data").len() as u64, COUNT, "{group}");
                assert!(heard.iter().all(|heard| heard["group"] == group), "{group}");
            }
        }
    });
}

#[test]
fn what_comes_while_it_cannot_write_is_dropped_and_told() {
    with_privileges(|| {
        let lab = Lab::direct();
        let mut dump = start(lab.receiver(), "dump -w 4096 -c 2 -g 233.252.0.74:5000");
        dump.signal(libc::SIGSTOP);
        let begun = Instant::now();
        let stat = format!("/proc/{}/stat", dump.pid());
        while !fs::read_to_string(&stat).expect("it is there").contains(") T ") {
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
        }
        let sender = lab.sender().run(|| UdpSocket::bind((lab.sender().v4(), 0)));
        let sender = sender.expect("hosts have addresses");
        let group: SocketAddr = "233.252.0.74:5000".parse().expect("it is one");
        for _ in 0..COUNT {
            sender.send_to(&[0; 1000], group).expect("there is a route");
        }
        dump.signal(libc::SIGCONT);
        let (lines, said, code) = ended(dump);
        assert_eq!((lines.lines().count(), code), (2, Some(0)), "{lines}{said}");
        let row = said.lines().find(|line| line.contains(" dropped by this host: "));
        let row = row.unwrap_or_else(|| panic!("no drops: {said}"));
        let dropped: u64 =
            row.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
        assert!((1..COUNT).contains(&dropped), "{said}");
    });
}

/// The kernel gives a socket of IPv6 what comes over any interface on which somebody has joined the group.
#[test]
fn what_comes_over_another_interface_is_not_shown() {
    with_privileges(|| {
        for group in ["233.252.0.76:5000", "[ff15::76]:5000"] {
            let lab = Lab::direct();
            let group: Membership = group.parse().expect("it is one");
            let joined = |names: &[&str]| {
                let mut receiver = MulticastReceiver::new(1 << 16).expect("sockets are to be had");
                for name in names {
                    let interface = interface::resolve(name).expect("it is up");
                    receiver.join(&interface, &[group]).expect("it can be joined");
                }
                receiver
            };
            let index = || interface::resolve(DEVICE).expect("it is up").index;
            let (heard_on, [mut outer, mut inner, mut both]) = lab
                .receiver()
                .run(|| (index(), [joined(&[DEVICE]), joined(&["lo"]), joined(&["lo", DEVICE])]));
            let sender = lab.sender().run(|| {
                let (interface, v6) = (index(), group.group.is_ipv6());
                let (source, launch) = (None, Launch::AtOnce);
                let (source_port, both, ttl, loopback, dscp) = (0, false, 1, true, 0);
                open_sender(&SenderOptions {
                    interface,
                    source,
                    source_port,
                    v6,
                    both,
                    ttl,
                    loopback,
                    dscp,
                    launch,
                })
            });
            let sender = sender.expect("hosts have addresses");
            sender.send_to(b"once", &group.destination().into()).expect("the link is up");
            for receiver in [&mut outer, &mut both] {
                let heard = receiver.recv(PATIENCE).expect("it can be read").expect("it arrives");
                assert_eq!((heard.payload, heard.destination), (&b"once"[..], group.destination()));
                assert_eq!(heard.interface, heard_on);
                assert!(receiver.recv(Duration::ZERO).expect("it can be read").is_none());
            }
            assert!(inner.recv(Duration::ZERO).expect("it can be read").is_none());
        }
    });
}

#[test]
fn an_interface_that_goes_ends_it_with_one_line() {
    with_privileges(|| {
        let lab = Lab::direct();
        let dump = start(lab.receiver(), "dump -q -g 233.252.0.75:5000");
        let mut ip = lab.receiver().command("ip");
        assert!(ip.args(["link", "delete", DEVICE]).status().expect("there is ip").success());
        let (lines, said, code) = ended(dump);
        assert_eq!((lines.as_str(), code), ("", Some(1)));
        assert!(said.starts_with("error: interface eth0 has gone\nhint: "), "{said}");
    });
}
