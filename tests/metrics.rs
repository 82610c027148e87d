//! Metrics: what is scraped is what the relay did, whatever else knocks at the port; and a real Prometheus takes it,
//! with every query of the dashboard and of the alarms.
#![allow(clippy::unwrap_used)] // Clippy takes only functions with #[test] for tests.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::Action::{Double, Drop};
use crate::lab::{self, Child, DEVICE, Host, Lab, Plan, every, json, with_privileges};

const PORT: u16 = 9464;
/// A load of two thousand datagrams, and metrics that are there until the test has seen them.
const SEND: &str = "send -r 2k -s 200 -c 6000 --metrics 0.0.0.0:9464 --metrics-linger 10m";
const RECV: &str =
    "recv -i 100ms --loss-threshold 200ms --metrics 0.0.0.0:9464 --metrics-linger 10m";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");

#[test]
fn what_is_scraped_is_what_the_relay_did() {
    with_privileges(|| {
        let plan = Plan::seeded(1).on(every(10), Drop).on(every(97), Double);
        let mut bed = Bed::new(plan);
        let receiver = bed.receiver();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let host = bed.lab.receiver();
        // Somebody hangs in the middle of a request, somebody sends anything but one, all the time.
        let hanging: Vec<_> = (0..20)
            .map(|_| {
                let mut stream = host.run(|| TcpStream::connect(address)).unwrap();
                stream.write_all(b"GET /metr").unwrap();
                stream
            })
            .collect();
        let mut sender = Child::spawn(&mut command(bed.lab.sender(), SEND));
        wait_until(|| {
            let mut garbage = host.run(|| TcpStream::connect(address)).unwrap();
            // It may have been refused before all of it was written.
            let _ = garbage.write_all(&[0x16; 3000]);
            scrape(host, address).contains_key("mcast_bench_trial_valid")
        });
        let metrics = scrape(host, address);
        let sent = scrape(host, SocketAddr::from((bed.lab.sender().v4(), PORT)));
        drop(hanging);
        let (report, sent_report) = (finish(receiver), {
            sender.interrupt();
            json(&sender.finish(PATIENCE))
        });
        bed.lab.relay().settle();
        let counts = bed.lab.relay().counts();

        let sum = |name: &str| {
            let name = format!("mcast_bench_{name}");
            let of =
                |(key, value): (&String, &f64)| (key.split('{').next()? == name).then_some(*value);
            let values: Vec<f64> = metrics.iter().filter_map(of).collect();
            assert!(!values.is_empty(), "no {name} in {metrics:?}");
            values.iter().sum::<f64>() as u64
        };
        assert!(counts.dropped > 0 && counts.doubled > 0, "{counts:?}");
        assert_eq!(sum("unique_datagrams_total"), counts.data_in - counts.dropped);
        assert_eq!(sum("duplicate_datagrams_total"), counts.doubled);
        let net = |name: &str| {
            sum(&format!("{name}_datagrams_total"))
                - sum(&format!("{name}_taken_back_datagrams_total"))
        };
        assert_eq!((net("lost"), net("lost_by_place")), (counts.dropped, counts.dropped));
        let delays = sum("one_way_delay_seconds_count") + sum("negative_delay_datagrams_total");
        assert_eq!(delays, counts.data_in - counts.dropped);
        let valid = f64::from(u8::from(report["valid"] == true));
        assert_eq!(metrics["mcast_bench_trial_valid"], valid);
        let group = "source=\"10.99.1.1\",group=\"239.255.77.77:5777\",stream=\"0\"";
        let received = metrics[&format!("mcast_bench_received_datagrams_total{{{group}}}")];
        assert_eq!(Some(received as u64), report["totals"]["received"].as_u64());
        assert_eq!(sent["mcast_bench_offered_datagrams_total"] as u64, counts.data_in);
        assert_eq!(sent_report["sender"]["offered"].as_u64(), Some(counts.data_in));
    });
}

#[test]
fn prometheus_takes_it_and_answers_every_query() {
    let needed = ["prometheus", "promtool"];
    if is_skipped("metrics::prometheus_takes_it_and_answers_every_query", &needed) {
        return;
    }
    with_privileges(|| {
        let bed = Bed::new(Plan::seeded(1).on(every(10), Drop));
        let mut prometheus = bed.prometheus();
        let count = |query: &str| bed.query(query).as_array().unwrap().len();
        let receiver = bed.receiver();
        // It must have seen the counters at zero.
        wait_until(|| count("mcast_bench_trial_running == 1") == 1);
        let mut sender = Child::spawn(&mut command(bed.lab.sender(), SEND));
        wait_until(|| count("mcast_bench_trial_valid") == 2);

        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        check_metrics(&get(bed.lab.receiver(), address, "/metrics"));
        for query in dashboard_queries().iter().chain(&["up == 1".into()]) {
            assert!(count(query) > 0, "nothing comes of {query}");
        }
        let alarms = bed.api("/api/v1/rules")["groups"][0]["rules"].clone();
        let alarms = alarms.as_array().unwrap();
        assert_eq!(
            alarms.len(),
            fs::read_to_string(script("prometheus/alerts.yml"))
                .unwrap()
                .matches("- alert:")
                .count()
        );
        for alarm in alarms {
            // `err` once it was evaluated and failed.
            assert_ne!(alarm["health"], "err", "{alarm}");
            bed.query(alarm["query"].as_str().unwrap());
        }
        let loss = alarms.iter().find(|alarm| alarm["name"] == "McastBenchLoss").unwrap();
        assert_eq!(count(loss["query"].as_str().unwrap()), 1, "{loss}");
        sender.interrupt();
        sender.finish(PATIENCE);
        finish(receiver);
        prometheus.signal(libc::SIGTERM);
        prometheus.finish(PATIENCE);
    });
}

