//! What `doctor --listen` finds in what comes in, and does not find where all is well.

use crate::doctor::{EXPECTED, GROUP, GROUP_V6, examine, notes, of, problems, run};
use crate::lab::{self, Child, DEVICE, Host, Lab, Routed};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Long enough for a sender of 200 datagrams a second, on a machine that is busy with other tests.
const LISTEN: &str = "--listen=1s";

/// A sender that sends for as long as it lives, and is ready to.
pub(crate) fn sending(host: &Host, words: &str) -> Child {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mcast-bench-sending-{}-{number}", std::process::id());
    let ready = std::env::temp_dir().join(name);
    let mut command = host.command(lab::tool());
    command.args(["send", "-q", "-i", "0", "-r", "200", "-t", "30s"]).args(words.split(' '));
    let mut child = Child::spawn(command.arg("--ready-file").arg(&ready));
    child.wait_for_file(&ready, Duration::from_secs(30));
    std::fs::remove_file(&ready).expect("it has just been made");
    child
}

#[test]
fn groups_that_come_in_are_no_finding() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        for group in [GROUP, GROUP_V6, "10.99.1.1@232.1.1.1:5000", "[fd00:99::1]@[ff35::7]:5000"] {
            let sender = sending(lab.sender(), &format!("-I {DEVICE} -g {group}"));
            let args = ["-g", group, "-r", "10k", LISTEN];
            let found = problems(lab.receiver(), &args);
            assert!(found.is_empty(), "{group}: {found:?}");
            let found = notes(lab.receiver(), &args);
            assert!(found.iter().all(|found| EXPECTED.contains(&&*found.check)), "{found:?}");
            drop(sender);
        }
    });
}

#[test]
fn another_port_another_group_another_source() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let on_wire = |found| of("on_wire", found);
        for (group, sent, port) in [
            ("233.252.0.7", "233.252.0.7:5000", "-g 233.252.0.9:5777"),
            ("[ff15::7]", "[ff15::7]:5000", "-g [ff15::9]:5777"),
        ] {
            let asked = format!("{group}:5777");
            let sender = sending(lab.sender(), &format!("-I {DEVICE} -g {sent}"));
            let found = on_wire(problems(lab.receiver(), &["-g", &asked, LISTEN]));
            assert!(found.what.contains(" comes to port 5000, from "), "{found:?}");
            assert_eq!(found.fix, "--port 5000, or send to 5777");
            drop(sender);
            let sender = sending(lab.sender(), &format!("-I {DEVICE} {port}"));
            let found = on_wire(notes(lab.receiver(), &["-g", &asked, LISTEN]));
            assert!(found.what.contains("but another group comes to its port: "), "{found:?}");
            drop(sender);
        }
        let sender = sending(lab.sender(), &format!("-I {DEVICE} -g 232.1.1.1:5000"));
        let other = ["-g", "10.99.1.77@232.1.1.1:5000", LISTEN];
        let found = on_wire(problems(lab.receiver(), &other));
        assert!(found.fix.starts_with("--group 10.99.1.1@232.1.1.1:5000"), "{found:?}");
        drop(sender);
    });
}

#[test]
fn another_interface() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.receiver();
        run(host, "ip", "link add other type veth peer name far");
        run(host, "ip", "link set far up");
        run(host, "ip", "link set other up");
        for group in [GROUP, GROUP_V6] {
            let sender = sending(lab.sender(), &format!("-I {DEVICE} -g {group}"));
            let command = host.command(lab::tool());
            let args = ["-I", "other", "-g", group, LISTEN];
            let found = of("on_wire", examine(command, &args, "problem"));
            assert!(found.what.contains("comes in by eth0, from "), "{found:?}");
            assert_eq!(found.fix, "--iface eth0");
            drop(sender);
        }
    });
}

#[test]
fn a_source_that_is_only_heard() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.receiver();
        run(host, "sysctl", "-qw net.ipv4.conf.eth0.rp_filter=1");
        run(lab.sender(), "ip", "address add 192.0.2.9/32 dev eth0");
        let sender = sending(lab.sender(), "-I eth0 -g 192.0.2.9@233.252.0.7:5777");
        let found = of("reverse_path", problems(host, &["-g", GROUP, LISTEN]));
        assert_eq!(found.what, "rp_filter=1 on eth0, and 192.0.2.9 is not reached through it");
        drop(sender);
    });
}

