//! Sizes in bytes as people type them: `1316`, `9k`, `8MiB`.

use super::number::{self, BINARY, Misfit, Number};
use std::fmt;
use std::str::FromStr;

/// A number of bytes.
///
/// Typed as a decimal number with an optional prefix (`k`, `M`, `G` are powers of ten, `Ki`, `Mi`, `Gi` powers of
/// two) and an optional `B`. Printed in the shortest form that is read back as the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map_err(|reason| {
            format!(
                "`{text}` is not a size: {reason}; sizes in bytes look like `1316`, `9k` or `8MiB`"
            )
        })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimal = number::shortest(self.0, 0);
        let binary = BINARY
            .into_iter()
            .filter(|(_, exponent)| self.0.trailing_zeros() >= *exponent)
            .map(|(prefix, exponent)| format!("{}{prefix}", self.0 >> exponent))
            .next();
        let text = binary.filter(|binary| binary.len() < decimal.len()).unwrap_or(decimal);
        f.pad(&(text + "B"))
    }
}

fn parse(text: &str) -> Result<Bytes, String> {
    let (number, rest) = Number::split(text)?;
    let (prefix, unit) = number::split_prefix(rest)?;
    if !matches!(unit, "" | "B") {
        return Err(format!("`{unit}` is not a unit of sizes"));
    }
    match number.times(prefix) {
        Ok(bytes) => Ok(Bytes(bytes)),
        Err(Misfit::TooFine) => Err("it is not a whole number of bytes".into()),
        Err(Misfit::TooLarge) => Err("it is too large".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, bytes: u64, printed: &str) {
        assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        assert_eq!(Bytes(bytes).to_string(), printed);
    }

    #[test]
    fn sizes() {
        check("0", 0, "0B");
        check("1316", 1_316, "1316B");
        check("1316B", 1_316, "1316B");
        check("9k", 9_000, "9kB");
        check("9K", 9_000, "9kB");
        check("8MiB", 8 << 20, "8MiB");
        check("64Ki", 64 << 10, "64KiB");
        check("1.5M", 1_500_000, "1.5MB");
        check("0.5Ki", 512, "512B");
        check("2GiB", 2 << 30, "2GiB");
    }

    #[test]
    fn refusals_say_why() {
        for (text, reason) in [
            ("", "it does not start with a digit"),
            ("-1", "it is negative"),
            ("1.5", "it is not a whole number of bytes"),
            ("0.3Ki", "it is not a whole number of bytes"),
            ("18446744073709551615k", "it is too large"),
            ("8m", "`m` would be milli; mega is `M`"),
            ("8b", "`b` is not a unit of sizes"),
            ("8 MiB", "` MiB` is not a unit of sizes"),
        ] {
            assert_eq!(parse(text), Err(reason.into()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_prints(bytes: u64, shift in 0_u32..40) {
            let size = Bytes(bytes >> shift << shift);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }
    }
}
