//! What `doctor` finds on hosts that are really ill, and what it does not find on healthy ones.

use crate::lab::{self, Child, DEVICE, Host, Lab};
use serde_json::Value;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const GROUP: &str = "233.252.0.7:5777";
pub(crate) const GROUP_V6: &str = "[ff15::7]:5777";
const DEADLINE: Duration = Duration::from_secs(30);

/// What may be said of the machine that a test runs on.
pub(crate) const EXPECTED: [&str; 4] = ["clock", "governor", "capabilities", "engines"];

/// A finding of a host.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) check: String,
    pub(crate) what: String,
    pub(crate) fix: String,
}

/// All findings of a verdict, after the exit code was held against them.
pub(crate) fn examine(mut command: Command, args: &[&str], verdict: &str) -> Vec<Found> {
    let output = Child::spawn(command.args(["doctor", "-J"]).args(args)).finish(DEADLINE);
    let report = lab::json(&output);
    let all = report["findings"].as_array().expect("it lists findings");
    let is_fit = all.iter().all(|finding| finding["verdict"] != "problem");
    assert_eq!(report["fit"], is_fit);
    assert_eq!(output.status.code(), Some(if is_fit { 0 } else { 3 }), "{report:#}");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let wanted = all.iter().filter(|finding| finding["verdict"] == verdict);
    let found = wanted.map(|finding| {
        assert!(!text(finding, "spoils").is_empty(), "{finding}");
        let [check, what, fix] = ["check", "what", "fix"].map(|name| text(finding, name));
        Found { check, what, fix }
    });
    found.collect()
}

pub(crate) fn problems(host: &Host, args: &[&str]) -> Vec<Found> {
    examine(host.command(lab::tool()), &[&["-I", DEVICE], args].concat(), "problem")
}

pub(crate) fn notes(host: &Host, args: &[&str]) -> Vec<Found> {
    examine(host.command(lab::tool()), &[&["-I", DEVICE], args].concat(), "note")
}

/// The finding of a check; panics if there is none.
pub(crate) fn of(check: &str, found: Vec<Found>) -> Found {
    let names = format!("{found:?}");
    let mut found = found.into_iter().filter(|found| found.check == check);
    found.next().unwrap_or_else(|| panic!("no {check} in {names}"))
}

pub(crate) fn run(host: &Host, program: &str, args: &str) {
    let output = host.command(program).args(args.split(' ')).output().expect("it is installed");
    assert!(output.status.success(), "{program} {args}: {output:?}");
}

#[test]
fn a_healthy_host_has_no_problem() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        for group in [GROUP, GROUP_V6, "233.252.0.7+99", "10.99.1.2@232.1.1.1:5000"] {
            let args = ["-g", group, "-r", "10k", "--listen=100ms"];
            let found = problems(lab.sender(), &args);
            assert!(found.is_empty(), "{group}: {found:?}");
        }
        let loopback = examine(lab.receiver().command(lab::tool()), &[], "problem");
        assert!(loopback.is_empty(), "{loopback:?}");
        let full = ["-r", "10k", "-s", "1400", "-w", "1MiB", "-e", "mmsg", "--pace", "spin"];
        for group in [GROUP, GROUP_V6, "10.99.1.1@232.1.1.1:5000", "233.252.0.7+999"] {
            let unusual = notes(lab.receiver(), &[&["-g", group], &full[..]].concat());
            let expected = |found: &Found| EXPECTED.contains(&&*found.check);
            assert!(unusual.iter().all(expected), "{group}: {unusual:?}");
        }
    });
}

#[test]
fn a_busy_group_is_no_problem() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let flood = ["send", "-I", DEVICE, "-g", GROUP, "-r", "50k", "-t", "30s", "-i", "0"];
        let mut send = lab.sender().command(lab::tool());
        let flood = Child::spawn(send.args(flood).stdout(Stdio::null()));
        let heard = lab.receiver().run(|| {
            let socket = UdpSocket::bind(GROUP)?;
            socket.join_multicast_v4(
                &"233.252.0.7".parse().expect("a group"),
                &lab.receiver().v4(),
            )?;
            socket.set_read_timeout(Some(DEADLINE))?;
            socket.recv(&mut [0; 2048])
        });
        assert!(heard.is_ok(), "{heard:?}");
        for host in [lab.sender(), lab.receiver()] {
            let found = problems(host, &["-g", GROUP]);
            assert!(found.is_empty(), "{found:?}");
        }
        drop(flood);
    });
}

