//! What was counted since before this trial (`--state`).

use super::delay;
use super::page::Page;
use crate::model::continued::Continued;
use crate::units::human::grouped;
use crate::units::text::{count, percent};
use std::io;

pub(super) fn write(of: &Continued, page: &mut Page<'_>) -> io::Result<()> {
    let trials = count(of.trials, "trial");
    let listened = of.listened_ns;
    page.section("In all", &format!("since {}: {trials}, this one among them, {listened}", of.since))?;
    page.number("received", of.counts.received, "")?;
    page.number("unique", of.counts.unique, "")?;
    page.number("lost", of.lost, &of.loss_ratio.map(percent).unwrap_or_default())?;
    page.number("duplicates", of.counts.duplicates, "")?;
    page.number("reordered", of.counts.reordered, "")?;
    if of.trials > 1 {
        let unknown = match of.away_unknown {
            0 => String::new(),
            1 => "; of one stream it is not known".into(),
            streams => format!("; of {} streams it is not known", grouped(streams)),
        };
        let note = format!("sent while nobody was here, in all {}{unknown}", of.away_ns);
        page.number("away", of.away, &note)?;
    }
    for (name, delays) in
        [("one-way delay", &of.one_way_delay_ns), ("delay", &of.relative_delay_ns)]
    {
        let Some(delays) = delays.as_ref().filter(|delays| delays.percentiles.count > 0) else {
            continue;
        };
        page.row(name, "lost ones are infinitely late")?;
        delay::table(&delays.percentiles, page)?;
    }
    Ok(())
}
