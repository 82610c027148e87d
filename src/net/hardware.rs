//! Receive timestamps of the network card: whether they are to be had, and keeping them for a trial.

use crate::error::{Error, Result};
use crate::model::report::{TimestampKind, TimestampReport};
use crate::model::spec::Timestamps;
use crate::net::phc::Phc;
use crate::net::timestamp::{Stamps, Timestamps as KernelTimestamps};
use crate::sys::hwtstamp::{self, Abilities, Config};
use crate::sys::netdev::interface_name;

/// `HWTSTAMP_FILTER_ALL`: "time stamp any incoming packet", `<linux/net_tstamp.h>`.
const ALL: i32 = libc::HWTSTAMP_FILTER_ALL as i32;

/// The kernel's timestamps are always there.
const INSTEAD: &str = "--timestamps kernel does without";

/// Timestamps of a network card, switched on and related to `CLOCK_REALTIME`.
#[derive(Debug)]
struct Hardware {
    /// The clock that stamps.
    phc: Phc,
    _restores: Option<Restore>,
}

/// Who stamps what is received.
#[derive(Debug)]
enum Whose {
    /// Nobody but the program itself.
    Application,
    Kernel,
    Card(Box<Hardware>),
}

/// What came of a wish for timestamps. Keeps them switched on for as long as it lives.
#[derive(Debug)]
pub struct Choice {
    whose: Whose,
    /// Why they are not the card's, although the card could.
    degraded: Option<String>,
    _of_kernel: Option<KernelTimestamps>,
}

impl Choice {
    /// For who receives nothing from a network.
    pub fn none() -> Self {
        Self { whose: Whose::Application, degraded: None, _of_kernel: None }
    }

    /// For those who read stamps.
    pub fn stamps(&self) -> Stamps {
        if let Whose::Card(card) = &self.whose { card.phc.stamps() } else { Stamps::Kernel }
    }

    /// Follows the card's clock, if there is one and it is time to.
    pub fn follow(&mut self) {
        if let Whose::Card(card) = &mut self.whose {
            card.phc.follow();
        }
    }

    /// Why the stamps are not the card's, although it could.
    pub fn degraded(&mut self) -> Option<String> {
        self.degraded.take()
    }

    /// What to report, after a last look at the clock; `without` datagrams had no such stamp.
    pub fn report(&mut self, without: u64) -> TimestampReport {
        let none =
            TimestampReport { kind: TimestampKind::Kernel, phc: None, error_ns: None, without };
        match &mut self.whose {
            Whose::Application => TimestampReport { kind: TimestampKind::Application, ..none },
            Whose::Kernel => none,
            Whose::Card(card) => {
                card.phc.look();
                let (phc, error_ns) = (Some(card.phc.index()), card.phc.error());
                TimestampReport { kind: TimestampKind::Hardware, phc, error_ns, without }
            }
        }
    }
}

/// Why a card's timestamps are not to be had.
#[derive(Debug)]
struct Missing {
    /// The card could, but something stands in the way.
    expected: bool,
    error: Error,
}

/// Does as wished, or what comes closest. The kernel's are switched on in any case: a card may leave some out.
///
/// # Errors
/// The card's timestamps were asked for and are not to be had; no sockets.
pub fn choose(wish: Timestamps, interface: u32) -> Result<Choice> {
    let (card, degraded) = match wish {
        Timestamps::Kernel => (None, None),
        wish => settle(wish, open(&name(interface)?, wish == Timestamps::Hardware))?,
    };
    let whose = card.map_or(Whose::Kernel, |card| Whose::Card(Box::new(card)));
    Ok(Choice { whose, degraded, _of_kernel: Some(KernelTimestamps::warm_up()?) })
}

fn name(interface: u32) -> Result<String> {
    interface_name(interface)
        .map_err(|error| Error::os(format!("cannot find interface {interface}"), error))
}

/// The card's stamps, or why there are none if that is to be said.
fn settle(
    wish: Timestamps,
    opened: std::result::Result<Hardware, Missing>,
) -> Result<(Option<Hardware>, Option<String>)> {
    match opened {
        Ok(card) => Ok((Some(card), None)),
        Err(Missing { error, .. }) if wish == Timestamps::Hardware => Err(error.hint(INSTEAD)),
        Err(Missing { expected, error }) => Ok((None, expected.then(|| error.reason()))),
    }
}

/// `may_switch`: a card serves the whole host, so it is left as it is unless its stamps were asked for.
fn open(name: &str, may_switch: bool) -> std::result::Result<Hardware, Missing> {
    let unable = |error| Missing { expected: false, error };
    let abilities = hwtstamp::abilities(name).map_err(|error| {
        unable(Error::os(format!("cannot ask {name} for hardware timestamps"), error))
    })?;
    let index = able(name, &abilities).map_err(unable)?;
    let hindered = |error| Missing { expected: true, error };
    // The clock first: what cannot be converted need not be switched on.
    let phc = Phc::open(index).map_err(|error| {
        let what = format!("cannot read the clock of {name}, /dev/ptp{index}");
        hindered(Error::os(what, error))
    })?;
    let restores = switch_on(name, may_switch).map_err(hindered)?;
    Ok(Hardware { phc, _restores: restores })
}

