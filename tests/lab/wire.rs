//! The thread of the [`Relay`](super::Relay): two packet sockets and what is held between them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::frame::{Datagram, Kind};
use super::host::{DEVICE, DeviceCounters, Host, Namespace};
use super::plan::{Action, Plan};
use super::relay::{Ledger, Request, Seqs, Settled};
use super::sys::{self, VIRTIO_HEADER};

/// The device between the hosts at the sender's end.
pub(super) const LEFT: &str = "left";
/// The same at the receiver's end.
pub(super) const RIGHT: &str = "right";

/// Joins each host to a device of the namespace between them.
pub(super) fn plug(sender: &Host, receiver: &Host, between: &Namespace) {
    for (host, port) in [(sender, LEFT), (receiver, RIGHT)] {
        // Datagrams are cut before the wire, as on a real one, so that each meets its rule.
        host.namespace.ip(&format!(
            "link add {DEVICE} type veth peer name {port} netns {between}
             link set {DEVICE} gso_max_segs 1\n"
        ));
        // The stack between them stays mute.
        between.ip(&format!("link set {port} addrgenmode none\nlink set {port} up\n"));
    }
}

/// The relay as its thread sees it.
pub(super) struct Wire {
    left: Port,
    right: Port,
    desk: Desk,
    shared: Arc<Mutex<Ledger>>,
    inbox: mpsc::Receiver<Request>,
    bell: UnixStream,
    buffer: Vec<u8>,
}

impl Wire {
    /// To be made in the thread that is in the relay's namespace already.
    pub(super) fn new(
        plan: Plan,
        shared: Arc<Mutex<Ledger>>,
        inbox: mpsc::Receiver<Request>,
        bell: UnixStream,
    ) -> io::Result<Self> {
        let (left, right) = (Port::open(LEFT)?, Port::open(RIGHT)?);
        let desk = Desk { plan, lanes: HashMap::new(), late: BinaryHeap::new() };
        let buffer = vec![0; VIRTIO_HEADER + LONGEST_FRAME];
        Ok(Self { left, right, desk, shared, inbox, bell, buffer })
    }

    /// Forwards until it is told to stop or something is lost.
    pub(super) fn run(&mut self) -> Result<(), String> {
        let mut settling = Vec::new();
        loop {
            // Silenced before the requests are read: one that comes later rings again.
            while self.bell.read(&mut [0; 64]).is_ok_and(|rung| rung > 0) {}
            let requests: Vec<Request> = self.inbox.try_iter().collect();
            // After the requests: what was sent before them is forwarded before they are answered.
            let busy = self.turn()?;
            for request in requests {
                match request {
                    Request::Settle(done) => settling.push(done),
                    Request::Stop => return self.check_losses(),
                }
            }
            if busy {
                continue;
            }
            if !settling.is_empty() && self.is_settled()? {
                settling.drain(..).for_each(|done| self.answer(done));
            }
            self.sleep(!settling.is_empty()).map_err(|error| format!("the relay: {error}"))?;
        }
    }

    /// Forwards what has come and what is due; whether there may be more at once.
    fn turn(&mut self) -> Result<bool, String> {
        let shared = Arc::clone(&self.shared);
        let mut ledger = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = mem::take(&mut self.buffer);
        let mut busy = true;
        for _ in 0..TURN {
            let Some(frame) = self.left.take(&mut buffer)? else {
                busy = false;
                break;
            };
            self.desk.relay(frame, &mut self.right, &mut ledger)?;
        }
        while let Some(frame) = self.right.take(&mut buffer)? {
            ledger.counts.other += 1;
            self.left.give(frame);
        }
        self.buffer = buffer;
        self.desk.release_due(&mut self.right, &mut ledger);
        Ok(busy)
    }

    /// Sleeps until a frame or a request comes or a datagram is due.
    fn sleep(&self, settling: bool) -> io::Result<()> {
        let due = self.desk.late.peek().map(|Reverse(late)| late.due);
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        // A frame that a device has counted but not yet handed over makes no noise of its own.
        let timeout = if settling { Some(left.unwrap_or(GLANCE).min(GLANCE)) } else { left };
        sys::wait_readable(
            [self.left.socket.as_fd(), self.right.socket.as_fd(), self.bell.as_fd()],
            timeout,
        )
    }

