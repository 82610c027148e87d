use super::*;
use proptest::prelude::*;

/// Displacements from `-max` to `max`, and occupancies from 0 to `max`, at this threshold.
fn check(arrivals: &[u64], threshold: u16, displaced: &[u64], occupied: &[u64]) {
    let mut reorder = ReorderDensity::new(threshold);
    let mut occupancy = BufferOccupancyDensity::new(threshold);
    occupancy.begin_at(1);
    for &seq in arrivals {
        reorder.observe(seq);
        occupancy.observe(seq);
    }
    reorder.finish();
    let max = displaced.len() as i32 / 2;
    let seen: Vec<_> = (-max..=max).map(|d| reorder.frequency(d)).collect();
    assert_eq!(seen, displaced, "displacements of {arrivals:?}");
    let seen: Vec<_> = (0..occupied.len() as u16).map(|k| occupancy.frequency(k)).collect();
    assert_eq!(seen, occupied, "occupancies of {arrivals:?}");
}

/// V16, V17.
#[test]
fn rfc_5236_sections_5_to_7() {
    check(&[1, 4, 2, 5, 3, 6, 7, 8], 4, &[1, 1, 4, 1, 1], &[5, 2, 1, 0, 0]);
    check(&[1, 2, 4, 5, 6, 7], 3, &[0, 6, 0], &[3, 1, 1, 1]);
}

/// V20: RFC 4737 section 7.1.
#[test]
fn rfc_4737_table_1() {
    let displaced = [0, 0, 0, 0, 4, 5, 0, 0, 0, 1, 0];
    check(&[1, 2, 3, 5, 6, 7, 8, 4, 9, 10], 5, &displaced, &[6, 1, 1, 1, 1, 0]);
}

#[test]
fn densities_are_shares() {
    let mut reorder = ReorderDensity::new(4);
    let mut occupancy = BufferOccupancyDensity::new(4);
    assert_eq!((reorder.density(0), occupancy.density(0), occupancy.mean()), (None, None, None));
    for seq in [1, 4, 2, 5, 3, 6, 7, 8] {
        reorder.observe(seq);
        occupancy.observe(seq);
    }
    reorder.finish();
    assert_eq!((reorder.density(-2), reorder.density(0)), (Some(0.125), Some(0.5)));
    assert_eq!((reorder.density(5), reorder.density(-1000)), (Some(0.0), Some(0.0)));
    let occupied = [0, 1, 2, 9].map(|k| occupancy.density(k).unwrap());
    assert_eq!(occupied, [0.625, 0.25, 0.125, 0.0]);
    assert_eq!(occupancy.mean(), Some(0.5));
}

/// One that comes after it was given up changes nothing.
#[test]
fn beyond_the_threshold_is_lost() {
    check(&[1, 2, 4, 5, 6, 7, 8, 9, 3, 10], 3, &[0, 9, 0], &[6, 1, 1, 1]);
    check(&[1, 3, 2], 0, &[2], &[2]);
}

/// RFC 5236 section 7.1, step by step as it stands there.
fn reorder_density_of_rfc_5236(arrivals: &[u64], threshold: u64) -> Vec<u64> {
    let mut incoming = arrivals.iter().copied();
    let mut window: Vec<u64> = incoming.by_ref().take(threshold as usize + 1).collect();
    let mut buffer: Vec<u64> = Vec::new();
    let mut frequencies = vec![0; 2 * threshold as usize + 1];
    let mut index = 1;
    while !window.is_empty() {
        if !window.contains(&index) && !buffer.contains(&index) {
            let lowest = *window.iter().chain(&buffer).min().unwrap();
            index = lowest.max(index + 1);
            continue;
        }
        let seq = window.remove(0);
        if seq.abs_diff(index) <= threshold {
            frequencies[(threshold + index - seq) as usize] += 1;
            buffer.retain(|&held| held != index);
            if seq > index {
                buffer.push(seq);
            }
            index += 1;
        }
        window.extend(incoming.by_ref().find(|&seq| seq >= index));
    }
    frequencies
}

fn shuffled() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec((0u64..12, 0u8..10), 0..300).prop_map(|fates| {
        let kept = fates.into_iter().zip(1u64..).filter(|((_, fate), _)| *fate > 0);
        let mut order: Vec<_> = kept.map(|((delay, _), seq)| (seq + delay, seq)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, seq)| seq).collect()
    })
}

proptest! {
    #[test]
    fn agrees_with_the_algorithm_of_the_rfc(arrivals in shuffled(), threshold in 0u16..9) {
        let mut reorder = ReorderDensity::new(threshold);
        arrivals.iter().for_each(|&seq| reorder.observe(seq));
        reorder.finish();
        let expected = reorder_density_of_rfc_5236(&arrivals, u64::from(threshold));
        prop_assert_eq!(&reorder.frequencies[..], &expected[..]);
    }

    /// With a buffer that never overflows, its content is all that came above the lowest missing number.
    #[test]
    fn a_large_buffer_holds_what_waits(arrivals in shuffled()) {
        let mut occupancy = BufferOccupancyDensity::new(1000);
        occupancy.begin_at(1);
        for (at, &seq) in arrivals.iter().enumerate() {
            occupancy.observe(seq);
            let came = &arrivals[..=at];
            let missing = (1..).find(|seq| !came.contains(seq)).unwrap();
            let waiting = came.iter().filter(|seq| **seq > missing).count();
            prop_assert_eq!(occupancy.held.len(), waiting);
        }
    }

    /// Whatever comes, nothing panics and the bounds hold.
    #[test]
    fn survives_anything(arrivals in prop::collection::vec(0u64..1 << 50, 0..300), threshold in 0u16..9) {
        let mut reorder = ReorderDensity::new(threshold);
        let mut occupancy = BufferOccupancyDensity::new(threshold);
        for &seq in &arrivals {
            reorder.observe(seq);
            occupancy.observe(seq);
            prop_assert!(reorder.early.len() <= usize::from(threshold));
        }
        reorder.finish();
    }
}
