use super::several::{Set, Several};
use super::*;
use crate::model::Observer;
use crate::model::drops::{LostBy, LostByInterval};
use crate::model::merged::MergedReport;
use crate::model::metrics::{Buckets, ClockRelation};
use crate::model::ping::PingReport;
use crate::model::report::StreamReport;
use crate::model::sample::{self, roundtrip};
use crate::model::spec::Role;
use crate::model::timeline::{Step, Timeline};
use crate::report::Subject;
use crate::report::answer::answer;
use crate::report::golden::written_at_end;
use crate::report::load::Saved;
use crate::report::merge::Merge;
use crate::units::Nanos;

/// What is written of anything.
fn written<T: Subject>(subject: &T) -> String {
    written_at_end("html", subject)
}

/// The same run with its steps over time, and without.
fn timed(report: &RunReport) -> RunReport {
    RunReport { timeline: sample::timeline(report.trial.spec.role), ..report.clone() }
}

/// It is whole, loads nothing and divides by nothing.
#[track_caller]
fn check(page: &str) {
    for nonsense in ["NaN", "inf ", "inf<", "null", "://", "<script", "url(", "src="] {
        assert!(!page.contains(nonsense), "{nonsense}");
    }
    for tag in ["section", "figure", "svg", "table", "div", "dl", "ul", "li", "details"] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert_eq!(page.matches("<svg").count(), page.matches("<desc").count());
}

#[test]
fn every_run_has_a_page_with_intervals_and_without() {
    for report in sample::all() {
        for page in [written(&timed(&report)), written(&report)] {
            check(&page);
            let (word, _) = verdict::in_words(&report);
            let verdict = page.find(&format!("<b>{word}</b>")).unwrap();
            let ledger = page.find("<h2>Ledger</h2>").unwrap();
            assert!(verdict < ledger && ledger < page.find("<h2>Take it again</h2>").unwrap());
            assert!(page.contains(&format!("<pre>{}</pre>", report.command)));
        }
    }
}

/// What was measured is saved, and read back it makes the same page.
#[test]
fn a_saved_result_has_the_page_that_it_had_at_once() {
    for report in sample::all().iter().map(timed) {
        let saved = written_at_end("json", &report);
        let read: RunReport = serde_json::from_str(&saved).unwrap();
        assert_eq!(written(&read), written(&report));
    }
}

#[test]
fn a_result_without_steps_says_so() {
    let mut report = timed(&sample::run());
    assert!(!written(&report).contains("does not say what happened when"));
    report.timeline.clear();
    assert!(written(&report).contains("does not say what happened when"));
}

#[test]
fn what_a_trial_found_is_drawn() {
    let page = written(&timed(&sample::lossy()));
    for title in [
        "Datagrams a second",
        "Datagrams found to be lost a second",
        "One-way delay over time",
        "Delay by percentile",
        "How many datagrams in a row were lost",
        "Gaps between datagrams",
    ] {
        assert!(page.contains(&format!("<strong>{title}</strong>")), "{title}");
    }
    assert!(page.contains("lost by own socket 91") && page.contains("lost elsewhere 269"));
}

#[test]
fn the_answer_of_a_preset_stands_below_the_verdict() {
    let mut report = sample::limited();
    report.answer = Some(answer("iptv-hd", Some("television"), &report));
    let page = written(&report);
    let said = page.find("Not fit for television, because ").unwrap();
    assert!(page.find("<b>iptv-hd</b>").unwrap() < said);
    assert!(page.find("class=\"verdict").unwrap() < said && said < page.find("<h2>").unwrap());
}

#[test]
fn names_from_outside_stay_text() {
    let mut report = sample::many_streams();
    let evil = "<img src=x onerror=alert(1)>\"'&";
    report.command = evil.into();
    report.environment.host = Some(evil.into());
    for stream in &mut report.trial.streams {
        stream.session = evil.into();
    }
    let page = written(&timed(&report));
    assert!(!page.contains("<img"));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"));
}

/// A file may say anything that its types can hold.
#[test]
fn numbers_beyond_belief_are_no_harm() {
    const MOST: u64 = u64::MAX;
    let mut report = timed(&sample::lossy());
    let trial = &mut report.trial;
    let totals = trial.totals.as_mut().unwrap();
    totals.lost_by = LostBy { receiver_socket: MOST, receiver_host: MOST, elsewhere: MOST };
    (totals.forwarding_rate_pps, totals.payload_bytes) = (f64::MAX, MOST);
    let patterns = trial.patterns.as_mut().unwrap();
    let buckets = vec![(0, MOST), (1, MOST), (MOST - 1, MOST), (MOST, MOST)];
    let wild = Buckets { count: MOST, p50: None, p99: Some(0), max: Some(MOST), buckets };
    (patterns.loss_period, patterns.inter_arrival_ns) = (wild.clone(), wild);
    let mut step = report.timeline[0].clone();
    (step.offered, step.received) = (Some(MOST), Some(MOST));
    step.lost_by =
        LostByInterval { receiver_socket: i64::MAX, receiver_host: i64::MIN, elsewhere: 9 };
    step.delays_hdr.record_n(1, MOST).unwrap();
    let wild =
        |start, length| Step { start_ns: Nanos(start), length_ns: Nanos(length), ..step.clone() };
    for duration in [0, 1, MOST] {
        report.trial.duration_ns = Nanos(duration);
        assert!(written(&report).ends_with("</html>\n"));
        report.trial.streams[0].lost_ranges[0].at_ns = Nanos(MOST);
        assert!(written(&report).ends_with("</html>\n"));
    }
    for steps in [vec![wild(0, 0)], vec![wild(MOST, MOST), wild(0, 1), wild(3, MOST), wild(7, 1)]] {
        report.timeline = steps;
        assert!(written(&report).ends_with("</html>\n"));
    }
}

