//! Flags that say which groups, and what their sockets are bound to.

use crate::model::group::GroupSpec;
use crate::model::spec::Bind;
use clap::Args;
use std::fs::File;
use std::io::Read;

/// No honest list of groups is longer, in bytes.
const LONGEST_LIST: u64 = 16 << 20;

/// What one `-g` means: a word of groups, or a file of such words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupWord(pub(super) Vec<GroupSpec>);

/// What senders send from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sending")]
pub(super) struct SourceArgs {
    /// UDP port to send from, all threads alike [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) source_port: Option<u16>,
}

/// What receivers listen on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Receiving")]
pub(super) struct ListenArgs {
    /// What sockets are bound to: group, any
    ///
    /// `group` binds a socket that has one group to it; one that has several takes what comes to its port and goes by
    /// the destination. `any` always does that, so what is sent to this host alone counts as foreign.
    #[arg(long, value_name = "WHAT", default_value = "group", value_parser = parse_bind)]
    pub(super) bind: Bind,
}

fn parse_bind(text: &str) -> Result<Bind, String> {
    match text {
        "group" => Ok(Bind::Group),
        "any" => Ok(Bind::Any),
        _ => Err("it is either group or any".into()),
    }
}

pub(super) fn parse_groups(text: &str) -> Result<GroupWord, String> {
    match text.strip_prefix('@') {
        // `@239.1.1.1` is a group whose source was forgotten, not a file.
        Some(rest) if rest.parse::<GroupSpec>().is_err() => read_groups(rest),
        _ => text.parse().map(|spec| GroupWord(vec![spec])),
    }
}

/// Reads a file: a word a line; empty lines and what follows a `#` do not count.
fn read_groups(file: &str) -> Result<GroupWord, String> {
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(LONGEST_LIST).read_to_string(&mut text))
        .map_err(|error| format!("cannot read groups from `{file}`: {error}"))?;
    let words = (1..).zip(text.lines()).filter_map(|(number, line)| {
        let word = line.split('#').next().unwrap_or_default().trim();
        (!word.is_empty()).then_some((number, word))
    });
    let parse = |(number, word): (usize, &str)| {
        word.parse().map_err(|error| format!("line {number} of {file}: {error}"))
    };
    match words.map(parse).collect::<Result<Vec<_>, _>>()? {
        none if none.is_empty() => Err(format!("there is no group in {file}")),
        groups => Ok(GroupWord(groups)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::group::expand_all;
    use std::fs;
    use std::hash::{BuildHasher, RandomState};

    fn of_file(text: &str) -> Result<Vec<String>, String> {
        let number = RandomState::new().hash_one(text);
        let file = std::env::temp_dir().join(format!("mcast-bench-groups-{number:x}"));
        fs::write(&file, text).unwrap();
        let name = file.display().to_string();
        let groups = parse_groups(&format!("@{name}"));
        fs::remove_file(&file).unwrap();
        let groups = groups.map_err(|error| error.replace(&name, "F"))?;
        let expanded = expand_all(&groups.0, 5777).unwrap();
        Ok(expanded.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn groups_from_a_file() {
        let text =
            "# channels\n239.1.1.1+1   # two\n\n\t10.0.0.1,10.0.0.2@232.1.1.1:5000\r\n[ff15::1]";
        assert_eq!(
            of_file(text).unwrap(),
            [
                "239.1.1.1:5777",
                "239.1.1.2:5777",
                "10.0.0.1@232.1.1.1:5000",
                "10.0.0.2@232.1.1.1:5000",
                "[ff15::1]:5777"
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_and_where() {
        let error = of_file("239.1.1.1\n\n239.1.1\n").unwrap_err();
        assert!(error.starts_with("line 3 of F: `239.1.1` is not a group: "), "{error}");
        assert_eq!(of_file("# nothing\n").unwrap_err(), "there is no group in F");
        let error = parse_groups("@/no/such/file").unwrap_err();
        assert!(error.starts_with("cannot read groups from `/no/such/file`: No such"), "{error}");
        let error = parse_groups("@239.1.1.1").unwrap_err();
        assert!(
            error.starts_with("`@239.1.1.1` is not a group: `` is not an IP address"),
            "{error}"
        );
    }
}
