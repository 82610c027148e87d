//! The page of `--report html` as a browser shows it: on a desk and on a phone, in the light and in the dark.
#![allow(clippy::unwrap_used)] // Clippy takes only functions with #[test] for tests.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{self, Action, Child, DEVICE, Lab, Plan, at, every, with_privileges};

/// Longer than a browser takes to start on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks at the page from within, and tells the frame around it what it finds.
const CHECKS: &str = include_str!("browser/checks.js");

/// A browser, if this machine has one, and a directory for what it makes.
struct Browser {
    program: &'static str,
    directory: PathBuf,
}

impl Browser {
    fn find() -> Option<Self> {
        let is_there = |program: &&str| Command::new(program).arg("--version").output().is_ok();
        let Some(program) = ["chromium", "chromium-browser"].into_iter().find(|p| is_there(&p))
        else {
            // Not eprintln!, which the test harness hides while tests pass.
            let _ = writeln!(io::stderr(), "SKIPPED: the page in a browser: no chromium");
            return None;
        };
        let directory =
            std::env::temp_dir().join(format!("mcast-bench-page-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Some(Self { program, directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts it without a network, a profile or a screen.
    fn run(&self, args: &[&str], page: &Path) -> (String, String) {
        let profile = self.path("profile");
        let mut command = Command::new(self.program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]);
        command.args(["--no-first-run", "--disable-background-networking"]);
        command.args(["--disable-component-update", "--disable-sync", "--hide-scrollbars"]);
        command.args(["--enable-logging=stderr", "--virtual-time-budget=2000"]);
        command.arg(format!("--user-data-dir={}", profile.display())).args(args);
        command.arg(format!("file://{}", page.display()));
        let output = Child::spawn(&mut command).finish(PATIENCE);
        fs::remove_dir_all(&profile).unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{}\n{stderr}", output.status);
        (stdout, stderr)
    }

    /// A page with this one in a frame: the window of a browser cannot be as narrow as a phone.
    fn framed(&self, page: &Path, width: u64, height: u64) -> PathBuf {
        let frame = self.path("frame.html");
        let file = page.file_name().unwrap().display();
        let html = format!(
            "<!DOCTYPE html><meta name=color-scheme content=\"light dark\"><body style=margin:0>\
             <script>onmessage = (message) => document.body.dataset.found = message.data</script>\
             <iframe src=\"{file}\" style=\"border:0;display:block\" width={width} height={height}></iframe>"
        );
        fs::write(&frame, html).unwrap();
        frame
    }

    /// Looks at a page in every form: nothing sticks out, no two texts overlap, and the console is silent.
    fn look_at(&self, name: &str) {
        let html = fs::read_to_string(self.path(&format!("{name}.html"))).unwrap();
        // The page lets no script run; the copy must.
        let (head, rest) = html.split_once("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        let copy = self.path(&format!("{name}-checked.html"));
        let checks = format!("<script>{CHECKS}</script></body>");
        fs::write(&copy, format!("{head}{}", rest.replacen("</body>", &checks, 1))).unwrap();
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
            let scheme_flag =
                format!("--blink-settings=preferredColorScheme={}", u8::from(scheme == "light"));
            let what = format!("{name}, {width} px, {scheme}");
            let framed = self.framed(&copy, width, 900);
            let (dom, log) =
                self.run(&["--window-size=1400,1000", &scheme_flag, "--dump-dom"], &framed);
            let (_, found) =
                dom.split_once("data-found=\"").unwrap_or_else(|| panic!("{what}:\n{log}"));
            let found = found.split_once('"').unwrap().0.replace("&quot;", "\"");
            let found: Value = serde_json::from_str(&found.replace("&amp;", "&")).unwrap();
            assert_eq!(found["width"], width, "{what}: the screen has another width");
            assert_eq!(found["is_dark"], scheme == "dark", "{what}: the other colours");
            assert_eq!(found["problems"], serde_json::json!([]), "{what}");
            let picture = self.path(&format!("{name}-{width}-{scheme}.png"));
            let shot = format!("--screenshot={}", picture.display());
            let height = found["height"].as_u64().unwrap();
            let framed = self.framed(&self.path(&format!("{name}.html")), width, height);
            let size = format!("--window-size={width},{height}");
            let (_, page_log) = self.run(&[&size, &scheme_flag, &shot], &framed);
            assert!(!page_log.contains("CONSOLE"), "{what}:\n{page_log}");
            assert!(fs::metadata(&picture).unwrap().len() > 10_000, "{what}: an empty picture");
        }
    }
}

impl Drop for Browser {
    /// The pictures of a test that fails stay, and where someone has asked for them.
    fn drop(&mut self) {
        if !std::thread::panicking() && std::env::var_os("MCAST_BENCH_PICTURES").is_none() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

#[test]
fn pages_fit_on_every_screen() {
    with_privileges(|| {
        let Some(browser) = Browser::find() else { return };
        let _quiet = lab::quiet();
        lossy(&browser);
        let run = |flags: &str, name: &str| {
            let report = format!("html:{}", browser.path(name).display());
            let mut command = Command::new(lab::tool());
            command.args(["run", "-e", "memory", "-q", "--report", &report]);
            Child::spawn(command.args(flags.split_whitespace())).finish(PATIENCE);
        };
        run("-c 1", "one.html");
        run("-g 239.1.1.1+99 -r 20k -t 2s -i 100ms", "many.html");
        for name in ["lossy", "saved", "compared", "nothing", "one", "many"] {
            browser.look_at(name);
        }
    });
}

/// The pages of a trial that lost, as it was measured and as it was saved, and beside another.
fn lossy(browser: &Browser) {
    let plan = Plan::seeded(5)
        .on(at(4_000..4_060), Action::Drop)
        .on(at(6_000..6_007), Action::Drop)
        .on(every(97), Action::Drop)
        .on(every(53), Action::Delay(Duration::from_millis(3)));
    let lab = Lab::two_hosts(plan);
    let json = browser.path("lossy.json").display().to_string();
    let report = format!("html:{}", browser.path("lossy.html").display());
    let ready = browser.path("ready");
    let mut recv = lab.receiver().command(lab::tool());
    recv.args([
        "recv",
        "-q",
        "-I",
        DEVICE,
        "-i",
        "50ms",
        "--loss-threshold",
        "100ms",
        "--variation",
    ]);
    recv.args(["--report", &report, "--report", &format!("json:{json}"), "--fail-if", "loss>0.5%"]);
    let mut recv = Child::spawn(recv.arg("--ready-file").arg(&ready));
    recv.wait_for_file(&ready, PATIENCE);
    let mut send = lab.sender().command(lab::tool());
    send.args([
        "send",
        "-q",
        "-I",
        DEVICE,
        "-r",
        "4k",
        "-c",
        "12000",
        "-J",
        "-g",
        "239.255.77.77+1",
    ]);
    // The receiver has joined but one of the two groups.
    let sent = lab::run_json(send.args(["-s", "200"]));
    assert_eq!(sent["sender"]["offered"], 12_000);
    recv.finish(PATIENCE);

    let tool = |args: &[&str]| {
        let output = Child::spawn(Command::new(lab::tool()).args(args)).finish(PATIENCE);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let saved = format!("html:{}", browser.path("saved.html").display());
    tool(&["report", "show", &json, "--report", &saved]);
    let clean = browser.path("clean.json").display().to_string();
    let run = ["run", "-e", "memory", "-q", "-c", "5000", "-r", "10k", "--report"];
    Child::spawn(Command::new(lab::tool()).args(run).arg(format!("json:{clean}"))).finish(PATIENCE);
    let compared = browser.path("compared.html").display().to_string();
    tool(&["report", "html", &json, &clean, &json, "-o", &compared]);
    let nothing = format!("html:{}", browser.path("nothing.html").display());
    let mut silent = lab.receiver().command(lab::tool());
    silent.args(["recv", "-q", "-I", DEVICE, "-t", "200ms", "--report", &nothing]);
    Child::spawn(&mut silent).finish(PATIENCE);
}
