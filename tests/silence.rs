//! A receiver that hears nothing says so once and looks for the cause; before a trial, what would spoil it is said.

use crate::doctor::{run, take_away_what_comes_in};
use crate::doctor_listen::sending;
use crate::lab::{self, Child, Host, Lab};
use std::process::Output;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

/// A receiver that hears nothing for long enough to wonder.
fn listening(host: &Host, words: &str) -> Output {
    let mut recv = host.command(lab::tool());
    recv.args(["recv", "-t", "7s", "-i", "100ms", "-J"]).args(words.split(' '));
    Child::spawn(&mut recv).finish(DEADLINE)
}

/// What it said, if it heard nothing to the end.
fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    let once = said.matches("nothing heard for 3s; looking for the cause\n").count();
    assert_eq!(once, 1, "{said}");
    said
}

#[test]
fn nobody_sends() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        for group in ["233.252.0.7:5777", "[ff15::7]:5777"] {
            let said = said(&listening(lab.receiver(), &format!("-I eth0 -g {group}")));
            assert!(said.contains(&format!("on_wire         nothing for {group} came in by eth0")));
            assert!(!said.contains("PROBLEM"), "{said}");
        }
    });
}

#[test]
fn the_reverse_path_filter_takes_it_away() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        run(lab.receiver(), "sysctl", "-qw net.ipv4.conf.eth0.rp_filter=1");
        run(lab.sender(), "ip", "address add 192.0.2.9/32 dev eth0");
        let sender = sending(lab.sender(), "-I eth0 -g 192.0.2.9@233.252.0.7:5777");
        let said = said(&listening(lab.receiver(), "-I eth0 -g 233.252.0.7:5777"));
        assert!(
            said.contains("PROBLEM reverse_path    rp_filter=1 on eth0, and 192.0.2.9"),
            "{said}"
        );
        assert!(!said.contains("no socket hears it"), "{said}");
        drop(sender);
    });
}

#[test]
fn it_goes_elsewhere() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let sender = sending(lab.sender(), "-I eth0 -g 233.252.0.7:5000");
        let port = said(&listening(lab.receiver(), "-I eth0 -g 233.252.0.7:5777"));
        assert!(port.contains("PROBLEM on_wire         233.252.0.7 comes to port 5000"), "{port}");
        run(lab.receiver(), "ip", "link add other type veth peer name far");
        run(lab.receiver(), "ip", "link set far up");
        run(lab.receiver(), "ip", "link set other up");
        let interface = said(&listening(lab.receiver(), "-I other -g 233.252.0.7:5000"));
        assert!(
            interface.contains("comes in by eth0, from 10.99.1.1, not by other"),
            "{interface}"
        );
        drop(sender);
    });
}

#[test]
fn something_on_the_host_takes_it_away() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        if !take_away_what_comes_in(lab.receiver()) {
            eprintln!("SKIPPED: tc cannot take away what comes in (cls_bpf)");
            return;
        }
        for group in ["233.252.0.7:5777", "[ff15::7]:5777"] {
            let sender = sending(lab.sender(), &format!("-I eth0 -g {group}"));
            let said = said(&listening(lab.receiver(), &format!("-I eth0 -g {group}")));
            assert!(said.contains("and no socket hears it"), "{said}");
            drop(sender);
        }
    });
}

#[test]
fn datagrams_of_others() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let socket = lab.sender().run(|| std::net::UdpSocket::bind("0.0.0.0:0"));
        let socket = socket.expect("any port will do");
        let recv = || said(&listening(lab.receiver(), "-I eth0 -g 233.252.0.7:5777"));
        let told = std::thread::scope(|scope| {
            let recv = scope.spawn(recv);
            while !recv.is_finished() {
                socket.send_to(b"not of ours", "233.252.0.7:5777").expect("it has a route");
                std::thread::sleep(Duration::from_millis(20));
            }
            recv.join().expect("it tells")
        });
        assert!(told.contains("these are no datagrams of this program"), "{told}");
    });
}

