//! What sockets are bound to, where they join, and how far the kernel lets them.

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{every, with_privileges};
use mcast_bench::model::group::{GroupSpec, Membership};
use mcast_bench::net::{listing, membership};
use std::net::Ipv6Addr;

fn run(host: &Host, program: &str, args: &str) {
    let done = Child::spawn(host.command(program).args(args.split_whitespace())).finish(PATIENCE);
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {args}: {complaint}");
}

fn index_of(host: &Host, device: &str) -> u32 {
    let all = host.run(listing::all).unwrap();
    all.iter().find(|interface| interface.name == device).expect("it is there").index
}

/// From those hosts that were asked for, each a row, and from nobody else.
#[test]
fn a_group_has_several_sources() {
    with_privileges(|| {
        for (group, [first, second, third]) in [
            ("232.1.2.3", ["10.99.1.1", "10.99.1.77", "10.99.1.78"]),
            ("[ff3e::8000:3]", ["fd00:99::1", "fd00:99::77", "fd00:99::78"]),
        ] {
            let trial = Trial::new(Lab::direct());
            for address in [second, third] {
                let (len, nodad) = if address.contains(':') { (64, "nodad") } else { (24, "") };
                let command = format!("address add {address}/{len} dev eth0 {nodad}");
                run(trial.sender(), "ip", &command);
            }
            for flags in ["", "--bind any", "-e gso", "-e io_uring", "-e af_packet"] {
                let groups = format!("-g {first},{second}@{group}:5000");
                let receiver = trial.recv(&format!("{groups} {flags} {PROMPT} -t 10s"));
                let mut expected = BTreeSet::new();
                let mut receiver = receiver;
                for source in [third, first, second] {
                    let sent =
                        Report::of(trial.send(&format!("-g {source}@{group}:5000 -r 5k -c 500")));
                    assert_eq!(sent.number("/sender/offered"), 500);
                    expected.extend((source != third).then(|| source.to_owned()));
                }
                receiver.interrupt();
                let received = Report::of(receiver);
                assert_eq!(received.totals(), Counts::of(1000, 1000), "{flags} {}", received.json);
                let sources = received.streams().into_iter().map(|stream| {
                    let source: SocketAddr = stream.source.parse().unwrap();
                    source.ip().to_string()
                });
                assert_eq!(sources.collect::<BTreeSet<_>>(), expected, "{flags}");
            }
        }
    });
}

/// One process, one socket a thread to send from, and no loss but the relay's.
#[test]
fn both_families_are_sent_and_heard_at_once() {
    with_privileges(|| {
        for engine in ["mmsg", "gso", "io_uring"] {
            let plan = Plan::seeded(5).per_stream().on(every(10), Drop);
            let groups = format!("-g 239.1.2.3+1 -g [ff15::1:2]+1:5000 -e {engine}");
            let load = "-r 5k -s 200 -c 2000 --source-port 6000 --ttl 3";
            let Exchange { received, relay, .. } =
                exchange(plan, &format!("{groups} {load}"), &format!("{groups} {PROMPT}"));
            assert!(relay.dropped > 0, "{relay:?}");
            assert_eq!(received.totals(), Counts::of(COUNT, relay.forwarded));
            let streams = received.streams();
            let sources: BTreeSet<_> = streams.iter().map(|stream| &*stream.source).collect();
            assert_eq!(sources, ["10.99.1.1:6000", "[fd00:99::1]:6000"].into());
            let groups: BTreeSet<_> = streams.iter().map(|stream| &*stream.group).collect();
            assert_eq!(groups, ["239.1.2.3", "239.1.2.4", "ff15::1:2", "ff15::1:3"].into());
        }
    });
}

#[test]
fn sender_threads_share_the_port_that_was_asked_for() {
    with_privileges(|| {
        for group in ["-g 239.1.2.3+1", "-g [ff15::1:2]+1"] {
            let trial = Trial::new(Lab::direct());
            let receiver = trial.recv(&format!("{group} {PROMPT}"));
            // The port of the groups too.
            let sent = Report::of(trial.send(&format!("{group} {LOAD} -P 2 --source-port 5777")));
            assert_eq!(sent.number("/sender/offered"), COUNT);
            let received = Report::of(receiver);
            assert_eq!(received.totals(), Counts::of(COUNT, COUNT));
            assert_eq!(received.streams().len(), 4);
            assert!(received.streams().iter().all(|stream| stream.source.ends_with(":5777")));
        }
    });
}

