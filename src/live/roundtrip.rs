//! One line an interval of `ping`, of `echo` and of `join`, under a header that comes back before it scrolls away.

use crate::model::echo::EchoInterval;
use crate::model::event::Event;
use crate::model::join::JoinInterval;
use crate::model::ping::PingInterval;
use crate::stats::latency::Latency;
use crate::stats::percentile::Percentile;
use crate::units::Nanos;
use crate::units::human::grouped;
use std::io::Write;

/// Lines between two headers.
const HEADER_EVERY: u64 = 20;

const PING: &str =
    "    time      sent  answered  missing  responders   RTT p50   RTT p99   RTT max";
const JOIN: &str = "    time     joins  answered   stopped  join p50  join p99  join max";
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
        let [p50, p99, max] = times(&interval.rtt);
        let [sent, answered, missing] =
            [interval.sent, interval.answered, interval.missing].map(grouped);
        let responders = interval.responders;
        self.row(
            PING,
            interval.start + interval.length,
            &format!(
                "{sent:>10}{answered:>10}{missing:>9}{responders:>12}{p50:>10}{p99:>10}{max:>10}"
            ),
        );
    }

    /// How far `join` is.
    pub fn join(&mut self, interval: &JoinInterval) {
        let [joins, answered] = [interval.joins, interval.answered].map(grouped);
        let ended = interval.ended.map_or("-".into(), grouped);
        let [p50, p99, max] = times(&interval.to_socket);
        let cells = format!("{joins:>10}{answered:>10}{ended:>10}{p50:>10}{p99:>10}{max:>10}");
        self.row(JOIN, interval.at, &cells);
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

/// Median, 99th percentile and maximum.
fn times(of: &Latency) -> [String; 3] {
    let at = |percent| match of.percentile_with_losses(percent, 0) {
        Some(Percentile::Finite(time)) => time.to_string(),
        _ => "-".into(),
    };
    let max = if of.count() > 0 { of.max().to_string() } else { "-".into() };
    [at(50_000), at(99_000), max]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Happening;
    use crate::model::sample::Written;

    fn shown(tell: impl Fn(&mut RoundTripLine)) -> String {
        let screen = Written::default();
        tell(&mut RoundTripLine::new(Box::new(screen.clone()), Nanos::SECOND));
        let text = screen.text();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        text
    }

    #[test]
    fn of_ping() {
        let mut rtt = Latency::new();
        (1..=100).for_each(|n| rtt.record(Nanos(0), Nanos(n * 1_000)));
        let (start, length) = (Nanos(0), Nanos::SECOND);
        let full = PingInterval {
            start,
            length,
            sent: 100_000,
            answered: 1_000_000,
            missing: 12_345,
            responders: 2,
            rtt,
        };
        let empty = PingInterval { start: length, length, ..PingInterval::default() };
        let text = shown(|line| {
            line.ping(&full);
            line.ping(&empty);
        });
        let expected =
            "    time      sent  answered  missing  responders   RTT p50   RTT p99   RTT max
   1.0 s   100,000 1,000,000   12,345           2   50.0 µs   99.0 µs    100 µs
   2.0 s         0         0        0           0         -         -         -
";
        assert_eq!(text, expected);
    }

    #[test]
    fn of_echo_with_a_header_that_comes_back() {
        let interval = EchoInterval {
            length: Nanos::SECOND,
            requests: 7,
            replies: 6,
            askers: 1,
            ..EchoInterval::default()
        };
        let text = shown(|line| (0..21).for_each(|_| line.echo(&interval)));
        assert!(text.ends_with("    time   requests    answers     askers\n   1.0 s          7          6          1\n"), "{text}");
        assert_eq!(text.matches("askers").count(), 2);
    }

    #[test]
    fn of_join() {
        let mut to_socket = Latency::new();
        to_socket.record(Nanos(0), Nanos(12_000));
        let at = Nanos::SECOND;
        let full = JoinInterval { at, joins: 1200, answered: 1, ended: Some(7), to_socket };
        let text = shown(|line| {
            line.join(&full);
            line.join(&JoinInterval { at, joins: 2, ..JoinInterval::default() });
        });
        let expected = "    time     joins  answered   stopped  join p50  join p99  join max
   1.0 s     1,200         1         7   12.0 µs   12.0 µs   12.0 µs
   1.0 s         2         0         -         -         -         -
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_event_has_its_time() {
        let event = Event { at_ns: Nanos(1_500_000_000), what: Happening::Interrupted };
        assert_eq!(shown(|line| line.event(&event)), "   1.5 s  interrupted\n");
    }
}
