//! `recv --state`: the file is opened before the trial, told the trial, and written at its end.

use super::spec::Meant;
use crate::error::{Error, Result};
use crate::model::continued::Setup;
use crate::model::event::{Event, Happening};
use crate::report::state::Keeper;
use crate::sys::netdev::interface_name;
use crate::units::Nanos;
use std::path::Path;

/// Opens the file for a trial like this.
pub(super) fn open(path: &Path, (spec, interface): &Meant) -> Result<Keeper> {
    let mut interfaces = vec![interface.name.clone()];
    for index in &spec.further_interfaces {
        let name = interface_name(*index);
        interfaces.push(name.map_err(|error| Error::os("cannot name the interfaces", error))?);
    }
    let groups = spec.groups.clone();
    Keeper::open(path, Setup { groups, interfaces, loss_threshold_ns: spec.loss_threshold_ns })
}

/// That a file is not gone on with, as the report says it.
pub(super) fn refused(keeper: &Keeper) -> Option<Event> {
    let (reason, aside) = keeper.refused()?;
    let what = Happening::Degraded {
        asked: "--state".into(),
        instead: format!("counting anew, and the old file is {}", aside.display()),
        reason: reason.to_owned(),
    };
    Some(Event { at_ns: Nanos(0), what })
}
