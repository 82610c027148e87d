//! What comes out while a trial runs adds up to what comes out at its end.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::*;
use crate::lab::Action::{Double, Drop, SwapWithNext};
use crate::lab::{ratio, with_privileges};

#[test]
fn intervals_of_every_format_add_up_to_the_totals() {
    with_privileges(|| {
        let plan = Plan::seeded(8)
            .on(ratio(0.05), Drop)
            .on(ratio(0.05), Double)
            .on(ratio(0.05), SwapWithNext);
        let mut trial = Trial::over(plan);
        let path = |format: &str| trial.directory.join(format).display().to_string();
        let reports = ["hlog", "csv", "jsonl", "json"];
        let reports = reports.map(|format| format!("--report {format}:{}", path(format))).join(" ");
        let mut recv = trial.receiver().command(lab::tool());
        recv.args(format!("recv -q -I {DEVICE} -i 100ms {PROMPT} {reports}").split_whitespace());
        let receiver = trial.ready(recv);
        // Before anything of ours is heard.
        let stranger = trial.sender().run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        stranger.send_to(b"hello", (GROUP, PORT)).unwrap();
        Report::of(trial.send(LOAD));
        assert_eq!(receiver.finish(PATIENCE).stdout, b"");
        let relay = trial.settled();

        let read = |format| fs::read_to_string(trial.directory.join(format)).unwrap();
        let report: Value = serde_json::from_str(&read("json")).unwrap();
        let totals = Counts::deserialize(&report["totals"]).unwrap();
        assert_eq!((totals.lost, totals.duplicates), (relay.dropped, relay.doubled));
        let columns = ["received", "unique", "duplicates", "reordered", "foreign", "lost"];
        let expected = columns.map(|column| report["totals"][column].as_i64().unwrap());
        assert!(expected.iter().all(|count| *count > 0), "{expected:?}");

        assert_eq!(sum_of_csv(&read("csv"), columns), expected);
        let lines = read("jsonl");
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let intervals: Vec<_> = lines.iter().filter(|line| line["type"] == "interval").collect();
        let sums: [i64; _] = columns.map(|column| {
            intervals.iter().map(|line| line["receiver"][column].as_i64().unwrap()).sum()
        });
        assert_eq!(sums, expected);
        let last = lines.last().unwrap();
        assert_eq!((&last["type"], &last["totals"]), (&"report".into(), &report["totals"]));
        let histograms = histograms_of(&read("hlog"));
        assert!(histograms.len() > 2 && histograms.len() == intervals.len());
        let all: u64 = histograms.iter().map(Histogram::len).sum();
        assert_eq!(Some(all), report["one_way_delay_ns"]["count"].as_u64());
        assert_eq!(all, totals.unique);
    });
}

#[test]
fn intervals_of_a_sender_add_up_to_what_it_offered() {
    with_privileges(|| {
        let trial = Trial::new(Lab::direct());
        for load in [LOAD, "-r 50Mpps -s 200 -t 250ms"] {
            let path = trial.directory.join("jsonl");
            let sent = Report::of(
                trial.send(&format!("{load} -i 100ms --report jsonl:{}", path.display())),
            );
            let lines = fs::read_to_string(&path).unwrap();
            let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let intervals: Vec<_> = lines.filter(|line| line["type"] == "interval").collect();
            for column in ["intended", "offered", "refused", "payload_bytes"] {
                let sum: u64 =
                    intervals.iter().map(|line| line["sender"][column].as_u64().unwrap()).sum();
                let expected = match column {
                    "payload_bytes" => 200 * sent.number("/sender/offered"),
                    "refused" => sent.refused(),
                    _ => sent.number(&format!("/sender/{column}")),
                };
                assert_eq!(sum, expected, "{column} of {load}");
            }
        }
    });
}

/// The rows of intervals, added up; the row of the whole says the same.
fn sum_of_csv<const N: usize>(text: &str, columns: [&str; N]) -> [i64; N] {
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let headers = table.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let sum = |kind: &str, column: &str| {
        let place = |name: &str| headers.iter().position(|header| header == name).unwrap();
        let of_kind = rows.iter().filter(|row| row[place("kind")] == *kind);
        of_kind.map(|row| row[place(column)].parse::<i64>().unwrap()).sum()
    };
    let sums = columns.map(|column| sum("interval", column));
    assert_eq!(sums, columns.map(|column| sum("total", column)));
    sums
}

fn histograms_of(log: &str) -> Vec<Histogram<u64>> {
    let lines = log.lines().filter(|line| line.starts_with("Tag=delay,"));
    let decoded = lines.map(|line| {
        let base64 = line.rsplit(',').next().unwrap();
        let bytes = BASE64_STANDARD.decode(base64).unwrap();
        Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap()
    });
    decoded.collect()
}

#[test]
fn memory_is_small_and_does_not_grow() {
    with_privileges(|| {
        let trial = Trial::new(Lab::direct());
        let mut run = trial.sender().command(lab::tool());
        let mut run = Child::spawn(run.args("run -q -J -r 100k -t 5s -I lo".split(' ')));
        let began = Instant::now();
        let mut peaks = Vec::new();
        while run.is_running() && began.elapsed() < PATIENCE {
            // One that is about to end has no memory any more.
            peaks.extend(peak_kib(run.pid()).map(|peak| (began.elapsed(), peak)));
            thread::sleep(Duration::from_millis(50));
        }
        Report::of(run);
        let until = |seconds| {
            let (_, peak) = peaks.iter().rfind(|(at, _)| at.as_secs_f64() < seconds).unwrap();
            *peak
        };
        let last = peaks.last().unwrap().1;
        assert!(last < 64 << 10, "{last} KiB");
        // Pages of memory taken at the start may be touched late; 250,000 datagrams would leave more. The report, which
        // takes memory of its own, is not written yet.
        let (early, late) = (until(2.0), until(4.5));
        assert!(late - early <= 1024, "from {early} KiB to {late} KiB");
    });
}
