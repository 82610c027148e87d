//! One line an interval, under a header that comes back before it scrolls away.

use crate::model::Observer;
use crate::model::event::{Event, Happening};
use crate::model::snapshot::{ReceiverInterval, SenderInterval, Snapshot};
use crate::model::spec::{Role, TrialSpec};
use crate::stats::latency::Latency;
use crate::stats::percentile::Percentile;
use crate::units::Nanos;
use crate::units::human::grouped;
use crate::units::text::{bits_per_second, per_second, signed};
use std::io::Write;

/// Columns that a line with everything takes.
const WIDE: usize = 80;

/// Lines between two headers.
const HEADER_EVERY: u64 = 20;

/// Most streams that are named as they are heard; a thousand groups would fill the screen.
const MOST_HEARD: u64 = 8;

/// Writes a table that grows by a line an interval.
pub struct Line {
    /// `None` once it has failed: nobody is watching any more.
    out: Option<Box<dyn Write + Send>>,
    columns: &'static [Column],
    /// Whether all columns fit.
    is_wide: bool,
    /// Of the time, in seconds.
    decimals: usize,
    lines: u64,
    heard: u64,
}

impl Line {
    /// Writes to `out`, a terminal of so many columns if that is known.
    pub fn new(out: Box<dyn Write + Send>, columns: Option<usize>) -> Self {
        let is_wide = columns.is_none_or(|columns| columns >= WIDE);
        Self { out: Some(out), columns: RUN, is_wide, decimals: 1, lines: 0, heard: 0 }
    }

    fn print(&mut self, line: &str) {
        self.out = self.out.take().and_then(|mut out| {
            writeln!(out, "{line}").and_then(|()| out.flush()).ok().map(|()| out)
        });
    }

    fn row(&mut self, time: &str, cell: impl Fn(&Column) -> String) {
        let fit = self.columns.iter().filter(|column| self.is_wide || !column.can_miss);
        let cells = fit.map(|column| (column.width, cell(column)));
        // What is wider than its column pushes the others aside, but never touches its neighbour.
        let cells: String = cells.map(|(width, cell)| format!(" {cell:>0$}", width - 1)).collect();
        self.print(&format!("{time}{cells}"));
    }

    fn header(&mut self) {
        self.row("    time", |column| column.title.into());
    }

    fn time(&self, time: Nanos) -> String {
        format!("{:>6.*} s", self.decimals, time.as_secs_f64())
    }
}

impl Observer for Line {
    fn on_start(&mut self, spec: &TrialSpec, _started_at: Nanos) {
        self.columns = match spec.role {
            Role::Run => RUN,
            Role::Send => SEND,
            Role::Recv => RECV,
        };
        let tenth = Nanos::SECOND.0 / 10;
        self.decimals = if spec.interval_ns.0.is_multiple_of(tenth) { 1 } else { 3 };
        self.header();
    }

    fn on_interval(&mut self, snapshot: &Snapshot) {
        if self.lines > 0 && self.lines.is_multiple_of(HEADER_EVERY) {
            self.header();
        }
        self.lines += 1;
        let time = self.time(snapshot.start + snapshot.length);
        self.row(&time, |column| (column.cell)(snapshot).unwrap_or("-".into()));
    }

    fn on_event(&mut self, event: &Event) {
        let time = self.time(event.at_ns);
        if matches!(event.what, Happening::StreamHeard { .. }) {
            self.heard += 1;
            if self.heard == MOST_HEARD + 1 {
                self.print(&format!("{time}  more streams are heard, too many to name"));
            }
            if self.heard > MOST_HEARD {
                return;
            }
        }
        self.print(&format!("{time}  {}", event.what));
    }
}

/// A column of the table; a cell is `None` when nothing was measured.
struct Column {
    title: &'static str,
    width: usize,
    /// Whether a narrow terminal can do without it.
    can_miss: bool,
    cell: fn(&Snapshot) -> Option<String>,
}

const fn column(
    title: &'static str,
    width: usize,
    cell: fn(&Snapshot) -> Option<String>,
) -> Column {
    Column { title, width, can_miss: false, cell }
}

/// For a wide terminal alone.
const fn extra(title: &'static str, width: usize, cell: fn(&Snapshot) -> Option<String>) -> Column {
    Column { title, width, can_miss: true, cell }
}

