//! The least that a batch of frames can cost through an `AF_XDP` socket: frames made once, offered again and again.

use mcast_bench::error::Error;
use mcast_bench::model::environment::Interface;
use mcast_bench::model::group::Membership;
use mcast_bench::net::ethernet::Ethernet;
use mcast_bench::sys::xsk::{Place, REQUEST_LEN, Sender, checksum_request};
use mcast_bench::wire::frame::{UDP_CHECKSUM_AT, UdpChecksum};
use socket2::Socket;
use std::io;

const FRAMES: usize = 2048;
const FRAME_LEN: usize = 2048;

/// A queue whose frames are all filled.
pub(crate) struct Queue {
    queue: Sender,
    len: usize,
    batch: usize,
    _port: Socket,
}

#[allow(dead_code, reason = "not every bench sends")]
impl Queue {
    /// Fills frames with `len` bytes of payload.
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
        let place = Place {
            interface: interface.index,
            queue: 0,
            frames: FRAMES as u32,
            frame_len: FRAME_LEN,
            copy: false,
        };
        let mut queue = Sender::open(place).map_err(|error| error.to_string())?;
        let len = templates[0].headers_len() + len;
        queue.lend(FRAMES);
        let request = checksum_request(templates[0].udp_at(), UDP_CHECKSUM_AT);
        let checksum = match queue.completes_checksums() {
            true => UdpChecksum::Partial,
            false => UdpChecksum::Whole,
        };
        for frame in queue.frames().chunks_exact_mut(FRAME_LEN) {
            frame[..REQUEST_LEN].copy_from_slice(&request);
            templates[0].write(&mut frame[REQUEST_LEN..REQUEST_LEN + len], checksum);
        }
        Ok(Self { queue, len, batch, _port: port })
    }

    /// Hands over a batch and returns when the kernel has taken it.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        let lent = self.queue.lend(self.batch);
        self.queue.push((0..lent).map(|_| (REQUEST_LEN, self.len)));
        while self.queue.unread() > 0 {
            match self.queue.kick() {
                // It takes 32 at a time.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
