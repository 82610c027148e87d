//! Multicast groups as people type them: `239.1.1.1`, `239.1.1.1+99`, `192.0.2.1@232.1.1.1:5000`, `[ff15::1]:5000`.

mod ethernet;

pub use ethernet::{SharedMac, mac, shared_mac};

use crate::units::human::grouped;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

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

/// What one `-g` word means: `[SOURCE[,SOURCE...]@]GROUP[+MORE][:PORT]`.
///
/// `+MORE` adds the groups that follow the first: `239.1.1.1+99` is 100 groups. An IPv6 group stands in brackets when
/// a port or a number of groups follows it: `[ff15::1]+9:5000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Only datagrams from these sources are wanted; none is any-source.
    pub sources: Vec<IpAddr>,
    /// The first group; each further one is the address above.
    pub first: IpAddr,
    /// How many groups, 1 to [`MAX_GROUPS`].
    pub count: u32,
    /// The UDP port, if the word names one.
    pub port: Option<u16>,
}

/// Most groups of one run: each is a stream, and streams are numbered in 16 bits.
pub const MAX_GROUPS: u32 = 65_536;

/// IPv4 link control (RFC 5771 section 4): switches flood it and no router forwards it.
const LINK_CONTROL_V4: RangeInclusive<Ipv4Addr> =
    Ipv4Addr::new(224, 0, 0, 0)..=Ipv4Addr::new(224, 0, 0, 255);

/// The IPv6 groups that stand for the same (RFC 4291 section 2.7.1; RFC 3307 section 4.1).
const LINK_CONTROL_V6: RangeInclusive<Ipv6Addr> =
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0)..=Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xff);

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

impl FromStr for Membership {
    type Err = String;

    /// One group with its port: `239.1.1.1:5000`, `192.0.2.1@232.1.1.1:5000`, `[ff15::1]:5000`.
    fn from_str(text: &str) -> Result<Self, String> {
        let spec: GroupSpec = text.parse()?;
        match (spec.count, &spec.sources[..], spec.port) {
            (1, [] | [_], Some(port)) => {
                Ok(Self { source: spec.sources.first().copied(), group: spec.first, port })
            }
            (1, [] | [_], None) => {
                Err(format!("`{text}` names no port; it looks like `239.1.1.1:5000`"))
            }
            (1, sources, _) => {
                Err(format!("`{text}` has {} sources, and one is wanted", sources.len()))
            }
            (count, ..) => Err(format!("`{text}` is {count} groups, and one is wanted")),
        }
    }
}

impl GroupSpec {
    /// The groups that are meant, in ascending order, each with each source; those that name no port get
    /// `default_port`.
    ///
    /// # Errors
    /// Says why the groups cannot be used. What was parsed fails only for a `default_port` of 0.
    pub fn expand(&self, default_port: u16) -> Result<Vec<Membership>, String> {
        self.check()?;
        let port = self.port.unwrap_or(default_port);
        if port == 0 {
            return Err("port 0 is no port to send to; take one from 1 to 65535".into());
        }
        let groups = (0..self.count).filter_map(|more| nth(self.first, more));
        Ok(groups
            .flat_map(|group| {
                let of = move |source| Membership { source, group, port };
                let any = self.sources.is_empty().then(|| of(None));
                any.into_iter().chain(self.sources.iter().map(move |source| of(Some(*source))))
            })
            .collect())
    }

    fn check(&self) -> Result<(), String> {
        let Self { ref sources, first, count, .. } = *self;
        if !first.is_multicast() {
            return Err(format!("{first} is not a multicast group (224.0.0.0/4 or ff00::/8)"));
        }
        if !(1..=MAX_GROUPS).contains(&count) {
            return Err(format!("{count} groups cannot be used at once; take 1 to {MAX_GROUPS}"));
        }
        let last = nth(first, count - 1)
            .filter(IpAddr::is_multicast)
            .ok_or_else(|| format!("{count} groups from {first} leave the multicast addresses"))?;
        check_reserved(first, last)?;
        sources.iter().try_for_each(|source| check_source(*source, first))
    }
}

impl FromStr for GroupSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).and_then(|spec| spec.check().map(|()| spec)).map_err(|reason| {
            format!(
                "`{text}` is not a group: {reason}; groups look like `239.1.1.1`, `239.1.1.1+99` (100 groups), \
                 `192.0.2.1@232.1.1.1:5000` or `[ff15::1]:5000`"
            )
        })
    }
}

/// All groups of all words, in their order.
///
/// # Errors
/// Names a group that is meant twice, or both with and without a source; it would be counted twice. Refuses more than
/// [`MAX_GROUPS`] in all.
pub fn expand_all(specs: &[GroupSpec], default_port: u16) -> Result<Vec<Membership>, String> {
    let mut all = Vec::new();
    for spec in specs {
        all.extend(spec.expand(default_port)?);
    }
    if all.len() > MAX_GROUPS as usize {
        return Err(format!("{} groups are too many; take at most {MAX_GROUPS}", all.len()));
    }
    let mut seen = HashSet::with_capacity(all.len());
    if let Some(twice) = all.iter().find(|membership| !seen.insert(**membership)) {
        return Err(format!("group {twice} is named twice; name it once"));
    }
    let from_any = |membership: &Membership| Membership { source: None, ..*membership };
    let both = |one: &&Membership| one.source.is_some() && seen.contains(&from_any(one));
    match all.iter().find(both) {
        Some(one) => Err(format!(
            "group {} is named with source {} and without one; without one it has them all",
            one.destination(),
            one.source.unwrap_or(one.group)
        )),
        None => Ok(all),
    }
}

