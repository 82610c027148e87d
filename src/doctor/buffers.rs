//! Whether buffers are large enough for the rate: those of receivers bridge what keeps them from reading, those of
//! senders what the card takes to say that datagrams have left.

use super::{Asked, sysctl};
use crate::model::checkup::Finding;
use crate::net::socket::open_plain_receiver;
use crate::units::text;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A thread of a busy host may have to wait so long for its core: a few slices of the scheduler.
const TO_BRIDGE_MS: f64 = 10.0;

/// What the kernel charges a buffer for one datagram beside its bytes: the headers of its packet, `sk_buff` and
/// `skb_shared_info`. The rest is rounded up to what its allocator has.
const OVERHEAD: usize = 256;
const IN_PACKET: usize = 42 + 320;

/// Only where a rate was given: without it no buffer is too small.
pub(super) fn receive_buffer(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let Some(rate) = asked.rate else { return Vec::new() };
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let Ok((_, grant)) = open_plain_receiver(any, asked.receive_buffer, false) else {
        return Vec::new();
    };
    vec![judge(check, rate.per_second(), asked.payload_len, grant.granted)]
}

fn judge(check: &str, rate: f64, payload_len: usize, granted: usize) -> Finding {
    let each = charged(payload_len);
    let held_ms = (granted / each) as f64 / rate * 1000.0;
    let what = format!(
        "the buffer granted, {}, holds about {held_ms:.1} ms of {} datagrams/s",
        text::bytes(granted as u64),
        text::per_second(rate)
    );
    if held_ms >= TO_BRIDGE_MS {
        return Finding::fine(check, what);
    }
    let needed = (rate * TO_BRIDGE_MS / 1000.0).ceil() as usize * each / 2;
    Finding::problem(
        check,
        what,
        "a receiver that is held up for longer loses datagrams on its own socket",
        format!("sysctl -w net.core.rmem_max={needed}, and --rcvbuf {needed}"),
    )
}

/// A card may say so late that datagrams have left: interrupts are held back for tens of microseconds.
const TO_LEAVE_MS: f64 = 0.1;

/// The same for senders, whose buffer is that of net.core.wmem_default, socket(7).
pub(super) fn send_buffer(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let Some(rate) = asked.rate else { return Vec::new() };
    let Some(bytes) = sysctl("net/core/wmem_default") else { return Vec::new() };
    vec![judge_sending(check, rate.per_second(), asked.payload_len, bytes as usize)]
}

fn judge_sending(check: &str, rate: f64, payload_len: usize, bytes: usize) -> Finding {
    let each = charged(payload_len);
    let held_ms = (bytes / each) as f64 / rate * 1000.0;
    let what = format!(
        "the buffer of senders, {}, holds {} of {} datagrams/s",
        text::bytes(bytes as u64),
        text::count((bytes / each) as u64, "datagram"),
        text::per_second(rate)
    );
    if held_ms >= TO_LEAVE_MS {
        return Finding::fine(check, what);
    }
    let needed = (rate * TO_LEAVE_MS / 1000.0).ceil() as usize * each;
    Finding::note(
        check,
        what,
        "a sender waits until the card says that datagrams have left, and may not reach the rate",
        format!("sysctl -w net.core.wmem_default={needed}"),
    )
}

/// What the kernel charges a buffer for one datagram.
fn charged(payload_len: usize) -> usize {
    (payload_len + IN_PACKET).next_power_of_two() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checkup::Verdict;

    #[test]
    fn small_buffers_and_high_rates() {
        let of = |rate, granted| judge("c", rate, 1316, granted).verdict;
        assert_eq!(of(10_000.0, 425_984), Verdict::Fine);
        assert_eq!(of(100_000.0, 425_984), Verdict::Problem);
        // What is advised is enough: the kernel grants twice what is asked for.
        let finding = judge("c", 1e6, 64, 212_992);
        let needed = finding.fix.unwrap().rsplit(' ').next().unwrap().parse::<usize>().unwrap();
        assert_eq!(judge("c", 1e6, 64, 2 * needed).verdict, Verdict::Fine);
    }

    #[test]
    fn what_senders_hold() {
        let of = |rate, bytes| judge_sending("c", rate, 1316, bytes);
        assert_eq!(of(100_000.0, 212_992).verdict, Verdict::Fine);
        let finding = of(2e6, 212_992);
        assert_eq!(finding.verdict, Verdict::Note);
        let needed = finding.fix.unwrap().rsplit('=').next().unwrap().parse().unwrap();
        assert_eq!(of(2e6, needed).verdict, Verdict::Fine);
    }
}
