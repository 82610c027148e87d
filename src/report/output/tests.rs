use super::*;
use crate::model::sample;
use crate::report::FORMATS;
use crate::report::paper::Paper;
use crate::report::scratch::Scratch;
use std::fs;
use std::io::Write;

impl Scratch {
    fn target(&self, format: &str, name: &str) -> Target {
        format!("{format}:{}", self.0.join(name).display()).parse().unwrap()
    }
}

/// Writes one line, then fails in the first interval.
struct Failing(ErrorKind);

impl ReportFormat for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn about(&self) -> &'static str {
        "fails"
    }

    fn begin(&self, Paper { out, .. }: Paper) -> Box<dyn ReportWriter> {
        Box::new(FailingWriter { out, kind: self.0 })
    }
}

struct FailingWriter {
    out: Box<dyn Write + Send>,
    kind: ErrorKind,
}

impl ReportWriter for FailingWriter {
    fn start(&mut self, _: &TrialSpec, _: Nanos) -> io::Result<()> {
        self.out.write_all(b"started\n")?;
        self.out.flush()
    }

    fn interval(&mut self, _: &Snapshot) -> io::Result<()> {
        Err(self.kind.into())
    }

    fn finish(&mut self, _: &RunReport) -> io::Result<()> {
        panic!("told although it has failed")
    }
}

fn open(targets: &[Target]) -> Result<Outputs> {
    Outputs::open(targets, Paper::endless(Box::new(io::sink())))
}

fn refusal(targets: &[Target]) -> String {
    open(targets).err().unwrap().to_string()
}

fn run(outputs: &mut Outputs) {
    let report = sample::run();
    outputs.on_start(&report.trial.spec, sample::STARTED_AT);
    sample::intervals(report.trial.spec.role).iter().for_each(|each| outputs.on_interval(each));
    outputs.on_finish(&report);
}

#[test]
fn targets_are_a_format_and_maybe_a_file() {
    let target: Target = "json:a:b.json".parse().unwrap();
    assert_eq!(target.format.name(), "json");
    assert_eq!(target.path, Some("a:b.json".into()));
    for text in ["csv", "csv:-"] {
        assert_eq!(text.parse::<Target>().unwrap().path, None);
    }
    assert_eq!(
        "xml:run.xml".parse::<Target>().unwrap_err(),
        "`xml` is not a report format; these are: human, json, jsonl, csv, hdr, hlog, html"
    );
    assert!("json:".parse::<Target>().unwrap_err().contains("names no file"));
}

#[test]
fn a_file_gets_its_name_when_it_is_whole() {
    let scratch = Scratch::new();
    let mut outputs = open(&[scratch.target("json", "run.json")]).unwrap();
    assert_eq!(scratch.names(), ["run.json.partial"]);
    run(&mut outputs);
    assert_eq!(scratch.names(), ["run.json"]);
    assert!(scratch.read("run.json").ends_with("}\n"));
    assert!(outputs.failures().is_empty());
}

#[test]
fn a_trial_that_is_cut_off_leaves_what_it_measured() {
    let scratch = Scratch::new();
    let targets = [scratch.target("jsonl", "run.jsonl"), scratch.target("csv", "run.csv")];
    let mut outputs = open(&targets).unwrap();
    outputs.on_start(&sample::run().trial.spec, sample::STARTED_AT);
    outputs.on_interval(&sample::intervals(sample::run().trial.spec.role)[0]);
    // Before anything is dropped, as after a kill.
    assert_eq!(scratch.read("run.jsonl.partial").lines().count(), 2);
    assert_eq!(scratch.read("run.csv.partial").lines().count(), 2);
    drop(outputs);
    assert_eq!(scratch.names(), ["run.csv.partial", "run.jsonl.partial"]);
}

