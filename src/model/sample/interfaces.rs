//! A host with interfaces of several kinds.

use crate::model::interfaces::{InterfaceList, ListedInterface, SCHEMA};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) fn interfaces() -> InterfaceList {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let lo = ListedInterface {
        name: "lo".to_owned(),
        index: 1,
        up: true,
        running: true,
        multicast: false,
        loopback: true,
        addresses: addresses(&["127.0.0.1", "::1"]),
        mtu: Some(65_536),
        driver: None,
        speed_mbps: None,
        memberships: addresses(&["224.0.0.1", "ff02::1"]),
    };
    let eth = ListedInterface {
        name: "eth1".to_owned(),
        index: 3,
        multicast: true,
        loopback: false,
        addresses: addresses(&["192.0.2.7", "fe80::7"]),
        mtu: Some(1500),
        driver: Some("ixgbe".to_owned()),
        speed_mbps: Some(10_000),
        memberships: (1..=20).map(|last| IpAddr::V4(Ipv4Addr::new(239, 1, 1, last))).collect(),
        ..lo.clone()
    };
    let wlan = ListedInterface {
        name: "wlan0".to_owned(),
        index: 4,
        up: false,
        running: false,
        multicast: false,
        addresses: vec![],
        mtu: None,
        driver: None,
        speed_mbps: None,
        memberships: vec![],
        ..eth.clone()
    };
    InterfaceList {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        command: "mcast-bench interfaces".to_owned(),
        interfaces: vec![lo, eth, wlan],
    }
}
