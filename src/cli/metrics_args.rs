//! Flags for Prometheus as typed.

use crate::error::Result;
use crate::live::prometheus::Prometheus;
use crate::model::spec::TrialSpec;
use crate::sys::clock;
use crate::units::Nanos;
use crate::units::duration::parse_duration;
use clap::Args;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

/// How long an interruption of the wait after the trial may go unnoticed.
const LOOK_EVERY: Nanos = Nanos(50 * Nanos::MILLISECOND.0);

/// Where to be scraped.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct MetricsArgs {
    /// Serve metrics for Prometheus, at http://ADDRESS/metrics
    ///
    /// `9464` and `127.0.0.1:9464` let nobody but this host ask; `0.0.0.0:9464` or an address of an interface lets
    /// others, too. Metrics are as new as the last interval, and are there, at zero, before the trial starts, and until
    /// it is reported.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = parse_address)]
    pub(super) metrics: Option<SocketAddr>,
    /// Serve them so much longer after the trial
    ///
    /// So that the verdict is scraped, too: give it more than the time between two scrapes. Ctrl-C ends it.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub(super) metrics_linger: Nanos,
}

impl MetricsArgs {
    /// Takes the port, if there is to be one.
    pub(super) fn listen(&self, spec: &TrialSpec, is_quiet: bool) -> Result<Option<Prometheus>> {
        let Some(address) = self.metrics else { return Ok(None) };
        let metrics = Prometheus::listen(address, spec)?;
        if !is_quiet {
            let _ = writeln!(io::stderr(), "metrics: http://{}/metrics", metrics.address());
        }
        Ok(Some(metrics))
    }

    /// Waits as long as they are to be served after the trial. Whoever interrupts it, or has interrupted that, does
    /// not want to wait.
    pub(super) fn linger(&self, interrupt: &AtomicBool) {
        let until = clock::monotonic() + self.metrics_linger;
        while clock::monotonic() < until && !interrupt.load(Ordering::Relaxed) {
            clock::sleep_until(until.min(clock::monotonic() + LOOK_EVERY));
        }
    }
}

fn parse_address(text: &str) -> std::result::Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    let on_loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    port.parse().map(on_loopback).or_else(|_| text.parse()).map_err(|_| {
        "it looks like `9464`, `127.0.0.1:9464` or `[::1]:9464`; host names are not looked up"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_it_is_loopback() {
        for (text, expected) in [
            ("9464", "127.0.0.1:9464"),
            (":9464", "127.0.0.1:9464"),
            ("0", "127.0.0.1:0"),
            ("192.0.2.1:9464", "192.0.2.1:9464"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:9464", "[::1]:9464"),
        ] {
            assert_eq!(parse_address(text), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in
            ["", ":", "65536", "-1", "localhost:9464", "127.0.0.1", "::1", "1.2.3.4:", "::1:80x"]
        {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }
}
