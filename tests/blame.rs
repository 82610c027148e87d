//! Each datagram that is lost must be laid at the door of the one who lost it, on real hosts.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use mcast_bench::sys::{ethtool, qdisc};
use serde_json::{Value, json};

use crate::lab::{self, Action, Child, DEVICE, Host, Lab, Plan, every};

const PATIENCE: Duration = Duration::from_secs(30);

/// The program on a host, its report as JSON on stdout and for people in a file of its own.
struct Tool {
    command: Command,
    human: PathBuf,
    ready: PathBuf,
}

impl Tool {
    fn new(host: &Host, name: &str, verb: &str, words: &str) -> Self {
        let path = |what: &str| {
            let file = format!("mcast-bench-{name}-{verb}-{what}-{}", std::process::id());
            std::env::temp_dir().join(file)
        };
        let (human, ready) = (path("human"), path("ready"));
        let mut command = host.command(lab::tool());
        command.args([verb, "--iface", DEVICE, "--report", "json", "--report"]);
        command.arg(format!("human:{}", human.display()));
        command.arg("--ready-file").arg(&ready).args(words.split_whitespace());
        Self { command, human, ready }
    }

    /// Starts it and waits until it has joined.
    fn listening(&mut self) -> Child {
        let mut child = Child::spawn(&mut self.command);
        child.wait_for_file(&self.ready, PATIENCE);
        child
    }

