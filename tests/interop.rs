//! With programs of others: plain Python, as the recipes have it, receives what we send, and we receive what it sends.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mcast_bench::units::Nanos;
use mcast_bench::wire::probe::{Kind, MIN_LEN, decode};
use serde_json::Value;

use crate::lab::{self, Child, DEVICE, Host, Lab, Plan, with_privileges};

const PATIENCE: Duration = Duration::from_secs(60);
const RECEIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/receiver.py");
const SENDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/sender.py");

/// Exit codes of a trial. A busy machine, which holds threads up, makes it invalid; all is sent and counted nevertheless.
const RAN: [i32; 2] = [0, 3];

/// Datagrams of each test.
const COUNT: u64 = 100;

/// Runs the body of a test if there is Python, and says so if there is none.
fn with_python(test: &str, body: impl FnOnce()) {
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    match python {
        Ok(status) if status.success() => body(),
        // Not eprintln!, which the test harness hides while tests pass.
        _ => drop(writeln!(io::stderr(), "SKIPPED: {test}: cannot run python3")),
    }
}

/// A file that does not exist.
fn file() -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("mcast-bench-interop-{}-{number}", std::process::id()))
}

/// Starts a program and waits until it has joined.
fn joined(command: impl FnOnce(&PathBuf) -> Command) -> Child {
    let ready = file();
    let mut child = Child::spawn(&mut command(&ready));
    child.wait_for_file(&ready, PATIENCE);
    fs::remove_file(&ready).expect("it is there");
    child
}

fn tool(host: &Host, words: &str) -> Command {
    let mut command = host.command(lab::tool());
    command.args(words.split_whitespace()).args(["-I", DEVICE]);
    command
}

/// The program's output, once it has ended well.
fn told(child: Child, codes: &[i32]) -> String {
    let output = child.finish(PATIENCE);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code().expect("nobody kills it");
    assert!(codes.contains(&code), "{code}: {complaint}");
    String::from_utf8(output.stdout).expect("it writes text")
}

/// Python receives all that `send` sends, whole and in order.
fn python_receives(group: &str, structure: &str, bind: &str) {
    let mut lab = Lab::two_hosts(Plan::clean());
    let host = lab.receiver();
    let (address, port, count) = (host.v4().to_string(), "5000", COUNT.to_string());
    let receiver = joined(|ready| {
        let mut python = host.command("python3");
        python.arg(RECEIVER).arg(ready);
        python.args([group, port, DEVICE, &address, structure, bind, &count, "1316"]);
        python
    });
    let load = format!("send -q -g {} -p {port} -r 1k -s 1316 -c {COUNT}", bracketed(group));
    told(Child::spawn(&mut tool(lab.sender(), &load)), &RAN);
    let text = told(receiver, &[0]);
    lab.relay().settle();
    assert_eq!(lab.relay().counts().data_in, COUNT);
    let seqs = text.lines().filter_map(|line| {
        let (bytes, len) = line.split_once(' ').expect("two words");
        let probe = decode(&unhex(bytes), Nanos(0));
        let probe = probe.unwrap_or_else(|| panic!("not ours: {line}"));
        (probe.kind == Kind::Data).then(|| {
            assert_eq!(len, "1316");
            probe.seq
        })
    });
    assert!(seqs.eq(0..COUNT), "{structure}, bound to {bind}: {text}");
}

fn bracketed(group: &str) -> String {
    if group.contains(':') { format!("[{group}]") } else { group.to_owned() }
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    let bytes: Vec<_> = (0..digits.len()).step_by(2).map(byte).collect();
    assert!(bytes.len() >= MIN_LEN);
    // Checksums of the payload are not looked at here: the rest of the payload is not there.
    bytes[..MIN_LEN].to_vec()
}

#[test]
fn python_with_the_8_byte_structure_receives_ours() {
    with_privileges(|| {
        with_python("python_with_the_8_byte_structure_receives_ours", || {
            python_receives("233.252.0.81", "mreq", "group");
            python_receives("233.252.0.81", "mreq", "any");
        });
    });
}

#[test]
fn python_with_the_12_byte_structure_receives_ours() {
    with_privileges(|| {
        with_python("python_with_the_12_byte_structure_receives_ours", || {
            python_receives("233.252.0.82", "mreqn", "group");
            python_receives("233.252.0.82", "mreqn", "any");
        });
    });
}

#[test]
fn python_over_ipv6_receives_ours() {
    with_privileges(|| {
        with_python("python_over_ipv6_receives_ours", || {
            for group in ["ff15::83", "ff12::83"] {
                python_receives(group, "mreq6", "group");
                python_receives(group, "mreq6", "any");
            }
        });
    });
}

#[test]
fn what_python_sends_is_shown_and_is_foreign() {
    with_privileges(|| {
        with_python("what_python_sends_is_shown_and_is_foreign", || {
            for group in ["233.252.0.84", "ff15::84", "ff12::84"] {
                python_sends(group);
            }
        });
    });
}

/// `dump` shows all that Python sends, and `recv` takes none of it for its own. A sender of ours comes last, and with its
/// end ends `recv`.
fn python_sends(group: &str) {
    let lab = Lab::two_hosts(Plan::clean());
    let at = bracketed(group);
    let (sending, receiving) = (lab.sender(), lab.receiver());
    let start = |words: &str| {
        joined(|ready| {
            let mut command = tool(receiving, words);
            command.args(["-p", "5000", "-g", &at, "--ready-file"]).arg(ready);
            command
        })
    };
    let dump = start(&format!("dump -J --hex -c {COUNT} -t 30s"));
    let recv = start("recv -q -J");
    let (address, count) = (sending.v4().to_string(), COUNT.to_string());
    let mut python = sending.command("python3");
    python.arg(SENDER).args([group, "5000", DEVICE, &address, &count]);
    told(Child::spawn(&mut python), &[0]);
    let lines = told(dump, &[0]);
    let source: IpAddr = address.parse().expect("it is one");
    let mut seen = BTreeSet::new();
    for line in lines.lines() {
        let heard: Value = serde_json::from_str(line).expect("an object a line");
        assert_eq!((&heard["interface"], &heard["group"]), (&DEVICE.into(), &group.into()));
        assert_eq!((&heard["ttl"], &heard["content"]), (&3.into(), &Value::Null), "{line}");
        let from = heard["source"].as_str().expect("it is text");
        assert!(from.starts_with(&source.to_string()) || from.starts_with('['), "{from}");
        seen.insert(heard["payload"].as_str().expect("--hex").to_owned());
    }
    let hex = |text: String| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sent: BTreeSet<_> = (0..COUNT).map(|number| hex(format!("plain {number}"))).collect();
    assert_eq!(seen, sent, "{group}");
    let ours = format!("send -q -g {at} -p 5000 -r 1k -c 10");
    told(Child::spawn(&mut tool(sending, &ours)), &RAN);
    let report: Value = serde_json::from_str(&told(recv, &RAN)).expect("a report");
    let counts = ["foreign", "received"].map(|name| report["totals"][name].as_u64());
    assert_eq!(counts, [Some(COUNT), Some(10)], "{report}");
}
