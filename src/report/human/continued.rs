//! What was counted since before this trial (`--state`).

use super::page::Page;
use super::{delay, lost};
use crate::model::continued::Continued;
use crate::units::human::grouped;
use crate::units::text::{count, percent};
use std::io;

pub(super) fn write(of: &Continued, page: &mut Page<'_>) -> io::Result<()> {
    let listened = of.listened_ns;
    if of.trials == 1 {
        return page
            .section("In all", "this is the first trial that counts; the next goes on from it");
    }
    let trials = count(of.trials, "trial");
    page.section("In all", &format!("{listened} in {trials} since {}", of.since))?;
    page.number("received", of.counts.received, "")?;
    page.number("unique", of.counts.unique, "")?;
    page.number("lost", of.lost, &of.loss_ratio.map(percent).unwrap_or_default())?;
    if of.lost > 0 {
        let by = of.lost_by;
        let by = [by.receiver_socket, by.receiver_host, by.elsewhere].map(grouped);
        page.row("where lost", &lost::parts(by))?;
    }
    page.number("duplicates", of.counts.duplicates, "")?;
    page.number("reordered", of.counts.reordered, "")?;
    let unknown = match of.away_unknown {
        0 => String::new(),
        1 => "; of one stream it is not known".into(),
        streams => format!("; of {} streams it is not known", grouped(streams)),
    };
    page.number("away", of.away, &format!("sent in {} without a receiver{unknown}", of.away_ns))?;
    for (name, delays) in
        [("One-way delay", &of.one_way_delay_ns), ("Delay", &of.relative_delay_ns)]
    {
        let Some(delays) = delays.as_ref().filter(|delays| delays.percentiles.count > 0) else {
            continue;
        };
        page.paragraph(&format!("{name} in all, lost ones infinitely late:"))?;
        delay::table(&delays.percentiles, page)?;
    }
    Ok(())
}
