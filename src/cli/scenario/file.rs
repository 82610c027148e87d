//! What stands in a scenario, and where.

use super::{FLOW, OUTSIDE, RECV, arg};
use crate::error::{Error, Result};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// No honest scenario is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// The text of a scenario.
pub(super) fn read(file: &Path) -> Result<String> {
    let name = file.display().to_string();
    let mut text = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(LONGEST + 1).read_to_end(&mut text))
        .map_err(|error| Error::os(format!("cannot read the scenario {name}"), error))?;
    if text.len() as u64 > LONGEST {
        let error = Error::usage(format!("{name} is longer than any scenario, which is 1 MiB"));
        return Err(error.hint("keys are long flags, as --help has them"));
    }
    String::from_utf8(text).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        wrong_at(&name, &String::from_utf8_lossy(&error.as_bytes()[..valid]), "this is no UTF-8")
    })
}

/// What is wrong behind `before`.
fn wrong_at(name: &str, before: &str, what: &str) -> Error {
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&letter| letter != '\n').count() + 1;
    Error::usage(format!("{name}:{line}:{column}: {what}"))
}

/// A scenario as it stands in its file.
pub(super) struct Document {
    /// The file, for people.
    name: String,
    text: String,
    pub(super) entries: Vec<Entry>,
    /// The tables `[[flow]]`.
    pub(super) flows: Vec<Vec<Entry>>,
    /// The table `[recv]`.
    pub(super) recv: Vec<Entry>,
}

/// A key and what it says.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) said: Said,
    /// Where the key and the value begin.
    key_at: usize,
    value_at: usize,
}

/// A value as words of a command line.
pub(super) enum Said {
    Switch(bool),
    One(String),
    /// Each with where it begins.
    Many(Vec<(usize, String)>),
}

