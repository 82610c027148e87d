//! Datagrams that somebody else throws at the port.

use socket2::Protocol;

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{Kind, at, with_privileges};

/// Largest sequence number that the header can carry.
const LAST_SEQ: u64 = (1 << 45) - 1;

/// A datagram of ours as `src/wire/probe.rs` draws it.
fn forged(kind: Kind, (session, stream): (u32, u16), seq: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    bytes[2..5].copy_from_slice(&session.to_be_bytes()[1..]);
    bytes[5..7].copy_from_slice(&stream.to_be_bytes());
    let kind_and_seq = ((kind as u64) << 45) | seq;
    bytes[7..13].copy_from_slice(&kind_and_seq.to_be_bytes()[2..]);
    if len >= 34 {
        bytes[18..22].copy_from_slice(b"mcb1");
    }
    let words = bytes[2..18].chunks(2).chain(b"mcb1".chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    bytes[..2].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
    bytes
}

/// Lets `attack` use a socket on the sending host in the middle of a load of which the relay drops
/// one; it learns the session and the stream of that load. Returns what the receiver says of all,
/// and its rows of what was forged.
fn attacked(attack: impl FnOnce(&UdpSocket, (u32, u16))) -> (Report, Vec<Stream>) {
    let mut trial = Trial::over(Plan::clean().on(at([3]), Drop));
    let receiver = trial.recv("--loss-threshold 200ms --idle-timeout 1s");
    let mut sender = trial.send(ENDLESS);
    trial.wait_for(500);
    let stream = *trial.relay().dropped_seqs().keys().next().unwrap();
    let socket = trial.sender().run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    socket.connect((GROUP, PORT)).unwrap();
    attack(&socket, stream);
    trial.wait_for_more(500);
    sender.interrupt();
    let (sent, received) = (Report::of(sender), Report::of(receiver));
    trial.settled();
    let offered = sent.number("/sender/offered");
    let port = format!(":{}", socket.local_addr().unwrap().port());
    let (forged, harmed): (Vec<_>, Vec<_>) =
        received.streams().into_iter().partition(|row| row.source.ends_with(&port));
    assert_eq!(harmed.len(), 1);
    assert_eq!(harmed[0].counts, Counts::of(offered, offered - 1));
    assert_eq!(harmed[0].end, "announced");
    (received, forged)
}

#[test]
fn junk_is_foreign_and_harms_nothing() {
    with_privileges(|| {
        let (received, rows) = attacked(|socket, stream| {
            let good = forged(Kind::Data, stream, 7, 100);
            let mut junk = vec![vec![], vec![0], vec![0xff; 17], vec![0; 18], vec![0; 1400]];
            junk.push(vec![0x5a; 65_507]);
            // One thing wrong in each: the check, the magic, the length.
            let changed = |at: usize, bits: u8| {
                let mut bytes = good.clone();
                bytes[at] ^= bits;
                bytes
            };
            junk.extend([changed(0, 1), changed(9, 1), changed(18, 1), good[..17].to_vec()]);
            for bytes in junk.iter().cycle().take(10 * junk.len()) {
                assert_eq!(socket.send(bytes).unwrap(), bytes.len());
            }
        });
        assert_eq!(received.totals().foreign, 100);
        assert_eq!(rows.len(), 0);
    });
}

/// Numbers from the far end of the space, with the session and the stream of the true sender.
#[test]
fn sequence_jumps_from_elsewhere_are_a_stream_of_their_own() {
    with_privileges(|| {
        let (received, rows) = attacked(|socket, stream| {
            let send = |kind, seq| {
                socket.send(&forged(kind, stream, seq, 100)).unwrap();
            };
            send(Kind::Start, 0);
            for seq in [0, LAST_SEQ, 5, 1 << 44] {
                send(Kind::Data, seq);
            }
            send(Kind::End, 6);
        });
        // Two leaps that do not confirm each other.
        let counts = Counts { received: 4, corrupt: 2, ..Counts::of(6, 2) };
        assert_eq!((rows.len(), &rows[0].counts), (1, &counts));
        assert_eq!((rows[0].highest_seq, rows[0].end.as_str()), (Some(5), "announced"));
        assert_eq!(received.totals().foreign, 0);
    });
}

/// Whoever announces an end beyond all measure has lost as much, and costs no time and no memory.
#[test]
fn an_end_beyond_all_measure_is_only_a_number() {
    with_privileges(|| {
        let (_, rows) = attacked(|socket, (session, stream)| {
            let other = (session ^ 1, stream);
            for (kind, seq) in [(Kind::Start, 0), (Kind::Data, 1), (Kind::End, LAST_SEQ)] {
                socket.send(&forged(kind, other, seq, 34)).unwrap();
            }
        });
        assert_eq!((rows.len(), &rows[0].counts), (1, &Counts::of(LAST_SEQ, 1)));
    });
}

/// As many sessions as datagrams: each is a stream that falls silent.
#[test]
fn a_flood_of_sessions_is_told_apart() {
    with_privileges(|| {
        let (received, rows) = attacked(|socket, (session, stream)| {
            for number in 1..=300 {
                let other = (session ^ number, stream);
                socket.send(&forged(Kind::Data, other, u64::from(number), 18)).unwrap();
            }
        });
        assert_eq!(rows.len(), 300);
        let unknown = Counts { sent: None, ..Counts::of(1, 1) };
        assert!(rows.iter().all(|row| row.counts == unknown && row.end == "silent"));
        assert_eq!(received.totals().sent, None);
        assert!(received.warns_of("tail_unknown"), "{}", received.json);
    });
}

/// A unicast datagram reaches a socket that is bound to no group, but belongs to none.
#[test]
fn unicast_to_the_port_is_foreign() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean());
        let groups = "-g 239.1.2.3+1";
        let receiver = trial.recv(&format!("{groups} {PROMPT}"));
        let sender = trial.send(&format!("{groups} {LOAD}"));
        trial.wait_for(500);
        let socket = trial.sender().run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        let target = (trial.receiver().v4(), PORT);
        for seq in 0..10 {
            socket.send_to(&forged(Kind::Data, (1, 0), seq, 100), target).unwrap();
        }
        Report::of(sender);
        let received = Report::of(receiver);
        assert_eq!(received.totals(), Counts { foreign: 10, ..Counts::of(COUNT, COUNT) });
    });
}

