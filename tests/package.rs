//! What installing puts where: completions, manual pages, a unit, and a package that configures in a fresh root.
#![allow(clippy::unwrap_used)] // Clippy takes only functions with #[test] for tests.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::lab::{Child, tool};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const PATIENCE: Duration = Duration::from_secs(120);
const VERBS: [&str; 13] = [
    "run",
    "send",
    "recv",
    "ping",
    "echo",
    "join",
    "dump",
    "doctor",
    "interfaces",
    "presets",
    "report",
    "completions",
    "man",
];

#[test]
fn bash_completes_verbs_flags_and_values() {
    let script = said(Command::new(tool()).args(["completions", "bash"]));
    for (words, expected) in [
        ("mcast-bench re", "recv report"),
        ("mcast-bench recv --metrics", "--metrics --metrics-linger"),
        ("mcast-bench report m", "merge"),
        ("mcast-bench run --engine ", "mmsg gso io_uring af_packet af_xdp memory auto"),
        ("mcast-bench doctor -e ", "mmsg gso io_uring af_packet af_xdp memory"),
        ("mcast-bench send --preset i", "iptv-sd iptv-hd iptv-uhd"),
        ("mcast-bench completions ", "--color --help -h bash fish zsh"),
    ] {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}{}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             $(complete -p mcast-bench | sed 's/.* -F \\([^ ]*\\) .*/\\1/') mcast-bench \"${{COMP_WORDS[COMP_CWORD]}}\" \
             \"${{COMP_WORDS[COMP_CWORD - 1]}}\"\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\" | sort | tr '\\n' ' '",
            if words.ends_with(' ') { "''" } else { "" }
        );
        let mut words: Vec<_> = expected.split(' ').collect();
        words.sort_unstable();
        let mut told: Vec<_> = said(Command::new("bash").arg("-c").arg(&ask))
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        told.sort_unstable();
        assert_eq!(told, words, "{ask:.0}");
    }
}

#[test]
fn other_shells_take_their_completions() {
    for shell in ["zsh", "fish"] {
        let script = said(Command::new(tool()).args(["completions", shell]));
        assert!(VERBS.iter().all(|verb| script.contains(verb)), "{script}");
        if !is_there(shell) {
            skip("other_shells_take_their_completions", &format!("no `{shell}` here"));
            continue;
        }
        let directory = Directory::new();
        let file = directory.0.join("_mcast-bench");
        fs::write(&file, script).unwrap();
        said(Command::new(shell).arg("-n").arg(&file));
        for (words, expected) in [
            ("mcast-bench r", &["recv", "report", "run"][..]),
            ("mcast-bench recv --re", &["--ready-file", "--receivers", "--report"]),
            ("mcast-bench run --engine ", &["af_packet", "auto", "gso", "io_uring"]),
            ("mcast-bench send --preset i", &["iptv-hd", "iptv-sd", "iptv-uhd"]),
        ] {
            let shown = offered(shell, &directory.0, words);
            let told: Vec<_> = shown.split_whitespace().collect();
            assert!(expected.iter().all(|word| told.contains(word)), "{shell}: {words}: {shown}");
            assert!(!told.contains(&"echo") && !told.contains(&"--rate"), "{shell}: {shown}");
        }
    }
}

/// What a shell offers behind `words`, with the script in `directory`.
fn offered(shell: &str, directory: &Path, words: &str) -> String {
    let script = if shell == "fish" { OFFERED_BY_FISH } else { OFFERED_BY_ZSH };
    let plain = if shell == "fish" { "--no-config" } else { "-f" };
    let mut command = Command::new(shell);
    command.args([plain, "-c", script]).env("TERM", "dumb").env("HOME", directory);
    said(command.env("SCRIPTS", directory).env("WORDS", words))
}

const OFFERED_BY_FISH: &str = "source $SCRIPTS/_mcast-bench; complete -C $WORDS";