/// Bound to the group or to everything: what other programs have joined, other ports and what is meant for this host
/// alone is never taken for ours.
#[test]
fn foreign_datagrams_are_told_apart_whatever_a_socket_is_bound_to() {
    with_privileges(|| {
        let families: [(&str, Ipv4Addr, [&str; 3]); 2] = [
            (
                "239.1.2.3",
                Ipv4Addr::new(239, 9, 9, 9),
                ["239.9.9.9:5777", "239.1.2.3:5778", "10.99.1.2:5777"],
            ),
            (
                "[ff15::1:2]",
                Ipv4Addr::new(239, 9, 9, 9),
                ["[ff15::9:9]:5777", "[ff15::1:2]:5778", "[fd00:99::2]:5777"],
            ),
        ];
        for (group, other_group, targets) in families {
            for (bind, foreign) in [("group", 0), ("any", 10)] {
                let trial = Trial::new(Lab::direct());
                let _member = member(trial.receiver(), other_group);
                let _member_v6 = trial.receiver().run(|| member_v6("ff15::9:9", 5777));
                let receiver = trial.recv(&format!("-g {group} --bind {bind} {PROMPT} -t 20s"));
                let mut receiver = receiver;
                for target in targets {
                    let any = if target.starts_with('[') { "[fd00:99::1]:0" } else { "0.0.0.0:0" };
                    let other = trial.sender().run(|| UdpSocket::bind(any).unwrap());
                    for _ in 0..10 {
                        other.send_to(b"not ours", target).unwrap();
                    }
                }
                let sent = Report::of(trial.send(&format!("-g {group} {LOAD}")));
                assert_eq!(sent.number("/sender/offered"), COUNT);
                receiver.interrupt();
                let received = Report::of(receiver);
                let expected = Counts { foreign, ..Counts::of(COUNT, COUNT) };
                assert_eq!(received.totals(), expected, "{group} {bind}");
                assert_eq!(received.json["spec"]["bind"], bind);
            }
        }
    });
}

/// Another program of the calling thread's host that has joined an IPv6 group.
fn member_v6(group: &str, port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()).unwrap();
    let index = listing::all().unwrap().iter().map(|interface| interface.index).max().unwrap();
    socket.join_multicast_v6(&group.parse().unwrap(), index).unwrap();
    socket
}

/// Two hosts and two pairs of devices between them. What the sender sends through its bridge arrives on both.
fn two_ways() -> Trial {
    let trial = Trial::new(Lab::direct());
    let (sender, receiver) = (trial.sender(), trial.receiver());
    let far = receiver.netns();
    for command in [
        format!("link add eth1 type veth peer name eth1 netns {far}"),
        "link add br0 type bridge mcast_snooping 0".into(),
        "address flush dev eth0".into(),
        "link set eth0 master br0".into(),
        "link set eth1 master br0 up".into(),
        "link set br0 addrgenmode none up".into(),
        "address add 10.99.1.1/24 dev br0".into(),
        "address add fd00:99::1/64 dev br0 nodad".into(),
    ] {
        run(sender, "ip", &command);
    }
    for command in [
        "link set eth1 addrgenmode none up",
        "address add 10.99.2.2/24 dev eth1",
        "address add fe80::22/64 dev eth1 nodad",
        "address add fd00:98::2/64 dev eth1 nodad",
    ] {
        run(receiver, "ip", command);
    }
    trial
}

fn recv_on(trial: &Trial, interfaces: &[&str], flags: &str) -> Child {
    let mut command = trial.receiver().command(lab::tool());
    command.args(["recv", "-J", "-q"]).args(flags.split_whitespace());
    interfaces.iter().for_each(|interface| {
        command.args(["-I", interface]);
    });
    trial.ready(command)
}

fn send_by_bridge(trial: &Trial, flags: &str) -> Report {
    let mut command = trial.sender().command(lab::tool());
    command.args(["send", "-J", "-q", "-I", "br0"]).args(flags.split_whitespace());
    Report::of(Child::spawn(&mut command))
}

#[test]
fn one_sender_on_two_interfaces_is_two_rows() {
    with_privileges(|| {
        for engine in ["mmsg", "gso", "io_uring", "af_packet"] {
            for group in ["239.1.2.3", "[ff15::1:2]"] {
                let trial = two_ways();
                let flags = format!("-g {group} -e {engine} {PROMPT}");
                let receiver = recv_on(&trial, &["eth0", "eth1"], &flags);
                let sent = send_by_bridge(&trial, &format!("-g {group} {LOAD}"));
                assert_eq!(sent.number("/sender/offered"), COUNT);
                let received = Report::of(receiver);
                assert_eq!(received.totals(), Counts::of(2 * COUNT, 2 * COUNT), "{engine} {group}");
                let streams = received.streams();
                let on: Vec<_> = streams.iter().map(|stream| stream.interface.as_deref()).collect();
                assert_eq!(on, [Some("eth0"), Some("eth1")], "{engine} {group}");
                assert!(streams.iter().all(|stream| stream.counts == Counts::of(COUNT, COUNT)));
                assert_eq!(received.number("/spec/receiver_threads"), 2);
            }
        }
    });
}

