//! A validator for the part of JSON Schema that our schemas use, and the check that reports keep to them.

use super::answer::answer;
use super::json;
use crate::model::compared::Comparison;
use crate::model::event::{Event, Happening};
use crate::model::group::{AnySource, SharedMac};
use crate::model::merged::MergedReport;
use crate::model::report::{InvalidReason, RunReport, StreamEnd, Warning};
use crate::model::sample;
use crate::model::spec::Timing;
use crate::units::Nanos;
use crate::units::rate::Rate;
use crate::units::size_mix::SizeMix;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const SCHEMA: &str = include_str!("schema.json");
const MERGED: &str = include_str!("merged.schema.json");
const COMPARED: &str = include_str!("compared.schema.json");
const PING: &str = include_str!("ping.schema.json");
const ECHO: &str = include_str!("echo.schema.json");
const JOIN: &str = include_str!("join.schema.json");
const DOCTOR: &str = include_str!("doctor.schema.json");
const DUMP: &str = include_str!("dump.schema.json");
const INTERFACES: &str = include_str!("interfaces.schema.json");

/// What it knows; another word in the schema would go unchecked.
const KEYWORDS: &[&str] = &[
    "$schema",
    "$id",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "anyOf",
    "minimum",
];

struct Validator {
    schema: Value,
}

impl Validator {
    fn new() -> Self {
        Self::of(SCHEMA)
    }

    fn of(schema: &str) -> Self {
        Self { schema: serde_json::from_str(schema).unwrap() }
    }

    /// The first thing in `value` that the schema does not allow.
    fn check(&self, value: &Value) -> Result<(), String> {
        self.against(&self.schema, value, "")
    }

    fn against(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.schema.pointer(&reference[1..]).expect(reference);
            return self.against(target, value, at);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let results = choices.iter().map(|choice| self.against(choice, value, at));
            let errors: Vec<_> = results.map_while(Result::err).collect();
            if errors.len() == choices.len() {
                return Err(format!("{at}: none of: {}", errors.join(" | ")));
            }
        }
        if schema.get("const").is_some_and(|constant| constant != value) {
            return Err(format!("{at}: {value} is not {}", schema["const"]));
        }
        if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
            return Err(format!("{at}: {value} is not allowed"));
        }
        if schema["minimum"].as_f64().is_some_and(|min| value.as_f64().is_some_and(|v| v < min)) {
            return Err(format!("{at}: {value} is too small"));
        }
        check_type(&schema["type"], value, at)?;
        if let Some(items) = schema.get("items") {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                self.against(items, item, &format!("{at}/{index}"))?;
            }
        }
        self.members(schema, value, at)
    }

    fn members(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let Some(object) = value.as_object() else { return Ok(()) };
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                return Err(format!("{at}: {name} is missing"));
            }
        }
        for (name, member) in object {
            let at = format!("{at}/{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => {
                    return Err(format!("{at} is not in the schema"));
                }
                (Value::Null, additional @ Value::Object(_)) => {
                    self.against(additional, member, &at)?
                }
                (Value::Null, _) => {}
                (property, _) => self.against(property, member, &at)?,
            }
        }
        Ok(())
    }
}

fn check_type(allowed: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    let fits = match allowed {
        Value::Null => true,
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    };
    if fits { Ok(()) } else { Err(format!("{at}: {value} is not of type {allowed}")) }
}

