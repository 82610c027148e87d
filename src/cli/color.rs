//! `--color`: whether what people read has colours.

use clap::ColorChoice;
use std::io::IsTerminal;
use std::str::FromStr;

/// When there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    /// On a terminal, unless `NO_COLOR` is set to anything (no-color.org).
    Auto,
    Always,
    Never,
}

impl FromStr for Colours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err("it is auto, always or never".into()),
        }
    }
}

impl Colours {
    /// What is asked for on the command line. The help has colours too, and it is written before anything is parsed;
    /// what is no word of ours counts as not said, and is complained about later.
    pub(super) fn asked_for(words: impl Iterator<Item = String>) -> Self {
        let (mut found, mut is_next) = (Self::Auto, false);
        for word in words.take_while(|word| word != "--") {
            let value = if is_next { Some(word.as_str()) } else { word.strip_prefix("--color=") };
            found = value.and_then(|value| value.parse().ok()).unwrap_or(found);
            is_next = word == "--color";
        }
        found
    }

    /// Whether `out` is to have them.
    pub(super) fn suit(self, out: &impl IsTerminal) -> bool {
        let is_unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Self::Auto => out.is_terminal() && !is_unwanted(),
            Self::Always => true,
            Self::Never => false,
        }
    }

    /// The same for clap, which knows of terminals and `NO_COLOR` itself.
    pub(super) fn of_help(self) -> ColorChoice {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        for (line, expected) in [
            ("run", Colours::Auto),
            ("run --color never", Colours::Never),
            ("--color=always run", Colours::Always),
            ("--color always run --color=never", Colours::Never),
            ("run --color=always --color pink", Colours::Always),
            ("run --color", Colours::Auto),
            ("run -- --color=always", Colours::Auto),
        ] {
            let words = line.split(' ').map(str::to_owned);
            assert_eq!(Colours::asked_for(words), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_terminal_has_none_unless_always() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let suit = [Colours::Auto, Colours::Always, Colours::Never].map(|when| when.suit(&file));
        assert_eq!(suit, [false, true, false]);
    }
}
