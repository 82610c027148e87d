//! `dump` over loopback: codes, streams, files.

use super::{Bench, Ran, port};
use serde_json::Value;
use std::process::Command;

const LOAD: [&str; 6] = ["-c", "20", "-r", "1k", "-s", "64"];

/// Shows what a sender sends, until Ctrl-C.
fn shown(bench: &Bench, args: &[&str]) -> Ran {
    let port = port();
    let dump = bench.start(&[&["dump", "-p", &port, "--ready-file", "ready"], args].concat());
    bench.wait_for("ready");
    let sent = bench.run(&[&["send", "-q", "-p", &port], &LOAD[..]].concat());
    assert!(matches!(sent.code, Some(0 | 3)), "{sent:?}");
    dump.signal("INT");
    let ran = dump.wait();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    ran
}

#[test]
fn a_line_a_datagram_and_a_summary_apart() {
    let ran = shown(&Bench::new(), &[]);
    let data: Vec<_> = ran.stdout.lines().filter(|line| line.contains("  data ")).collect();
    assert_eq!(data.len(), 20, "{ran:?}");
    for (seq, line) in data.iter().enumerate() {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!((words[0].len(), words[1]), ("2026-11-22T10:04:44.502386028Z".len(), "lo"));
        assert_eq!((words[3], &words[5..9]), (">", &["64", "bytes", "ttl", "1"][..]), "{line}");
        assert!(line.contains(&format!(" seq {seq} due ")), "{line}");
    }
    let (notice, summary) = ran.stderr.split_once('\n').unwrap();
    assert_eq!(notice, "no --iface: using lo, so all traffic stays on this host");
    assert!(summary.contains(" datagrams, ") && summary.contains(" of payload, in "), "{ran:?}");
}

#[test]
fn json_with_bytes_beside_a_capture_that_can_be_replayed() {
    let bench = Bench::new();
    let ran = shown(&bench, &["-J", "--hex", "--pcap", "feed.pcap"]);
    let lines: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        let bytes = line["payload"].as_str().unwrap();
        assert_eq!(bytes.len() as u64, 2 * line["payload_len"].as_u64().unwrap());
    }
    assert!(ran.stderr.contains(&format!("\n{} datagrams, ", lines.len())), "{ran:?}");
    assert_eq!(bench.files(), ["feed.pcap", "ready"]);
    let capture = std::fs::read(bench.cwd.join("feed.pcap")).unwrap();
    let read = mcast_bench::wire::capture::read(&capture[..], 1000).unwrap();
    let times = lines.iter().map(|line| line["received_at_ns"].as_u64());
    assert!(read.datagrams.iter().map(|(at, _)| Some(at.0)).eq(times));
    let sent = bench.run(&["send", "-q", "-J", "-p", &port(), "--replay", "feed.pcap"]);
    assert_eq!(sent.fine()["sender"]["offered"], lines.len());
}

#[test]
fn nothing_heard_is_said_and_is_4() {
    let bench = Bench::new();
    let port = port();
    let ran = bench.run(&["dump", "-p", &port, "-t", "3.5s"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""));
    let doctor = format!("mcast-bench doctor -I lo -g '239.255.77.77:{port}'");
    assert!(ran.stderr.contains("nothing heard for 3.00 s of 239.255.77.77:"), "{ran:?}");
    assert!(ran.stderr.contains(&doctor), "{ran:?}");
    let ran = bench.run(&["dump", "-p", &port, "-t", "10ms", "-q"]);
    assert_eq!((ran.code, ran.stdout, ran.stderr), (Some(4), String::new(), String::new()));
}

#[test]
fn what_cannot_be_meant_or_written() {
    let bench = Bench::new();
    let port = port();
    for (args, code, said) in [
        (&["-c", "0"][..], 2, "error: --count 0 is no datagram at all\nhint: "),
        (
            &["--pcap", "-", "-J"],
            2,
            "error: --json and --pcap - would mix on standard output\nhint: ",
        ),
        (&["--pcap", "-", "--hex"], 2, "error: --hex and --pcap - would mix"),
        (&["--pcap", "no/such.pcap"], 1, "error: cannot write capture to no/such.pcap: "),
        (&["--pcap", "."], 1, "error: cannot write capture to .: "),
        (&["-I", "nosuch0"], 1, "error: no interface has the name, index or address `nosuch0`\n"),
        (
            &["-q", "--pcap", "/dev/full", "-t", "10ms"],
            1,
            "error: cannot write capture to /dev/full: No space left",
        ),
    ] {
        let ran = bench.run(&[&["dump", "-p", &port], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{ran:?}");
        assert!(
            ran.stderr.starts_with(said) || ran.stderr.contains(&format!("\n{said}")),
            "{ran:?}"
        );
    }
    assert!(bench.files().is_empty(), "{:?}", bench.files());
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let (program, port) = (env!("CARGO_BIN_EXE_mcast-bench"), port());
    let bench = Bench::new();
    for (pcap, reader) in [("", "head -n 1"), ("--pcap -", "head -c 24")] {
        let script = format!(
            "{program} send -q -p {port} -t 5s -r 1k >/dev/null 2>&1 & sender=$!
             {program} dump -p {port} -w 64Ki -t 20s {pcap} 2>err | {reader} >/dev/null
             code=${{PIPESTATUS[0]}}; kill $sender; exit $code"
        );
        let mut bash = Command::new("bash");
        let status = bash.args(["-c", &script]).current_dir(&bench.cwd).status().unwrap();
        assert_eq!(status.code(), Some(0), "{pcap}");
        let said = bench.read("err");
        assert_eq!(said, "no --iface: using lo, so all traffic stays on this host\n");
    }
}
