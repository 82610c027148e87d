//! Multicast groups as people type them: `239.1.1.1`, `239.1.1.1+99`, `192.0.2.1@232.1.1.1:5000`, `[ff15::1]:5000`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// One group to send to or to join, with its port; and the source, when joined source-specific (RFC 4607).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Membership {
    /// Only datagrams from this source are wanted; `None` is any-source.
    pub source: Option<IpAddr>,
    /// The group.
    pub group: IpAddr,
    /// The UDP port.
    pub port: u16,
}

impl Membership {
    /// Group and port as a socket address.
    pub fn destination(&self) -> SocketAddr {
        SocketAddr::new(self.group, self.port)
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = self.source {
            write!(f, "{source}@")?;
        }
        write!(f, "{}", self.destination())
    }
}
