//! Where and in what pattern datagrams were lost, by intervals, in every format: it adds up to the report.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::*;
use crate::lab::Action::{Double, Drop, SwapWithNext};
use crate::lab::{every, ratio, with_privileges};

/// Flags that have a trial write all formats that know intervals, which are short.
fn outputs(trial: &Trial, side: &str) -> String {
    let path =
        |format: &str| trial.directory.join(format!("{side}.{format}")).display().to_string();
    let reports = ["hlog", "csv", "jsonl"];
    let reports = reports.map(|format| format!("--report {format}:{}", path(format))).join(" ");
    format!("-i 100ms {reports}")
}

/// What such a trial has written.
struct Outputs {
    /// One object an interval.
    intervals: Vec<Value>,
    rows: Vec<BTreeMap<String, String>>,
    /// Values in all histograms of each tag.
    histograms: BTreeMap<String, u64>,
}

impl Outputs {
    fn of(trial: &Trial, side: &str) -> Self {
        let read = |format| fs::read_to_string(trial.directory.join(format!("{side}.{format}")));
        let lines = read("jsonl").unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let intervals = lines.filter(|line| line["type"] == "interval").collect();
        let table = read("csv").unwrap();
        let mut table = csv::Reader::from_reader(table.as_bytes());
        let rows = table.deserialize().map(Result::unwrap).collect();
        let mut histograms = BTreeMap::new();
        for line in read("hlog").unwrap().lines().filter_map(|line| line.strip_prefix("Tag=")) {
            let (tag, bytes) = (line.split(',').next().unwrap(), line.rsplit(',').next().unwrap());
            let bytes = BASE64_STANDARD.decode(bytes).unwrap();
            let all: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
            *histograms.entry(tag.to_owned()).or_default() += all.len();
        }
        Self { intervals, rows, histograms }
    }

    fn sum(&self, pointer: &str) -> i64 {
        self.intervals.iter().filter_map(|interval| interval.pointer(pointer)?.as_i64()).sum()
    }

    fn max(&self, pointer: &str) -> Option<i64> {
        self.intervals.iter().filter_map(|interval| interval.pointer(pointer)?.as_i64()).max()
    }

    /// Counters by name, added up.
    fn counters(&self, pointer: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for counters in self.intervals.iter().filter_map(|interval| interval.pointer(pointer)) {
            for (name, count) in counters.as_object().unwrap() {
                *sums.entry(name.clone()).or_default() += count.as_u64().unwrap();
            }
        }
        sums
    }

