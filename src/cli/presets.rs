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

/// All of them.
pub(super) static PRESETS: &[&Preset] = &[
    &Preset {
        name: "connectivity",
        purpose: Some("multicast that goes on when switches ask who is still there"),
        text: include_str!("presets/connectivity.toml"),
    },
    &Preset {
        name: "market-data",
        purpose: Some("a market data feed"),
        text: include_str!("presets/market-data.toml"),
    },
    &Preset {
        name: "iptv-sd",
        purpose: Some("television in standard definition"),
        text: include_str!("presets/iptv-sd.toml"),
    },
    &Preset {
        name: "iptv-hd",
        purpose: Some("television in high definition"),
        text: include_str!("presets/iptv-hd.toml"),
    },
    &Preset {
        name: "iptv-uhd",
        purpose: Some("television in ultra high definition"),
        text: include_str!("presets/iptv-uhd.toml"),
    },
    &Preset {
        name: "st2110-1080p60",
        purpose: Some("uncompressed 1080p60 video (wide receivers)"),
        text: include_str!("presets/st2110-1080p60.toml"),
    },
    &Preset {
        name: "dds-telemetry",
        purpose: Some("control loops and telemetry over DDS"),
        text: include_str!("presets/dds-telemetry.toml"),
    },
    &Preset { name: "stress", purpose: None, text: include_str!("presets/stress.toml") },
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