#[test]
fn a_link_that_is_down_or_has_no_other_end() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        run(lab.receiver(), "ip", "link set eth0 down");
        let found = of("link", problems(lab.receiver(), &["-g", GROUP]));
        assert_eq!((&*found.what, &*found.fix), ("eth0 is down", "ip link set eth0 up"));
        for group in [GROUP, GROUP_V6] {
            let found = of("link", problems(lab.sender(), &["-g", group]));
            assert_eq!(found.what, "eth0 is up, but has no carrier");
        }
    });
}

#[test]
fn an_interface_without_multicast() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        run(lab.sender(), "ip", "link set eth0 multicast off");
        for group in [GROUP, GROUP_V6] {
            let found = of("multicast_flag", problems(lab.sender(), &["-g", group]));
            assert_eq!(found.fix, "ip link set eth0 multicast on");
        }
    });
}

#[test]
fn an_interface_that_takes_all_groups() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        run(lab.sender(), "ip", "link set eth0 allmulticast on");
        let found = of("all_multicast", notes(lab.sender(), &["-g", GROUP]));
        assert!(found.fix.starts_with("ip link set eth0 allmulticast off"), "{found:?}");
    });
}

#[test]
fn an_interface_without_an_address() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        run(lab.sender(), "ip", "-4 address flush dev eth0");
        let found = of("addresses", problems(lab.sender(), &["-g", GROUP]));
        assert_eq!(found.what, "eth0 has no IPv4 address");
        assert!(problems(lab.sender(), &["-g", GROUP_V6]).is_empty());
    });
}

#[test]
fn no_route_and_a_route_elsewhere() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.sender();
        run(host, "ip", "route del 224.0.0.0/4");
        let found = of("route", notes(host, &["-g", GROUP]));
        assert!(found.what.starts_with("no route to 233.252.0.7: "), "{found:?}");
        assert_eq!(found.fix, "ip route add 233.252.0.7 dev eth0");
        run(host, "ip", "link add other type veth peer name far");
        run(host, "ip", "address add 10.99.7.1/24 dev other");
        run(host, "ip", "link set far up");
        run(host, "ip", "link set other up");
        run(host, "ip", "route add 224.0.0.0/4 dev other");
        let found = of("route", notes(host, &["-g", GROUP]));
        assert_eq!(found.what, "the route to 233.252.0.7 goes through other");

        run(host, "ip", "-6 route del multicast ff00::/8 dev eth0 table local");
        run(host, "ip", "address add fd00:77::1/64 dev other nodad");
        let found = of("route", notes(host, &["-g", GROUP_V6]));
        assert_eq!(found.what, "the route to ff15::7 goes through other");
        run(host, "ip", "link del other");
        let found = of("route", notes(host, &["-g", GROUP_V6]));
        assert!(found.what.starts_with("no route to ff15::7: "), "{found:?}");
        of("source_address", problems(host, &["-g", GROUP_V6]));
        run(host, "ip", found.fix.strip_prefix("ip ").expect("it is a command of ip"));
        assert!(problems(host, &["-g", GROUP_V6]).is_empty());
    });
}

#[test]
fn ipv6_over_loopback_without_a_route() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.sender();
        let on_loopback =
            || examine(host.command(lab::tool()), &["-I", "lo", "-g", GROUP_V6], "problem");
        let found = of("source_address", on_loopback());
        assert_eq!(found.fix, "ip -6 route add local ff00::/8 dev lo");
        run(host, "ip", found.fix.strip_prefix("ip ").expect("it is a command of ip"));
        assert!(on_loopback().is_empty());
    });
}

#[test]
fn a_source_that_the_reverse_path_filter_refuses() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.receiver();
        run(host, "sysctl", "-qw net.ipv4.conf.eth0.rp_filter=1");
        assert!(problems(host, &["-g", "10.99.1.1@232.1.1.1"]).is_empty());
        let found = of("reverse_path", problems(host, &["-g", "192.0.2.9@232.1.1.1"]));
        assert_eq!(found.what, "rp_filter=1 on eth0, and 192.0.2.9 is not reached through it");

        // Any source: only what is really dropped tells, while somebody listens.
        run(lab.sender(), "ip", "address add 192.0.2.9/32 dev eth0");
        let socket =
            lab.sender().run(|| UdpSocket::bind("192.0.2.9:0")).expect("it has the address");
        let target: SocketAddr = GROUP.parse().expect("it is an address");
        let has_ended = AtomicBool::new(false);
        let report = thread::scope(|scope| {
            scope.spawn(|| {
                while !has_ended.load(Ordering::Relaxed) {
                    socket.send_to(b"?", target).expect("it has a route");
                    thread::sleep(Duration::from_millis(5));
                }
            });
            let mut doctor = host.command(lab::tool());
            doctor.args(["doctor", "-J", "-I", DEVICE, "-g", GROUP, "--listen=500ms"]);
            // Joined whatever becomes of it: a panic here would leave the sender running.
            let child = Child::spawn(&mut doctor);
            let output = catch_unwind(AssertUnwindSafe(|| child.finish(DEADLINE)));
            has_ended.store(true, Ordering::Relaxed);
            lab::json(&output.unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let told = report["findings"].as_array().expect("it lists findings").iter();
        let mut told = told.filter(|found| found["check"] == "listen").map(|found| &found["what"]);
        assert!(
            told.any(|what| what
                .as_str()
                .is_some_and(|what| what.starts_with("TcpExtIPReversePathFilter rose by "))),
            "{report:#}"
        );
    });
}

