//! Real hosts for tests: network namespaces, joined by a relay whose counts are the truth.
//!
//! ```text
//! [sender] eth0 --- left [relay: loses, doubles, swaps, delays by plan] right --- eth0 [receiver]
//! ```
//!
//! [`Routed`] has a multicast router in between instead, on networks of their own.
//!
//! A test gives the relay a [`Plan`], lets the tool send and receive, and compares what the tool
//! reports with what the relay has really done:
//!
//! ```ignore
//! #[test]
//! fn loss_is_counted_exactly() {
//!     lab::with_privileges(|| {
//!         let mut lab = Lab::two_hosts(Plan::seeded(1).on(every(10), Action::Drop));
//!         let receiver = Child::spawn(lab.receiver().command(lab::tool()).args([...]));
//!         let sent = lab::run_json(lab.sender().command(lab::tool()).args([...]));
//!         lab.relay().settle();
//!         let received = lab::json(&receiver.finish(Duration::from_secs(10)));
//!         assert_eq!(received["totals"]["lost"], lab.relay().counts().dropped);
//!     });
//! }
//! ```
//!
//! The relay loses nothing itself: it compares its own counts with those of the sockets and devices
//! on the way, and the test panics when a frame is missing. No test can harm another or the
//! machine: all traffic stays in namespaces that exist only as long as the test.

mod frame;
mod gate;
mod host;
mod plan;
mod privilege;
mod relay;
mod router;
mod sys;
mod tap;
mod tool;
mod wire;

#[cfg(test)]
mod selftest;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

pub(crate) use frame::Kind;
pub(crate) use gate::{Gate, Slowness, Taken};
pub(crate) use host::{DEVICE, Host};
pub(crate) use plan::{Action, Plan, at, every, ratio};
pub(crate) use privilege::{quiet, with_privileges};
pub(crate) use relay::{Relay, RelayCounts};
pub(crate) use router::Routed;
pub(crate) use tap::Passed;
pub(crate) use tool::{Child, json, run_json, tool};

use host::Namespace;

/// Two hosts and what joins them.
pub(crate) struct Lab {
    // Dropped first: it must not see the hosts vanish.
    relay: Option<Relay>,
    sender: Host,
    receiver: Host,
    /// What lies between them, beside the relay.
    _between: Option<Namespace>,
}

impl Lab {
    /// Two hosts joined by a relay that follows `plan`. It forwards when this returns.
    pub(crate) fn two_hosts(plan: Plan) -> Self {
        let (sender, receiver) = hosts();
        let relay = Relay::join(plan, &sender, &receiver);
        let mut lab = Self { relay: Some(relay), sender, receiver, _between: None };
        lab.prove_link();
        lab.relay().open_books();
        lab
    }

    /// Two hosts joined by a gate that lets a group through for as long as the receiver has joined it, and a bit later.
    pub(crate) fn gated(slowness: Slowness) -> (Self, Gate) {
        let (sender, receiver) = hosts();
        let gate = Gate::join(slowness, &sender, &receiver);
        let lab = Self { relay: None, sender, receiver, _between: None };
        lab.prove_link();
        (lab, gate)
    }

    /// Two hosts joined by a bridge of the kernel that snoops and asks: it stops a group that was left once nobody has
    /// answered two questions, one each `interval`.
    pub(crate) fn bridged(interval: Duration) -> Self {
        let (sender, receiver) = hosts();
        let bridge = Namespace::new().expect("hosts have got namespaces too");
        // In hundredths of a second, as ip-link(8) has it.
        let interval = interval.as_millis() / 10;
        bridge.ip(&format!(
            "link add bridge type bridge forward_delay 0 mcast_snooping 1 mcast_igmp_version 3 \
             mcast_query_response_interval 50 mcast_last_member_count 2 mcast_last_member_interval {interval}
             link set bridge type bridge mcast_querier 1
             link set bridge up\n"
        ));
        for (host, port) in [(&sender, "left"), (&receiver, "right")] {
            host.namespace
                .ip(&format!("link add {DEVICE} type veth peer name {port} netns {bridge}\n"));
            bridge.ip(&format!("link set {port} master bridge\nlink set {port} up\n"));
        }
        sender.configure();
        receiver.configure();
        let lab = Self { relay: None, sender, receiver, _between: Some(bridge) };
        lab.prove_link();
        lab
    }

    /// Two hosts joined by a bare pair of virtual devices, over which super-packets pass whole.
    pub(crate) fn direct() -> Self {
        let (sender, receiver) = hosts();
        let far = &receiver.namespace;
        sender
            .namespace
            .ip(&format!("link add {DEVICE} type veth peer name {DEVICE} netns {far}\n"));
        sender.configure();
        receiver.configure();
        let lab = Self { relay: None, sender, receiver, _between: None };
        lab.prove_link();
        lab
    }

    /// The host whose data the plan is about.
    pub(crate) fn sender(&self) -> &Host {
        &self.sender
    }

    /// The host that gets what the relay lets through.
    pub(crate) fn receiver(&self) -> &Host {
        &self.receiver
    }

    /// The relay of [`Lab::two_hosts`].
    pub(crate) fn relay(&mut self) -> &mut Relay {
        self.relay.as_mut().expect("a direct lab has no relay")
    }

    /// Sends datagrams both ways until they arrive. A device is up before its queue is: what the
    /// kernel is asked to send in between is lost without a trace.
    fn prove_link(&self) {
        let bind = |host: &Host| -> io::Result<UdpSocket> {
            let socket = host.run(|| UdpSocket::bind((host.v4(), 0)))?;
            socket.set_read_timeout(Some(Duration::from_millis(5)))?;
            Ok(socket)
        };
        let ends =
            [&self.sender, &self.receiver].map(|host| bind(host).expect("hosts have addresses"));
        let deadline = Instant::now() + Duration::from_secs(10);
        for (from, to) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
            let target: SocketAddr = to.local_addr().expect("it is bound");
            while from.send_to(b"?", target).is_err() || to.recv(&mut [0]).is_err() {
                assert!(Instant::now() < deadline, "nothing reaches {target} through the lab");
            }
        }
    }
}

fn hosts() -> (Host, Host) {
    (host(1, 1), host(1, 2))
}

fn host(network: u8, number: u8) -> Host {
    let why = "no network namespace; is the test's body within lab::with_privileges?";
    let namespace = Namespace::new().unwrap_or_else(|error| panic!("{why} ({error})"));
    Host::new(namespace, network, number)
}
