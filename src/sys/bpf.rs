//! Small programs for the kernel to run on each frame, and the tables that they read: `bpf(2)`.
//!
//! Programs are written instruction by instruction ([`Code`]), so nothing but this crate is needed to build them.
//! The instruction set is RFC 9669. Programs, tables and attachments live as long as their descriptors: nothing
//! stays behind when the process ends, however it ends.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Commands of bpf(2), `enum bpf_cmd` of `<linux/bpf.h>`.
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;

const LOAD_TRIES: usize = 5;

/// `enum bpf_map_type`, `enum bpf_prog_type` and `enum bpf_attach_type` of `<linux/bpf.h>`.
const MAP_TYPE_ARRAY: u32 = 2;
const MAP_TYPE_XSKMAP: u32 = 17;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_TYPE_XDP: u32 = 37;

/// `XDP_FLAGS_SKB_MODE` and `XDP_FLAGS_DRV_MODE` of `<linux/if_link.h>`.
const SKB_MODE: u32 = 1 << 1;
const DRV_MODE: u32 = 1 << 2;

/// A register of the machine that programs are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // They have numbers, no meaning.
pub enum Register {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    /// Points behind the stack; read only.
    R10 = 10,
}

/// How much a load or a store moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Width {
    /// 4 bytes.
    Word = 0x00,
    /// 2 bytes.
    Half = 0x08,
    /// 1 byte.
    Byte = 0x10,
    /// 8 bytes.
    Double = 0x18,
}

/// One instruction (RFC 9669 section 3), as the kernel reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Instruction {
    code: u8,
    /// Destination in the low half, source in the high half, where the bytes of a word are in this order.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// A program that is being written. Jumps lead to labels, which may be set before or after.
