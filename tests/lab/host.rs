//! Network namespaces, and hosts made of them.
//!
//! The namespaces have no name: an open descriptor is all that keeps one. So nothing is left over
//! when a test panics, aborts or is killed, nothing of others can be hit, and no `/run/netns` is
//! needed. To look into a running one: `nsenter --net=/proc/PID/fd/N`, the path that the messages
//! of this module show.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use super::sys;
use super::tap::Tap;

/// A network namespace of our own, gone with its last clone (and the last process inside).
#[derive(Clone)]
pub(super) struct Namespace {
    descriptor: Arc<File>,
}

impl Namespace {
    /// A new namespace with nothing but a loopback device that is down.
    pub(super) fn new() -> io::Result<Self> {
        let made = thread::spawn(|| {
            sys::unshare_network()?;
            File::open("/proc/thread-self/ns/net")
        });
        let descriptor = made.join().expect("the thread that makes a namespace never panics")?;
        Ok(Self { descriptor: Arc::new(descriptor) })
    }

    /// Moves the calling thread into it.
    pub(super) fn enter(&self) -> io::Result<()> {
        sys::enter_network(self.descriptor.as_fd())
    }

    /// Runs `work` in a thread inside. Sockets it makes stay inside, whoever uses them later.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter().unwrap_or_else(|error| panic!("cannot enter {self}: {error}"));
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs these commands of `ip`, one a line.
    pub(super) fn ip(&self, commands: &str) {
        let mut ip = self.command("ip");
        ip.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut ip = ip.spawn().unwrap_or_else(|error| panic!("cannot run ip in {self}: {error}"));
        let written = ip.stdin.take().map(|mut stdin| stdin.write_all(commands.as_bytes()));
        let output = ip.wait_with_output().expect("ip is a child of ours");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip in {self}: {message}\n{commands}");
        assert!(matches!(written, Some(Ok(()))), "ip in {self} did not read: {commands}");
    }

    /// A command that runs inside, and whose process is the program itself.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        sys::start_inside(&mut command, Arc::clone(&self.descriptor));
        command
    }

    /// The counters of one device inside.
    pub(super) fn counters(&self, device: &str) -> DeviceCounters {
        self.run(|| DeviceCounters::of(device))
    }
}

/// The path by which another process can open it.
impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/proc/{}/fd/{}", std::process::id(), self.descriptor.as_raw_fd())
    }
}

/// What a device has counted, from `/proc/net/dev` of the calling thread's namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceCounters {
    /// Frames that have come in.
    pub(super) received: u64,
    /// Frames that it could not hand over to the other end.
    pub(super) not_sent: u64,
}

impl DeviceCounters {
    pub(super) fn of(device: &str) -> Self {
        let table = fs::read_to_string("/proc/thread-self/net/dev").expect("proc is mounted");
        let row =
            table.lines().find_map(|line| line.trim().strip_prefix(device)?.strip_prefix(':'));
        let row = row.unwrap_or_else(|| panic!("no device {device} in\n{table}"));
        let numbers: Vec<u64> = row
            .split_whitespace()
            .map(|word| word.parse().expect("counters are numbers"))
            .collect();
        // bytes packets errs drop fifo frame compressed multicast, first received then sent
        Self { received: numbers[1], not_sent: numbers[11] }
    }
}

/// A host of the lab: a namespace with one network device, [`DEVICE`].
pub(crate) struct Host {
    pub(super) namespace: Namespace,
    network: u8,
    number: u8,
}

/// The name of a host's network device.
pub(crate) const DEVICE: &str = "eth0";

impl Host {
    /// Host of a number on a network of a number, from 1.
    pub(super) fn new(namespace: Namespace, network: u8, number: u8) -> Self {
        Self { namespace, network, number }
    }

    /// Its address.
    pub(crate) fn v4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, self.network, self.number)
    }

    /// Its global IPv6 address.
    pub(crate) fn v6(&self) -> Ipv6Addr {
        let network = u16::from(self.network - 1);
        Ipv6Addr::new(0xfd00, 0x99, 0, network, 0, 0, 0, self.number.into())
    }

    /// The path by which `ip` finds its namespace.
    pub(crate) fn netns(&self) -> String {
        self.namespace.to_string()
    }

    /// A command that runs on this host; its pid is the program's own.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.namespace.command(program)
    }

    /// Runs `work` in a thread on this host. Sockets it makes stay on the host.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(work)
    }

    /// Notes the datagrams of ours that come by its device from now on.
    pub(crate) fn tap(&self) -> Tap {
        self.run(Tap::open)
    }

    /// Gives addresses and routes to its device and takes it up. Addresses are usable at once: no
    /// duplicate address detection, which would hold them back for a second.
    pub(super) fn configure(&self) {
        let Self { number, .. } = self;
        let (v4, v6) = (self.v4(), self.v6());
        self.namespace.ip(&format!(
            "link set lo up
             link set {DEVICE} addrgenmode none
             link set {DEVICE} up
             address add {v4}/24 dev {DEVICE}
             address add {v6}/64 dev {DEVICE} nodad
             address add fe80::{number}/64 dev {DEVICE} nodad
             route add 224.0.0.0/4 dev {DEVICE}\n"
        ));
    }
}
