//! Rules of the house that no compiler knows: floors, lengths, lists that are complete.

use crate::engine::ENGINES;
use crate::report::FORMATS;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module, and what it may use beside itself and `error`.
const FLOORS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("units", &[]),
    ("wire", &["units"]),
    ("stats", &["units"]),
    ("model", &["units", "wire", "stats"]),
    ("sys", &["units"]),
    ("net", &["units", "wire", "stats", "model", "sys"]),
    ("engine", &["units", "wire", "stats", "model", "sys", "net"]),
    ("trial", &["units", "wire", "stats", "model", "sys", "net", "engine"]),
    ("pingpong", &["units", "wire", "stats", "model", "sys", "net"]),
    ("joining", &["units", "wire", "stats", "model", "sys", "net", "engine"]),
    ("live", &["units", "wire", "stats", "model"]),
    ("report", &["units", "wire", "stats", "model"]),
    ("doctor", &["units", "wire", "stats", "model", "sys", "net", "engine", "trial"]),
    (
        "cli",
        &[
            "units", "wire", "stats", "model", "sys", "net", "engine", "trial", "pingpong",
            "joining", "live", "report", "doctor",
        ],
    ),
];

/// Two hundred lines read well; at five hundred there is a second subject.
const MAX_LINES: usize = 500;

#[test]
fn floors_only_look_down() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = top_module(&path);
        let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == module) else {
            assert!(["lib", "main", "tidy"].contains(&module.as_str()), "{module} has no floor");
            continue;
        };
        for (number, line) in (1..).zip(text.lines()) {
            for used in used_modules(line) {
                if used != module && used != "error" && !allowed.contains(&used) {
                    broken.push(format!("{}:{number}: {module} uses {used}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_module_has_a_floor_and_every_floor_a_module() {
    let lib = fs::read_to_string(root().join("lib.rs")).unwrap();
    let modules: Vec<_> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")).collect();
    let floors: Vec<_> = FLOORS.iter().map(|(name, _)| format!("{name};")).collect();
    assert_eq!(modules, floors, "lib.rs lists the modules in reading order, as FLOORS does");
}

#[test]
fn a_floor_that_looks_up_is_found() {
    assert_eq!(used_modules("use crate::engine::{self, ENGINES};"), ["engine"]);
    assert_eq!(used_modules("    crate::net::a(crate::sys::b);"), ["net", "sys"]);
    assert!(used_modules("use std::net::IpAddr; // crates").is_empty());
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines, at most {MAX_LINES}", path.display());
        let is_test_module = path.ends_with("tests.rs");
        assert!(
            text.starts_with("//! ") || is_test_module,
            "{}: no module sentence",
            path.display()
        );
    }
}

#[test]
fn lists_are_complete() {
    let engines: Vec<_> = ENGINES.iter().map(|engine| engine.name()).collect();
    check_list("engine", &engines, &["mod", "arena", "control", "directory", "listener"]);
    let formats: Vec<_> = FORMATS.iter().map(|format| format.name()).collect();
    check_list(
        "report",
        &formats,
        &[
            "mod",
            "blame",
            "checkup",
            "compare",
            "dump",
            "file",
            "answer",
            "golden",
            "scratch",
            "load",
            "merge",
            "output",
            "paper",
            "interval",
            "join",
            "percentiles",
            "ping",
            "rotate",
            "schema",
            "state",
            "warnings",
        ],
    );
}

/// Every file or folder of `folder` is in the list that it belongs to.
fn check_list(folder: &str, listed: &[&str], not_listed: &[&str]) {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let names = entries.filter(|path| {
        path.extension().is_some_and(|ext| ext == "rs") || path.join("mod.rs").exists()
    });
    for name in names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()) {
        let is_listed = listed.contains(&name.as_str());
        assert!(is_listed || not_listed.contains(&name.as_str()), "{folder}/{name} is in no list");
    }
}

fn used_modules(line: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.split("crate::")
        .skip(1)
        .map(|rest| &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())])
        .filter(|name| FLOORS.iter().any(|(module, _)| module == name))
        .collect()
}

fn top_module(path: &Path) -> String {
    let first = path.components().next().unwrap();
    Path::new(&first).file_stem().unwrap().to_string_lossy().into_owned()
}

/// Every source file, by its path below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(found.len() > 30, "only {} sources found", found.len());
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
