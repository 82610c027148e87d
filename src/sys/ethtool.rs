//! What a network driver says of itself: the `SIOCETHTOOL` ioctl, netdevice(7), `<linux/ethtool.h>`.
//!
//! Its statistics are named by the driver, and mean what the driver's authors meant. An interface may lack any
//! of this; then the answer is `EOPNOTSUPP`.

use super::{check, netdev};
use socket2::{Domain, Socket, Type};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;

/// An interface to ask, in the network namespace in which it was opened.
pub struct Device {
    socket: Socket,
    name: [libc::c_char; libc::IFNAMSIZ],
}

/// Slots of the receive and transmit rings, and how many there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rings {
    /// Receive slots.
    pub rx: u32,
    /// Most receive slots.
    pub rx_max: u32,
    /// Transmit slots.
    pub tx: u32,
    /// Most transmit slots.
    pub tx_max: u32,
}

/// Work that an interface can take off the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Offload {
    /// Verifies checksums of what is received (`ETHTOOL_GRXCSUM`).
    RxChecksum = 0x14,
    /// Fills in checksums of what is sent (`ETHTOOL_GTXCSUM`).
    TxChecksum = 0x16,
    /// Generic segmentation: super-packets are cut late (`ETHTOOL_GGSO`).
    Gso = 0x23,
    /// Generic receive offload: packets are joined early (`ETHTOOL_GGRO`).
    Gro = 0x2b,
}

impl Device {
    /// The interface of a name; whether there is one shows when it is asked.
    ///
    /// # Errors
    /// No sockets to be had, or no name that an interface can have.
    pub fn open(name: &str) -> io::Result<Self> {
        let name = netdev::name_field(name)?;
        Ok(Self { socket: Socket::new(Domain::IPV4, Type::DGRAM, None)?, name })
    }

    /// Name of the driver.
    ///
    /// # Errors
    /// Those of ioctl(2).
    pub fn driver(&self) -> io::Result<String> {
        Ok(text(&self.driver_info()?.driver))
    }

    /// Sizes of the rings.
    ///
    /// # Errors
    /// Those of ioctl(2).
    pub fn rings(&self) -> io::Result<Rings> {
        let mut value = RingParam { cmd: ETHTOOL_GRINGPARAM, ..RingParam::default() };
        // SAFETY: for this command the kernel writes one ethtool_ringparam.
        unsafe { self.request(&raw mut value)? };
        let RingParam { rx_max, tx_max, rx, tx, .. } = value;
        Ok(Rings { rx, rx_max, tx, tx_max })
    }

    /// Whether an offload is on.
    ///
    /// # Errors
    /// Those of ioctl(2).
    pub fn offload(&self, offload: Offload) -> io::Result<bool> {
        // struct ethtool_value { __u32 cmd; __u32 data; }
        let mut value = [offload as u32, 0];
        // SAFETY: for these commands the kernel writes one ethtool_value.
        unsafe { self.request(&raw mut value)? };
        Ok(value[1] != 0)
    }

