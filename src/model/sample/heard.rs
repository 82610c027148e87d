//! One datagram of each kind that `dump` tells apart.

use crate::model::heard::{Content, Heard, TransportStream};
use crate::units::Nanos;

const AT: u64 = 1_700_000_000_000_001_840;

pub(crate) fn all() -> Vec<Heard<'static>> {
    let stream = || TransportStream { packets: 7, pids: vec![0x100, 0x1fff] };
    let rtp = |marker, mpeg_ts| Content::Rtp {
        payload_type: 33,
        marker,
        seq: 65_535,
        timestamp: 90_000,
        ssrc: "deadbeef".into(),
        mpeg_ts,
    };
    let v6 = Heard {
        interface: "wlan0",
        source: "[fe80::1%7]:4000".parse().unwrap(),
        group: "ff15::7".parse().unwrap(),
        ttl: None,
        ..heard(probe("reply", 18, -700, Some("01020304")))
    };
    let unknown = Heard {
        payload_len: 18,
        dropped_before: 37,
        content: None,
        payload: Some(b"hello, multicast\n\0"),
        ..v6.clone()
    };
    let mut corrupt = probe("data", 18, 0, None);
    if let Content::Probe { lateness_ns, intact, .. } = &mut corrupt {
        (*lateness_ns, *intact) = (None, false);
    }
    vec![
        heard(probe("data", 17, 1840, None)),
        heard(probe("start", 0, -99_000_000, None)),
        heard(probe("end", 1000, 1840, None)),
        heard(corrupt),
        v6,
        unknown,
        heard(Content::MpegTs(stream())),
        heard(rtp(false, Some(stream()))),
        heard(rtp(true, None)),
    ]
}

fn heard(content: Content) -> Heard<'static> {
    Heard {
        received_at_ns: Nanos(AT),
        interface: "eth1",
        source: "10.0.0.1:4000".parse().unwrap(),
        group: "233.252.0.7".parse().unwrap(),
        port: 5000,
        payload_len: 1316,
        ttl: Some(1),
        dropped_before: 0,
        content: Some(content),
        payload: None,
    }
}

fn probe(kind: &'static str, seq: u64, delay_ns: i64, responder: Option<&str>) -> Content {
    Content::Probe {
        kind,
        session: "4f9c1a".into(),
        stream: 0,
        seq,
        due_at_ns: Nanos(AT.wrapping_sub(delay_ns as u64)),
        delay_ns,
        lateness_ns: Some(Nanos(23)),
        intact: true,
        responder: responder.map(str::to_owned),
    }
}
