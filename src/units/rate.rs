//! Rates as people type them: datagrams a second, or bits of UDP payload a second, or as fast as possible.

use super::number::{self, Misfit, Number};
use super::size_mix::SizeMix;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An offered rate, as meant by the user.
///
/// `max`, or a decimal number with an optional prefix (`k`, `M`, `G` are powers of ten, `Ki`, `Mi`, `Gi` powers of
/// two) and an optional unit: none, `pps` or `/s` for datagrams a second; `bps`, `b/s`, `bit/s` or `bit` for bits of UDP
/// payload a second. Printed and serialized in the shortest form that is read back as the same value.
///
/// ```
/// use mcast_bench::units::rate::Rate;
///
/// assert_eq!("1.5Gbps".parse(), Ok(Rate::PayloadBits(1_500_000_000)));
/// assert_eq!("100000".parse::<Rate>().unwrap().to_string(), "100kpps");
/// assert!("10M bits".parse::<Rate>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rate {
    /// Thousandths of a datagram a second, 1 to 10^12: `100k`, `0.5pps`.
    MilliDatagrams(u64),
    /// Bits of UDP payload a second, 1 to 10^12: `1.5Gbps`.
    PayloadBits(u64),
    /// As fast as possible: `max`.
    Max,
}

/// Datagrams a second as an exact fraction, so that no schedule ever drifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramRate {
    /// Datagrams ...
    pub datagrams: u64,
    /// ... in so many seconds.
    pub seconds: u64,
}

impl Rate {
    /// Datagrams a second of these sizes; `None` is as fast as possible. Bits count at the exact mean size.
    pub fn datagram_rate(self, sizes: &SizeMix) -> Option<DatagramRate> {
        match self {
            Self::MilliDatagrams(milli) => Some(DatagramRate { datagrams: milli, seconds: 1000 }),
            Self::PayloadBits(bits) => Some(DatagramRate {
                datagrams: bits * sizes.datagrams(),
                seconds: 8 * sizes.bytes(),
            }),
            Self::Max => None,
        }
    }
}

impl DatagramRate {
    /// Datagrams a second, for people; schedules use the fraction.
    pub fn per_second(self) -> f64 {
        self.datagrams as f64 / self.seconds as f64
    }
}

/// Most thousandths of a datagram a second: 10^9 datagrams, far beyond what a host can send.
const MAX_MILLI: u64 = 1_000_000_000_000;

