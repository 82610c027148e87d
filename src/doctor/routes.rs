//! Whether an address is on a network of this host or beyond a router, by the kernel's tables of routes.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A route: to which network, and whether a router leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Route {
    network: IpAddr,
    prefix_len: u32,
    has_gateway: bool,
    metric: u32,
}

/// Whether the way to an address leads over a router. What has no route is not known to.
pub(super) fn is_beyond_a_router(address: IpAddr) -> bool {
    let (file, row): (_, fn(&str) -> Option<Route>) = match address {
        IpAddr::V4(_) => ("/proc/net/route", row_v4),
        IpAddr::V6(_) => ("/proc/net/ipv6_route", row_v6),
    };
    let table = fs::read_to_string(file).unwrap_or_default();
    best(table.lines().filter_map(row), address).is_some_and(|route| route.has_gateway)
}

/// The most specific of those that lead there; of two the nearer.
fn best(routes: impl Iterator<Item = Route>, address: IpAddr) -> Option<Route> {
    let leads_there = |route: &Route| {
        let differ = bits(route.network) ^ bits(address);
        route.prefix_len == 0 || differ >> (width(address) - route.prefix_len) == 0
    };
    routes
        .filter(leads_there)
        .max_by_key(|route| (route.prefix_len, std::cmp::Reverse(route.metric)))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask`; addresses as this machine reads their bytes as a number
/// (`fib_route_seq_show`, net/ipv4/fib_trie.c).
fn row_v4(line: &str) -> Option<Route> {
    let words: Vec<_> = line.split_whitespace().collect();
    let number = |index: usize| u32::from_str_radix(words.get(index)?, 16).ok();
    let address = |index| Some(Ipv4Addr::from(number(index)?.to_ne_bytes()));
    is_up(number(3)?).then_some(Route {
        network: address(1)?.into(),
        prefix_len: address(7)?.to_bits().count_ones(),
        has_gateway: number(2)? != 0,
        metric: words[6].parse().ok()?,
    })
}

/// `destination length source length gateway metric references use flags interface`, all hexadecimal
/// (`rt6_info_route`, net/ipv6/route.c).
fn row_v6(line: &str) -> Option<Route> {
    let words: Vec<_> = line.split_whitespace().collect();
    let number = |index: usize| u32::from_str_radix(words.get(index)?, 16).ok();
    let address = |index: usize| u128::from_str_radix(words.get(index)?, 16).ok();
    is_up(number(8)?).then_some(Route {
        network: Ipv6Addr::from_bits(address(0)?).into(),
        prefix_len: number(1)?,
        has_gateway: address(4)? != 0,
        metric: number(5)?,
    })
}

/// `RTF_UP` without `RTF_REJECT`, <linux/route.h>.
fn is_up(flags: u32) -> bool {
    const REJECT: u32 = 0x0200;
    flags & 1 == 1 && flags & REJECT == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_route_tells() {
        let number = |ip: &str| {
            format!("{:08X}", u32::from_ne_bytes(ip.parse::<Ipv4Addr>().unwrap().octets()))
        };
        let row = |to: &str, gateway: &str, metric: u32, mask: &str| {
            let [to, gateway, mask] = [to, gateway, mask].map(number);
            format!("eth0\t{to}\t{gateway}\t0003\t0\t0\t{metric}\t{mask}\t0\t0\t0")
        };
        let table = [
            "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT".to_owned(),
            row("0.0.0.0", "10.1.0.1", 0, "0.0.0.0"),
            row("10.1.0.0", "0.0.0.0", 0, "255.255.0.0"),
            row("10.1.7.0", "10.1.0.9", 5, "255.255.255.0"),
            row("10.1.7.0", "0.0.0.0", 9, "255.255.255.0"),
        ];
        let is_far = |ip: &str| {
            let rows = table.iter().filter_map(|line| row_v4(line));
            best(rows, ip.parse().unwrap()).unwrap().has_gateway
        };
        assert!(is_far("192.0.2.1") && is_far("10.1.7.4"));
        assert!(!is_far("10.1.8.4"));
    }

    #[test]
    fn of_ipv6_too() {
        let zero = "0".repeat(32);
        let via = "fe800000000000000000000000000001";
        let row = |to: &str, len: &str, gateway: &str, flags: &str| {
            format!("{to} {len} {zero} 00 {gateway} 00000400 00000001 00000000 {flags} eth0")
        };
        let table = [
            row("fd000000000000000000000000000000", "40", &zero, "00000001"),
            row(&zero, "00", via, "00000003"),
            row("fd000000000000010000000000000000", "40", via, "00200200"),
        ];
        let far = |ip: &str| {
            let rows = table.iter().filter_map(|line| row_v6(line));
            best(rows, ip.parse().unwrap()).map(|route| route.has_gateway)
        };
        assert_eq!(
            (far("fd00::1"), far("2001:db8::1"), far("fd00:0:0:1::1")),
            (Some(false), Some(true), Some(true))
        );
    }
}
