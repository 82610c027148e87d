//! The page of `--report html` as a browser shows it: on a desk and on a phone, in the light and in the dark.
#![allow(clippy::unwrap_used)] // Clippy takes only functions with #[test] for tests.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::lab::{self, Action, Child, DEVICE, Lab, Plan, at, every, with_privileges};

/// Longer than a browser takes to start on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A desk and a phone, in pixels.
const WIDTHS: [u64; 2] = [1280, 360];

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
        let Some(program) = ["chromium", "chromium-browser"].into_iter().find(is_there) else {
            // Not eprintln!, which the test harness hides while tests pass.
            let _ = writeln!(io::stderr(), "SKIPPED: the page in a browser: no chromium");
            return None;
        };
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcast-bench-page-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Some(Self { program, directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts it without a network, a profile or a screen, in the light or in the dark.
    fn run(&self, scheme: &str, args: &[&str], page: &Path) -> (String, String) {
        let profile = self.path(&format!("profile-{scheme}"));
        let is_light = u8::from(scheme == "light");
        let mut command = Command::new(self.program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]);
        command.args(["--no-first-run", "--disable-background-networking"]);
        command.args(["--disable-component-update", "--disable-sync", "--hide-scrollbars"]);
        command.args(["--enable-logging=stderr", "--virtual-time-budget=2000"]);
        command.arg(format!("--blink-settings=preferredColorScheme={is_light}"));
        command.arg(format!("--user-data-dir={}", profile.display())).args(args);
        command.arg(format!("file://{}", page.display()));
        let output = Child::spawn(&mut command).finish(PATIENCE);
        fs::remove_dir_all(&profile).unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{}\n{stderr}", output.status);
        (stdout, stderr)
    }

    /// Shows a page in both widths, in the light and in the dark: nothing sticks out, no two texts overlap, and the
    /// console is silent.
    fn look_at(&self, name: &str) {
        let html = fs::read_to_string(self.path(&format!("{name}.html"))).unwrap();
        self.write_checked(name, &html);
        // Most of its time a browser waits.
        thread::scope(|scope| {
            for scheme in ["light", "dark"] {
                scope.spawn(move || {
                    let heights = self.found(name, scheme).map(|found| {
                        assert_eq!(found["problems"], serde_json::json!([]), "{name}, {scheme}");
                        found["height"].as_u64().unwrap()
                    });
                    self.photograph(name, scheme, heights.into_iter().max().unwrap());
                });
            }
        });
    }

    /// The page lets no script run; its copy must.
    fn write_checked(&self, name: &str, html: &str) {
        let (head, rest) = html.split_once("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        let checks = format!("<script>{CHECKS}</script></body>");
        let copy = format!("{head}{}", rest.replacen("</body>", &checks, 1));
        fs::write(self.path(&format!("{name}-checked.html")), copy).unwrap();
    }

    /// What the checks find at each width.
    fn found(&self, name: &str, scheme: &str) -> [Value; 2] {
        let frames = self.frames(&format!("{name}-checked"), scheme, 900);
        let wide = format!("--window-size={},1000", WIDTHS.iter().sum::<u64>());
        let (dom, log) = self.run(scheme, &[&wide, "--dump-dom"], &frames);
        WIDTHS.map(|width| {
            let found = attribute(&dom, &format!("data-{scheme}{width}"));
            found.unwrap_or_else(|| panic!("{name}, {width} px, {scheme}: no word from it\n{log}"))
        })
    }

    fn photograph(&self, name: &str, scheme: &str, height: u64) {
        let picture = self.path(&format!("{name}-{scheme}.png"));
        let size = format!("--window-size={},{height}", WIDTHS.iter().sum::<u64>());
        let shot = format!("--screenshot={}", picture.display());
        let (_, log) = self.run(scheme, &[&size, &shot], &self.frames(name, scheme, height));
        assert!(!log.contains("CONSOLE"), "{name}, {scheme}:\n{log}");
        assert!(fs::metadata(&picture).unwrap().len() > 50_000, "{name}: an empty picture");
    }

    /// The page in a frame of each width: a window cannot be as narrow as a phone. What a frame says becomes an
    /// attribute.
    fn frames(&self, name: &str, scheme: &str, height: u64) -> PathBuf {
        let frame = |width| {
            format!(
                "<iframe src={name}.html width={width} height={height} style=border:0></iframe>"
            )
        };
        let html = format!(
            "<!DOCTYPE html><meta name=color-scheme content=\"light dark\">\
             <body style=\"margin:0;display:flex\"><script>\
             onmessage = ({{data}}) => document.body.setAttribute('data-' + data.form, data.found)\
             </script>{}",
            WIDTHS.map(frame).concat()
        );
        let path = self.path(&format!("frames-{scheme}.html"));
        fs::write(&path, html).unwrap();
        path
    }
}

impl Drop for Browser {
    /// The pictures of a test that fails stay, and where someone has asked for them.
    fn drop(&mut self) {
        if !thread::panicking() && std::env::var_os("MCAST_BENCH_PICTURES").is_none() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// What the frame says that this attribute in the dump of the page is of.
fn attribute(dom: &str, attribute: &str) -> Option<Value> {
    let (_, found) = dom.split_once(&format!("{attribute}=\""))?;
    let (found, _) = found.split_once('"')?;
    let text = [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .into_iter()
        .fold(found.to_owned(), |text, (escaped, letter)| text.replace(escaped, letter));
    serde_json::from_str(&text).ok()
}

#[test]
fn pages_fit_on_every_screen() {
    with_privileges(|| {
        let Some(browser) = Browser::find() else { return };
        lossy(&browser);
        let run = |flags: &str, name: &str| {
            let report = format!("html:{}", browser.path(name).display());
            let mut command = Command::new(lab::tool());
            command.args(["run", "-e", "memory", "-q", "--report", &report]);
            Child::spawn(command.args(flags.split_whitespace())).finish(PATIENCE);
        };
        run("-c 1", "one.html");
        run("-g 239.1.1.1+99 -r 20k -t 2s -i 100ms", "many.html");
        run("--preset connectivity -t 1s", "asked.html");
        round_trips(&browser);
        for name in [
            "lossy", "untimed", "sent", "compared", "merged", "nothing", "one", "many", "asked",
            "answered",
        ] {
            browser.look_at(name);
        }
    });
}

/// The checks themselves.
#[test]
fn what_does_not_fit_is_found() {
    let Some(browser) = Browser::find() else { return };
    let html = "<!DOCTYPE html><meta http-equiv=\"Content-Security-Policy\">\
        <body><div style=\"width:500px\">far</div><svg width=300 viewBox=\"0 0 300 50\">\
        <text x=10 y=20>one</text><text x=12 y=22>two</text><text x=290 y=20>three</text></svg></body>";
    browser.write_checked("flaws", html);
    let [wide, narrow] = browser.found("flaws", "light").map(|found| found["problems"].to_string());
    for flaw in
        ["<text> two overlaps <text> one", "cut off: <text> three", "a drawing without words"]
    {
        assert!(wide.contains(flaw) && narrow.contains(flaw), "{wide} {narrow}");
    }
    assert!(!wide.contains("far") && narrow.contains("<div> far reaches"), "{wide} {narrow}");
    assert!(narrow.contains("the page is 508 wide on 360"), "{narrow}");
}

/// The pages of a trial that lost: as it was measured, without what happened when, and beside another.
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
    recv.args(["recv", "-q", "-I", DEVICE, "-i", "50ms", "--variation"]);
    recv.args(["--loss-threshold", "100ms"]);
    recv.args(["--report", &report, "--report", &format!("json:{json}"), "--fail-if", "loss>0.5%"]);
    let mut recv = Child::spawn(recv.arg("--ready-file").arg(&ready));
    recv.wait_for_file(&ready, PATIENCE);
    let mut send = lab.sender().command(lab::tool());
    send.args(["send", "-q", "-I", DEVICE, "-r", "4k", "-c", "12000", "-s", "200"]);
    let sent = browser.path("sent.json").display().to_string();
    send.args(["-i", "50ms", "--report", &format!("json:{sent}")]);
    send.args(["--report", &format!("html:{}", browser.path("sent.html").display())]);
    // The receiver has joined but one of the two groups. On a busy machine either may be invalid: a page all the same.
    Child::spawn(send.args(["-g", "239.255.77.77+1"])).finish(PATIENCE);
    recv.finish(PATIENCE);

    let tool = |args: &[&str]| {
        let output = Child::spawn(Command::new(lab::tool()).args(args)).finish(PATIENCE);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let page_of = |json: &str, page: &str| {
        let target = format!("html:{}", browser.path(page).display());
        tool(&["report", "show", json, "--report", &target]);
    };
    page_of(&json, "again.html");
    let [page, again] = ["lossy", "again"].map(|name| browser.path(&format!("{name}.html")));
    assert!(fs::read(page).unwrap() == fs::read(again).unwrap());
    let mut old: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert!(old.as_object_mut().unwrap().remove("timeline").is_some());
    let untimed = browser.path("untimed.json").display().to_string();
    fs::write(&untimed, old.to_string()).unwrap();
    page_of(&untimed, "untimed.html");
    let clean = browser.path("clean.json").display().to_string();
    let run = ["run", "-e", "memory", "-q", "-c", "5000", "-r", "10k", "--report"];
    Child::spawn(Command::new(lab::tool()).args(run).arg(format!("json:{clean}"))).finish(PATIENCE);
    let compared = browser.path("compared.html").display().to_string();
    tool(&["report", "html", &json, &clean, &json, "-o", &compared]);
    let merged = format!("html:{}", browser.path("merged.html").display());
    tool(&["report", "merge", &sent, &json, &clean, "--report", &merged]);
    let nothing = format!("html:{}", browser.path("nothing.html").display());
    let mut silent = lab.receiver().command(lab::tool());
    silent.args(["recv", "-q", "-I", DEVICE, "-t", "200ms", "--report", &nothing]);
    Child::spawn(&mut silent).finish(PATIENCE);
}

/// The page of round trips of which some were lost.
fn round_trips(browser: &Browser) {
    let lab = Lab::two_hosts(Plan::seeded(7).on(every(9), Action::Drop));
    let ready = browser.path("echo-ready");
    let mut echo = lab.receiver().command(lab::tool());
    let mut echo =
        Child::spawn(echo.args(["echo", "-q", "-I", DEVICE, "--ready-file"]).arg(&ready));
    echo.wait_for_file(&ready, PATIENCE);
    let report = format!("html:{}", browser.path("answered.html").display());
    let mut ping = lab.sender().command(lab::tool());
    ping.args(["ping", "-q", "-I", DEVICE, "-r", "1k", "-c", "500", "--report", &report]);
    Child::spawn(&mut ping).finish(PATIENCE);
    echo.interrupt();
    echo.finish(PATIENCE);
}
