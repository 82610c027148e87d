//! Clocks of network cards: `/dev/ptpN`, `<linux/ptp_clock.h>`.

use super::check;
use crate::units::Nanos;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Readings a call; the kernel takes at most `PTP_MAX_SAMPLES`, 25. Each may take a microsecond or more on the bus.
const SAMPLES: usize = 9;

/// A clock of a network card, a PHC (PTP hardware clock).
#[derive(Debug)]
pub struct PtpClock {
    file: File,
}

/// The clock read between two readings of `CLOCK_REALTIME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// `CLOCK_REALTIME` before.
    pub before: Nanos,
    /// The clock of the card.
    pub phc: Nanos,
    /// `CLOCK_REALTIME` after.
    pub after: Nanos,
}

impl PtpClock {
    /// Opens a clock to read it.
    ///
    /// # Errors
    /// Those of open(2): `ENOENT` where the device is not shown, `EACCES` where it belongs to another user.
    pub fn open(index: u32) -> io::Result<Self> {
        Ok(Self { file: File::open(format!("/dev/ptp{index}"))? })
    }

    /// Reads the clock several times, each between two readings of `CLOCK_REALTIME`: as close to the register as
    /// the driver can (`PTP_SYS_OFFSET_EXTENDED`, Linux 5.0), or around the whole call (`PTP_SYS_OFFSET`).
    ///
    /// # Errors
    /// `ENOTTY` if it is no such clock, `ENODEV` if the card has gone.
    pub fn readings(&self) -> io::Result<Vec<Reading>> {
        self.extended().or_else(|error| match error.raw_os_error() {
            // A driver without `gettimex64` (drivers/ptp/ptp_chardev.c), or Linux before 5.0.
            Some(libc::EOPNOTSUPP | libc::ENOTTY) => self.plain(),
            _ => Err(error),
        })
    }

    fn extended(&self) -> io::Result<Vec<Reading>> {
        // SAFETY: it is integers, for which all zeroes is a value; zero is also CLOCK_REALTIME for `clockid`.
        let mut request: libc::ptp_sys_offset_extended = unsafe { std::mem::zeroed() };
        request.n_samples = SAMPLES as libc::c_uint;
        // SAFETY: `request` is a valid ptp_sys_offset_extended, which this command reads and overwrites.
        check(unsafe {
            libc::ioctl(self.file.as_raw_fd(), libc::PTP_SYS_OFFSET_EXTENDED, &raw mut request)
        })?;
        Ok(between(request.ts[..SAMPLES].iter().map(|[before, phc, after]| [before, phc, after])))
    }

    fn plain(&self) -> io::Result<Vec<Reading>> {
        // SAFETY: it is integers, for which all zeroes is a value.
        let mut request: libc::ptp_sys_offset = unsafe { std::mem::zeroed() };
        request.n_samples = SAMPLES as libc::c_uint;
        // SAFETY: `request` is a valid ptp_sys_offset and mutable: "The kernel will provide 2*n_samples + 1 time
        // stamps, with the last one as a system time stamp", <linux/ptp_clock.h>, and it has room for 51.
        check(unsafe {
            libc::ioctl(self.file.as_raw_fd(), libc::PTP_SYS_OFFSET, &raw mut request)
        })?;
        let stamps = &request.ts[..=2 * SAMPLES];
        Ok(between(stamps.windows(3).step_by(2).map(|three| [&three[0], &three[1], &three[2]])))
    }
}

/// Leaves out those of a time before the epoch.
fn between<'a>(stamps: impl Iterator<Item = [&'a libc::ptp_clock_time; 3]>) -> Vec<Reading> {
    stamps
        .filter_map(|[before, phc, after]| {
            Some(Reading { before: nanos(before)?, phc: nanos(phc)?, after: nanos(after)? })
        })
        .collect()
}

fn nanos(time: &libc::ptp_clock_time) -> Option<Nanos> {
    let seconds = u64::try_from(time.sec).ok()?.checked_mul(Nanos::SECOND.0)?;
    seconds.checked_add(time.nsec.into()).map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(sec: i64, nsec: u32) -> libc::ptp_clock_time {
        libc::ptp_clock_time { sec, nsec, reserved: 0 }
    }

    #[test]
    fn structures_have_the_size_that_the_kernel_expects() {
        assert_eq!(size_of::<libc::ptp_clock_time>(), 16);
        assert_eq!(size_of::<libc::ptp_sys_offset>(), 16 + 51 * 16);
        assert_eq!(size_of::<libc::ptp_sys_offset_extended>(), 16 + 25 * 3 * 16);
    }

    #[test]
    fn readings_are_taken_out_of_their_stamps() {
        let stamps = [time(5, 1), time(9, 2), time(5, 3), time(9, 4), time(5, 5)];
        let read = between(stamps.windows(3).step_by(2).map(|t| [&t[0], &t[1], &t[2]]));
        let at = |seconds: u64, nanos| Nanos(seconds * Nanos::SECOND.0 + nanos);
        assert_eq!(
            read,
            [
                Reading { before: at(5, 1), phc: at(9, 2), after: at(5, 3) },
                Reading { before: at(5, 3), phc: at(9, 4), after: at(5, 5) },
            ]
        );
        let (good, bad) = (time(1, 0), time(-1, 0));
        assert!(between([[&good, &bad, &good]].into_iter()).is_empty());
        assert_eq!(nanos(&time(i64::MAX, 0)), None);
    }

    #[test]
    fn what_is_no_clock_is_refused() {
        let error = PtpClock::open(u32::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let file = File::open("/dev/null").unwrap();
        let error = PtpClock { file }.readings().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }
}
