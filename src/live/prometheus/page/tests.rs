use super::*;
use crate::model::sample;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;
use proptest::prelude::*;

fn shown(role: Role) -> Totals {
    let mut totals = Totals::new(&sample::spec(role));
    totals.start(sample::STARTED_AT);
    sample::intervals(role).iter().for_each(|interval| totals.add(interval));
    totals
}

fn check(name: &str, totals: &Totals) {
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    let text = page(totals).replace(version, "version=\"1.2.3\"");
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        snapshot_path => "../../snapshots",
        omit_expression => true,
    }, { insta::assert_snapshot!(format!("prometheus_{name}"), text) });
}

#[test]
fn before_the_trial() {
    let start_at_ns = Some(sample::STARTED_AT);
    check("before", &Totals::new(&TrialSpec { start_at_ns, ..sample::spec(Role::Send) }));
    let page = page(&Totals::new(&sample::spec(Role::Recv)));
    assert!(!page.contains("start_time") && page.contains("_trial_waiting 1\n"), "{page}");
}

#[test]
fn while_it_runs() {
    check("run", &shown(Role::Run));
}

#[test]
fn after_a_trial_that_is_not_valid() {
    let mut totals = shown(Role::Send);
    let mut report = sample::lossy();
    report.limits = sample::limited().limits;
    totals.finish(&report);
    let text = page(&totals);
    for line in [
        "mcast_bench_trial_running 0\n",
        "mcast_bench_trial_valid 0\n",
        "mcast_bench_trial_invalid_reason{reason=\"apparatus_dropped\"} 1\n",
        "mcast_bench_trial_invalid_reason{reason=\"stalled\"} 1\n",
        "mcast_bench_limit_held{limit=\"",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}

#[test]
fn the_bounds_are_those_of_the_preferred_numbers() {
    assert_eq!(BOUNDS[..4], [1_000, 2_500, 5_000, 10_000]);
    assert_eq!(BOUNDS[BOUNDS.len() - 1], 10_000_000_000);
}

#[test]
fn a_bucket_holds_its_upper_bound() {
    let mut latency = Latency::new();
    for delay in [1_000, 2_500, 5_000, 5_010] {
        latency.record(Nanos(0), Nanos(delay));
    }
    let histogram = buckets(&latency);
    let counts: Vec<_> = histogram.get_bucket().iter().map(Bucket::cumulative_count).collect();
    assert_eq!((&counts[..4], counts[21]), (&[1, 2, 3, 4][..], 4));
    assert_eq!(histogram.get_sample_count(), 4);
    assert!((histogram.get_sample_sum() - 13.51e-6).abs() < 0.01e-6);
}

proptest! {
    #[test]
    fn buckets_count_what_is_below(delays in prop::collection::vec(0u64..20_000_000_000, 0..200)) {
        let mut latency = Latency::new();
        delays.iter().for_each(|&delay| latency.record(Nanos(0), Nanos(delay)));
        let histogram = buckets(&latency);
        // To the three digits that histograms keep.
        for (bucket, &bound) in histogram.get_bucket().iter().zip(&BOUNDS) {
            let below = |bound| delays.iter().filter(|&&delay| delay <= bound).count() as u64;
            let count = bucket.cumulative_count();
            prop_assert!((below(bound)..=below(bound + bound / 1000)).contains(&count));
        }
        let sum: f64 = delays.iter().map(|&delay| delay as f64 / 1e9).sum();
        prop_assert!((histogram.get_sample_sum() - sum).abs() <= sum / 1000.0);
    }
}
