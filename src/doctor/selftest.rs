//! A few datagrams to the first group, heard by a socket of our own and seen by a packet socket on their way out.

use super::Asked;
use crate::error::{Error, Result};
use crate::model::checkup::Finding;
use crate::model::group::Membership;
use crate::net::membership;
use crate::net::socket;
use crate::sys::clock;
use crate::sys::filter::{self, KEEP, LEAVE, if_equal, load_known};
use crate::sys::packet;
use crate::units::Nanos;
use socket2::Socket;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Duration;

const DATAGRAMS: usize = 10;
/// Bytes; far more than so few take.
const RECEIVE_BUFFER: usize = 1 << 18;
/// Far more than a host takes to hear itself.
const PATIENCE: Nanos = Nanos(500 * Nanos::MILLISECOND.0);

const ADVICE: &str = "EPERM comes from a firewall's output rule; EINVAL and ENETUNREACH are about addresses and routes";

/// Datagrams that left, if that could be seen, and that came up.
struct Seen {
    left: Option<usize>,
    heard: usize,
}

/// Tells "never left" from "left but did not come up".
pub(super) fn self_test(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if !asked.is_up() {
        return Vec::new();
    }
    let name = &asked.interface.name;
    let finding = match exchange(asked) {
        Err(error) => Finding::problem(
            check,
            error.reason(),
            "this host cannot send or hear at all",
            error.advice().unwrap_or_default(),
        ),
        Ok(seen) => judge(check, name, &seen),
    };
    vec![finding]
}

/// Whether all of a test came up.
pub(super) fn is_whole(asked: &Asked) -> bool {
    exchange(asked).is_ok_and(|seen| seen.heard == DATAGRAMS)
}

fn judge(check: &str, name: &str, seen: &Seen) -> Finding {
    let left = match seen.left {
        Some(left) => format!("{left} of {DATAGRAMS} datagrams left by {name}"),
        None => format!("{DATAGRAMS} datagrams were sent by {name}"),
    };
    let what = format!("{left}, {} came up to a socket of this host", seen.heard);
    if seen.heard == DATAGRAMS && seen.left.is_none_or(|left| left >= DATAGRAMS) {
        return Finding::fine(check, what);
    }
    if seen.left.is_some_and(|left| left < DATAGRAMS) {
        let fix =
            format!("look at the firewall's output rules and at: tc -s qdisc show dev {name}");
        return Finding::problem(check, what, "what is sent does not reach the network", fix);
    }
    Finding::problem(
        check,
        what,
        "something on this host takes datagrams away on their way up",
        "look at the firewall's input rules (nft list ruleset, iptables -nvL INPUT)",
    )
}

fn exchange(asked: &Asked) -> Result<Seen> {
    let (group, index) = (asked.groups[0], asked.interface.index);
    let sender = socket::open_sender(&asked.sender())?;
    let cannot = |what: &str, error| {
        Error::os(format!("cannot {what} {group} through {}", asked.interface.name), error)
    };
    sender
        .connect(&group.destination().into())
        .map_err(|error| cannot("find a way to", error).hint(ADVICE))?;
    let source = sender.local_addr().map_err(|error| cannot("tell the way to", error))?;
    let bind = socket::bind_address(&[group], index);
    let (mut receiver, _) = socket::open_plain_receiver(bind, RECEIVE_BUFFER, false)?;
    // To hear nobody else: the group may be busy.
    receiver.connect(&source).map_err(|error| cannot("hear oneself on", error))?;
    // Whoever sends to a source-specific group is this host, not its source.
    membership::join(&receiver, index, &Membership { source: None, ..group })?;
    // Without the privilege nobody sees them leave.
    let mut tap = open_tap(index).ok();
    // Nobody else's, and of no protocol of ours.
    let mark = format!("doctor {} {}", std::process::id(), clock::realtime().0).into_bytes();
    for _ in 0..DATAGRAMS {
        sender.send(&mark).map_err(|error| cannot("send to", error).hint(ADVICE))?;
    }
    let heard = count(&mut receiver, &mark, DATAGRAMS);
    let left = tap.as_mut().and_then(|tap| {
        let left = count(tap, &mark, DATAGRAMS);
        // Other datagrams may have left no room for ours.
        let is_whole = packet::take_drops(tap.as_fd()).is_ok_and(|dropped| dropped == 0);
        is_whole.then_some(left)
    });
    Ok(Seen { left, heard })
}

/// Sees what leaves by an interface, when the driver gets it. Copies that loop back do not count.
fn open_tap(interface: u32) -> io::Result<Socket> {
    let tap = packet::open()?;
    let if_outgoing = if_equal(libc::PACKET_OUTGOING.into(), 0, 1);
    filter::attach(tap.as_fd(), &[load_known(libc::SKF_AD_PKTTYPE), if_outgoing, KEEP, LEAVE])?;
    packet::bind(&tap, interface, packet::ALL_PROTOCOLS)?;
    Ok(tap)
}

/// How many packets end with the mark, of at most `wanted`.
fn count(socket: &mut Socket, mark: &[u8], wanted: usize) -> usize {
    let deadline = clock::monotonic() + PATIENCE;
    let mut buffer = [0; 2048];
    let mut found = 0;
    while found < wanted {
        let left = deadline.saturating_sub(clock::monotonic());
        // Zero would wait for ever.
        let wait = Duration::from_nanos(left.0);
        if wait.is_zero() || socket.set_read_timeout(Some(wait)).is_err() {
            break;
        }
        match socket.read(&mut buffer) {
            Ok(len) => found += usize::from(buffer[..len].ends_with(mark)),
            // Cut short, as by what the kernel still tidies up of engines that were tried; not over.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checkup::Verdict;

    #[test]
    fn never_left_or_did_not_come_up() {
        let of = |left, heard| judge("self_test", "eth1", &Seen { left, heard });
        assert_eq!(of(Some(10), 10).verdict, Verdict::Fine);
        assert_eq!(of(None, 10).verdict, Verdict::Fine);
        let spoils = |left, heard| of(left, heard).spoils.unwrap();
        assert!(spoils(Some(3), 3).contains("does not reach the network"));
        assert!(spoils(Some(10), 0).contains("on their way up"));
        assert!(spoils(None, 0).contains("on their way up"));
    }
}
