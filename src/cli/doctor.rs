//! `mcast-bench doctor`: is this host fit to measure?

use super::color::Colours;
use super::doctor_args::DoctorArgs;
use super::exit::Exit;
use super::spec::doctor::of_doctor;
use super::{paper, session};
use crate::doctor::examine;
use crate::error::{Error, Result};
use crate::model::checkup::{Checkup, SCHEMA, Verdict};
use crate::report::paper::NARROWEST;
use crate::report::{checkup, json};
use crate::units::duration::format_duration;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

/// A sign of life while nothing is to be seen but time going by; it shows on a terminal only.
fn listening(time: &str) -> ProgressBar {
    let sign = ProgressBar::new_spinner().with_message(format!("listening for {time}"));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed} so far") {
        sign.set_style(style);
    }
    sign.enable_steady_tick(Duration::from_millis(200));
    sign
}

pub(super) fn run(args: DoctorArgs, colours: Colours) -> Result<Exit> {
    let asked = of_doctor(&args)?;
    session::say_if_loopback(&args.groups, &asked.interface);
    let listening = args.fitness.listen.map(|time| listening(&format_duration(time)));
    let mut findings = Vec::new();
    examine(&asked, |finding| findings.push(finding));
    listening.iter().for_each(ProgressBar::finish_and_clear);
    let checkup = Checkup {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: session::command_line(),
        interface: asked.interface.name.clone(),
        groups: asked.groups.iter().map(ToString::to_string).collect(),
        fit: findings.iter().all(|finding| finding.verdict != Verdict::Problem),
        findings,
    };
    // What goes elsewhere is not broken: whoever searches it for words finds them on one line.
    let width = paper::columns().unwrap_or(usize::MAX).max(NARROWEST);
    let mut out = io::stdout();
    let written = match args.json {
        true => json::write(&checkup, &mut out),
        false => checkup::write(&checkup, colours.suit(&io::stdout()), width, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        // Who reads no further has read enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::os("cannot write to standard output", error))
        }
        _ if checkup.fit => Ok(Exit::Fine),
        _ => Ok(Exit::NotGood),
    }
}