impl Document {
    pub(super) fn parse(name: &str, text: &str) -> Result<Self> {
        let (entries, flows, recv) = Default::default();
        let (name, owned) = (name.to_owned(), text.to_owned());
        let mut document = Self { name, text: owned, entries, flows, recv };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            document.error(at, error.message().replace('\n', ", "))
        })?;
        for (key, value) in in_order(table.get_ref()) {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (RECV, DeValue::Table(table)) => document.recv = document.table(table)?,
                (FLOW, DeValue::Array(tables)) => {
                    for table in tables.iter() {
                        let DeValue::Table(table) = table.get_ref() else {
                            return Err(document.not_tables(table.span().start));
                        };
                        let flow = document.table(table)?;
                        document.flows.push(flow);
                    }
                }
                (FLOW, _) => return Err(document.not_tables(key.span().start)),
                (name, value) if has_tables(value) => {
                    let what = format!("there is no table `{name}` here");
                    let error = document.error(key.span().start, what);
                    return Err(error.hint(format!("tables are `[{RECV}]` and `[[{FLOW}]]`")));
                }
                _ => {
                    let entry = document.entry(key.get_ref(), key.span().start, value)?;
                    document.entries.push(entry);
                }
            }
        }
        document.check_flows()?;
        Ok(document)
    }

    fn table(&self, table: &DeTable<'_>) -> Result<Vec<Entry>> {
        let entries = in_order(table).into_iter();
        entries.map(|(key, value)| self.entry(key.get_ref(), key.span().start, value)).collect()
    }

    fn entry(&self, key: &str, key_at: usize, value: &Spanned<DeValue<'_>>) -> Result<Entry> {
        let value_at = value.span().start;
        let said = match value.get_ref() {
            DeValue::Boolean(is_on) => Said::Switch(*is_on),
            DeValue::Array(values) => Said::Many(
                values
                    .iter()
                    .map(|value| {
                        let at = value.span().start;
                        let no_text = || self.wrong(at, key, "text or numbers");
                        scalar(value.get_ref()).map(|word| (at, word)).ok_or_else(no_text)
                    })
                    .collect::<Result<_>>()?,
            ),
            value => match scalar(value) {
                Some(word) => Said::One(word),
                None => {
                    return Err(self.wrong(
                        value_at,
                        key,
                        "text, a number, true or false, or a list",
                    ));
                }
            },
        };
        Ok(Entry { key: key.to_owned(), said, key_at, value_at })
    }

    /// No word of a command line has a NUL.
    fn check_flows(&self) -> Result<()> {
        let mut entries = self.flows.iter().flatten();
        let wrong = entries
            .find(|entry| super::words_of(entry).iter().any(|word| word.contains('\0')))
            .map(|entry| self.wrong(entry.value_at, &entry.key, "text without NUL"));
        wrong.map_or(Ok(()), Err)
    }

    /// Whether `command` has a flag for it that takes such values, and these.
    pub(super) fn check(&self, entry: &Entry, command: &Command) -> Result<()> {
        let key = &entry.key;
        let Some(arg) = arg(command, key) else { return Err(self.unknown(entry, command)) };
        let takes_none = arg.get_num_args().is_some_and(|values| values.min_values() == 0);
        let wanted = match (arg.get_action(), &entry.said) {
            (ArgAction::SetTrue, Said::Switch(_))
            | (ArgAction::Append, Said::One(_) | Said::Many(_))
            | (ArgAction::Set, Said::One(_)) => None,
            (ArgAction::Set, Said::Switch(_)) if takes_none => None,
            (ArgAction::SetTrue, _) => Some("true or false"),
            (ArgAction::Append, _) => Some("text, a number, or a list of such"),
            _ => Some("text or a number"),
        };
        if let Some(wanted) = wanted {
            return Err(self.wrong(entry.value_at, key, wanted));
        }
        let places = match &entry.said {
            Said::Many(values) => values.iter().map(|(at, _)| *at).collect(),
            _ => vec![entry.value_at],
        };
        let mut words = places.iter().zip(super::words_of(entry));
        words.try_for_each(|(&at, word)| self.check_value(at, &word, command))
    }

    fn check_value(&self, at: usize, word: &str, command: &Command) -> Result<()> {
        let alone = command.clone().no_binary_name(true).try_get_matches_from([word]);
        let Some(error) = alone.err().filter(|error| {
            matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue)
        }) else {
            return Ok(());
        };
        let text = error.render().to_string();
        let text = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Err(self.error(at, text))
    }

    pub(super) fn unknown(&self, entry: &Entry, command: &Command) -> Error {
        let key = &entry.key;
        let error = self.error(entry.key_at, format!("there is no key `{key}` here"));
        if OUTSIDE.contains(&&**key) {
            return error.hint(format!("--{key} is for the command line alone"));
        }
        let word = format!("--{key}");
        let alone = command.clone().no_binary_name(true).try_get_matches_from([&word]);
        let similar = alone.err().and_then(|error| match error.get(ContextKind::SuggestedArg) {
            Some(ContextValue::String(similar)) => Some(similar.trim_start_matches('-').to_owned()),
            _ => None,
        });
        match similar.filter(|similar| arg(command, similar).is_some()) {
            Some(similar) => error.hint(format!("`{similar}` is similar")),
            None => error.hint("keys are long flags, as --help has them"),
        }
    }

    fn wrong(&self, at: usize, key: &str, wanted: &str) -> Error {
        self.error(at, format!("`{key}` takes {wanted}"))
    }

    fn not_tables(&self, at: usize) -> Error {
        self.error(at, "flows are tables").hint("each begins with a line `[[flow]]`")
    }

    /// What is wrong at this byte.
    fn error(&self, at: usize, what: impl Into<String>) -> Error {
        wrong_at(&self.name, &self.text[..at], &what.into())
    }
}

fn has_tables(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(values) => values.iter().any(|value| has_tables(value.get_ref())),
        _ => false,
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// As they stand in the file, so that the first mistake is the one that is told.
fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
