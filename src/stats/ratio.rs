//! Shares of a whole that may be empty.

/// `part` of `whole`; `None` when there is nothing to be a part of.
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