/// The clock by which a card stamps every packet, if it can.
fn able(name: &str, abilities: &Abilities) -> Result<u32> {
    let Abilities { so_timestamping, phc, rx_filters } = *abilities;
    let needed = libc::SOF_TIMESTAMPING_RX_HARDWARE | libc::SOF_TIMESTAMPING_RAW_HARDWARE;
    let no = |why: &str| {
        let what = format!("{name} has no hardware timestamps for every datagram: {why}");
        Err(Error::environment(what))
    };
    match phc {
        _ if so_timestamping & needed != needed => no("its driver offers none on reception"),
        _ if rx_filters & (1 << ALL) == 0 => no("it stamps only packets of some protocols"),
        None => no("its driver names no clock (PHC)"),
        Some(index) => Ok(index),
    }
}

/// Has every incoming packet stamped. What the card did before is restored in the end: "User space is responsible to
/// ensure that multiple processes don't interfere with each other and that the settings are reset",
/// Documentation/networking/timestamping.rst. If it did so already, there is nothing to restore.
fn switch_on(name: &str, may_switch: bool) -> Result<Option<Restore>> {
    let before = hwtstamp::config(name).map_err(|error| {
        Error::os(format!("cannot read which packets {name} stamps, to restore it"), error)
    })?;
    if before.rx_filter == ALL {
        return Ok(None);
    }
    if !may_switch {
        let what = format!("{name} could stamp every packet, but is not switched to do so");
        return Err(Error::environment(format!("{what}; --timestamps hardware would switch it")));
    }
    let wanted = Config { rx_filter: ALL, ..before };
    let got = hwtstamp::set_config(name, wanted).map_err(|error| {
        let needs =
            if error.raw_os_error() == Some(libc::EPERM) { " (needs CAP_NET_ADMIN)" } else { "" };
        Error::os(format!("cannot switch on hardware timestamps of {name}{needs}"), error)
    })?;
    let restore = Restore { interface: name.to_owned(), before };
    if got.rx_filter == ALL {
        return Ok(Some(restore));
    }
    Err(Error::environment(format!("{name} does not stamp every packet although it says it can")))
}

/// Puts back what was there when it is dropped.
#[derive(Debug)]
struct Restore {
    interface: String,
    before: Config,
}

impl Drop for Restore {
    fn drop(&mut self) {
        // An interface that is gone has nothing to restore.
        drop(hwtstamp::set_config(&self.interface, self.before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// As drivers answer `ethtool -T`.
    fn abilities(so_timestamping: u32, phc: Option<u32>, rx_filters: u32) -> Abilities {
        Abilities { so_timestamping, phc, rx_filters }
    }

    const EVERYTHING: u32 = 0x5f;
    const SOFTWARE: u32 = 0x1a;

    #[test]
    fn a_card_must_stamp_every_packet_and_name_its_clock() {
        let reason = |abilities| able("eth1", &abilities).unwrap_err().to_string();
        let head = "eth1 has no hardware timestamps for every datagram: ";
        assert_eq!(able("eth1", &abilities(EVERYTHING, Some(3), 0b11)).unwrap(), 3);
        let software = reason(abilities(SOFTWARE, None, 0));
        assert_eq!(software, format!("{head}its driver offers none on reception"));
        let ptp_only = reason(abilities(EVERYTHING, Some(0), 0b1_0000_0000_0001));
        assert_eq!(ptp_only, format!("{head}it stamps only packets of some protocols"));
        let no_clock = reason(abilities(EVERYTHING, None, 0b11));
        assert_eq!(no_clock, format!("{head}its driver names no clock (PHC)"));
    }

    fn missing(expected: bool) -> std::result::Result<Hardware, Missing> {
        let error = Error::os("cannot do it", io::Error::from_raw_os_error(libc::EPERM));
        Err(Missing { expected, error })
    }

    #[test]
    fn automatic_says_only_what_was_to_be_expected() {
        let degraded = |expected| settle(Timestamps::Auto, missing(expected)).unwrap().1;
        assert_eq!(degraded(false), None);
        let reason = "cannot do it: Operation not permitted (os error 1)";
        assert_eq!(degraded(true).as_deref(), Some(reason));
        let error = settle(Timestamps::Hardware, missing(true)).unwrap_err().to_string();
        assert_eq!(error, format!("{reason}\nhint: {INSTEAD}"));
    }

    #[test]
    fn loopback_has_the_kernels() {
        for wish in [Timestamps::Kernel, Timestamps::Auto] {
            let mut choice = choose(wish, 1).unwrap();
            assert_eq!(choice.degraded(), None);
            let kind = TimestampKind::Kernel;
            let expected = TimestampReport { without: 3, ..TimestampReport::new(kind) };
            assert_eq!(choice.report(3), expected);
        }
        let error = choose(Timestamps::Hardware, 1).unwrap_err().to_string();
        assert!(error.starts_with("lo has no hardware timestamps for every datagram: "), "{error}");
        assert!(switch_on("lo", true).unwrap_err().to_string().contains("which packets lo stamps"));
    }
}
