//! Numbers for people to read, not for programs to read back.

/// Three significant digits and an SI prefix: `999`, `12.3k`, `1.05G`.
pub fn si(value: f64) -> String {
    let mut prefixes = ["", "k", "M", "G", "T", "P"].into_iter();
    let mut prefix = prefixes.next().unwrap_or_default();
    let mut value = value;
    // What would be rounded to 1000 belongs to the next prefix.
    while value.is_finite() && value.abs() >= 999.5 {
        let Some(next) = prefixes.next() else { break };
        prefix = next;
        value /= 1000.0;
    }
    three_digits(value) + prefix
}

/// A count with thousands separators: `1,000,000`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number below 1000 with three significant digits; below 1 with three decimals. Zero is `0`.
pub(super) fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        ..0.9995 => 3,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_prefix() {
        for (value, text) in [
            (0.0, "0"),
            (0.5, "0.500"),
            (0.001, "0.001"),
            (0.9999, "1.00"),
            (5.0, "5.00"),
            (99.94, "99.9"),
            (99.97, "100"),
            (999.0, "999"),
            (999.6, "1.00k"),
            (12_345.0, "12.3k"),
            (100_000.0, "100k"),
            (999_999.0, "1.00M"),
            (1_053_000_000.0, "1.05G"),
            (-2_500.0, "-2.50k"),
            (1e18, "1000P"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(si(value), text);
        }
    }

    #[test]
    fn thousands_are_separated() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (65_536, "65,536"),
            (1_000_000, "1,000,000"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }
}