#[derive(Default)]
pub struct Code {
    instructions: Vec<Instruction>,
    jumps: Vec<(usize, &'static str)>,
    labels: Vec<(&'static str, usize)>,
}

impl Code {
    /// `to = *(from + offset)`.
    pub fn load(&mut self, width: Width, to: Register, from: Register, offset: i16) {
        self.push(0x61 | width as u8, to, from as u8, offset, 0);
    }

    /// `*(to + offset) = from`.
    pub fn store(&mut self, width: Width, to: Register, offset: i16, from: Register) {
        self.push(0x63 | width as u8, to, from as u8, offset, 0);
    }

    /// `to = from`.
    pub fn copy(&mut self, to: Register, from: Register) {
        self.push(0xbf, to, from as u8, 0, 0);
    }

    /// `to = value`.
    pub fn set(&mut self, to: Register, value: i32) {
        self.push(0xb7, to, 0, 0, value);
    }

    /// `to = value`, of 64 bits.
    pub fn set_long(&mut self, to: Register, value: u64) {
        self.push(0x18, to, 0, 0, value as u32 as i32);
        self.push(0, Register::R0, 0, 0, (value >> 32) as i32);
    }

    /// `to = table`. The table must be open until the program is loaded.
    pub fn set_table(&mut self, to: Register, table: &Table) {
        // "src_reg 0x1: dst = map_by_fd(imm)", RFC 9669 section 5.4.
        self.push(0x18, to, 1, 0, table.descriptor.as_raw_fd());
        self.push(0, Register::R0, 0, 0, 0);
    }

    /// `to += value`.
    pub fn add(&mut self, to: Register, value: i32) {
        self.push(0x07, to, 0, 0, value);
    }

    /// `to &= value`.
    pub fn and(&mut self, to: Register, value: i32) {
        self.push(0x57, to, 0, 0, value);
    }

    /// Turns the 16 bits in `of`, read from a header, into a number.
    pub fn from_network(&mut self, of: Register) {
        self.push(0xdc, of, 0, 0, 16);
    }

    /// Goes to `label` if `a > b`.
    pub fn jump_if_above(&mut self, a: Register, b: Register, label: &'static str) {
        self.jumps.push((self.instructions.len(), label));
        self.push(0x2d, a, b as u8, 0, 0);
    }

    /// Goes to `label` if `a == value`.
    pub fn jump_if(&mut self, a: Register, value: i32, label: &'static str) {
        self.jumps.push((self.instructions.len(), label));
        self.push(0x15, a, 0, 0, value);
    }

    /// Goes to `label` if `a != value`.
    pub fn jump_unless(&mut self, a: Register, value: i32, label: &'static str) {
        self.jumps.push((self.instructions.len(), label));
        self.push(0x55, a, 0, 0, value);
    }

    /// Calls a function of the kernel by its number, bpf-helpers(7). It takes R1 to R5 and spoils them, and answers
    /// in R0.
    pub fn call(&mut self, function: i32) {
        self.push(0x85, Register::R0, 0, 0, function);
    }

    /// Ends the program; R0 is its answer.
    pub fn exit(&mut self) {
        self.push(0x95, Register::R0, 0, 0, 0);
    }

    /// Names the place of the next instruction.
    pub fn label(&mut self, label: &'static str) {
        self.labels.push((label, self.instructions.len()));
    }

    fn push(&mut self, code: u8, to: Register, from: u8, offset: i16, immediate: i32) {
        let to = to as u8;
        let registers =
            if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        self.instructions.push(Instruction { code, registers, offset, immediate });
    }

    /// With the distances of all jumps put in.
    fn assembled(&self) -> Vec<Instruction> {
        let mut instructions = self.instructions.clone();
        for &(jump, label) in &self.jumps {
            let place = self.labels.iter().find(|(name, _)| *name == label);
            let (_, place) = place.unwrap_or_else(|| panic!("no label {label}"));
            // Counted from the instruction behind the jump.
            instructions[jump].offset = (*place as isize - jump as isize - 1) as i16;
        }
        instructions
    }
}

/// A table that a program reads and this process writes. Keys and values are of 4 bytes.
pub struct Table {
    descriptor: OwnedFd,
}

impl Table {
    /// Numbers, all 0 at first.
    ///
    /// # Errors
    /// `EPERM` without `CAP_BPF`.
    pub fn of_numbers(entries: u32) -> io::Result<Self> {
        Self::new(MAP_TYPE_ARRAY, entries)
    }

    /// `AF_XDP` sockets, none at first, to which frames can be redirected.
    ///
    /// # Errors
    /// `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`.
    pub fn of_sockets(entries: u32) -> io::Result<Self> {
        Self::new(MAP_TYPE_XSKMAP, entries)
    }

    fn new(kind: u32, entries: u32) -> io::Result<Self> {
        #[repr(C)]
        struct Attributes {
            kind: u32,
            key_size: u32,
            value_size: u32,
            max_entries: u32,
        }
        let attributes = Attributes { kind, key_size: 4, value_size: 4, max_entries: entries };
        // SAFETY: the attributes hold no pointer, and the command makes a descriptor.
        let descriptor = unsafe { make(MAP_CREATE, &attributes) }?;
        Ok(Self { descriptor })
    }

    /// Puts a number into a table of numbers.
    ///
    /// # Errors
    /// `E2BIG` beyond its end.
    pub fn set_number(&self, key: u32, number: u32) -> io::Result<()> {
        self.update(key, number)
    }

    /// Puts a socket into a table of sockets. It leaves the table when it is closed.
    ///
    /// # Errors
    /// `E2BIG` beyond its end, `EOPNOTSUPP` for another kind of socket.
    pub fn set_socket(&self, key: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.update(key, socket.as_raw_fd() as u32)
    }

    fn update(&self, key: u32, value: u32) -> io::Result<()> {
        #[repr(C)]
        struct Attributes {
            map: u32,
            padding: u32,
            key: u64,
            value: u64,
            flags: u64,
        }
        let attributes = Attributes {
            map: self.descriptor.as_raw_fd() as u32,
            padding: 0,
            key: (&raw const key).expose_provenance() as u64,
            value: (&raw const value).expose_provenance() as u64,
            flags: 0,
        };
        // SAFETY: the addresses are those of a key and a value of 4 bytes, which is what the table was made for;
        // both are only read and outlive the call.
        let done = unsafe { call(MAP_UPDATE_ELEM, &attributes) };
        done.map(drop)
    }
}

/// A program that the kernel has checked and taken.
pub struct Program {
    descriptor: OwnedFd,
}

/// Where in the way of a frame a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// In the driver, before the kernel makes anything of the frame. Not every driver can.
    Driver,
    /// In the kernel, behind the driver: works with every driver and saves less.
    Generic,
}

impl Program {
    /// Has the kernel check a program for `XDP`, which is asked about each frame that comes in.
    ///
    /// # Errors
    /// `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`; `EINVAL` or `EACCES` if this kernel does not know or allow
    /// what the program does.
    pub fn load(code: &Code) -> io::Result<Self> {
        #[repr(C)]
        struct Attributes {
            kind: u32,
            count: u32,
            instructions: u64,
            license: u64,
            log_level: u32,
            log_size: u32,
            log: u64,
            kernel_version: u32,
            flags: u32,
            name: [u8; 16],
            interface: u32,
            attach_type: u32,
        }
        let instructions = code.assembled();
        let license = c"MIT";
        let attributes = Attributes {
            kind: PROG_TYPE_XDP,
            count: instructions.len() as u32,
            instructions: instructions.as_ptr().expose_provenance() as u64,
            license: license.as_ptr().expose_provenance() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel_version: 0,
            flags: 0,
            name: *b"mcast_bench\0\0\0\0\0",
            interface: 0,
            attach_type: ATTACH_TYPE_XDP,
        };
        // SAFETY: the addresses are those of `count` instructions and of a text that ends in NUL; both are only
        // read and outlive the call. The command makes a descriptor.
        let load = || unsafe { make(PROG_LOAD, &attributes) };
        let mut loaded = load();
        // A signal that comes while the kernel looks the program over ends that with EAGAIN (bpf_check,
        // kernel/bpf/verifier.c); other loaders try five times, too.
        for _ in 1..LOAD_TRIES {
            match &loaded {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => loaded = load(),
                _ => break,
            }
        }
        loaded.map(|descriptor| Self { descriptor })
    }

