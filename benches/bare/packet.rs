//! The least that a batch of frames can cost through the ring of a packet socket: frames made once, offered again and
//! again.

use mcast_bench::error::Error;
use mcast_bench::model::environment::Interface;
use mcast_bench::model::group::Membership;
use mcast_bench::net::ethernet::Ethernet;
use mcast_bench::sys::packet::{self, VIRTIO_HEADER_LEN};
use mcast_bench::sys::packet_ring::{FRAME_AT, TxRing, checksum_request};
use mcast_bench::wire::frame::{UDP_CHECKSUM_AT, UDP_LEN, UdpChecksum};
use socket2::Socket;
use std::io;

/// A ring whose slots are all filled.
pub(crate) struct Ring {
    ring: TxRing,
    socket: Socket,
    _port: Socket,
    frame_len: usize,
    batch: usize,
    next: usize,
}

#[allow(dead_code, reason = "not every bench sends")]
impl Ring {
    /// Fills a ring with frames of `len` bytes of payload.
    pub(crate) fn new(
        interface: &Interface,
        flow: Membership,
        batch: usize,
        len: usize,
    ) -> Result<Self, String> {
        let reason = |error: Error| error.reason();
        let device = Ethernet::of(interface.index, "bare").map_err(reason)?;
        let (port, templates) =
            device.templates(&[flow], &super::options(interface.index)).map_err(reason)?;
        let told = |error: io::Error| error.to_string();
        let socket = packet::open().map_err(told)?;
        packet::set_virtio_headers(&socket).map_err(told)?;
        packet::set_qdisc_bypass(&socket).map_err(told)?;
        let mut ring = TxRing::new(&socket, 2048, 256).map_err(told)?;
        packet::bind(&socket, interface.index, 0).map_err(told)?;
        let headers_len = templates[0].headers_len();
        let ethernet_at = FRAME_AT + VIRTIO_HEADER_LEN;
        let request = checksum_request(headers_len + len, headers_len - UDP_LEN, UDP_CHECKSUM_AT);
        for slot in ring.lend(0, 256).chunks_exact_mut(2048) {
            slot[FRAME_AT..ethernet_at].copy_from_slice(&request);
            let frame = &mut slot[ethernet_at..ethernet_at + headers_len + len];
            templates[0].write(frame, UdpChecksum::Partial);
        }
        Ok(Self { ring, socket, _port: port, frame_len: headers_len + len, batch, next: 0 })
    }

    /// One call that sends a batch.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        for _ in 0..self.batch {
            while self.ring.free(self.next, 1) == 0 {
                std::hint::spin_loop();
            }
            self.ring.offer(self.next, self.frame_len);
            self.next = (self.next + 1) % self.ring.slots();
        }
        self.ring.send(&self.socket)
    }
}
