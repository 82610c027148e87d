//! The ledger against the truth: a real `send` and a real `recv` on two hosts, and between them a
//! relay that knows what it did. Sizes and rates are small, so that a busy machine keeps up.
#![cfg(test)]

mod apparatus;
mod binding;
mod clocks;
mod composite;
mod crowd;
mod flows;
mod frames;
mod groups;
mod hostile;
mod intervals;
mod many;
mod network;
mod outputs;
mod own_drops;
mod schedules;
mod senders;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::lab::{self, Child, DEVICE, Host, Kind, Lab, Passed, Plan, RelayCounts};

/// The tool's own, when none is named.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 77);
const PORT: u16 = 5777;
/// A load of [`COUNT`] datagrams within 0.4 s.
const LOAD: &str = "-r 5k -s 200 -c 2000";
const COUNT: u64 = 2000;
/// A load that lasts until it is interrupted.
const ENDLESS: &str = "-r 5k -s 200 -t 0";
/// A receiver that does not wait long for what will not come.
const PROMPT: &str = "--loss-threshold 200ms";
/// Longer than anything here takes on any machine. Namespaces come and go under one lock of the kernel, so
/// many tests at once hold each other up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two hosts, the wire between them, and a directory for files.
struct Trial {
    lab: Lab,
    directory: PathBuf,
}

impl Trial {
    fn new(lab: Lab) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcast-bench-ledger-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).expect("the temporary directory can be written");
        Self { lab, directory }
    }

    fn over(plan: Plan) -> Self {
        Self::new(Lab::two_hosts(plan))
    }

    /// Starts a receiver and waits until it has joined.
    fn recv(&self, flags: &str) -> Child {
        self.ready(Self::command(self.receiver(), "recv", flags))
    }

    /// Starts a sender.
    fn send(&self, flags: &str) -> Child {
        Child::spawn(&mut Self::command(self.sender(), "send", flags))
    }

    /// Starts the tool and waits until it has opened everything.
    fn ready(&self, mut command: Command) -> Child {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = self.directory.join(format!("ready-{number}"));
        let mut child = Child::spawn(command.arg("--ready-file").arg(&file));
        child.wait_for_file(&file, PATIENCE);
        child
    }

    fn command(host: &Host, verb: &str, flags: &str) -> Command {
        let mut command = host.command(lab::tool());
        command.args([verb, "-J", "-q", "-I", DEVICE]).args(flags.split_whitespace());
        command
    }

    /// Waits until the relay has got so many data datagrams in all.
    fn wait_for(&mut self, data_in: u64) {
        wait_until(|| self.relay().counts().data_in >= data_in);
    }

    /// Waits until the relay has got so many more.
    fn wait_for_more(&mut self, data_in: u64) {
        let before = self.relay().counts().data_in;
        self.wait_for(before + data_in);
    }

    /// What the relay has done in the end.
    fn settled(&mut self) -> RelayCounts {
        self.relay().settle();
        self.relay().counts()
    }

    /// How many the relay withheld of each stream, by its name in the report.
    fn dropped(&mut self) -> BTreeMap<(String, u16), u64> {
        let dropped = self.relay().dropped_seqs();
        let count = |((session, stream), seqs): ((u32, u16), Vec<u64>)| {
            ((format!("{session:06x}"), stream), seqs.len() as u64)
        };
        dropped.into_iter().map(count).collect()
    }
}