    /// Has it run for each frame that comes in by an interface, until the [`Attachment`] is dropped.
    ///
    /// # Errors
    /// `EBUSY` if the interface has a program already, `EOPNOTSUPP` if its driver cannot.
    pub fn attach(&self, interface: u32, hook: Hook) -> io::Result<Attachment> {
        #[repr(C)]
        struct Attributes {
            program: u32,
            interface: u32,
            attach_type: u32,
            flags: u32,
        }
        let attributes = Attributes {
            program: self.descriptor.as_raw_fd() as u32,
            interface,
            attach_type: ATTACH_TYPE_XDP,
            flags: match hook {
                Hook::Driver => DRV_MODE,
                Hook::Generic => SKB_MODE,
            },
        };
        // SAFETY: the attributes hold no pointer, and the command makes a descriptor.
        let descriptor = unsafe { make(LINK_CREATE, &attributes) }?;
        Ok(Attachment { _link: descriptor })
    }

    /// Runs it on a frame that nobody sent and says what it answers, which is one of `enum xdp_action`.
    #[cfg(test)]
    pub(crate) fn run_on(&self, frame: &[u8]) -> io::Result<u32> {
        const PROG_TEST_RUN: libc::c_int = 10;
        #[repr(C)]
        struct Attributes {
            program: u32,
            answer: u32,
            len: u32,
            len_out: u32,
            frame: u64,
            frame_out: u64,
            repeat: u32,
            duration: u32,
        }
        let mut attributes = Attributes {
            program: self.descriptor.as_raw_fd() as u32,
            answer: 0,
            len: frame.len() as u32,
            len_out: 0,
            frame: frame.as_ptr().expose_provenance() as u64,
            frame_out: 0,
            repeat: 1,
            duration: 0,
        };
        // SAFETY: as for `call`, but that the kernel writes its answer into the attributes, which are ours alone;
        // the address is that of `len` bytes, which are only read and outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                PROG_TEST_RUN,
                &raw mut attributes,
                size_of::<Attributes>(),
            )
        };
        super::check(result as libc::c_int).map(|_| attributes.answer)
    }
}

/// Keeps a program attached for as long as it lives.
pub struct Attachment {
    _link: OwnedFd,
}

/// Calls bpf(2) with a command that makes a descriptor.
///
/// # Safety
/// As for [`call`]; the command must be one that answers with a new descriptor.
unsafe fn make<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise.
    let descriptor = unsafe { call(command, attributes) }?;
    // SAFETY: the caller's promise: a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Calls bpf(2).
///
/// # Safety
/// `T` must be the beginning of what `union bpf_attr` is for this command, without padding, and each address in it
/// that of memory which the command may use as it does.
unsafe fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: "size ... the size of the union"; a shorter one counts as filled up with zeroes, bpf(2). The rest is
    // the caller's promise.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    super::check(result as libc::c_int)
}
