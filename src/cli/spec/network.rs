//! Which groups, through which interfaces.

use super::DEFAULT_GROUP;
use crate::cli::args::GroupArgs;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::environment::Interface;
use crate::model::group::{GroupSpec, Membership, expand_all};
use crate::model::spec::Timestamps;
use crate::net::interface;

/// All groups that were named, or the default one.
pub(super) fn groups(args: &GroupArgs) -> Result<Vec<Membership>> {
    let mut specs: Vec<_> = args.groups.iter().flat_map(|word| word.0.clone()).collect();
    if specs.is_empty() {
        specs.push(GroupSpec { sources: Vec::new(), first: DEFAULT_GROUP, count: 1, port: None });
    }
    expand_all(&specs, args.port).map_err(Error::usage)
}

/// The same for a verb that takes groups of one family only.
pub(super) fn groups_of_one_family(args: &GroupArgs) -> Result<Vec<Membership>> {
    let groups = groups(args)?;
    match has_both_families(&groups) {
        false => Ok(groups),
        true => Err(Error::usage("IPv4 and IPv6 groups at once")
            .hint("ask for one family, then for the other")),
    }
}

fn has_both_families(groups: &[Membership]) -> bool {
    groups.iter().any(|group| group.group.is_ipv6() != groups[0].group.is_ipv6())
}

pub(super) fn check_families(groups: &[Membership], engine: &dyn Engine) -> Result<()> {
    if !has_both_families(groups) || engine.has_both_families() {
        return Ok(());
    }
    Err(Error::usage(format!("engine {} carries IPv4 or IPv6 groups, not both", engine.name()))
        .hint("start one for each, or take the engine mmsg"))
}

/// All groups leave through one socket a thread, which has one source address.
pub(super) fn check_sources(groups: &[Membership]) -> Result<()> {
    match groups.iter().find(|group| group.source != groups[0].source) {
        None => Ok(()),
        Some(other) => Err(Error::usage(format!(
            "{} and {other} cannot be sent to by one sender: their source addresses differ",
            groups[0]
        ))
        .hint("start one `send` for each source")),
    }
}

/// The only interface that was named; `None` if none was.
pub(in crate::cli) fn only_interface(args: &GroupArgs) -> Result<Option<&str>> {
    match &args.iface[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        [first, second, ..] => Err(Error::usage(format!(
            "--iface {first} and --iface {second}: only `recv` takes several interfaces"
        ))
        .hint("start one for each")),
    }
}

/// The interface of a trial; nameless, with index 0, for an engine that needs none.
pub(super) fn interface(args: &GroupArgs, engine: &dyn Engine) -> Result<Interface> {
    match only_interface(args)? {
        _ if !engine.has_network() => Ok(Interface::default()),
        Some(text) => interface::resolve(text),
        None => interface::loopback(),
    }
}

/// All interfaces of a receiver, the first and the others.
pub(super) fn interfaces(args: &GroupArgs) -> Result<(Interface, Vec<u32>)> {
    let Some((first, others)) = args.iface.split_first() else {
        return Ok((interface::loopback()?, Vec::new()));
    };
    let first = interface::resolve(first)?;
    let mut further = Vec::new();
    for text in others {
        let Interface { name, index, .. } = interface::resolve(text)?;
        if index == first.index || further.contains(&index) {
            return Err(Error::usage(format!("interface {name} is named twice"))
                .hint("name it once; --receivers makes several receivers of one interface"));
        }
        further.push(index);
    }
    Ok((first, further))
}

/// Each network card has a clock of its own, and a trial goes by one.
pub(super) fn timestamps(wish: Timestamps, further: &[u32]) -> Result<Timestamps> {
    match wish {
        _ if further.is_empty() => Ok(wish),
        Timestamps::Auto | Timestamps::Kernel => Ok(Timestamps::Kernel),
        Timestamps::Hardware => Err(Error::usage("--timestamps hardware with several interfaces")
            .hint("start one `recv` for each interface")),
    }
}
