//! How the ends of round trips go about them, how long those took, and where.

use super::delay::{Distribution, OneWayDelay};
use super::report::TimestampKind;
use crate::stats::latency::{Delays, Latency};
use crate::stats::percentile::Percentile;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};

/// How one end of round trips sends, waits and tells: whoever asks, and whoever answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manner {
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Whether other ends on this host get a copy (`IP_MULTICAST_LOOP`).
    pub loopback: bool,
    /// Differentiated services code point, 0 to 63.
    pub dscp: u8,
    /// Whether to wait in a busy loop instead of in the kernel.
    pub spin: bool,
    /// Core to pin to; `None` is the last one for who asks, and the last but one for who answers.
    pub cpu: Option<usize>,
    /// Whose receive times are taken: the kernel's, or this program's own, which cost less.
    pub timestamps: TimestampKind,
    /// Receive buffer to ask for, bytes.
    pub receive_buffer: usize,
    /// Length of a reporting interval; 0 is none.
    pub interval_ns: Nanos,
}

/// Times of round trips while they are gathered. Allocates all that recording will ever need: 1.3 MiB.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// From the due time of the request to the moment this program read the reply.
    pub rtt: Latency,
    /// To the moment this host's kernel received it.
    pub kernel: Latency,
    /// The responder's own share: from its kernel's receive time to the moment it handed over the reply.
    pub turnaround: Latency,
    /// `rtt` less `turnaround`, of each round trip.
    pub path: Latency,
    /// From the due time to the responder's kernel, where the clocks compare.
    pub forward: Latency,
    /// From the responder's reply to this host's kernel, where the clocks compare.
    pub back: Latency,
}

impl Times {
    /// Adds all of `other`, exactly.
    pub fn add(&mut self, other: &Self) {
        self.rtt.add(&other.rtt);
        self.kernel.add(&other.kernel);
        self.turnaround.add(&other.turnaround);
        self.path.add(&other.path);
        self.forward.add(&other.forward);
        self.back.add(&other.back);
    }
}

/// Times of round trips, summed up. In every percentile but those of `turnaround_ns` the requests that were not answered
/// in time are infinitely late.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// From the due time of the request to the moment this program read the reply: application to application.
    pub rtt_ns: Distribution,
    /// Half of it.
    pub half_rtt_ns: Half,
    /// From the due time of the request to the moment this host's kernel received the reply; without its timestamps the
    /// same as `rtt_ns`.
    pub kernel_rtt_ns: Distribution,
    /// The responder's own share: from its kernel's receive time to the moment it handed over the reply.
    pub turnaround_ns: Distribution,
    /// The round trip less the responder's share.
    pub path_ns: Distribution,
    /// Half of it.
    pub half_path_ns: Half,
    /// The way there: from the due time of the request to the responder's kernel; `null` where clocks do not compare.
    pub forward_ns: Option<OneWayDelay>,
    /// The way back: from the responder's reply to this host's kernel; `null` where clocks do not compare.
    pub return_ns: Option<OneWayDelay>,
}

impl RoundTrips {
    /// Sums up `times` and so many `lost` round trips; `clock` names the clocks of both ends, if they compare.
    pub fn of(times: &Times, lost: u64, clock: Option<String>) -> Self {
        let with_lost = |of: &Latency| Distribution::with_losses(&of.read(), lost);
        let way = |of: &Latency| Some(OneWayDelay::of(clock.clone()?, &of.read(), lost));
        Self {
            rtt_ns: with_lost(&times.rtt),
            half_rtt_ns: Half::of(&times.rtt.read(), lost),
            kernel_rtt_ns: with_lost(&times.kernel),
            turnaround_ns: Distribution::of(&times.turnaround.read()),
            path_ns: with_lost(&times.path),
            half_path_ns: Half::of(&times.path.read(), lost),
            forward_ns: way(&times.forward),
            return_ns: way(&times.back),
        }
    }
}

/// Halves of round trips: what is often called the latency, though nobody knows that both ways are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Half {
    /// Of the shortest.
    pub min: Nanos,
    /// Of the median; percentiles are `null` when they reach into the lost ones.
    pub p50: Option<Nanos>,
    /// Of the 90th percentile.
    pub p90: Option<Nanos>,
    /// Of the 99th.
    pub p99: Option<Nanos>,
    /// Of the 99.9th.
    pub p99_9: Option<Nanos>,
    /// Of the longest.
    pub max: Nanos,
}

impl Half {
    /// Of round trips and so many `lost` ones.
    pub fn of(latency: &Delays, lost: u64) -> Self {
        let half = |time: Nanos| Nanos(time.0 / 2);
        let at = |percent| {
            latency.percentile_with_losses(percent, lost).and_then(Percentile::finite).map(half)
        };
        Self {
            min: half(latency.min.unwrap_or_default()),
            p50: at(50_000),
            p90: at(90_000),
            p99: at(99_000),
            p99_9: at(99_900),
            max: half(latency.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_losses() {
        let mut times = Times::default();
        (1..=99).for_each(|n| times.rtt.record(Nanos(0), Nanos(n * 2)));
        let trips = RoundTrips::of(&times, 1, None);
        let half = trips.half_rtt_ns;
        assert_eq!(
            (half.min, half.p50, half.p99, half.max),
            (Nanos(1), Some(Nanos(50)), Some(Nanos(99)), Nanos(99))
        );
        assert_eq!(
            (trips.rtt_ns.percentiles.p99, trips.rtt_ns.percentiles.p99_9, half.p99_9),
            (Some(Nanos(198)), None, None)
        );
        assert_eq!((trips.forward_ns, trips.path_ns.percentiles.count), (None, 0));
    }
}
