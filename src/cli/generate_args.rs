//! Flags of the verbs that write what installing wants, as typed.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(mcast-bench completions bash)                  in this shell
  mcast-bench completions zsh > ~/.zfunc/_mcast-bench     in a directory of $fpath
  mcast-bench completions fish > ~/.config/fish/completions/mcast-bench.fish";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  mcast-bench man | man -l -                what there is
  mcast-bench man run | man -l -            one verb
  mcast-bench man report merge | man -l -   one verb of a verb
  mcast-bench man --all man1/               a file for each";

/// Flags of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// For whom
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

/// Shells that can be told.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Flags of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Which verb; without one, the program
    #[arg(value_name = "VERB")]
    pub(super) verb: Vec<String>,
    /// Write all pages into this directory
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "verb")]
    pub(super) all: Option<PathBuf>,
}
