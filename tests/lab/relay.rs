//! The wire between the two hosts: a thread that hands frames from one veth to the other, does to
//! our data what the [`Plan`] says, and keeps the books. Its counts are the truth for a test.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::host::{DEVICE, Host, Namespace};
use super::plan::Plan;
use super::wire::{self, Wire};

/// What has passed the relay. After [`Relay::settle`]: `forwarded = data_in - dropped + doubled`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RelayCounts {
    /// Data datagrams of ours that came from the sender.
    pub(crate) data_in: u64,
    /// Data datagrams that went on to the receiver, copies and damaged ones among them.
    pub(crate) forwarded: u64,
    /// Data datagrams withheld.
    pub(crate) dropped: u64,
    /// Data datagrams sent on twice.
    pub(crate) doubled: u64,
    /// Data datagrams that went behind a later one of which they were in front.
    pub(crate) swapped: u64,
    /// Data datagrams held for a time.
    pub(crate) delayed: u64,
    /// Data datagrams damaged, in the header or behind it.
    pub(crate) corrupted: u64,
    /// Announcements that came from the sender.
    pub(crate) announcements: u64,
    /// Announcements withheld; they are among those that came.
    pub(crate) announcements_dropped: u64,
    /// Everything else, in both directions.
    pub(crate) other: u64,
}

/// A session and one of its streams.
pub(crate) type StreamId = (u32, u16);

/// Sequence numbers by stream, in the order of their arrival at the relay.
pub(crate) type Seqs = BTreeMap<StreamId, Vec<u64>>;

/// The relay's books.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) counts: RelayCounts,
    pub(super) dropped: Seqs,
    pub(super) corrupted: Seqs,
}

/// What the relay's thread can be asked to do.
pub(super) enum Request {
    /// Answer as soon as all that came has gone, and nothing is held.
    Settle(Settled),
    /// End.
    Stop,
}

/// Where to answer, and whether the books are then to be opened anew.
pub(super) struct Settled {
    pub(super) reply: mpsc::Sender<()>,
    pub(super) opens_books: bool,
}

/// The test's end of the relay.
pub(crate) struct Relay {
    ledger: Arc<Mutex<Ledger>>,
    requests: mpsc::Sender<Request>,
    bell: UnixStream,
    /// Ends with the first thing that went wrong, if one did.
    thread: Option<JoinHandle<Result<(), String>>>,
    /// The hosts' ends of the wire, and what they had failed to send before anything was relayed.
    ends: [(Namespace, u64); 2],
}

impl Relay {
    /// Joins the two hosts by a relay in a namespace of its own. The thread is up and has its
    /// sockets before the hosts' devices are up, so it misses no frame.
    pub(super) fn join(plan: Plan, sender: &Host, receiver: &Host) -> Self {
        let namespace = Namespace::new().expect("hosts have got namespaces too");
        wire::plug(sender, receiver, &namespace);
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (requests, inbox) = mpsc::channel();
        let (bell, bell_wire) = UnixStream::pair().expect("a socket pair needs no privilege");
        let (ready, is_ready) = mpsc::channel();
        let books = Arc::clone(&ledger);
        let start = move || -> io::Result<Wire> {
            namespace.enter()?;
            bell_wire.set_nonblocking(true)?;
            Wire::new(plan, books, inbox, bell_wire)
        };
        let work = move || {
            let mut wire = start().map_err(|error| format!("the relay cannot start: {error}"))?;
            // Nobody hears it when the test has gone already.
            let _ = ready.send(());
            wire.run()
        };
        let thread = thread::Builder::new().name("relay".into()).spawn(work);
        let thread = thread.expect("the machine has a thread left");
        if is_ready.recv().is_err() {
            panic!(
                "{}",
                thread.join().map_or("the relay panicked".into(), |end| format!("{end:?}"))
            );
        }
        sender.configure();
        receiver.configure();
        let ends = [sender, receiver].map(|host| (host.namespace.clone(), 0));
        Self { ledger, requests, bell, thread: Some(thread), ends }
    }

    /// Forgets what proving the link has left in the books, and what was lost before it was up.
    pub(super) fn open_books(&mut self) {
        self.wait_settled(true);
        for (namespace, not_sent) in &mut self.ends {
            *not_sent = namespace.counters(DEVICE).not_sent;
        }
    }

    /// What has passed until now; final after [`Relay::settle`].
    pub(crate) fn counts(&self) -> RelayCounts {
        self.books().counts
    }

    /// The sequence numbers that were withheld.
    pub(crate) fn dropped_seqs(&self) -> Seqs {
        self.books().dropped.clone()
    }

    /// The sequence numbers that were damaged.
    pub(crate) fn corrupted_seqs(&self) -> Seqs {
        self.books().corrupted.clone()
    }

    /// Waits until every frame that the hosts have sent is forwarded and none is held any more. A
    /// datagram that waits for the one to be swapped with goes unswapped.
    ///
    /// To be called when the sender has ended. Panics if the relay itself has lost anything.
    pub(crate) fn settle(&mut self) {
        self.wait_settled(false);
        for (namespace, before) in &self.ends {
            let lost = namespace.counters(DEVICE).not_sent - before;
            assert_eq!(lost, 0, "a host's {DEVICE} lost {lost} frames before the relay");
        }
        let RelayCounts { data_in, forwarded, dropped, doubled, .. } = self.counts();
        assert_eq!(forwarded, data_in - dropped + doubled, "the relay's own books");
    }

    fn wait_settled(&mut self, opens_books: bool) {
        let (reply, settled) = mpsc::channel();
        self.ask(Request::Settle(Settled { reply, opens_books }));
        match settled.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("the relay has not settled in {PATIENCE:?}: {:?}", self.counts())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => self.end(),
        }
    }

    fn books(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, request: Request) {
        // Both fail only when the thread has ended; whoever waits for the answer learns it there.
        let _ = self.requests.send(request);
        let _ = (&self.bell).write_all(&[0]);
    }

    /// Waits for the end of the thread and panics with what went wrong.
    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        match thread.join() {
            Ok(Ok(())) => {}
            // A second panic while the test already fails would abort all tests.
            _ if thread::panicking() => {}
            Ok(Err(fault)) => panic!("{fault}"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ask(Request::Stop);
        self.end();
    }
}

/// Longer than any plan may delay a datagram.
const PATIENCE: Duration = Duration::from_secs(20);
