//! What the program refuses: in one line, with a hint where one helps, and with nothing left behind.

use super::{Bench, port};
use mcast_bench::engine::ENGINES;
use std::net::UdpSocket;
use std::process::Command;

/// Refuses `words` with `code` and says exactly `stderr`.
pub(super) fn check(words: &str, code: i32, stderr: &str) {
    check_in(&Bench::new(), &words.split(' ').collect::<Vec<_>>(), code, stderr);
}

pub(super) fn check_in(bench: &Bench, args: &[&str], code: i32, stderr: &str) {
    let before = bench.files();
    let ran = bench.run(args);
    assert_eq!(ran.stderr, format!("{stderr}\n"), "{args:?}");
    assert_eq!(ran.stdout, "", "{args:?}");
    assert_eq!(ran.code, Some(code), "{args:?}");
    assert_eq!(bench.files(), before, "{args:?} left files behind");
}

/// Refuses a value by itself; clap names the flag and the value.
pub(super) fn check_value(flag: &str, value: &str, stderr: &str) {
    let bench = Bench::new();
    let ran = bench.run(&["run", flag, value]);
    let first = ran.stderr.lines().next().unwrap_or_default();
    assert!(
        first.starts_with(&format!("error: invalid value '{value}' for '--")),
        "{}",
        ran.stderr
    );
    assert!(first.contains(stderr), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert_eq!(bench.files(), [""; 0]);
}

const SEE_HELP: &str = "\nhint: --help shows what there is";

#[test]
fn words_that_are_no_flags() {
    check("run --bogus", 2, &format!("error: unexpected argument '--bogus' found{SEE_HELP}"));
    check(
        "run --raet 5",
        2,
        "error: unexpected argument '--raet' found\nhint: a similar argument exists: '--rate'",
    );
    check("walk", 2, &format!("error: unrecognized subcommand 'walk'{SEE_HELP}"));
    check("recv --size 5", 2, &format!("error: unexpected argument '--size' found{SEE_HELP}"));
    check("send --rcvbuf 5", 2, &format!("error: unexpected argument '--rcvbuf' found{SEE_HELP}"));
    check(
        "run --port",
        2,
        &format!("error: a value is required for '--port <PORT>' but none was supplied{SEE_HELP}"),
    );
}

#[test]
fn round_trips() {
    check(
        "ping -s 93",
        2,
        "error: a request cannot have 93 bytes\nhint: --size is from 94 to 65507",
    );
    check(
        "ping -r max",
        2,
        "error: --rate max would only time our own queues\nhint: --closed asks as fast as answers come",
    );
    check(
        "ping -r 5 --closed",
        2,
        &format!(
            "error: the argument '--rate <RATE>' cannot be used with '--closed[=<WHOM>]'{SEE_HELP}"
        ),
    );
    check(
        "ping -g 239.1.1.1+1",
        2,
        "error: 2 groups for round trips\nhint: give one; start one program for each group",
    );
    check(
        "echo -g 192.0.2.1@232.1.1.1",
        2,
        "error: answers to the source-specific group 192.0.2.1@232.1.1.1:5777 would have a source that nobody \
         joins\nhint: give --reply unicast",
    );
    check(
        "ping --fail-if corrupt>0",
        2,
        "error: `ping` cannot hold to --fail-if 'corrupt>0': it does not measure corrupt\n\
         hint: give it to `recv`, or to `run`",
    );
    check(
        "ping --timeout 1us",
        2,
        "error: --timeout 1us cannot be\nhint: --timeout is from 1ms to 24h",
    );
    check("ping -c 0", 2, "error: --count 0 is no request at all\nhint: leave it out for no limit");
    check(
        "ping --cpu 9999",
        1,
        &format!("error: core 9999 is not there for this process\nhint: it may run on {}", cpus()),
    );
}

/// The cores that this process may run on, as the program lists them.
fn cpus() -> String {
    let cpus = mcast_bench::sys::sched::allowed_cpus().unwrap();
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn groups() {
    let check = |group, reason| check_value("--group", group, reason);
    check("10.0.0.1", "10.0.0.1 is not a multicast group (224.0.0.0/4 or ff00::/8)");
    check("example.org", "`example.org` is not a group");
    check("224.0.0.1", "224.0.0.0/24 (RFC 5771 section 4) is for link control");
    check("224.0.0.255", "224.0.0.0/24 (RFC 5771 section 4) is for link control");
    check("223.255.255.255+1", "223.255.255.255 is not a multicast group");
    check("[ff02::1]:5000", "ff02::/120 (RFC 4291 section 2.7.1) is for link control");
    check("[fe80::1]:5000", "fe80::1 is not a multicast group");
    check("239.255.255.255+5", "6 groups from 239.255.255.255 leave the multicast addresses");
    check("239.1.1.1+65536", "`+65536` is not a number of further groups");
    check("239.1.1.1:0", "`0` is not a port from 1 to 65535");
    check("239.1.1.1:65536", "`65536` is not a port from 1 to 65535");
    check(
        "127.0.0.1@[ff35::1]:1",
        "source 127.0.0.1 and group ff35::1 are not of one address family",
    );
}

#[test]
fn numbers_out_of_range() {
    let rate = |rate, reason| check_value("--rate", rate, reason);
    rate("0", "nothing would be sent");
    rate("-5", "it is negative");
    rate("fast", "it does not start with a digit");
    rate("2G", "the most is 1G datagrams a second");
    rate("5parsecs", "`parsecs` is not a unit of rates");
    let size = |size| {
        let hint = "hint: --size is from 18 to 65507";
        check(
            &format!("run -s {size}"),
            2,
            &format!("error: a datagram cannot carry {size} bytes\n{hint}"),
        );
    };
    size("17");
    size("65508");
    size("70000000000");
    check_value("--size", "big", "`big` is not a size");
    check_value("--time", "5y", "`y` is not a unit of time");
    check_value("--time", "-1", "it is negative");
    check_value("--time", "99999999999w", "the most is 584 years");
    check_value("--port", "0", "0 is not in 1..=65535");
    check_value("--port", "65536", "65536 is not in 1..=65535");
    check_value("--ttl", "256", "256 is not in 0..=255");
    check_value("--dscp", "64", "64 is not in 0..64");
    check_value("--threads", "0", "0 is not in 1..=65535");
    check_value("--batch", "0", "0 is not in 1..=1024");
    check_value("--batch", "1025", "1025 is not in 1..=1024");
    check_value("--loop", "maybe", "it is either on or off");
    check_value("--cpu", "3-2", "`3-2` is not a range of cores below 1024");
    check_value("--cpu", "9999", "`9999` is not a range of cores below 1024");
    check_value("--start-at", "noon", "times look like `2026-01-31T12:00:00Z`");
    check_value("--fail-if", "loss>=0", "`>=` is neither `>` nor `<`");
    check_value("--fail-if", "jitter>0", "`jitter` is nothing that is measured");
    check_value("--report", "xml", "these are: human, json, jsonl, csv, hdr, hlog, html");
    check_value("--report", "json:", "`json:` names no file");
}

#[test]
fn values_that_the_trial_cannot_have() {
    check("run -c 0", 2, "error: --count 0 is no datagram at all\nhint: leave it out for no limit");
    check(
        "run --burst 0",
        2,
        "error: a burst of 0 datagrams\nhint: --burst is from 1 to 1,000,000",
    );
    check(
        "run --rcvbuf 0",
        2,
        "error: a receive buffer of 0 bytes\nhint: --rcvbuf is from 1 to 1073741823",
    );
    check(
        "run --rcvbuf 4GiB",
        2,
        "error: a receive buffer of 4294967296 bytes\nhint: --rcvbuf is from 1 to 1073741823",
    );
    check("run -i 1us", 2, "error: --interval 1us cannot be\nhint: --interval is from 10ms to 24h");
    check(
        "recv -i 25h",
        2,
        "error: --interval 90000s cannot be\nhint: --interval is from 10ms to 24h",
    );
    check(
        "run --loss-threshold 2w",
        2,
        "error: --loss-threshold 1209600s cannot be\nhint: --loss-threshold is from 0s to 24h",
    );
    check(
        "recv --idle-timeout 0",
        2,
        "error: --idle-timeout 0s cannot be\nhint: --idle-timeout is from 1ms to 24h",
    );
    let engines: Vec<_> = ENGINES.iter().map(|engine| engine.name()).collect();
    check(
        "run -e carrier-pigeon",
        2,
        &format!(
            "error: there is no engine `carrier-pigeon`\nhint: these are: {}, or auto",
            engines.join(", ")
        ),
    );
}

#[test]
fn combinations() {
    check(
        "run --loop off",
        2,
        "error: `run` cannot hear itself with --loop off\n\
         hint: leave --loop on, or use `send` here and `recv` on another host",
    );
    check(
        "send --rate max --burst 10",
        2,
        "error: --rate max leaves no pause between bursts\nhint: give a rate, or no --burst",
    );
    check(
        "recv -P 2",
        2,
        "error: 2 receiver threads for 1 group\n\
         hint: the kernel gives every socket every datagram of its groups, so each thread needs groups of its own",
    );
    for verb in ["send", "recv"] {
        check(
            &format!("{verb} -e memory"),
            2,
            "error: engine `memory` reaches no other process\nhint: use it with `run`",
        );
    }
    check(
        "send -g 127.0.0.1@232.1.1.1 -g 127.0.0.2@232.1.1.2",
        2,
        "error: 127.0.0.1@232.1.1.1:5777 and 127.0.0.2@232.1.1.2:5777 cannot be sent to by one sender: their \
         source addresses differ\nhint: start one `send` for each source",
    );
    check(
        "run -g 239.1.1.1+3 -g 239.1.1.2",
        2,
        "error: group 239.1.1.2:5777 is named twice; name it once",
    );
    check(
        "send -g 239.0.0.0+65535 -P 2",
        2,
        "error: 65536 groups from 2 threads are 131072 streams, and one sender can number 65536",
    );
}

#[test]
fn limits_that_the_verb_cannot_measure() {
    for limit in ["loss>0", "p99>1ms", "max>1ms", "reordered>1%", "duplicates>0", "corrupt>0"] {
        let quantity = limit.split('>').next().unwrap();
        check(
            &format!("send --fail-if {limit}"),
            2,
            &format!(
                "error: `send` cannot hold to --fail-if '{limit}': it does not measure {quantity}\n\
                 hint: give it to `recv`, or to `run`"
            ),
        );
    }
    for (limit, quantity) in
        [("offered<99%", "offered"), ("refused>0", "refused"), ("late-p99>1ms", "late-p99")]
    {
        check(
            &format!("recv --fail-if loss>0 --fail-if {limit}"),
            2,
            &format!(
                "error: `recv` cannot hold to --fail-if '{limit}': it does not measure {quantity}\n\
                 hint: give it to `send`, or to `run`"
            ),
        );
    }
}

#[test]
fn reports_that_would_mix() {
    let mix =
        "error: two reports on standard output would mix\nhint: give one of them a file: --report";
    check("run --report json --report csv", 2, &format!("{mix} csv:PATH"));
    check("run -J --report hdr:-", 2, &format!("{mix} json:PATH"));
    check(
        "run --report json:a --report csv:./a",
        2,
        "error: two reports would both be written to ./a\nhint: give each of them its own file",
    );
}

#[test]
fn reports_that_cannot_be_written() {
    let bench = Bench::new();
    check_in(
        &bench,
        &["run", "--report", "csv:fine.csv", "--report", "json:no/such/dir/x.json"],
        1,
        "error: cannot write report to no/such/dir/x.json: No such file or directory (os error 2)\n\
         hint: the directory must be there before the trial: mkdir -p no/such/dir",
    );
    std::fs::create_dir(bench.cwd.join("dir")).unwrap();
    check_in(
        &bench,
        &["run", "--report", "json:dir"],
        1,
        "error: cannot write report to dir: is a directory\nhint: name a file in it: dir/run.json",
    );
    check_in(
        &bench,
        &["run", "--report", "json:/proc/x"],
        1,
        "error: cannot write report to /proc/x: No such file or directory (os error 2)\n\
         hint: choose a file in a directory that you may write to",
    );
}

#[test]
fn a_ready_file_that_cannot_be_written() {
    let port = port();
    check_in(
        &Bench::new(),
        &["run", "-q", "-p", &port, "--report", "jsonl:x", "--ready-file", "no/dir/ready"],
        1,
        "error: cannot write the ready file no/dir/ready: No such file or directory (os error 2)",
    );
}

#[test]
fn a_start_that_has_passed() {
    check(
        "run --start-at 2020-01-01T00:00:00Z",
        1,
        "error: --start-at 2020-01-01T00:00:00Z has passed\n\
         hint: give the launcher more time, or look at the clock of this host",
    );
}

#[test]
fn a_core_that_is_not_there() {
    let ran = Bench::new().run(&["run", "--cpu", "0,1023"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    let mut lines = ran.stderr.lines();
    assert_eq!(lines.next(), Some("error: core 1023 is not there for this process"));
    assert!(lines.next().unwrap().starts_with("hint: it may run on "), "{}", ran.stderr);
    assert_eq!(lines.next(), None);
}

#[test]
fn an_interface_that_does_not_exist() {
    for name in ["nosuch0", "4000000000", "192.0.2.77", ""] {
        let ran = Bench::new().run(&["run", "-I", name]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
        let mut lines = ran.stderr.lines();
        let what = format!("error: no interface has the name, index or address `{name}`");
        assert_eq!(lines.next(), Some(what.as_str()));
        assert!(lines.next().unwrap().starts_with("hint: this host has "), "{}", ran.stderr);
        assert_eq!(lines.next(), None);
    }
}

#[test]
fn an_interface_of_the_environment() {
    let mut command = Command::new("env");
    command.args(["MCAST_BENCH_IFACE=nosuch0", env!("CARGO_BIN_EXE_mcast-bench"), "run"]);
    let ran = Bench::new().spawn(command).wait();
    assert!(
        ran.stderr.starts_with("error: no interface has the name, index or address `nosuch0`\n")
    );
    assert_eq!(ran.code, Some(1));
}

#[test]
fn an_interface_that_is_down() {
    // A new network namespace has a loopback interface that is down. It ends with the program in it.
    let namespace = ["--net", "--map-root-user"];
    let allowed = Command::new("unshare").args(namespace).arg("true").status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: this host allows no network namespace");
        assert!(std::env::var_os("CI").is_none(), "CI must run this");
        return;
    }
    let bench = Bench::new();
    for iface in [&["-I", "lo"][..], &[]] {
        let mut command = Command::new("unshare");
        command.args(namespace).args([env!("CARGO_BIN_EXE_mcast-bench"), "run"]).args(iface);
        let ran = bench.spawn(command).wait();
        assert_eq!(ran.stderr, "error: interface lo is down\nhint: ip link set lo up\n");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    }
}

#[test]
fn a_port_in_use() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    for verb in ["run", "recv"] {
        check(
            &format!("{verb} -q -p {port}"),
            1,
            &format!(
                "error: cannot listen on 239.255.77.77:{port}: Address already in use (os error 98)\n\
                 hint: another program has the port for itself: `ss -lunp` names it; or take another --port"
            ),
        );
    }
}

#[test]
fn hardware_timestamps_where_there_are_none() {
    check(
        "recv -q --timestamps hardware",
        1,
        "error: lo has no hardware timestamps for every datagram: its driver offers none on reception\n\
         hint: --timestamps kernel does without",
    );
    check(
        "run -q --timestamps hardware",
        1,
        "error: `run` has no hardware timestamps: it hears itself through the kernel, not through a network card\n\
         hint: use `send` on another host and `recv --timestamps hardware` here",
    );
    check_value("--timestamps", "best", "they are auto, kernel or hardware");
}

#[test]
fn a_source_that_is_not_ours() {
    check(
        "send -q -g 192.0.2.1@232.1.1.1",
        1,
        "error: cannot send from 192.0.2.1: Cannot assign requested address (os error 99)\n\
         hint: the source of a group that is sent to must be an address of this host",
    );
}

#[test]
fn long_soaks() {
    check(
        "run --rotate 1h --report json:x.json",
        2,
        "error: --rotate has no file that grows while the trial runs\nhint: these do: --report jsonl:PATH, csv:PATH, hlog:PATH",
    );
    check(
        "run --rotate 1h --report jsonl:/dev/null",
        2,
        "error: --rotate cannot rename /dev/null: it is no file\nhint: name a file in a directory that you may write to",
    );
    check_value("--rotate", "5", "`5` has no unit; files are full at `100MB` or after `1h`");
    check(
        "recv --state x --receivers 2",
        2,
        "error: --state is of one receiver, and --receivers asks for several\nhint: start one program for each",
    );
    check(
        "recv --state x --interval 0",
        2,
        "error: --state has nothing to tell without intervals\nhint: --interval says how often they are renewed; --quiet prints no lines",
    );
}
