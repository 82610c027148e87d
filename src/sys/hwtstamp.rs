//! Timestamps that a network card makes: what it could stamp (`ETHTOOL_GET_TS_INFO`, `<linux/ethtool.h>`), and what it
//! does stamp (`SIOCGHWTSTAMP`, `SIOCSHWTSTAMP`, `<linux/net_tstamp.h>`).

use super::ethtool::Device;
use std::io;

/// What a driver could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// "bit mask of the sum of the supported `SO_TIMESTAMPING` flags", `<linux/ethtool.h>`.
    pub so_timestamping: u32,
    /// N of the `/dev/ptpN` that stamps: "device index of the associated PHC, or -1 if there is none".
    pub phc: Option<u32>,
    /// "bit mask of the supported hwtstamp_rx_filters enumeration values".
    pub rx_filters: u32,
}

/// What a driver does: `struct hwtstamp_config`, `<linux/net_tstamp.h>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// `HWTSTAMP_FLAG_...`
    pub flags: i32,
    /// `HWTSTAMP_TX_...`: which outgoing packets are stamped.
    pub tx_type: i32,
    /// `HWTSTAMP_FILTER_...`: which incoming ones.
    pub rx_filter: i32,
}

/// Asks the driver of an interface what it could do. For one without an answer of its own the kernel says: stamps in
/// software only.
///
/// # Errors
/// `ENODEV` without the interface.
pub fn abilities(interface: &str) -> io::Result<Abilities> {
    let mut info = TsInfo { cmd: ETHTOOL_GET_TS_INFO, ..TsInfo::default() };
    let device = Device::open(interface)?;
    // SAFETY: for this command the kernel writes one ethtool_ts_info.
    unsafe { device.request(&raw mut info)? };
    Ok(Abilities {
        so_timestamping: info.so_timestamping,
        phc: u32::try_from(info.phc_index).ok(),
        rx_filters: info.rx_filters,
    })
}

/// Reads what is stamped: "Any process can read the actual configuration", though "this has not been implemented in
/// all drivers", Documentation/networking/timestamping.rst.
///
/// # Errors
/// `EOPNOTSUPP` if the driver stamps nothing, or cannot say it.
pub fn config(interface: &str) -> io::Result<Config> {
    request(interface, libc::SIOCGHWTSTAMP, Config { flags: 0, tx_type: 0, rx_filter: 0 })
}

/// Sets what is stamped, for all programs on the host, and returns what the driver made of it: "the actual, possibly
/// more permissive configuration", Documentation/networking/timestamping.rst.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN`, `ERANGE` if the card cannot do it, `EOPNOTSUPP` if it stamps nothing.
pub fn set_config(interface: &str, config: Config) -> io::Result<Config> {
    request(interface, libc::SIOCSHWTSTAMP, config)
}

fn request(interface: &str, request: libc::c_ulong, config: Config) -> io::Result<Config> {
    let Config { flags, tx_type, rx_filter } = config;
    let mut raw = libc::hwtstamp_config { flags, tx_type, rx_filter };
    let device = Device::open(interface)?;
    // SAFETY: both "expect a &struct ifreq with a ifr_data pointer to this structure", <linux/net_tstamp.h>.
    unsafe { device.ioctl(request, &raw mut raw)? };
    Ok(Config { flags: raw.flags, tx_type: raw.tx_type, rx_filter: raw.rx_filter })
}

/// `struct ethtool_ts_info`.
#[derive(Default)]
#[repr(C)]
struct TsInfo {
    cmd: u32,
    so_timestamping: u32,
    phc_index: i32,
    tx_types: u32,
    tx_reserved: [u32; 3],
    rx_filters: u32,
    rx_reserved: [u32; 3],
}

// <linux/ethtool.h>
const ETHTOOL_GET_TS_INFO: u32 = 0x41;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_as_long_as_the_kernels() {
        assert_eq!(size_of::<TsInfo>(), 44);
        assert_eq!(size_of::<libc::hwtstamp_config>(), 12);
    }

    #[test]
    fn loopback_has_no_clock() {
        let abilities = abilities("lo").unwrap();
        assert_eq!((abilities.phc, abilities.rx_filters), (None, 0));
        assert_ne!(abilities.so_timestamping & libc::SOF_TIMESTAMPING_RX_SOFTWARE, 0);
        assert_eq!(abilities.so_timestamping & libc::SOF_TIMESTAMPING_RAW_HARDWARE, 0);
    }

    #[test]
    fn loopback_stamps_nothing() {
        let error = config("lo").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP), "{error}");
        let all = Config { flags: 0, tx_type: 0, rx_filter: libc::HWTSTAMP_FILTER_ALL as i32 };
        let errno = set_config("lo", all).unwrap_err().raw_os_error();
        // Nobody else may, and root cannot.
        assert!([Some(libc::EPERM), Some(libc::EOPNOTSUPP)].contains(&errno), "{errno:?}");
    }

    #[test]
    fn an_interface_must_be_there() {
        let error = abilities("nosuch0").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
