use super::*;
use crate::model::drops::{HostDrops, LostBy};
use crate::model::report::BufferGrant;
use crate::model::sample;

/// A run that lost a hundred, `receiver` changed as a test wants it.
fn lossy(by: LostBy, change: impl FnOnce(&mut ReceiverReport)) -> RunReport {
    let mut report = sample::run();
    let totals = report.trial.totals.as_mut().unwrap();
    (totals.lost, totals.lost_by) = (100, by);
    change(report.trial.receiver.as_mut().unwrap());
    report
}

fn of_socket(change: impl FnOnce(&mut ReceiverReport)) -> String {
    let report = lossy(LostBy { receiver_socket: 100, ..LostBy::default() }, change);
    let shares = shares(&report);
    assert_eq!(shares, [Share::Socket { datagrams: 100 }]);
    shares[0].advice(&report)
}

fn drops(counters: &[(&str, u64)]) -> HostDrops {
    HostDrops(counters.iter().map(|&(name, count)| (name.to_owned(), count)).collect())
}

fn of_host(counters: &[(&str, u64)]) -> (Vec<Share>, RunReport) {
    let report = lossy(LostBy { receiver_host: 100, ..LostBy::default() }, |receiver| {
        receiver.host_drops = drops(counters);
    });
    (shares(&report), report)
}

#[test]
fn advice_on_sockets_goes_on_from_what_was_done() {
    let grant = |asked, granted, forced| BufferGrant { asked, granted, forced };
    let small = of_socket(|rx| rx.receive_buffer = grant(8 << 20, 425_984, false));
    assert!(small.contains("rmem_max=8388608"), "{small}");
    let tiny = of_socket(|rx| rx.receive_buffer = grant(65_536, 131_072, false));
    assert!(tiny.contains("--rcvbuf is only 64 KiB"), "{tiny}");
    let unpinned = of_socket(|rx| {
        (rx.receive_buffer, rx.cpus) = (grant(8 << 20, 16 << 20, true), vec![None]);
    });
    assert!(unpinned.contains("--cpu") && !unpinned.contains("rcvbuf"), "{unpinned}");
    let pinned = of_socket(|_| ());
    assert!(pinned.starts_with("lower --rate") && pinned.contains("--rcvbuf 32 MiB"), "{pinned}");
    let all = of_socket(|rx| rx.receive_buffer = grant(512 << 20, 1 << 30, true));
    assert!(all.starts_with("lower --rate: this"), "{all}");
}

#[test]
fn every_place_has_its_own_words() {
    let mut words = Vec::new();
    for place in Place::ALL {
        let share = Share::Host { place, datagrams: 1 };
        words.push(share.sentence());
        words.push(share.advice(&sample::run()));
    }
    let different: std::collections::BTreeSet<_> = words.iter().collect();
    assert_eq!(different.len(), words.len(), "{words:#?}");
    assert!(words.iter().all(|words| !words.is_empty()));
}

#[test]
fn rings_and_backlogs_say_how_long_they_are() {
    let (shares, report) = of_host(&[("interface.rx_missed_errors", 60), ("softnet.dropped", 40)]);
    let host = |place, datagrams| Share::Host { place, datagrams };
    assert_eq!(shares, [host(Place::Ring, 60), host(Place::Backlog, 40)]);
    assert_eq!(shares[0].advice(&report), "ethtool -G eth1 rx 4096 (now 512)");
    assert!(shares[1].advice(&report).contains("netdev_max_backlog=10000 (now 1000)"));
}

#[test]
fn a_share_is_never_more_than_was_lost() {
    let (shares, _) = of_host(&[("TcpExtIPReversePathFilter", 5_000)]);
    assert_eq!(shares, [Share::Host { place: Place::ReversePath, datagrams: 100 }]);
}

#[test]
fn what_came_damaged_is_a_part_of_elsewhere() {
    let report = lossy(LostBy { elsewhere: 100, ..LostBy::default() }, |receiver| {
        receiver.host_drops = drops(&[("UdpInCsumErrors", 30)]);
    });
    let expected = [Share::Damaged { datagrams: 30 }, Share::Elsewhere { datagrams: 70 }];
    assert_eq!(shares(&report), expected);
    assert!(expected.iter().all(|share| share.own_datagrams() == 0));
}

#[test]
fn the_filter_that_is_set_is_the_one_to_change() {
    let advice = reverse_path(&sample::run());
    assert_eq!(
        advice,
        "add a route to the sender through eth1, or: sysctl -w net.ipv4.conf.eth1.rp_filter=0"
    );
}

#[test]
fn silence_has_a_reason_where_a_counter_knows_one() {
    let silent = |counters: &[(&str, u64)]| {
        let mut report = sample::nothing();
        report.trial.receiver.as_mut().unwrap().host_drops = drops(counters);
        of_silence(&report)
    };
    assert!(silent(&[]).starts_with("check that"));
    assert!(silent(&[("UdpIgnoredMulti", 7)]).starts_with("7 multicast datagrams came for which"));
    assert!(silent(&[("UdpInCsumErrors", 7)]).starts_with("7 datagrams came damaged"));
    let filtered = silent(&[("UdpIgnoredMulti", 7), ("TcpExtIPReversePathFilter", 50)]);
    assert!(
        filtered.starts_with("the reverse-path filter dropped 50 datagrams: add"),
        "{filtered}"
    );
}

#[test]
fn a_shaper_is_named_and_a_queue_lengthened() {
    let mut report = sample::sender_only();
    assert!(of_full_queue(&report).contains("txqueuelen"));
    report.trial.sender.as_mut().unwrap().qdisc = Some("fq".into());
    assert!(of_full_queue(&report).ends_with("tc qdisc change dev eth1 root fq flow_limit 10000"));
    report.trial.sender.as_mut().unwrap().qdisc = Some("tbf".into());
    assert!(of_full_queue(&report).starts_with("qdisc tbf limits what eth1 may send"));
}

#[test]
fn frames_that_the_interface_dropped_are_mentioned_not_blamed() {
    let report = lossy(LostBy { elsewhere: 100, ..LostBy::default() }, |receiver| {
        receiver.host_drops = drops(&[("interface.rx_dropped", 3)]);
    });
    let shares = shares(&report);
    assert_eq!(shares, [Share::Elsewhere { datagrams: 100 }]);
    assert!(shares[0].advice(&report).starts_with("eth1 itself dropped 3 frames (rx_dropped)"));
}
