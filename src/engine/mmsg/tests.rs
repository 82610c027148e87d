use super::*;
use crate::model::group::{GroupSpec, expand_all};
use crate::model::spec::Bind;
use crate::net::interface;
use crate::net::phc::stamps_without_offset;
use crate::net::timestamp::Timestamps;
use crate::sys::clock;
use crate::units::Nanos;

/// Loopback has no card: the socket is asked for its stamps all the same, and those of the kernel come.
#[test]
fn where_no_card_stamps_the_kernel_does() {
    const COUNT: u64 = 5;
    let _warm = Timestamps::warm_up().unwrap();
    let group: GroupSpec = "239.255.77.3".parse().unwrap();
    let port = 19_000 + (std::process::id() % 1000) as u16;
    let flows = expand_all(&[group], port).unwrap();
    let interface = interface::loopback().unwrap().index;
    let tx = TxPlan {
        flows: flows.clone(),
        interface,
        source_port: 0,
        ttl: 1,
        loopback: true,
        dscp: 0,
        payload_len: 8,
        batch: 1,
        launch: Launch::AtOnce,
    };
    let stamps = stamps_without_offset();
    let rx = RxPlan {
        flows,
        interface,
        bind: Bind::Group,
        receive_buffer: 1 << 16,
        batch: 8,
        stamps,
        busy_poll_us: None,
    };
    let Halves { mut tx, mut rx, .. } = Mmsg.open(&[tx], &[rx]).unwrap();
    for _ in 0..COUNT {
        tx[0].reserve(1, 8);
        assert_eq!(tx[0].commit(&[Departure::to(0)]), Committed { taken: 1, refused: None });
    }
    let now = clock::realtime();
    let mut received = 0;
    while received < COUNT {
        let batch = rx[0].poll(Duration::from_secs(5)).unwrap();
        assert!(!batch.is_empty(), "{received} of {COUNT} came");
        for datagram in batch.datagrams() {
            assert!(datagram.received_at <= now && datagram.received_at + Nanos::SECOND > now);
            received += 1;
        }
    }
    let counters = rx[0].counters();
    assert_eq!((counters.without_hardware, counters.unstamped), (COUNT, 0));
}
