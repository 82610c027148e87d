//! The interfaces of a host, for people.

use super::joined;
use super::page::Page;
use crate::model::interfaces::{InterfaceList, ListedInterface};
use crate::units::human::grouped;
use crate::units::text::bits_per_second;
use std::io::{self, Write};
use std::net::IpAddr;

/// Most groups of an interface that are named; whoever wants more reads them by machine.
const MOST: usize = 12;

/// Writes a section an interface, in lines of `width` characters.
///
/// # Errors
/// What `out` says.
pub fn write(list: &InterfaceList, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, width);
    for (number, interface) in list.interfaces.iter().enumerate() {
        if number > 0 {
            page.line("")?;
        }
        write_one(interface, &mut page)?;
    }
    Ok(())
}

fn write_one(interface: &ListedInterface, page: &mut Page<'_>) -> io::Result<()> {
    let ListedInterface { name, index, up, running, multicast, loopback, .. } = interface;
    let state = match (up, running) {
        (false, _) => "down",
        (true, false) => "up, no link",
        (true, true) => "up",
    };
    let kind = match (loopback, multicast) {
        (true, _) => "loopback",
        (false, true) => "MULTICAST",
        (false, false) => "no MULTICAST flag",
    };
    let about = joined([
        format!("index {index}"),
        state.into(),
        kind.into(),
        interface.mtu.map(|mtu| format!("MTU {mtu}")).unwrap_or_default(),
        interface.driver.as_ref().map(|driver| format!("driver {driver}")).unwrap_or_default(),
        interface.speed_mbps.map(|mbps| bits_per_second(mbps as f64 * 1e6)).unwrap_or_default(),
    ]);
    page.wrapped(&format!("{name:<15}"), &about)?;
    page.row("addresses", &listed(&interface.addresses))?;
    page.row("groups", &listed(&interface.memberships))
}

fn listed(addresses: &[IpAddr]) -> String {
    let shown = addresses.iter().take(MOST).map(ToString::to_string);
    let more = addresses.len().saturating_sub(MOST) as u64;
    let more = (more > 0).then(|| format!("and {} more", grouped(more)));
    match shown.chain(more).collect::<Vec<_>>() {
        none if none.is_empty() => "none".into(),
        some => some.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn a_section_each() {
        let mut text = Vec::new();
        write(&sample::interfaces::interfaces(), 80, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            "lo             index 1, up, loopback, MTU 65536\n  \
               addresses    127.0.0.1, ::1\n  \
               groups       224.0.0.1, ff02::1\n\n\
             eth1           index 3, up, MULTICAST, MTU 1500, driver ixgbe, 10.0 Gbit/s\n  \
               addresses    192.0.2.7, fe80::7\n  \
               groups       239.1.1.1, 239.1.1.2, 239.1.1.3, 239.1.1.4, 239.1.1.5, 239.1.1.6,\n               \
                            239.1.1.7, 239.1.1.8, 239.1.1.9, 239.1.1.10, 239.1.1.11,\n               \
                            239.1.1.12, and 8 more\n\n\
             wlan0          index 4, down, no MULTICAST flag\n  \
               addresses    none\n  \
               groups       none\n"
        );
        let mut narrow = Vec::new();
        write(&sample::interfaces::interfaces(), 60, &mut narrow).unwrap();
        let narrow = String::from_utf8(narrow).unwrap();
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&narrow), words(&text));
    }
}
