use super::*;
use crate::model::report::Totals;
use crate::model::sample;
use crate::report::golden::check_human;
use crate::report::schema::check_merged;

/// A receiver of one stream of `sent` datagrams, which it lost `lost` of.
fn receiver(host: &str, sent: u64, lost: &[u64]) -> Saved {
    let mut report = sample::received(sent, lost);
    report.environment.host = Some(host.into());
    Saved { file: format!("results/{host}/rx.json"), report }
}

/// The sender of the same.
fn sender(offered: u64) -> Saved {
    let mut report = sample::sender_only();
    report.environment.host = Some("tx-1".into());
    let sender = report.trial.sender.as_mut().unwrap();
    (sender.counts.intended, sender.counts.offered) = (offered, offered);
    sender.counts.refused.clear();
    report.trial.warnings.clear();
    Saved { file: "results/tx-1/tx.json".into(), report }
}

fn merged(results: Vec<Saved>) -> MergedReport {
    let mut merge = Merge::default();
    results.into_iter().for_each(|saved| merge.add(saved).unwrap());
    let merged = merge.finish("mcast-bench report merge results/".into());
    check_merged(&merged);
    merged
}

fn group_of(losses: &[&[u64]]) -> MergedReport {
    let hosts = ["rx-1", "rx-2", "rx-3"];
    merged(hosts.iter().zip(losses).map(|(host, lost)| receiver(host, 10, lost)).collect())
}

fn of(merged: &MergedReport, value: impl Fn(&MemberReport) -> Option<f64>) -> Vec<f64> {
    merged.receivers.iter().map(|row| value(row).unwrap()).collect()
}

/// Standards vector V26.
#[test]
fn rfc_5644_section_8_4_with_one_perfect_receiver() {
    let merged = group_of(&[&[], &[4], &[4, 5, 9]]);
    assert_eq!(of(&merged, |row| row.loss_ratio), [0.0, 0.1, 0.3]);
    assert_eq!(of(&merged, |row| row.comparative_loss_ratio), [0.0, 0.1, 0.3]);
    let group = &merged.group;
    assert_eq!((group.receivers, group.sent, group.lost), (3, 30, 4));
    assert_eq!(group.loss_ratio, Some(2.0 / 15.0));
    let end = |receiver: &str, value| Some(Extreme { receiver: receiver.into(), value });
    assert_eq!(group.loss_ratio_lowest, end("rx-1", 0.0));
    assert_eq!(group.loss_ratio_highest, end("rx-3", 0.3));
    assert_eq!(group.lost_by_all, 0);
}

/// Standards vector V27, with the one loss of the first in all of them.
#[test]
fn rfc_5644_section_8_4_with_a_common_loss() {
    let merged = group_of(&[&[7], &[3, 7], &[2, 5, 6, 7]]);
    assert_eq!(of(&merged, |row| row.loss_ratio), [0.1, 0.2, 0.4]);
    let comparative = [1.0 / 9.0, 2.0 / 9.0, 4.0 / 9.0];
    assert_eq!(of(&merged, |row| row.comparative_loss_ratio), comparative);
    assert_eq!(merged.group.loss_ratio, Some(7.0 / 30.0));
    let parts: Vec<_> =
        merged.receivers.iter().map(|row| (row.lost_common, row.lost_own)).collect();
    assert_eq!(parts, [(1, 0), (1, 1), (1, 3)]);
    assert_eq!(merged.group.lost_by_all, 1);
    let stream = &merged.streams[0];
    assert_eq!(stream.lost_by_all_ranges, [SeqRange { first_seq: 7, len: 1 }]);
    assert_eq!((stream.heard_by, stream.lost, stream.sent), (3, 7, Some(10)));
}