/// Whether a group is meant to be joined with a source only: 232.0.0.0/8 or ff3x::/32 (RFC 4607 section 1).
pub fn is_source_specific_range(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group.octets()[0] == 232,
        IpAddr::V6(group) => group.segments()[0] & 0xfff0 == 0xff30 && group.segments()[1] == 0,
    }
}

/// The last 32 bits of a group's address, by which filters tell groups apart; of an IPv4 group that is all.
pub fn last_word(group: IpAddr) -> u32 {
    match group {
        IpAddr::V4(group) => group.to_bits(),
        IpAddr::V6(group) => group.to_bits() as u32,
    }
}

/// Groups that are meant to be joined with a source only, and are joined without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnySource {
    /// The first of them.
    pub group: IpAddr,
    /// How many.
    pub groups: usize,
}

impl fmt::Display for AnySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is for joins with a source (RFC 4607) and is joined without one: most routers forward nothing to such \
             members (groups concerned: {})",
            self.group,
            grouped(self.groups as u64)
        )
    }
}

/// Which of `groups` lack the source that they are meant to be joined with; `None` if none do.
pub fn any_source(groups: &[Membership]) -> Option<AnySource> {
    let is_meant =
        |member: &&Membership| member.source.is_none() && is_source_specific_range(member.group);
    let mut meant = groups.iter().filter(is_meant);
    let group = meant.next()?.group;
    Some(AnySource { group, groups: 1 + meant.count() })
}

fn nth(first: IpAddr, more: u32) -> Option<IpAddr> {
    match first {
        IpAddr::V4(first) => {
            first.to_bits().checked_add(more).map(|bits| Ipv4Addr::from(bits).into())
        }
        IpAddr::V6(first) => {
            first.to_bits().checked_add(more.into()).map(|bits| Ipv6Addr::from(bits).into())
        }
    }
}

fn check_reserved(first: IpAddr, last: IpAddr) -> Result<(), String> {
    let (in_use, block) = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            (overlap(&(first..=last), &LINK_CONTROL_V4), "224.0.0.0/24 (RFC 5771 section 4)")
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            if [first, last].iter().any(|group| group.octets()[1] & 0xf == 0) {
                return Err("scope 0 is reserved and always dropped (RFC 4291 section 2.7)".into());
            }
            (overlap(&(first..=last), &LINK_CONTROL_V6), "ff02::/120 (RFC 4291 section 2.7.1)")
        }
        _ => unreachable!("both ends of a range are of one family"),
    };
    if in_use {
        return Err(format!("{block} is for link control, which is never snooped nor forwarded"));
    }
    Ok(())
}

fn overlap<T: PartialOrd>(a: &RangeInclusive<T>, b: &RangeInclusive<T>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

fn check_source(source: IpAddr, group: IpAddr) -> Result<(), String> {
    if source.is_ipv4() != group.is_ipv4() {
        return Err(format!("source {source} and group {group} are not of one address family"));
    }
    if source.is_multicast() || source.is_unspecified() || source == Ipv4Addr::BROADCAST {
        return Err(format!("source {source} is not the address of a host"));
    }
    Ok(())
}

fn parse(text: &str) -> Result<GroupSpec, String> {
    let (sources, rest) = match text.split_once('@') {
        Some((sources, rest)) => {
            (sources.split(',').map(parse_source).collect::<Result<_, _>>()?, rest)
        }
        None => (Vec::new(), text),
    };
    let (first, rest) = split_group(rest)?;
    let (rest, port) = match rest.split_once(':') {
        Some((rest, port)) => (rest, Some(parse_port(port)?)),
        None => (rest, None),
    };
    let count = if rest.is_empty() { 1 } else { parse_more(rest)? };
    Ok(GroupSpec { sources, first, count, port })
}

fn parse_source(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    parse_address(bare.unwrap_or(text))
}

/// Splits the group's address from what follows it.
fn split_group(text: &str) -> Result<(IpAddr, &str), String> {
    if let Some(text) = text.strip_prefix('[') {
        let (group, rest) = text.split_once(']').ok_or("`]` is missing")?;
        return Ok((parse_address(group)?, rest));
    }
    let end = match text.matches(':').count() {
        0 | 1 => text.find(['+', ':']).unwrap_or(text.len()),
        _ if text.contains('+') => return Err("an IPv6 group before `+` needs brackets".into()),
        _ => text.len(),
    };
    Ok((parse_address(&text[..end])?, &text[end..]))
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an IP address"))
}

fn parse_port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(format!("`{text}` is not a port from 1 to 65535")),
    }
}

/// The number of groups that `+99` makes.
fn parse_more(text: &str) -> Result<u32, String> {
    let more =
        text.strip_prefix('+').ok_or_else(|| format!("`{text}` after the group has no meaning"))?;
    let digits = !more.is_empty() && more.bytes().all(|b| b.is_ascii_digit());
    match more.parse::<u32>() {
        Ok(more) if digits && more < MAX_GROUPS => Ok(more + 1),
        _ => Err(format!(
            "`+{more}` is not a number of further groups from +0 to +{}",
            MAX_GROUPS - 1
        )),
    }
}

#[cfg(test)]
mod tests;