#[test]
fn round_trips_have_a_page() {
    for report in [roundtrip::ping(), roundtrip::ping_alone()] {
        let page = written::<PingReport>(&report);
        check(&page);
        assert!(page.contains("<h2>Replies</h2>"));
    }
}

/// What is said of a curve of the first chart of delays.
fn said(page: &str, curve: &str) -> String {
    let (_, said) = page.split_once(&format!("{curve}: of those that came")).unwrap();
    said.split([';', '<']).next().unwrap().to_owned()
}

/// As the table below them does: what is lost has no time on either way, and no delay of either kind of clock.
#[test]
fn a_curve_ends_with_the_lost_ones_of_its_own() {
    let page = written(&roundtrip::ping());
    assert!(said(&page, "kernel RTT").contains(" lost") && said(&page, "RTT").contains(" lost"));
    assert!(!said(&page, "turnaround").contains(" lost"));
    let mut report = sample::lossy();
    let relative = sample::apart().trial.relative_delay_ns;
    report.trial.relative_delay_ns = relative;
    report.trial.streams.iter_mut().for_each(|stream| stream.lost = 0);
    report.trial.streams[0].lost = 360;
    assert!(said(&written(&report), "one-way delay").contains(" lost"));
    report.trial.streams[0].clock.relation = ClockRelation::Apart;
    let page = written(&report);
    assert!(!said(&page, "one-way delay").contains(" lost"));
    assert!(said(&page, "delay above the shortest").contains(" lost"));
}

fn set(name: &str, reports: &[RunReport]) -> Set {
    let mut set = Set::new(name.into());
    for (number, report) in reports.iter().enumerate() {
        let file = format!("{name}/{number}.json");
        set.add(&Saved { file, report: report.clone() }).unwrap();
    }
    set
}

#[test]
fn several_results_stand_beside_each_other_with_their_spread() {
    let slow = |typical| {
        let mut report = sample::run();
        report.trial.one_way_delay_ns = Some(sample::typical_delay(1_000_000, typical));
        report
    };
    let sets = vec![
        set("before", &[slow(10_000), slow(12_000), slow(11_000)]),
        set("now", &[slow(30_000), slow(33_000)]),
        set("<b>lossy", &[sample::lossy(), sample::nothing()]),
    ];
    let several = Several::of(sets, 0.05, "mcast-bench report html before now").unwrap();
    let page = written(&several);
    check(&page);
    assert!(page.contains("<b>B to A: WORSE</b>") && page.contains("<b>C to A: WORSE</b>"));
    assert!(page.contains("2 runs of C INVALID"), "{page}");
    assert!(page.contains("A: before, 3 runs") && page.contains("C: &lt;b&gt;lossy, 2 runs"));
    assert!(page.contains(" .. ") && page.contains("WORSE, ×"));
}

fn merged(reports: &[RunReport]) -> MergedReport {
    let mut merge = Merge::default();
    for (number, report) in reports.iter().enumerate() {
        let saved = Saved { file: format!("results/{number}.json"), report: report.clone() };
        merge.add(saved).unwrap();
    }
    merge.skip("<b>.json".into(), "<b>.json is empty".into());
    merge.finish("mcast-bench report merge results/ --keep-going".into())
}

#[test]
fn receivers_that_were_merged_have_a_page() {
    let senders = [sample::sender_only()];
    let both = [sample::received(1_000, &[3, 4]), sample::received(1_000, &[4]), sample::run()];
    for (reports, section) in [
        (&both[..], "<h2>Losses by receiver</h2>"),
        (&senders[..], "<h2>Senders</h2>"),
        (&[sample::nothing()], "<h2>Ledger of the group</h2>"),
        (&[sample::all_lost(), sample::one()], "<h2>Ledger of the group</h2>"),
        (&[sample::apart(), sample::many_streams()], "<h2>Streams</h2>"),
    ] {
        let page = written(&merged(reports));
        check(&page);
        assert!(page.contains(section) && page.contains("&lt;b&gt;.json is empty"), "{section}");
    }
    let page = written(&merged(&both));
    assert!(page.contains("lost by all") && page.contains("<strong>Delay by percentile</strong>"));
}

/// An hour of seconds with delays all over the place, and a hundred streams that all lost.
#[test]
fn an_hour_with_a_hundred_streams_is_below_two_megabytes() {
    let mut report = sample::lossy();
    let stream = report.trial.streams[2].clone();
    let streams = (0..100).map(|number| StreamReport { stream: number, ..stream.clone() });
    report.trial.streams = streams.collect();
    let mut timeline = Timeline::default();
    let mut interval = sample::intervals(Role::Run).remove(0);
    for index in 0..3_600 {
        (interval.index, interval.start) = (index, Nanos(index * Nanos::SECOND.0));
        let receiver = interval.receiver.as_mut().unwrap();
        receiver.one_way_delay.clear();
        for number in 0..200 {
            // In all classes from 1 µs to 65 ms, each as often as the others.
            let class = (index * 7_919 + number * 104_729) % 256;
            let delay = (1_000 << (class / 16)) * (16 + class % 16) / 16;
            receiver.one_way_delay.record(Nanos(0), Nanos(delay));
        }
        timeline.on_interval(&interval);
    }
    let bytes = |report: &RunReport| written_at_end("json", report).len();
    let before = bytes(&report);
    report.timeline = timeline.into_steps();
    let page = written(&report);
    check(&page);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let grown = bytes(&report) - before;
    assert!(grown < 100_000, "the JSON grows by {grown} bytes");
}
