//! Numbers as people read them.

/// Whole numbers with separators: `1,000,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits and an SI prefix: `1.05G`.
pub fn si(number: f64) -> String {
    let (mut value, mut prefix) = (number, "");
    for larger in ["k", "M", "G", "T", "P"] {
        if value.abs() < 999.5 {
            break;
        }
        (value, prefix) = (value / 1e3, larger);
    }
    let decimals = if value.abs() < 9.995 { 2 } else { usize::from(value.abs() < 99.95) };
    format!("{value:.decimals$}{prefix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_000_000, "1,000,000")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn keeps_three_digits() {
        for (number, text) in
            [(999.0, "999"), (999.9, "1.00k"), (1_052_800_000.0, "1.05G"), (12_345.0, "12.3k")]
        {
            assert_eq!(si(number), text);
        }
    }
}