/// A UDP checksum that is wrong is damage done on the way, and not this host's doing.
#[test]
fn datagrams_with_a_wrong_udp_checksum_are_lost_elsewhere() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean().on(at([3, 4]), Drop));
        let receiver = trial.recv(PROMPT);
        let socket =
            trial.sender().run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)));
        let (socket, group) = (socket.unwrap(), SocketAddr::from((GROUP, 0)));
        let send = |kind, seq, is_damaged| {
            let payload = forged(kind, (1, 0), seq, 200);
            // No checksum at all is allowed, RFC 768.
            let checksum = if is_damaged { 0xbad } else { 0 };
            let header = [4000, PORT, 8 + payload.len() as u16, checksum].map(u16::to_be_bytes);
            let datagram = [header.concat(), payload].concat();
            assert_eq!(socket.send_to(&datagram, &group.into()).unwrap(), datagram.len());
        };
        send(Kind::Start, 0, false);
        for seq in 0..20 {
            send(Kind::Data, seq, seq >= 10);
        }
        send(Kind::End, 20, false);
        let received = Report::of(receiver);
        assert_eq!(trial.settled().dropped, 2);
        assert_eq!(received.totals(), Counts::of(20, 8));
        assert_eq!(received.number("/totals/lost_by/elsewhere"), 12, "{}", received.json["totals"]);
        assert_eq!(received.complaints(), [] as [&str; 0]);
    });
}
