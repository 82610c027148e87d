//! Queueing disciplines and what they dropped: an `RTM_GETQDISC` dump, rtnetlink(7), netlink(7).

use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::time::Duration;

/// The root queueing discipline of an interface; where that has several queues, their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Qdisc {
    /// `fq_codel`, `tbf`, `noqueue`.
    pub kind: String,
    /// Packets that wait.
    pub waiting: u32,
    /// Packets dropped since it was installed. The kernel counts in 32 bits.
    pub drops: u32,
    /// How often it held packets back to keep a rate, 32 bits too.
    pub overlimits: u32,
}

/// The root qdisc of the interface of an index.
///
/// # Errors
/// Those of socket(2), send(2), recv(2) and of the kernel's answer; `NotFound` for an interface without one.
pub fn root(interface: u32) -> io::Result<Qdisc> {
    let route = Some(Protocol::from(libc::NETLINK_ROUTE));
    let mut socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, route)?;
    // The kernel answers at once; nothing may wait for ever.
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    // Unconnected, "the kernel" is the destination: portid 0, netlink(7).
    socket.send(&request(interface))?;
    // netlink(7) takes 8192 bytes, "to avoid message truncation"; iproute2 takes 32 KiB.
    let mut buffer = vec![0; 32 << 10];
    let mut found = None;
    loop {
        let len = socket.read(&mut buffer)?;
        let (qdisc, is_last) = roots(&buffer[..len], interface)?;
        found = found.or(qdisc);
        if is_last {
            return found.ok_or_else(|| io::ErrorKind::NotFound.into());
        }
    }
}

