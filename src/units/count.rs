//! Numbers of things as people type them: `1000`, `100k`, `1.5M`.

use super::number::{self, Number};

/// A whole number with an optional prefix: `k`, `M`, `G` are powers of ten, `Ki`, `Mi`, `Gi` powers of two.
///
/// # Errors
/// Says in one line what is wrong.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let example = "counts look like `1000`, `100k` or `1.5M`";
    let refuse = |reason: &str| format!("`{text}` is not a count: {reason}; {example}");
    let (number, rest) = Number::split(text).map_err(|reason| refuse(&reason))?;
    let (prefix, unit) = number::split_prefix(rest).map_err(|reason| refuse(&reason))?;
    if !unit.is_empty() {
        return Err(refuse(&format!("`{unit}` is one word too many")));
    }
    number.times(prefix).map_err(|_| refuse("it is not a whole number below 2^64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (text, count) in
            [("0", 0), ("7", 7), ("100k", 100_000), ("1.5M", 1_500_000), ("1Ki", 1024)]
        {
            assert_eq!(parse_count(text), Ok(count), "{text}");
        }
        for text in ["", "-1", "1.5", "1.0001k", "10 k", "5pps", "99999999999G"] {
            let error = parse_count(text).unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is not a count: ")), "{error}");
        }
    }
}
