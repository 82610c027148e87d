use super::*;
use crate::model::sample;

/// What is written of a run, with or without its intervals.
fn page(report: &RunReport, with_intervals: bool) -> String {
    let mut timeline = Timeline::default();
    if with_intervals {
        sample::intervals(report.trial.spec.role)
            .iter()
            .for_each(|interval| timeline.push(interval));
    }
    render(report, &timeline).unwrap()
}

#[test]
fn every_run_has_a_page_without_numbers_that_are_none() {
    for report in sample::all() {
        for page in [page(&report, true), page(&report, false)] {
            for nonsense in ["NaN", "inf ", "inf<", "null", "http://", "https://", "<script"] {
                assert!(!page.contains(nonsense), "{nonsense} in {}", report.command);
            }
            assert_eq!(page.matches("<section>").count(), page.matches("</section>").count());
            assert!(page.contains("<h2>Take it again</h2>"));
        }
    }
}
