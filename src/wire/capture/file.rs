//! Reads pcap (micro- and nanoseconds) and pcapng files.

use super::{Capture, frame};
use crate::units::Nanos;
use pcap_parser::pcapng::Block;
use pcap_parser::{PcapBlockOwned, PcapError, create_reader};
use std::io::Read;

/// Bytes that are read at a time. A block that is larger gets room up to the limit.
const BUFFER: usize = 64 << 10;
const LARGEST_BLOCK: usize = 16 << 20;

/// Reads the UDP datagrams of a capture, `most` at most.
///
/// # Errors
/// Says in one line what is wrong with it.
pub fn read(input: impl Read + Send, most: usize) -> Result<Capture, String> {
    let mut reader = create_reader(BUFFER, input).map_err(|error| match error {
        PcapError::Eof => "it is empty".to_owned(),
        PcapError::ReadError => "it cannot be read".to_owned(),
        _ => "it is no pcap or pcapng file".to_owned(),
    })?;
    let mut packets = Packets::new(most);
    let mut room = BUFFER;
    loop {
        match reader.next() {
            Ok((len, block)) => {
                packets.take(&block)?;
                reader.consume(len);
            }
            Err(PcapError::Eof) => return packets.finish(),
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|_| "it cannot be read".to_owned())?;
            }
            Err(PcapError::BufferTooSmall) if room < LARGEST_BLOCK => {
                room *= 2;
                reader.grow(room);
                reader.refill().map_err(|_| "it cannot be read".to_owned())?;
            }
            Err(PcapError::UnexpectedEof) => {
                return Err(format!("it is cut off in packet {}", packets.number + 1));
            }
            Err(_) => return Err(format!("it is damaged after packet {}", packets.number)),
        }
    }
}

/// What a clock counts in: a part of a second, and how far it is off.
#[derive(Clone, Copy)]
struct Clock {
    per_second: u64,
    offset_seconds: i64,
}

/// The packets so far, and what is known about those to come.
struct Packets {
    capture: Capture,
    most: usize,
    /// Of the last packet, from 1.
    number: u64,
    /// Link type and clock of each interface.
    interfaces: Vec<(u32, Clock)>,
}

impl Packets {
    fn new(most: usize) -> Self {
        Self { capture: Capture::default(), most, number: 0, interfaces: Vec::new() }
    }

    fn take(&mut self, block: &PcapBlockOwned<'_>) -> Result<(), String> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let per_second =
                    if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                // The upper bits say how long the check sum at the end of each frame is.
                let link = header.network.0 as u32 & 0xffff;
                self.interfaces = vec![(link, Clock { per_second, offset_seconds: 0 })];
                Ok(())
            }
            PcapBlockOwned::Legacy(packet) => {
                let per_second = self.interfaces.first().map_or(1, |(_, clock)| clock.per_second);
                let ticks = u64::from(packet.ts_sec) * per_second + u64::from(packet.ts_usec);
                self.packet(0, ticks, packet.data, packet.origlen)
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                Ok(())
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                let per_second = ticks_per_second(interface.if_tsresol)
                    .ok_or("it has an interface whose clock is too fine to be counted")?;
                let clock = Clock { per_second, offset_seconds: interface.if_tsoffset };
                self.interfaces.push((interface.linktype.0 as u32, clock));
                Ok(())
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let data = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
                self.packet(packet.if_id as usize, ticks, data, packet.origlen)
            }
            PcapBlockOwned::NG(Block::SimplePacket(_)) => {
                Err(format!("packet {} has no time", self.number + 1))
            }
            PcapBlockOwned::NG(_) => Ok(()),
        }
    }

    fn packet(
        &mut self,
        interface: usize,
        ticks: u64,
        data: &[u8],
        original_len: u32,
    ) -> Result<(), String> {
        self.number += 1;
        let Some(&(link, clock)) = self.interfaces.get(interface) else {
            return Err(format!("packet {} is of an interface that is not described", self.number));
        };
        if !frame::is_known(link) {
            return Err(format!(
                "packet {} has link type {link}, which is not known here",
                self.number
            ));
        }
        let Some(payload_len) = frame::payload_len(link, data, original_len as usize) else {
            self.capture.skipped += 1;
            return Ok(());
        };
        let at = clock.time(ticks);
        if self.capture.datagrams.last().is_some_and(|(last, _)| at < *last) {
            return Err(format!("packet {} is older than one before it", self.number));
        }
        if self.capture.datagrams.len() == self.most {
            return Err(format!("it has more than {} UDP datagrams", self.most));
        }
        self.capture.datagrams.push((at, payload_len));
        Ok(())
    }

    fn finish(self) -> Result<Capture, String> {
        match (self.number, self.capture.datagrams.len()) {
            (0, _) => Err("it has no packets".into()),
            (packets, 0) => Err(format!("none of its {packets} packets is UDP over IP")),
            _ => Ok(self.capture),
        }
    }
}

/// Of option if_tsresol: a negative power of 2 with the highest bit set, else of 10.
fn ticks_per_second(resolution: u8) -> Option<u64> {
    let base = if resolution & 0x80 == 0 { 10_u64 } else { 2 };
    base.checked_pow((resolution & 0x7f).into())
}

impl Clock {
    /// Since the Unix epoch; what is outside of what we can count is at its end.
    fn time(self, ticks: u64) -> Nanos {
        let nanos = i128::from(ticks) * 1_000_000_000 / i128::from(self.per_second.max(1));
        let nanos = nanos + i128::from(self.offset_seconds) * 1_000_000_000;
        Nanos(nanos.clamp(0, u64::MAX.into()) as u64)
    }
}

#[cfg(test)]
mod tests;
