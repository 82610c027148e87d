use super::*;
use crate::stats::latency::Latency;
use proptest::prelude::*;

/// Delays in sending order, `None` for lost, arriving in that order a second apart.
fn follow(delays: &[Option<u64>]) -> (Ipdv, CoarseHistogram, Latency) {
    let mut ipdv = Ipdv::new();
    let mut magnitudes = magnitudes();
    let mut latency = Latency::new();
    for (seq, delay) in (0..).zip(delays) {
        let Some(delay) = delay else { continue };
        let due_at = Nanos(seq * Nanos::SECOND.0);
        let received_at = due_at + Nanos(*delay);
        ipdv.observe(seq, due_at, received_at, &mut magnitudes);
        latency.record(due_at, received_at);
    }
    (ipdv, magnitudes, latency)
}

/// All magnitudes, ascending; exact up to 255.
fn recorded(magnitudes: &CoarseHistogram) -> Vec<u64> {
    magnitudes
        .iter_recorded()
        .flat_map(|step| vec![step.value_iterated_to(); step.count_at_value() as usize])
        .collect()
}

/// The IPDV and, at these percentiles, the PDV of some delays.
fn check(delays: &[Option<u64>], ipdv: &[i64], pdv_at: &[(u32, u64)]) {
    let (measured, magnitudes, latency) = follow(delays);
    let mut expected: Vec<_> = ipdv.iter().map(|ipdv| ipdv.unsigned_abs()).collect();
    expected.sort_unstable();
    assert_eq!(recorded(&magnitudes), expected, "{delays:?}");
    assert_eq!(measured.sums().sum, i128::from(ipdv.iter().sum::<i64>()), "{delays:?}");
    let range = ipdv.iter().min().copied().zip(ipdv.iter().max().copied());
    assert_eq!(measured.sums().range(), range, "{delays:?}");
    for &(percent, expected) in pdv_at {
        assert_eq!(
            pdv(&latency.read(), percent * 1_000, 0),
            Some(Nanos(expected)),
            "{percent} % of {delays:?}"
        );
    }
}

/// V33 to V36. Figure 2 example B prints an IPDV of -10 for its sixth packet; 100 - 120 is -20.
#[test]
fn rfc_5481_figures_1_to_3() {
    let all = |delays: &[u64]| delays.iter().copied().map(Some).collect::<Vec<_>>();
    let figure_1 = all(&[20, 10, 20, 25, 20]);
    // PDV 10 0 10 15 10
    check(&figure_1, &[-10, 10, 5, -5], &[(20, 0), (50, 10), (80, 10), (100, 15)]);

    let figure_2_a = all(&[100, 110, 120, 130, 140, 150, 140, 130, 120, 110, 100]);
    let ipdv = [10, 10, 10, 10, 10, -10, -10, -10, -10, -10];
    check(&figure_2_a, &ipdv, &[(0, 0), (50, 20), (100, 50)]);

    let mut figure_2_b = all(&[100, 110, 150, 0, 120, 100, 110, 150, 130, 120, 100]);
    figure_2_b[3] = None;
    // PDV 0 10 50 - 20 0 10 50 30 20 0
    let ipdv = [10, 40, -20, 10, 40, -20, -10, -20];
    check(&figure_2_b, &ipdv, &[(30, 0), (50, 10), (70, 20), (80, 30), (90, 50)]);

    let every_second = [3, 5, 4, 3, 4];
    let figure_3: Vec<_> = every_second.into_iter().flat_map(|delay| [Some(delay), None]).collect();
    // PDV 0 - 2 - 1 - 0 - 1
    check(&figure_3, &[], &[(40, 0), (80, 1), (100, 2)]);
}

/// V38: a burst that a queue spreads out.
#[test]
fn rfc_5481_section_5_2() {
    let delays: Vec<_> = [0, 85, 65, 45, 25, 5, 0].into_iter().map(Some).collect();
    check(&delays, &[85, -20, -20, -20, -20, -5], &[(50, 25), (100, 85)]);
    assert_eq!(follow(&delays).0.sums().mean(), Some(0.0));
}

/// V79: with clocks 50 ppm apart, constant delays seem to vary.
#[test]
fn rfc_5481_section_6_3() {
    let delays: Vec<_> = (0..=60).map(|second| Some(1_000_000 + second * 50_000)).collect();
    let (ipdv, _, latency) = follow(&delays);
    assert_eq!(pdv(&latency.read(), 100_000, 0), Some(Nanos(3_000_000)));
    assert_eq!(ipdv.sums().range(), Some((50_000, 50_000)));
    assert_eq!(ipdv.sums().mean(), Some(50_000.0));
}