#[test]
fn a_membership_table_that_is_full() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.sender();
        run(host, "sysctl", "-qw net.ipv4.igmp_max_memberships=5");
        // Groups beyond the limit of a socket take more sockets.
        assert!(problems(host, &["-g", "233.252.0.7+9"]).is_empty());
        run(host, "sysctl", "-qw net.ipv4.igmp_max_memberships=0");
        let found = of("memberships", problems(host, &["-g", "233.252.0.7+9"]));
        assert!(found.what.starts_with("cannot join 233.252.0.7 on eth0: No buffer"), "{found:?}");
        assert!(found.fix.ends_with("sysctl -w net.ipv4.igmp_max_memberships=20"), "{found:?}");
    });
}

#[test]
fn datagrams_longer_than_the_link_carries() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.sender();
        assert!(problems(host, &["-g", GROUP, "-s", "1472"]).is_empty());
        let found = of("mtu", problems(host, &["-g", GROUP, "-s", "1473"]));
        assert_eq!(found.fix, "--size 1472, or: ip link set eth0 mtu 1501");
        assert!(problems(host, &["-g", GROUP_V6, "-s", "1452"]).is_empty());
        let found = of("mtu", problems(host, &["-g", GROUP_V6, "-s", "1453"]));
        assert_eq!(found.fix, "--size 1452, or: ip link set eth0 mtu 1501");
    });
}

#[test]
fn other_programs_on_the_port() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.sender();
        for (group, table, any) in [
            (GROUP, "/proc/self/net/udp", "0.0.0.0:5777"),
            (GROUP_V6, "/proc/self/net/udp6", "[::]:5777"),
        ] {
            // One that shares, as every receiver of this program does, and one that does not.
            let recv = Child::spawn(
                host.command(lab::tool())
                    .args(["recv", "-I", DEVICE, "-g", group, "-t", "30s"])
                    .stdout(Stdio::null()),
            );
            let is_bound = || {
                let table = host.command("cat").arg(table).output().expect("there is cat");
                String::from_utf8_lossy(&table.stdout).contains(":1691 ")
            };
            let deadline = Instant::now() + DEADLINE;
            while !is_bound() {
                assert!(Instant::now() < deadline, "the receiver never listens");
                thread::sleep(Duration::from_millis(5));
            }
            let found = of("port", notes(host, &["-g", group]));
            assert!(found.what.ends_with("of other programs on port 5777"), "{found:?}");
            drop(recv);
            let holder = host.run(|| UdpSocket::bind(any)).expect("nobody has it");
            let found = of("port", problems(host, &["-g", group]));
            assert!(found.what.starts_with("cannot listen on "), "{found:?}");
            drop(holder);
        }
    });
}

#[test]
fn buffers_too_small_for_the_rate() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        for group in [GROUP, GROUP_V6] {
            let args = ["-g", group, "-r", "1M", "-w", "4096"];
            let found = of("receive_buffer", problems(lab.receiver(), &args));
            assert!(found.fix.starts_with("sysctl -w net.core.rmem_max="), "{found:?}");
        }
    });
}

#[test]
fn groups_that_share_an_ethernet_address() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let found = notes(lab.sender(), &["-g", "239.1.1.1", "-g", "239.129.1.1"]);
        let found = of("mac_addresses", found);
        assert_eq!(found.what, "239.1.1.1 and 239.129.1.1 share one Ethernet address");
    });
}

#[test]
fn pacing_without_a_queue_that_paces() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let found = of("pacing", problems(lab.sender(), &["-g", GROUP, "--pace", "fq"]));
        assert_eq!(found.fix, "tc qdisc replace dev eth0 root fq");
    });
}

