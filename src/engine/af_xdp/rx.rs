//! Receiving: a program hands us the frames that are for us, before the kernel makes anything of them.

use super::filter::{Filter, MAX_QUEUES, stamp_before};
use super::{FRAME_LENS, NAME, cannot_open, check_memory, copied};
use crate::engine::directory::Directory;
use crate::engine::{RxBatch, RxCounters, RxEngine, RxMeta, RxPlan};
use crate::error::{Error, Result};
use crate::model::event::Happening;
use crate::model::report::BufferGrant;
use crate::net::ethernet::Ethernet;
use crate::net::membership::keep_joined;
use crate::net::timestamp::Stamps;
use crate::sys::bpf::{Attachment, Hook};
use crate::sys::clock;
use crate::sys::poll::PollSet;
use crate::sys::xsk::{HEADROOM, Place, Receiver};
use crate::wire::frame::{ETHERNET_LEN, UdpFrame};
use socket2::Socket;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Fewest frames of a queue.
const MIN_FRAMES: usize = 64;

/// Bytes of two tags (IEEE 802.1Q, 802.1ad) that a network card may leave in a frame.
const TAGS_LEN: usize = 8;

pub(super) struct XdpRx {
    /// One for each queue of the interface.
    queues: Box<[Receiver]>,
    poll: PollSet,
    /// Which queue is looked at first, so that a busy one does not starve the others.
    turn: usize,
    directory: Directory,
    metas: Vec<RxMeta>,
    capacity: usize,
    stamps: Stamps,
    buffer: BufferGrant,
    counters: RxCounters,
    _attachment: Attachment,
    _filter: Filter,
    /// Keep the host a member, and the network card's filter open.
    _members: Vec<Socket>,
}

impl XdpRx {
    /// Opens a receiver that has the interface for itself. What it had to do without goes to `degraded`.
    pub(super) fn open(plan: &RxPlan, degraded: &mut Vec<Happening>) -> Result<Self> {
        let device = Ethernet::of(plan.interface, NAME)?;
        let longest = device.mtu + ETHERNET_LEN + TAGS_LEN;
        let fits = |frame_len: &usize| longest + HEADROOM <= *frame_len;
        let Some(frame_len) = FRAME_LENS.into_iter().find(fits) else {
            let most = FRAME_LENS[1] - HEADROOM - (longest - device.mtu);
            return Err(Error::environment(format!(
                "frames of {} do not fit into those of engine {NAME}: its MTU is {}",
                device.name, device.mtu
            ))
            .hint(format!("an MTU of at most {most}, or the engine mmsg")));
        };
        let frames = plan.receive_buffer.div_ceil(frame_len).max(MIN_FRAMES).next_power_of_two();
        let filter = Filter::load().map_err(super::cannot_load)?;
        // Members first: the filter of the network card takes a moment.
        let members = keep_joined(&plan.flows, plan.interface)?;
        let (attachment, refused) = attach(&filter, &device, plan.interface)?;
        let place = Place {
            interface: plan.interface,
            queue: 0,
            frames: frames as u32,
            frame_len,
            // Behind the driver there is nothing that it could put where it belongs.
            copy: refused.is_some(),
        };
        let queues = open_queues(place, &device)?;
        degraded.extend(refused.map_or_else(
            || (!queues.iter().all(Receiver::is_zero_copy)).then(|| copied(&device)),
            |error| Some(behind_the_driver(&device, &error)),
        ));
        let cannot_tell =
            |error| Error::os(format!("cannot tell the program on {}", device.name), error);
        for (number, queue) in (0..).zip(&queues) {
            filter.give_queue(number, queue.as_fd()).map_err(cannot_tell)?;
        }
        for flow in &plan.flows {
            filter.take_port(flow.port).map_err(cannot_tell)?;
        }
        let granted = frames * frame_len;
        let capacity = plan.batch.clamp(1, frames);
        Ok(Self {
            poll: PollSet::new(queues.iter().map(AsFd::as_fd)),
            queues: queues.into(),
            turn: 0,
            directory: Directory::new(plan.flows.iter().copied().zip(0..)),
            metas: Vec::with_capacity(capacity),
            capacity,
            stamps: plan.stamps.clone(),
            buffer: BufferGrant { asked: plan.receive_buffer, granted, forced: false },
            counters: RxCounters::default(),
            _attachment: attachment,
            _filter: filter,
            _members: members,
        })
    }

