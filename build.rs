//! Tells the program which commit it is built from, so that a result says what measured it.
//!
//! An environment variable alone would need no build script, but nobody sets it for a plain `cargo build`, and
//! that is what most results are measured with. Packagers without git can set `GIT_COMMIT`; without either the
//! program says nothing. It never fails a build.
#![allow(clippy::print_stdout, reason = "that is how a build script speaks to cargo")]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=GIT_COMMIT");
    // "-dirty" depends on the sources, the rest on what is checked out.
    for path in ["build.rs", "src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={path}");
    }
    if env::var_os("GIT_COMMIT").is_some() || !is_own_repository() {
        return;
    }
    if let Some(head) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={head}");
    }
    if let Some(commit) = git(&["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]) {
        println!("cargo:rustc-env=GIT_COMMIT={commit}");
    }
}

/// Unpacked within somebody else's repository, the commit would be theirs.
fn is_own_repository() -> bool {
    git(&["rev-parse", "--show-prefix"]).is_some_and(|below| below.is_empty())
}

/// What git prints, if there is a git, and a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
