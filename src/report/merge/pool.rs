//! Histograms of many results, added up exactly.

use crate::error::{Error, Result};
use crate::model::delay::Distribution;
use crate::report::load;
use crate::stats::latency::{self, Delays};
use crate::units::Nanos;
use hdrhistogram::Histogram;

/// The sum so far, and the file that it began with.
#[derive(Default)]
pub(super) struct Pool {
    sum: Option<(String, Delays)>,
}

impl Pool {
    /// Decodes what `file` has, if it can be added here.
    pub(super) fn accept(&self, file: &str, distribution: &Distribution) -> Result<Delays> {
        let histogram = load::histogram(file, distribution)?;
        // Whichever comes first: what another version wrote must not keep out all others.
        let own = latency::histogram();
        if bounds(&own) != bounds(&histogram) {
            let other = self.sum.as_ref().map_or("this mcast-bench", |(first, _)| first);
            return Err(Error::environment(format!(
                "{file} and {other} have different histograms: {} and {}",
                in_words(&histogram),
                in_words(&own)
            ))
            .hint("merge results of one version of mcast-bench"));
        }
        Ok(Delays {
            min: (distribution.percentiles.count > 0).then_some(distribution.percentiles.min),
            max: distribution.percentiles.max,
            clamped: distribution.percentiles.clamped,
            histogram,
            negative: 0,
            negative_max: Nanos(0),
        })
    }

    /// Adds what [`Self::accept`] has let in.
    pub(super) fn add(&mut self, file: &str, delays: Delays) {
        match &mut self.sum {
            Some((_, sum)) => sum.add(&delays),
            None => self.sum = Some((file.to_owned(), delays)),
        }
    }

    pub(super) fn sum(&self) -> Option<&Delays> {
        self.sum.as_ref().map(|(_, sum)| sum)
    }
}

/// What decides whether two histograms can be added without loss.
fn bounds(histogram: &Histogram<u64>) -> (u64, u64, u8) {
    (histogram.low(), histogram.high(), histogram.sigfig())
}

fn in_words(histogram: &Histogram<u64>) -> String {
    let (low, high, digits) = bounds(histogram);
    format!("{} to {} with {digits} digits", Nanos(low), Nanos(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIGHEST: u64 = latency::HIGHEST.0;

    fn distribution(highest: u64, values: &[u64]) -> Distribution {
        let mut delays = Delays {
            histogram: Histogram::new_with_bounds(1, highest, 3).unwrap(),
            negative: 0,
            negative_max: Nanos(0),
            clamped: 0,
            min: values.iter().min().copied().map(Nanos),
            max: Nanos(values.iter().max().copied().unwrap_or(0)),
        };
        values.iter().for_each(|&value| delays.histogram.record(value).unwrap());
        Distribution::of(&delays)
    }

    #[test]
    fn sums_are_exact() {
        let mut pool = Pool::default();
        for (file, values) in [("a", &[10, 20, 70_000][..]), ("b", &[]), ("c", &[5, 20])] {
            let latency = pool.accept(file, &distribution(HIGHEST, values)).unwrap();
            pool.add(file, latency);
        }
        let sum = Distribution::of(pool.sum().unwrap());
        assert_eq!(sum, distribution(HIGHEST, &[10, 20, 70_000, 5, 20]));
    }

    #[test]
    fn other_bounds_are_refused_by_name() {
        let mut pool = Pool::default();
        let first = pool.accept("a.json", &distribution(HIGHEST, &[1])).unwrap();
        pool.add("a.json", first);
        let error = pool.accept("b.json", &distribution(2_000_000, &[1])).unwrap_err();
        assert!(error.to_string().starts_with(
            "b.json and a.json have different histograms: 1 ns to 2.00 ms with 3 digits and 1 ns to 60.0 s with 3 digits"
        ), "{error}");
    }
}
