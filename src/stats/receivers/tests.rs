use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Ten datagrams to each of several receivers, which lost so many.
fn losses(lost: &[u64]) -> Group {
    let receivers: Vec<_> =
        lost.iter().map(|&lost| Receiver { sent: 10, lost, delay: None }).collect();
    compare(&receivers)
}

fn ratios(group: &Group, of: impl Fn(&Member) -> Option<f64>) -> Vec<f64> {
    group.members.iter().map(|member| of(member).unwrap()).collect()
}

/// V26, V27.
#[test]
fn rfc_5644_section_8_4() {
    let group = losses(&[0, 1, 3]);
    assert_eq!(ratios(&group, |member| member.loss_ratio), [0.0, 0.1, 0.3]);
    assert_eq!(group.loss_ratio, Some(2.0 / 15.0));
    assert_eq!(group.loss_ratio_range, Some((0.0, 0.3)));
    assert_eq!(ratios(&group, |member| member.comparative_loss_ratio), [0.0, 0.1, 0.3]);

    let group = losses(&[1, 2, 4]);
    assert_eq!(ratios(&group, |member| member.loss_ratio), [0.1, 0.2, 0.4]);
    assert_eq!(group.loss_ratio, Some(7.0 / 30.0));
    let comparative = [1.0 / 9.0, 2.0 / 9.0, 4.0 / 9.0];
    assert_eq!(ratios(&group, |member| member.comparative_loss_ratio), comparative);
}

#[test]
fn rfc_5644_sections_8_3_and_8_5() {
    let receiver = |lost, min, mean, quantile| {
        let delay = Delay { min: Nanos(min), mean, quantile: Nanos(quantile) };
        Receiver { sent: 10, lost, delay: Some(delay) }
    };
    let silent = Receiver { sent: 10, lost: 10, delay: None };
    let group = compare(&[
        receiver(0, 5, 10.0, 20),
        receiver(8, 30, 40.0, 100),
        receiver(0, 9, 10.0, 19),
        silent,
    ]);
    // The mean of all 22 delays would be 12.7.
    assert_eq!(group.mean_delay, Some(20.0));
    assert_eq!((group.mean_delay_range, group.mean_delay_max), (Some(30.0), Some(40.0)));
    let variations: Vec<_> = group.members.iter().map(|member| member.delay_variation).collect();
    assert_eq!(variations, [Some(Nanos(15)), Some(Nanos(70)), Some(Nanos(10)), None]);
    assert_eq!(group.delay_variation_range, Some(Nanos(60)));
}

#[test]
fn nobody_and_nothing() {
    assert_eq!(compare(&[]), Group::default());
    let group = losses(&[10, 10]);
    assert_eq!(group.loss_ratio, Some(1.0));
    assert_eq!((group.members[0].comparative_loss_ratio, group.mean_delay), (None, None));
    assert_eq!((joined(&[]), intersection(&[], &[0..1, 2..3])), (vec![], vec![]));
}

/// What all have lost.
fn common(receivers: &[Vec<Range<u64>>]) -> Vec<Range<u64>> {
    let all = receivers.iter().map(|lost| joined(lost));
    all.reduce(|common, lost| intersection(&common, &lost)).unwrap()
}

#[test]
fn losses_of_all_happened_upstream() {
    let receivers = [vec![3..6, 10..12], vec![4..8, 10..12, 20..21], vec![0..5, 11..30]];
    assert_eq!(common(&receivers), [4..5, 11..12]);
}

fn ranges() -> impl Strategy<Value = Vec<Range<u64>>> {
    prop::collection::vec((0u64..4, 0u64..6), 0..20).prop_map(|steps| {
        let mut at = 0;
        let lay = steps.into_iter().map(|(gap, len)| {
            let start = at + gap;
            at = start + len;
            start..at
        });
        lay.collect()
    })
}

fn numbers(ranges: &[Range<u64>]) -> BTreeSet<u64> {
    ranges.iter().cloned().flatten().collect()
}

proptest! {
    #[test]
    fn agrees_with_sets(receivers in prop::collection::vec(ranges(), 1..5)) {
        let sets: Vec<_> = receivers.iter().map(|lost| numbers(lost)).collect();
        let mut of_all = sets[0].clone();
        sets.iter().for_each(|set| of_all.retain(|seq| set.contains(seq)));
        prop_assert_eq!(numbers(&common(&receivers)), of_all);
    }
}
