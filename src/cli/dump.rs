//! `mcast-bench dump`: shows each datagram that arrives.

use super::dump_args::DumpArgs;
use super::exit::Exit;
use super::session;
use super::spec::dump::{Capture, DumpSpec, of_dump};
use crate::error::{Error, Result};
use crate::model::heard::{Content, Heard};
use crate::net::receiver::{Datagram, MulticastReceiver};
use crate::report::dump::Lines;
use crate::report::file::WholeFile;
use crate::sys::clock;
use crate::sys::netdev::interface_name;
use crate::units::Nanos;
use crate::units::text::{bytes, count};
use crate::wire::capture::writer::{CaptureWriter, Captured};
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Waits end at least so often, to look at the stop sign and the interface.
const TICK: Nanos = Nanos(200 * Nanos::MILLISECOND.0);

/// What is buffered waits no longer than that, however busy it is.
const FLUSH_EVERY: Nanos = Nanos(200 * Nanos::MILLISECOND.0);

/// What waits in the sockets at the end takes no longer than that, however much comes behind it.
const REST: Nanos = Nanos::SECOND;

/// So long a silence at the beginning is worth a word.
const SILENCE: Nanos = Nanos(3 * Nanos::SECOND.0);

pub(super) fn run(args: DumpArgs) -> Result<Exit> {
    let spec = of_dump(&args)?;
    let file = spec.capture.as_ref().map(open).transpose()?;
    args.launch.remove_stale()?;
    let interrupt = session::interrupt(&Arc::default())?;
    let say = |text: &str| {
        if !args.output.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    };
    if !args.output.quiet {
        session::say_if_loopback(&args.groups, &spec.interfaces[0]);
    }
    let mut receiver = MulticastReceiver::new(spec.receive_buffer)?;
    for interface in &spec.interfaces {
        receiver.join(interface, &spec.groups)?;
    }
    if let Some(grant) = receiver.buffer().filter(|grant| !grant.is_full()) {
        let [got, asked] = [grant.granted as u64 / 2, grant.asked as u64].map(bytes);
        say(&format!("receive buffer: {got} of {asked}; raise net.core.rmem_max"));
    }
    let capture = file.map(|(name, out)| CaptureFile::begin(name, out)).transpose()?;
    args.launch.say_ready()?;
    let lines = spec.lines.then(|| {
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        Lines::new(out, args.output.json)
    });
    let shown =
        Shown { spec: &spec, hex: args.output.hex, lines, capture, counts: Counts::default() };
    shown.run(receiver, &interrupt, &say)
}

fn open(capture: &Capture) -> Result<(WholeFile, File)> {
    match capture {
        Capture::StandardOutput => WholeFile::standard_output("capture"),
        Capture::File(path) => WholeFile::open("capture", path, "dump.pcap"),
    }
}

/// A capture, and the name that it gets.
struct CaptureFile {
    name: WholeFile,
    writer: CaptureWriter<BufWriter<File>>,
}

impl CaptureFile {
    fn begin(name: WholeFile, out: File) -> Result<Self> {
        let begun = CaptureWriter::begin(BufWriter::with_capacity(1 << 16, out));
        let writer = begun.map_err(|error| name.failed(error))?;
        Ok(Self { name, writer })
    }
}

/// What was shown so far.
#[derive(Default)]
struct Counts {
    datagrams: u64,
    payload_bytes: u64,
    /// Datagrams without a receive time of the kernel; the clock was read instead.
    unstamped: u64,
}

/// Where datagrams are shown.
struct Shown<'a> {
    spec: &'a DumpSpec,
    hex: bool,
    lines: Option<Lines<BufWriter<StdoutLock<'static>>>>,
    capture: Option<CaptureFile>,
    counts: Counts,
}

/// Why showing ends before its time.
enum Stop {
    /// Nobody reads any more, which is no failure.
    Unread,
    Failed(Error),
}