/// Most bits of UDP payload a second: a terabit.
const MAX_BITS: u64 = 1_000_000_000_000;

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map_err(|reason| {
            format!(
                "`{text}` is not a rate: {reason}; rates look like `100k` (datagrams a second), \
                 `1.5Gbps` (bits of UDP payload a second) or `max`"
            )
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match *self {
            Self::MilliDatagrams(milli) => number::shortest(milli, 3) + "pps",
            Self::PayloadBits(bits) => number::shortest(bits, 0) + "bps",
            Self::Max => "max".into(),
        })
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

fn parse(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    let (number, rest) = Number::split(text)?;
    let (prefix, unit) = number::split_prefix(rest)?;
    match unit {
        "" | "pps" | "/s" => match number.times(1000 * prefix) {
            Ok(0) => Err("nothing would be sent".into()),
            Ok(milli @ ..=MAX_MILLI) => Ok(Rate::MilliDatagrams(milli)),
            Err(Misfit::TooFine) => Err("the finest step is 0.001 datagrams a second".into()),
            _ => Err("the most is 1G datagrams a second (for bits add `bps`)".into()),
        },
        "bps" | "b/s" | "bit/s" | "bit" => match number.times(prefix) {
            Ok(0) => Err("nothing would be sent".into()),
            Ok(bits @ ..=MAX_BITS) => Ok(Rate::PayloadBits(bits)),
            Err(Misfit::TooFine) => Err("the finest step is 1 bit a second".into()),
            _ => Err("the most is 1000Gbps".into()),
        },
        _ if unit.starts_with('B') || unit.starts_with("byte") => {
            Err(match number.times(8 * prefix) {
                Ok(bits) => format!("it counts bytes; in bits it is `{}`", Rate::PayloadBits(bits)),
                Err(_) => "it counts bytes instead of bits".into(),
            })
        }
        _ => Err(format!("`{unit}` is not a unit of rates")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::size_mix::SizeShare;
    use proptest::prelude::*;

    fn check(text: &str, rate: Rate, printed: &str) {
        assert_eq!(text.parse(), Ok(rate), "{text}");
        assert_eq!(rate.to_string(), printed);
    }

    #[test]
    fn datagram_rates() {
        check("1", Rate::MilliDatagrams(1_000), "1pps");
        check("100k", Rate::MilliDatagrams(100_000_000), "100kpps");
        check("100K", Rate::MilliDatagrams(100_000_000), "100kpps");
        check("1.5Mpps", Rate::MilliDatagrams(1_500_000_000), "1.5Mpps");
        check("1500pps", Rate::MilliDatagrams(1_500_000), "1.5kpps");
        check("1001/s", Rate::MilliDatagrams(1_001_000), "1001pps");
        check("1Ki", Rate::MilliDatagrams(1_024_000), "1024pps");
        check("0.5", Rate::MilliDatagrams(500), "0.5pps");
        check("0.001/s", Rate::MilliDatagrams(1), "0.001pps");
        check("1G", Rate::MilliDatagrams(MAX_MILLI), "1Gpps");
    }

    #[test]
    fn bit_rates() {
        check("1.5Gbps", Rate::PayloadBits(1_500_000_000), "1.5Gbps");
        check("10Gbit", Rate::PayloadBits(10_000_000_000), "10Gbps");
        check("3.75Mbit/s", Rate::PayloadBits(3_750_000), "3.75Mbps");
        check("10Gb/s", Rate::PayloadBits(10_000_000_000), "10Gbps");
        check("8Kibps", Rate::PayloadBits(8_192), "8192bps");
        check("1bps", Rate::PayloadBits(1), "1bps");
        check("1000Gbps", Rate::PayloadBits(MAX_BITS), "1000Gbps");
        check("max", Rate::Max, "max");
    }

    #[test]
    fn refusals_say_why() {
        for (text, reason) in [
            ("", "it does not start with a digit"),
            ("fast", "it does not start with a digit"),
            ("-5", "it is negative"),
            ("0", "nothing would be sent"),
            ("0.0Gbps", "nothing would be sent"),
            ("100m", "`m` would be milli; mega is `M`"),
            ("1gbps", "`g` is no prefix; giga is `G`"),
            ("1,000", "`,000` is not a unit of rates"),
            ("1e6", "`e6` is not a unit of rates"),
            ("5 k", "` k` is not a unit of rates"),
            ("0.0005", "the finest step is 0.001 datagrams a second"),
            ("1.5bps", "the finest step is 1 bit a second"),
            ("1.001G", "the most is 1G datagrams a second (for bits add `bps`)"),
            ("18446744073709551615G", "the most is 1G datagrams a second (for bits add `bps`)"),
            ("1000.1Gbps", "the most is 1000Gbps"),
            ("10MB/s", "it counts bytes; in bits it is `80Mbps`"),
            ("1.5GBps", "it counts bytes; in bits it is `12Gbps`"),
        ] {
            assert_eq!(parse(text), Err(reason.into()), "{text}");
        }
        assert_eq!(
            "0".parse::<Rate>().unwrap_err(),
            "`0` is not a rate: nothing would be sent; rates look like `100k` (datagrams a second), \
             `1.5Gbps` (bits of UDP payload a second) or `max`"
        );
    }

    #[test]
    fn bits_become_datagrams_exactly() {
        let one = SizeMix::of_one(1316);
        let rate = Rate::PayloadBits(1_000_000_000).datagram_rate(&one).unwrap();
        assert_eq!(rate, DatagramRate { datagrams: 1_000_000_000, seconds: 10_528 });
        assert_eq!(Rate::MilliDatagrams(500).datagram_rate(&one).unwrap().per_second(), 0.5);
        assert_eq!(Rate::Max.datagram_rate(&one), None);
        let share = |payload_len, weight| SizeShare { payload_len, weight };
        let mix = SizeMix::new(vec![share(100, 2), share(401, 1)]).unwrap();
        let rate = Rate::PayloadBits(4_808).datagram_rate(&mix).unwrap();
        assert_eq!(rate.per_second(), 3.0);
    }

    #[test]
    fn json_holds_the_printed_form() {
        let json = serde_json::to_string(&Rate::PayloadBits(1_500_000_000)).unwrap();
        assert_eq!(json, r#""1.5Gbps""#);
        assert_eq!(serde_json::from_str::<Rate>(r#""100k""#).unwrap().to_string(), "100kpps");
        assert!(serde_json::from_str::<Rate>(r#""0""#).is_err());
    }

    proptest! {
        #[test]
        fn reads_what_it_prints(value in 1..=MAX_MILLI, bits: bool) {
            let rate = if bits { Rate::PayloadBits(value) } else { Rate::MilliDatagrams(value) };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn never_panics(text in "[0-9.]{0,30}[kKmMgGiBbps/]{0,4}") {
            let _ = text.parse::<Rate>();
        }
    }
}
