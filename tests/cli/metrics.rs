//! `--metrics` from outside: what is refused, and how the wait after the trial ends.

use super::refusals::{check, check_value};
use super::{Bench, DEADLINE, port};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

#[test]
fn addresses() {
    for value in ["localhost:9464", "9464x", "127.0.0.1", ""] {
        check_value("--metrics", value, "it looks like `9464`");
    }
}

#[test]
fn what_there_is_nothing_to_tell_of() {
    check(
        "run --metrics 9464 -i 0",
        2,
        "error: --metrics has nothing to tell without intervals\n\
         hint: --interval says how often they are renewed; --quiet prints no lines",
    );
    check(
        "recv --metrics 9464 --receivers 2",
        2,
        "error: --metrics is of one receiver, and --receivers asks for several\n\
         hint: start one program for each",
    );
    check(
        "send --metrics-linger 1s",
        2,
        "error: --metrics-linger has nothing to serve\nhint: --metrics says where",
    );
}

#[test]
fn a_port_in_use_is_found_before_anything_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    check(
        &format!("run --report json:out.json --ready-file ready --metrics {port}"),
        1,
        &format!(
            "error: cannot serve metrics at 127.0.0.1:{port}: Address already in use (os error 98)\n\
             hint: --metrics takes another port, or the address of an interface"
        ),
    );
}

#[test]
fn an_interruption_ends_the_wait_after_the_trial() {
    let bench = Bench::new();
    let port = port();
    let words = format!("run -p {port} -c 100 -r 1k -J --metrics 0 --metrics-linger 10m");
    let running = bench.start(&words.split(' ').collect::<Vec<_>>());
    running.wait_until("the report is there", |_| running.has_reported());
    running.signal("INT");
    let ran = running.wait();
    assert_eq!(ran.fine()["interrupted"], false);
    assert!(ran.stderr.starts_with("metrics: http://127.0.0.1:"), "{}", ran.stderr);
}

/// A scrape is answered at once, however long the start is away.
#[test]
fn a_trial_that_waits_for_its_start_says_so() {
    let bench = Bench::new();
    let start = "2100-01-01T00:00:00Z";
    let port = port();
    let args = ["run", "-p", &port, "-J", "--metrics", "0", "--ready-file", "ready"];
    let running = bench.start(&[&args[..], &["--start-at", start]].concat());
    bench.wait_for("ready");
    let said = fs::read_to_string(&running.stderr).unwrap();
    let address = said.strip_prefix("metrics: http://").unwrap();
    let mut scrape = TcpStream::connect(address.split_once('/').unwrap().0).unwrap();
    scrape.set_read_timeout(Some(DEADLINE)).unwrap();
    scrape.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut page = String::new();
    scrape.read_to_string(&mut page).unwrap();
    for line in [
        "mcast_bench_build_info{",
        "mcast_bench_trial_waiting 1\n",
        "mcast_bench_trial_running 0\n",
        "mcast_bench_trial_start_time_seconds 4102444800\n",
        "mcast_bench_offered_datagrams_total 0\n",
        "mcast_bench_foreign_datagrams_total 0\n",
    ] {
        assert!(page.contains(line), "no {line} in\n{page}");
    }
    running.signal("INT");
    assert_eq!(running.wait().code, Some(130));
}