impl Shown<'_> {
    fn run(
        mut self,
        mut receiver: MulticastReceiver,
        interrupt: &AtomicBool,
        say: &dyn Fn(&str),
    ) -> Result<Exit> {
        let begun = clock::monotonic();
        let shown = self.listen(&mut receiver, interrupt, begun, say).and_then(|()| self.flush());
        // What was captured is worth its name, however showing it ended.
        let completed = self.complete();
        match shown {
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Unread) => return completed.map(|()| Exit::Fine),
            Ok(()) => completed?,
        }
        say(&self.summary(clock::monotonic() - begun, receiver.drops()));
        Ok(match interrupt.load(Ordering::Relaxed) {
            true => Exit::Interrupted,
            false if self.counts.datagrams == 0 => Exit::NothingHeard,
            false => Exit::Fine,
        })
    }

    fn listen(
        &mut self,
        receiver: &mut MulticastReceiver,
        interrupt: &AtomicBool,
        begun: Nanos,
        say: &dyn Fn(&str),
    ) -> std::result::Result<(), Stop> {
        let end = Nanos(begun.0.saturating_add(self.spec.time.0));
        let (mut flushed_at, mut is_silent) = (begun, false);
        while self.counts.datagrams < self.spec.count && !interrupt.load(Ordering::Relaxed) {
            let now = clock::monotonic();
            if now >= end {
                break;
            }
            if now - flushed_at >= FLUSH_EVERY {
                self.flush()?;
                flushed_at = now;
            }
            if let Some(datagram) = receiver.recv(Duration::ZERO).map_err(Stop::Failed)? {
                self.show(&datagram)?;
                continue;
            }
            self.flush()?;
            if self.counts.datagrams == 0 && !is_silent && now - begun >= SILENCE {
                say(&self.silence());
                is_silent = true;
            }
            let wait = TICK.min(end - now);
            match receiver.recv(Duration::from(wait)).map_err(Stop::Failed)? {
                Some(datagram) => self.show(&datagram)?,
                None => self.check_interfaces()?,
            }
        }
        self.rest(receiver)
    }

    /// Shows what had come already when listening ended.
    fn rest(&mut self, receiver: &mut MulticastReceiver) -> std::result::Result<(), Stop> {
        let ended = clock::ClockPair::read();
        let give_up = ended.monotonic + REST;
        while self.counts.datagrams < self.spec.count && clock::monotonic() < give_up {
            match receiver.recv(Duration::ZERO).map_err(Stop::Failed)? {
                Some(datagram) if datagram.received_at.is_none_or(|at| at <= ended.realtime) => {
                    self.show(&datagram)?;
                }
                Some(_later) => {}
                None => break,
            }
        }
        Ok(())
    }

    fn show(&mut self, datagram: &Datagram<'_>) -> std::result::Result<(), Stop> {
        let Datagram { payload, source, destination, ttl, dropped_before, .. } = *datagram;
        let received_at = datagram.received_at.unwrap_or_else(clock::realtime);
        self.counts.datagrams += 1;
        self.counts.payload_bytes += payload.len() as u64;
        self.counts.unstamped += u64::from(datagram.received_at.is_none());
        let mut interfaces = self.spec.interfaces.iter();
        let interface = interfaces.find(|interface| interface.index == datagram.interface);
        if let Some(lines) = &mut self.lines {
            let heard = Heard {
                received_at_ns: received_at,
                interface: interface.map_or("?", |interface| &interface.name),
                source,
                group: destination.ip(),
                port: destination.port(),
                payload_len: payload.len(),
                ttl,
                dropped_before,
                content: Content::of(payload, received_at),
                payload: self.hex.then_some(payload),
            };
            lines.write(&heard).map_err(of_lines)?;
        }
        let ttl = ttl.unwrap_or(0);
        let captured = Captured { at: received_at, source, destination, ttl, payload };
        self.capture(|writer| writer.write(&captured))
    }

    fn flush(&mut self) -> std::result::Result<(), Stop> {
        self.lines.as_mut().map_or(Ok(()), Lines::flush).map_err(of_lines)?;
        self.capture(CaptureWriter::flush)
    }

    /// Does something to the capture, if there is one. Once it fails it is not whole, and gets no more.
    fn capture(
        &mut self,
        write: impl FnOnce(&mut CaptureWriter<BufWriter<File>>) -> io::Result<()>,
    ) -> std::result::Result<(), Stop> {
        let Some(CaptureFile { name, writer }) = &mut self.capture else { return Ok(()) };
        let Err(error) = write(writer) else { return Ok(()) };
        let stop = match error.kind() {
            ErrorKind::BrokenPipe => Stop::Unread,
            _ => Stop::Failed(name.failed(error)),
        };
        self.capture = None;
        Err(stop)
    }

    fn complete(&mut self) -> Result<()> {
        match self.capture(CaptureWriter::flush) {
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Unread) => Ok(()),
            Ok(()) => self.capture.as_mut().map_or(Ok(()), |capture| capture.name.complete()),
        }
    }

    /// A socket does not notice that its interface goes: it hears nothing any more.
    fn check_interfaces(&self) -> std::result::Result<(), Stop> {
        let is_gone = |index: u32| interface_name(index).is_err();
        match self.spec.interfaces.iter().find(|interface| is_gone(interface.index)) {
            None => Ok(()),
            Some(gone) => Err(Stop::Failed(
                Error::environment(format!("interface {} has gone", gone.name))
                    .hint("`ip link` lists those there are"),
            )),
        }
    }

    fn silence(&self) -> String {
        let names: Vec<_> = self.spec.interfaces.iter().map(|each| each.name.as_str()).collect();
        let first = self.spec.groups[0];
        let more = match self.spec.groups.len() - 1 {
            0 => String::new(),
            more => format!(" and {}", count(more as u64, "other group")),
        };
        let name = names[0];
        format!(
            "nothing heard for {SILENCE} of {first}{more} on {}\n\
             hint: `mcast-bench doctor -I {name} -g '{first}'` looks for the reason",
            names.join(", ")
        )
    }

    fn summary(&self, length: Nanos, drops: u64) -> String {
        let Counts { datagrams, payload_bytes, unstamped } = self.counts;
        let [heard, payload] = [count(datagrams, "datagram"), count(payload_bytes, "byte")];
        let mut text = format!("{heard}, {payload} of payload, in {length}");
        if drops > 0 {
            let dropped = count(drops, "datagram");
            text += &format!(
                "\n{dropped} dropped by this host: they came faster than they were written\n\
                 hint: --quiet --pcap FILE writes faster, and a larger --rcvbuf bridges bursts"
            );
        }
        if unstamped > 0 {
            text +=
                &format!("\n{} had no receive time of the kernel", count(unstamped, "datagram"));
        }
        text
    }
}

fn of_lines(error: io::Error) -> Stop {
    match error.kind() {
        ErrorKind::BrokenPipe => Stop::Unread,
        _ => Stop::Failed(Error::os("cannot write to standard output", error)),
    }
}