#[test]
fn more_sources_than_a_socket_may_name() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.receiver();
        run(host, "sysctl", "-qw net.ipv4.igmp_max_msf=2");
        let sources = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|ip| format!("{ip}@232.1.1.1"));
        let args: Vec<_> = sources.iter().flat_map(|group| ["-g", group]).collect();
        // Receivers take more sockets.
        assert!(problems(host, &args).is_empty());
        let found = of("sources", notes(host, &args));
        assert_eq!(found.fix, "sysctl -w net.ipv4.igmp_max_msf=3");
        run(host, "sysctl", "-qw net.ipv4.igmp_max_msf=3");
        assert!(notes(host, &args).iter().all(|found| found.check != "sources"));
    });
}

/// As a firewall does, but with `tc`, which more machines have than `nft`.
pub(crate) fn take_away_what_comes_in(host: &Host) -> bool {
    let tc = |args: &str| host.command("tc").args(args.split(' ')).output();
    let is_done = tc("qdisc add dev eth0 clsact").is_ok_and(|output| output.status.success());
    let drop = ["filter", "add", "dev", "eth0", "ingress", "bpf", "da", "bytecode", "1,6 0 0 2"];
    is_done && host.command("tc").args(drop).output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_filter_that_takes_datagrams_away() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        if !take_away_what_comes_in(lab.sender()) {
            eprintln!("SKIPPED: tc cannot take away what comes in (cls_bpf)");
            return;
        }
        for group in [GROUP, GROUP_V6] {
            let found = of("self_test", problems(lab.sender(), &["-g", group]));
            assert!(found.what.contains(", 0 came up"), "{found:?}");
        }
    });
}

#[test]
fn an_old_version_of_igmp_or_mld_that_is_forced() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.sender();
        run(host, "sysctl", "-qw net.ipv4.conf.eth0.force_igmp_version=2");
        let found = of("igmp_version", notes(host, &["-g", GROUP]));
        assert_eq!(found.fix, "sysctl -w net.ipv4.conf.eth0.force_igmp_version=0");
        let found = of("igmp_version", problems(host, &["-g", "10.99.1.2@232.1.1.1"]));
        assert_eq!(found.what, "IGMPv2 is forced on eth0");
        run(host, "sysctl", "-qw net.ipv6.conf.eth0.force_mld_version=1");
        let found = of("igmp_version", notes(host, &["-g", GROUP_V6]));
        assert_eq!(found.what, "MLDv1 is forced on eth0");
    });
}

#[test]
fn a_bridge_that_snoops_without_a_querier() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.sender();
        run(host, "ip", "link add name br0 type bridge mcast_snooping 1 mcast_querier 0");
        run(host, "ip", "link set br0 up");
        let on_bridge = || {
            let command = host.command(lab::tool());
            let found = examine(command, &["-I", "br0", "-g", GROUP], "note");
            found.into_iter().find(|found| found.check == "snooping")
        };
        let found = on_bridge().expect("it is a note");
        assert_eq!(found.fix, "ip link set br0 type bridge mcast_querier 1");
        run(host, "ip", "link set br0 type bridge mcast_querier 1");
        assert!(on_bridge().is_none());
    });
}

#[test]
fn an_engine_that_was_asked_for() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        assert!(problems(lab.sender(), &["-g", GROUP, "-e", "af_packet"]).is_empty());
        let mut command = lab.sender().command("setpriv");
        command.args(["--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]).arg(lab::tool());
        let args = ["-I", DEVICE, "-g", GROUP, "-e", "af_packet"];
        let found = of("engines", examine(command, &args, "problem"));
        assert!(found.what.starts_with("af_packet: "), "{found:?}");
        assert!(!found.fix.is_empty());
    });
}

#[test]
fn a_firewall_that_takes_datagrams_away() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.sender();
        let rule = "add table inet t\nadd chain inet t in { type filter hook input priority 0; }\n\
                    add rule inet t in udp dport 5777 counter drop\n";
        let Ok(output) = host.command("nft").arg(rule).output() else {
            eprintln!("SKIPPED: no program nft to make a firewall with");
            return;
        };
        assert!(output.status.success(), "{output:?}");
        let found = of("self_test", problems(host, &["-g", GROUP]));
        assert!(found.what.contains(", 0 came up"), "{found:?}");
        let found = of("firewall", problems(host, &["-g", GROUP]));
        assert!(found.what.contains(" were taken away by the rule: nft inet t in "), "{found:?}");
    });
}