#[test]
fn who_hears_is_not_told_of_silence() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let sender = sending(lab.sender(), "-I eth0 -g 233.252.0.7:5777");
        let output = listening(lab.receiver(), "-I eth0 -g 233.252.0.7:5777");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("nothing heard") && !said.contains("warning"), "{said}");
        assert_ne!(output.status.code(), Some(4), "{said}");
        drop(sender);
    });
}

/// Nobody is told of intervals; that something is heard is known all the same.
#[test]
fn without_intervals_too() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let listening = || {
            let mut recv = lab.receiver().command(lab::tool());
            recv.args("recv -I eth0 -g 233.252.0.7 -t 7s -i 0 -J".split(' '));
            Child::spawn(&mut recv).finish(DEADLINE)
        };
        let told = said(&listening());
        assert!(told.contains("on_wire         nothing for 233.252.0.7:5777 came in"), "{told}");
        let sender = sending(lab.sender(), "-I eth0 -g 233.252.0.7:5777");
        let output = listening();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!told.contains("nothing heard"), "{told}");
        assert_ne!(output.status.code(), Some(4), "{told}");
        drop(sender);
    });
}

#[test]
fn a_sender_that_begins_while_the_cause_is_looked_for() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let log = std::env::temp_dir().join(format!("mcast-bench-silence-{}", std::process::id()));
        let words = "recv -I eth0 -t 9s -i 100ms -J -g 233.252.0.7";
        let mut shell = lab.receiver().command("sh");
        shell.args(["-c", &format!("exec \"$0\" {words} 2>\"$1\"")]).arg(lab::tool()).arg(&log);
        let mut recv = Child::spawn(&mut shell);
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        while !said().contains("looking for the cause") {
            assert!(recv.is_running(), "{}", said());
            std::thread::sleep(Duration::from_millis(5));
        }
        let sender = sending(lab.sender(), "-I eth0 -g 233.252.0.7:5777");
        let output = recv.finish(DEADLINE);
        let told = said();
        std::fs::remove_file(&log).expect("it was written to");
        assert!(!told.contains("PROBLEM"), "{told}");
        assert_ne!(output.status.code(), Some(4), "{told}");
        drop(sender);
    });
}

#[test]
fn what_would_spoil_a_trial_is_said_before_it() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        let warnings = |host: &Host, words: &str| {
            let mut command = host.command(lab::tool());
            let output = Child::spawn(command.args(words.split(' '))).finish(DEADLINE);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            said.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect()
        };
        let none = Vec::<String>::new();
        let send = "send -I eth0 -t 100ms -g 233.252.0.7";
        assert_eq!(warnings(lab.sender(), send), none);
        assert_eq!(warnings(lab.sender(), "run -t 100ms"), none);
        assert_eq!(warnings(lab.sender(), "recv -I eth0 -t 100ms -g ff15::7"), none);
        run(lab.sender(), "ip", "link set eth0 multicast off");
        run(lab.receiver(), "ip", "link set eth0 down");
        let found: Vec<String> = warnings(lab.sender(), send);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("warning: eth0 is up, but has no carrier: "), "{found:?}");
        assert!(found[1].ends_with("(fix: ip link set eth0 multicast on)"), "{found:?}");
        assert_eq!(warnings(lab.sender(), &format!("{send} -q")), none);
    });
}

#[test]
fn a_preset_on_an_interface_that_is_too_slow_for_it() {
    lab::with_privileges(|| {
        let lab = Lab::direct();
        // A virtual cable says that it has 10 Gbit/s (drivers/net/veth.c, veth_get_link_ksettings).
        let said = |words: &str| {
            let mut send = lab.sender().command(lab::tool());
            send.args([
                "send",
                "-I",
                "eth0",
                "-t",
                "50ms",
                "-i",
                "0",
                "--preset",
                "st2110-1080p60",
            ]);
            let output = Child::spawn(send.args(words.split_whitespace())).finish(DEADLINE);
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let fits = said("");
        assert!(!fits.contains("too slow"), "{fits}");
        let too_fast = said("--rate 1200k");
        let warning = "warning: eth0 is too slow for this load: it takes 12.3 Gbit/s on Ethernet, and eth0 has \
                       10.0 Gbit/s; ";
        assert!(too_fast.contains(warning), "{too_fast}");
    });
}