/// By name, index and address it is the same interface; and what comes in by another one is not ours, though another
/// program has joined the group there.
#[test]
fn an_interface_has_three_names_and_no_part_in_another() {
    with_privileges(|| {
        let trial = two_ways();
        let index = index_of(trial.receiver(), "eth1").to_string();
        for group in ["239.1.2.3+1", "[ff15::1:2]+1", "239.1.2.3", "[ff15::1:2]"] {
            let elsewhere = {
                let group = group.trim_end_matches("+1").to_owned();
                trial.receiver().run(move || {
                    let groups: GroupSpec = group.parse().unwrap();
                    let index = listing::all().unwrap();
                    let eth0 = index.iter().find(|interface| interface.name == "eth0").unwrap();
                    membership::keep_joined(&groups.expand(PORT).unwrap(), eth0.index).unwrap()
                })
            };
            for name in ["eth1", &index, "10.99.2.2", "fd00:98::2"] {
                let receiver = recv_on(&trial, &[name], &format!("-g {group} {PROMPT}"));
                assert_eq!(
                    send_by_bridge(&trial, &format!("-g {group} {LOAD}")).number("/sender/offered"),
                    COUNT
                );
                let received = Report::of(receiver);
                assert_eq!(received.totals(), Counts::of(COUNT, COUNT), "{group} {name}");
                let on = |stream: &Stream| stream.interface.as_deref() == Some("eth1");
                assert!(received.streams().iter().all(on), "{group} {name}");
            }
            drop(elsewhere);
        }
    });
}

/// Fewer memberships, sources and bytes than the kernel commonly allows a socket only take more sockets.
#[test]
fn limits_of_a_socket_are_met_with_more_sockets() {
    with_privileges(|| {
        for (limit, groups, sockets) in [
            ("net.ipv4.igmp_max_memberships=5", "-g 239.1.2.1+30", 7),
            ("net.ipv4.igmp_max_msf=1", "-g 10.99.1.1,10.99.1.7,10.99.1.8@232.1.2.3", 3),
        ] {
            let trial = Trial::new(Lab::direct());
            run(trial.receiver(), "sysctl", &format!("-qw {limit}"));
            let receiver = trial.recv(&format!("{groups} {PROMPT}"));
            // Whom the receiver wants to hear is the sender's own address.
            let to = groups.split('@').nth(1).map(|group| format!("-g {group}"));
            Report::of(trial.send(&format!("{} {LOAD}", to.as_deref().unwrap_or(groups))));
            let received = Report::of(receiver);
            assert_eq!(received.totals(), Counts::of(COUNT, COUNT), "{limit}");
            assert_eq!(received.number("/receiver/sockets"), sockets, "{limit}");
        }
    });
}

/// The limit of sources, `net.ipv6.mld_max_msf`, is one of the whole machine, and 64 unless it was changed.
#[test]
fn many_ipv6_sources_take_more_sockets() {
    with_privileges(|| {
        let trial = Trial::new(Lab::direct());
        let others: String = (2..=130).map(|last| format!("fd00:99::1:{last:x},")).collect();
        let receiver = trial.recv(&format!("-g {others}fd00:99::1@[ff3e::8000:3] {PROMPT}"));
        Report::of(trial.send(&format!("-g [ff3e::8000:3] {LOAD}")));
        let received = Report::of(receiver);
        assert_eq!(received.totals(), Counts::of(COUNT, COUNT));
        assert!(received.number("/receiver/sockets") > 1, "{}", received.json["receiver"]);
    });
}

#[test]
fn too_few_bytes_for_memberships_are_met_with_more_sockets() {
    with_privileges(|| {
        for groups in ["-g 239.1.2.1+39", "-g [ff15::1:1]+39"] {
            let trial = Trial::new(Lab::direct());
            run(trial.receiver(), "sysctl", "-qw net.core.optmem_max=512");
            let receiver = trial.recv(&format!("{groups} {PROMPT}"));
            Report::of(trial.send(&format!("{groups} {LOAD}")));
            let received = Report::of(receiver);
            assert_eq!(received.totals(), Counts::of(COUNT, COUNT), "{groups}");
            let sockets = received.number("/receiver/sockets");
            assert!(sockets > 2, "{groups}: {sockets}");
        }
    });
}

