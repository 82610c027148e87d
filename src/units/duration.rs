//! Lengths of time as people type them: `10s`, `1m30s`, `250us`, or a bare number of seconds.

use super::Nanos;
use super::number::{self, Number};

/// Reads a length of time, exactly: a bare number is seconds (iperf's habit), all else is as humantime takes it.
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

fn parse(text: &str) -> Result<Nanos, String> {
    if text.starts_with('-') {
        return Err("it is negative".into());
    }
    if let Ok((seconds, "")) = Number::split(text) {
        return seconds
            .times(Nanos::SECOND.0)
            .map(Nanos)
            .map_err(|_| "it does not fit into nanoseconds".into());
    }
    let duration = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    let nanos = u64::try_from(duration.as_nanos()).map_err(|_| "the most is 584 years")?;
    Ok(Nanos(nanos))
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
    }

    #[test]
    fn refusals_say_why() {
        for (text, reason) in [
            ("", "value was empty"),
            ("-1s", "it is negative"),
            ("0.0000000001", "it does not fit into nanoseconds"),
            ("18446744074", "it does not fit into nanoseconds"),
            ("600years", "the most is 584 years"),
            ("soon", "expected number at 0"),
        ] {
            assert_eq!(parse(text), Err(reason.into()), "{text}");
        }
        assert!(parse("10x").unwrap_err().starts_with("unknown time unit \"x\""));
        assert!(parse("0.5ns").unwrap_err().starts_with("number is too large or cannot be"));
    }

    proptest! {
        #[test]
        fn reads_what_it_prints(nanos: u64, shift in 0_u32..64) {
            let length = Nanos(nanos >> shift);
            prop_assert_eq!(parse_duration(&format_duration(length)), Ok(length));
        }
    }
}
