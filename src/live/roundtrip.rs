//! One line an interval of `ping` and of `echo`, under a header that comes back before it scrolls away.

use crate::model::echo::EchoInterval;
use crate::model::event::Event;
use crate::model::ping::PingInterval;
use crate::stats::percentile::Percentile;
use crate::units::Nanos;
use crate::units::human::grouped;
use std::io::Write;

/// Lines between two headers.
const HEADER_EVERY: u64 = 20;

const PING: &str =
    "    time      sent  answered  missing  responders   RTT p50   RTT p99   RTT max";
const ECHO: &str = "    time   requests    answers     askers";

/// Writes a table that grows by a line an interval.
pub struct RoundTripLine {
    /// `None` once it has failed: nobody is watching any more.
    out: Option<Box<dyn Write + Send>>,
    lines: u64,
    /// Of the time, in seconds.
    decimals: usize,
}

impl RoundTripLine {
    /// Writes to `out`, with times as exact as the length of an interval asks for.
    pub fn new(out: Box<dyn Write + Send>, interval: Nanos) -> Self {
        let tenth = Nanos::SECOND.0 / 10;
        Self {
            out: Some(out),
            lines: 0,
            decimals: if interval.0.is_multiple_of(tenth) { 1 } else { 3 },
        }
    }

    /// An interval of `ping`.
    pub fn ping(&mut self, interval: &PingInterval) {
        let at = |percent| match interval.rtt.percentile_with_losses(percent, 0) {
            Some(Percentile::Finite(time)) => time.to_string(),
            _ => "-".into(),
        };
        let max = if interval.rtt.count() > 0 { interval.rtt.max.to_string() } else { "-".into() };
        let [sent, answered, missing] =
            [interval.sent, interval.answered, interval.missing].map(grouped);
        let (responders, p50, p99) = (interval.responders, at(50_000), at(99_000));
        self.row(
            PING,
            interval.start + interval.length,
            &format!(
                "{sent:>10}{answered:>10}{missing:>9}{responders:>12}{p50:>10}{p99:>10}{max:>10}"
            ),
        );
    }

    /// An interval of `echo`.
    pub fn echo(&mut self, interval: &EchoInterval) {
        let [requests, replies, askers] =
            [interval.requests, interval.replies, interval.askers].map(grouped);
        let cells = format!("{requests:>11}{replies:>11}{askers:>11}");
        self.row(ECHO, interval.start + interval.length, &cells);
    }

    /// Something happened.
    pub fn event(&mut self, event: &Event) {
        let line = format!("{}  {}", self.time(event.at_ns), event.what);
        self.print(&line);
    }

    fn row(&mut self, header: &str, at: Nanos, cells: &str) {
        if self.lines.is_multiple_of(HEADER_EVERY) {
            self.print(header);
        }
        self.lines += 1;
        let line = format!("{}{cells}", self.time(at));
        self.print(&line);
    }

    fn time(&self, time: Nanos) -> String {
        format!("{:>6.*} s", self.decimals, time.as_secs_f64())
    }

    fn print(&mut self, line: &str) {
        self.out = self.out.take().and_then(|mut out| {
            writeln!(out, "{line}").and_then(|()| out.flush()).ok().map(|()| out)
        });
    }
}