    /// What it reported, for machines and for people, there in one line.
    fn reported(&self, output: &Output) -> (Value, String) {
        let human = fs::read_to_string(&self.human).unwrap_or_default();
        (lab::json(output), human.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        for file in [&self.human, &self.ready] {
            // One that it never wrote is not there.
            let _ = fs::remove_file(file);
        }
    }
}

/// Sends from one host of a lab to the other; what both report.
fn exchange(lab: &mut Lab, name: &str, sending: &str, receiving: &str) -> [(Value, String); 2] {
    let mut recv = Tool::new(lab.receiver(), name, "recv", receiving);
    let mut send = Tool::new(lab.sender(), name, "send", sending);
    let receiver = recv.listening();
    let sent = Child::spawn(&mut send.command).finish(PATIENCE);
    lab.relay().settle();
    let received = receiver.finish(PATIENCE);
    [send.reported(&sent), recv.reported(&received)]
}

fn has(list: &Value, key: &str, name: &str) -> bool {
    list.as_array().is_some_and(|all| all.iter().any(|one| one[key] == name))
}

#[test]
fn a_receiver_that_stands_still_blames_its_own_sockets() {
    lab::with_privileges(|| {
        let mut lab = Lab::two_hosts(Plan::clean());
        let mut recv = Tool::new(lab.receiver(), "overload", "recv", "--rcvbuf 16k");
        let mut send = Tool::new(lab.sender(), "overload", "send", "--rate 2k --time 1s");
        let mut receiver = recv.listening();
        let sender = Child::spawn(&mut send.command);
        sleep(Duration::from_millis(500));
        receiver.signal(libc::SIGSTOP);
        sleep(Duration::from_millis(300));
        receiver.signal(libc::SIGCONT);
        drop(sender.finish(PATIENCE));
        lab.relay().settle();
        let (report, human) = recv.reported(&receiver.finish(PATIENCE));

        let lost = report["totals"]["lost"].as_u64().unwrap();
        assert!(lost > 100, "{lost} lost");
        let by = json!({"receiver_socket": lost, "receiver_host": 0, "elsewhere": 0});
        assert_eq!(report["totals"]["lost_by"], by, "{human}");
        assert!(report["receiver"]["host_drops"]["UdpRcvbufErrors"].as_u64() >= Some(lost));
        assert!(has(&report["invalid_reasons"], "reason", "apparatus_dropped"), "{human}");
        assert!(human.contains("--rcvbuf is only 16 KiB"), "{human}");
    });
}

#[test]
fn a_sender_behind_a_token_bucket_does_not_blame_the_network() {
    lab::with_privileges(|| {
        let mut lab = Lab::two_hosts(Plan::clean());
        let shape = format!("qdisc add dev {DEVICE} root tbf rate 8mbit burst 10kb limit 30kb");
        let tc = lab.sender().command("tc").args(shape.split(' ')).status().unwrap();
        assert!(tc.success(), "tc {shape}");
        let sending = "--rate 3k --time 1s --burst 64";
        let [(sent, human), (received, heard)] = exchange(&mut lab, "shaper", sending, "");

        let sender = &sent["sender"];
        let refused = sender["refused"]["ENOBUFS"].as_u64().unwrap();
        let dropped = sender["host_drops"]["qdisc.drops"].as_u64().unwrap();
        assert!(refused > 0 && dropped >= refused, "{refused} refused, {dropped} dropped");
        assert_eq!((&sender["qdisc"], &sender["dropped_after_taking"]), (&json!("tbf"), &json!(0)));
        assert!(has(&sent["warnings"], "warning", "sending_host_dropped"), "{human}");
        assert!(human.contains(" in qdisc tbf, all of which it had refused"), "{human}");
        assert!(human.contains("qdisc tbf limits what eth0 may send"), "{human}");
        assert_eq!(sent["environment"]["interface"]["driver"], "veth");
        assert_eq!(sent["environment"]["interface"]["qdisc"], "tbf");
        let totals = &received["totals"];
        assert_eq!((&totals["lost"], &totals["sent"]), (&json!(0), &sender["offered"]), "{heard}");
    });
}

#[test]
fn a_reverse_path_filter_that_eats_everything_is_named() {
    lab::with_privileges(|| {
        let mut lab = Lab::two_hosts(Plan::clean());
        lab.receiver().run(|| {
            let setting = format!("/proc/sys/net/ipv4/conf/{DEVICE}/rp_filter");
            fs::write(setting, "1").unwrap();
        });
        let no_route = ["route", "del", "10.99.1.0/24", "dev", DEVICE];
        assert!(lab.receiver().command("ip").args(no_route).status().unwrap().success());
        let sending = "--rate 1k --count 500";
        let [(sent, _), (received, human)] = exchange(&mut lab, "filter", sending, "--time 2s");

        assert_eq!(sent["sender"]["offered"], 500);
        assert_eq!(received["totals"]["received"], 0);
        let filtered = &received["receiver"]["host_drops"]["TcpExtIPReversePathFilter"];
        assert!(filtered.as_u64() >= Some(500), "{filtered}");
        assert!(has(&received["invalid_reasons"], "reason", "nothing_heard"), "{human}");
        assert!(has(&received["warnings"], "warning", "reverse_path_filtered"), "{human}");
        assert!(human.contains("the reverse-path filter dropped "), "{human}");
        assert!(human.contains("sysctl -w net.ipv4.conf.eth0.rp_filter=0"), "{human}");
    });
}

#[test]
fn what_the_wire_loses_is_lost_elsewhere() {
    lab::with_privileges(|| {
        let mut lab = Lab::two_hosts(Plan::clean().on(every(10), Action::Drop));
        let sending = "--rate 2k --count 2000";
        let [(sent, _), (received, human)] = exchange(&mut lab, "wire", sending, "");
        let by = json!({"receiver_socket": 0, "receiver_host": 0, "elsewhere": 200});
        assert_eq!(received["totals"]["lost_by"], by, "{human}");
        assert!(!has(&received["invalid_reasons"], "reason", "apparatus_dropped"), "{human}");
        assert!(human.contains("200 never came to this host"), "{human}");
        assert_eq!(sent["sender"]["dropped_after_taking"], 0);
    });
}

#[test]
fn damaged_datagrams_are_told_from_those_that_never_came() {
    lab::with_privileges(|| {
        for groups in ["--group 239.255.77.77", "--group [ff15::77]:5777"] {
            let mut lab = Lab::two_hosts(Plan::seeded(3).on(every(10), Action::Spoil));
            let sending = format!("{groups} --rate 2k --count 2000");
            let [_, (received, human)] = exchange(&mut lab, "damage", &sending, groups);
            let by = json!({"receiver_socket": 0, "receiver_host": 0, "elsewhere": 200});
            assert_eq!(received["totals"]["lost_by"], by, "{human}");
            let drops = &received["receiver"]["host_drops"];
            let damaged = ["UdpInCsumErrors", "Udp6InCsumErrors"].map(|name| drops[name].as_u64());
            assert_eq!(damaged.iter().flatten().sum::<u64>(), 200, "{damaged:?}");
            assert!(!has(&received["invalid_reasons"], "reason", "apparatus_dropped"), "{human}");
            assert!(human.contains("200 came damaged"), "{human}");
        }
    });
}

#[test]
fn drivers_and_queues_answer_in_their_own_namespace() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let (names, root) = lab.sender().run(|| {
            let device = ethtool::Device::open(DEVICE).unwrap();
            assert_eq!(device.driver().unwrap(), "veth");
            assert!(device.offload(ethtool::Offload::TxChecksum).unwrap());
            let names: Vec<_> =
                device.statistics().unwrap().into_iter().map(|(name, _)| name).collect();
            (names, (1..100).find_map(|index| qdisc::root(index).ok()))
        });
        // veth_get_strings, drivers/net/veth.c
        assert_eq!(names.first().map(String::as_str), Some("peer_ifindex"), "{names:?}");
        assert!(names.iter().any(|name| name.starts_with("rx_queue_0_")), "{names:?}");
        assert!(root.is_some_and(|root| root.kind == "noqueue" && root.drops == 0));
    });
}