fn as_json<T: Serialize>(report: &T) -> Value {
    let mut out = Vec::new();
    json::write(report, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// One of each kind of what reports may hold.
fn everything() -> RunReport {
    let mut report = sample::lossy();
    report.limits = sample::limited().limits;
    let (worker, session, source) =
        (String::from("sender 0"), String::from("4f9c1a"), String::new());
    let length_ns = Nanos(1);
    report.trial.invalid_reasons = vec![
        InvalidReason::OfferedLoadMissed { intended: 2, offered: 1 },
        InvalidReason::ApparatusDropped { receiver_socket: 1, receiver_host: 0 },
        InvalidReason::Stalled { worker: worker.clone(), length_ns },
        InvalidReason::ClockStepped { by_ns: -1 },
        InvalidReason::NothingHeard,
    ];
    report.trial.warnings.extend([
        Warning::SharedCore { cpu: 0 },
        Warning::SendingHostDropped { place: "qdisc tbf".into(), packets: 2, after_taking: 1 },
        Warning::ReversePathFiltered { datagrams: 1 },
        Warning::SenderLate { p99_ns: length_ns },
        Warning::SenderStalled { session: session.clone(), stalls: 1, length_ns },
        Warning::SenderMissedLoad { session: session.clone(), intended: 2, offered: 1 },
        Warning::ClocksMoved { streams: 1, step_max_ns: -1 },
        Warning::TailUnknown { streams: 1 },
        Warning::SharedMac(SharedMac {
            first: "239.128.0.5".parse().unwrap(),
            second: "224.0.0.5".parse().unwrap(),
            groups: 1,
        }),
        Warning::AnySource(AnySource { group: "232.1.1.1".parse().unwrap(), groups: 1 }),
        Warning::Hiccup { worker: worker.clone(), length_ns },
    ]);
    report.trial.events = [
        Happening::NotPinned { worker: worker.clone(), cpu: 1 },
        Happening::Degraded {
            asked: "more".into(),
            instead: "less".into(),
            reason: "no more".into(),
        },
        Happening::CaptureTaken {
            file: "a.pcap".into(),
            datagrams: 1,
            length_ns,
            skipped: 1,
            lengthened: 1,
            shortened: 1,
        },
        Happening::StreamHeard { session: session.clone(), stream: 0, source: source.clone() },
        Happening::SenderSilent { session: session.clone(), source: source.clone() },
        Happening::SenderRestarted { session, source },
        Happening::Stalled { worker, length_ns },
        Happening::ClockStepped { by_ns: -1 },
        Happening::NoKernelTimestamp { datagrams: 1 },
        Happening::KernelTimestamps { reason: "forbidden".into() },
        Happening::NoHardwareTimestamp { datagrams: 1 },
        Happening::TooManyStreams { limit: 1 },
        Happening::NotListed { streams: 1, stalls: 0 },
        Happening::OutputFailed { reason: "full".into() },
        Happening::Interrupted,
    ]
    .map(|what| Event { at_ns: Nanos(1), what })
    .into();
    report.trial.spec.flows = report.trial.spec.offered();
    report.answer = Some(answer("iptv-hd", Some("television"), &report));
    report.trial.streams[1].end = StreamEnd::Silent;
    report.continued = Some(sample::continued());
    report.timeline = sample::timeline(report.trial.spec.role);
    report.trial.receiver.as_mut().unwrap().timestamps = sample::hardware_timestamps();
    report
}

#[test]
fn reports_keep_to_the_schema() {
    let validator = Validator::new();
    for report in sample::all().iter().chain([&everything()]) {
        assert_eq!(validator.check(&as_json(report)), Ok(()));
    }
}

/// Each schedule keeps to the schema, and reads back as it was written.
#[test]
fn every_schedule_is_described() {
    let rate = Rate::MilliDatagrams;
    for schedule in [
        Timing::Constant,
        Timing::Poisson { seed: u32::MAX },
        Timing::OnOff { on_ns: Nanos(1), off_ns: Nanos(2) },
        Timing::Ramp { from: rate(1), to: rate(1000), over_ns: Nanos(3) },
        Timing::Replay { file: "a.pcap".into(), speed: "2x".parse().unwrap(), repeats: true },
    ] {
        let mut report = sample::run();
        let load = report.trial.spec.load.as_mut().unwrap();
        (load.rate, load.schedule, load.sizes) = (None, schedule, SizeMix::default());
        let value = as_json(&report);
        assert_eq!(Validator::new().check(&value), Ok(()));
        assert_eq!(serde_json::from_str::<RunReport>(&value.to_string()).unwrap(), report);
    }
}

#[test]
fn reports_read_back_as_they_were_written() {
    for report in sample::all().into_iter().chain([everything()]) {
        let text = as_json(&report).to_string();
        assert_eq!(serde_json::from_str::<RunReport>(&text).unwrap(), report);
    }
}

/// For the tests of what is made of several runs: it keeps to its schema, and reads back as it was written.
fn check_summary<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    schema: &str,
    summary: &T,
) {
    let value = as_json(summary);
    assert_eq!(Validator::of(schema).check(&value), Ok(()));
    assert_eq!(serde_json::from_str::<T>(&value.to_string()).unwrap(), *summary);
}

pub(super) fn check_merged(merged: &MergedReport) {
    check_summary(MERGED, merged);
}

pub(super) fn check_compared(compared: &Comparison) {
    check_summary(COMPARED, compared);
}

#[test]
fn round_trips_keep_to_their_schemas() {
    check_summary(PING, &sample::roundtrip::ping());
    check_summary(PING, &sample::roundtrip::ping_alone());
    check_summary(ECHO, &sample::roundtrip::echo());
}

#[test]
fn joins_keep_to_their_schema() {
    for report in [sample::join::limited(), sample::join::zapped(), sample::join::nothing()] {
        check_summary(JOIN, &report);
    }
}

#[test]
fn findings_keep_to_their_schema() {
    check_summary(DOCTOR, &sample::checkup::checkup());
}

#[test]
fn datagrams_keep_to_their_schema() {
    for heard in sample::heard::all() {
        let line = serde_json::to_value(&heard).unwrap();
        assert_eq!(Validator::of(DUMP).check(&line), Ok(()));
    }
}

#[test]
fn interfaces_keep_to_their_schema() {
    check_summary(INTERFACES, &sample::interfaces::interfaces());
}

#[test]
fn a_broken_report_is_refused() {
    let check = |pointer: &str, value: Value, complaint: &str| {
        let mut report = as_json(&everything());
        *report.pointer_mut(pointer).expect(pointer) = value;
        let error = Validator::new().check(&report).unwrap_err();
        assert!(error.contains(complaint), "{error}");
    };
    check("/schema", "mcast-bench/0".into(), "is not \"mcast-bench/2\"");
    check("/valid", "yes".into(), "/valid: \"yes\" is not of type");
    check("/streams/0/end", "never".into(), "/streams/0/end: \"never\" is not allowed");
    check("/streams/1/lost", (-1).into(), "/streams/1/lost: -1 is too small");
    check("/sender/refused/EPERM", Value::Null, "/sender/refused/EPERM: null is not of type");
    check("/warnings/0/warning", "boredom".into(), "/warnings/0: none of");
    check("/totals", serde_json::json!({}), "is missing");
    check("/timeline/0/received", (-1).into(), "/timeline/0/received: -1 is too small");

    let mut report = as_json(&everything());
    report["one_way_delay_ns"]["p42"] = 1.into();
    let error = Validator::new().check(&report).unwrap_err();
    assert!(error.contains("/one_way_delay_ns/p42 is not in the schema"), "{error}");
}

/// An object that allows more would let a new field slip in without a line in the schema.
#[test]
fn every_object_of_the_schema_is_closed() {
    fn visit(schema: &Value, at: &str) {
        if schema["type"].as_str() == Some("object") {
            assert!(schema.get("additionalProperties").is_some(), "{at} is open");
        }
        let Some(object) = schema.as_object() else { return };
        for (word, value) in object {
            let at = format!("{at}/{word}");
            assert!(KEYWORDS.contains(&word.as_str()), "{at}: a word that is not checked");
            match value {
                Value::Object(named) if word == "properties" || word == "$defs" => {
                    named.iter().for_each(|(name, schema)| visit(schema, &format!("{at}/{name}")));
                }
                Value::Array(choices) if word == "anyOf" => {
                    choices.iter().for_each(|schema| visit(schema, &at));
                }
                Value::Object(_) => visit(value, &at),
                _ => {}
            }
        }
    }
    for schema in [SCHEMA, MERGED, COMPARED, PING, ECHO, JOIN, DOCTOR, DUMP, INTERFACES] {
        visit(&Validator::of(schema).schema, "");
    }
}
