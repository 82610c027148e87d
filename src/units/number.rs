//! Plain decimal numbers and the prefixes between them and a unit, exactly: the `1.5` and `G` of `1.5Gbps`.

/// A number as typed: `whole + fraction / 10^decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    whole: u64,
    fraction: u64,
    decimals: u32,
}

/// Why a number has no exact value in some unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Beyond `u64`.
    TooLarge,
    /// Not a whole multiple of the unit.
    TooFine,
}

/// Most digits after the point; with as many, all products below fit into `u128`.
const MAX_DECIMALS: usize = 18;

impl Number {
    /// Splits `1.5Gbps` into the number and what follows it.
    pub(crate) fn split(text: &str) -> Result<(Self, &str), String> {
        if text.starts_with('-') {
            return Err("it is negative".into());
        }
        let (whole, rest) = split_digits(text);
        if whole.is_empty() {
            return Err("it does not start with a digit".into());
        }
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("0", rest),
        };
        if fraction.is_empty() {
            return Err("the point needs a digit after it".into());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > MAX_DECIMALS {
            return Err(format!("it has more than {MAX_DECIMALS} digits after the point"));
        }
        let number = Self {
            whole: whole.parse().map_err(|_| "it has too many digits")?,
            fraction: fraction.parse().unwrap_or(0),
            decimals: fraction.len() as u32,
        };
        Ok((number, rest))
    }

    /// The number times `scale` (at most 2^60), if that is whole.
    pub(crate) fn times(self, scale: u64) -> Result<u64, Misfit> {
        debug_assert!(scale <= 1 << 60);
        let one = 10_u128.pow(self.decimals);
        let fraction = u128::from(self.fraction) * u128::from(scale);
        if fraction % one != 0 {
            return Err(Misfit::TooFine);
        }
        u64::try_from(u128::from(self.whole) * u128::from(scale) + fraction / one)
            .map_err(|_| Misfit::TooLarge)
    }
}

/// SI prefixes as powers of ten, largest first.
const DECIMAL: [(&str, u32); 3] = [("G", 9), ("M", 6), ("k", 3)];

/// IEC 80000-13 prefixes as powers of two, largest first.
pub(crate) const BINARY: [(&str, u32); 3] = [("Gi", 30), ("Mi", 20), ("Ki", 10)];

/// Splits `Gbps` into the factor of its prefix and the unit. `K` is taken as `k`; `m` and `g` are not taken.
pub(crate) fn split_prefix(text: &str) -> Result<(u64, &str), String> {
    for (prefix, exponent) in BINARY {
        if let Some(unit) = text.strip_prefix(prefix) {
            return Ok((1 << exponent, unit));
        }
    }
    for (prefix, exponent) in DECIMAL {
        if let Some(unit) = text.strip_prefix(prefix) {
            return Ok((10_u64.pow(exponent), unit));
        }
    }
    match text.as_bytes().first() {
        Some(b'K') => Ok((1000, &text[1..])),
        Some(b'm') => Err("`m` would be milli; mega is `M`".into()),
        Some(b'g') => Err("`g` is no prefix; giga is `G`".into()),
        _ => Ok((1, text)),
    }
}

/// `value / 10^decimals` without trailing zeros.
pub(crate) fn decimal(value: u64, decimals: u32) -> String {
    let one = 10_u64.pow(decimals);
    let (whole, fraction) = (value / one, value % one);
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:0width$}", width = decimals as usize);
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// `value / 10^decimals` in as few characters as an SI prefix makes possible; on a tie the larger prefix.
pub(crate) fn shortest(value: u64, decimals: u32) -> String {
    DECIMAL
        .into_iter()
        .filter(|(_, exponent)| value >= 10_u64.pow(exponent + decimals))
        .chain([("", 0)])
        .map(|(prefix, exponent)| decimal(value, exponent + decimals) + prefix)
        .min_by_key(String::len)
        .expect("the empty prefix is always there")
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, scale: u64, expected: Result<(u64, &str), Misfit>) {
        let (number, rest) = Number::split(text).unwrap();
        assert_eq!(number.times(scale).map(|value| (value, rest)), expected, "{text} x {scale}");
    }

    #[test]
    fn multiplies_exactly() {
        check("1.5Gbps", 1000, Ok((1500, "Gbps")));
        check("0.1", 10, Ok((1, "")));
        check("0.30000", 10, Ok((3, "")));
        check("18446744073709551615", 1, Ok((u64::MAX, "")));
        check("18446744073709551615.5", 1, Err(Misfit::TooFine));
        check("18446744073709551615.5", 2, Err(Misfit::TooLarge));
        check("0.999999999999999999", 1 << 60, Err(Misfit::TooFine));
    }

    #[test]
    fn says_what_is_no_number() {
        for (text, reason) in [
            ("", "it does not start with a digit"),
            (".5", "it does not start with a digit"),
            ("-1", "it is negative"),
            ("1.", "the point needs a digit after it"),
            ("18446744073709551616", "it has too many digits"),
            ("0.1234567890123456789", "it has more than 18 digits after the point"),
        ] {
            assert_eq!(Number::split(text), Err(reason.into()), "{text}");
        }
    }

    #[test]
    fn knows_the_prefixes() {
        for (text, expected) in [
            ("kpps", Ok((1_000, "pps"))),
            ("K", Ok((1_000, ""))),
            ("Mbit", Ok((1_000_000, "bit"))),
            ("Mibit", Ok((1 << 20, "bit"))),
            ("GiB", Ok((1 << 30, "B"))),
            ("Ki", Ok((1_024, ""))),
            ("/s", Ok((1, "/s"))),
            ("m", Err("`m` would be milli; mega is `M`".into())),
            ("gbps", Err("`g` is no prefix; giga is `G`".into())),
        ] {
            assert_eq!(split_prefix(text), expected, "{text}");
        }
    }

    #[test]
    fn prints_the_shortest_form() {
        for (value, decimals, text) in [
            (0, 3, "0"),
            (1, 3, "0.001"),
            (500, 3, "0.5"),
            (100_000_000, 3, "100k"),
            (1_500, 0, "1.5k"),
            (1_234_567, 0, "1234567"),
            (999_999, 0, "999999"),
            (1_000_000_000_000, 0, "1000G"),
        ] {
            assert_eq!(shortest(value, decimals), text);
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_prints(value: u64) {
            let text = shortest(value, 3);
            let (number, rest) = Number::split(&text).unwrap();
            let (prefix, unit) = split_prefix(rest).unwrap();
            prop_assert_eq!((number.times(prefix * 1000), unit), (Ok(value), ""));
        }
    }
}
