//! Scenarios that come with the program, one for each kind of user, and `mcast-bench presets`, which shows them.

use super::exit::Exit;
use crate::error::{Error, Result};
use clap::Args;
use std::io::{self, ErrorKind, Write};

pub(super) const PRESETS_EXAMPLES: &str = "\
Examples:
  mcast-bench presets                                   all of them, a line each
  mcast-bench presets iptv-hd                           what it asks for, and why
  mcast-bench run --preset iptv-hd                      on this host
  mcast-bench recv --preset iptv-hd -I eth1             on two hosts: here, and there
  mcast-bench send --preset iptv-hd -I eth1 -r 200Mbps  the same with another rate";

/// A scenario with a name.
#[derive(Debug)]
pub(super) struct Preset {
    /// As typed.
    pub(super) name: &'static str,
    /// What a trial that holds its limits is fit for; `None` where it has none.
    pub(super) purpose: Option<&'static str>,
    /// The scenario. Its first line says in a comment what it is.
    pub(super) text: &'static str,
}

/// The scenario of that name in the folder beside this file.
macro_rules! preset {
    ($name:literal, $purpose:expr) => {
        &Preset {
            name: $name,
            purpose: $purpose,
            text: include_str!(concat!("presets/", $name, ".toml")),
        }
    };
}

/// All of them.
pub(super) static PRESETS: &[&Preset] = &[
    preset!("connectivity", Some("multicast that goes on when switches ask who is still there")),
    preset!("market-data", Some("a market data feed")),
    preset!("iptv-sd", Some("television in standard definition")),
    preset!("iptv-hd", Some("television in high definition")),
    preset!("iptv-uhd", Some("television in ultra high definition")),
    preset!("st2110-1080p60", Some("uncompressed 1080p60 video (wide receivers)")),
    preset!("dds-telemetry", Some("control loops and telemetry over DDS")),
    preset!("stress", None),
];

impl Preset {
    /// What it is, in a line.
    fn about(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

/// Flags of `presets`.
#[derive(Debug, Args)]
pub(super) struct PresetsArgs {
    /// Show this one, as a scenario with its reasons
    #[arg(value_name = "NAME", value_parser = parse_preset)]
    preset: Option<&'static Preset>,
}

pub(super) fn parse_preset(name: &str) -> std::result::Result<&'static Preset, String> {
    PRESETS.iter().find(|preset| preset.name == name).copied().ok_or_else(|| {
        let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        format!("these are: {}", names.join(", "))
    })
}

pub(super) fn run(args: &PresetsArgs) -> Result<Exit> {
    let line = |preset: &&Preset| format!("{:15} {}\n", preset.name, preset.about());
    let text = match args.preset {
        Some(preset) => preset.text.to_owned(),
        None => PRESETS.iter().map(line).collect(),
    };
    print(&text)
}

/// Writes to standard output. Who reads no further has read enough.
pub(super) fn print(text: &str) -> Result<Exit> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::os("cannot write to standard output", error))
        }
        _ => Ok(Exit::Fine),
    }
}