/// What is to make them ring, and what is not, stands beside this file.
#[test]
fn alarms_ring_when_they_should() {
    if is_skipped("metrics::alarms_ring_when_they_should", &["promtool"]) {
        return;
    }
    let expected = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/metrics/alerts.yml");
    let output = Command::new("promtool").args(["test", "rules", expected]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Two hosts, and a directory for what Prometheus stores.
struct Bed {
    lab: Lab,
    directory: PathBuf,
}

impl Bed {
    fn new(plan: Plan) -> Self {
        let lab = Lab::two_hosts(plan);
        let name =
            format!("mcast-bench-metrics-{}-{:?}", std::process::id(), thread::current().id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        Self { lab, directory }
    }

    /// A receiver that has joined.
    fn receiver(&self) -> Child {
        let ready = self.directory.join("ready");
        let mut receiver = command(self.lab.receiver(), RECV);
        let mut receiver = Child::spawn(receiver.arg("--ready-file").arg(&ready));
        receiver.wait_for_file(&ready, PATIENCE);
        receiver
    }

    /// Debian's own, on the receiver's host, with our alarms.
    fn prometheus(&self) -> Child {
        let config = fs::read_to_string(script("prometheus/prometheus.yml")).unwrap();
        let sender = format!("127.0.0.1:{PORT}, {}:{PORT}", self.lab.sender().v4());
        let config = config
            .replace("interval: 5s", "interval: 200ms")
            .replace("alerts.yml", &script("prometheus/alerts.yml").display().to_string())
            .replace("127.0.0.1:9464", &sender);
        let path = self.directory.join("prometheus.yml");
        fs::write(&path, config).unwrap();
        let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let mut command = self.lab.receiver().command("prometheus");
        command.args([
            flag("config.file", &path),
            flag("storage.tsdb.path", &self.directory.join("tsdb")),
            "--web.listen-address=127.0.0.1:9090".into(),
            "--log.level=error".into(),
        ]);
        let mut prometheus = Child::spawn(&mut command);
        wait_until(|| {
            assert!(prometheus.is_running(), "prometheus has ended");
            let host = self.lab.receiver();
            host.run(|| TcpStream::connect(PROMETHEUS)).is_ok()
                && get(host, PROMETHEUS.parse().unwrap(), "/-/ready").contains("is Ready")
        });
        prometheus
    }

    /// What an instant query finds.
    fn query(&self, query: &str) -> Value {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        self.api(&format!("/api/v1/query?query={encoded}"))["result"].clone()
    }

    fn api(&self, path: &str) -> Value {
        let text = get(self.lab.receiver(), PROMETHEUS.parse().unwrap(), path);
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {text}");
        answer["data"].clone()
    }
}

impl std::ops::Drop for Bed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

const PROMETHEUS: &str = "127.0.0.1:9090";

fn script(path: &str) -> PathBuf {
    Path::new(SCRIPTS).join(path)
}

fn command(host: &Host, words: &str) -> Command {
    let mut command = host.command(lab::tool());
    command.args(words.split(' ')).args(["-J", "-q", "-I", DEVICE]);
    command
}

/// Ends the wait after the trial.
fn finish(mut child: Child) -> Value {
    child.interrupt();
    json(&child.finish(PATIENCE))
}

/// Values by name and labels.
fn scrape(host: &Host, address: SocketAddr) -> BTreeMap<String, f64> {
    let page = get(host, address, "/metrics");
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

/// The body of what is there.
fn get(host: &Host, address: SocketAddr, path: &str) -> String {
    let mut stream = host.run(|| TcpStream::connect(address)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.into()
}

/// As Grafana would ask them, of all instances.
fn dashboard_queries() -> Vec<String> {
    let text = fs::read_to_string(script("grafana/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries: Vec<_> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .map(|query| {
            let query = query.replace("$instance", ".*").replace("$__rate_interval", "1m");
            let query = query.replace("$__range", "1m");
            assert!(!query.contains('$'), "{query}");
            query
        })
        .collect();
    assert!(queries.len() > 20, "{queries:?}");
    queries
}

/// Names, types and help as the conventions want them.
fn check_metrics(page: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{complaint}\n{page}");
}

/// Whether a test must be, because a program is missing; says so.
fn is_skipped(test: &str, needed: &[&str]) -> bool {
    let missing = needed.iter().find(|program| !is_there(program));
    if let Some(missing) = missing {
        // Not eprintln!, which the test harness hides while tests pass.
        let _ = writeln!(io::stderr(), "SKIPPED: {test}: no `{missing}` here");
    }
    missing.is_some()
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain");
        thread::sleep(Duration::from_millis(50));
    }
}
