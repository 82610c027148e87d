//! Words and the groups they mean.

use super::*;
use proptest::prelude::*;

fn check(text: &str, memberships: &[&str]) {
    let expanded = text.parse::<GroupSpec>().unwrap().expand(5777).unwrap();
    assert_eq!(
        expanded.iter().map(Membership::to_string).collect::<Vec<_>>(),
        memberships,
        "{text}"
    );
}

#[test]
fn words_and_the_groups_they_mean() {
    check("239.1.1.1", &["239.1.1.1:5777"]);
    check("239.1.1.1:5000", &["239.1.1.1:5000"]);
    check("239.1.1.1+0", &["239.1.1.1:5777"]);
    check("239.1.1.255+1", &["239.1.1.255:5777", "239.1.2.0:5777"]);
    check("239.1.1.1+1:5000", &["239.1.1.1:5000", "239.1.1.2:5000"]);
    check("192.0.2.1@232.1.1.1:5000", &["192.0.2.1@232.1.1.1:5000"]);
    check("192.0.2.1@232.1.1.1+1", &["192.0.2.1@232.1.1.1:5777", "192.0.2.1@232.1.1.2:5777"]);
    check("ff15::1", &["[ff15::1]:5777"]);
    check("[ff15::1]", &["[ff15::1]:5777"]);
    check("[ff15::1]:5000", &["[ff15::1]:5000"]);
    check("[ff15::ffff]+1:5000", &["[ff15::ffff]:5000", "[ff15::1:0]:5000"]);
    check("2001:db8::5@[ff3e::8000:1]:5000", &["2001:db8::5@[ff3e::8000:1]:5000"]);
    check("[fe80::1]@ff3e::8000:1", &["fe80::1@[ff3e::8000:1]:5777"]);
    check(
        "10.0.0.1,10.0.0.2@232.1.1.1+1",
        &[
            "10.0.0.1@232.1.1.1:5777",
            "10.0.0.2@232.1.1.1:5777",
            "10.0.0.1@232.1.1.2:5777",
            "10.0.0.2@232.1.1.2:5777",
        ],
    );
    check(
        "[fe80::1],2001:db8::5@[ff3e::8000:1]:5000",
        &["fe80::1@[ff3e::8000:1]:5000", "2001:db8::5@[ff3e::8000:1]:5000"],
    );
    // Interface-local groups are what a loopback test on one host may want.
    check("ff01::1", &["[ff01::1]:5777"]);
    check("ff02::100", &["[ff02::100]:5777"]);
    check("224.0.1.0", &["224.0.1.0:5777"]);
}

#[test]
fn a_range_has_the_first_and_so_many_more() {
    let spec: GroupSpec = "239.1.1.1+99".parse().unwrap();
    assert_eq!((spec.count, spec.port), (100, None));
    let groups = spec.expand(5777).unwrap();
    assert_eq!(groups.len(), 100);
    assert_eq!(groups[99].to_string(), "239.1.1.100:5777");
}