    /// Whether every frame that entered the devices was read, and none is held.
    fn is_settled(&mut self) -> Result<bool, String> {
        self.check_losses()?;
        if !self.left.has_read_all() || !self.right.has_read_all() {
            return Ok(false);
        }
        let mut ledger = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        self.desk.release_all_swaps(&mut self.right, &mut ledger);
        Ok(self.desk.late.is_empty())
    }

    fn answer(&mut self, done: Settled) {
        if done.opens_books {
            *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Ledger::default();
            self.desk.lanes.clear();
            self.left.open_books();
            self.right.open_books();
        }
        // Nobody hears it when the test has lost its patience.
        let _ = done.reply.send(());
    }

    fn check_losses(&self) -> Result<(), String> {
        self.left.check_losses()?;
        self.right.check_losses()
    }
}

/// One end of the wire: a device and the socket on it.
struct Port {
    device: &'static str,
    socket: Socket,
    read: u64,
    /// Frames the socket refused to send.
    refused: u64,
    /// Frames lost before the books were opened; `None` until then.
    forgiven: Option<u64>,
}

impl Port {
    fn open(device: &'static str) -> io::Result<Self> {
        let name = CString::new(device).expect("device names have no NUL");
        let socket = sys::packet_socket(&name)?;
        Ok(Self { device, socket, read: 0, refused: 0, forgiven: None })
    }

    /// The next frame, behind its virtio header, if there is one.
    fn take<'a>(&mut self, buffer: &'a mut [u8]) -> Result<Option<&'a mut [u8]>, String> {
        match self.socket.read(buffer) {
            Ok(length) => {
                self.read += 1;
                Ok(Some(&mut buffer[..length]))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(format!("the relay cannot read from {}: {error}", self.device)),
        }
    }

    fn give(&mut self, frame: &[u8]) {
        // The kernel takes a frame whole or not at all.
        let whole = self.socket.write(frame).is_ok_and(|written| written == frame.len());
        self.refused += u64::from(!whole);
    }

    fn has_read_all(&self) -> bool {
        DeviceCounters::of(self.device).received == self.read
    }

    /// Forgives what got lost while one of the devices was not up.
    fn open_books(&mut self) {
        self.forgiven = Some(self.not_sent());
    }

    fn check_losses(&self) -> Result<(), String> {
        let device = self.device;
        let unread =
            sys::packet_drops(&self.socket).map_err(|error| format!("{device}: {error}"))?;
        let unsent = self.forgiven.map_or(0, |forgiven| self.not_sent() - forgiven);
        if unread + unsent == 0 {
            return Ok(());
        }
        Err(format!(
            "the relay itself dropped {unread} frames that came by {device} and {unsent} that went"
        ))
    }

    /// A frame that is refused because the device drops it counts twice; one that is lost counts.
    fn not_sent(&self) -> u64 {
        self.refused + DeviceCounters::of(self.device).not_sent
    }
}

/// Decides on each datagram from the sender, and holds what has to wait.
struct Desk {
    plan: Plan,
    lanes: HashMap<LaneId, Lane>,
    late: BinaryHeap<Reverse<Late>>,
}

/// Datagrams that are counted together: source port and stream, or all as (0, 0).
type LaneId = (u16, u16);

#[derive(Default)]
struct Lane {
    next_index: u64,
    /// Frames that wait for the next one to go first.
    swapped: Vec<Vec<u8>>,
}

impl Desk {
    fn relay(
        &mut self,
        frame: &mut [u8],
        out: &mut Port,
        books: &mut Ledger,
    ) -> Result<(), String> {
        let Some(datagram) = Datagram::find(&frame[VIRTIO_HEADER..]) else {
            books.counts.other += 1;
            out.give(frame);
            return Ok(());
        };
        if frame[1] != 0 {
            return Err(
                "the relay got a super-packet: its datagrams cannot meet their rules".into()
            );
        }
        let Datagram { kind, source_port, stream, .. } = datagram;
        let id = if self.plan.is_per_stream() { (source_port, stream) } else { (0, 0) };
        if kind.is_data() {
            return self.relay_data(datagram, id, frame, out, books);
        }
        if kind == Kind::End {
            // None will come to be swapped with.
            self.release_swaps(id, false, out, books);
        }
        books.counts.announcements += 1;
        if self.plan.withholds(kind) {
            books.counts.announcements_dropped += 1;
            return Ok(());
        }
        out.give(frame);
        Ok(())
    }

