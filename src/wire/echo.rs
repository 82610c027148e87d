//! What a responder answers to a request or a call: our header with the number and the due time of the request, and
//! behind it who answers, when, and what has come so far.
//!
//! ```text
//!  34         38      42     50          58      66      74      82       90       94
//!  +----------+-------+------+-----------+-------+-------+-------+--------+--------+- - - -
//!  | responder| error | host | received  | sent  | first | next  | unique | copies | as asked
//!  |    32    |  32   |  64  |    64     |  64   |  64   |  64   |   64   |   32   |
//!  +----------+-------+------+-----------+-------+-------+-------+--------+--------+- - - -
//! ```
//!
//! *responder* is new at every start of a responder. *error* and *host* say what clock it has, as in announcements
//! ([`super::probe`]). *received* is when its kernel received the request, *sent* when it handed over the answer, both
//! in nanoseconds since the Unix epoch. *first*, *next*, *unique* and *copies* are its account of the session's
//! requests: the lowest number that counts, one more than the highest that came, how many came, and how many of them
//! came again. Requests and calls are as long as the answer; behind the header they carry nothing that is looked at.

use super::announcement::{self, SenderClock};
use super::probe::{Encoder, Kind};
use crate::units::Nanos;

/// Length of the shortest answer, and so of the shortest request, bytes.
pub const ANSWER_LEN: usize = 94;

/// A responder's account of the requests of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The lowest number that counts: 0 for a responder that heard the first call, else where it came in.
    pub first: u64,
    /// One more than the highest number that came.
    pub next: u64,
    /// Numbers that came.
    pub unique: u64,
    /// Further copies of them.
    pub copies: u32,
}

/// What stands behind the header of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Start of a responder.
    pub responder: u32,
    /// The clock of its times.
    pub clock: SenderClock,
    /// When its kernel received the request.
    pub received_at: Nanos,
    /// When it handed the answer to its kernel.
    pub sent_at: Nanos,
    /// What has come so far, the request among it.
    pub account: Account,
}

/// Writes `answer` to the question whose session, stream, number and due time `encoder`, `seq` and `due_at` are into
/// `slot`, which has at least [`ANSWER_LEN`] bytes. What lies behind is left as it is.
#[inline]
pub fn encode(
    encoder: &Encoder,
    slot: &mut [u8],
    kind: Kind,
    seq: u64,
    due_at: Nanos,
    answer: &Answer,
) {
    let Account { first, next, unique, copies } = answer.account;
    slot[34..38].copy_from_slice(&answer.responder.to_be_bytes());
    slot[38..42].copy_from_slice(&announcement::error_micros(answer.clock.error).to_be_bytes());
    let words = [answer.clock.host, answer.received_at.0, answer.sent_at.0, first, next, unique];
    for (place, word) in slot[42..90].chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    slot[90..94].copy_from_slice(&copies.to_be_bytes());
    encoder.encode(slot, kind, seq, due_at, Nanos(0));
}

/// Reads what stands behind the header of an answer; `None` if it is cut short.
#[inline]
pub fn decode(payload: &[u8]) -> Option<Answer> {
    let body: &[u8; ANSWER_LEN] = payload.first_chunk()?;
    let half = |at: usize| body[at..].first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let word = |at: usize| body[at..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    Some(Answer {
        responder: half(34)?,
        clock: SenderClock { host: word(42)?, error: announcement::error_of_micros(half(38)?) },
        received_at: Nanos(word(50)?),
        sent_at: Nanos(word(58)?),
        account: Account {
            first: word(66)?,
            next: word(74)?,
            unique: word(82)?,
            copies: half(90)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::probe;
    use proptest::prelude::*;

    #[test]
    fn an_answer_is_written_as_drawn() {
        let mut slot = [0xaa; 100];
        let answer = Answer {
            responder: 0x0102_0304,
            clock: SenderClock { host: 5, error: Some(Nanos(7_000)) },
            received_at: Nanos(8),
            sent_at: Nanos(9),
            account: Account { first: 10, next: 11, unique: 12, copies: 13 },
        };
        encode(&Encoder::new(1, 2, false), &mut slot, Kind::Reply, 3, Nanos(4), &answer);
        assert_eq!(slot[34..42], [1, 2, 3, 4, 0, 0, 0, 7]);
        let words: Vec<_> = slot[42..90].chunks(8).map(|word| word[7]).collect();
        assert_eq!(words, [5, 8, 9, 10, 11, 12]);
        assert_eq!(slot[90..94], [0, 0, 0, 13]);
        assert_eq!(slot[94..], [0xaa; 6], "what was asked comes back");
        assert_eq!(decode(&slot[..93]), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            ids: (u32, u64), times: (u64, u64), error in prop::option::of(0u32..u32::MAX),
            counts: (u64, u64, u64, u32), seq in 0..probe::SEQ_END, due in 0u64..1 << 63,
        ) {
            let error = error.map(|micros| Nanos(u64::from(micros) * 1000));
            let (first, next, unique, copies) = counts;
            let answer = Answer {
                responder: ids.0,
                clock: SenderClock { host: ids.1, error },
                received_at: Nanos(times.0),
                sent_at: Nanos(times.1),
                account: Account { first, next, unique, copies },
            };
            let mut slot = [0; ANSWER_LEN];
            encode(&Encoder::new(1, 2, false), &mut slot, Kind::Statement, seq, Nanos(due), &answer);
            prop_assert_eq!(decode(&slot), Some(answer));
            let header = probe::decode(&slot, Nanos(0)).unwrap();
            prop_assert_eq!((header.kind, header.seq, header.due_at), (Kind::Statement, seq, Nanos(due)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            prop_assert_eq!(decode(&bytes).is_some(), bytes.len() >= ANSWER_LEN);
        }
    }
}
