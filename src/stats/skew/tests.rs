use super::*;
use proptest::prelude::*;

fn points(points: &[(u64, i64)]) -> Vec<Point> {
    points.iter().map(|&(at, delay)| Point { sent_at: Nanos(at), delay }).collect()
}

fn hull_of(points: &[Point]) -> LowerHull {
    let mut hull = LowerHull::new(1024);
    points.iter().for_each(|&point| hull.push(point));
    hull
}

/// How far a delay is above the line.
fn above(line: &Line, point: Point) -> i64 {
    point.delay.saturating_sub(line.delay_at(point.sent_at))
}

/// Corners of the hull, the line's slope and its height at zero, and how far each delay is above it.
fn check(
    delays: &[(u64, i64)],
    corners: &[(u64, i64)],
    slope: f64,
    intercept: i64,
    residuals: &[i64],
) {
    let delays = points(delays);
    let hull = hull_of(&delays);
    assert_eq!(hull.points, points(corners));
    let line = hull.line().unwrap();
    assert_eq!((line.slope(), line.delay_at(Nanos(0))), (slope, intercept));
    let seen: Vec<_> = delays.iter().map(|&point| above(&line, point)).collect();
    assert_eq!(seen, residuals);
}

/// V77, V78.
#[test]
fn convex_hull_of_zhang_liu_xia() {
    check(
        &[(0, 10), (1, 15), (2, 12), (3, 18), (4, 14), (5, 30), (6, 16)],
        &[(0, 10), (6, 16)],
        1.0,
        10,
        &[0, 4, 0, 5, 0, 15, 0],
    );
    check(
        &[(0, 100), (10, 140), (20, 103), (30, 160), (40, 104), (50, 130), (60, 110)],
        &[(0, 100), (40, 104), (60, 110)],
        0.1,
        100,
        &[0, 39, 1, 57, 0, 25, 4],
    );
}

#[test]
fn one_delay_is_no_line() {
    assert_eq!(hull_of(&[]).line(), None);
    assert_eq!(hull_of(&points(&[(5, 9), (5, 7), (5, 8), (4, 1)])).line(), None);
}

/// A parabola has no straight piece: each of its points is a corner.
#[test]
fn corners_are_bounded() {
    let mut hull = LowerHull::new(64);
    (0..100_000).for_each(|at| hull.push(Point { sent_at: Nanos(at), delay: (at * at) as i64 }));
    assert!(hull.points.len() <= 64);
    assert_eq!(hull.points[0].sent_at, Nanos(0));
    let slope = hull.line().unwrap().slope();
    assert!((slope - 100_000.0).abs() < 10_000.0, "{slope} at the middle");
}

/// A delay every millisecond for so many seconds: constant, with noise above it, and skewed clocks.
fn run(estimator: &mut SkewEstimator, seconds: std::ops::Range<u64>, ppm: i64, offset: i64) {
    for ms in seconds.start * 1000..seconds.end * 1000 {
        let noise = (ms * 7919 % 1000 * 1000) as i64;
        let delay = offset + ms as i64 * ppm + noise;
        estimator.observe(Point { sent_at: Nanos(ms * 1_000_000), delay });
    }
}

/// V79: 50 ppm.
#[test]
fn rfc_5481_section_6_3() {
    let mut estimator = SkewEstimator::new(Nanos::SECOND, Nanos::MILLISECOND);
    run(&mut estimator, 0..60, 50, -7_000_000);
    estimator.finish();
    let line = estimator.line().unwrap();
    assert!((line.slope() - 50e-6).abs() < 1e-6, "{}", line.slope());
    let drift = line.delay_at(Nanos(60 * Nanos::SECOND.0)) - line.delay_at(Nanos(0));
    assert!((drift - 3_000_000).abs() < 60_000, "{drift}");
    assert_eq!(estimator.steps(), (0, 0));
}

#[test]
fn a_step_begins_anew() {
    let mut estimator = SkewEstimator::new(Nanos::SECOND, Nanos::MILLISECOND);
    run(&mut estimator, 0..20, 50, 0);
    run(&mut estimator, 20..40, 50, -30_000_000);
    estimator.finish();
    let (steps, largest) = estimator.steps();
    assert_eq!(steps, 1);
    assert!((largest + 30_000_000).abs() < 1_000_000, "{largest}");
    assert!((estimator.line().unwrap().slope() - 50e-6).abs() < 1e-6);
}

#[test]
fn one_bad_bin_is_no_step() {
    let mut estimator = SkewEstimator::new(Nanos::SECOND, Nanos::MILLISECOND);
    run(&mut estimator, 0..20, 0, 0);
    run(&mut estimator, 20..21, 0, 50_000_000);
    run(&mut estimator, 21..40, 0, 0);
    estimator.finish();
    assert_eq!(estimator.steps(), (0, 0));
    assert!(estimator.line().unwrap().slope().abs() < 1e-6);
}

proptest! {
    /// The line lies below all delays, and no line through two of them that does so is closer to them.
    #[test]
    fn is_the_best_line_below(steps in prop::collection::vec((1u64..50, -1000i64..1000), 2..25)) {
        let mut at = 0;
        let delays: Vec<_> = steps
            .into_iter()
            .map(|(gap, delay)| {
                at += gap;
                Point { sent_at: Nanos(at), delay }
            })
            .collect();
        let sum = |line: &Line| {
            let above = |point: &Point| {
                let along = (point.sent_at.0 as f64) - (line.from.sent_at.0 as f64);
                point.delay as f64 - line.from.delay as f64 - line.slope() * along
            };
            let all: Vec<f64> = delays.iter().map(above).collect();
            all.iter().all(|above| *above >= -1e-6).then(|| all.iter().sum::<f64>())
        };
        let best = sum(&hull_of(&delays).line().unwrap());
        prop_assert!(best.is_some());
        for (at, &from) in delays.iter().enumerate() {
            for &to in &delays[at + 1..] {
                if let Some(other) = sum(&Line { from, to }) {
                    prop_assert!(best.is_some_and(|best| best <= other + 1e-6), "{best:?} {other}");
                }
            }
        }
    }

    /// Whatever comes, nothing panics.
    #[test]
    fn survives_anything(delays in prop::collection::vec(any::<(u64, i64)>(), 0..60), bin in 1u64..1 << 60) {
        let mut estimator = SkewEstimator::new(Nanos(bin), Nanos(bin));
        let mut hull = LowerHull::new(4);
        for point in points(&delays) {
            estimator.observe(point);
            hull.push(point);
            if let Some(line) = hull.line() {
                above(&line, point);
            }
        }
        estimator.finish();
        prop_assert!(hull.points.len() <= 4);
    }
}
