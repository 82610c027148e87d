//! What those who watch cost those who work: whole trials on the memory engine, as fast as possible, alone and watched by
//! the live view and the Prometheus endpoint together.
//!
//! Two per cent shall be told apart on machines that vary by more than that from one second to the next. So trials are
//! taken in pairs, one alone and one watched right after each other, in turn this or that first; criterion gets the two
//! halves of the same pairs as two benchmarks of one group, and what is printed last is the median of the differences
//! within the pairs. Two times a datagram are taken of each trial:
//!
//! - `elapsed`: from the start to the end of the load. Also what watchers take away from a worker by running on its core.
//! - `worker_cpu`: what sender and receiver together spent on their cores (`/proc/PID/task/TID/schedstat`, from the kernel's
//!   Documentation/scheduler/sched-stats.rst). Nothing of what others do on this machine, but for the caches.
//!
//! All is as it is for a user: threads and cores are those of a trial, the view draws a frame a second into a terminal
//! that script(1) makes, the endpoint is scraped once a second over loopback. Without script(1) nothing is measured.
#![allow(missing_docs, clippy::print_stdout)] // criterion's macros make public items; what it measured is printed.

use criterion::{Bencher, Criterion, SamplingMode, Throughput, criterion_group};
use mcast_bench::live::Fanout;
use mcast_bench::live::prometheus::Prometheus;
use mcast_bench::live::tui::Tui;
use mcast_bench::model::group::{GroupSpec, expand_all};
use mcast_bench::model::spec::{Bind, Load, Pace, Role, StopWhen, Timestamps, Timing, TrialSpec};
use mcast_bench::trial::{LocalRunner, TrialRunner};
use mcast_bench::units::Nanos;
use mcast_bench::units::rate::Rate;
use mcast_bench::units::size_mix::SizeMix;
use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Pairs of trials that are taken; the first warms up and is not counted.
const PAIRS: usize = 30;
/// Of one trial.
const LENGTH: Nanos = Nanos(2 * Nanos::SECOND.0);
/// An interval, a frame and a scrape each take so long, as by default.
const EVERY: Nanos = Nanos::SECOND;
/// What workers have spent is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Datagrams that criterion takes for one iteration: so many milliseconds of it are so many nanoseconds a datagram.
const ITERATION: u64 = 1_000_000;
/// Set in the half of this program that has a terminal.
const HAS_TERMINAL: &str = "MCAST_BENCH_WATCHERS_HAS_TERMINAL";

criterion_group!(benches, watchers);

fn main() {
    if env::var_os(HAS_TERMINAL).is_none() {
        return on_a_terminal();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}

/// Carries this program out on a terminal of 120 columns. Its results go where those of this process go; what it draws,
/// and what else it says, is shown if it fails.
fn on_a_terminal() {
    let (mut results, sink) = io::pipe().expect("a pipe");
    let quoted = |word: String| format!("'{}'", word.replace('\'', r"'\''"));
    let command: Vec<_> = env::args().map(quoted).collect();
    let out = format!("/proc/{}/fd/{}", std::process::id(), sink.as_raw_fd());
    let command = format!("stty cols 120 rows 40; exec {} >{out}", command.join(" "));
    let child = Command::new("script")
        .args(["-q", "-e", "-f", "-c", &command, "/dev/null"])
        .env(HAS_TERMINAL, "yes")
        // Held open: script(1) ends where its input ends.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return println!("SKIPPED: watchers: cannot run script(1): {error}"),
    };
    let show = thread::spawn(move || io::copy(&mut results, &mut io::stdout()));
    let mut drawn = vec![];
    let read = child.stdout.as_mut().expect("it is a pipe").read_to_end(&mut drawn);
    let status = child.wait().expect("it is a child of this process");
    drop(sink);
    show.join().expect("it does not panic").expect("standard output takes it");
    let said = String::from_utf8_lossy(&drawn);
    assert!(read.is_ok() && status.success(), "{status}: {said}");
}