static RUN: &[Column] = &[
    extra("sent", 11, |s| tx(s, |tx| grouped(tx.counts.offered))),
    column("per second", 11, |s| tx(s, |tx| per_second(s.per_second(tx.counts.offered)))),
    extra("payload", 12, |s| tx(s, |tx| bits_per_second(s.per_second(8 * tx.payload_bytes)))),
    column("received", 11, |s| rx(s, |rx| grouped(rx.counts.received))),
    column("lost (out)", 11, |s| rx(s, lost)),
    column("p50", 8, |s| delay(s, 50_000)),
    column("p99", 8, |s| delay(s, 99_000)),
];

static SEND: &[Column] = &[
    extra("sent", 11, |s| tx(s, |tx| grouped(tx.counts.offered))),
    column("per second", 12, |s| tx(s, |tx| per_second(s.per_second(tx.counts.offered)))),
    extra("payload", 12, |s| tx(s, |tx| bits_per_second(s.per_second(8 * tx.payload_bytes)))),
    column("refused", 11, |s| tx(s, |tx| grouped(tx.counts.refused))),
    column("late p50", 10, |s| lateness(s, 50_000)),
    column("late p99", 10, |s| lateness(s, 99_000)),
];

static RECV: &[Column] = &[
    extra("received", 11, |s| rx(s, |rx| grouped(rx.counts.received))),
    column("per second", 11, |s| rx(s, |rx| per_second(s.per_second(rx.counts.received)))),
    extra("payload", 12, |s| rx(s, |rx| bits_per_second(s.per_second(8 * rx.payload_bytes)))),
    column("streams", 9, |s| rx(s, |rx| grouped(rx.streams))),
    column("lost (out)", 11, |s| rx(s, lost)),
    column("p50", 9, |s| delay(s, 50_000)),
    column("p99", 9, |s| delay(s, 99_000)),
];

fn tx(snapshot: &Snapshot, cell: impl Fn(&SenderInterval) -> String) -> Option<String> {
    snapshot.sender.as_ref().map(cell)
}

fn rx(snapshot: &Snapshot, cell: impl Fn(&ReceiverInterval) -> String) -> Option<String> {
    snapshot.receiver.as_ref().map(cell)
}

/// A percentile that reaches into the lost ones.
const LOST: &str = "lost";

/// Lost for good, and behind it in brackets what is outstanding.
fn lost(receiver: &ReceiverInterval) -> String {
    let lost = signed(receiver.lost);
    match receiver.outstanding {
        0 => lost,
        outstanding => format!("{lost} ({})", grouped(outstanding)),
    }
}

/// Where no clocks compare, a plus and how much longer than the shortest delay.
fn delay(snapshot: &Snapshot, percent: u32) -> Option<String> {
    let receiver = snapshot.receiver.as_ref()?;
    let lost = u64::try_from(receiver.lost).unwrap_or(0);
    if receiver.one_way_delay.count() > 0 || receiver.relative_delay.count() == 0 {
        return percentile(&receiver.one_way_delay, percent, lost);
    }
    let above = percentile(&receiver.relative_delay, percent, lost)?;
    Some(if above == LOST { above } else { format!("+{above}") })
}

fn lateness(snapshot: &Snapshot, percent: u32) -> Option<String> {
    percentile(&snapshot.sender.as_ref()?.lateness, percent, 0)
}

