//! Two networks with a multicast router between them.
//!
//! ```text
//! [sender] eth0 --- eth0 [router] far0 --- eth0 [receiver]
//!        10.99.1.0/24             10.99.2.0/24
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::c_int;
use socket2::{Domain, Protocol, Socket, Type};

use super::host::{DEVICE, Host};
use super::{host, sys};

/// A sender and a receiver that only a router joins.
pub(crate) struct Routed {
    sender: Host,
    router: Host,
    receiver: Host,
    /// The kernel forwards for as long as they are open, ip(7) of the kernel: `<linux/mroute.h>`.
    forwarding: Vec<Socket>,
}

/// The router's device of the receiver's network.
const FAR: &str = "far0";
/// The kernel's own numbers of the two devices: `vifi_t`, `mifi_t`.
const NEAR_VIF: u16 = 0;
const FAR_VIF: u16 = 1;

impl Routed {
    /// Three hosts; the router forwards nothing yet.
    pub(crate) fn new() -> Self {
        let (sender, router, receiver) = (host(1, 1), host(1, 9), host(2, 2));
        let ip = |host: &Host, commands: String| host.namespace.ip(&commands);
        let into = &router.namespace;
        ip(&sender, format!("link add {DEVICE} type veth peer name {DEVICE} netns {into}\n"));
        ip(&receiver, format!("link add {DEVICE} type veth peer name {FAR} netns {into}\n"));
        [&sender, &router, &receiver].into_iter().for_each(Host::configure);
        ip(
            &router,
            format!(
                "link set {FAR} addrgenmode none
                 link set {FAR} up
                 address add 10.99.2.9/24 dev {FAR}
                 address add fd00:99:0:1::9/64 dev {FAR} nodad
                 address add fe80::9/64 dev {FAR} nodad\n"
            ),
        );
        ip(&sender, "route add default via 10.99.1.9\nroute add default via fd00:99::9\n".into());
        ip(
            &receiver,
            "route add default via 10.99.2.9\nroute add default via fd00:99:0:1::9\n".into(),
        );
        Self { sender, router, receiver, forwarding: Vec::new() }
    }

    /// Has the router forward what the sender sends to a group, if its TTL is more than 1.
    pub(crate) fn forward(&mut self, group: IpAddr) {
        let (v4, v6) = (self.sender.v4(), self.sender.v6());
        let opened = self.router.run(|| match group {
            IpAddr::V4(group) => forward_v4(v4, group),
            IpAddr::V6(group) => forward_v6(v6, group),
        });
        self.forwarding.push(opened.expect("the kernel routes multicast (IP_MROUTE)"));
    }

    /// The host that sends.
    pub(crate) fn sender(&self) -> &Host {
        &self.sender
    }

    /// The host between.
    pub(crate) fn router(&self) -> &Host {
        &self.router
    }

    /// The host beyond.
    pub(crate) fn receiver(&self) -> &Host {
        &self.receiver
    }
}

fn forward_v4(source: Ipv4Addr, group: Ipv4Addr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_IGMP)))?;
    let level = libc::IPPROTO_IP;
    sys::set_option(&socket, level, MRT_INIT, 1)?;
    for (number, device) in [(NEAR_VIF, DEVICE), (FAR_VIF, FAR)] {
        // struct vifctl: number, flags, threshold, rate limit, interface, remote address
        let mut vif = number.to_ne_bytes().to_vec();
        vif.extend([VIFF_USE_IFINDEX, 1]);
        vif.extend(0u32.to_ne_bytes());
        vif.extend(sys::index(device)?.to_ne_bytes());
        vif.extend([0; 4]);
        sys::set_option_bytes(&socket, level, MRT_ADD_VIF, &vif)?;
    }
    // struct mfcctl: origin, group, parent, thresholds of 32 devices (0 is not there), counters, expiry
    let mut route = [source.octets(), group.octets()].concat();
    route.extend(NEAR_VIF.to_ne_bytes());
    let mut thresholds = [0u8; 32];
    thresholds[usize::from(FAR_VIF)] = 1;
    route.extend(thresholds);
    route.extend([0; 2 + 16]);
    sys::set_option_bytes(&socket, level, MRT_ADD_MFC, &route)?;
    Ok(socket)
}

fn forward_v6(source: Ipv6Addr, group: Ipv6Addr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    let level = libc::IPPROTO_IPV6;
    sys::set_option(&socket, level, MRT_INIT, 1)?;
    for (number, device) in [(NEAR_VIF, DEVICE), (FAR_VIF, FAR)] {
        // struct mif6ctl: number, flags, threshold, interface, rate limit
        let mut mif = number.to_ne_bytes().to_vec();
        mif.extend([0, 1]);
        mif.extend((sys::index(device)? as u16).to_ne_bytes());
        mif.extend([0; 2]);
        mif.extend(0u32.to_ne_bytes());
        sys::set_option_bytes(&socket, level, MRT_ADD_VIF, &mif)?;
    }
    let address = |ip: Ipv6Addr| {
        let mut bytes = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
        bytes.extend([0; 6]);
        bytes.extend(ip.octets());
        bytes.extend([0; 4]);
        bytes
    };
    // struct mf6cctl: origin, group, parent, set of 256 devices
    let mut route = [address(source), address(group)].concat();
    route.extend(NEAR_VIF.to_ne_bytes());
    route.extend([0; 2]);
    let mut devices = [0u32; 8];
    devices[0] = 1 << FAR_VIF;
    route.extend(devices.iter().flat_map(|word| word.to_ne_bytes()));
    sys::set_option_bytes(&socket, level, MRT_ADD_MFC, &route)?;
    Ok(socket)
}

// <linux/mroute.h>, and the same in <linux/mroute6.h>
const MRT_INIT: c_int = 200;
const MRT_ADD_VIF: c_int = 202;
const MRT_ADD_MFC: c_int = 204;
const VIFF_USE_IFINDEX: u8 = 0x8;