fn watchers(criterion: &mut Criterion) {
    println!("{PAIRS} pairs of trials of {LENGTH}, which takes some minutes");
    let mut pairs = Pairs::default();
    for measure in [Measure::Elapsed, Measure::WorkerCpu] {
        let mut group = criterion.benchmark_group(format!("watchers_{}", measure.name()));
        group.throughput(Throughput::Elements(ITERATION));
        // A sample is a trial however long criterion wants it to be; none is taken to warm up but the first.
        group.sample_size(PAIRS).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_nanos(1));
        for is_watched in [false, true] {
            let name = if is_watched { "watched" } else { "alone" };
            let mut at = 0;
            group.bench_function(name, |bencher: &mut Bencher<'_>| {
                bencher.iter_custom(|iterations| {
                    let nanos = measure.of(&pairs.at(at)[usize::from(is_watched)]);
                    at += 1;
                    Duration::from_nanos((nanos * ITERATION as f64) as u64) * iterations as u32
                });
            });
        }
        group.finish();
        pairs.print(measure);
    }
}

/// What a trial took a datagram, in nanoseconds.
struct Cost {
    elapsed: f64,
    worker_cpu: f64,
}

#[derive(Clone, Copy)]
enum Measure {
    Elapsed,
    WorkerCpu,
}

impl Measure {
    fn name(self) -> &'static str {
        match self {
            Self::Elapsed => "elapsed",
            Self::WorkerCpu => "worker_cpu",
        }
    }

    fn of(self, cost: &Cost) -> f64 {
        match self {
            Self::Elapsed => cost.elapsed,
            Self::WorkerCpu => cost.worker_cpu,
        }
    }
}

/// Trials alone and watched, in pairs.
#[derive(Default)]
struct Pairs(Vec<[Cost; 2]>);

impl Pairs {
    /// The pair of a number, carried out if it was not yet.
    fn at(&mut self, number: usize) -> &[Cost; 2] {
        while self.0.len() <= number {
            let pair = if self.0.len().is_multiple_of(2) {
                [trial(false), trial(true)]
            } else {
                let watched = trial(true);
                [trial(false), watched]
            };
            self.0.push(pair);
        }
        &self.0[number]
    }

    /// By how much a watched trial took longer than that alone beside it: the median, and where half of the pairs are.
    fn print(&self, measure: Measure) {
        let more = |[alone, watched]: &[Cost; 2]| measure.of(watched) / measure.of(alone) - 1.0;
        let mut more: Vec<_> = self.0.iter().skip(1).map(more).collect();
        more.sort_by(f64::total_cmp);
        if !more.is_empty() {
            let [low, median, high] = [1, 2, 3].map(|n| 100.0 * more[(more.len() - 1) * n / 4]);
            let (name, pairs) = (measure.name(), more.len());
            println!(
                "watched against alone, {name}: {median:+.2} % (quartiles {low:+.2} % and {high:+.2} % of {pairs} pairs)"
            );
        }
    }
}

/// Carries out a trial.
fn trial(is_watched: bool) -> Cost {
    let spec = spec();
    let meter = Meter::start();
    let mut runner = LocalRunner { interrupt: Arc::default(), ready: Box::new(|| Ok(())) };
    let report = if is_watched {
        let mut view = Tui::open(EVERY, true, Arc::default()).expect("script(1) made a terminal");
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut metrics = Prometheus::listen(here, &spec).expect("a free port");
        let scraper = Scraper::start(metrics.address());
        let mut fanout = Fanout(vec![&mut view, &mut metrics]);
        let report = runner.run(&spec, &mut fanout);
        assert!(scraper.end() >= LENGTH.0 / EVERY.0, "it was not scraped");
        report
    } else {
        runner.run(&spec, &mut Fanout::default())
    };
    let sender = report.expect("memory is always there").sender.expect("it sent");
    let worker_cpu = meter.end() as f64 / sender.counts.offered as f64;
    Cost { elapsed: 1e9 / sender.offered_load_pps, worker_cpu }
}