#[test]
fn a_trial_that_never_starts_leaves_nothing() {
    let scratch = Scratch::new();
    let names = FORMATS.iter().map(|format| scratch.target(format.name(), format.name()));
    drop(open(&names.collect::<Vec<_>>()).unwrap());
    let bad = scratch.target("csv", "none/run.csv");
    assert!(open(&[scratch.target("json", "run.json"), bad]).is_err());
    assert!(scratch.names().is_empty(), "{:?}", scratch.names());
}

#[test]
fn a_full_disk_ends_one_report_and_no_other() {
    let scratch = Scratch::new();
    let failing =
        Target { format: &Failing(ErrorKind::StorageFull), path: Some(scratch.0.join("run.txt")) };
    let mut outputs = open(&[failing, scratch.target("json", "run.json")]).unwrap();
    run(&mut outputs);
    assert_eq!(scratch.names(), ["run.json", "run.txt.partial"]);
    assert_eq!(scratch.read("run.txt.partial"), "started\n");
    let [failure] = outputs.failures() else { panic!("{:?}", outputs.failures()) };
    let path = scratch.0.join("run.txt");
    let path = path.display();
    assert_eq!(
        failure.to_string(),
        format!(
            "cannot write report to {path}: no storage space\n\
             hint: what was written is kept in {path}.partial"
        )
    );
}

#[test]
fn a_device_is_written_in_place() {
    let mut outputs = open(&["jsonl:/dev/full".parse().unwrap()]).unwrap();
    run(&mut outputs);
    let [failure] = outputs.failures() else { panic!("{:?}", outputs.failures()) };
    assert_eq!(
        failure.to_string(),
        "cannot write report to /dev/full: No space left on device (os error 28)"
    );
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let failing = Target { format: &Failing(ErrorKind::BrokenPipe), path: None };
    let mut outputs = open(&[failing]).unwrap();
    run(&mut outputs);
    assert!(outputs.failures().is_empty());
}

#[test]
fn a_link_stays_a_link() {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("old.json"), "old").unwrap();
    std::os::unix::fs::symlink("old.json", scratch.0.join("latest.json")).unwrap();
    let mut outputs = open(&[scratch.target("json", "latest.json")]).unwrap();
    run(&mut outputs);
    assert_eq!(scratch.names(), ["latest.json", "old.json"]);
    assert!(scratch.read("old.json").starts_with('{'));
    assert!(scratch.0.join("latest.json").is_symlink());
}

#[test]
fn two_reports_never_share_a_place() {
    let scratch = Scratch::new();
    let name = scratch.0.file_name().unwrap().to_string_lossy().into_owned();
    let other_words = scratch.target("csv", &format!("../{name}/run"));
    let text = refusal(&[scratch.target("json", "run"), other_words]);
    assert!(text.starts_with("two reports would both be written to "), "{text}");
    assert_eq!(
        refusal(&["human".parse().unwrap(), "json".parse().unwrap()]),
        "two reports on standard output would mix\n\
         hint: give one of them a file: --report json:PATH"
    );
}

#[test]
fn a_bad_path_is_told_before_the_trial() {
    let scratch = Scratch::new();
    let check = |name: &str, expected: &str| {
        let target = scratch.target("json", name);
        let text = refusal(&[target]).replace(&scratch.0.display().to_string(), "DIR");
        assert_eq!(text, expected);
    };
    fs::create_dir(scratch.0.join("results")).unwrap();
    fs::write(scratch.0.join("file"), "").unwrap();
    check(
        "none/run.json",
        "cannot write report to DIR/none/run.json: No such file or directory (os error 2)\n\
         hint: the directory must be there before the trial: mkdir -p DIR/none",
    );
    check(
        "results",
        "cannot write report to DIR/results: is a directory\n\
         hint: name a file in it: DIR/results/run.json",
    );
    check(
        "file/run.json",
        "cannot write report to DIR/file/run.json: Not a directory (os error 20)\n\
         hint: choose a file in a directory that you may write to",
    );
}
