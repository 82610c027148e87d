//! Rules of a firewall that take packets away: what `nft` or `iptables` counts, where one of them is installed.

use super::{Asked, selftest};
use crate::model::checkup::Finding;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// A rule, and how many packets it took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    /// As its program names it.
    rule: String,
    /// Packets.
    packets: u64,
}

/// Counters of the rules that take away, by the rule; `None` if nobody can say.
pub(super) type Rules = Option<BTreeMap<String, u64>>;

/// While listening, what it took away meanwhile; else what it took away of a self-test.
pub(super) fn firewall(check: &'static str, asked: &Asked) -> Vec<Finding> {
    if !asked.is_up() {
        return Vec::new();
    }
    let rules = dropped();
    let Some(all) = &rules else {
        let what = "rules were not looked at: neither nft nor iptables tells them to this process";
        return vec![Finding::fine(check, what)];
    };
    if all.is_empty() {
        return vec![Finding::fine(check, "no rule that counts takes anything away")];
    }
    let taken = if asked.listen.is_some() {
        let came_in = asked.flows().next().is_some();
        // Nobody knows which packets a rule has counted: only what does not arrive is likely to be among them.
        let heard = asked.heard().filter(|_| came_in && asked.is_in_vain());
        heard.map(|heard| heard.dropped.clone()).unwrap_or_default()
    } else if selftest::is_whole(asked) {
        Vec::new()
    } else {
        since(&rules)
    };
    if taken.is_empty() {
        return vec![Finding::fine(check, "no rule took anything of this away")];
    }
    let of_rule = |Dropped { rule, packets }| {
        Finding::problem(
            check,
            format!("{packets} packets were taken away by the rule: {rule}"),
            "datagrams do not come up to sockets, or do not leave",
            "take the groups out of this rule, or let them pass before it",
        )
    };
    taken.into_iter().map(of_rule).collect()
}

/// How far counters rose since then.
pub(super) fn since(earlier: &Rules) -> Vec<Dropped> {
    let (Some(earlier), Some(now)) = (earlier, dropped()) else { return Vec::new() };
    let risen = now.into_iter().filter_map(|(rule, count)| {
        let packets = count.checked_sub(*earlier.get(&rule)?)?;
        (packets > 0).then_some(Dropped { rule, packets })
    });
    risen.collect()
}

/// What was taken away until now.
pub(super) fn dropped() -> Rules {
    let by_nft = output("nft", &["-j", "list", "ruleset"]).and_then(|text| of_nft(&text));
    by_nft.or_else(|| {
        let by_iptables = ["iptables", "ip6tables"].map(|program| {
            let rules = of_iptables(&output(program, &["-nvxL"])?);
            Some(rules.into_iter().map(move |(rule, count)| (format!("{program} {rule}"), count)))
        });
        if by_iptables.iter().all(Option::is_none) {
            return None;
        }
        Some(by_iptables.into_iter().flatten().flatten().collect())
    })
}

/// What a program prints; nothing if there is none, or it may not look.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok().filter(|_| output.status.success())
}

/// Rules that count and take away, of libnftables-json(5).
fn of_nft(text: &str) -> Option<BTreeMap<String, u64>> {
    let ruleset: Value = serde_json::from_str(text).ok()?;
    let rules = ruleset["nftables"].as_array()?.iter().filter_map(|object| object.get("rule"));
    let of_rule = |rule: &Value| {
        let statements = rule["expr"].as_array()?;
        let takes = |of: &Value| of.get("drop").is_some() || of.get("reject").is_some();
        let counter = statements.iter().find_map(|of| of["counter"]["packets"].as_u64())?;
        let [family, table, chain] =
            ["family", "table", "chain"].map(|name| rule[name].as_str().unwrap_or_default());
        let name = format!("nft {family} {table} {chain} handle {}", rule["handle"]);
        statements.iter().any(takes).then_some((name, counter))
    };
    Some(rules.filter_map(of_rule).collect())
}

/// Rules and policies that take away, of iptables(8): `-nvxL`.
fn of_iptables(text: &str) -> BTreeMap<String, u64> {
    let mut chain = String::new();
    let mut found = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(head) = line.strip_prefix("Chain ") {
            chain = head.split(' ').next().unwrap_or_default().to_owned();
            let policy = head.split_once("(policy DROP ").and_then(|(_, rest)| first_number(rest));
            found.extend(policy.map(|count| (format!("{chain} (policy DROP)"), count)));
            continue;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let takes = words.get(2).is_some_and(|target| ["DROP", "REJECT"].contains(target));
        if let Some(count) = first_number(line).filter(|_| takes) {
            let rule = words[2..].join(" ");
            // Two rules may say the same.
            found.insert(format!("{chain}: {rule} (line {})", number + 1), count);
        }
    }
    found
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_nft_that_count_and_take_away() {
        let text = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"chain": {"family": "inet", "table": "t", "name": "in", "handle": 1}},
            {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 4, "expr": [
                {"match": {"op": "==", "left": 1, "right": 5777}},
                {"counter": {"packets": 12, "bytes": 900}}, {"drop": null}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 5, "expr": [
                {"counter": {"packets": 7, "bytes": 900}}, {"accept": null}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 6, "expr": [
                {"drop": null}]}}]}"#;
        let expected = BTreeMap::from([("nft inet t in handle 4".to_owned(), 12)]);
        assert_eq!(of_nft(text), Some(expected));
        assert_eq!(of_nft("{}"), None);
        assert_eq!(of_nft(r#"{"nftables": []}"#), Some(BTreeMap::new()));
    }

    #[test]
    fn rules_and_policies_of_iptables_that_take_away() {
        let text = "Chain INPUT (policy DROP 3 packets, 180 bytes)\n\
            \x20   pkts      bytes target     prot opt in     out     source               destination\n\
            \x20      9     1240 ACCEPT     all  --  lo     *       0.0.0.0/0            0.0.0.0/0\n\
            \x20     10     1340 DROP       udp  --  *      *       0.0.0.0/0            0.0.0.0/0  udp dpt:5777\n\n\
            Chain OUTPUT (policy ACCEPT 0 packets, 0 bytes)\n";
        let found: Vec<_> = of_iptables(text).into_iter().collect();
        assert_eq!(found[0], ("INPUT (policy DROP)".to_owned(), 3));
        assert_eq!(found[1].1, 10);
        assert!(found[1].0.starts_with("INPUT: DROP udp -- * * 0.0.0.0/0"), "{found:?}");
        assert_eq!(found.len(), 2);
    }
}
