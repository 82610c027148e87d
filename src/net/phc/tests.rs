use super::*;

const EPOCH: u64 = 1_760_000_000 * Nanos::SECOND.0;

/// TAI is 37 s ahead of UTC.
const TAI: u64 = 37 * Nanos::SECOND.0;

/// `after` the epoch by the card's clock, the offset being that of TAI and `drift`.
fn mark(after: u64, drift: i64, error: u64) -> Mark {
    let phc = EPOCH + TAI + after;
    let realtime = Nanos((phc - TAI).wrapping_add_signed(drift));
    Mark { phc: Nanos(phc), realtime, error: Nanos(error) }
}

#[test]
fn the_closest_bracket_is_taken_and_its_half_is_the_error() {
    let reading = |before, phc, after| Reading {
        before: Nanos(before),
        phc: Nanos(phc),
        after: Nanos(after),
    };
    let readings = [reading(100, 7, 200), reading(300, 8, 305), reading(400, 9, 500)];
    let mark = Mark { phc: Nanos(8), realtime: Nanos(302), error: Nanos(3) };
    assert_eq!(Mark::of(&readings), Some(mark));
    assert_eq!(Mark::of(&[]), None);
    assert_eq!(Mark::of(&[reading(300, 8, 299)]), None, "the wall clock was set back meanwhile");
}

#[test]
fn a_constant_offset_is_taken_off() {
    let line = Line::through(&mark(0, 0, 10), &mark(1_000_000_000, 0, 10));
    for after in [0, 1, 999_999_999, 86_400_000_000_000] {
        assert_eq!(line.realtime(Nanos(EPOCH + TAI + after)), Nanos(EPOCH + after));
    }
}

/// A clock that counts from its own start is ahead or behind by decades.
#[test]
fn a_clock_that_never_was_set_is_converted_too() {
    let at = |phc: u64| Mark { phc: Nanos(phc), realtime: Nanos(EPOCH + phc), error: Nanos(1) };
    let line = Line::through(&at(5), &at(1_000_000_005));
    assert_eq!(line.realtime(Nanos(3)), Nanos(EPOCH + 3));
}

/// A free-running oscillator of 50 ppm: without the rate a stamp after a second would be 50 us off.
#[test]
fn drift_is_followed() {
    let mut follower = Follower::new(&mark(0, 0, 40), mark(50_000_000, 2_500, 40));
    for second in 1..60i64 {
        follower.observe(mark(second as u64 * 1_000_000_000, second * 50_000, 40));
    }
    assert!(follower.worst <= Nanos(42), "{}", follower.worst);
    let converted = follower.line.realtime(Nanos(EPOCH + TAI + 60_000_000_000));
    assert!(converted.0.abs_diff(EPOCH + 60_000_000_000 + 60 * 50_000) <= 2);
}

#[test]
fn a_step_is_an_error_and_no_rate() {
    let mut follower = Follower::new(&mark(0, 0, 40), mark(50_000_000, 0, 40));
    follower.observe(mark(1_000_000_000, 5_000_000, 30));
    assert_eq!(follower.worst, Nanos(5_000_030));
    assert_eq!(follower.line.rate, 0);
    let back = Line::through(&mark(2_000, 0, 1), &mark(1_000, 0, 1));
    assert_eq!(back.rate, 0, "the card's clock was set back");
}

#[test]
fn a_shared_line_is_never_half_of_one_and_half_of_another() {
    let line = |n: i64| Line { phc: n as u64, offset: n, rate: n };
    let shared = SharedLine::new(line(0));
    std::thread::scope(|scope| {
        scope.spawn(|| (1..200_000).for_each(|n| shared.publish(line(n))));
        for _ in 0..200_000 {
            if let Some(read) = shared.line() {
                assert_eq!(read, line(read.offset));
            }
        }
    });
    assert_eq!(shared.line(), Some(line(199_999)));
}

#[test]
fn a_clock_that_is_not_there_is_refused() {
    assert_eq!(Phc::open(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
}