/// What not even a fresh socket may have: which group, on which interface, which limit, and the command.
#[test]
fn a_limit_that_no_socket_meets_is_explained() {
    with_privileges(|| {
        for (limit, group, joined) in [
            ("net.ipv4.igmp_max_memberships=0", "239.1.2.3", "239.1.2.3"),
            ("net.core.optmem_max=8", "239.1.2.3", "239.1.2.3"),
            ("net.core.optmem_max=8", "[ff15::1:2]", "ff15::1:2"),
        ] {
            let trial = Trial::new(Lab::direct());
            run(trial.receiver(), "sysctl", &format!("-qw {limit}"));
            let mut command = Trial::command(trial.receiver(), "recv", &format!("-g {group}"));
            let output = Child::spawn(&mut command).finish(PATIENCE);
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{complaint}");
            let expected = format!("error: cannot join {joined} on eth0: ");
            assert!(complaint.starts_with(&expected), "{limit}: {complaint}");
            let name = limit.split('=').next().unwrap();
            assert!(complaint.contains(&format!("sysctl -w {name}=")), "{limit}: {complaint}");
        }
    });
}

/// The groups before the one that fails are joined, and left again.
#[test]
fn joins_that_partly_fail_leave_nothing_behind() {
    with_privileges(|| {
        let lab = Lab::direct();
        let host = lab.receiver();
        let groups: Vec<Membership> = ["239.1.2.1+29", "[ff15::1:2]"]
            .iter()
            .flat_map(|word| word.parse::<GroupSpec>().unwrap().expand(PORT).unwrap())
            .collect();
        let memberships = || {
            let all = listing::all().unwrap();
            let eth0 = all.into_iter().find(|interface| interface.name == "eth0").unwrap();
            (eth0.index, eth0.memberships)
        };
        let (before, error, after, kept) = host.run(|| {
            let (index, before) = memberships();
            // IPv6 takes more bytes to remember a group: there is a limit between the two.
            let is_enough = |groups: &[Membership]| membership::keep_joined(groups, index).is_ok();
            let between = (8..200).rev().step_by(4).find(|bytes| {
                fs::write("/proc/sys/net/core/optmem_max", bytes.to_string()).unwrap();
                is_enough(&groups[..1]) && !is_enough(&groups[30..])
            });
            assert!(between.is_some());
            let error = membership::keep_joined(&groups, index).unwrap_err().to_string();
            let after = memberships().1;
            let _kept = membership::keep_joined(&groups[..30], index).unwrap();
            (before, error, after, memberships().1)
        });
        assert!(error.starts_with("cannot join ff15::1:2 on eth0: "), "{error}");
        assert_eq!(after, before);
        assert_eq!(kept.len(), before.len() + 30);
    });
}

/// What is joined shows in the list of interfaces, also of a host that has nothing but loopback.
#[test]
fn interfaces_are_listed_with_their_groups() {
    with_privileges(|| {
        let trial = Trial::new(Lab::direct());
        let _receiver = trial.recv("-g 239.1.2.3+1 -g [ff15::1:2]");
        let list = lab::run_json(trial.receiver().command(lab::tool()).args(["interfaces", "-J"]));
        let [lo, eth0] = list["interfaces"].as_array().unwrap().as_slice() else {
            panic!("{list:#}");
        };
        assert_eq!(
            (&lo["name"], &lo["up"], &lo["loopback"]),
            (&"lo".into(), &true.into(), &true.into())
        );
        assert_eq!((&eth0["driver"], &eth0["mtu"]), (&"veth".into(), &1500.into()));
        assert_eq!((&eth0["multicast"], &eth0["running"]), (&true.into(), &true.into()));
        let addresses = eth0["addresses"].as_array().unwrap();
        assert!(["10.99.1.2", "fd00:99::2"].iter().all(|own| addresses.contains(&(*own).into())));
        let groups = eth0["memberships"].as_array().unwrap();
        for group in ["239.1.2.3", "239.1.2.4", "ff15::1:2", "224.0.0.1"] {
            assert!(groups.contains(&group.into()), "{group} {list:#}");
        }
        run(trial.receiver(), "ip", "link delete eth0");
        let list = lab::run_json(trial.receiver().command(lab::tool()).args(["interfaces", "-J"]));
        assert_eq!(list["interfaces"].as_array().unwrap().len(), 1, "{list:#}");
    });
}
