//! The README is true: its commands run, and its tables, flags and links are those of the program.
//!
//! A block after `<!-- test -->` is run line by line and must succeed; `<!-- test: exit 3 -->` names another
//! exit code.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Output};
use std::time::Duration;

use mcast_bench::engine::ENGINES;
use mcast_bench::report::FORMATS;

use crate::lab::{self, Child, Lab};

const README: &str = include_str!("../README.md");
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Flags in the README that are those of other programs: cargo's, and iperf2's.
const FLAGS_OF_OTHERS: [&str; 5] = ["release", "open", "path", "bench", "isochronous"];

#[test]
fn its_commands_run() {
    lab::with_privileges(|| {
        let commands = commands(README);
        assert!(commands.len() >= 5, "only {} commands are marked", commands.len());
        let lab = Lab::direct();
        let bench = Bench::new();
        for command in &commands {
            let output = bench.run(&lab, &command.line);
            let said = String::from_utf8_lossy(&output.stdout);
            // A busy machine makes a trial invalid; that it says so is what this tool is for.
            let excused = command.exit == 0 && output.status.code() == Some(3);
            let excused = excused && said.contains("INVALID: ");
            assert!(
                excused || output.status.code() == Some(command.exit),
                "`{}` ended with {} instead of {}\n{said}\n{}",
                command.line,
                output.status,
                command.exit,
                String::from_utf8_lossy(&output.stderr)
            );
        }
    });
}

#[test]
fn its_first_command_is_the_main_job() {
    assert_eq!(commands(README)[0].line, "cargo run --release -- run");
}

#[test]
fn its_tables_are_those_of_the_program() {
    let engines: Vec<_> = ENGINES.iter().map(|e| [code(e.name()), e.about().into()]).collect();
    assert_eq!(table(README, "<!-- engines -->"), engines);
    let formats: Vec<_> = FORMATS.iter().map(|f| [code(f.name()), f.about().into()]).collect();
    assert_eq!(table(README, "<!-- formats -->"), formats);
    let help = mcast_bench::cli::command().render_long_help().to_string();
    let (_, codes) = help.split_once("Exit codes:\n").expect("the help names exit codes");
    let codes: Vec<_> = codes
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(code, meaning)| [code.to_owned(), meaning.trim().to_owned()])
        .collect();
    assert_eq!(table(README, "<!-- exit codes -->"), codes);
}

#[test]
fn its_flags_exist() {
    let program = mcast_bench::cli::command();
    let mut known = BTreeSet::from(["help", "version"]);
    known.extend(
        std::iter::once(&program)
            .chain(program.get_subcommands())
            .flat_map(|verb| verb.get_arguments())
            .filter_map(|argument| argument.get_long()),
    );
    let named = flags(README);
    let unknown: Vec<_> = named
        .iter()
        .filter(|flag| !known.contains(*flag) && !FLAGS_OF_OTHERS.contains(flag))
        .collect();
    assert!(unknown.is_empty(), "no such flags: {unknown:?}");
    let unused: Vec<_> = FLAGS_OF_OTHERS.iter().filter(|flag| !named.contains(*flag)).collect();
    assert!(unused.is_empty(), "flags of others that are not named any more: {unused:?}");
}

#[test]
fn its_links_lead_somewhere() {
    for (document, folder) in [("README.md", ""), ("results/README.md", "results")] {
        let text = fs::read_to_string(Path::new(HERE).join(document)).expect("it is there");
        let missing: Vec<_> = links(&text)
            .into_iter()
            .filter(|link| !Path::new(HERE).join(folder).join(link).exists())
            .collect();
        assert!(missing.is_empty(), "{document} links to what is not there: {missing:?}");
    }
}

#[test]
fn it_names_the_oldest_compiler() {
    assert!(README.contains(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " ")));
}

/// A marked command.
struct Command {
    line: String,
    exit: i32,
}

fn commands(text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    for block in text.split("<!-- test").skip(1) {
        let (mark, rest) = block.split_once("-->").expect("a comment ends");
        let exit = match mark.trim() {
            "" => 0,
            mark => {
                let code = mark.strip_prefix(": exit ").and_then(|code| code.parse().ok());
                code.unwrap_or_else(|| panic!("`{mark}` is not an exit code"))
            }
        };
        let body = rest.strip_prefix("\n```sh\n").expect("a block of sh follows the mark");
        let (body, _) = body.split_once("\n```").expect("a block ends");
        commands.extend(body.lines().map(|line| Command { line: line.into(), exit }));
    }
    commands
}

/// The rows of the table after a mark; each has two cells.
fn table(text: &str, mark: &str) -> Vec<[String; 2]> {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark}"));
    let rows = rest.lines().skip(3).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.trim_matches('|').split_once('|').expect("a row has two cells");
        [cells.0.trim().into(), cells.1.trim().into()]
    })
    .collect()
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// All long flags, wherever they stand.
fn flags(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    text.split("--")
        .skip(1)
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default().trim_matches('-'))
        .filter(|name| !name.is_empty())
        .collect()
}

/// Targets of links to files.
fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next()?.split('#').next())
        .filter(|link| !link.is_empty() && !link.contains("://"))
        .collect()
}

/// A folder to run commands in, with a `mcast-bench` that does not take long.
struct Bench {
    folder: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("mcast-bench-readme-{}", process::id()));
        let program = folder.join("release/mcast-bench");
        fs::create_dir_all(folder.join("release")).expect("a folder of our own");
        let tool = lab::tool();
        let script = format!(
            "#!/bin/sh\n\
             case \"$*\" in\n\
             *--time*|*--help*|recv*) exec '{0}' \"$@\" ;;\n\
             *) exec '{0}' \"$@\" --time 1s ;;\n\
             esac\n",
            tool.display()
        );
        fs::write(&program, script).expect("a script of our own");
        fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
        Self { folder }
    }

    /// Runs a line of the README on a host that nobody else sends to. The lab is root already, and in a user
    /// namespace it may not write to `/run`, where `ip` keeps names.
    fn run(&self, lab: &Lab, line: &str) -> Output {
        let line = line.strip_prefix("sudo ").unwrap_or(line);
        let line = line.replace("cargo run --release --", "mcast-bench");
        let line = line.replace("scripts/", &format!("{HERE}/scripts/"));
        let own_run = "[ -w /run ] || mount -t tmpfs tmpfs /run";
        let search = std::env::var("PATH").unwrap_or_default();
        let mut command = lab.sender().command("sh");
        command
            .args(["-c", &format!("{own_run}; {line}")])
            .current_dir(&self.folder)
            .env("PATH", format!("{}/release:{search}", self.folder.display()))
            .env("CARGO_TARGET_DIR", &self.folder)
            .env("LAB_LIMIT", "30");
        Child::spawn(&mut command).finish(Duration::from_secs(90))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What cannot be removed lies in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