/// Only the line editor of zsh completes, and that wants a terminal: one shell types into another. It takes a key after
/// the other, so what it prints for the last line comes behind what it offers.
const OFFERED_BY_ZSH: &str = r#"
    zmodload zsh/zpty
    zpty inner zsh -f -i
    zpty -w inner "PS1='at your service:'; fpath=($SCRIPTS \$fpath); autoload -U compinit; compinit -u -D"
    zpty -w inner "stty cols 200 rows 100; print all''set"
    zpty -r inner text '*allset*at your service:*'
    zpty -n -w inner "$WORDS"$'\t\t'
    zpty -w inner $'\C-u'"print all''told"
    zpty -r inner text '*alltold*'
    print -r -- $text
"#;

#[test]
fn each_verb_has_a_page_that_man_shows() {
    let directory = Directory::new();
    said(Command::new(tool()).args(["man", "--all"]).arg(&directory.0));
    let mut names: Vec<_> = fs::read_dir(&directory.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected: Vec<_> = VERBS.map(|verb| format!("mcast-bench-{verb}.1")).into();
    expected.extend(
        ["show", "merge", "compare", "html"].map(|verb| format!("mcast-bench-report-{verb}.1")),
    );
    expected.push("mcast-bench.1".into());
    expected.sort();
    assert_eq!(names, expected);
    let one = said(Command::new(tool()).args(["man", "report", "merge"]));
    assert_eq!(fs::read_to_string(directory.0.join("mcast-bench-report-merge.1")).unwrap(), one);
    if !is_there("man") {
        return skip("each_verb_has_a_page_that_man_shows", "no `man` here");
    }
    for name in names {
        let mut man = Command::new("man");
        man.args(["--warnings", "-l"]).arg(directory.0.join(&name)).env("MANWIDTH", "100");
        let output = run(man.env("LC_ALL", "C.UTF-8"));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        let title = name.strip_suffix(".1").unwrap();
        // Spaces are as wide as it takes to fill a line.
        let shown = String::from_utf8_lossy(&output.stdout);
        let words: Vec<_> = shown.split_whitespace().collect();
        assert!(words.join(" ").contains(&format!(" NAME {title} - ")), "{shown}");
    }
}

#[test]
fn a_page_that_is_not_there_is_refused() {
    for (words, complaint) in [
        ("man walk", "error: `mcast-bench` has no verb `walk`\nhint: these are: run, send, recv, "),
        ("man run fast", "error: `mcast-bench run` has no verb `fast`\n"),
        ("man --all /dev/null/x", "error: cannot write /dev/null/x/mcast-bench.1: "),
    ] {
        let output = Child::spawn(Command::new(tool()).args(words.split(' '))).finish(PATIENCE);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.starts_with(complaint), "{words}: {told}");
        assert!(!output.status.success() && output.stdout.is_empty());
    }
}

#[test]
fn the_unit_is_one() {
    if !is_there("systemd-analyze") {
        return skip("the_unit_is_one", "no `systemd-analyze` here");
    }
    let directory = Directory::new();
    let unit = fs::read_to_string(Path::new(HERE).join("scripts/systemd/mcast-bench-recv.service"));
    // What it starts must be there.
    let unit = unit.unwrap().replace("/usr/bin/mcast-bench", &tool().display().to_string());
    let path = directory.0.join("mcast-bench-recv.service");
    fs::write(&path, unit).unwrap();
    let output = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=20", "--no-pager"]).arg(&path);
    assert!(run(&mut security).status.success(), "its exposure is above 2.0");
}