    /// All counters of the driver, by its own names.
    ///
    /// # Errors
    /// Those of ioctl(2).
    pub fn statistics(&self) -> io::Result<Vec<(String, u64)>> {
        let count = self.driver_info()?.n_stats as usize;
        if count == 0 {
            return Ok(Vec::new());
        }
        // The kernel writes as many as the driver has *then*, whatever there is room for. Queues may be added
        // between two calls, but not to four times as many and thousands more.
        let room = 4 * count + 4096;
        // struct ethtool_gstrings { __u32 cmd; __u32 string_set; __u32 len; __u8 data[]; }
        let mut names = vec![0u32; 3 + room * STRING_LEN / size_of::<u32>()];
        names[..3].copy_from_slice(&[ETHTOOL_GSTRINGS, ETH_SS_STATS, count as u32]);
        // SAFETY: the kernel writes the header and 32 bytes a counter, for which there is room, see above.
        unsafe { self.request(names.as_mut_ptr())? };
        // struct ethtool_stats { __u32 cmd; __u32 n_stats; __u64 data[]; }
        let mut values = vec![0u64; 1 + room];
        values[0] = two_words(ETHTOOL_GSTATS, count as u32);
        // SAFETY: the kernel writes the header and 8 bytes a counter, for which there is room, see above.
        unsafe { self.request(values.as_mut_ptr())? };
        // Counters that came or went meanwhile would carry each other's names.
        if names[2] as usize != count || values[0] != two_words(ETHTOOL_GSTATS, count as u32) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let name = |words: &[u32]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            text(&bytes)
        };
        let names = names[3..].chunks_exact(STRING_LEN / size_of::<u32>()).map(name);
        Ok(names.zip(values[1..].iter().copied()).take(count).collect())
    }

    fn driver_info(&self) -> io::Result<DriverInfo> {
        // SAFETY: DriverInfo is integers and byte arrays, for which all zeroes is a value.
        let mut value: DriverInfo = unsafe { zeroed() };
        value.cmd = ETHTOOL_GDRVINFO;
        // SAFETY: for this command the kernel writes one ethtool_drvinfo.
        unsafe { self.request(&raw mut value)? };
        Ok(value)
    }

    /// Carries out the command in the first word of `value`, and has the answer written over it.
    ///
    /// # Safety
    /// `value` must be valid for as many bytes as the kernel writes for that command.
    pub(super) unsafe fn request<T>(&self, value: *mut T) -> io::Result<()> {
        // SAFETY: as the caller promises.
        unsafe { self.ioctl(libc::SIOCETHTOOL, value) }
    }

    /// Carries out another request of netdevice(7) that has a structure behind `ifr_data`.
    ///
    /// # Safety
    /// `value` must be valid for as many bytes as the kernel reads and writes for that request.
    pub(super) unsafe fn ioctl<T>(&self, request: libc::c_ulong, value: *mut T) -> io::Result<()> {
        let data = libc::__c_anonymous_ifr_ifru { ifru_data: value.cast() };
        let mut ifreq = libc::ifreq { ifr_name: self.name, ifr_ifru: data };
        let fd = self.socket.as_raw_fd();
        // SAFETY: the ifreq is ours, its name ends in NUL, and its pointer is as the caller promises.
        check(unsafe { libc::ioctl(fd, request as _, &raw mut ifreq) }).map(drop)
    }
}

/// A `__u32 cmd; __u32 n;` as the first of words that are twice as long.
fn two_words(first: u32, second: u32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

/// Text up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    cmd: u32,
    driver: [u8; 32],
    version: [u8; 32],
    fw_version: [u8; 32],
    bus_info: [u8; 32],
    erom_version: [u8; 32],
    reserved2: [u8; 12],
    n_priv_flags: u32,
    n_stats: u32,
    testinfo_len: u32,
    eedump_len: u32,
    regdump_len: u32,
}

/// `struct ethtool_ringparam`.
#[derive(Default)]
#[repr(C)]
struct RingParam {
    cmd: u32,
    rx_max: u32,
    rx_mini_max: u32,
    rx_jumbo_max: u32,
    tx_max: u32,
    rx: u32,
    rx_mini: u32,
    rx_jumbo: u32,
    tx: u32,
}

// <linux/ethtool.h>
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GRINGPARAM: u32 = 0x10;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
/// `enum ethtool_stringset`.
const ETH_SS_STATS: u32 = 1;
/// `ETH_GSTRING_LEN`.
const STRING_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_as_long_as_the_kernels() {
        assert_eq!(size_of::<DriverInfo>(), 196);
        assert_eq!(size_of::<RingParam>(), 36);
    }

    #[test]
    fn loopback_has_offloads_but_no_driver_and_no_rings() {
        let lo = Device::open("lo").unwrap();
        assert!(lo.offload(Offload::Gso).is_ok());
        assert!(lo.offload(Offload::TxChecksum).unwrap());
        assert!(lo.rings().is_err());
        assert!(lo.statistics().is_ok_and(|all| all.is_empty()) || lo.driver().is_err());
    }

    #[test]
    fn what_is_no_interface_is_an_error() {
        assert!(Device::open("").is_err());
        assert!(Device::open("a-name-of-sixteen").is_err());
        assert!(Device::open("nosuch0").unwrap().driver().is_err());
    }

    #[test]
    fn texts_end_at_the_first_nul() {
        assert_eq!(text(b"rx_drops\0junk"), "rx_drops");
        assert_eq!(text(b"  full"), "full");
        assert_eq!(text(b"\0"), "");
    }
}
