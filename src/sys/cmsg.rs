//! Control messages of `recvmsg(2)`, read from plain bytes (`cmsg(3)`).

use std::mem::size_of;

/// One control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlMessage<'a> {
    /// `cmsg_level`, such as `SOL_SOCKET`.
    pub level: i32,
    /// `cmsg_type`, such as `SCM_TIMESTAMPNS`.
    pub kind: i32,
    /// What follows the header.
    pub data: &'a [u8],
}

/// The messages in the first `msg_controllen` bytes of a control buffer. Ends at the first one that is cut off.
pub fn control_messages(control: &[u8]) -> impl Iterator<Item = ControlMessage<'_>> {
    let mut rest = control;
    std::iter::from_fn(move || {
        let header: &[u8; size_of::<libc::cmsghdr>()] = rest.first_chunk()?;
        let (len, kind) = header.split_first_chunk::<{ size_of::<usize>() }>()?;
        let (level, kind) = kind.split_first_chunk::<4>()?;
        let len = usize::from_ne_bytes(*len);
        let message = ControlMessage {
            level: i32::from_ne_bytes(*level),
            kind: i32::from_ne_bytes(*kind.first_chunk()?),
            data: rest.get(header.len()..len)?,
        };
        // CMSG_ALIGN: the next header starts at a multiple of the word size.
        rest = rest.get(len.next_multiple_of(size_of::<usize>())..).unwrap_or_default();
        Some(message)
    })
}

/// A `struct timespec` as the kernel puts it behind `SCM_TIMESTAMPNS`, in nanoseconds.
pub fn timespec_nanos(data: &[u8]) -> Option<u64> {
    let (seconds, nanos) = data.split_first_chunk::<8>()?;
    let seconds = u64::try_from(i64::from_ne_bytes(*seconds)).ok()?;
    let nanos = u64::try_from(i64::from_ne_bytes(*nanos.first_chunk()?)).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// The stamps of a `struct scm_timestamping` (`<linux/errqueue.h>`), in nanoseconds: the kernel's, and the network
/// card's by its own clock. "Most timestamps are passed in `ts[0]`. Hardware timestamps are passed in `ts[2]`",
/// Documentation/networking/timestamping.rst; one that there is not is zero.
#[inline]
pub fn timestamping_nanos(data: &[u8]) -> (Option<u64>, Option<u64>) {
    const TIMESPEC: usize = 16;
    let stamp = |index: usize| {
        data.get(index * TIMESPEC..).and_then(timespec_nanos).filter(|&nanos| nanos > 0)
    };
    (stamp(0), stamp(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(len: usize, level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn reads_messages_one_after_the_other() {
        let mut control = message(16 + 3, 1, 2, &[7, 8, 9]);
        control.extend(message(16, 3, 4, &[]));
        let messages: Vec<_> = control_messages(&control).collect();
        assert_eq!(
            messages,
            [
                ControlMessage { level: 1, kind: 2, data: &[7, 8, 9] },
                ControlMessage { level: 3, kind: 4, data: &[] },
            ]
        );
    }

    #[test]
    fn stops_at_what_is_cut_off() {
        assert_eq!(control_messages(&message(99, 1, 2, &[0; 8])).count(), 0);
        assert_eq!(
            control_messages(&message(3, 1, 2, &[0; 8])).count(),
            0,
            "shorter than its header"
        );
        assert_eq!(control_messages(&[0; 15]).count(), 0);
    }

    #[test]
    fn timespec() {
        let mut data = 3i64.to_ne_bytes().to_vec();
        data.extend(5i64.to_ne_bytes());
        assert_eq!(timespec_nanos(&data), Some(3_000_000_005));
        assert_eq!(timespec_nanos(&data[..12]), None);
        assert_eq!(timespec_nanos(&[0xff; 16]), None, "before the epoch");
    }

    #[test]
    fn software_stamps_come_first_and_those_of_hardware_third() {
        let stamps = |of: [i64; 6]| of.map(i64::to_ne_bytes).concat();
        let read = |of| timestamping_nanos(&stamps(of));
        assert_eq!(read([1, 2, 9, 9, 3, 4]), (Some(1_000_000_002), Some(3_000_000_004)));
        assert_eq!(read([1, 2, 0, 0, 0, 0]), (Some(1_000_000_002), None));
        assert_eq!(read([0, 0, 0, 0, 3, 4]), (None, Some(3_000_000_004)));
        assert_eq!(
            timestamping_nanos(&stamps([1, 0, 0, 0, 3, 4])[..40]),
            (Some(1_000_000_000), None)
        );
        assert_eq!(size_of::<libc::timespec>() * 3, stamps([0; 6]).len());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(control in prop::collection::vec(any::<u8>(), 0..200)) {
            for message in control_messages(&control) {
                timespec_nanos(message.data);
                timestamping_nanos(message.data);
            }
        }
    }
}
