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
use std::io::{self, ErrorKind, Write};

pub(super) fn run(args: DoctorArgs, colours: Colours) -> Result<Exit> {
    let asked = of_doctor(&args)?;
    session::say_if_loopback(&args.groups, &asked.interface);
    let mut findings = Vec::new();
    examine(&asked, |finding| findings.push(finding));
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
