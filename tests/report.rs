//! `mcast-bench report`: what it makes of saved results, good and bad ones.
#![allow(clippy::unwrap_used)] // Clippy takes only functions with #[test] for tests.

use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of a test's own, in which the program runs.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcast-bench-report-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("results")).unwrap();
        Self(path)
    }

    /// A trial on the memory engine, 1000 datagrams that all arrive.
    fn result() -> Value {
        let run = ["run", "--engine", "memory", "-c", "1000", "-r", "1M", "-q", "-J"];
        let output = program(&run).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The result of a receiver on `host` that lost the datagrams numbered `lost`.
    fn receiver(&self, host: &str, lost: &[u64]) {
        let mut result = Self::result();
        result["environment"]["host"] = host.into();
        result["sender"] = Value::Null;
        result["valid"] = true.into();
        result["invalid_reasons"] = json!([]);
        let ratio = lost.len() as f64 / 1000.0;
        let unique = 1000 - lost.len();
        let ranges =
            lost.iter().map(|seq| json!({"first_seq": seq, "len": 1, "at_ns": 0, "own_socket": 0}));
        let ranges: Vec<_> = ranges.collect();
        for row in ["/streams/0", "/totals"] {
            let row = result.pointer_mut(row).unwrap();
            (row["lost"], row["unique"], row["received"]) =
                (lost.len().into(), unique.into(), unique.into());
            row["loss_ratio"] = ratio.into();
        }
        result["streams"][0]["session"] = "4f9c1a".into();
        result["streams"][0]["lost_ranges"] = ranges.into();
        result["totals"]["lost_by"]["elsewhere"] = lost.len().into();
        self.write(&format!("results/{host}.json"), result.to_string());
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        program(args).current_dir(&self.0).output().unwrap()
    }

    fn json(&self, args: &[&str], code: i32) -> Value {
        let output = self.run(args);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{complaint}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// It fails with exit code 1 and just this to say, besides a hint.
    fn refuses(&self, args: &[&str], complaint: &str) {
        let output = self.run(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let said: Vec<_> = said.lines().filter(|line| !line.starts_with("hint: ")).collect();
        let [said] = said[..] else { panic!("not one line: {said:?}") };
        assert!(said.starts_with(&format!("error: {complaint}")), "{args:?}: {said}");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcast-bench"));
    command.args(args).stdin(Stdio::null());
    command
}

#[test]
fn a_saved_result_is_written_in_every_format() {
    let scratch = Scratch::new();
    let mut result = Scratch::result();
    scratch.write("r.json", result.to_string());
    assert_eq!(scratch.json(&["report", "show", "r.json", "--report", "json"], 0), result);
    let shown = |format: &str| {
        let output = scratch.run(&["report", "show", "r.json", "--report", format]);
        assert_eq!(output.status.code(), Some(0), "{format}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(shown("human").contains("\nSender         memory"));
    let jsonl = shown("jsonl");
    assert!(jsonl.starts_with("{\"type\":\"start\""), "{jsonl}");
    assert!(jsonl.lines().last().unwrap().starts_with("{\"type\":\"report\""), "{jsonl}");
    let csv = shown("csv");
    let kinds: Vec<_> = csv.lines().map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(kinds, ["kind", "stream", "sender", "total"]);
    let hlog = shown("hlog");
    assert_eq!(hlog.lines().filter(|line| line.starts_with("Tag=")).count(), 5, "{hlog}");
    assert!(shown("hdr").contains("Total count    =         1000]"));
    let html = shown("html");
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("Datagrams a second"), "{html}");
    // As those before it were saved.
    assert!(result.as_object_mut().unwrap().remove("timeline").is_some());
    scratch.write("r.json", result.to_string());
    let html = shown("html");
    assert!(
        html.contains("does not say what happened when") && !html.contains("Datagrams a second"),
        "{html}"
    );
}

#[test]
fn merged_results_have_a_page_and_compared_ones_are_shown_where_to_get_it() {
    let scratch = Scratch::new();
    scratch.receiver("a", &[]);
    scratch.receiver("b", &[3, 4]);
    let output = scratch.run(&["report", "merge", "results", "--report", "html:page.html"]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b""[..]));
    let page = fs::read_to_string(scratch.0.join("page.html")).unwrap();
    assert!(page.contains("<h2>Losses by receiver</h2>") && page.ends_with("</html>\n"), "{page}");
    let files = ["results/a.json", "results/b.json"];
    let output = scratch.run(&["report", "compare", files[0], files[1], "--report", "html"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`mcast-bench report html A B -o FILE`"), "{said}");
}

#[test]
fn several_results_become_one_page() {
    let scratch = Scratch::new();
    scratch.receiver("a", &[]);
    scratch.receiver("b", &[3, 4]);
    let (a, b) = ("results/a.json", "results/b.json");
    let output = scratch.run(&["report", "html", a, b, "-o", "page.html"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
    let page = fs::read_to_string(scratch.0.join("page.html")).unwrap();
    assert!(page.contains("<b>B to A: WORSE</b>\nloss ratio"), "{page}");
    let output = scratch.run(&["report", "html", b, a, "results"]);
    let page = String::from_utf8(output.stdout).unwrap();
    // The delays of two runs may differ either way.
    let row = "<th scope=\"row\">loss ratio</th><td>0.200 %</td><td>0 %</td><td>better</td>";
    assert!(page.contains(row) && page.contains("C: results, 2 runs"), "{page}");
    scratch.refuses(&["report", "html", a, "gone.json"], "cannot read gone.json");
    scratch.refuses(&["report", "html", a, "page.html"], "page.html is not a JSON object");
    assert_eq!(scratch.run(&["report", "html", a]).status.code(), Some(2));
}

#[test]
fn a_result_comes_through_a_pipe_and_goes_to_files() {
    let scratch = Scratch::new();
    let mut show = program(&["report", "show", "-", "--report", "csv:r.csv", "--report", "hdr"]);
    let show = show.current_dir(&scratch.0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut show = show.spawn().unwrap();
    write!(show.stdin.take().unwrap(), "{}", Scratch::result()).unwrap();
    let output = show.wait_with_output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty());
    assert!(fs::read_to_string(scratch.0.join("r.csv")).unwrap().starts_with("kind,"));
}

/// Standards vector V27 in a thousand datagrams: each loses number 7, and more of its own.
#[test]
fn receivers_are_merged() {
    let scratch = Scratch::new();
    scratch.receiver("rx-1", &[7]);
    scratch.receiver("rx-2", &[3, 7]);
    scratch.receiver("rx-3", &[2, 5, 6, 7]);
    let merge = ["report", "merge", "results", "-J"];
    let merged = scratch.json(&merge, 0);
    assert_eq!(merged["schema"], "mcast-bench-merged/1");
    assert_eq!(merged["group"]["receivers"], 3);
    assert_eq!(merged["group"]["loss_ratio"], 7.0 / 3000.0);
    assert_eq!(merged["group"]["loss_ratio_highest"]["receiver"], "rx-3");
    assert_eq!(merged["group"]["lost_by_all"], 1);
    assert_eq!(merged["receivers"][2]["lost_own"], 3);
    assert_eq!(merged["receivers"][2]["comparative_loss_ratio"], 4.0 / 999.0);

    // The same file twice is one receiver, and the merged report beside its parts is none.
    let to_file =
        ["report", "merge", "results", "results/rx-1.json", "--report", "json:results/all.json"];
    assert!(scratch.run(&to_file).status.success());
    let again = scratch.run(&merge);
    let told = String::from_utf8_lossy(&again.stderr);
    assert_eq!(told, "left out: results/all.json is merged already\n");
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["group"], merged["group"]);
}

#[test]
fn each_bad_input_has_one_clear_line() {
    let scratch = Scratch::new();
    let good = Scratch::result();
    let text = good.to_string();
    let mut changed = good.clone();
    changed["schema"] = "mcast-bench/1".into();
    scratch.write("other.json", changed.to_string());
    scratch.write("short.json", &text[..text.len() / 2]);
    scratch.write("text.json", "iperf Done.");
    scratch.write("foreign.json", "{\"name\": \"left-pad\"}");
    scratch.write("empty.json", "");
    changed = good;
    changed["valid"] = "yes".into();
    scratch.write("broken.json", changed.to_string());
    scratch.write("good.json", text);
    let cases = [
        ("other.json", "other.json has schema `mcast-bench/1`, and this mcast-bench reads `mcast-"),
        ("short.json", "short.json is truncated: its JSON ends too early"),
        ("text.json", "text.json is not a JSON object: expected value at line 1 column 1"),
        ("foreign.json", "foreign.json is JSON, but no result of mcast-bench"),
        ("empty.json", "empty.json is empty"),
        ("broken.json", "broken.json does not keep to schema `mcast-bench/2`: invalid type"),
        ("missing.json", "cannot read missing.json: No such file or directory"),
    ];
    for (file, complaint) in cases {
        scratch.refuses(&["report", "show", file], complaint);
        scratch.refuses(&["report", "merge", "good.json", file], complaint);
        scratch.refuses(&["report", "compare", "good.json", file], complaint);
    }
    scratch.refuses(&["report", "show", "results"], "cannot read results: Is a directory");
    scratch.refuses(&["report", "merge", "results"], "no *.json in results");
    scratch.refuses(&["report", "compare", "results", "good.json"], "no *.json in results");
}

#[test]
fn histograms_of_other_bounds_are_refused_by_the_names_of_both() {
    let scratch = Scratch::new();
    let mut result = Scratch::result();
    scratch.write("a.json", result.to_string());
    // From 1 to 3.6e9 with three digits: 10, 20, 30 and 40 µs, as Java wrote them.
    result["one_way_delay_ns"]["hdr"] =
        "HISTFAAAACx42pNpmSzMwMDAwwABzFCaEURcm7yEwf4DROCwM9Nffqb7nEyz2ZgAphwINg==".into();
    scratch.write("b.json", result.to_string());
    let damaged =
        "b.json does not keep to schema `mcast-bench/2`: a histogram is damaged (4 values";
    scratch.refuses(&["report", "merge", "a.json", "b.json"], damaged);
    scratch.refuses(&["report", "show", "b.json"], damaged);
    result["one_way_delay_ns"]["count"] = 4.into();
    scratch.write("b.json", result.to_string());
    let different = "b.json and a.json have different histograms: ";
    scratch.refuses(&["report", "merge", "a.json", "b.json"], different);
    // It keeps nobody else out, even if it comes first.
    let first = "b.json and this mcast-bench have different histograms: ";
    scratch.refuses(&["report", "merge", "b.json", "a.json"], first);
    let output = scratch.run(&["report", "merge", "b.json", "a.json", "--keep-going", "-J"]);
    let merged: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(merged["skipped"].as_array().unwrap().len(), 1, "{merged}");
    assert_eq!(merged["receivers"].as_array().unwrap().len(), 1, "{merged}");
}

#[test]
fn the_rest_is_merged_when_asked_to() {
    let scratch = Scratch::new();
    scratch.receiver("rx-1", &[]);
    scratch.receiver("rx-2", &[1]);
    scratch.write("results/bad.json", "iperf Done.");
    scratch.refuses(&["report", "merge", "results"], "results/bad.json is not a JSON object");
    let args = ["report", "merge", "results", "missing.json", "--keep-going", "-J"];
    let output = scratch.run(&args);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.starts_with("skipped: cannot read missing.json: "), "{told}");
    assert!(told.contains("\nskipped: results/bad.json is not a JSON object: "), "{told}");
    assert_eq!(told.lines().count(), 2);
    let merged: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(merged["group"]["receivers"], 2);
    assert_eq!(merged["skipped"][1]["file"], "results/bad.json");
    assert_eq!(merged["skipped"][0]["file"], "missing.json");
    let nothing = scratch.run(&["report", "merge", "results/bad.json", "--keep-going"]);
    assert_eq!(nothing.status.code(), Some(1));
}

/// Every kind of bad file among good ones is named once, and takes nothing of them along.
#[test]
fn no_kind_of_bad_file_spoils_the_rest() {
    let scratch = Scratch::new();
    scratch.receiver("rx-1", &[7]);
    scratch.receiver("rx-2", &[3, 7]);
    let merge = ["report", "merge", "results", "--keep-going", "-J"];
    let good = scratch.json(&merge, 0);
    let text = fs::read_to_string(scratch.0.join("results/rx-2.json")).unwrap();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["environment"]["host"] = "rx-3".into();
    let delay = &mut other["one_way_delay_ns"];
    // V72 of the published vectors: 1 to 3.6e9 with three digits, four values.
    delay["hdr"] =
        "HISTFAAAACx42pNpmSzMwMDAwwABzFCaEURcm7yEwf4DROCwM9Nffqb7nEyz2ZgAphwINg==".into();
    delay["count"] = 4.into();
    let bad: [(&str, Vec<u8>, &str); 7] = [
        ("binary", vec![0xff, 0, 0xfe], "is not a JSON object"),
        ("bounds", other.to_string().into(), "have different histograms"),
        ("empty", vec![], "is empty"),
        ("foreign", b"[1, 2]".into(), "is JSON, but no result of mcast-bench"),
        ("short", text.as_bytes()[..text.len() - 2].into(), "is truncated"),
        ("text", b"iperf Done.".into(), "is not a JSON object"),
        ("version", text.replace("mcast-bench/2", "mcast-bench/9").into(), "has schema"),
    ];
    for (name, bytes, _) in &bad {
        // They come between the good ones.
        scratch.write(&format!("results/rx-1x-{name}.json"), bytes);
    }
    let output = scratch.run(&merge);
    assert_eq!(output.status.code(), Some(0));
    let merged: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&merged["group"], &merged["receivers"]), (&good["group"], &good["receivers"]));
    let told = String::from_utf8(output.stderr).unwrap();
    let skipped = merged["skipped"].as_array().unwrap();
    assert_eq!((told.lines().count(), skipped.len()), (bad.len(), bad.len()), "{told}");
    for ((line, skipped), (name, _, complaint)) in told.lines().zip(skipped).zip(&bad) {
        let file = format!("results/rx-1x-{name}.json");
        assert_eq!(skipped["file"], file);
        assert!(
            line.starts_with(&format!("skipped: {file} ")) && line.contains(complaint),
            "{line}"
        );
    }
}

/// A result whose histogram nobody can read, or of other bounds, is compared no more than it is merged.
#[test]
fn histograms_that_do_not_fit_are_not_compared() {
    let scratch = Scratch::new();
    let mut result = Scratch::result();
    scratch.write("a.json", result.to_string());
    result["one_way_delay_ns"]["hdr"] = "HISTFAAAAA==".into();
    scratch.write("b.json", result.to_string());
    let damaged = "b.json does not keep to schema `mcast-bench/2`: a histogram is damaged";
    scratch.refuses(&["report", "compare", "a.json", "b.json"], damaged);
    scratch.refuses(&["report", "show", "b.json"], damaged);
}

#[test]
fn what_is_worse_has_an_exit_code() {
    let scratch = Scratch::new();
    for (directory, lost) in [("before", &[][..]), ("after", &[1, 2, 3][..])] {
        fs::create_dir(scratch.0.join(directory)).unwrap();
        scratch.receiver("rx-1", lost);
        for copy in ["1.json", "2.json"] {
            let to = scratch.0.join(directory).join(copy);
            fs::copy(scratch.0.join("results/rx-1.json"), to).unwrap();
        }
    }
    let compared = scratch.json(&["report", "compare", "before", "after", "-J"], 3);
    assert_eq!(compared["lines"][1]["quantity"], "loss ratio");
    assert_eq!(compared["lines"][1]["verdict"], "worse");
    assert_eq!(compared["lines"][1]["b"]["median"], 0.003);
    assert_eq!(compared["a"]["runs"], 2);
    let same = scratch.json(&["report", "compare", "before", "before/1.json", "-J"], 0);
    assert_eq!(same["worse"], false);
    let wrong = scratch.run(&["report", "compare", "before", "after", "--tolerance", "some"]);
    assert_eq!(wrong.status.code(), Some(2));
}
