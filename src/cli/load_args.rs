//! Flags of the load as typed.

use crate::model::spec::Pace;
use crate::units::Nanos;
use crate::units::count::parse_count;
use crate::units::duration::parse_duration;
use crate::units::rate::Rate;
use crate::units::size::Bytes;
use crate::units::speed::Speed;
use clap::Args;
use std::path::PathBuf;
use std::str::FromStr;

/// How much.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadArgs {
    /// Rate of all senders together: `100k`, `1.5Gbps`, `max`
    ///
    /// `100k` is datagrams a second, `1.5Gbps` bits of UDP payload a second, `max` as fast as possible.
    #[arg(short, long, value_name = "RATE", allow_negative_numbers = true)]
    pub(super) rate: Option<Rate>,
    /// UDP payload, bytes, or a mix such as `64:7,594:4,1518:1`
    ///
    /// From 18, which fits a 64-byte Ethernet frame, to 65507. From 34 on a datagram also says how late it
    /// was sent. Beyond the MTU of the path it travels as IP fragments.
    ///
    /// A mix is sizes with weights: of 12 datagrams 7 have 64 bytes, 4 have 594 and 1 has 1518, spread evenly, and so
    /// to each group. Datagrams that differ do not share a system call.
    #[arg(short, long, value_name = "BYTES", default_value = "1316")]
    pub(super) size: SizeList,
    /// When they are due: constant, poisson, on-off, ramp
    ///
    /// `constant` at equal distances. `poisson` at random, independent of each other (RFC 2330); `poisson:SEED` is the
    /// same again, and the report names the seed. `on-off:100ms/900ms` at --rate for 100 ms, then nothing for 900 ms:
    /// the rate is that while on. `ramp:10k..200k` instead of a --rate: from one to the other in the --time of the trial.
    #[arg(long, value_name = "SHAPE", default_value = "constant")]
    pub(super) schedule: Shape,
    /// Send with the timing and the UDP payload sizes of a capture
    ///
    /// A pcap or pcapng file, once, or with --time or --count again and again. Contents, addresses and all that is not
    /// UDP are left out; payloads shorter than 18 bytes become 18. The report says how many.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "size", "schedule", "burst"])]
    pub(super) replay: Option<PathBuf>,
    /// How much faster to replay, such as 2x
    #[arg(long, value_name = "X", default_value = "1x", requires = "replay")]
    pub(super) replay_speed: Speed,
    /// Send this many datagrams back to back, and pause accordingly
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub(super) burst: u64,
    /// Put a checksum over the payload into each datagram
    ///
    /// Finds damage that the checksums of UDP and Ethernet cannot see. Costs time for every byte on both
    /// sides.
    #[arg(long)]
    pub(super) checksum: bool,
    /// How to wait: auto, spin, sleep, txtime, fq
    ///
    /// `auto` sleeps before long waits and spins at their end: on time, at the price of a core. `spin` never sleeps.
    /// `sleep` never spins, and is late by what the kernel takes to wake it. `txtime` hands datagrams over a
    /// millisecond ahead, with the time at which the queueing discipline fq or etf lets them go (SO_TXTIME); `fq`
    /// has fq keep them apart (SO_MAX_PACING_RATE). Where the interface has no such discipline it is `auto`, and the
    /// report says so.
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = parse_pace)]
    pub(super) pace: Pace,
    /// After a stall, send what became due meanwhile at once
    ///
    /// Without it the backlog leaves little faster than the rhythm, after a long stall twice as fast: nothing is left
    /// out, and no train of datagrams that nobody asked for floods queues on the way, whose loss would then be the
    /// sender's doing.
    #[arg(long)]
    pub(super) catch_up: bool,
}

/// Sizes and their weights; one without a weight has 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SizeList(pub(super) Vec<(Bytes, u64)>);

impl FromStr for SizeList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            let (size, weight) = part.split_once(':').unwrap_or((part, "1"));
            Ok((size.parse()?, parse_count(weight)?))
        };
        text.split(',').map(part).collect::<Result<_, String>>().map(Self)
    }
}

/// When datagrams are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Constant,
    Poisson { seed: Option<u32> },
    OnOff { on: Nanos, off: Nanos },
    Ramp { from: Rate, to: Rate },
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (shape, rest) = match text.split_once(':') {
            Some((shape, rest)) => (shape, Some(rest)),
            None => (text, None),
        };
        match (shape, rest) {
            ("constant", None) => Ok(Self::Constant),
            ("poisson", None) => Ok(Self::Poisson { seed: None }),
            ("poisson", Some(seed)) => match seed.parse() {
                Ok(seed) => Ok(Self::Poisson { seed: Some(seed) }),
                Err(_) => Err(format!("`{seed}` is not a seed: it is a whole number below 2^32")),
            },
            ("on-off", rest) => {
                let times = rest.and_then(|rest| rest.split_once('/'));
                let (on, off) = times.ok_or("it looks like `on-off:100ms/900ms`")?;
                Ok(Self::OnOff { on: parse_duration(on)?, off: parse_duration(off)? })
            }
            ("ramp", rest) => {
                let rates = rest.and_then(|rest| rest.split_once(".."));
                let (from, to) = rates.ok_or("it looks like `ramp:10k..200k`")?;
                Ok(Self::Ramp { from: from.parse()?, to: to.parse()? })
            }
            _ => {
                Err("it is constant, poisson, poisson:SEED, on-off:ON/OFF or ramp:FROM..TO".into())
            }
        }
    }
}

pub(super) fn parse_pace(text: &str) -> Result<Pace, String> {
    match text {
        "auto" => Ok(Pace::Auto),
        "spin" => Ok(Pace::Spin),
        "sleep" => Ok(Pace::Sleep),
        "txtime" => Ok(Pace::Txtime),
        "fq" => Ok(Pace::Fq),
        _ => Err("it is auto, spin, sleep, txtime or fq".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let rate = Rate::MilliDatagrams;
        for (text, shape) in [
            ("constant", Shape::Constant),
            ("poisson", Shape::Poisson { seed: None }),
            ("poisson:7", Shape::Poisson { seed: Some(7) }),
            ("on-off:1s/5ms", Shape::OnOff { on: Nanos::SECOND, off: Nanos(5_000_000) }),
            ("ramp:0.5..1k", Shape::Ramp { from: rate(500), to: rate(1_000_000) }),
        ] {
            assert_eq!(text.parse(), Ok(shape), "{text}");
        }
        for text in ["", "fish", "constant:1", "poisson:-1", "poisson:4294967296", "on-off"] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
        for text in ["on-off:1s", "on-off:1s/soon", "ramp", "ramp:1k", "ramp:1k..", "ramp:0..5"] {
            assert!(text.parse::<Shape>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!("1316".parse(), Ok(SizeList(vec![(Bytes(1316), 1)])));
        assert_eq!("64:7,1k:2".parse(), Ok(SizeList(vec![(Bytes(64), 7), (Bytes(1000), 2)])));
        for text in ["", "64,", "64:", ":1", "64:-1", "64:1:1"] {
            assert!(text.parse::<SizeList>().is_err(), "{text}");
        }
    }
}
