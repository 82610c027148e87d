//! Lengths of time as people type them: `10s`, `1m30s`, `250us`, or a bare number of seconds.

use super::Nanos;
use super::number::{self, Misfit, Number};

/// Reads a length of time, exactly: numbers with units that add up, as humantime takes them, or a bare number of
/// seconds (iperf's habit). Months and years are no units: they have no fixed length, and `1M` looks like a minute.
///
/// # Errors
/// Says why `text` is not a length of time, or cannot be counted in nanoseconds.
pub fn parse_duration(text: &str) -> Result<Nanos, String> {
    parse(text).map_err(|reason| {
        format!(
            "`{text}` is not a time: {reason}; times look like `10` (seconds), `1m30s` or `250us`"
        )
    })
}

/// The shortest exact form that [`parse_duration`] reads back: `10s`, `1.5ms`, `250us`.
pub fn format_duration(length: Nanos) -> String {
    let (decimals, unit) = match length.0 {
        1_000_000_000.. => (9, "s"),
        1_000_000.. => (6, "ms"),
        1_000.. => (3, "us"),
        1.. => (0, "ns"),
        0 => (0, "s"),
    };
    number::decimal(length.0, decimals) + unit
}

/// Units in nanoseconds, by the words that humantime takes.
const UNITS: [(&[&str], u64); 8] = [
    (&["ns", "nsec", "nanos"], 1),
    (&["us", "µs", "usec"], 1_000),
    (&["ms", "msec", "millis"], Nanos::MILLISECOND.0),
    (&["s", "sec", "secs", "second", "seconds"], Nanos::SECOND.0),
    (&["m", "min", "mins", "minute", "minutes"], 60 * Nanos::SECOND.0),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600 * Nanos::SECOND.0),
    (&["d", "day", "days"], 86_400 * Nanos::SECOND.0),
    (&["w", "wk", "wks", "week", "weeks"], 604_800 * Nanos::SECOND.0),
];

fn parse(text: &str) -> Result<Nanos, String> {
    if let Ok((seconds, "")) = Number::split(text) {
        return in_nanos(seconds, Nanos::SECOND.0);
    }
    let mut sum = Nanos(0);
    let mut rest = text;
    loop {
        let (number, after) = Number::split(rest)?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err("a number in it has no unit".into());
        }
        let Some((_, scale)) = UNITS.iter().find(|(words, _)| words.contains(&unit)) else {
            return Err(format!("`{unit}` is not a unit of time (ns, us, ms, s, m, h, d, w)"));
        };
        let part = in_nanos(number, *scale)?;
        sum = Nanos(sum.0.checked_add(part.0).ok_or(TOO_LONG)?);
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(sum);
        }
    }
}

const TOO_LONG: &str = "the most is 584 years";

fn in_nanos(number: Number, scale: u64) -> Result<Nanos, String> {
    number.times(scale).map(Nanos).map_err(|misfit| match misfit {
        Misfit::TooLarge => TOO_LONG.into(),
        Misfit::TooFine => "it is finer than a nanosecond".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, nanos: u64, printed: &str) {
        assert_eq!(parse_duration(text), Ok(Nanos(nanos)), "{text}");
        assert_eq!(format_duration(Nanos(nanos)), printed);
    }

    #[test]
    fn times() {
        check("0", 0, "0s");
        check("0s", 0, "0s");
        check("10", 10_000_000_000, "10s");
        check("0.5", 500_000_000, "500ms");
        check("0.000000001", 1, "1ns");
        check("10s", 10_000_000_000, "10s");
        check("1m30s", 90_000_000_000, "90s");
        check("1.5ms", 1_500_000, "1.5ms");
        check("250us", 250_000, "250us");
        check("200µs", 200_000, "200us");
        check("1h 0.5min 2 sec", 3_632_000_000_000, "3632s");
        check("1w1d", 691_200_000_000_000, "691200s");
        check("18446744073.709551615", u64::MAX, "18446744073.709551615s");
    }

    #[test]
    fn refusals_say_why() {
        for (text, reason) in [
            ("", "it does not start with a digit"),
            ("soon", "it does not start with a digit"),
            ("-1s", "it is negative"),
            ("0.0000000001", "it is finer than a nanosecond"),
            ("0.5ns", "it is finer than a nanosecond"),
            ("18446744074", "the most is 584 years"),
            ("18446744073s 1s", "the most is 584 years"),
            ("10x", "`x` is not a unit of time (ns, us, ms, s, m, h, d, w)"),
            ("1M", "`M` is not a unit of time (ns, us, ms, s, m, h, d, w)"),
            ("1m30", "a number in it has no unit"),
        ] {
            assert_eq!(parse(text), Err(reason.into()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_prints(nanos: u64, shift in 0_u32..64) {
            let length = Nanos(nanos >> shift);
            prop_assert_eq!(parse_duration(&format_duration(length)), Ok(length));
        }

        #[test]
        fn agrees_with_humantime(
            text in "([0-9]{1,4}([.][0-9]{1,2})? ?(ms|us|sec|min|s|m|h|days|w) ?){1,3}",
        ) {
            if let Ok(expected) = humantime::parse_duration(&text) {
                prop_assert_eq!(parse_duration(&text), Ok(expected.into()));
            }
        }

        #[test]
        fn never_panics(text in "([0-9]{1,20}[.]?[0-9]{0,20}(s|ms|m|w|µ)? ?){0,3}") {
            let _ = parse_duration(&text);
        }
    }
}
