//! Rates as people type them: datagrams a second, or bits of UDP payload a second, or as fast as possible.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An offered rate, as meant by the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Thousandths of a datagram a second: `100k`, `0.5pps`.
    MilliDatagrams(u64),
    /// Bits of UDP payload a second: `1.5Gbps`.
    PayloadBits(u64),
    /// As fast as possible: `max`.
    Max,
}

/// Datagrams a second as an exact fraction, so that no schedule ever drifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramRate {
    /// Datagrams ...
    pub datagrams: u64,
    /// ... in so many seconds.
    pub seconds: u64,
}

impl Rate {
    /// Datagrams a second for a payload length in bytes; `None` is as fast as possible.
    pub fn datagram_rate(self, payload_len: u16) -> Option<DatagramRate> {
        match self {
            Self::MilliDatagrams(milli) => Some(DatagramRate { datagrams: milli, seconds: 1000 }),
            Self::PayloadBits(bits) => {
                Some(DatagramRate { datagrams: bits, seconds: 8 * u64::from(payload_len) })
            }
            Self::Max => None,
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        Err(format!("`{text}` is not a rate"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