/// RFC 5644 sections 8.3 and 8.5.
#[test]
fn delays_of_the_group() {
    let with_delays = |host, delays: &[u64]| {
        let mut saved = receiver(host, 10, &[]);
        saved.report.trial.one_way_delay_ns = Some(sample::delays(delays));
        saved
    };
    let merged = merged(vec![
        with_delays("rx-1", &[5, 10, 15]),
        with_delays("rx-2", &[30, 50]),
        with_delays("rx-3", &[]),
    ]);
    let group = &merged.group;
    // Each receiver counts once: the mean of all five delays would be 22.
    assert_eq!(group.mean_delay_ns, Some(25.0));
    assert_eq!(group.mean_delay_range_ns, Some(30.0));
    assert_eq!(group.mean_delay_highest.as_ref().unwrap().receiver, "rx-2");
    assert_eq!(group.mean_delay_highest.as_ref().unwrap().value, 40.0);
    assert_eq!(group.delay_variation_quantile, 0.999);
    assert_eq!(group.delay_variation_range_ns, Some(Nanos(10)));
    assert!(merged.receivers[2].delay.is_none());
    assert!(merged.warnings.contains(&MergeWarning::DifferentClocks));
    let all = sample::delays(&[5, 10, 15, 30, 50]).distribution;
    assert_eq!(merged.one_way_delay_ns.unwrap().distribution, all);
}

#[test]
fn counters_are_added() {
    let (a, b) = (sample::lossy(), sample::receiver_only());
    let [x, y] = [&a, &b].map(|report| report.trial.totals.clone().unwrap());
    let saved = |file: &str, report| Saved { file: file.into(), report };
    let merged = merged(vec![saved("a.json", a), saved("b.json", b)]);
    let sum = |of: fn(&Totals) -> u64| of(&x) + of(&y);
    let group = &merged.group;
    assert_eq!(group.counts.received, sum(|totals| totals.counts.received));
    assert_eq!(group.counts.duplicates, sum(|totals| totals.counts.duplicates));
    assert_eq!(group.counts.foreign, sum(|totals| totals.counts.foreign));
    assert_eq!(group.lost_by.receiver_socket, 91);
    // One host: their files tell them apart.
    let names: Vec<_> = merged.receivers.iter().map(|row| &*row.name).collect();
    assert_eq!(names, ["a.json", "b.json"]);
    assert!(!merged.valid);
    let invalid = MergeWarning::Invalid { files: vec!["a.json".into()] };
    assert!(merged.warnings.contains(&invalid));
    for row in &merged.receivers {
        assert_eq!(row.sent, row.counts.unique + row.lost);
        assert_eq!(row.lost, row.lost_common + row.lost_own + row.lost_not_compared);
    }
}

#[test]
fn senders_are_checked_against_their_receivers() {
    let check = |offered, heard_sent, differs| {
        let merged = merged(vec![sender(offered), receiver("rx-1", 10, &[3])]);
        assert_eq!(merged.senders[0].heard_sent, heard_sent);
        let warned = |warning: &MergeWarning| matches!(warning, MergeWarning::SentDiffers { .. });
        assert_eq!(merged.warnings.iter().any(warned), differs);
    };
    check(10, Some(10), false);
    check(11, Some(10), true);
    let mut late = receiver("rx-1", 10, &[]);
    late.report.trial.streams[0].sent = None;
    assert_eq!(merged(vec![sender(10), late]).senders[0].heard_sent, None);
    let alone = merged(vec![sender(10)]);
    assert_eq!((alone.group.receivers, alone.group.loss_ratio), (0, None));
}