#[test]
fn nothing_that_is_installed_builds_c() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none"]);
    let tree = said(cargo.current_dir(HERE));
    assert!(tree.starts_with("mcast-bench v"), "{tree}");
    let builders = ["cc ", "cmake ", "bindgen ", "pkg-config ", "autotools ", "vcpkg "];
    let found: Vec<_> =
        tree.lines().filter(|line| builders.iter().any(|name| line.starts_with(name))).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_package_configures_in_a_fresh_root() {
    const TEST: &str = "the_package_configures_in_a_fresh_root";
    for program in ["dpkg-deb", "dpkg", "setcap", "getcap", "chroot"] {
        if !is_there(program) {
            return skip(TEST, &format!("no `{program}` here"));
        }
    }
    let directory = Directory::new();
    let built = said(
        Command::new(Path::new(HERE).join("scripts/package.sh"))
            // The binary of a test is large, and nobody keeps this package.
            .env("DPKG_DEB_COMPRESSOR_TYPE", "none")
            .arg("--binary")
            .arg(tool())
            .arg("--out")
            .arg(&directory.0),
    );
    let package = built.lines().last().unwrap();
    let control = said(Command::new("dpkg-deb").args(["--field", package]));
    let version = concat!("Version: ", env!("CARGO_PKG_VERSION"), "-1\n");
    assert!(control.contains(version), "{control}");
    let root = directory.0.join("root");
    if let Err(obstacle) = fresh_root(&root) {
        return skip(TEST, &obstacle);
    }
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(format!("--root={}", root.display()));
    dpkg.args(["--force-depends", "--install", package]).env("PATH", SYSTEM_PATH);
    said(&mut dpkg);
    for file in [
        "usr/share/man/man1/mcast-bench-run.1.gz",
        "usr/share/bash-completion/completions/mcast-bench",
        "usr/share/zsh/vendor-completions/_mcast-bench",
        "usr/share/fish/vendor_completions.d/mcast-bench.fish",
        "usr/share/doc/mcast-bench/copyright",
        "usr/share/doc/mcast-bench/examples/prometheus/alerts.yml",
        "usr/lib/systemd/system/mcast-bench-recv.service",
    ] {
        let path = root.join(file);
        let length = path.metadata().unwrap_or_else(|error| panic!("{file}: {error}")).len();
        assert!(length > 0, "{file}");
    }
    let capabilities = said(Command::new("getcap").arg(root.join("usr/bin/mcast-bench")));
    assert!(
        capabilities.ends_with(" cap_net_admin,cap_net_raw,cap_ipc_lock,cap_sys_nice=ep\n"),
        "{capabilities}"
    );
    let installed =
        said(Command::new("chroot").arg(&root).args(["/usr/bin/mcast-bench", "--version"]));
    assert_eq!(installed, concat!("mcast-bench ", env!("CARGO_PKG_VERSION"), "\n"));
    said(
        Command::new("dpkg")
            .arg(format!("--root={}", root.display()))
            .args(["--purge", "mcast-bench"])
            .env("PATH", SYSTEM_PATH),
    );
    assert!(!root.join("usr/bin/mcast-bench").exists());
}

const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A root with a shell, what sets capabilities, and an empty list of packages. Says why not, where that cannot be.
fn fresh_root(root: &Path) -> Result<(), String> {
    for directory in [
        "usr/bin",
        "usr/sbin",
        "usr/lib",
        "usr/lib64",
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "dev",
        "tmp",
    ] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    fs::write(root.join("dev/null"), "").unwrap();
    let programs = ["/bin/sh", "/sbin/setcap", "/bin/rm"].map(PathBuf::from);
    // The binary of a test is linked to libraries, too, unlike the one that is shipped.
    let mut files: Vec<_> =
        programs.iter().chain([&tool()]).flat_map(|file| libraries(file)).collect();
    files.extend(programs);
    for file in files {
        let copy = root.join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&file, &copy).unwrap();
    }
    let shell = Command::new("chroot").arg(root).args(["/bin/sh", "-c", ":"]).output();
    let shell = shell.map_err(|error| error.to_string())?;
    if shell.status.success() {
        Ok(())
    } else {
        Err(format!("no root to install into: {}", String::from_utf8_lossy(&shell.stderr).trim()))
    }
}

/// What a program is linked to.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let told = said(Command::new("ldd").arg(program));
    told.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// Removed after the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcast-bench-package-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(command: &mut Command) -> Output {
    Child::spawn(command).finish(PATIENCE)
}

/// What a command that must succeed writes to standard output.
fn said(command: &mut Command) -> String {
    let name = format!("{command:?}");
    let output = run(command);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name:.200}: {}\n{complaint}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

/// Not eprintln!, which the test harness hides while tests pass.
fn skip(test: &str, why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED: package::{test}: {why}");
}
