use super::*;
use crate::model::group::{GroupSpec, expand_all};
use crate::net::interface;
use crate::net::phc::stamps_without_offset;
use crate::net::timestamp::Timestamps;

/// A control message `SCM_TIMESTAMPING` with the seconds of its three stamps.
fn timestamping(seconds: [i64; 3]) -> Vec<u8> {
    let mut message = 64usize.to_ne_bytes().to_vec();
    message.extend(libc::SOL_SOCKET.to_ne_bytes());
    message.extend(libc::SCM_TIMESTAMPING.to_ne_bytes());
    message.extend(seconds.iter().flat_map(|&seconds| [seconds, 0]).flat_map(i64::to_ne_bytes));
    message
}

#[test]
fn the_cards_stamp_is_taken_before_the_kernels_and_that_before_none() {
    let stamps = stamps_without_offset();
    let mut counters = RxCounters::default();
    let mut read = |control: &[u8]| {
        let at = Control::read(control).received_at(&stamps, &mut counters);
        (at, counters.without_hardware, counters.unstamped)
    };
    assert_eq!(read(&timestamping([5, 0, 7])), (Nanos(7 * Nanos::SECOND.0), 0, 0));
    assert_eq!(read(&timestamping([5, 0, 0])), (Nanos(5 * Nanos::SECOND.0), 1, 0));
    let now = clock::realtime();
    let (at, without, unstamped) = read(&[]);
    assert!(at >= now);
    assert_eq!((without, unstamped), (2, 1));
}

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
        ttl: 1,
        loopback: true,
        dscp: 0,
        payload_len: 8,
        batch: 1,
    };
    let stamps = stamps_without_offset();
    let rx = RxPlan { flows, interface, receive_buffer: 1 << 16, batch: 8, stamps };
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
