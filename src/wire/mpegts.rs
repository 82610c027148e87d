//! Packets of an MPEG transport stream, as many as a datagram carries: each 188 bytes, from a byte 0x47 on
//! (ISO/IEC 13818-1 section 2.4.3.2), seven of them in most datagrams.

/// Bytes of a packet.
const PACKET: usize = 188;
const SYNC: u8 = 0x47;

/// What a datagram carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packets {
    /// How many packets.
    pub count: usize,
    /// The packet identifiers among them, each once, in the order in which they come; 0x1fff is stuffing.
    pub pids: Vec<u16>,
}

/// Reads the packets; `None` if the payload is not made of them.
pub fn decode(payload: &[u8]) -> Option<Packets> {
    let (packets, rest) = payload.as_chunks::<PACKET>();
    let is_made_of_them = !packets.is_empty() && rest.is_empty();
    if !is_made_of_them || packets.iter().any(|packet| packet[0] != SYNC) {
        return None;
    }
    let mut pids = Vec::new();
    for packet in packets {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        if !pids.contains(&pid) {
            pids.push(pid);
        }
    }
    Some(Packets { count: packets.len(), pids })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(pids: &[u16]) -> Vec<u8> {
        let mut bytes = vec![0xff; pids.len() * PACKET];
        for (packet, pid) in bytes.chunks_mut(PACKET).zip(pids) {
            // The upper bits are flags: an error, the start of a unit, a priority.
            packet[..3].copy_from_slice(&[SYNC, 0xe0 | (pid >> 8) as u8, *pid as u8]);
        }
        bytes
    }

    #[test]
    fn each_pid_once() {
        let pids = [0x100, 0x1fff, 0x100, 0, 0x100, 0x101, 0x1fff];
        let datagram = packets(&pids);
        assert_eq!(datagram.len(), 1316);
        let expected = Packets { count: 7, pids: vec![0x100, 0x1fff, 0, 0x101] };
        assert_eq!(decode(&datagram), Some(expected));
    }

    #[test]
    fn others_are_not_taken_for_it() {
        let mut datagram = packets(&[1, 2]);
        assert_eq!(decode(&datagram[..187]), None);
        assert_eq!(decode(&[datagram.as_slice(), &[SYNC]].concat()), None);
        assert_eq!(decode(&[]), None);
        datagram[PACKET] = 0x46;
        assert_eq!(decode(&datagram), None);
    }
}
