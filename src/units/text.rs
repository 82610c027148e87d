//! Rates and shares as tables and sentences show them.

use super::human::{grouped, si};
use super::size_mix::SizeMix;

/// A bit rate: `1.05 Gbit/s`. Which layer's bits they are must be said where it is shown.
pub fn bits_per_second(rate: f64) -> String {
    if rate == 0.0 {
        return "0 bit/s".into();
    }
    let number = si(rate);
    let digits = number.trim_end_matches(char::is_alphabetic);
    format!("{digits} {}bit/s", &number[digits.len()..])
}

/// How long datagrams are: `1,316 bytes`, `64:7,594:4,1518:1 bytes`, `captured lengths`.
pub fn payload_lens(sizes: &SizeMix) -> String {
    match sizes.only() {
        Some(payload_len) => count(payload_len.into(), "byte"),
        None if sizes.shares().is_empty() => "captured lengths".into(),
        None => format!("{sizes} bytes"),
    }
}

/// So many a second, whole from ten on: `100,000`, `0.50`.
pub fn per_second(rate: f64) -> String {
    if rate == 0.0 || rate >= 9.995 { grouped(rate.round() as u64) } else { format!("{rate:.2}") }
}

/// A share of a whole: `0.102 %`. Only nothing prints as 0 % and only all as 100 %.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    match percent {
        0.0 => "0 %".into(),
        100.0 => "100 %".into(),
        ..0.001 => "< 0.001 %".into(),
        99.999..100.0 => "> 99.999 %".into(),
        ..1.0 | 99.0.. => format!("{percent:.3} %"),
        ..9.995 => format!("{percent:.2} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// A whole number that may be negative: `-1,024`.
pub fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// A number of things: `1 stream`, `1,000 streams`.
pub fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// A size in the largest power of two that divides it well: `8 MiB`, `208 KiB`.
pub fn bytes(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "bytes");
    for larger in ["KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    let decimals = usize::from(value < 10.0 && value.fract() != 0.0);
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_have_a_space_before_the_unit() {
        assert_eq!(bits_per_second(1_052_800_000.0), "1.05 Gbit/s");
        assert_eq!(bits_per_second(950.0), "950 bit/s");
        assert_eq!(bits_per_second(0.0), "0 bit/s");
    }

    #[test]
    fn slow_rates_keep_their_decimals() {
        assert_eq!(per_second(99_999.6), "100,000");
        assert_eq!(per_second(0.5), "0.50");
        assert_eq!(per_second(0.0), "0");
    }

    #[test]
    fn shares_never_round_to_none_or_all() {
        for (ratio, text) in [
            (0.0, "0 %"),
            (1e-9, "< 0.001 %"),
            (0.00102, "0.102 %"),
            (0.0512, "5.12 %"),
            (0.5, "50.0 %"),
            (0.9995, "99.950 %"),
            (0.999_999_9, "> 99.999 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(ratio), text);
        }
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(1, "stream"), "1 stream");
        assert_eq!(count(1_000, "stream"), "1,000 streams");
        assert_eq!(signed(-1_024), "-1,024");
    }

    #[test]
    fn sizes_are_powers_of_two() {
        for (size, text) in
            [(512, "512 bytes"), (212_992, "208 KiB"), (8 << 20, "8 MiB"), (1_600_000, "1.5 MiB")]
        {
            assert_eq!(bytes(size), text);
        }
    }
}
