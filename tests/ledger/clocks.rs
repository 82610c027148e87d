//! Hosts whose clocks do not compare: what differs between delays may be told, and no delay itself.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use mcast_bench::sys::clock;
use mcast_bench::units::Nanos;
use mcast_bench::wire::announcement::{ANNOUNCEMENT_LEN, Conduct, SenderClock};
use mcast_bench::wire::probe::{Encoder, Kind as What};

use super::*;
use crate::lab::with_privileges;

const SECOND: u64 = 1_000_000_000;
/// How far the sender's clock is behind: a delay that is taken for an absolute one is longer.
const OFFSET: u64 = 3600 * SECOND;

/// Sends a datagram every two milliseconds for as long, due at what `clock` makes of the wall clock and the time
/// since the start. Returns how many.
fn send_by(host: &Host, length: Duration, clock: impl Fn(u64, u64) -> u64) -> u64 {
    let socket = host.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    socket.connect((GROUP, PORT)).unwrap();
    let encoder = Encoder::new(0xc10c, 0, false);
    let start = clock::realtime();
    let now = || {
        let wall = clock::realtime();
        Nanos(clock(wall.0, (wall - start).0))
    };
    let announce = |kind, offered| {
        let mut slot = [0; ANNOUNCEMENT_LEN];
        let told = (&SenderClock { host: 1, error: None }, &Conduct::default());
        encoder.announce(&mut slot, kind, offered, now(), told);
        socket.send(&slot).unwrap();
    };
    announce(What::Start, 0);
    let mut seq = 0;
    while clock::realtime() - start < Nanos::from(length) {
        let mut slot = [0; 100];
        encoder.encode(&mut slot, What::Data, seq, now(), Nanos(0));
        socket.send(&slot).unwrap();
        seq += 1;
        thread::sleep(Duration::from_millis(2));
    }
    announce(What::End, seq);
    seq
}

/// Half a millisecond a second, an hour behind: the skew is reported, and the hour is nowhere.
#[test]
fn without_a_common_clock_there_is_no_absolute_delay() {
    with_privileges(|| {
        let trial = Trial::over(Plan::clean());
        let formats = ["json", "jsonl", "csv", "human", "hdr", "hlog"];
        let path = |format: &str| trial.directory.join(format).display().to_string();
        let reports = formats.map(|format| format!("--report {format}:{}", path(format))).join(" ");
        let flags = format!("recv -q -I {DEVICE} -i 500ms {PROMPT} {reports} --fail-if p99>2h");
        let mut recv = trial.receiver().command(lab::tool());
        recv.args(flags.split_whitespace());
        let receiver = trial.ready(recv);
        let slow = |wall, since| wall - OFFSET - since / 2000;
        let sent = send_by(trial.sender(), Duration::from_millis(5500), slow);
        let output = receiver.finish(PATIENCE);
        // What was not measured does not hold, however high the bound.
        assert_eq!(output.status.code(), Some(3), "{output:?}");

        let read = |format: &str| fs::read_to_string(path(format)).unwrap();
        let report: Value = serde_json::from_str(&read("json")).unwrap();
        let relative = &report["relative_delay_ns"];
        assert_eq!((&report["one_way_delay_ns"], &relative["count"]), (&Value::Null, &sent.into()));
        assert_eq!(relative["clamped"], 0);
        assert!(relative["p50"].as_u64() < Some(SECOND / 10), "{relative}");
        let limits = report["limits"].as_array().unwrap();
        let [limit] = &limits[..] else { panic!("{limits:?}") };
        assert_eq!((&limit["measured"], &limit["held"]), (&Value::Null, &false.into()));
        let clock = &report["streams"][0]["clock"];
        assert_eq!((&clock["relation"], &clock["error_ns"]), (&"apart".into(), &Value::Null));
        assert_eq!(clock["steps"], 0);
        let skew = clock["skew_ppm"].as_f64().unwrap();
        assert!((400.0..600.0).contains(&skew), "{skew} ppm instead of 500");

        let human = read("human");
        assert!(human.contains("the clocks do not compare"), "{human}");
        assert!(!human.contains("One-way delay"), "{human}");
        check_csv(&read("csv"));
        for line in read("jsonl").lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let absolute = line.pointer("/receiver/one_way_delay_ns/count");
            assert!(absolute.is_none_or(|count| *count == 0), "{line}");
            assert!(line["one_way_delay_ns"].is_null(), "{line}");
        }
        check_hlog(&read("hlog"), sent);
        check_hdr(&read("hdr"), sent);
    });
}