    fn cells<'a>(&'a self, kind: &'a str, column: &'a str) -> impl Iterator<Item = &'a str> {
        let of_kind = self.rows.iter().filter(move |row| row["kind"] == kind);
        of_kind.map(move |row| row[column].as_str())
    }

    fn numbers<'a>(&'a self, kind: &'a str, column: &'a str) -> impl Iterator<Item = i64> + 'a {
        self.cells(kind, column).filter_map(|cell| cell.parse().ok())
    }

    /// Both formats add up to this, and the row of the whole has it.
    #[track_caller]
    fn check_sum(&self, pointer: &str, column: &str, expected: i64) {
        assert_eq!(self.sum(pointer), expected, "{pointer}");
        assert_eq!(self.numbers("interval", column).sum::<i64>(), expected, "{column}");
        assert_eq!(self.numbers("total", column).collect::<Vec<_>>(), [expected], "{column}");
    }

    /// The highest of all intervals is this, in both formats and in the row of the whole.
    #[track_caller]
    fn check_max(&self, pointer: &str, column: &str, expected: i64) {
        assert_eq!(self.max(pointer), Some(expected), "{pointer}");
        assert_eq!(self.numbers("interval", column).max(), Some(expected), "{column}");
        assert_eq!(self.numbers("total", column).collect::<Vec<_>>(), [expected], "{column}");
    }

    /// Counters by name add up to those of the report that rose.
    #[track_caller]
    fn check_counters(&self, pointer: &str, column: &str, expected: &Value) {
        let risen = expected.as_object().unwrap().iter();
        let risen = risen.map(|(name, count)| (name.clone(), count.as_u64().unwrap()));
        let risen: BTreeMap<_, _> = risen.filter(|(_, count)| *count > 0).collect();
        assert_eq!(self.counters(pointer), risen, "{pointer}");
        let mut sums = BTreeMap::new();
        for named in self.cells("interval", column).flat_map(str::split_whitespace) {
            let (name, count) = named.split_once('=').unwrap();
            *sums.entry(name.to_owned()).or_default() += count.parse::<u64>().unwrap();
        }
        assert_eq!(sums, risen, "{column}");
    }

    /// What both sides of a receiver's report must have in common.
    #[track_caller]
    fn check_receiver(&self, report: &Report) {
        let number = |pointer: &str| report.number(pointer) as i64;
        for column in ["received", "unique", "duplicates", "reordered", "foreign", "lost"] {
            let total = number(&format!("/totals/{column}"));
            self.check_sum(&format!("/receiver/{column}"), column, total);
        }
        for part in ["receiver_socket", "receiver_host", "elsewhere"] {
            let place = format!("lost_by/{part}");
            let total = number(&format!("/totals/{place}"));
            self.check_sum(&format!("/receiver/{place}"), &place.replace('/', "_"), total);
        }
        for interval in &self.intervals {
            let receiver = &interval["receiver"];
            let parts = receiver["lost_by"].as_object().unwrap().values();
            let parts: i64 = parts.filter_map(Value::as_i64).sum();
            assert_eq!(receiver["lost"].as_i64(), Some(parts), "{interval}");
        }
        let last = self.intervals.last().unwrap();
        assert_eq!(last["receiver"]["outstanding"], 0, "{last}");
        let announcements = number("/totals/announcements");
        self.check_sum("/receiver/announcements", "announcements", announcements);
        let calls = number("/receiver/receive_calls");
        self.check_sum("/receiver/receive_calls", "receive_calls", calls);
        let without = number("/receiver/timestamps/without");
        self.check_sum("/receiver/without_timestamp", "without_timestamp", without);
        let stall = number("/receiver/longest_stall_ns");
        self.check_max("/receiver/longest_stall_ns", "receiver_longest_stall_ns", stall);
        let drops = &report.json["receiver"]["host_drops"];
        self.check_counters("/receiver/host_drops", "receiver_host_drops", drops);
        self.check_patterns(report);
    }

    /// Of a receiver of one stream.
    #[track_caller]
    fn check_patterns(&self, report: &Report) {
        let number = |pointer: &str| report.number(&format!("/streams/0{pointer}")) as i64;
        for name in ["discontinuities", "discontinuity_size", "reordering_discontinuities"] {
            let pointer = format!("/order/{name}");
            self.check_sum(&format!("/receiver{pointer}"), name, number(&pointer));
        }
        for name in ["extent_max", "late_max_ns", "byte_offset_max"] {
            let pointer = format!("/order/{name}");
            self.check_max(&format!("/receiver{pointer}"), name, number(&pointer));
        }
        let periods = number("/loss/periods");
        self.check_sum("/receiver/loss/periods", "loss_periods", periods);
        let longest = number("/loss/period_max");
        self.check_max("/receiver/loss/period_max", "loss_period_longest", longest);
        for (name, tag) in [
            ("reordering_extent", "reordering-extent"),
            ("reordering_late_ns", "reordering-late"),
            ("reordering_gap", "reordering-gap"),
            ("loss_period", "loss-period"),
            ("loss_distance", "loss-distance"),
            ("ipdv_ns", "ipdv"),
            ("inter_arrival_ns", "inter-arrival"),
            ("inter_departure_ns", "inter-departure"),
        ] {
            let count = report.number(&format!("/patterns/{name}/count"));
            assert_eq!(
                self.sum(&format!("/receiver/patterns/{name}/count")),
                count as i64,
                "{name}"
            );
            assert_eq!(self.histograms.get(tag).copied().unwrap_or(0), count, "{tag}");
        }
    }

    #[track_caller]
    fn check_sender(&self, report: &Report) {
        let number = |pointer: &str| report.number(pointer) as i64;
        for column in ["intended", "offered"] {
            let total = number(&format!("/sender/{column}"));
            self.check_sum(&format!("/sender/{column}"), column, total);
        }
        self.check_sum("/sender/refused", "refused", report.refused() as i64);
        self.check_counters("/sender/refused_by", "refused_by", &report.json["sender"]["refused"]);
        let after = number("/sender/dropped_after_taking");
        self.check_sum("/sender/dropped_after_taking", "dropped_after_taking", after);
        let drops = &report.json["sender"]["host_drops"];
        self.check_counters("/sender/host_drops", "sender_host_drops", drops);
        self.check_max("/sender/train_max", "train_max", number("/sender/train_max"));
        let stall = number("/sender/longest_stall_ns");
        self.check_max("/sender/longest_stall_ns", "longest_stall_ns", stall);
        let gaps = report.number("/sender/gaps_ns/count");
        assert_eq!(
            (self.sum("/sender/gaps_ns/count"), self.histograms["gaps"]),
            (gaps as i64, gaps)
        );
        assert!(self.sum("/sender/send_calls") <= number("/sender/send_calls"));
    }
}

