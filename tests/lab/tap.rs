//! What comes by a host's device, whether or not anybody on the host wants it.

use std::ffi::CString;
use std::io::Read;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::Socket;

use super::frame::{Datagram, Kind};
use super::host::DEVICE;
use super::relay::StreamId;
use super::sys::{self, VIRTIO_HEADER};

/// A datagram of ours that has come, as its frame shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) kind: Kind,
    pub(crate) stream: StreamId,
    pub(crate) seq: u64,
    /// Time to live, or hop limit.
    pub(crate) ttl: u8,
    /// Type of service, or traffic class.
    pub(crate) traffic_class: u8,
}

/// Notes in a thread what comes, so that no buffer has to hold all of it.
pub(crate) struct Tap {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Passed>>,
}

impl Tap {
    /// To be opened in a thread on the host.
    pub(super) fn open() -> Self {
        let device = CString::new(DEVICE).expect("the name has no NUL");
        let socket = sys::packet_socket(&device).expect("packet sockets are allowed in the lab");
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let thread = thread::spawn(move || note(&socket, &is_over));
        Self { stop, thread }
    }

    /// All that has come until now.
    pub(crate) fn finish(self) -> Vec<Passed> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn note(mut socket: &Socket, is_over: &AtomicBool) -> Vec<Passed> {
    let mut passed = Vec::new();
    let mut buffer = vec![0; VIRTIO_HEADER + 65_535 + 18];
    loop {
        // Asked before the queue is: what had come by then is in the queue.
        let is_last_look = is_over.load(Ordering::Relaxed);
        while let Ok(length) = socket.read(&mut buffer) {
            passed.extend(Passed::of(&buffer[VIRTIO_HEADER..length]));
        }
        if is_last_look {
            assert_eq!(sys::packet_drops(socket).expect("it is a packet socket"), 0);
            return passed;
        }
        sys::wait_readable([socket.as_fd()], Some(Duration::from_millis(5)))
            .expect("the socket is open");
    }
}

impl Passed {
    fn of(frame: &[u8]) -> Option<Self> {
        let Datagram { kind, session, stream, seq, .. } = Datagram::find(frame)?;
        let (traffic_class, ttl) = match frame[12..14] {
            [0x08, 0x00] => (frame[15], frame[22]),
            _ => ((frame[14] << 4) | (frame[15] >> 4), frame[21]),
        };
        Some(Self { kind, stream: (session, stream), seq, ttl, traffic_class })
    }
}