/// No cell of an absolute delay is filled in, and the total has a relative one.
#[track_caller]
fn check_csv(text: &str) {
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let headers = table.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let filled = |prefix: &str| {
        let of = |row: &csv::StringRecord| {
            let cells = headers.iter().zip(row.iter());
            let cells = cells.filter(|(name, _)| name.starts_with(prefix) && name.ends_with("_ns"));
            cells.filter(|(_, cell)| !cell.is_empty()).count()
        };
        rows.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(filled("delay_"), vec![0; rows.len()], "{text}");
    assert_eq!(filled("relative_delay_").last(), Some(&7), "{text}");
}

#[track_caller]
fn check_hlog(log: &str, sent: u64) {
    let sum = |tag: &str| -> u64 {
        let tag = format!("Tag={tag},");
        let lines = log.lines().filter(|line| line.starts_with(&tag));
        let counts = lines.map(|line| {
            let bytes = BASE64_STANDARD.decode(line.rsplit(',').next().unwrap()).unwrap();
            let histogram: Histogram<u64> =
                Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            assert!(histogram.max() < SECOND / 10, "{line}");
            histogram.len()
        });
        counts.sum()
    };
    assert_eq!((sum("delay"), sum("relative-delay")), (0, sent), "{log}");
}

/// Its rows are microseconds, and it says that they are only relative.
#[track_caller]
fn check_hdr(distribution: &str, sent: u64) {
    let field = |line: &str, index: usize| line.split_whitespace().nth(index).unwrap().to_owned();
    let rows = distribution.lines().skip(2).filter(|line| !line.starts_with('#'));
    let last = rows.last().unwrap();
    assert_eq!(field(last, 2), sent.to_string(), "{distribution}");
    assert!(field(last, 0).parse::<f64>().unwrap() < 100_000.0, "{distribution}");
    assert!(distribution.contains("\n#[Relative delay, "), "{distribution}");
}

/// The sender's clock is set forward: to us it looks as if ours went back by as much.
#[test]
fn a_clock_that_is_set_is_noticed() {
    with_privileges(|| {
        let trial = Trial::over(Plan::clean());
        let receiver = trial.recv(PROMPT);
        let stepped =
            |wall, since| wall - OFFSET + if since > 5 * SECOND / 2 { SECOND / 20 } else { 0 };
        let sent = send_by(trial.sender(), Duration::from_millis(5500), stepped);
        let received = Report::of(receiver);
        assert_eq!(received.totals(), Counts::of(sent, sent));
        let clock = &received.json["streams"][0]["clock"];
        assert_eq!(clock["steps"], 1, "{clock}");
        assert!(received.warns_of("clocks_moved"), "{}", received.json);
        let step = clock["step_max_ns"].as_i64().unwrap();
        assert!((step + 50_000_000).abs() < 1_000_000, "{step} ns instead of -50 ms");
    });
}

/// Two kernels as far as the tool can tell: one host's boot has another name.
#[test]
fn another_boot_is_another_clock() {
    with_privileges(|| {
        let trial = Trial::over(Plan::clean());
        let receiver = trial.recv(PROMPT);
        let boot = trial.directory.join("boot_id");
        fs::write(&boot, "00000000-0000-0000-0000-000000000001\n").unwrap();
        let mut send = trial.sender().command("sh");
        let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
        send.args(["-c", script]).arg(&boot).arg(lab::tool());
        send.args(["send", "-J", "-q", "-I", DEVICE]).args(LOAD.split(' '));
        let sent = Report::of(Child::spawn(&mut send));
        let received = Report::of(receiver);
        assert_eq!(received.totals(), Counts::of(COUNT, COUNT));
        assert_eq!(sent.complaints(), [] as [&str; 0]);
        let clock = &received.row_of(&sent).clock;
        // Both hosts are this one, so its time service, if it has one, keeps both.
        match clock::max_error() {
            None => {
                assert_eq!(
                    (&clock["relation"], &clock["error_ns"]),
                    (&"apart".into(), &Value::Null)
                );
                assert!(received.json["one_way_delay_ns"].is_null(), "{}", received.json);
            }
            Some(_) => {
                assert_eq!(clock["relation"], "disciplined");
                assert!(clock["error_ns"].as_u64() > Some(0), "{clock}");
                let label = received.json["one_way_delay_ns"]["clock"].as_str().unwrap();
                assert!(label.starts_with("two hosts' CLOCK_REALTIME, both disciplined, ±"));
            }
        }
    });
}
