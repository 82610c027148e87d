use super::*;
use crate::model::sample;
use crate::report::golden::check_human;
use crate::report::schema::check_compared;

/// A run that offered so much, lost so many of a million, and took about so long.
fn run(offered_pps: f64, lost: u64, typical_delay: u64) -> Run {
    Run::of(&Saved { file: "run.json".into(), report: report(offered_pps, lost, typical_delay) })
        .unwrap()
}

fn report(offered_pps: f64, lost: u64, typical_delay: u64) -> RunReport {
    let mut report = sample::run();
    report.trial.sender.as_mut().unwrap().offered_load_pps = offered_pps;
    let totals = report.trial.totals.as_mut().unwrap();
    (totals.lost, totals.loss_ratio) = (lost, Some(lost as f64 / 1e6));
    report.trial.one_way_delay_ns = Some(sample::typical_delay(1_000_000 - lost, typical_delay));
    report
}

fn compared(a: &[Run], b: &[Run], tolerance: f64) -> Comparison {
    let command = "mcast-bench report compare before after".into();
    let compared = compare(("before".into(), a), ("after".into(), b), tolerance, command).unwrap();
    check_compared(&compared);
    compared
}

fn verdict(compared: &Comparison, quantity: &str) -> Change {
    compared.lines.iter().find(|line| line.quantity == quantity).unwrap().verdict
}

#[test]
fn all_runs_of_one_beyond_all_of_the_other() {
    for (a, b, expected) in [
        (&[1.0, 2.0, 3.0][..], &[4.0, 5.0, 6.0][..], Some(1)),
        (&[4.0, 5.0], &[1.0, 3.9], Some(-1)),
        (&[1.0, 2.0, 4.0], &[4.0, 5.0, 6.0], Some(0)),
        (&[1.0, 1.0], &[1.0005, 1.0005], Some(0)),
        (&[0.0, 0.0], &[0.0, 0.0], Some(0)),
        (&[1.0, 2.0], &[f64::INFINITY, f64::INFINITY], Some(1)),
        (&[1.0, f64::INFINITY], &[f64::INFINITY, f64::INFINITY], None),
        (&[], &[1.0, 2.0], None),
    ] {
        assert_eq!(change(a, b, 0.05), expected, "{a:?} {b:?}");
    }
}

#[test]
fn a_single_run_has_no_spread_but_a_tolerance() {
    assert_eq!(change(&[100.0], &[104.9], 0.05), Some(0));
    assert_eq!(change(&[100.0], &[105.1], 0.05), Some(1));
    assert_eq!(change(&[100.0], &[94.9], 0.05), Some(-1));
    // Against several it must be beyond both.
    assert_eq!(change(&[100.0], &[101.0, 110.0, 120.0], 0.2), Some(0));
    assert_eq!(change(&[100.0], &[99.0, 110.0, 120.0], 0.05), Some(0));
    // No share of nothing is large enough.
    assert_eq!(change(&[0.0], &[0.000_1], 0.05), Some(1));
}

#[test]
fn each_quantity_has_its_better_side() {
    let before = [run(90e3, 0, 12_000), run(91e3, 10, 12_100)];
    let after = [run(99e3, 500, 20_000), run(98e3, 400, 21_000)];
    let compared = compared(&before, &after, 0.05);
    assert_eq!(verdict(&compared, "offered load"), Change::Better);
    assert_eq!(verdict(&compared, "loss ratio"), Change::Worse);
    assert_eq!(verdict(&compared, "reordered ratio"), Change::Same);
    assert_eq!(verdict(&compared, "delay p50"), Change::Worse);
    assert!(compared.worse);
    assert!(
        !compare((String::new(), &after), (String::new(), &before), 0.0, String::new())
            .unwrap()
            .lines
            .iter()
            .any(|line| line.verdict == Change::Worse && line.quantity != "offered load")
    );
}

/// RFC 7679 section 5.1.
#[test]
fn percentiles_that_reach_into_the_lost_are_infinite() {
    let compared = compared(&[run(1e5, 0, 12_000)], &[run(1e5, 2_000, 12_000)], 0.05);
    let line = compared.lines.iter().find(|line| line.quantity == "delay p99.9").unwrap();
    assert_eq!(line.b.unwrap().median, Value::from(f64::INFINITY));
    assert_eq!((line.ratio, line.verdict), (None, Change::Worse));
    assert_eq!(verdict(&compared, "delay p99"), Change::Same);
}

#[test]
fn more_invalid_runs_are_worse() {
    let invalid = || Run { valid: false, ..run(1e5, 0, 12_000) };
    let valid = || run(1e5, 0, 12_000);
    assert!(compared(&[valid(), valid()], &[valid(), invalid()], 0.05).worse);
    assert!(!compared(&[invalid()], &[valid(), invalid()], 0.05).worse);
}

#[test]
fn what_differs_is_named() {
    let mut other = report(1e5, 0, 12_000);
    other.trial.spec.engine = "gso".into();
    let other = Run::of(&Saved { file: "b".into(), report: other }).unwrap();
    let compared = compared(&[run(1e5, 0, 12_000)], &[other], 0.05);
    let engine =
        Difference { what: "engine".into(), a: vec!["mmsg".into()], b: vec!["gso".into()] };
    assert_eq!(compared.differences, [engine]);
}

#[test]
fn sides_without_runs_are_refused() {
    let error = compare(("a".into(), &[]), ("b".into(), &[]), 0.0, String::new()).unwrap_err();
    assert_eq!(error.to_string(), "a holds no run");
}

#[test]
fn human_output() {
    let before = [run(99_980.0, 0, 12_000), run(99_990.0, 3, 12_200), run(99_995.0, 0, 12_400)];
    let after =
        [run(99_985.0, 400, 19_000), run(99_970.0, 310, 20_000), run(99_991.0, 395, 18_500)];
    check_human("human_compared", &compared(&before, &after, 0.05));
    let mut other = report(150_000.0, 2_000, 11_000);
    other.trial.spec.engine = "gso".into();
    (other.trial.valid, other.trial.one_way_delay_ns) = (false, None);
    let other = Run::of(&Saved { file: "b".into(), report: other }).unwrap();
    check_human("human_compared_single", &compared(&before[..1], &[other], 0.05));
}
