//! A capture as a load: its timing and its payload lengths.

use crate::error::{Error, Result};
use crate::model::event::Happening;
use crate::model::spec::Timing;
use crate::units::Nanos;
use crate::wire::capture::{self, Capture};
use crate::wire::probe;
use std::fs::File;
use std::sync::Arc;

/// Ten bytes each are held while a trial runs.
const MOST_DATAGRAMS: usize = 10_000_000;

/// Longest UDP payload over IPv4, of which captures of offloaded datagrams may have more (RFC 768, 791).
const LONGEST: u16 = 65_507;

/// When datagrams are due and how long they are; never none.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    /// From the first.
    pub(super) dues: Arc<[Nanos]>,
    /// UDP payload bytes.
    pub(super) lens: Arc<[u16]>,
    /// From one beginning to the next, when it is repeated.
    pub(super) period: Nanos,
}

impl Trace {
    /// The longest payload.
    pub(super) fn longest(&self) -> u16 {
        self.lens.iter().copied().max().unwrap_or(0)
    }
}

/// The trace that a schedule asks for, and what is to be said about it; `None` if it asks for none.
///
/// # Errors
/// The file cannot be read, or is no capture that can be replayed.
pub(super) fn trace(schedule: &Timing) -> Result<Option<(Trace, Happening)>> {
    let Timing::Replay { file, speed, repeats } = schedule else { return Ok(None) };
    let input = File::open(file)
        .map_err(|error| Error::os(format!("cannot open the capture {file}"), error))?;
    let unusable = |reason: &str| Error::environment(format!("cannot replay {file}: {reason}"));
    let capture = capture::read(input, MOST_DATAGRAMS)
        .map_err(|reason| unusable(&reason).hint(hint(&reason)))?;
    let first = capture.datagrams.first().map_or(Nanos(0), |(at, _)| *at);
    let dues: Arc<[Nanos]> =
        capture.datagrams.iter().map(|(at, _)| speed.of(*at - first)).collect();
    let length = dues.last().copied().unwrap_or_default();
    if *repeats && length == Nanos(0) {
        return Err(unusable("it takes no time, so it cannot be repeated")
            .hint("leave out --time and --count"));
    }
    let happening = taken(file, &capture, length);
    let lens =
        capture.datagrams.iter().map(|(_, len)| (*len).clamp(probe::MIN_LEN as u16, LONGEST));
    let lens = lens.collect();
    let period = period(length, dues.len());
    Ok(Some((Trace { dues, lens, period }, happening)))
}

/// The last datagram is followed by a gap of mean length, as if it went on.
fn period(length: Nanos, datagrams: usize) -> Nanos {
    let gaps = (datagrams as u64 - 1).max(1);
    Nanos(length.0.saturating_add((length.0 / gaps).max(1)))
}

fn taken(file: &str, capture: &Capture, length: Nanos) -> Happening {
    let count = |is_so: &dyn Fn(u16) -> bool| {
        capture.datagrams.iter().filter(|(_, len)| is_so(*len)).count() as u64
    };
    Happening::CaptureTaken {
        file: file.to_owned(),
        datagrams: capture.datagrams.len() as u64,
        length_ns: length,
        skipped: capture.skipped,
        lengthened: count(&|len| usize::from(len) < probe::MIN_LEN),
        shortened: count(&|len| len > LONGEST),
    }
}

fn hint(reason: &str) -> &'static str {
    match reason {
        reason if reason.contains("older") => "`reordercap` sorts a capture by time",
        reason if reason.contains("more than") => "`editcap -r` takes a part of a capture",
        reason if reason.contains("cut off") => "`editcap` writes what is whole of it",
        reason if reason.contains("`replay`") => {
            "build it with --features replay, which is on by default"
        }
        _ => "tcpdump -w writes captures",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_that_is_repeated_keeps_its_rate() {
        // Five datagrams, 100 apart.
        assert_eq!(period(Nanos(400), 5), Nanos(500));
        assert_eq!(period(Nanos(0), 1), Nanos(1));
    }

    #[test]
    fn what_is_changed_is_counted() {
        let lens = [0, 17, 18, 1316, 65_507, 65_508];
        let datagrams = lens.map(|len| (Nanos(0), len)).to_vec();
        let taken = taken("a.pcap", &Capture { datagrams, skipped: 3 }, Nanos::SECOND);
        assert_eq!(
            taken.to_string(),
            "replaying a.pcap: 6 datagrams in 1.00 s; 3 packets without UDP are left out, 2 payloads \
             lengthened to 18 bytes, 1 shortened to 65507"
        );
    }
}