    fn relay_data(
        &mut self,
        datagram: Datagram,
        id: LaneId,
        frame: &mut [u8],
        out: &mut Port,
        books: &mut Ledger,
    ) -> Result<(), String> {
        let lane = self.lanes.entry(id).or_default();
        let index = lane.next_index;
        lane.next_index += 1;
        books.counts.data_in += 1;
        let action = self.plan.action(id.1, index);
        let note = |seqs: &mut Seqs| {
            seqs.entry((datagram.session, datagram.stream)).or_default().push(datagram.seq);
        };
        match action {
            None => {}
            Some(Action::Drop) => {
                books.counts.dropped += 1;
                note(&mut books.dropped);
                return Ok(());
            }
            Some(Action::SwapWithNext) => {
                lane.swapped.push(frame.to_vec());
                return Ok(());
            }
            Some(Action::Delay(time)) => {
                books.counts.delayed += 1;
                let (due, order) = (Instant::now() + time, books.counts.delayed);
                self.late.push(Reverse(Late { due, order, frame: frame.to_vec() }));
                return Ok(());
            }
            Some(Action::Double) => {
                books.counts.doubled += 1;
                books.counts.forwarded += 1;
                out.give(frame);
            }
            Some(Action::Corrupt | Action::CorruptHeader | Action::Spoil) => {
                books.counts.corrupted += 1;
                note(&mut books.corrupted);
                let in_header = action == Some(Action::CorruptHeader);
                let bits = if in_header { datagram.header_bits() } else { datagram.body_bits() };
                if bits.is_empty() {
                    return Err(format!("the plan corrupts datagram {index}, which is too short"));
                }
                let bit = bits.start + self.plan.bit(id.1, index, bits.len());
                let is_spoiled = action == Some(Action::Spoil);
                if is_spoiled {
                    // Without the promise that hardware fills it in, the receiver verifies what is there.
                    frame[0] = 0;
                }
                let stays = is_spoiled || frame[0] & CHECKSUM_PENDING != 0;
                datagram.flip(&mut frame[VIRTIO_HEADER..], bit, stays);
            }
        }
        books.counts.forwarded += 1;
        out.give(frame);
        self.release_swaps(id, true, out, books);
        Ok(())
    }

    /// Forwards what waited for the next one: swapped, if that has gone first.
    fn release_swaps(&mut self, id: LaneId, swapped: bool, out: &mut Port, books: &mut Ledger) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        for frame in lane.swapped.drain(..) {
            books.counts.swapped += u64::from(swapped);
            books.counts.forwarded += 1;
            out.give(&frame);
        }
    }

    fn release_all_swaps(&mut self, out: &mut Port, books: &mut Ledger) {
        let lanes: Vec<LaneId> = self.lanes.keys().copied().collect();
        lanes.into_iter().for_each(|id| self.release_swaps(id, false, out, books));
    }

    fn release_due(&mut self, out: &mut Port, books: &mut Ledger) {
        while self.late.peek().is_some_and(|Reverse(late)| late.due <= Instant::now()) {
            let Some(Reverse(late)) = self.late.pop() else { break };
            books.counts.forwarded += 1;
            out.give(&late.frame);
        }
    }
}

/// A frame to be forwarded when it is due; of two due at once the one that came first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Late {
    due: Instant,
    order: u64,
    frame: Vec<u8>,
}

/// Frames forwarded from the sender before the other direction, requests and due times are looked at.
const TURN: usize = 256;
/// How long a settling relay sleeps before it compares its counts with the devices' again.
const GLANCE: Duration = Duration::from_millis(1);
/// An IP packet of 64 KiB behind an Ethernet header with a tag.
const LONGEST_FRAME: usize = 65_535 + 18;
/// `VIRTIO_NET_HDR_F_NEEDS_CSUM` in the first byte of the virtio header; the second is the kind of
/// a super-packet.
/// <https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/virtio_net.h>
const CHECKSUM_PENDING: u8 = 1;