#[track_caller]
fn wait_until(mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "it has not come true in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

impl Deref for Trial {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl DerefMut for Trial {
    fn deref_mut(&mut self) -> &mut Lab {
        &mut self.lab
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // Its absence is the only thing that matters.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A trial in which a receiver waits, a sender sends and both end by themselves.
struct Exchange {
    sent: Report,
    received: Report,
    relay: RelayCounts,
}

/// Carries out such a trial. Whatever the network does, the sender says what the relay has seen.
fn exchange(plan: Plan, send: &str, recv: &str) -> Exchange {
    let mut trial = Trial::over(plan);
    let receiver = trial.recv(recv);
    let sent = Report::of(trial.send(send));
    let received = Report::of(receiver);
    let relay = trial.settled();
    assert_eq!(sent.number("/sender/offered"), relay.data_in);
    assert_eq!(sent.number("/sender/intended"), relay.data_in);
    assert_eq!(sent.json["sender"]["refused"], serde_json::json!({}));
    assert_eq!(sent.complaints(), [] as [&str; 0]);
    Exchange { sent, received, relay }
}

/// Another program on a host that has joined a group, at the port of the tool.
fn member(host: &Host, group: Ipv4Addr) -> UdpSocket {
    host.run(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into()).unwrap();
        socket.set_multicast_all_v4(false).unwrap();
        socket.join_multicast_v4(&group, &host.v4()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.into()
    })
}

/// A time in which a thousand datagrams and more become due, even if the machine stands still for a part of it.
const STOP: Duration = Duration::from_millis(350);

/// Stops a process for as long.
fn stop_for_a_while(child: &mut Child) {
    child.signal(libc::SIGSTOP);
    thread::sleep(STOP);
    child.signal(libc::SIGCONT);
}

/// A load without an end on a receiver that stands still in the middle of it: what comes meanwhile is more than its buffer
/// holds, if that is small.
fn overflow(trial: &mut Trial, recv: &str) -> (Report, Report) {
    let mut receiver = trial.recv(recv);
    let mut sender = trial.send(ENDLESS);
    trial.wait_for(200);
    stop_for_a_while(&mut receiver);
    trial.wait_for_more(200);
    sender.interrupt();
    (Report::of(sender), Report::of(receiver))
}

/// Takes all that has come to a socket so far.
fn forget_what_came(socket: &UdpSocket) {
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut [0; 200]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
}

fn set_link(host: &Host, state: &str) {
    let mut ip = host.command("ip");
    let done = Child::spawn(ip.args(["link", "set", DEVICE, state])).finish(PATIENCE);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// What a process has reported, and how it ended.
struct Report {
    code: i32,
    json: Value,
}

impl Report {
    /// Waits for the end. What must add up in every report, whatever happened, does.
    fn of(child: Child) -> Self {
        let output = child.finish(PATIENCE);
        let json = lab::json(&output);
        let code = output.status.code().expect("it ended by itself");
        let report = Self { code, json };
        let expected = match (&report.json["interrupted"], report.reasons().as_slice()) {
            (Value::Bool(true), _) => 130,
            (_, []) => 0,
            (_, reasons) if reasons.contains(&"nothing_heard") => 4,
            _ => 3,
        };
        assert_eq!(code, expected, "{}", report.json);
        assert_eq!(report.json["valid"], report.reasons().is_empty());
        if report.json["receiver"].is_object() {
            report.check_receiver();
        }
        if report.json["sender"].is_object() {
            report.check_sender();
        }
        report
    }

    #[track_caller]
    fn check_receiver(&self) {
        let mut sum = Counts { sent: Some(0), ..Counts::default() };
        for Stream { counts, first_seq, before_join, .. } in self.streams() {
            let Counts { received, unique, duplicates, too_late, corrupt, .. } = counts;
            assert_eq!(received, unique + duplicates + too_late + corrupt, "{}", self.json);
            assert!(counts.sent.is_none_or(|sent| sent == unique + counts.lost), "{}", self.json);
            assert_eq!(first_seq, before_join);
            sum.add(&counts);
        }
        let totals = self.totals();
        assert_eq!(totals, Counts { foreign: totals.foreign, ..sum });
        let lost_by = &self.json["totals"]["lost_by"];
        let parts = ["receiver_socket", "receiver_host", "elsewhere"];
        let parts: u64 = parts.iter().filter_map(|part| lost_by[part].as_u64()).sum();
        assert_eq!(parts, totals.lost);
        // Until a sender has said what clock it has, its delays are only relative.
        let delays =
            ["/one_way_delay_ns/count", "/one_way_delay_ns/negative", "/relative_delay_ns/count"];
        let delays = delays.iter().filter_map(|pointer| self.json.pointer(pointer)?.as_u64());
        assert_eq!(delays.sum::<u64>(), totals.unique, "{}", self.json);
    }

    #[track_caller]
    fn check_sender(&self) {
        let offered = self.number("/sender/offered");
        assert!(offered + self.refused() <= self.number("/sender/intended"), "{}", self.json);
        assert_eq!(self.number("/sender/lateness_ns/count"), offered);
    }

    /// The number at a JSON pointer.
    #[track_caller]
    fn number(&self, pointer: &str) -> u64 {
        let number = self.json.pointer(pointer).and_then(Value::as_u64);
        number.unwrap_or_else(|| panic!("no number at {pointer} of {}", self.json))
    }

    fn totals(&self) -> Counts {
        Counts::deserialize(&self.json["totals"]).expect("a receiver has totals")
    }

    fn streams(&self) -> Vec<Stream> {
        Vec::deserialize(&self.json["streams"]).expect("streams are rows")
    }

    #[track_caller]
    fn only_stream(&self) -> Stream {
        let mut streams = self.streams();
        assert_eq!(streams.len(), 1, "{}", self.json);
        streams.remove(0)
    }

    /// The row of a sender that has one stream.
    #[track_caller]
    fn row_of(&self, sent: &Self) -> Stream {
        let session = &sent.json["sender"]["session"];
        let row = self.streams().into_iter().find(|stream| *session == *stream.session);
        row.unwrap_or_else(|| panic!("{session} is not in {}", self.json))
    }

    /// Refused by the sender's kernel, for whatever reason.
    fn refused(&self) -> u64 {
        let refused = self.json["sender"]["refused"].as_object().expect("a sender has refused");
        refused.values().filter_map(Value::as_u64).sum()
    }

    /// Why the trial is invalid.
    fn reasons(&self) -> Vec<&str> {
        self.names("invalid_reasons", "reason")
    }

    /// The same without a stall, which on a busy machine is nobody's fault.
    fn complaints(&self) -> Vec<&str> {
        self.reasons().into_iter().filter(|reason| *reason != "stalled").collect()
    }

    fn warns_of(&self, warning: &str) -> bool {
        self.names("warnings", "warning").contains(&warning)
    }

    /// The events of one name.
    fn events(&self, name: &str) -> Vec<&Value> {
        let events = self.json["events"].as_array().expect("events are a list");
        events.iter().filter(|event| event["event"] == name).collect()
    }

    fn names(&self, list: &str, key: &str) -> Vec<&str> {
        let list = self.json[list].as_array().expect("it is a list");
        list.iter().filter_map(|entry| entry[key].as_str()).collect()
    }
}

/// What a report counts of a stream, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Counts {
    sent: Option<u64>,
    received: u64,
    unique: u64,
    lost: u64,
    duplicates: u64,
    reordered: u64,
    too_late: u64,
    corrupt: u64,
    foreign: u64,
}

impl Counts {
    /// So many were sent, and so many of them came, once each and in order.
    fn of(sent: u64, unique: u64) -> Self {
        let lost = sent - unique;
        Self { sent: Some(sent), received: unique, unique, lost, ..Self::default() }
    }

    fn add(&mut self, other: &Self) {
        self.sent = self.sent.zip(other.sent).map(|(a, b)| a + b);
        self.received += other.received;
        self.unique += other.unique;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.too_late += other.too_late;
        self.corrupt += other.corrupt;
    }
}

/// A row of a report.
#[derive(Clone, Debug, Deserialize)]
struct Stream {
    session: String,
    stream: u16,
    source: String,
    group: String,
    port: u16,
    interface: Option<String>,
    first_seq: u64,
    highest_seq: Option<u64>,
    before_join: u64,
    end: String,
    clock: Value,
    #[serde(flatten)]
    counts: Counts,
}

/// RFC 4737 section 3.3, RFC 5560 and RFC 7680 by the letter, with no thought for memory.
fn as_defined(passed: &[Passed], sent: u64) -> Counts {
    let mut seen = BTreeSet::new();
    let mut counts = Counts { sent: Some(sent), ..Counts::default() };
    for Passed { seq, .. } in passed.iter().filter(|passed| passed.kind == Kind::Data) {
        let is_behind = seen.last().is_some_and(|highest| highest > seq);
        let is_first_copy = seen.insert(*seq);
        counts.received += 1;
        counts.duplicates += u64::from(!is_first_copy);
        counts.reordered += u64::from(is_first_copy && is_behind);
    }
    counts.unique = seen.len() as u64;
    counts.lost = sent - counts.unique;
    counts
}

/// The most memory that a process has had resident.
fn peak_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
