//! Limits a trial must hold: `--fail-if 'loss>0.01%'`.

use crate::stats::percentile::WHOLE;
use crate::units::Nanos;
use crate::units::duration::{format_duration, parse_duration};
use crate::units::number::{self, Misfit, Number};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A condition under which a trial counts as failed: `loss>0.01%`, `p99>200us`, `offered<99%`.
///
/// Printed and serialized as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    /// What is looked at.
    pub quantity: Quantity,
    /// Fails above or below the bound.
    pub fails: Fails,
    /// The bound.
    pub bound: Bound,
}

/// What a limit looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// `loss`: datagrams lost, or their share of the sent ones (RFC 7680 section 4.1).
    Loss,
    /// `duplicates`: further copies, or their share of the unique ones.
    Duplicates,
    /// `reordered`: datagrams, or their share of the unique ones (RFC 4737 section 4.1).
    Reordered,
    /// `corrupt`: datagrams, or their share of the received ones.
    Corrupt,
    /// `offered`: datagrams, or their share of the intended ones.
    Offered,
    /// `refused`: datagrams, or their share of the intended ones.
    Refused,
    /// `p99.9`, `max`: a percentile of the one-way delay, in thousandths of a per cent; [`MAXIMUM`] is `max`.
    DelayPercentile(u32),
    /// `late-p99.9`, `late-max`: the same of the sender's lateness.
    LatenessPercentile(u32),
    /// `leave-p99.9`, `leave-max`: the same from leaving a group to its last datagram.
    LeavePercentile(u32),
}

/// The hundredth percentile, in thousandths of a per cent.
pub const MAXIMUM: u32 = WHOLE;

/// Which side of the bound is a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// `>`
    Above,
    /// `<`
    Below,
}

/// A bound in the unit that the user chose; a measured value in the same unit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Bound {
    /// So many datagrams.
    Count(u64),
    /// A share: `0.01%` is 0.0001. Typed and printed in steps of 10^-9 per cent.
    Ratio(f64),
    /// A time.
    Time(Nanos),
}

/// Quantities that are counted, by the words that users type.
const COUNTED: [(&str, Quantity); 6] = [
    ("loss", Quantity::Loss),
    ("duplicates", Quantity::Duplicates),
    ("reordered", Quantity::Reordered),
    ("corrupt", Quantity::Corrupt),
    ("offered", Quantity::Offered),
    ("refused", Quantity::Refused),
];

/// Steps of a percentage are 10^-9 per cent, so that each has an `f64` of its own up to the largest percentage.
const PERCENT_DECIMALS: u32 = 9;
const STEPS_PER_PERCENT: u64 = 10_u64.pow(PERCENT_DECIMALS);
const MAX_PERCENT: u64 = 1_000_000;

