//! Factors as people type them: `2x`, `0.5`.

use super::number::{self, Number};
use crate::units::Nanos;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How much faster than recorded, in thousandths; 1 to 1,000,000.
///
/// Typed as a decimal number with an optional `x`. Printed and serialized in the shortest form that is read back as
/// the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Speed(u32);

const FASTEST: u32 = 1_000_000;

impl Speed {
    /// What `time` becomes at this speed, rounded down. Saturates after 584 years.
    #[must_use]
    pub fn of(self, time: Nanos) -> Nanos {
        let time = u128::from(time.0) * 1000 / u128::from(self.0);
        Nanos(u64::try_from(time).unwrap_or(u64::MAX))
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |reason: &str| {
            format!("`{text}` is not a speed: {reason}; speeds look like `2x` or `0.5x`")
        };
        let (number, unit) = Number::split(text).map_err(|reason| refuse(&reason))?;
        if !matches!(unit, "" | "x") {
            return Err(refuse(&format!("`{unit}` is not a unit of speeds")));
        }
        match number.times(1000).ok().and_then(|milli| u32::try_from(milli).ok()) {
            Some(milli @ 1..=FASTEST) => Ok(Self(milli)),
            _ => Err(refuse("it is from 0.001x to 1000x, in steps of 0.001")),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", number::decimal(self.0.into(), 3))
    }
}

impl TryFrom<String> for Speed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Speed> for String {
    fn from(speed: Speed) -> Self {
        speed.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds() {
        for (text, printed, of_6) in [
            ("1", "1x", 6),
            ("2x", "2x", 3),
            ("0.5x", "0.5x", 12),
            ("1.25", "1.25x", 4),
            ("1000", "1000x", 0),
        ] {
            let speed: Speed = text.parse().unwrap();
            assert_eq!((speed.to_string().as_str(), speed.of(Nanos(6))), (printed, Nanos(of_6)));
            assert_eq!(printed.parse(), Ok(speed));
        }
        let slowest: Speed = "0.001x".parse().unwrap();
        assert_eq!(slowest.of(Nanos(u64::MAX / 2)), Nanos(u64::MAX));
    }

    #[test]
    fn refusals_say_why() {
        for (text, reason) in [
            ("0", "it is from 0.001x to 1000x, in steps of 0.001"),
            ("1001x", "it is from 0.001x to 1000x, in steps of 0.001"),
            ("0.0005", "it is from 0.001x to 1000x, in steps of 0.001"),
            ("2k", "`k` is not a unit of speeds"),
            ("fast", "it does not start with a digit"),
        ] {
            let expected =
                format!("`{text}` is not a speed: {reason}; speeds look like `2x` or `0.5x`");
            assert_eq!(text.parse::<Speed>(), Err(expected));
        }
    }
}
