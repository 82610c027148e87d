//! Groups and interfaces as typed: what is read from files, what is warned of, what is refused.

use super::{Bench, port};
use std::fs;

fn refused(args: &str, expected: &str) {
    let ran = Bench::new().run(&args.split_whitespace().collect::<Vec<_>>());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args}: {ran:?}");
    assert!(ran.stderr.starts_with(expected), "{args}: {}", ran.stderr);
}

#[test]
fn words_that_cannot_be_meant_together() {
    refused(
        "doctor -g 239.1.1.1 -g [ff15::1]:5000",
        "error: IPv4 and IPv6 groups at once\nhint: ask for one family, then for the other\n",
    );
    refused(
        "recv -g 10.0.0.1@232.1.1.1 -g 232.1.1.1",
        "error: group 232.1.1.1:5777 is named with source 10.0.0.1 and without one; without one it has them all\n",
    );
    refused(
        "recv -I lo -I 127.0.0.1",
        "error: interface lo is named twice\nhint: name it once; --receivers makes several",
    );
    for verb in ["run", "send", "ping", "echo", "doctor"] {
        refused(
            &format!("{verb} -I lo -I eth7"),
            "error: --iface lo and --iface eth7: only `recv` takes several interfaces\nhint: start one for each\n",
        );
    }
    refused(
        "send -g 127.0.0.1,127.0.0.2@232.1.1.1",
        "error: 127.0.0.1@232.1.1.1:5777 and 127.0.0.2@232.1.1.1:5777 cannot be sent to by one sender",
    );
    refused(
        "recv --bind all",
        "error: invalid value 'all' for '--bind <WHAT>': it is either group or any\n",
    );
    refused("send --source-port 0", "error: invalid value '0' for '--source-port <PORT>': ");
    refused("recv --source-port 5000", "error: unexpected argument '--source-port' found\n");
}

#[test]
fn groups_come_from_a_file() {
    let bench = Bench::new();
    let port = port();
    let run = |text: &str| {
        fs::write(bench.cwd.join("groups.txt"), text).unwrap();
        bench.run(&["run", "-q", "-J", "-c", "300", "-r", "2k", "-p", &port, "-g", "@groups.txt"])
    };
    let ran = run("# two channels\n239.255.1.1\n\n239.255.1.2+0  # the other\n");
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    let report = ran.json();
    let groups: Vec<_> =
        report["streams"].as_array().unwrap().iter().map(|row| &row["group"]).collect();
    assert_eq!(groups, ["239.255.1.1", "239.255.1.2"]);
    let ran = run("239.255.1.1\n239.255.1.300\n");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr.contains("line 2 of ") && ran.stderr.contains("`239.255.1.300` is not a group")
    );
    refused(
        "recv -g @/no/such/file",
        "error: invalid value '@/no/such/file' for '--group <GROUP>': cannot read groups",
    );
}

/// On the screen before the trial and in the report; a group on loopback has no Ethernet address to share.
#[test]
fn joins_without_the_source_that_a_group_is_for_are_warned_of() {
    let port = port();
    let args = ["run", "-i", "0", "-c", "300", "-r", "2k", "-p", &port, "-g", "232.1.1.1+1"];
    let ran = Bench::new().run(&[&args[..], &["-J", "-g", "239.128.0.5"]].concat());
    let sentence = "232.1.1.1 is for joins with a source (RFC 4607) and is joined without one: most routers \
                    forward nothing to such members (groups concerned: 2)";
    let last = ran.stderr.lines().last().unwrap();
    assert_eq!(last, format!("warning: {sentence}"), "{ran:?}");
    let report = ran.json();
    let warnings = report["warnings"].as_array().unwrap();
    let named = |name: &str| warnings.iter().filter(|warning| warning["warning"] == name).count();
    assert_eq!((named("any_source"), named("shared_mac")), (1, 0), "{warnings:?}");
    let ran = Bench::new().run(&[&args[..], &["-q"]].concat());
    assert_eq!(ran.stderr, "", "quiet");
    assert!(ran.stdout.contains("-> name the source: -g SOURCE@232.1.1.1"), "{}", ran.stdout);
}

#[test]
fn interfaces_of_this_host() {
    let ran = Bench::new().run(&["interfaces"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("lo             index 1, up, loopback, MTU "), "{ran:?}");
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{ran:?}");
    let list = Bench::new().run(&["interfaces", "--json"]).json();
    assert_eq!(list["schema"], "mcast-bench-interfaces/1");
    assert_eq!(list["interfaces"][0]["name"], "lo");
}
