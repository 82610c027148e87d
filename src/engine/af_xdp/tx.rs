//! Sending: frames are built in memory that the kernel shares, and only descriptors of them change hands.

use super::{FRAME_LENS, NAME, cannot_open, check_memory, copied};
use crate::engine::{Committed, Departure, TxCounters, TxEngine, TxPlan, TxSlots};
use crate::error::{Error, Result};
use crate::model::event::Happening;
use crate::net::ethernet::Ethernet;
use crate::sys::clock;
use crate::sys::xsk::{Place, REQUEST_LEN, Sender, checksum_request};
use crate::units::Nanos;
use crate::wire::frame::{Template, UDP_CHECKSUM_AT, UdpChecksum};
use socket2::Socket;
use std::io;

/// Where in its frame a payload begins, so that it is aligned and any headers and a request fit before it.
const PAYLOAD_AT: usize = 128;

/// Frames of a sender, or more if its batches are larger: what a network card may have on its way.
const MIN_FRAMES: u32 = 2048;

/// How long a device that is full may keep us waiting, and how often it is asked meanwhile.
const PATIENCE: Nanos = Nanos(100_000_000);
const ASK_EVERY: Nanos = Nanos(50_000);

pub(super) struct XdpTx {
    queue: Sender,
    templates: Box<[Template]>,
    frame_len: usize,
    capacity: usize,
    /// Of the slots last reserved.
    payload_len: usize,
    /// Lent when the kernel has all frames: a payload must go somewhere.
    scratch: Box<[u8]>,
    counters: TxCounters,
    /// Keeps the port that the datagrams come from.
    _port: Socket,
}

impl XdpTx {
    /// Opens a sender that has `queue` for itself.
    /// What it had to do without goes to `degraded`.
    pub(super) fn open(plan: &TxPlan, queue: u32, degraded: &mut Vec<Happening>) -> Result<Self> {
        let device = Ethernet::of(plan.interface, NAME)?;
        let first = plan.flows.first();
        let v6 = first.is_some_and(|flow| flow.group.is_ipv6());
        device.check_payload(plan.payload_len, v6)?;
        let len = PAYLOAD_AT + plan.payload_len;
        let Some(frame_len) = FRAME_LENS.into_iter().find(|&frame_len| len <= frame_len) else {
            return Err(Error::environment(format!(
                "{} bytes of payload do not fit into a frame of engine {NAME}",
                plan.payload_len
            ))
            .hint(format!("at most --size {}, or the engine mmsg", FRAME_LENS[1] - PAYLOAD_AT)));
        };
        let (port, templates) = device.templates(&plan.flows, &plan.socket_options())?;
        let frames = (4 * plan.batch as u32).next_power_of_two().max(MIN_FRAMES);
        let place = Place { interface: plan.interface, queue, frames, frame_len, copy: false };
        check_memory(frames as usize * frame_len)?;
        let sender = Sender::open(place).map_err(|error| cannot_open(&device, queue, error))?;
        degraded.extend((!sender.is_zero_copy()).then(|| copied(&device)));
        Ok(Self {
            queue: sender,
            templates: templates.into(),
            frame_len,
            capacity: plan.batch.max(1),
            payload_len: plan.payload_len,
            scratch: vec![0; frame_len].into(),
            counters: TxCounters::default(),
            _port: port,
        })
    }

    /// Sees to it that what is in the ring moves.
    fn before(&mut self) -> std::result::Result<(), i32> {
        if self.queue.unread() == 0 {
            return Ok(());
        }
        if !self.queue.is_zero_copy() {
            return self.drain();
        }
        match self.queue.kick() {
            Err(error) if !is_passing(&error) && number(&error) != libc::EBUSY => {
                Err(number(&error))
            }
            _ => Ok(()),
        }
    }

    /// Has the kernel look at all that is in the ring. `Err` is the number of the error that stopped it.
    fn drain(&mut self) -> std::result::Result<(), i32> {
        let mut unread = self.queue.unread();
        let mut give_up = None;
        while unread > 0 {
            let kicked = self.queue.kick();
            self.queue.reap();
            let left = self.queue.unread();
            self.counters.calls += u64::from(left < unread);
            match kicked {
                Err(error) if !is_passing(&error) => return Err(number(&error)),
                _ if left < unread => give_up = None,
                _ => {
                    let now = clock::monotonic();
                    if now >= *give_up.get_or_insert(now + PATIENCE) {
                        return Err(libc::ENOBUFS);
                    }
                    clock::sleep_until(now + ASK_EVERY);
                }
            }
            unread = left;
        }
        Ok(())
    }

    /// Where frames are copied, the kernel has done with them when the call returns: what it refused is known, and
    /// what is behind that is taken back.
    fn copy_out(&mut self, count: usize) -> Committed {
        let Err(errno) = self.drain() else { return Committed { taken: count, refused: None } };
        let taken = count - self.queue.withdraw();
        // "SKB completed but not sent": the last one that it took was dropped (__xsk_generic_xmit, net/xdp/xsk.c).
        let dropped = usize::from(errno == libc::EBUSY && taken > 0);
        Committed { taken: taken - dropped, refused: (taken - dropped < count).then_some(errno) }
    }
}

impl TxEngine for XdpTx {
    fn reserve(&mut self, want: usize, payload_len: usize) -> TxSlots<'_> {
        self.payload_len = payload_len;
        let want = want.min(self.capacity);
        let mut lent = self.queue.lend(want);
        if lent == 0 {
            let give_up = clock::monotonic() + PATIENCE;
            while lent == 0 && clock::monotonic() < give_up {
                clock::sleep_until(clock::monotonic() + ASK_EVERY);
                lent = self.queue.lend(want);
            }
        }
        let payload = PAYLOAD_AT..PAYLOAD_AT + payload_len;
        let arena = if lent == 0 { &mut self.scratch } else { self.queue.frames() };
        TxSlots::new(arena, self.frame_len, payload)
    }

    fn commit(&mut self, departures: &[Departure]) -> Committed {
        // What is left from a commit that was refused: without it being gone nothing new can leave.
        if let Err(errno) = self.before() {
            return Committed { taken: 0, refused: Some(errno) };
        }
        let end = PAYLOAD_AT + self.payload_len;
        let completes_checksums = self.queue.completes_checksums();
        let frames = self.queue.frames();
        if frames.is_empty() {
            return Committed { taken: 0, refused: Some(libc::ENOBUFS) };
        }
        for (frame, departure) in frames.chunks_exact_mut(self.frame_len).zip(departures) {
            let template = &self.templates[departure.flow as usize];
            let start = PAYLOAD_AT - template.headers_len();
            let checksum = if completes_checksums {
                let request = checksum_request(template.udp_at(), UDP_CHECKSUM_AT);
                frame[start - REQUEST_LEN..start].copy_from_slice(&request);
                UdpChecksum::Partial
            } else {
                UdpChecksum::Whole
            };
            template.write(&mut frame[start..end], checksum);
        }
        let templates = &self.templates;
        self.queue.push(departures.iter().map(|departure| {
            let headers_len = templates[departure.flow as usize].headers_len();
            (PAYLOAD_AT - headers_len, headers_len + self.payload_len)
        }));
        if !self.queue.is_zero_copy() {
            return self.copy_out(departures.len());
        }
        // The driver has them; if it could not be woken now, the next commit will tell.
        self.counters.calls += u64::from(self.queue.kick().is_ok());
        Committed { taken: departures.len(), refused: None }
    }

    fn counters(&mut self) -> TxCounters {
        self.counters
    }
}

/// Whether asking again helps.
fn is_passing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn number(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}