/// `struct nlmsghdr` and `struct tcmsg` that ask for all qdiscs, as `tc qdisc show` does.
fn request(interface: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + TCMSG);
    bytes.extend(((HEADER + TCMSG) as u32).to_ne_bytes());
    bytes.extend(libc::RTM_GETQDISC.to_ne_bytes());
    bytes.extend(((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    // Sequence number, and our port as the kernel chooses it.
    bytes.extend([0; 8]);
    // tcm_family and padding, then the interface; handle, parent and info stay 0.
    bytes.extend([0; 4]);
    bytes.extend(interface.to_ne_bytes());
    bytes.resize(HEADER + TCMSG, 0);
    bytes
}

/// The root qdisc among the messages of one read, and whether the dump ends there. What is not understood is
/// passed over.
fn roots(mut bytes: &[u8], interface: u32) -> io::Result<(Option<Qdisc>, bool)> {
    let mut found = None;
    while let (Some(len), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let Some(message) = bytes.get(HEADER..len as usize) else { break };
        match libc::c_int::from(kind) {
            libc::NLMSG_DONE => return Ok((found, true)),
            libc::NLMSG_ERROR => {
                let errno =
                    word(message, 0).map_or(libc::EPROTO, |errno| (errno as i32).wrapping_neg());
                return Err(io::Error::from_raw_os_error(errno));
            }
            _ if kind == RTM_NEWQDISC => found = found.or_else(|| qdisc(message, interface)),
            _ => {}
        }
        bytes = bytes.get(aligned(len as usize)..).unwrap_or_default();
    }
    // Nothing that could be read on: without an end a broken answer would be waited for until the timeout.
    Ok((found, false))
}

/// A `struct tcmsg` and its attributes, if it is the root of the interface.
fn qdisc(message: &[u8], interface: u32) -> Option<Qdisc> {
    let is_root = word(message, 4)? == interface && word(message, 12)? == TC_H_ROOT;
    let attributes = message.get(TCMSG..).filter(|_| is_root)?;
    let kind = attribute(attributes, libc::TCA_KIND)?;
    let kind = kind.split(|&byte| byte == 0).next().unwrap_or_default();
    // struct gnet_stats_queue { __u32 qlen, backlog, drops, requeues, overlimits; }
    let queue = attribute(attributes, libc::TCA_STATS2)
        .and_then(|statistics| attribute(statistics, TCA_STATS_QUEUE))
        .unwrap_or_default();
    let number = |index: usize| word(queue, 4 * index).unwrap_or(0);
    Some(Qdisc {
        kind: String::from_utf8_lossy(kind).into_owned(),
        waiting: number(0),
        drops: number(2),
        overlimits: number(4),
    })
}

/// The payload of the first `struct rtattr` of a type.
fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (len, kind) = (usize::from(half(bytes, 0)?), half(bytes, 2)?);
        let payload = bytes.get(ATTRIBUTE..len)?;
        if kind & NLA_TYPE_MASK == wanted {
            return Some(payload);
        }
        bytes = bytes.get(aligned(len)..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

/// `NLMSG_ALIGN`, `RTA_ALIGN`: to four bytes.
fn aligned(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// `struct nlmsghdr`, <linux/netlink.h>.
const HEADER: usize = 16;
/// `struct tcmsg`, <linux/rtnetlink.h>.
const TCMSG: usize = 20;
/// `struct rtattr`, <linux/rtnetlink.h>.
const ATTRIBUTE: usize = 4;
/// <linux/rtnetlink.h>
const RTM_NEWQDISC: u16 = 36;
/// <linux/pkt_sched.h>
const TC_H_ROOT: u32 = 0xffff_ffff;
/// <linux/gen_stats.h>
const TCA_STATS_QUEUE: u16 = 3;
/// <linux/netlink.h>: without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const NLA_TYPE_MASK: u16 = 0x3fff;

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute_bytes(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = ((ATTRIBUTE + payload.len()) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER + payload.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(payload);
        bytes
    }

    fn qdisc_message(interface: u32, parent: u32, drops: u32) -> Vec<u8> {
        let mut payload = vec![0; 4];
        [interface, 0x1_0000, parent, 2].iter().for_each(|word| payload.extend(word.to_ne_bytes()));
        payload.extend(attribute_bytes(libc::TCA_KIND, b"tbf\0"));
        let queue: Vec<u8> =
            [7, 9_000, drops, 0, 55].iter().flat_map(|n: &u32| n.to_ne_bytes()).collect();
        let statistics = [attribute_bytes(1, &[0; 16]), attribute_bytes(TCA_STATS_QUEUE, &queue)];
        payload.extend(attribute_bytes(libc::TCA_STATS2 | 0x8000, &statistics.concat()));
        message(RTM_NEWQDISC, &payload)
    }

    #[test]
    fn the_root_of_the_interface_is_found() {
        let done = message(libc::NLMSG_DONE as u16, &[0; 4]);
        let answer = [
            qdisc_message(1, TC_H_ROOT, 1),
            qdisc_message(2, 0x1_0001, 2),
            qdisc_message(2, TC_H_ROOT, 974),
            done.clone(),
        ];
        let tbf = Qdisc { kind: "tbf".into(), waiting: 7, drops: 974, overlimits: 55 };
        assert_eq!(roots(&answer.concat(), 2).unwrap(), (Some(tbf), true));
        assert_eq!(roots(&answer[..2].concat(), 2).unwrap(), (None, false));
        assert_eq!(roots(&done, 2).unwrap(), (None, true));
    }

    #[test]
    fn refusals_are_errors() {
        let refused = message(libc::NLMSG_ERROR as u16, &(-libc::EPERM).to_ne_bytes());
        assert_eq!(roots(&refused, 2).unwrap_err().raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn broken_answers_are_passed_over() {
        let whole = qdisc_message(2, TC_H_ROOT, 5);
        for len in 0..whole.len() {
            assert_eq!(roots(&whole[..len], 2).unwrap(), (None, false), "cut to {len}");
        }
        for bytes in [vec![0; 64], vec![0xff; 64]] {
            assert_eq!(roots(&bytes, 2).unwrap(), (None, false));
        }
        assert_eq!(attribute(&[0; 16], 1), None);
    }

    #[test]
    fn loopback_has_one() {
        let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
        let qdisc = root(index.trim().parse().unwrap()).unwrap();
        assert!(!qdisc.kind.is_empty());
        assert_eq!(root(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