#[test]
fn nothing_came() {
    assert_eq!(pdv(&Latency::new().read(), 99_900, 0), None);
    assert_eq!((Ipdv::new().sums().range(), Ipdv::new().sums().mean()), (None, None));
}

/// Send and receive times into J and what RTP would report.
fn jitter(arrivals: impl IntoIterator<Item = (u64, u64)>) -> Vec<(f64, u64)> {
    let mut jitter = RtpJitter::default();
    let arrivals = arrivals.into_iter();
    arrivals
        .map(|(sent_at, received_at)| {
            jitter.observe(Nanos(sent_at), Nanos(received_at));
            (jitter.exact(), jitter.reported())
        })
        .collect()
}

/// V39.
#[test]
fn rfc_3550_section_6_4_1() {
    let sent = [0, 160, 320, 480, 640, 800];
    let received = [1000, 1160, 1336, 1480, 1640, 1832];
    let expected =
        [(0.0, 0), (0.0, 0), (1.0, 1), (1.9375, 1), (1.816_406_25, 1), (3.702_880_859_375, 3)];
    assert_eq!(jitter(sent.into_iter().zip(received)), expected);
}

/// V40: the transit time alternates between 100 and 116.
#[test]
fn rfc_3550_section_a_8() {
    let after: Vec<_> = jitter((0..101).map(|n| (n * 1000, n * 1000 + 100 + n % 2 * 16)));
    let exact: Vec<_> = after[..6].iter().map(|(exact, _)| *exact).collect();
    let first = [0.0, 1.0, 1.9375, 2.816_406_25, 3.640_380_859_375, 4.412_857_055_664_062_5];
    assert_eq!(exact, first);
    let (exact, reported) = after[100];
    assert!((exact - 15.974_808_871_535_77).abs() < 1e-12, "{exact}");
    assert_eq!(reported, 15);
}

/// V41: the arrivals of RFC 4737 section 7.1, in their order. Transit 68 ms, for number 4 150 ms.
#[test]
fn rfc_3550_on_rfc_4737_section_7_1() {
    let numbers = [1, 2, 3, 5, 6, 7, 8, 4, 9, 10];
    let received = [68, 88, 108, 148, 168, 188, 208, 210, 228, 248];
    let sent = numbers.map(|seq| (seq - 1) * 20);
    let exact: Vec<_> = jitter(sent.into_iter().zip(received)).iter().map(|j| j.0).collect();
    assert_eq!(exact[..7], [0.0; 7]);
    assert_eq!(exact[7..], [5.125, 9.929_687_5, 9.309_082_031_25]);
}

proptest! {
    /// In whatever order they come, pairs go by number; what is reordered by less than 64 is all there.
    #[test]
    fn pairs_go_by_number(fates in prop::collection::vec((0u64..60, 0u8..10, 0u64..250), 2..200)) {
        let mut came = Vec::new();
        for (seq, (late, fate, delay)) in (0..).zip(fates) {
            if fate > 0 {
                came.push((seq + late, seq, delay));
            }
        }
        let mut expected: Vec<_> = came
            .windows(2)
            .filter(|pair| pair[1].1 == pair[0].1 + 1)
            .map(|pair| pair[1].2.abs_diff(pair[0].2))
            .collect();
        expected.sort_unstable();
        came.sort_unstable();
        let mut ipdv = Ipdv::new();
        let mut magnitudes = magnitudes();
        let mut intervals = IpdvSums::default();
        for (_, seq, delay) in came {
            ipdv.observe(seq, Nanos(1000), Nanos(1000 + delay), &mut magnitudes);
            if delay % 7 == 0 {
                intervals.add(&ipdv.end_interval());
            }
        }
        prop_assert_eq!(recorded(&magnitudes), expected);
        intervals.add(&ipdv.end_interval());
        prop_assert_eq!(intervals, ipdv.sums());
    }

    /// With |D| constant at d, J is d(1 - (15/16)^n) (RFC 3550 section 6.4.1); nothing panics on any times.
    #[test]
    fn jitter_converges(d in 0u64..1 << 40, n in 1i32..200, any in any::<(u64, u64)>()) {
        let mut jitter = RtpJitter::default();
        for turn in 0..=n as u64 {
            jitter.observe(Nanos(0), Nanos(turn % 2 * d));
        }
        let expected = d as f64 * (1.0 - (15.0f64 / 16.0).powi(n));
        prop_assert!((jitter.exact() - expected).abs() <= 1e-9 * d as f64);
        prop_assert!(jitter.reported().abs_diff(jitter.exact() as u64) <= 1);
        jitter.observe(Nanos(any.0), Nanos(any.1));
    }
}