    /// Reads the first queue that has something, and says which. All frames lent before are given back.
    #[inline]
    fn receive(&mut self) -> Option<usize> {
        let mut found = None;
        for step in 0..self.queues.len() {
            let index = (self.turn + step) % self.queues.len();
            let most = if found.is_none() { self.capacity } else { 0 };
            let count = self.queues[index].receive(most);
            if count > 0 {
                self.counters.calls += 1;
                self.note(index, count);
                found = Some(index);
            }
        }
        if let Some(index) = found {
            self.turn = (index + 1) % self.queues.len();
        }
        found
    }

    #[inline]
    fn note(&mut self, queue: usize, count: usize) {
        let queue = &self.queues[queue];
        let memory = queue.memory();
        let tai_offset = clock::tai_offset();
        for index in 0..count {
            let (start, len) = queue.frame(index);
            let Some(datagram) = memory.get(start..start + len).and_then(UdpFrame::parse) else {
                continue;
            };
            let Some(flow) = self.directory.find(datagram.source.ip(), datagram.destination) else {
                continue;
            };
            let stamp = stamp_before(memory, start);
            self.counters.unstamped += u64::from(stamp.is_none());
            self.counters.without_hardware += u64::from(self.stamps.are_hardware());
            self.metas.push(RxMeta {
                offset: (start + datagram.payload.start) as u32,
                len: datagram.payload.len() as u32,
                segment_len: 0,
                received_at: stamp
                    .map_or_else(clock::realtime, |stamp| stamp.saturating_sub(tai_offset)),
                source: datagram.source,
                flow,
                dropped_before: 0,
            });
        }
    }
}

impl RxEngine for XdpRx {
    fn poll(&mut self, wait: Duration) -> io::Result<RxBatch<'_>> {
        self.metas.clear();
        let mut found = self.receive();
        if found.is_none() && !wait.is_zero() {
            self.poll.wait(wait)?;
            found = self.receive();
            if found.is_none() {
                // Silence may have a reason: a socket forgets its interface when that goes, and hears of no other.
                self.queues.iter().try_for_each(Receiver::check)?;
            }
        }
        let arena = found.map_or(&[][..], |queue| self.queues[queue].memory());
        Ok(RxBatch { arena, metas: &self.metas })
    }

    fn counters(&mut self) -> RxCounters {
        let dropped = self.queues.iter().filter_map(|queue| queue.dropped().ok());
        // A socket whose interface is gone has forgotten; what it said before stays true.
        self.counters.dropped = self.counters.dropped.max(dropped.sum());
        self.counters.own.by_rings = self.counters.dropped;
        self.counters
    }

    fn receive_buffer(&self) -> (BufferGrant, usize) {
        (self.buffer, self.queues.len())
    }
}

/// As near to the wire as the driver allows; with its refusal if that is behind it.
fn attach(
    filter: &Filter,
    device: &Ethernet,
    interface: u32,
) -> Result<(Attachment, Option<io::Error>)> {
    let program = filter.program();
    let refusal = match program.attach(interface, Hook::Driver) {
        Ok(attachment) => return Ok((attachment, None)),
        Err(refusal) => refusal,
    };
    let error = match program.attach(interface, Hook::Generic) {
        Ok(attachment) => return Ok((attachment, Some(refusal))),
        Err(error) => error,
    };
    let errno = error.raw_os_error();
    let error = Error::os(format!("cannot attach a program to {}", device.name), error);
    Err(match errno {
        Some(libc::EBUSY | libc::EEXIST) => error.hint(format!(
            "it has one already, perhaps of another {NAME} receiver: `ip link show {}` names it",
            device.name
        )),
        Some(libc::EPERM) => error.hint(super::PRIVILEGES),
        _ => error.hint("the interface may have gone or not know XDP; take the engine mmsg"),
    })
}

fn behind_the_driver(device: &Ethernet, refusal: &io::Error) -> Happening {
    Happening::Degraded {
        asked: format!("{NAME} in the driver of {}", device.name),
        instead: "behind it, in the kernel (generic XDP)".into(),
        reason: refusal.to_string(),
    }
}

/// A socket for each queue: what comes by one without a socket would not be seen.
fn open_queues(first: Place, device: &Ethernet) -> Result<Vec<Receiver>> {
    let mut queues = Vec::new();
    for queue in 0..MAX_QUEUES {
        check_memory(first.frames as usize * first.frame_len)?;
        match Receiver::open(Place { queue, ..first }) {
            Ok(receiver) => queues.push(receiver),
            // There are no more.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && queue > 0 => break,
            Err(error) => return Err(cannot_open(device, queue, error)),
        }
    }
    Ok(queues)
}