fn percentile(latency: &Latency, percent: u32, lost: u64) -> Option<String> {
    Some(match latency.percentile_with_losses(percent, lost)? {
        Percentile::Finite(delay) => delay.to_string(),
        Percentile::Infinite => LOST.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{self, Written};
    use std::io;

    fn shown(role: Role) -> String {
        let screen = Written::default();
        let mut line = Line::new(Box::new(screen.clone()), None);
        line.on_start(&sample::spec(role), sample::STARTED_AT);
        let mut events = sample::events().into_iter();
        for snapshot in sample::intervals(role) {
            events.next().iter().for_each(|event| line.on_event(event));
            line.on_interval(&snapshot);
        }
        screen.text()
    }

    #[test]
    fn each_role_has_its_own_columns() {
        for (name, role) in [("run", Role::Run), ("send", Role::Send), ("recv", Role::Recv)] {
            let text = shown(role);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            insta::with_settings!({ prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(format!("line_{name}"), text);
            });
        }
    }

    #[test]
    fn a_wide_cell_does_not_touch_its_neighbour() {
        let screen = Written::default();
        let mut snapshot = sample::intervals(Role::Run)[0].clone();
        let receiver = snapshot.receiver.as_mut().unwrap();
        (receiver.counts.received, receiver.lost, receiver.outstanding) = (3_151, 5_567, 11_688);
        Line::new(Box::new(screen.clone()), None).on_interval(&snapshot);
        assert!(screen.text().contains(" 3,151 5,567 (11,688) "), "{}", screen.text());
    }

    #[test]
    fn a_narrow_terminal_gets_the_columns_that_fit() {
        for role in [Role::Run, Role::Send, Role::Recv] {
            let screen = Written::default();
            let mut line = Line::new(Box::new(screen.clone()), Some(60));
            line.on_start(&sample::spec(role), sample::STARTED_AT);
            line.on_interval(&sample::intervals(role)[0]);
            let text = screen.text();
            assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
            assert!(text.contains("per second") && text.contains("p99"), "{text}");
        }
    }

    #[test]
    fn the_header_comes_back() {
        let screen = Written::default();
        let mut line = Line::new(Box::new(screen.clone()), None);
        line.on_start(&sample::spec(Role::Run), sample::STARTED_AT);
        for _ in 0..41 {
            line.on_interval(&sample::intervals(Role::Run)[0]);
        }
        let text = screen.text();
        let headers = text.lines().enumerate().filter(|(_, line)| line.contains("time"));
        assert_eq!(headers.map(|(at, _)| at).collect::<Vec<_>>(), [0, 21, 42]);
    }

    #[test]
    fn a_thousand_streams_do_not_fill_the_screen() {
        let screen = Written::default();
        let mut line = Line::new(Box::new(screen.clone()), None);
        (0..1_000).for_each(|_| line.on_event(&sample::events()[0]));
        assert_eq!(screen.text().lines().count() as u64, MOST_HEARD + 1);
        assert!(screen.text().ends_with("too many to name\n"));
    }

    #[test]
    fn short_intervals_have_exact_times() {
        let screen = Written::default();
        let mut line = Line::new(Box::new(screen.clone()), None);
        let spec = TrialSpec { interval_ns: Nanos(25_000_000), ..sample::spec(Role::Run) };
        line.on_start(&spec, sample::STARTED_AT);
        line.on_interval(&sample::intervals(Role::Run)[0]);
        assert!(screen.text().contains("\n 1.000 s"), "{}", screen.text());
    }

    #[test]
    fn an_interval_of_nothing_prints_dashes() {
        let screen = Written::default();
        let mut snapshot = sample::intervals(Role::Recv)[0].clone();
        snapshot.receiver = Some(ReceiverInterval::default());
        snapshot.length = Nanos(0);
        Line::new(Box::new(screen.clone()), None).on_interval(&snapshot);
        assert!(screen.text().ends_with("       -       -\n"), "{}", screen.text());
    }

    #[test]
    fn without_a_common_clock_delays_carry_a_plus() {
        let screen = Written::default();
        let mut snapshot = sample::intervals(Role::Recv)[0].clone();
        let receiver = snapshot.receiver.as_mut().unwrap();
        receiver.relative_delay = std::mem::take(&mut receiver.one_way_delay);
        receiver.lost = 3_000;
        let mut line = Line::new(Box::new(screen.clone()), None);
        line.on_start(&sample::spec(Role::Recv), sample::STARTED_AT);
        line.on_interval(&snapshot);
        assert!(screen.text().ends_with(" +12.3 µs     lost\n"), "{}", screen.text());
    }

    #[test]
    fn a_closed_terminal_ends_it_quietly() {
        struct Closed(u32);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                assert_eq!(self.0, 1, "written to after a failure");
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut line = Line::new(Box::new(Closed(0)), None);
        line.on_start(&sample::spec(Role::Run), sample::STARTED_AT);
        sample::intervals(Role::Run).iter().for_each(|each| line.on_interval(each));
    }
}
