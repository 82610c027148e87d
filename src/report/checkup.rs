//! Findings about a host, for people.

use crate::model::checkup::{Checkup, Finding, Verdict};
use crate::report::human::page::lines;
use std::io::{self, Write};

/// Writes the verdict, and a line a finding; below it what a bad one spoils and how to mend it. Commands stay on one
/// line, to be copied; the rest is broken at `width` characters. `colours`: with those of ECMA-48.
///
/// # Errors
/// What `out` says.
pub fn write(
    checkup: &Checkup,
    colours: bool,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let of = |verdict| checkup.findings.iter().filter(|found| found.verdict == verdict).count();
    let (problems, notes) = (of(Verdict::Problem), of(Verdict::Note));
    let place = format!("{} with {}", checkup.interface, groups(&checkup.groups));
    let (verdict, word) = match checkup.fit {
        true => (Verdict::Fine, "FIT"),
        false => (Verdict::Problem, "NOT FIT"),
    };
    let summary = format!("{place}; problems: {problems}, notes: {notes}");
    for line in lines(&format!("{word}: "), &summary, width) {
        writeln!(out, "{}", painted(&line, word, verdict, colours))?;
    }
    writeln!(out)?;
    write_findings(&checkup.findings, colours, width, out)
}

/// Writes the findings alone, as [`write()`] does.
///
/// # Errors
/// What `out` says.
pub fn write_findings(
    findings: &[Finding],
    colours: bool,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    for Finding { check, verdict, what, spoils, fix } in findings {
        let word = word_of(*verdict);
        for line in lines(&format!("  {word:<8}{check:<15} "), what, width) {
            writeln!(out, "{}", painted(&line, word, *verdict, colours))?;
        }
        for spoils in spoils.iter().flat_map(|text| lines("          spoils: ", text, width)) {
            writeln!(out, "{spoils}")?;
        }
        if let Some(fix) = fix {
            writeln!(out, "          fix:    {fix}")?;
        }
    }
    Ok(())
}

/// A line with the colour of the verdict on the word that says it, where the line begins with that.
fn painted(line: &str, word: &str, verdict: Verdict, colours: bool) -> String {
    match line.trim_start().strip_prefix(word) {
        Some(rest) if colours => {
            let indent = " ".repeat(line.len() - word.len() - rest.len());
            format!("{indent}\x1b[{}m{word}\x1b[0m{rest}", colour(verdict))
        }
        _ => line.to_owned(),
    }
}

fn groups(groups: &[String]) -> String {
    match groups {
        [only] => only.clone(),
        [first, .., last] => format!("{} groups, {first} to {last}", groups.len()),
        [] => String::new(),
    }
}

fn word_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fine => "ok",
        Verdict::Note => "note",
        Verdict::Problem => "PROBLEM",
    }
}

/// Green, yellow, red: parameters of Select Graphic Rendition.
fn colour(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fine => 32,
        Verdict::Note => 33,
        Verdict::Problem => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    fn written(colours: bool) -> String {
        let mut text = Vec::new();
        write(&sample::checkup::checkup(), colours, 60, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_table() {
        assert_eq!(
            written(false),
            "NOT FIT: eth1 with 233.252.0.7:5000; problems: 1, notes: 1\n\n  \
               ok      link            eth1 is up\n  \
               note    engines         af_xdp: not permitted\n          \
                                       spoils: this engine cannot be used\n          \
                                       fix:    run it as root\n  \
               PROBLEM memberships     cannot join\n          \
                                       spoils: receivers hear nothing\n"
        );
    }

    #[test]
    fn colours_change_nothing_else() {
        let painted = written(true);
        assert!(painted.starts_with("\x1b[31mNOT FIT\x1b[0m: "), "{painted}");
        let plain = ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"]
            .iter()
            .fold(painted, |text, code| text.replace(code, ""));
        assert_eq!(plain, written(false));
    }
}