/// What `run --engine memory --rate max --size 64` is, and two seconds of it.
fn spec() -> TrialSpec {
    let group: GroupSpec = "239.255.77.77".parse().expect("a group");
    TrialSpec {
        role: Role::Run,
        groups: expand_all(&[group], 5777).expect("a group"),
        interface: 0,
        further_interfaces: vec![],
        bind: Some(Bind::Group),
        source_port: None,
        load: Some(Load {
            rate: Some(Rate::Max),
            schedule: Timing::Constant,
            sizes: SizeMix::of_one(64),
            burst_len: 1,
            payload_checksum: false,
            pace: Pace::Auto,
            catch_up: false,
        }),
        flows: vec![],
        stop: StopWhen { time_ns: Some(LENGTH), count: None, with_senders: true },
        ttl: 1,
        loopback: true,
        dscp: 0,
        sender_threads: 1,
        receiver_threads: 1,
        cpus: vec![],
        engine: "memory".into(),
        engine_reason: None,
        batch: 64,
        receive_buffer: 0,
        timestamps: Timestamps::Kernel,
        interval_ns: EVERY,
        loss_threshold_ns: Nanos(300 * Nanos::MILLISECOND.0),
        idle_timeout_ns: Nanos(10 * Nanos::SECOND.0),
        loss_distance: 99,
        reorder_density: None,
        media_rate_bps: None,
        variation: true,
        spin: false,
        busy_poll_us: None,
        realtime: false,
        lock_memory: false,
        start_at_ns: None,
    }
}

/// Looks again and again what the workers have spent. Before they end they do nothing for longer than from one look to the
/// next: they announce the end, and wait for stragglers.
struct Meter {
    stop: Sender<()>,
    thread: JoinHandle<[u64; 2]>,
}

impl Meter {
    fn start() -> Self {
        let (stop, stopped) = channel();
        let thread = thread::spawn(move || {
            let mut workers = ["sender-0\n", "receiver-0\n"].map(|name| (name, None, 0));
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                for (name, task, nanos) in &mut workers {
                    *task = task.take().or_else(|| task_of(name));
                    *nanos = task.as_deref().and_then(spent).unwrap_or(*nanos);
                }
            }
            workers.map(|(_, _, nanos)| nanos)
        });
        Self { stop, thread }
    }

    /// Nanoseconds on the cores, of all workers.
    fn end(self) -> u64 {
        drop(self.stop);
        self.thread.join().expect("it does not panic").iter().sum()
    }
}

/// Where the kernel tells of the thread of this name.
fn task_of(name: &str) -> Option<PathBuf> {
    let mut tasks = fs::read_dir("/proc/self/task").ok()?.flatten().map(|task| task.path());
    let has_name =
        |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|it| it == name);
    tasks.find(has_name)
}

/// Nanoseconds that a thread has spent on cores; `None` when it has ended.
fn spent(task: &Path) -> Option<u64> {
    fs::read_to_string(task.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
}

/// Asks for metrics again and again until it is told to end.
struct Scraper {
    stop: Sender<()>,
    thread: JoinHandle<u64>,
}

impl Scraper {
    fn start(address: SocketAddr) -> Self {
        let (stop, stopped) = channel();
        let every = Duration::from(EVERY);
        let thread = thread::spawn(move || {
            let mut scraped = 0;
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                scraped += u64::from(scrape(address));
            }
            scraped
        });
        Self { stop, thread }
    }

    /// How often it got metrics.
    fn end(self) -> u64 {
        drop(self.stop);
        self.thread.join().expect("it does not panic")
    }
}

/// Whether metrics came.
fn scrape(address: SocketAddr) -> bool {
    let mut page = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        stream.read_to_string(&mut page)
    });
    asked.is_ok() && page.contains("200 OK") && page.contains("mcast_bench_")
}
