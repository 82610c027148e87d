//! A trial so far, for people who ask while it runs. Nothing in it is judged yet.

use super::page::Page;
use super::{delay, lost};
use crate::model::by_stream::StreamInterval;
use crate::model::delay::Percentiles;
use crate::model::so_far::SoFar;
use crate::report::paper::NARROWEST;
use crate::stats::latency::Latency;
use crate::units::human::grouped;
use crate::units::text::{count, percent, signed};
use std::cmp::Reverse;
use std::io;

/// Most streams that are named.
const MOST: usize = 20;

/// What is known so far, on any terminal.
pub fn text(of: &SoFar) -> String {
    let mut out = Vec::new();
    // Memory takes everything.
    let _ = write(of, &mut Page::new(&mut out, NARROWEST));
    String::from_utf8_lossy(&out).into_owned()
}

fn write(of: &SoFar, page: &mut Page<'_>) -> io::Result<()> {
    if of.sender.is_none() && of.receiver.is_none() {
        return page.section("So far", "no interval has ended in which there was anything to tell");
    }
    page.section("So far", &format!("{}; not judged before the end", of.until))?;
    if let Some(sender) = &of.sender {
        page.section("Sender", "")?;
        page.number("intended", sender.counts.intended, "")?;
        page.number("offered", sender.counts.offered, "")?;
        page.number("refused", sender.counts.refused, "")?;
    }
    let Some(receiver) = &of.receiver else { return Ok(()) };
    let counts = &receiver.counts;
    let known = counts.unique as i64 + receiver.lost;
    let ratio = (known > 0).then(|| percent(receiver.lost as f64 / known as f64));
    page.section("Receiver", &count(receiver.streams, "stream"))?;
    page.number("received", counts.received, "")?;
    page.number("unique", counts.unique, "")?;
    page.text("lost", &signed(receiver.lost), &ratio.unwrap_or_default())?;
    page.number("outstanding", receiver.outstanding, "missing, and may still come")?;
    page.number("duplicates", counts.duplicates, "")?;
    page.number("reordered", counts.reordered, "")?;
    page.number("too late", counts.too_late, "")?;
    page.number("corrupt", counts.corrupt, "")?;
    page.number("foreign", counts.foreign, "")?;
    if receiver.lost != 0 {
        let by = &of.lost_by;
        let by = [by.receiver_socket, by.receiver_host, by.elsewhere].map(signed);
        page.section("Where lost", &lost::parts(by))?;
    }
    let [lost, lost_relative] = receiver.lost_by_delay();
    delays("One-way delay", &receiver.one_way_delay, lost, page)?;
    delays("Delay", &receiver.relative_delay, lost_relative, page)?;
    streams(receiver.by_stream.iter().collect(), page)
}

fn delays(title: &str, of: &Latency, lost: i64, page: &mut Page<'_>) -> io::Result<()> {
    if of.count() == 0 {
        return Ok(());
    }
    page.section(title, "lost ones are infinitely late")?;
    delay::table(&Percentiles::of(&of.read(), lost), page)
}

/// A sender that started again goes on with its streams.
fn streams(mut streams: Vec<&StreamInterval>, page: &mut Page<'_>) -> io::Result<()> {
    if streams.len() < 2 {
        return Ok(());
    }
    let all = streams.len();
    streams.sort_by_key(|stream| Reverse(stream.lost));
    streams.truncate(MOST);
    page.section("Streams", "the ones that lost most")?;
    for StreamInterval { name, counts, lost } in streams {
        let who = format!("{}/{} to {}", name.source, name.stream, name.group.group);
        page.paragraph(&format!(
            "{who}: unique {}, lost {}",
            grouped(counts.unique),
            signed(*lost)
        ))?;
    }
    match all.saturating_sub(MOST) {
        0 => Ok(()),
        more => page.paragraph(&format!("... and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::model::spec::Role;

    #[test]
    fn says_what_the_intervals_said() {
        let mut so_far = SoFar::default();
        assert!(text(&so_far).contains("no interval has ended"));
        for snapshot in sample::intervals(Role::Run) {
            so_far.add(&snapshot);
        }
        let text = text(&so_far);
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let counts = &so_far.receiver.as_ref().unwrap().counts;
        for (label, number) in [
            ("offered", so_far.sender.as_ref().unwrap().counts.offered),
            ("unique", counts.unique),
            ("duplicates", counts.duplicates),
        ] {
            assert!(squeezed.contains(&format!("{label} {}", grouped(number))), "{text}");
        }
        assert!(text.contains("\nOne-way delay"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