#[test]
fn refusals_say_why() {
    let scope = "scope 0 is reserved and always dropped (RFC 4291 section 2.7)";
    let v4 = "224.0.0.0/24 (RFC 5771 section 4) is for link control, which is never snooped nor forwarded";
    let v6 = "ff02::/120 (RFC 4291 section 2.7.1) is for link control, which is never snooped nor forwarded";
    for (text, reason) in [
        ("", "`` is not an IP address"),
        ("example.org", "`example.org` is not an IP address"),
        ("ff15::1%eth0", "`ff15::1%eth0` is not an IP address"),
        ("192.0.2.7", "192.0.2.7 is not a multicast group (224.0.0.0/4 or ff00::/8)"),
        ("2001:db8::1", "2001:db8::1 is not a multicast group (224.0.0.0/4 or ff00::/8)"),
        ("224.0.0.1", v4),
        ("224.0.0.200+100", v4),
        ("ff02::1", v6),
        ("ff02::ff", v6),
        ("[ff01:ffff:ffff:ffff:ffff:ffff:ffff:ffff]+9", v6),
        ("ff00::1", scope),
        ("ff30::1", scope),
        ("[ff1f:ffff:ffff:ffff:ffff:ffff:ffff:ffff]+1", scope),
        ("239.255.255.255+1", "2 groups from 239.255.255.255 leave the multicast addresses"),
        (
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]+1",
            "2 groups from ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff leave the multicast addresses",
        ),
        ("239.1.1.1+65536", "`+65536` is not a number of further groups from +0 to +65535"),
        ("239.1.1.1+", "`+` is not a number of further groups from +0 to +65535"),
        ("239.1.1.1++1", "`++1` is not a number of further groups from +0 to +65535"),
        ("239.1.1.1:0", "`0` is not a port from 1 to 65535"),
        ("239.1.1.1:65536", "`65536` is not a port from 1 to 65535"),
        ("239.1.1.1:", "`` is not a port from 1 to 65535"),
        ("[ff15::1]5000", "`5000` after the group has no meaning"),
        ("[ff15::1", "`]` is missing"),
        ("ff15::1+9", "an IPv6 group before `+` needs brackets"),
        ("@239.1.1.1", "`` is not an IP address"),
        ("10.0.0.1,@232.1.1.1", "`` is not an IP address"),
        (
            "10.0.0.1,fe80::1@232.1.1.1",
            "source fe80::1 and group 232.1.1.1 are not of one address family",
        ),
        ("239.9.9.9@232.1.1.1", "source 239.9.9.9 is not the address of a host"),
        ("0.0.0.0@232.1.1.1", "source 0.0.0.0 is not the address of a host"),
        ("255.255.255.255@232.1.1.1", "source 255.255.255.255 is not the address of a host"),
        ("::@ff3e::8000:1", "source :: is not the address of a host"),
        (
            "192.0.2.1@ff3e::8000:1",
            "source 192.0.2.1 and group ff3e::8000:1 are not of one address family",
        ),
    ] {
        assert_eq!(
            text.parse::<GroupSpec>(),
            Err(format!(
                "`{text}` is not a group: {reason}; groups look like `239.1.1.1`, `239.1.1.1+99` (100 groups), \
                 `192.0.2.1@232.1.1.1:5000` or `[ff15::1]:5000`"
            )),
        );
    }
}

#[test]
fn a_group_counts_once() {
    let expand = |words: &[&str]| {
        let specs: Vec<GroupSpec> = words.iter().map(|word| word.parse().unwrap()).collect();
        expand_all(&specs, 5777).map(|groups| groups.len())
    };
    assert_eq!(expand(&[]), Ok(0));
    assert_eq!(expand(&["239.1.1.1+9", "239.1.1.1+9:5000", "239.1.1.11"]), Ok(21));
    assert_eq!(expand(&["192.0.2.1@232.1.1.1", "192.0.2.2@232.1.1.1"]), Ok(2));
    assert_eq!(expand(&["192.0.2.1@232.1.1.1:5000", "232.1.1.1"]), Ok(2));
    assert_eq!(
        expand(&["192.0.2.1@232.1.1.1", "232.1.1.1"]),
        Err("group 232.1.1.1:5777 is named with source 192.0.2.1 and without one; without one it has them all".into())
    );
    assert_eq!(
        expand(&["10.0.0.1,10.0.0.1@232.1.1.1"]),
        Err("group 10.0.0.1@232.1.1.1:5777 is named twice; name it once".into())
    );
    assert_eq!(
        expand(&["239.1.1.1+9", "239.1.1.5:5777"]),
        Err("group 239.1.1.5:5777 is named twice; name it once".into())
    );
    assert_eq!(
        expand(&["239.1.0.0+65535", "239.9.1.1"]),
        Err("65537 groups are too many; take at most 65536".into())
    );
    assert!("239.1.1.1".parse::<GroupSpec>().unwrap().expand(0).is_err());
}

#[test]
fn a_spec_built_by_hand_is_checked_too() {
    let good: GroupSpec = "239.255.255.255".parse().unwrap();
    assert!(GroupSpec { count: 0, ..good.clone() }.expand(1).is_err());
    assert!(GroupSpec { count: 2, ..good.clone() }.expand(1).is_err());
    assert!(GroupSpec { count: u32::MAX, ..good.clone() }.expand(1).is_err());
}