#[test]
fn losses_and_reordering_of_the_network_add_up() {
    with_privileges(|| {
        let plan = Plan::seeded(9)
            .on(ratio(0.05), Drop)
            .on(ratio(0.05), Double)
            .on(ratio(0.05), SwapWithNext);
        let mut trial = Trial::over(plan);
        let more = "--variation --loss-threshold 2s";
        let receiver = trial.recv(&format!("{more} {}", outputs(&trial, "recv")));
        let sender = trial.send(&format!("{LOAD} {}", outputs(&trial, "send")));
        let (sent, received) = (Report::of(sender), Report::of(receiver));
        let relay = trial.settled();

        let outputs = Outputs::of(&trial, "recv");
        outputs.check_receiver(&received);
        assert_eq!(outputs.sum("/receiver/lost_by/elsewhere"), relay.dropped as i64);
        // Twice means one copy more.
        assert_eq!(outputs.sum("/receiver/copies/replicated"), relay.doubled as i64);
        let pairs = received.number("/streams/0/variation/ipdv_pairs") as i64;
        assert!(pairs > 0);
        outputs.check_sum("/receiver/variation/ipdv_pairs", "ipdv_pairs", pairs);
        let train = received.number("/streams/0/variation/sent_train_max") as i64;
        outputs.check_max("/receiver/variation/sent_train_max", "sent_train_max", train);
        // What is younger than the loss threshold is no loss yet, and all that was sent was younger.
        let Stream { session, highest_seq, .. } = received.only_stream();
        let dropped =
            &trial.relay().dropped_seqs()[&(u32::from_str_radix(&session, 16).unwrap(), 0)];
        let below = dropped.iter().filter(|seq| Some(**seq) < highest_seq).count() as u64;
        let before_losses =
            outputs.intervals.iter().take_while(|each| each["receiver"]["lost"] == 0);
        let last = before_losses.last().unwrap();
        assert_eq!(last["receiver"]["outstanding"], below, "{last}");
        Outputs::of(&trial, "send").check_sender(&sent);
    });
}

#[test]
fn losses_in_the_own_socket_add_up() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean().on(every(10), Drop));
        let flags =
            format!("--rcvbuf 4096 {PROMPT} --media-rate 8Mbps {}", outputs(&trial, "recv"));
        let mut receiver = trial.recv(&flags);
        let mut sender = trial.send(ENDLESS);
        trial.wait_for(200);
        receiver.signal(libc::SIGSTOP);
        thread::sleep(Duration::from_millis(350));
        receiver.signal(libc::SIGCONT);
        trial.wait_for_more(200);
        sender.interrupt();
        let (_, received) = (Report::of(sender), Report::of(receiver));

        let outputs = Outputs::of(&trial, "recv");
        outputs.check_receiver(&received);
        let in_socket = received.number("/totals/lost_by/receiver_socket") as i64;
        assert!(in_socket > 100, "{}", received.json["totals"]);
        // The sockets also count announcements and what the network had lost as well.
        assert!(outputs.sum("/receiver/socket_drops") >= in_socket);
        assert!(outputs.counters("/receiver/host_drops")["UdpRcvbufErrors"] >= in_socket as u64);
        assert!(outputs.sum("/receiver/stalls") > 0);
        let delay_factor = received.number("/streams/0/media/delay_factor_max_ns") as i64;
        let pointer = "/receiver/media/delay_factor_max_ns";
        outputs.check_max(pointer, "delay_factor_max_ns", delay_factor);
        let rate = |media: &Value| media["media_loss_rate_max"].as_f64();
        let rates = outputs.intervals.iter().filter_map(|each| rate(&each["receiver"]["media"]));
        let highest = rates.max_by(f64::total_cmp);
        assert_eq!(highest, rate(&received.json["streams"][0]["media"]));
    });
}

/// Four times what the device may take.
#[test]
fn refusals_and_drops_of_the_senders_host_add_up() {
    with_privileges(|| {
        let trial = Trial::over(Plan::clean());
        let mut tc = trial.sender().command("tc");
        let shaper = "qdisc add dev eth0 root tbf rate 8mbit burst 10kb limit 30kb";
        let shaped = Child::spawn(tc.args(shaper.split(' '))).finish(PATIENCE);
        assert!(shaped.status.success(), "{}", String::from_utf8_lossy(&shaped.stderr));

        let receiver = trial.recv(PROMPT);
        let load = "-r 10k -s 400 -c 4000";
        let sent = Report::of(trial.send(&format!("{load} {}", outputs(&trial, "send"))));
        Report::of(receiver);
        let outputs = Outputs::of(&trial, "send");
        outputs.check_sender(&sent);
        assert!(outputs.counters("/sender/refused_by")["ENOBUFS"] > 0);
        assert!(outputs.counters("/sender/host_drops")["qdisc.drops"] > 0);
    });
}

#[test]
fn a_run_on_one_host_adds_up() {
    with_privileges(|| {
        let trial = Trial::new(Lab::direct());
        let flags = format!("{LOAD} {PROMPT} {}", outputs(&trial, "run"));
        let mut run = Trial::command(trial.sender(), "run", &flags);
        let report = Report::of(Child::spawn(&mut run));
        let outputs = Outputs::of(&trial, "run");
        outputs.check_sender(&report);
        let lost = report.number("/totals/lost") as i64;
        outputs.check_sum("/receiver/lost", "lost", lost);
        outputs.check_sum("/receiver/unique", "unique", report.number("/totals/unique") as i64);
        outputs.check_patterns(&report);
    });
}
