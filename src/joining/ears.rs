//! The sockets that join: each for as many groups as a socket may join without asking an administrator.

use super::books::Call;
use crate::engine::control::Control;
use crate::error::{Error, Result};
use crate::model::group::Membership;
use crate::model::report::BufferGrant;
use crate::net::{membership, socket};
use crate::sys::mmsg::ReceiveBatch;
use crate::sys::{clock, sockopt};
use crate::units::Nanos;
use crate::wire::announcement::ANNOUNCEMENT_LEN;
use socket2::Socket;
use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// Datagrams a system call.
const BATCH: usize = 64;
/// System calls before another socket has its turn.
const TURN: usize = 16;
/// Of a payload, so much is read: all that our header may say.
const STRIDE: usize = ANNOUNCEMENT_LEN.next_multiple_of(64);

/// All sockets.
pub(super) struct Ears {
    ears: Vec<Ear>,
    /// By group: which socket joins it.
    joiners: HashMap<IpAddr, usize>,
    interface: u32,
    batch: ReceiveBatch,
    arena: Vec<u8>,
    /// What the sockets got as receive buffer.
    pub(super) grant: BufferGrant,
}

struct Ear {
    socket: Socket,
    /// The group that everything is for, if there is but one; else each datagram says where it was sent to.
    only: Option<IpAddr>,
}

impl Ears {
    /// Opens the sockets, which have joined nothing yet.
    ///
    /// # Errors
    /// What the kernel refuses; a port that another program has for itself.
    pub(super) fn open(groups: &[Membership], interface: u32, buffer: usize) -> Result<Self> {
        let mut by_port = groups.to_vec();
        by_port.sort_by_key(|one| one.port);
        let mut ears = Vec::new();
        let mut joiners = HashMap::new();
        let mut grant = BufferGrant::default();
        for of_one_port in by_port.chunk_by(|a, b| a.port == b.port) {
            for some in membership::per_socket(of_one_port, |it| *it) {
                let bind = socket::bind_address(&some, interface);
                let (socket, granted) = socket::open_receiver(bind, buffer, false)?;
                grant = granted;
                joiners.extend(some.iter().map(|one| (one.group, ears.len())));
                let only = if let [one] = some[..] { Some(one.group) } else { None };
                ears.push(Ear { socket, only });
            }
        }
        let arena = vec![0; BATCH * STRIDE];
        Ok(Self { ears, joiners, interface, batch: ReceiveBatch::new(BATCH), arena, grant })
    }

    /// For waiting.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.ears.iter().map(|ear| ear.socket.as_fd())
    }

    /// Joins a group, and says when.
    ///
    /// # Errors
    /// Those of [`membership::join`].
    pub(super) fn join(&self, group: &Membership) -> Result<Call> {
        let socket = self.joiner(group);
        let at = clock::realtime();
        membership::join(socket, self.interface, group)?;
        Ok(Call { at, done: clock::realtime() })
    }

    /// Leaves a group, and says when.
    ///
    /// # Errors
    /// Those of [`membership::leave`].
    pub(super) fn leave(&self, group: &Membership) -> Result<Call> {
        let socket = self.joiner(group);
        let at = clock::realtime();
        membership::leave(socket, self.interface, group)?;
        Ok(Call { at, done: clock::realtime() })
    }

    fn joiner(&self, group: &Membership) -> &Socket {
        &self.ears[self.joiners[&group.group]].socket
    }

    /// Hands over the datagrams that came: their group, when the kernel got them, and their beginning. Says whether that
    /// is all there is for now.
    ///
    /// # Errors
    /// Those of recvmmsg(2).
    pub(super) fn read(&mut self, heard: &mut dyn FnMut(IpAddr, Nanos, &[u8])) -> Result<bool> {
        let mut is_all = true;
        for ear in &self.ears {
            let mut turns = 0;
            let outcome = loop {
                turns += 1;
                match self.batch.receive(ear.socket.as_fd(), &mut self.arena, STRIDE) {
                    Ok(count) => {
                        for index in 0..count {
                            let received = self.batch.received(index);
                            let control = Control::read(received.control);
                            // Both were asked for, so both are there.
                            let to = ear.only.or(control.destination);
                            if let (Some(group), Some(at)) = (to, control.kernel) {
                                heard(group, at, &self.arena[index * STRIDE..][..received.len]);
                            }
                        }
                    }
                    Err(error) => break Err(error),
                }
                if turns == TURN {
                    break Ok(());
                }
            };
            match outcome {
                Ok(()) => is_all = false,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(Error::os("cannot receive", error)),
            }
        }
        Ok(is_all)
    }

    /// Datagrams that there was no room for, so far.
    pub(super) fn drops(&self) -> u64 {
        let of = |ear: &Ear| sockopt::receive_drops(ear.socket.as_fd()).unwrap_or(0);
        self.ears.iter().map(|ear| u64::from(of(ear))).sum()
    }
}