#[test]
fn ethernet_addresses() {
    for (group, expected) in [
        ("224.1.1.1", [0x01, 0x00, 0x5e, 0x01, 0x01, 0x01]),
        ("225.1.1.1", [0x01, 0x00, 0x5e, 0x01, 0x01, 0x01]),
        ("224.129.1.1", [0x01, 0x00, 0x5e, 0x01, 0x01, 0x01]),
        ("239.129.1.1", [0x01, 0x00, 0x5e, 0x01, 0x01, 0x01]),
        ("239.255.255.245", [0x01, 0x00, 0x5e, 0x7f, 0xff, 0xf5]),
        ("233.252.0.1", [0x01, 0x00, 0x5e, 0x7c, 0x00, 0x01]),
        ("239.128.0.5", [0x01, 0x00, 0x5e, 0x00, 0x00, 0x05]),
        ("ff3e::8000:1", [0x33, 0x33, 0x80, 0x00, 0x00, 0x01]),
    ] {
        assert_eq!(mac(group.parse().unwrap()), expected, "{group}");
    }
}

#[test]
fn groups_of_a_range_have_ethernet_addresses_of_their_own() {
    // Crosses the 2^23 boundary, where the low 23 bits start again from zero.
    for text in ["239.127.128.0+65535", "[ff15::ffff:8000]+65535"] {
        let groups = text.parse::<GroupSpec>().unwrap().expand(1).unwrap();
        let macs: HashSet<_> = groups.iter().map(|membership| mac(membership.group)).collect();
        assert_eq!(macs.len(), 65_536, "{text}");
    }
}

#[test]
fn source_specific_ranges() {
    for (group, expected) in [
        ("232.0.0.1", true),
        ("232.255.255.255", true),
        ("231.255.255.255", false),
        ("233.0.0.0", false),
        ("ff3e::8000:1", true),
        ("ff31::1", true),
        ("ff3e:1::1", false),
        ("ff2e::1", false),
        ("ff15::1", false),
    ] {
        assert_eq!(is_source_specific_range(group.parse().unwrap()), expected, "{group}");
    }
}

fn group_v4() -> impl Strategy<Value = IpAddr> {
    (0xe000_0100_u32..=0xefff_ffff).prop_map(|bits| Ipv4Addr::from(bits).into())
}

fn group_v6() -> impl Strategy<Value = IpAddr> {
    (0_u16..=0xf, 3_u16..=0xf, any::<u64>()).prop_map(|(flags, scope, id)| {
        let high = u128::from(0xff00 | flags << 4 | scope) << 112;
        Ipv6Addr::from(high | u128::from(id)).into()
    })
}

proptest! {
    #[test]
    fn reads_what_a_membership_prints(
        (group, source) in prop_oneof![
            (group_v4(), proptest::option::of(Just("192.0.2.1".parse().unwrap()))),
            (group_v6(), proptest::option::of(Just("2001:db8::5".parse().unwrap()))),
        ],
        port in 1_u16..,
    ) {
        let membership = Membership { source, group, port };
        let spec: GroupSpec = membership.to_string().parse().unwrap();
        prop_assert_eq!(spec.expand(1), Ok(vec![membership]));
    }

    #[test]
    fn never_panics(text in "[0-9a-f:.@+\\[\\]]{0,40}") {
        let _ = text.parse::<GroupSpec>();
    }
}

#[test]
fn a_membership_is_one_group_with_its_port() {
    for text in ["239.1.1.1:5000", "192.0.2.1@232.1.1.1:5000", "[ff15::1]:5000"] {
        assert_eq!(text.parse::<Membership>().unwrap().to_string(), text);
    }
    for (text, reason) in [
        ("239.1.1.1", "names no port"),
        ("239.1.1.1+1:5000", "is 2 groups"),
        ("10.0.0.1:5000", "is not a group"),
    ] {
        let error = text.parse::<Membership>().unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}
