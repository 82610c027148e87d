//! Sockets as multicast needs them, interfaces by any name, what to write before payloads, counters of the host, clocks of network cards.
//!
//! # As a library
//!
//! This module can be used alone. A receiver, with the kernel's receive time of each datagram:
//!
//! ```
//! # use mcast_bench::net::socket::{Launch, SenderOptions, open_sender};
//! use mcast_bench::net::{interface, receiver::MulticastReceiver};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lo = interface::resolve("lo")?; // by name, index or address
//! let mut receiver = MulticastReceiver::new(1 << 20)?; // bytes of receive buffer
//! receiver.join(&lo, &["233.252.0.1:5811".parse()?, "233.252.0.2:5811".parse()?])?;
//! # let (source, v6, launch) = (None, false, Launch::AtOnce);
//! # let (source_port, both, ttl, loopback, dscp) = (0, false, 1, true, 0);
//! # let interface = lo.index;
//! # let options = SenderOptions { interface, source, source_port, v6, both, ttl, loopback, dscp, launch };
//! # open_sender(&options)?.send_to(b"hello", &"233.252.0.2:5811".parse::<std::net::SocketAddr>()?.into())?;
//! # let mut heard = 0;
//! while let Some(datagram) = receiver.recv(Duration::from_millis(200))? {
//!     let (to, from) = (datagram.destination, datagram.source);
//!     println!("{:?} {from} > {to}: {} bytes", datagram.received_at, datagram.payload.len());
//! #   assert_eq!((datagram.payload, to), (&b"hello"[..], "233.252.0.2:5811".parse()?));
//! #   heard += 1;
//! }
//! # assert_eq!(heard, 1);
//! receiver.leave(&lo, &"233.252.0.1:5811".parse()?)?;
//! # Ok(())
//! # }
//! ```
//!
//! Source-specific groups are joined as `192.0.2.1@232.1.1.1:5000`, those of IPv6 as `[ff15::1]:5000`. A sender:
//!
//! ```
//! # use mcast_bench::net::receiver::MulticastReceiver;
//! use mcast_bench::model::group::Membership;
//! use mcast_bench::net::interface;
//! use mcast_bench::net::socket::{Launch, SenderOptions, open_sender};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let group: Membership = "233.252.0.3:5812".parse()?;
//! let interface = interface::resolve("lo")?.index;
//! # let mut receiver = MulticastReceiver::new(1 << 20)?;
//! # receiver.join(&interface::resolve("lo")?, &[group])?;
//! let sender = open_sender(&SenderOptions {
//!     interface,
//!     source: None,
//!     source_port: 0,
//!     v6: group.group.is_ipv6(),
//!     both: false,
//!     ttl: 1,
//!     loopback: true,
//!     dscp: 0,
//!     launch: Launch::AtOnce,
//! })?;
//! for number in 0..3u32 {
//!     sender.send_to(&number.to_be_bytes(), &group.destination().into())?;
//! }
//! # for number in 0..3u32 {
//! #     let datagram = receiver.recv(std::time::Duration::from_secs(5))?.ok_or("nothing came")?;
//! #     assert_eq!((datagram.payload, datagram.ttl), (&number.to_be_bytes()[..], Some(1)));
//! # }
//! # Ok(())
//! # }
//! ```

pub mod counters;
pub mod ethernet;
pub mod hardware;
pub mod host;
pub mod interface;
pub mod listing;
pub mod membership;
pub mod phc;
pub mod receiver;
pub mod socket;
pub mod timestamp;
