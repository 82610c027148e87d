//! Datagrams as they come: a line each, for people or as JSON (`dump.schema.json` beside this file), and their bytes.

use crate::model::heard::{Content, Heard, TransportStream};
use crate::units::Nanos;
use crate::units::text::count;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

/// Bytes in a line of a hex dump.
const ROW: usize = 16;

/// Where lines go.
pub struct Lines<W: Write> {
    out: W,
    json: bool,
}

impl<W: Write> Lines<W> {
    /// Lines for people, or JSON objects.
    pub fn new(out: W, json: bool) -> Self {
        Self { out, json }
    }

    /// Writes a datagram: a line, and below it its bytes if they are wanted.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(&mut self, heard: &Heard<'_>) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut self.out, heard)?;
            return self.out.write_all(b"\n");
        }
        if heard.dropped_before > 0 {
            let dropped = count(heard.dropped_before.into(), "datagram");
            writeln!(
                self.out,
                "({dropped} dropped here: they came faster than they were written)"
            )?;
        }
        self.line(heard)?;
        heard.payload.map_or(Ok(()), |payload| hex(payload, &mut self.out))
    }

    /// Hands over what is buffered.
    ///
    /// # Errors
    /// What `out` says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn line(&mut self, heard: &Heard<'_>) -> io::Result<()> {
        let Heard { interface, source, group, port, payload_len, .. } = heard;
        let group = std::net::SocketAddr::new(*group, *port);
        write!(self.out, "{} {interface} {source} > {group}", time(heard.received_at_ns))?;
        write!(self.out, " {}", count(*payload_len as u64, "byte"))?;
        if let Some(ttl) = heard.ttl {
            write!(self.out, " ttl {ttl}")?;
        }
        if let Some(content) = &heard.content {
            write!(self.out, "  {}", describe(content))?;
        }
        writeln!(self.out)
    }
}

fn describe(content: &Content) -> String {
    match content {
        Content::Probe {
            kind,
            session,
            stream,
            seq,
            due_at_ns,
            delay_ns,
            lateness_ns: _,
            intact,
            responder,
        } => {
            let responder = responder.as_ref().map_or(String::new(), |id| format!(" by {id}"));
            let due = time(*due_at_ns);
            let due = due.split_once('T').map_or(&*due, |(_day, time)| time);
            let what = match *kind {
                // Its due time is that of the first datagram, still to come.
                "start" => format!(" first due {due}"),
                _ => {
                    let number = match *kind {
                        "data" | "request" | "reply" => "seq",
                        _ => "offered",
                    };
                    let sign = if *delay_ns < 0 { "-" } else { "" };
                    let delay = Nanos(delay_ns.unsigned_abs());
                    format!(" {number} {seq} due {due} delay {sign}{delay}")
                }
            };
            let corrupt = if *intact { "" } else { " CORRUPT" };
            format!("{kind} {session}/{stream}{responder}{what}{corrupt}")
        }
        Content::Rtp { payload_type, marker, seq, timestamp, ssrc, mpeg_ts } => {
            let marker = if *marker { " marker" } else { "" };
            let inside = mpeg_ts.as_ref().map_or(String::new(), |ts| format!(", {}", packets(ts)));
            format!("RTP {ssrc} seq {seq} type {payload_type} time {timestamp}{marker}{inside}")
        }
        Content::MpegTs(stream) => packets(stream),
    }
}

fn packets(stream: &TransportStream) -> String {
    let pids: Vec<_> = stream.pids.iter().map(|pid| format!("{pid:#x}")).collect();
    let s = if pids.len() == 1 { "" } else { "s" };
    format!("MPEG-TS {} pid{s} {}", count(stream.packets as u64, "packet"), pids.join(" "))
}

/// As RFC 3339 writes it, to the nanosecond, in UTC.
fn time(since_epoch: Nanos) -> String {
    humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from(since_epoch)).to_string()
}

/// Sixteen bytes a line: where, the bytes, and those that are letters.
fn hex(payload: &[u8], out: &mut impl Write) -> io::Result<()> {
    for (number, row) in payload.chunks(ROW).enumerate() {
        write!(out, "  {:04x} ", number * ROW)?;
        for at in 0..ROW {
            let gap = if at == ROW / 2 { " " } else { "" };
            match row.get(at) {
                Some(byte) => write!(out, "{gap} {byte:02x}")?,
                None => write!(out, "{gap}   ")?,
            }
        }
        let shown = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
        writeln!(out, "  |{}|", row.iter().map(shown).collect::<String>())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    fn written(json: bool, heard: &[Heard<'_>]) -> String {
        let mut text = Vec::new();
        let mut lines = Lines::new(&mut text, json);
        heard.iter().for_each(|heard| lines.write(heard).unwrap());
        lines.flush().unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_line_a_datagram() {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("dump", written(false, &sample::heard::all()));
        });
    }

    #[test]
    fn an_object_a_line() {
        let all = sample::heard::all();
        let text = written(true, &all);
        assert_eq!(text.lines().count(), all.len());
        assert_eq!(
            text.lines().next(),
            Some(concat!(
                r#"{"received_at_ns":1700000000000001840,"interface":"eth1","source":"10.0.0.1:4000","#,
                r#""group":"233.252.0.7","port":5000,"payload_len":1316,"ttl":1,"dropped_before":0,"#,
                r#""content":{"format":"probe","kind":"data","session":"4f9c1a","stream":0,"seq":17,"#,
                r#""due_at_ns":1700000000000000000,"delay_ns":1840,"lateness_ns":23,"intact":true,"#,
                r#""responder":null}}"#,
            ))
        );
        let unknown = text.lines().find(|line| line.contains(r#""content":null"#)).unwrap();
        assert!(
            unknown.ends_with(r#","payload":"68656c6c6f2c206d756c7469636173740a00"}"#),
            "{unknown}"
        );
    }
}