impl Quantity {
    /// Whether it is a time rather than a number of datagrams.
    pub fn is_time(self) -> bool {
        matches!(
            self,
            Self::DelayPercentile(_) | Self::LatenessPercentile(_) | Self::LeavePercentile(_)
        )
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map_err(|reason| {
            format!(
                "`{text}` is not a limit: {reason}; limits look like `loss>0`, `loss>0.01%`, `reordered>0`, \
                 `duplicates>0`, `corrupt>0`, `refused>0`, `offered<99%`, `p99>200us`, `max>5ms` or \
                 `late-p99>100us`"
            )
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.fails {
            Fails::Above => '>',
            Fails::Below => '<',
        };
        f.pad(&format!("{}{operator}{}", self.quantity, self.bound))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, percentile) = match *self {
            Self::DelayPercentile(percentile) => ("", percentile),
            Self::LatenessPercentile(percentile) => ("late-", percentile),
            Self::LeavePercentile(percentile) => ("leave-", percentile),
            counted => {
                let word = COUNTED.iter().find(|(_, quantity)| *quantity == counted);
                return f.write_str(word.map_or("", |(word, _)| word));
            }
        };
        match percentile {
            MAXIMUM => write!(f, "{prefix}max"),
            _ => write!(f, "{prefix}p{}", number::decimal(percentile.into(), 3)),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(datagrams) => write!(f, "{datagrams}"),
            Self::Ratio(ratio) => {
                let steps = (ratio * (100 * STEPS_PER_PERCENT) as f64).round() as u64;
                write!(f, "{}%", number::decimal(steps, PERCENT_DECIMALS))
            }
            Self::Time(length) => f.write_str(&format_duration(length)),
        }
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

fn parse(text: &str) -> Result<Limit, String> {
    let at = text.find(['<', '>', '=', '!']).ok_or("it has neither `>` nor `<`")?;
    let (quantity, rest) = text.split_at(at);
    let end = rest.find(|c| !matches!(c, '<' | '>' | '=' | '!')).unwrap_or(rest.len());
    let (operator, bound) = rest.split_at(end);
    let fails = match operator {
        ">" => Fails::Above,
        "<" => Fails::Below,
        _ => return Err(format!("`{operator}` is neither `>` nor `<`")),
    };
    let quantity = parse_quantity(quantity.trim())?;
    let bound = bound.trim();
    let bound = if quantity.is_time() {
        parse_time(quantity, bound)?
    } else {
        parse_count(quantity, bound)?
    };
    Ok(Limit { quantity, fails, bound })
}

fn parse_quantity(word: &str) -> Result<Quantity, String> {
    if let Some((_, quantity)) = COUNTED.iter().find(|(name, _)| *name == word) {
        return Ok(*quantity);
    }
    let (percentile, quantity): (&str, fn(u32) -> Quantity) = match word.split_once('-') {
        Some(("late", percentile)) => (percentile, Quantity::LatenessPercentile),
        Some(("leave", percentile)) => (percentile, Quantity::LeavePercentile),
        _ => (word, Quantity::DelayPercentile),
    };
    if percentile == "max" {
        return Ok(quantity(MAXIMUM));
    }
    let number = percentile.strip_prefix('p').and_then(|percent| Number::split(percent).ok());
    let Some((percent, "")) = number else {
        return Err(format!("`{word}` is nothing that is measured"));
    };
    match percent.times(1000).map(u32::try_from) {
        Ok(Ok(percentile @ 1..MAXIMUM)) => Ok(quantity(percentile)),
        _ => Err(format!("`{word}` is not a percentile from p0.001 to p99.999 (p100 is `max`)")),
    }
}

fn parse_time(quantity: Quantity, bound: &str) -> Result<Bound, String> {
    match Number::split(bound) {
        Ok((_, "%")) => Err(format!("{quantity} is a time, not a share")),
        // Seconds would be a poor guess: delays are not thought of in seconds.
        Ok((_, "")) => Err(format!("{quantity} is a time, and `{bound}` has no unit")),
        _ => parse_duration(bound).map(Bound::Time),
    }
}

fn parse_count(quantity: Quantity, bound: &str) -> Result<Bound, String> {
    let wrong = || {
        format!(
            "{quantity} is a whole number of datagrams or a share in per cent, unlike `{bound}`"
        )
    };
    let (number, rest) = Number::split(bound).map_err(|_| wrong())?;
    if rest == "%" {
        return match number.times(STEPS_PER_PERCENT) {
            Ok(steps) if steps <= MAX_PERCENT * STEPS_PER_PERCENT => {
                Ok(Bound::Ratio(steps as f64 / (100 * STEPS_PER_PERCENT) as f64))
            }
            Err(Misfit::TooFine) => Err(format!("the finest share is 10^-{PERCENT_DECIMALS}%")),
            _ => Err(format!("the largest share is {MAX_PERCENT}%")),
        };
    }
    let (prefix, unit) = number::split_prefix(rest).map_err(|_| wrong())?;
    match number.times(prefix) {
        Ok(datagrams) if unit.is_empty() => Ok(Bound::Count(datagrams)),
        _ => Err(wrong()),
    }
}

/// A limit and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitResult {
    /// The limit as typed.
    pub limit: Limit,
    /// What was measured, as text; `null` when nothing was.
    pub measured: Option<String>,
    /// Whether it held. What was not measured does not hold.
    pub held: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const US: u64 = 1_000;

    fn check(text: &str, quantity: Quantity, fails: Fails, bound: Bound, printed: &str) {
        let limit = Limit { quantity, fails, bound };
        assert_eq!(text.parse(), Ok(limit), "{text}");
        assert_eq!(limit.to_string(), printed);
    }

    #[test]
    fn counts_and_shares() {
        use Fails::{Above, Below};
        check("loss>0", Quantity::Loss, Above, Bound::Count(0), "loss>0");
        check("loss>0.01%", Quantity::Loss, Above, Bound::Ratio(0.0001), "loss>0.01%");
        check("loss > 1k", Quantity::Loss, Above, Bound::Count(1_000), "loss>1000");
        check(" offered < 99% ", Quantity::Offered, Below, Bound::Ratio(0.99), "offered<99%");
        check("reordered>0", Quantity::Reordered, Above, Bound::Count(0), "reordered>0");
        check("duplicates>200%", Quantity::Duplicates, Above, Bound::Ratio(2.0), "duplicates>200%");
        check("corrupt>0", Quantity::Corrupt, Above, Bound::Count(0), "corrupt>0");
        check("refused>0", Quantity::Refused, Above, Bound::Count(0), "refused>0");
    }

    #[test]
    fn times() {
        let check = |text, quantity, nanos, printed| {
            check(text, quantity, Fails::Above, Bound::Time(Nanos(nanos)), printed);
        };
        check("p99>200us", Quantity::DelayPercentile(99_000), 200 * US, "p99>200us");
        check("p99.9>1ms", Quantity::DelayPercentile(99_900), 1_000 * US, "p99.9>1ms");
        check("p0.001>1s", Quantity::DelayPercentile(1), 1_000_000 * US, "p0.001>1s");
        check("p50.0>1500us", Quantity::DelayPercentile(50_000), 1_500 * US, "p50>1.5ms");
        check("max>5ms", Quantity::DelayPercentile(MAXIMUM), 5_000 * US, "max>5ms");
        check("late-p99>100us", Quantity::LatenessPercentile(99_000), 100 * US, "late-p99>100us");
        check("leave-p99>3s", Quantity::LeavePercentile(99_000), 3_000_000 * US, "leave-p99>3s");
        check("leave-max>1s", Quantity::LeavePercentile(MAXIMUM), 1_000_000 * US, "leave-max>1s");
        check("late-max > 0s", Quantity::LatenessPercentile(MAXIMUM), 0, "late-max>0s");
    }

    #[test]
    fn refusals_say_why() {
        let count = "loss is a whole number of datagrams or a share in per cent, unlike";
        for (text, reason) in [
            ("", "it has neither `>` nor `<`".into()),
            ("loss", "it has neither `>` nor `<`".into()),
            ("loss>=0", "`>=` is neither `>` nor `<`".into()),
            ("offered<=99%", "`<=` is neither `>` nor `<`".into()),
            ("loss=0", "`=` is neither `>` nor `<`".into()),
            ("loss>>0", "`>>` is neither `>` nor `<`".into()),
            ("jitter>1ms", "`jitter` is nothing that is measured".into()),
            (">0", "`` is nothing that is measured".into()),
            ("join-p99>1ms", "`join-p99` is nothing that is measured".into()),
            ("p99x>1ms", "`p99x` is nothing that is measured".into()),
            (
                "p100>1ms",
                "`p100` is not a percentile from p0.001 to p99.999 (p100 is `max`)".into(),
            ),
            ("p0>1ms", "`p0` is not a percentile from p0.001 to p99.999 (p100 is `max`)".into()),
            (
                "p99.9999>1ms",
                "`p99.9999` is not a percentile from p0.001 to p99.999 (p100 is `max`)".into(),
            ),
            ("p99>1%", "p99 is a time, not a share".into()),
            ("p99>200", "p99 is a time, and `200` has no unit".into()),
            ("loss>1ms", format!("{count} `1ms`")),
            ("loss>0.5", format!("{count} `0.5`")),
            ("loss>-1", format!("{count} `-1`")),
            ("loss>", format!("{count} ``")),
            ("loss>0.0000000001%", "the finest share is 10^-9%".into()),
            ("loss>1000001%", "the largest share is 1000000%".into()),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
        assert_eq!(
            "loss>=0".parse::<Limit>().unwrap_err(),
            "`loss>=0` is not a limit: `>=` is neither `>` nor `<`; limits look like `loss>0`, `loss>0.01%`, \
             `reordered>0`, `duplicates>0`, `corrupt>0`, `refused>0`, `offered<99%`, `p99>200us`, `max>5ms` or \
             `late-p99>100us`"
        );
        assert!("p99>soon".parse::<Limit>().unwrap_err().contains("`soon` is not a time"));
    }

    #[test]
    fn json_holds_the_printed_form() {
        let limit: Limit = "loss > 0.01%".parse().unwrap();
        assert_eq!(serde_json::to_string(&limit).unwrap(), r#""loss>0.01%""#);
        assert_eq!(serde_json::from_str::<Limit>(r#""loss>0.01%""#).unwrap(), limit);
        assert!(serde_json::from_str::<Limit>(r#""loss>=0""#).is_err());
    }

    fn counted() -> impl Strategy<Value = (Quantity, Bound)> {
        let bound = prop_oneof![
            any::<u64>().prop_map(Bound::Count),
            (0..=MAX_PERCENT * STEPS_PER_PERCENT)
                .prop_map(|steps| Bound::Ratio(steps as f64 / (100 * STEPS_PER_PERCENT) as f64)),
        ];
        (proptest::sample::select(COUNTED.map(|(_, quantity)| quantity).to_vec()), bound)
    }

    fn timed() -> impl Strategy<Value = (Quantity, Bound)> {
        let quantity = (1..=MAXIMUM, 0..3).prop_map(|(percentile, which)| match which {
            0 => Quantity::LatenessPercentile(percentile),
            1 => Quantity::LeavePercentile(percentile),
            _ => Quantity::DelayPercentile(percentile),
        });
        (quantity, any::<u64>().prop_map(|nanos| Bound::Time(Nanos(nanos))))
    }

    proptest! {
        #[test]
        fn reads_what_it_prints((quantity, bound) in prop_oneof![counted(), timed()], above: bool) {
            let fails = if above { Fails::Above } else { Fails::Below };
            let limit = Limit { quantity, fails, bound };
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
        }
    }
}