#[test]
fn who_joined_and_heard_nothing_lost_all() {
    let mut deaf = receiver("rx-2", 10, &[]);
    deaf.report = sample::nothing();
    deaf.report.environment.host = Some("rx-2".into());
    let mut elsewhere = receiver("rx-3", 10, &[]);
    elsewhere.report = deaf.report.clone();
    elsewhere.report.environment.host = Some("rx-3".into());
    elsewhere.report.trial.spec.groups.clear();
    let merged = merged(vec![receiver("rx-1", 10, &[4]), deaf, elsewhere]);
    let rows: Vec<_> =
        merged.receivers.iter().map(|row| (row.sent, row.lost, row.streams_not_heard)).collect();
    assert_eq!(rows, [(10, 1, 0), (10, 10, 1), (0, 0, 0)]);
    assert_eq!(merged.group.loss_ratio, Some(11.0 / 20.0));
    assert_eq!(merged.receivers[1].lost_by.elsewhere, 10);
    assert_eq!((merged.receivers[1].lost_common, merged.receivers[1].lost_own), (1, 9));
    assert!(merged.warnings.contains(&MergeWarning::NotHeard { receivers: vec!["rx-2".into()] }));
}

/// Yesterday's receivers did not miss what is sent today.
#[test]
fn another_trial_was_not_missed() {
    let mut yesterday = receiver("rx-2", 10, &[]);
    yesterday.report.trial.started_at = "2023-11-13T22:13:20Z".into();
    yesterday.report.trial.streams[0].session = "0ddba1".into();
    let merged = merged(vec![receiver("rx-1", 10, &[]), yesterday]);
    assert_eq!(merged.group.lost, 0);
    assert_eq!(merged.streams.len(), 2);
}

#[test]
fn a_list_cut_short_is_said() {
    let mut cut = receiver("rx-2", 10, &[2, 3, 7]);
    let stream = &mut cut.report.trial.streams[0];
    stream.lost_ranges.truncate(1);
    stream.lost_ranges_complete = false;
    let merged = merged(vec![receiver("rx-1", 10, &[2, 7]), cut]);
    let parts = |row: &MemberReport| (row.lost_common, row.lost_own, row.lost_not_compared);
    assert_eq!(parts(&merged.receivers[0]), (1, 0, 1));
    assert_eq!(parts(&merged.receivers[1]), (1, 1, 1));
    assert!(!merged.streams[0].lost_ranges_complete);
    let warning = MergeWarning::LostRangesIncomplete { receivers: vec!["rx-2".into()] };
    assert!(merged.warnings.contains(&warning));
}

#[test]
fn a_result_is_added_as_a_whole_or_not_at_all() {
    let mut merge = Merge::default();
    let mut broken = receiver("rx-1", 10, &[]);
    broken.report.trial.one_way_delay_ns.as_mut().unwrap().distribution.hdr = "AAAA".into();
    assert!(merge.add(broken).unwrap_err().to_string().starts_with("results/rx-1/rx.json "));
    assert!(merge.is_empty());
    let mut empty = receiver("rx-1", 10, &[]);
    (empty.report.trial.totals, empty.report.trial.sender) = (None, None);
    assert!(merge.add(empty).unwrap_err().to_string().contains("neither a sender nor a receiver"));
}

#[test]
fn human_output() {
    let with = |mut saved: Saved, typical| {
        saved.report.trial.one_way_delay_ns = Some(sample::typical_delay(999_000, typical));
        saved
    };
    let late = receiver("rx-3.lab.example", 1_000_000, &(400..640).collect::<Vec<_>>());
    let full = merged(vec![
        sender(1_000_000),
        with(receiver("rx-1.lab.example", 1_000_000, &[500, 501]), 12_300),
        with(receiver("rx-2.lab.example", 1_000_000, &[77, 500, 501, 90_000]), 14_100),
        with(late, 92_000),
    ]);
    check_human("human_merged", &full);

    let mut merge = Merge::default();
    merge.add(receiver("rx-1", 10, &[])).unwrap();
    merge.skip(
        "results/b.json".into(),
        "results/b.json is truncated: its JSON ends too early".into(),
    );
    check_human(
        "human_merged_skipped",
        &merge.finish("mcast-bench report merge -k results".into()),
    );
    check_human("human_merged_senders", &merged(vec![sender(10)]));
    let many = (0..25).map(|n| receiver(&format!("rx-{n}"), 1_000, &(0..n).collect::<Vec<_>>()));
    check_human("human_merged_many", &merged(many.collect()));
}
