//! Over loopback, where every group can be joined.

use super::*;
use crate::net::interface;
use crate::net::socket::{Launch, SenderOptions, open_sender};

const WAIT: Duration = Duration::from_secs(5);

fn sender() -> Socket {
    open_sender(&SenderOptions {
        interface: interface::loopback().unwrap().index,
        source: None,
        source_port: 0,
        v6: false,
        both: false,
        ttl: 7,
        loopback: true,
        dscp: 0,
        launch: Launch::AtOnce,
    })
    .unwrap()
}

/// Groups that no other test uses.
fn groups(text: &[&str]) -> Vec<Membership> {
    text.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn says_all_that_the_kernel_knows_of_a_datagram() {
    let lo = interface::loopback().unwrap();
    let group: Membership = "233.252.0.61:5861".parse().unwrap();
    let mut receiver = MulticastReceiver::new(1 << 16).unwrap();
    assert_eq!(receiver.buffer(), None);
    receiver.join(&lo, &[group]).unwrap();
    assert!(receiver.buffer().unwrap().is_full());
    let before = clock::realtime();
    let sender = sender();
    sender.send_to(b"hello", &group.destination().into()).unwrap();
    let datagram = receiver.recv(WAIT).unwrap().unwrap();
    assert_eq!(datagram.payload, b"hello");
    assert_eq!(datagram.source.port(), sender.local_addr().unwrap().as_socket().unwrap().port());
    assert_eq!(datagram.destination, group.destination());
    assert_eq!((datagram.interface, datagram.ttl), (lo.index, Some(7)));
    assert!((before..=clock::realtime()).contains(&datagram.received_at.unwrap()));
    assert_eq!((datagram.dropped_before, receiver.drops()), (0, 0));
}

#[test]
fn the_longest_datagram_is_whole() {
    let lo = interface::loopback().unwrap();
    let group: Membership = "233.252.0.60:5860".parse().unwrap();
    let mut receiver = MulticastReceiver::new(1 << 20).unwrap();
    receiver.join(&lo, &[group]).unwrap();
    let longest: Vec<u8> = (0..65_507u32).map(|at| at as u8).collect();
    sender().send_to(&longest, &group.destination().into()).unwrap();
    assert!(receiver.recv(WAIT).unwrap().unwrap().payload == longest);
}

/// Where what has come was sent to, sorted.
fn destinations_of_all(receiver: &mut MulticastReceiver) -> Vec<SocketAddr> {
    let mut heard = Vec::new();
    while let Some(datagram) = receiver.recv(Duration::ZERO).unwrap() {
        heard.push(datagram.destination);
    }
    heard.sort();
    heard
}

#[test]
fn several_groups_and_ports_come_in_and_none_that_was_left() {
    let lo = interface::loopback().unwrap();
    let all = groups(&["233.252.0.62:5862", "233.252.0.63:5862", "233.252.0.62:5863"]);
    let mut receiver = MulticastReceiver::new(1 << 16).unwrap();
    receiver.join(&lo, &all).unwrap();
    let sender = sender();
    let heard = |receiver: &mut MulticastReceiver| {
        for group in &all {
            sender.send_to(b"", &group.destination().into()).unwrap();
        }
        destinations_of_all(receiver)
    };
    let [first, second, other_port] = [0, 1, 2].map(|index: usize| all[index].destination());
    assert_eq!(heard(&mut receiver), [first, other_port, second]);
    let error = receiver.join(&lo, &all[..1]).unwrap_err().to_string();
    assert_eq!(error, "233.252.0.62:5862 was joined on lo already");
    receiver.leave(&lo, &all[0]).unwrap();
    assert_eq!(heard(&mut receiver), [other_port, second]);
    receiver.leave(&lo, &all[2]).unwrap();
    assert_eq!(heard(&mut receiver), [second]);
    let error = receiver.leave(&lo, &all[2]).unwrap_err().to_string();
    assert_eq!(error, "233.252.0.62:5863 was not joined on lo");
}

/// More groups than a socket may have, and none that another socket of this host has joined on the same port.
#[test]
fn many_groups_and_nothing_of_others() {
    let lo = interface::loopback().unwrap();
    let all: Vec<Membership> =
        (100..150).map(|last| format!("233.252.0.{last}:5864").parse().unwrap()).collect();
    let (ours, others) = all.split_at(49);
    let [mut receiver, mut other] = [ours, others].map(|groups| {
        let mut receiver = MulticastReceiver::new(1 << 16).unwrap();
        receiver.join(&lo, groups).unwrap();
        receiver
    });
    let sender = sender();
    for group in &all {
        sender.send_to(b"", &group.destination().into()).unwrap();
    }
    let heard = destinations_of_all(&mut receiver);
    assert_eq!(heard, ours.iter().map(Membership::destination).collect::<Vec<_>>());
    assert!(other.recv(Duration::ZERO).unwrap().is_some());
    assert!(other.recv(Duration::ZERO).unwrap().is_none());
}

#[test]
fn what_is_not_taken_is_counted_where_it_is_missing() {
    let lo = interface::loopback().unwrap();
    let group: Membership = "233.252.0.64:5865".parse().unwrap();
    let mut receiver = MulticastReceiver::new(4096).unwrap();
    receiver.join(&lo, &[group]).unwrap();
    let sender = sender();
    let mut sent = 0u64;
    while receiver.drops() == 0 {
        assert!(sent < 1000, "a buffer of 4096 bytes takes {sent} datagrams");
        sender.send_to(&[0; 1000], &group.destination().into()).unwrap();
        sent += 1;
    }
    let mut received = 0;
    while let Some(datagram) = receiver.recv(Duration::ZERO).unwrap() {
        assert_eq!(datagram.dropped_before, 0);
        received += 1;
    }
    assert_eq!((received, receiver.drops()), (sent - 1, 1));
    sender.send_to(b"after", &group.destination().into()).unwrap();
    assert_eq!(receiver.recv(WAIT).unwrap().unwrap().dropped_before, 1);
}

#[test]
fn a_group_that_cannot_be_joined_leaves_none_behind() {
    let nowhere = Interface { index: u32::MAX, name: "nowhere".into(), ..Interface::default() };
    let mut receiver = MulticastReceiver::new(4096).unwrap();
    let error = receiver.join(&nowhere, &groups(&["233.252.0.65:5866"])).unwrap_err().to_string();
    assert!(error.starts_with("cannot join 233.252.0.65 on interface 4294967295: "), "{error}");
    assert!(receiver.sockets.is_empty());
}

#[test]
fn the_destination_is_read_as_the_kernel_writes_it() {
    let message = |level: i32, kind: i32, data: &[u8]| {
        let mut bytes = (16 + data.len()).to_ne_bytes().to_vec();
        bytes.extend([level.to_ne_bytes(), kind.to_ne_bytes()].concat());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let mut v4 = 3u32.to_ne_bytes().to_vec();
    v4.extend([10, 0, 0, 1, 233, 252, 0, 7]);
    let mut control = message(libc::IPPROTO_IP, libc::IP_PKTINFO, &v4);
    control.extend(message(libc::IPPROTO_IP, libc::IP_TTL, &9u32.to_ne_bytes()));
    let group: IpAddr = "233.252.0.7".parse().unwrap();
    let noted = Noted::read(&control);
    assert_eq!((noted.destination, noted.ttl), (Some((group, 3)), Some(9)));
    let mut v6 = "ff15::7".parse::<Ipv6Addr>().unwrap().octets().to_vec();
    v6.extend(4u32.to_ne_bytes());
    let control = message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &v6);
    let group: IpAddr = "ff15::7".parse().unwrap();
    assert_eq!(Noted::read(&control).destination, Some((group, 4)));
    let cut = message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &v6[..17]);
    assert_eq!(Noted::read(&cut), Noted::default());
}
