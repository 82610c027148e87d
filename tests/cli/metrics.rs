//! `--metrics` from outside: what is refused, and how the wait after the trial ends.

use super::refusals::{check, check_value};
use super::{Bench, port};
use std::net::TcpListener;

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
