//! Interfaces that take whole Ethernet frames, and what to write before the payloads that leave there.

use crate::error::{Error, Result};
use crate::model::group::{self, Membership};
use crate::net::socket::{SenderOptions, open_sender};
use crate::sys::netdev;
use crate::wire::frame::{Addressing, Template, UDP_LEN};
use socket2::{SockAddr, Socket};

/// An interface whose frames begin with an Ethernet header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Its name.
    pub name: String,
    /// Longest IP packet, bytes.
    pub mtu: usize,
    /// Its own address.
    pub address: [u8; 6],
}

impl Ethernet {
    /// The interface of an index, for the engine that wants to build or read its frames.
    ///
    /// # Errors
    /// There is none, or it is the loopback interface, or of another kind.
    pub fn of(index: u32, engine: &str) -> Result<Self> {
        let gone = |error| {
            Error::os(format!("cannot use interface {index}"), error)
                .hint("the interface may have gone; `ip link` lists those there are")
        };
        let name = netdev::interface_name(index).map_err(gone)?;
        let link = netdev::link(&name).map_err(gone)?;
        match link.kind {
            libc::ARPHRD_ETHER => Ok(Self { name, mtu: link.mtu, address: link.address }),
            libc::ARPHRD_LOOPBACK => Err(Error::environment(format!(
                "engine {engine} cannot run on the loopback interface {name}: the kernel drops frames from outside \
                 that have a loopback address"
            ))
            .hint("name another interface with --iface, or take the engine mmsg")),
            kind => Err(Error::environment(format!(
                "engine {engine} cannot run on {name}: its frames are not Ethernet (kind {kind})"
            ))
            .hint("take the engine mmsg")),
        }
    }

    /// Whether payloads of `len` bytes fit into its frames.
    ///
    /// # Errors
    /// Says which layers do not.
    pub fn check_payload(&self, len: usize, v6: bool) -> Result<()> {
        let Self { name, mtu, .. } = self;
        let (ip, version) = if v6 { (40, 6) } else { (20, 4) };
        let packet = len + UDP_LEN + ip;
        if packet <= *mtu {
            return Ok(());
        }
        let error = Error::environment(format!(
            "{len} bytes of payload + {UDP_LEN} of UDP header + {ip} of IPv{version} header = {packet} bytes, more than \
             the MTU of {name}, {mtu}, and this engine sends no fragments"
        ));
        let longest = mtu.saturating_sub(UDP_LEN + ip);
        Err(error.hint(format!("at most --size {longest}, or a larger MTU, or the engine mmsg")))
    }

    /// What to write before payloads to each of `flows`, with the source address and port that a socket of this
    /// host has. The socket keeps the port ours for as long as it lives.
    ///
    /// # Errors
    /// What the kernel refuses, by option; a group without a way to it.
    pub fn templates(
        &self,
        flows: &[Membership],
        options: &SenderOptions,
    ) -> Result<(Socket, Vec<Template>)> {
        let socket = open_sender(options)?;
        let template = |flow: &Membership| {
            let refused = |error| {
                Error::os(format!("cannot send to {flow} through {}", self.name), error).hint(
                    "the interface may have no address of that family: `ip address` shows them",
                )
            };
            // Connected, the socket has the source address that the kernel chooses for this group.
            socket.connect(&SockAddr::from(flow.destination())).map_err(refused)?;
            let local = socket.local_addr().map_err(refused)?.as_socket();
            let family = || refused(std::io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
            Ok(Template::new(&Addressing {
                source_mac: self.address,
                destination_mac: group::mac(flow.group),
                source: local.ok_or_else(family)?,
                destination: flow.destination(),
                ttl: options.ttl,
                dscp: options.dscp,
            }))
        };
        let templates = flows.iter().map(template).collect::<Result<_>>()?;
        Ok((socket, templates))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_that_do_not_fit_are_named() {
        let device = Ethernet { name: "eth7".into(), mtu: 1500, address: [2; 6] };
        for (len, v6) in [(0, false), (1472, false), (1452, true)] {
            device.check_payload(len, v6).unwrap();
        }
        let error = device.check_payload(1473, false).unwrap_err().to_string();
        assert_eq!(
            error,
            "1473 bytes of payload + 8 of UDP header + 20 of IPv4 header = 1501 bytes, more than the MTU of eth7, \
             1500, and this engine sends no fragments\n\
             hint: at most --size 1472, or a larger MTU, or the engine mmsg"
        );
        let error = device.check_payload(1453, true).unwrap_err().to_string();
        assert!(error.contains("40 of IPv6 header = 1501") && error.contains("--size 1452"));
    }

    #[test]
    fn loopback_and_nothing_are_no_ethernet() {
        let error = Ethernet::of(1, "any").unwrap_err().to_string();
        assert!(error.contains("engine any cannot run on the loopback interface lo"), "{error}");
        let error = Ethernet::of(u32::MAX, "any").unwrap_err().to_string();
        assert!(error.contains("cannot use interface 4294967295: No such device"), "{error}");
    }
}