#[test]
fn an_address_of_this_host_that_comes_in() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.receiver();
        run(host, "ip", "address add 192.0.2.9/32 dev lo");
        run(lab.sender(), "ip", "address add 192.0.2.9/32 dev eth0");
        let sender = sending(lab.sender(), "-I eth0 -g 192.0.2.9@233.252.0.7:5777");
        let found = of("accept_local", problems(host, &["-g", GROUP, LISTEN]));
        assert!(found.what.starts_with("192.0.2.9 is an address of this host"), "{found:?}");
        let fix = found.fix.split(',').next().expect("it begins with a command");
        let (program, args) = fix.split_once(' ').expect("it has arguments");
        run(host, program, args);
        let found = problems(host, &["-g", GROUP, LISTEN]);
        assert!(found.is_empty(), "{found:?}");
        drop(sender);
    });
}

/// TTL 1 ends at the router; 2 gets through. Both ends are told.
#[test]
fn a_time_to_live_too_small_for_a_router() {
    lab::with_privileges(|| {
        let mut lab = Routed::new();
        for (group, source) in [("232.1.1.1", "10.99.1.1"), ("ff35::7", "fd00:99::1")] {
            lab.forward(group.parse().expect("it is an address"));
            let asked = match group.contains(':') {
                true => format!("[{source}]@[{group}]:5000"),
                false => format!("{source}@{group}:5000"),
            };
            let args = ["-g", &asked, LISTEN];
            let sender = sending(lab.sender(), &format!("-I {DEVICE} -g {asked} -T 1"));
            let found = of("reach", problems(lab.router(), &args));
            assert!(found.what.contains(" with TTL 1, and this host is a multicast router"));
            let found = of("reach", notes(lab.receiver(), &args));
            let silent =
                format!("{source} is beyond a router, and nothing of it for {group} came in");
            assert_eq!(found.what, silent);
            drop(sender);

            let sender = sending(lab.sender(), &format!("-I {DEVICE} -g {asked} -T 2"));
            for host in [lab.router(), lab.receiver()] {
                let found = problems(host, &args);
                assert!(found.is_empty(), "{found:?}");
                let found = notes(host, &args);
                assert!(found.iter().all(|found| found.check != "reach"), "{found:?}");
            }
            drop(sender);
        }
    });
}

#[test]
fn a_group_whose_scope_is_the_link() {
    lab::with_privileges(|| {
        let lab = Routed::new();
        let found = of("reach", problems(lab.receiver(), &["-g", "[fd00:99::1]@[ff32::7]:5000"]));
        assert!(found.what.ends_with("ff32::7 has the scope of a link"), "{found:?}");
    });
}

#[test]
fn a_querier_is_seen() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        // A bridge asks once when it becomes querier, and then as often as it is told: in hundredths of a second.
        let host = lab.sender();
        run(host, "ip", "link add br0 type bridge mcast_snooping 1 mcast_querier 1");
        run(
            host,
            "ip",
            "link set br0 type bridge mcast_query_interval 20 mcast_startup_query_interval 20",
        );
        run(host, "ip", "link set br0 type bridge mcast_igmp_version 3 mcast_mld_version 2");
        run(host, "ip", "link set eth0 master br0");
        run(host, "ip", "link set br0 addrgenmode none");
        run(host, "ip", "link set br0 up");
        run(host, "ip", "address add fe80::7/64 dev br0 nodad");
        for (group, protocol) in [(GROUP, "IGMPv3"), (GROUP_V6, "MLDv2")] {
            let mut doctor = lab.receiver().command(lab::tool());
            doctor.args(["doctor", "-I", DEVICE, "-g", group, "--listen=2s"]);
            let output = Child::spawn(&mut doctor).finish(Duration::from_secs(30));
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let line = told
                .lines()
                .find(|line| line.starts_with("  ok      querier "))
                .unwrap_or_else(|| panic!("{told}"));
            assert!(line.contains(&format!(" asks with {protocol}")), "{line}");
        }
    });
}
